// SPDX-License-Identifier: GPL-2.0
/* Leaving a CPU, and what is allowed afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu.h"

static cpu_set_t all;

static cpu_set_t allowed(void)
{
	cpu_set_t set;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	return set;
}

/* On the CPU that it returns. */
static unsigned int stay(void)
{
	const int cpu = sched_getcpu();
	cpu_set_t one;

	assert_true(cpu >= 0);
	CPU_ZERO(&one);
	CPU_SET((unsigned int)cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	return (unsigned int)sched_getcpu();
}

static void be_free(void)
{
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

static void it_leaves_and_may_return(void **state)
{
	cpu_set_t set, cpus;

	(void)state;
	assert_true(CPU_COUNT(&all) > 1);
	cpu_learn(&cpus);
	for (int i = 0; i < 1000; i++) {
		const unsigned int here = (unsigned int)sched_getcpu();

		if (!cpu_leave(here, &cpus))
			continue; /* it was moved in between */
		set = allowed();
		assert_int_not_equal(sched_getcpu(), here);
		assert_false(CPU_ISSET(here, &set));
		assert_int_equal(CPU_COUNT(&set), CPU_COUNT(&all) - 1);
		cpu_return(&cpus);
		set = allowed();
		assert_true(CPU_EQUAL(&set, &all));
		return;
	}
	fail_msg("it never left");
}

static void elsewhere_it_stays(void **state)
{
	cpu_set_t cpus, set;
	unsigned int cpu;

	(void)state;
	cpu_learn(&cpus);
	cpu = stay();
	assert_false(cpu_leave(cpu + 1, &cpus));
	set = allowed();
	assert_int_equal(CPU_COUNT(&set), 1);
	assert_int_equal(sched_getcpu(), cpu);
	be_free();
}

/* What is forbidden stays so, whatever there is beside it. */
static void with_one_cpu_it_stays(void **state)
{
	const unsigned int cpu = stay();
	cpu_set_t cpus, set;

	(void)state;
	cpu_learn(&cpus);
	assert_false(cpu_leave(cpu, &cpus));
	cpu_return(&cpus);
	set = allowed();
	assert_int_equal(CPU_COUNT(&set), 1);
	assert_true(CPU_ISSET(cpu, &set));
	be_free();
}

static int setup(void **state)
{
	(void)state;
	return sched_getaffinity(0, sizeof(all), &all);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_leaves_and_may_return),
		cmocka_unit_test(elsewhere_it_stays),
		cmocka_unit_test(with_one_cpu_it_stays),
	};

	return cmocka_run_group_tests_name("cpu", tests, setup, NULL);
}
