/* SPDX-License-Identifier: GPL-2.0 */
/* On which CPU a test runs. Included after cmocka.h. */
#ifndef SKEP_TESTS_BPF_CPUS_H
#define SKEP_TESTS_BPF_CPUS_H

#include <linux/types.h>
#include <sched.h>

/*
 * The one that this process is on, and another that it may run on: the same one where there is no
 * other. To be asked for before the process goes to one.
 */
static inline void cpus_find(__u32 cpus[2])
{
	const int here = sched_getcpu();
	cpu_set_t allowed;

	assert_true(here >= 0);
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	cpus[0] = cpus[1] = (__u32)here;
	for (__u32 cpu = 0; cpu < CPU_SETSIZE && cpus[1] == cpus[0]; cpu++)
		if (CPU_ISSET(cpu, &allowed))
			cpus[1] = cpu;
}

/* This thread runs nowhere else from now on. */
static inline void cpus_go_to(__u32 cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

#endif
