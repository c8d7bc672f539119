// SPDX-License-Identifier: GPL-2.0
/*
 * The token bucket that the uplink program keeps: how many are let through at once, over time, and
 * by several CPUs together. Knows nothing of frames and maps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "budget.h"
#include "cleanup.h"

#define SECOND 1000000000ULL
#define MONDAY (86400 * SECOND) /* some moment on the clock */

/* How many of @n tries at this moment succeed. */
static unsigned int take(__u64 *tat, __u64 now, __u64 interval, __u64 burst, unsigned int n)
{
	unsigned int taken = 0;

	for (unsigned int i = 0; i < n; i++)
		taken += budget_take(tat, now, interval, burst);
	return taken;
}

static void a_full_bucket_allows_its_burst(void **state)
{
	static const unsigned int bursts[] = {1, 2, 7, 1000, 2000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bursts); i++) {
		__u64 tat = 0, interval = SECOND / bursts[i];

		assert_int_equal(take(&tat, MONDAY, interval, interval * bursts[i], 5000),
				 bursts[i]);
		assert_int_equal(tat, MONDAY + interval * bursts[i]);
	}
}

static void one_comes_back_each_interval(void **state)
{
	__u64 tat = 0, interval = 100;

	(void)state;
	assert_int_equal(take(&tat, MONDAY, interval, 500, 10), 5);
	assert_int_equal(take(&tat, MONDAY + 99, interval, 500, 10), 0);
	assert_int_equal(take(&tat, MONDAY + 100, interval, 500, 10), 1);
	assert_int_equal(take(&tat, MONDAY + 399, interval, 500, 10), 2);
	assert_int_equal(take(&tat, MONDAY + 400, interval, 500, 10), 1);
}

static void nothing_is_taken_from_the_refused(void **state)
{
	__u64 tat = MONDAY + 500, before = tat;

	(void)state;
	assert_int_equal(take(&tat, MONDAY, 100, 500, 1000), 0);
	assert_int_equal(tat, before);
}

static void no_more_than_a_burst_is_saved_up(void **state)
{
	__u64 tat = 0;

	(void)state;
	assert_int_equal(take(&tat, MONDAY, 100, 500, 10), 5);
	assert_int_equal(take(&tat, 2 * MONDAY, 100, 500, 10), 5);
}

static void even_pace_is_never_refused(void **state)
{
	__u64 tat = 0;

	(void)state;
	for (__u64 now = MONDAY; now < MONDAY + 100000; now += 100)
		assert_true(budget_take(&tat, now, 100, 100));
	assert_false(budget_take(&tat, MONDAY + 100000 - 1, 100, 100));
}

static void no_burst_allows_nothing(void **state)
{
	__u64 tat = 0;

	(void)state;
	assert_int_equal(take(&tat, MONDAY, 100, 0, 10), 0);
	assert_int_equal(take(&tat, MONDAY, 100, 99, 10), 0);
	assert_int_equal(tat, 0);
}

/* Clocks of two CPUs need not agree to the nanosecond. */
static void an_earlier_moment_may_come_later(void **state)
{
	__u64 tat = 0;

	(void)state;
	assert_true(budget_take(&tat, MONDAY, 100, 300));
	assert_true(budget_take(&tat, MONDAY - 50, 100, 300));
	assert_false(budget_take(&tat, MONDAY - 50, 100, 300));
	assert_true(budget_take(&tat, MONDAY, 100, 300));
	assert_int_equal(tat, MONDAY + 300);
}

/* However they come: at most the burst, and one each interval from then on. And who always asks
 * gets no less. */
static void over_any_time_it_holds(void **state)
{
	__u64 tat = 0, now = MONDAY, interval = 997, allowed = 13;
	unsigned int seed = 1, taken = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		taken += budget_take(&tat, now, interval, interval * allowed);
		assert_true(taken <= allowed + (now - MONDAY) / interval);
		seed = seed * 1103515245 + 12345;
		now += seed >> 16 & 63;
	}
	assert_true(taken >= (now - MONDAY) / interval);
}

/* ---- several at once ------------------------------------------------------- */

#define THREADS 4
#define ALLOWED 200000U

struct shared {
	__u64 tat;
	pthread_barrier_t begin;
};

static void *take_often(void *data)
{
	struct shared *shared = data;

	pthread_barrier_wait(&shared->begin);
	return (void *)(uintptr_t)take(&shared->tat, MONDAY, 10, 10ULL * ALLOWED, ALLOWED);
}

/* Each that was let through has moved the moment by one interval: none was given twice. */
static void several_take_no_more_than_one(void **state)
{
	struct shared shared = {};
	pthread_t threads[THREADS];
	uintptr_t taken = 0;

	(void)state;
	assert_int_equal(pthread_barrier_init(&shared.begin, NULL, THREADS), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_often, &shared), 0);
	for (int i = 0; i < THREADS; i++) {
		void *by_one;

		assert_int_equal(pthread_join(threads[i], &by_one), 0);
		taken += (uintptr_t)by_one;
	}
	assert_int_equal(shared.tat, MONDAY + 10 * taken);
	taken += take(&shared.tat, MONDAY, 10, 10ULL * ALLOWED, ALLOWED);
	assert_int_equal(taken, ALLOWED);
	pthread_barrier_destroy(&shared.begin);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_bucket_allows_its_burst),
		cmocka_unit_test(one_comes_back_each_interval),
		cmocka_unit_test(nothing_is_taken_from_the_refused),
		cmocka_unit_test(no_more_than_a_burst_is_saved_up),
		cmocka_unit_test(even_pace_is_never_refused),
		cmocka_unit_test(no_burst_allows_nothing),
		cmocka_unit_test(an_earlier_moment_may_come_later),
		cmocka_unit_test(over_any_time_it_holds),
		cmocka_unit_test(several_take_no_more_than_one),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
