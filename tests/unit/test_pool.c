// SPDX-License-Identifier: GPL-2.0
/*
 * The pool: every transition of a slot, who comes first, pauses, and then a long random run beside
 * a second, slower pool that remembers no queue, only when what happened. Starts no container: time
 * is a number here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "clock.h"
#include "pool.h"

#define T0 (1000 * NS_PER_SEC)

static void free_pool(struct pool **pool)
{
	*pool = pool_free(*pool);
}

#define cleanup_pool __attribute__((cleanup(free_pool)))

/* One template with a target. */
static struct pool *new_pool(unsigned int max, unsigned int warm)
{
	struct pool *pool = pool_new(max, 1);

	assert_non_null(pool);
	pool_set_warm(pool, 0, warm);
	return pool;
}

static void check_job(struct pool *pool, __u64 now_ns, enum pool_op op, __u32 slot, __u32 template)
{
	struct pool_job job = pool_next(pool, now_ns);

	assert_int_equal(job.op, op);
	assert_int_equal(job.slot, slot);
	assert_int_equal(job.template, template);
}

#define check_start(pool, now, slot) check_job(pool, now, POOL_START, slot, 0)
#define check_recycle(pool, now, slot) check_job(pool, now, POOL_RECYCLE, slot, 0)

static void check_nothing(struct pool *pool, __u64 now_ns)
{
	assert_int_equal(pool_next(pool, now_ns).op, POOL_NOTHING);
}

static void check_counts(const struct pool *pool, const unsigned int expected[SKEP_STATE_MAX])
{
	for (enum skep_state state = 0; state < SKEP_STATE_MAX; state++)
		assert_int_equal(pool_count(pool, state), expected[state]);
}

#define check_counts_are(pool, ...) \
	check_counts(pool, (const unsigned int[SKEP_STATE_MAX]){__VA_ARGS__})

/* @n slots from 0 are started, and idle in that order. */
static void start_all(struct pool *pool, unsigned int n)
{
	for (__u32 slot = 0; slot < n; slot++)
		check_start(pool, T0, slot);
	for (__u32 slot = 0; slot < n; slot++)
		pool_started(pool, slot);
}

static void a_new_pool_is_empty(void **state)
{
	cleanup_pool struct pool *pool = pool_new(3, 2);

	(void)state;
	assert_non_null(pool);
	check_counts_are(pool, [SKEP_STATE_NONE] = 3);
	for (__u32 slot = 0; slot < 3; slot++)
		assert_int_equal(pool_state(pool, slot), SKEP_STATE_NONE);
	check_nothing(pool, T0);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
	assert_int_equal(pool_take(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_take(pool, 1), POOL_NO_SLOT);
	assert_true(pool_is_warm(pool));
	assert_null(pool_free(NULL));
}

static void the_life_of_a_slot(void **state)
{
	cleanup_pool struct pool *pool = new_pool(1, 1);

	(void)state;
	check_start(pool, T0, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_STARTING);
	check_counts_are(pool, [SKEP_STATE_STARTING] = 1);
	assert_int_equal(pool_take(pool, 0), POOL_NO_SLOT);
	pool_started(pool, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_IDLE);
	check_counts_are(pool, [SKEP_STATE_IDLE] = 1);
	assert_int_equal(pool_take(pool, 0), 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_BOUND);
	check_counts_are(pool, [SKEP_STATE_BOUND] = 1);
	pool_give_up(pool, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_RECYCLING);
	check_counts_are(pool, [SKEP_STATE_RECYCLING] = 1);
	check_recycle(pool, T0, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_RECYCLING);
	check_nothing(pool, T0);
	pool_recycle_failed(pool, 0, T0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_FAILED);
	check_counts_are(pool, [SKEP_STATE_FAILED] = 1);
	check_recycle(pool, T0 + NS_PER_SEC, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_RECYCLING);
	check_counts_are(pool, [SKEP_STATE_RECYCLING] = 1);
	pool_recycled(pool, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_NONE);
	check_counts_are(pool, [SKEP_STATE_NONE] = 1);
	check_start(pool, T0, 0);
}

static void an_idle_container_may_be_given_up(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 3);

	(void)state;
	start_all(pool, 3);
	pool_give_up(pool, 1);
	check_counts_are(pool, [SKEP_STATE_IDLE] = 2, [SKEP_STATE_RECYCLING] = 1);
	assert_int_equal(pool_take(pool, 0), 0);
	assert_int_equal(pool_take(pool, 0), 2);
	assert_int_equal(pool_take(pool, 0), POOL_NO_SLOT);
}

static void a_starting_container_may_be_given_up(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 1);

	(void)state;
	check_start(pool, T0, 0);
	check_nothing(pool, T0);
	pool_give_up(pool, 0);
	check_counts_are(pool, [SKEP_STATE_NONE] = 1, [SKEP_STATE_RECYCLING] = 1);
	/* No failure, so no pause: the target is missed by one again. */
	check_start(pool, T0, 1);
	check_recycle(pool, T0, 0);
}

static void the_oldest_idle_container_is_taken(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		check_start(pool, T0, slot);
	pool_started(pool, 2);
	pool_started(pool, 0);
	pool_started(pool, 1);
	assert_int_equal(pool_take(pool, 0), 2);
	check_start(pool, T0, 3);
	pool_started(pool, 3);
	assert_int_equal(pool_take(pool, 0), 0);
	assert_int_equal(pool_take(pool, 0), 1);
	assert_int_equal(pool_take(pool, 0), 3);
	assert_int_equal(pool_take(pool, 0), POOL_NO_SLOT);
}

static void the_oldest_dirty_slot_is_recycled(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 3);

	(void)state;
	start_all(pool, 3);
	pool_set_warm(pool, 0, 0);
	pool_give_up(pool, 1);
	pool_give_up(pool, 2);
	pool_give_up(pool, 0);
	check_recycle(pool, T0, 1);
	check_recycle(pool, T0, 2);
	check_recycle(pool, T0, 0);
	check_nothing(pool, T0);
}

static void the_slot_free_for_longest_is_started(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 3);

	(void)state;
	start_all(pool, 3);
	pool_set_warm(pool, 0, 0);
	for (__u32 slot = 0; slot < 3; slot++)
		pool_give_up(pool, slot);
	for (__u32 slot = 0; slot < 3; slot++)
		check_recycle(pool, T0, slot);
	pool_recycled(pool, 2);
	pool_recycled(pool, 0);
	pool_recycled(pool, 1);
	pool_set_warm(pool, 0, 3);
	check_start(pool, T0, 2);
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
}

static void a_bound_container_is_replaced(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);

	(void)state;
	start_all(pool, 2);
	check_nothing(pool, T0);
	assert_int_equal(pool_take(pool, 0), 0);
	check_start(pool, T0, 2);
	check_nothing(pool, T0);
	assert_int_equal(pool_take(pool, 0), 1);
	check_start(pool, T0, 3);
	check_nothing(pool, T0);
}

static void never_more_than_max(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 5);

	(void)state;
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
	check_nothing(pool, T0);
	assert_false(pool_is_warm(pool));
	pool_started(pool, 0);
	assert_false(pool_is_warm(pool));
	pool_started(pool, 1);
	assert_true(pool_is_warm(pool)); /* as warm as it gets */
	assert_int_equal(pool_take(pool, 0), 0);
	assert_int_equal(pool_take(pool, 0), 1);
	check_nothing(pool, T0);
	assert_true(pool_is_warm(pool));
}

static void a_pool_that_is_only_dirty_is_not_warm(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 1);

	(void)state;
	pool_adopt_dirty(pool, 0);
	pool_adopt_dirty(pool, 1);
	assert_false(pool_is_warm(pool));
}

static void deaths_while_idle_pause_longer_and_longer(void **state)
{
	cleanup_pool struct pool *pool = new_pool(8, 1);
	__u64 now_ns = T0, expected_ns = NS_PER_SEC;

	(void)state;
	for (int i = 0; i < 10; i++) {
		struct pool_job next = pool_next(pool, now_ns);

		assert_int_equal(next.op, POOL_START);
		pool_started(pool, next.slot);
		assert_int_equal(pool_died(pool, next.slot, now_ns), expected_ns);
		assert_int_equal(pool_state(pool, next.slot), SKEP_STATE_RECYCLING);
		next = pool_next(pool, now_ns);
		assert_int_equal(next.op, POOL_RECYCLE);
		pool_recycled(pool, next.slot);
		check_nothing(pool, now_ns);
		assert_int_equal(pool_wake_ns(pool, now_ns), now_ns + expected_ns);
		now_ns += expected_ns;
		expected_ns = expected_ns * 2 < 60 * NS_PER_SEC ? expected_ns * 2 : 60 * NS_PER_SEC;
	}
}

static void one_that_is_taken_ends_the_pause_for_deaths(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);

	(void)state;
	start_all(pool, 2);
	assert_int_equal(pool_died(pool, 0, T0), NS_PER_SEC);
	assert_int_equal(pool_take(pool, 0), 1);
	check_start(pool, T0, 2);
}

static void a_lowered_target_starts_nothing(void **state)
{
	cleanup_pool struct pool *pool = new_pool(8, 4);

	(void)state;
	start_all(pool, 4);
	pool_set_warm(pool, 0, 2);
	assert_int_equal(pool_take(pool, 0), 0);
	assert_int_equal(pool_take(pool, 0), 1);
	check_nothing(pool, T0);
	assert_int_equal(pool_take(pool, 0), 2);
	check_start(pool, T0, 4);
}

static void warm_when_every_template_is(void **state)
{
	cleanup_pool struct pool *pool = pool_new(4, 2);

	(void)state;
	assert_non_null(pool);
	pool_set_warm(pool, 1, 1);
	assert_false(pool_is_warm(pool));
	check_job(pool, T0, POOL_START, 0, 1);
	assert_false(pool_is_warm(pool));
	pool_started(pool, 0);
	assert_true(pool_is_warm(pool));
	pool_set_warm(pool, 0, 1);
	assert_false(pool_is_warm(pool));
	check_job(pool, T0, POOL_START, 1, 0);
	pool_started(pool, 1);
	assert_true(pool_is_warm(pool));
	assert_int_equal(pool_take(pool, 1), 0);
	assert_false(pool_is_warm(pool));
}

/* Half of 5 is 3 here: one idle container, of a target of one, is worth hurrying for. */
static void starting_comes_first_below_half(void **state)
{
	cleanup_pool struct pool *pool = new_pool(16, 5);

	(void)state;
	pool_adopt_dirty(pool, 15);
	pool_adopt_dirty(pool, 14);
	for (__u32 slot = 0; slot < 3; slot++)
		check_start(pool, T0, slot);
	check_recycle(pool, T0, 15);
	check_recycle(pool, T0, 14);
	check_start(pool, T0, 3);
	check_start(pool, T0, 4);
	check_nothing(pool, T0);
}

static void the_last_one_is_started_before_recycling(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 1);

	(void)state;
	pool_adopt_dirty(pool, 1);
	check_start(pool, T0, 0);
	check_recycle(pool, T0, 1);
}

static void recycling_goes_on_when_nothing_is_free(void **state)
{
	cleanup_pool struct pool *pool = new_pool(1, 1);

	(void)state;
	pool_adopt_dirty(pool, 0);
	check_recycle(pool, T0, 0);
	check_nothing(pool, T0);
	pool_recycled(pool, 0);
	check_start(pool, T0, 0);
}

static void a_failed_slot_comes_after_the_dirty(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 0);

	(void)state;
	pool_adopt_dirty(pool, 0);
	check_recycle(pool, T0, 0);
	pool_recycle_failed(pool, 0, T0);
	pool_adopt_dirty(pool, 1);
	check_recycle(pool, T0 + 5 * NS_PER_SEC, 1);
	check_recycle(pool, T0 + 5 * NS_PER_SEC, 0);
}

static void failed_slots_are_tried_again_in_order(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 0);

	(void)state;
	pool_adopt_dirty(pool, 0);
	pool_adopt_dirty(pool, 1);
	check_recycle(pool, T0, 0);
	check_recycle(pool, T0, 1);
	pool_recycle_failed(pool, 1, T0);
	pool_recycle_failed(pool, 0, T0 + 10);
	assert_int_equal(pool_wake_ns(pool, T0 + 10), T0 + NS_PER_SEC);
	check_nothing(pool, T0 + NS_PER_SEC - 1);
	check_recycle(pool, T0 + NS_PER_SEC, 1);
	check_nothing(pool, T0 + NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC), T0 + NS_PER_SEC + 10);
	check_recycle(pool, T0 + NS_PER_SEC + 10, 0);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC + 10), 0);
	/* The pause does not grow: what fails to go away is retried each second. */
	pool_recycle_failed(pool, 0, T0 + 2 * NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0 + 2 * NS_PER_SEC), T0 + 3 * NS_PER_SEC);
}

/* One start that fails at @now_ns; returns when the next is due. */
static __u64 fail_once(struct pool *pool, __u64 now_ns, __u64 pause_s)
{
	struct pool_job job = pool_next(pool, now_ns);

	assert_int_equal(job.op, POOL_START);
	assert_int_equal(pool_start_failed(pool, job.slot, now_ns), pause_s * NS_PER_SEC);
	assert_int_equal(pool_state(pool, job.slot), SKEP_STATE_RECYCLING);
	check_job(pool, now_ns, POOL_RECYCLE, job.slot, job.template);
	pool_recycled(pool, job.slot);
	assert_int_equal(pool_wake_ns(pool, now_ns), now_ns + pause_s * NS_PER_SEC);
	check_nothing(pool, now_ns + pause_s * NS_PER_SEC - 1);
	return now_ns + pause_s * NS_PER_SEC;
}

static void pauses_double_to_a_minute(void **state)
{
	static const __u64 pauses[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	cleanup_pool struct pool *pool = new_pool(2, 1);
	__u64 now_ns = T0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++)
		now_ns = fail_once(pool, now_ns, pauses[i]);
	/* Nothing waits for a pause that is over. */
	assert_int_equal(pool_wake_ns(pool, now_ns), 0);
}

static void a_start_ends_the_pause(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);
	__u64 now_ns = fail_once(pool, T0, 1);

	(void)state;
	now_ns = fail_once(pool, now_ns, 2);
	assert_int_equal(pool_next(pool, now_ns).op, POOL_START);
	pool_started(pool, 2);
	fail_once(pool, now_ns, 1);
}

static void a_start_that_was_under_way_ends_the_pause_at_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
	assert_int_equal(pool_start_failed(pool, 0, T0), NS_PER_SEC);
	check_recycle(pool, T0, 0);
	check_nothing(pool, T0);
	pool_started(pool, 1);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
	check_start(pool, T0, 2);
}

static void starts_that_fail_together_fail_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		check_start(pool, T0, slot);
	assert_int_equal(pool_start_failed(pool, 0, T0), NS_PER_SEC);
	assert_int_equal(pool_start_failed(pool, 1, T0 + 10), NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0 + 10), T0 + NS_PER_SEC);
	/* This one ran on into the next attempt. */
	assert_int_equal(pool_start_failed(pool, 2, T0 + NS_PER_SEC), 2 * NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC), T0 + 3 * NS_PER_SEC);
}

static void a_template_that_pauses_holds_up_no_other(void **state)
{
	cleanup_pool struct pool *pool = pool_new(6, 3);

	(void)state;
	assert_non_null(pool);
	pool_set_warm(pool, 1, 1);
	check_job(pool, T0, POOL_START, 0, 1);
	assert_int_equal(pool_start_failed(pool, 0, T0), NS_PER_SEC);
	pool_set_warm(pool, 2, 1);
	check_job(pool, T0, POOL_START, 1, 2);
	assert_int_equal(pool_start_failed(pool, 1, T0 + 5), NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0 + 5), T0 + NS_PER_SEC);
	pool_set_warm(pool, 0, 1);
	check_job(pool, T0 + 5, POOL_START, 2, 0);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC), T0 + NS_PER_SEC + 5);
	/* Who wants nothing waits for nothing. */
	pool_set_warm(pool, 1, 0);
	assert_int_equal(pool_wake_ns(pool, T0 + 5), T0 + NS_PER_SEC + 5);
}

static void the_earliest_end_of_a_pause_wakes(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 0);

	(void)state;
	pool_adopt_dirty(pool, 1);
	check_recycle(pool, T0, 1);
	pool_set_warm(pool, 0, 1);
	check_start(pool, T0, 0);
	pool_start_failed(pool, 0, T0);
	check_recycle(pool, T0, 0);
	pool_recycle_failed(pool, 1, T0 + 10);
	assert_int_equal(pool_wake_ns(pool, T0 + 10), T0 + NS_PER_SEC);
	pool_recycled(pool, 0);
	check_start(pool, T0 + NS_PER_SEC, 0);
	pool_start_failed(pool, 0, T0 + NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC), T0 + NS_PER_SEC + 10);
	check_recycle(pool, T0 + NS_PER_SEC + 10, 0);
	check_recycle(pool, T0 + NS_PER_SEC + 10, 1);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC + 10), T0 + 3 * NS_PER_SEC);
	pool_recycle_failed(pool, 1, T0 + NS_PER_SEC + 10);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC + 10), T0 + 2 * NS_PER_SEC + 10);
}

static void the_template_that_lacks_most_is_started(void **state)
{
	cleanup_pool struct pool *pool = pool_new(16, 3);
	/* Lacking 1, 4 and 2 up to half, the first of equals first; then 1, 4 and 2 again. */
	static const __u32 order[] = {1, 1, 1, 2, 0, 1, 2, 1, 1, 1, 2, 0, 1, 2};

	(void)state;
	assert_non_null(pool);
	pool_set_warm(pool, 0, 2);
	pool_set_warm(pool, 1, 8);
	pool_set_warm(pool, 2, 4);
	for (__u32 i = 0; i < ARRAY_SIZE(order); i++)
		check_job(pool, T0, POOL_START, i, order[i]);
	check_nothing(pool, T0);
}

static void templates_do_not_mix(void **state)
{
	cleanup_pool struct pool *pool = pool_new(4, 2);

	(void)state;
	assert_non_null(pool);
	pool_set_warm(pool, 0, 1);
	check_job(pool, T0, POOL_START, 0, 0);
	pool_set_warm(pool, 1, 1);
	check_job(pool, T0, POOL_START, 1, 1);
	pool_started(pool, 1);
	pool_started(pool, 0);
	assert_int_equal(pool_template(pool, 0), 0);
	assert_int_equal(pool_template(pool, 1), 1);
	assert_int_equal(pool_take(pool, 1), 1);
	assert_int_equal(pool_take(pool, 1), POOL_NO_SLOT);
	assert_int_equal(pool_take(pool, 0), 0);
	/* A slot may serve another template in its next life. */
	pool_set_warm(pool, 0, 0);
	pool_set_warm(pool, 1, 0);
	pool_give_up(pool, 0);
	check_job(pool, T0, POOL_RECYCLE, 0, 0);
	pool_recycled(pool, 0);
	pool_set_warm(pool, 1, 3);
	check_job(pool, T0, POOL_START, 2, 1);
	check_job(pool, T0, POOL_START, 3, 1);
	check_job(pool, T0, POOL_START, 0, 1);
	assert_int_equal(pool_template(pool, 0), 1);
}

static void adopted_slots_are_recycled_first_and_not_started(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 0);

	(void)state;
	pool_adopt_dirty(pool, 1);
	pool_adopt_dirty(pool, 0);
	assert_int_equal(pool_state(pool, 1), SKEP_STATE_RECYCLING);
	check_counts_are(pool, [SKEP_STATE_NONE] = 1, [SKEP_STATE_RECYCLING] = 2);
	check_recycle(pool, T0, 1);
	check_recycle(pool, T0, 0);
	pool_set_warm(pool, 0, 3);
	check_start(pool, T0, 2);
	check_nothing(pool, T0);
	pool_recycled(pool, 0);
	check_start(pool, T0, 0);
}

static void drained(void **state)
{
	cleanup_pool struct pool *pool = new_pool(6, 4);

	(void)state;
	start_all(pool, 4);
	assert_int_equal(pool_take(pool, 0), 0);
	check_start(pool, T0, 4);
	pool_drain(pool);
	check_counts_are(
		pool, [SKEP_STATE_NONE] = 1, [SKEP_STATE_STARTING] = 1, [SKEP_STATE_RECYCLING] = 4);
	for (__u32 slot = 0; slot < 4; slot++)
		check_recycle(pool, T0, slot);
	/* What was starting ends as its keeper says, and is given up then. */
	pool_started(pool, 4);
	pool_give_up(pool, 4);
	check_recycle(pool, T0, 4);
	for (__u32 slot = 0; slot < 5; slot++)
		pool_recycled(pool, slot);
	check_counts_are(pool, [SKEP_STATE_NONE] = 6);
	check_nothing(pool, T0 + 60 * NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
}

static void a_drained_pool_does_not_wait_for_pauses(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 1);

	(void)state;
	fail_once(pool, T0, 1);
	pool_drain(pool);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
	check_nothing(pool, T0 + NS_PER_SEC);
}

/* ---- what may not happen --------------------------------------------------- */

static void call_started(struct pool *pool, __u32 slot)
{
	pool_started(pool, slot);
}

static void call_recycle_failed(struct pool *pool, __u32 slot)
{
	pool_recycle_failed(pool, slot, T0);
}

enum { SLOT_RECYCLED, SLOT_BOUND, SLOT_DIRTY, SLOT_IDLE, SLOT_FAILED = 5, SLOT_NONE };

static struct pool *pool_of_every_state(void)
{
	struct pool *pool = new_pool(7, 6);

	start_all(pool, 5);
	assert_int_equal(pool_take(pool, 0), 0);
	assert_int_equal(pool_take(pool, 0), 1);
	check_start(pool, T0, 5);
	pool_give_up(pool, 0);
	pool_give_up(pool, 5);
	pool_set_warm(pool, 0, 0);
	check_recycle(pool, T0, 0);
	check_recycle(pool, T0, 5);
	pool_recycle_failed(pool, 5, T0);
	pool_give_up(pool, 2);
	return pool;
}

static const struct forbidden {
	const char *what;
	void (*call)(struct pool *pool, __u32 slot);
	__u32 slot;
} forbidden[] = {
	{"started, not starting", call_started, SLOT_NONE},
	{"started twice", call_started, SLOT_IDLE},
	{"started while bound", call_started, SLOT_BOUND},
	{"nothing to give up", pool_give_up, SLOT_NONE},
	{"given up twice", pool_give_up, SLOT_DIRTY},
	{"given up while recycled", pool_give_up, SLOT_RECYCLED},
	{"given up after it failed", pool_give_up, SLOT_FAILED},
	{"adopted while idle", pool_adopt_dirty, SLOT_IDLE},
	{"adopted twice", pool_adopt_dirty, SLOT_DIRTY},
	{"recycled without a job", pool_recycled, SLOT_DIRTY},
	{"recycled while bound", pool_recycled, SLOT_BOUND},
	{"recycled while failed", pool_recycled, SLOT_FAILED},
	{"failed without a job", call_recycle_failed, SLOT_DIRTY},
	{"failed while free", call_recycle_failed, SLOT_NONE},
};

static int status_of(const struct forbidden *f, struct pool *pool)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		const struct rlimit none = {};

		setrlimit(RLIMIT_CORE, &none);
		fclose(stderr);
		f->call(pool, f->slot);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void transitions_there_are_not(void **state)
{
	cleanup_pool struct pool *pool = pool_of_every_state();

	(void)state;
	check_counts_are(pool, [SKEP_STATE_NONE] = 1, [SKEP_STATE_IDLE] = 2, [SKEP_STATE_BOUND] = 1,
			 [SKEP_STATE_RECYCLING] = 2, [SKEP_STATE_FAILED] = 1);
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		int status = status_of(&forbidden[i], pool);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("%s: status %d", forbidden[i].what, status);
	}
}

/* ---- the random run -------------------------------------------------------- */

#define SLOTS 24
#define TEMPLATES 3
#define STEPS 100000

/**
 * struct model - what the pool has to know, without a queue
 * @since: number of the step that brought the slot where it is; tells the oldest
 * @given: a dirty slot was given out to be recycled
 */
struct model {
	struct pool *pool;
	__u64 random;
	__u64 now_ns;
	__u64 step;
	struct {
		enum skep_state state;
		__u32 template;
		bool given;
		__u64 since;
		__u64 retry_ns;
	} slots[SLOTS];
	struct {
		unsigned int warm;
		__u64 pause_ns;
		__u64 resume_ns;
	} templates[TEMPLATES];
	unsigned int seen[SKEP_STATE_MAX];
};

/* xorshift64: the same run each time. */
static unsigned int roll(struct model *m, unsigned int n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned int)((m->random >> 20) % n);
}

static void move(struct model *m, __u32 slot, enum skep_state state)
{
	m->slots[slot].state = state;
	m->slots[slot].given = false;
	m->slots[slot].since = ++m->step;
	m->seen[state]++;
}

/* Of the template, or of any when it is TEMPLATES. */
static unsigned int count_of(const struct model *m, enum skep_state state, __u32 template)
{
	unsigned int n = 0;

	for (__u32 i = 0; i < SLOTS; i++)
		n += m->slots[i].state == state &&
		     (template == TEMPLATES || m->slots[i].template == template);
	return n;
}

static unsigned int warm_of(const struct model *m, __u32 template)
{
	return count_of(m, SKEP_STATE_IDLE, template) + count_of(m, SKEP_STATE_STARTING, template);
}

static __u32 oldest(const struct model *m, enum skep_state state, __u32 template)
{
	__u32 found = POOL_NO_SLOT;

	for (__u32 i = 0; i < SLOTS; i++)
		if (m->slots[i].state == state && !m->slots[i].given &&
		    (template == TEMPLATES || m->slots[i].template == template) &&
		    (found == POOL_NO_SLOT || m->slots[i].since < m->slots[found].since))
			found = i;
	return found;
}

/* Of any slot in the state, at random. */
static __u32 any(struct model *m, enum skep_state state)
{
	__u32 first = roll(m, SLOTS);

	for (__u32 i = 0; i < SLOTS; i++) {
		__u32 slot = (first + i) % SLOTS;

		if (m->slots[slot].state == state &&
		    (state != SKEP_STATE_RECYCLING || m->slots[slot].given))
			return slot;
	}
	return POOL_NO_SLOT;
}

static unsigned int lacks(const struct model *m, __u32 template, unsigned int divisor)
{
	unsigned int target = (m->templates[template].warm + divisor - 1) / divisor;
	unsigned int have = warm_of(m, template);

	if (m->now_ns < m->templates[template].resume_ns || have >= target)
		return 0;
	return target - have;
}

static struct pool_job start_due(const struct model *m, unsigned int divisor)
{
	struct pool_job job = {POOL_NOTHING, oldest(m, SKEP_STATE_NONE, TEMPLATES), 0};

	for (__u32 t = 0; job.slot != POOL_NO_SLOT && t < TEMPLATES; t++)
		if (lacks(m, t, divisor) > (job.op ? lacks(m, job.template, divisor) : 0))
			job = (struct pool_job){POOL_START, job.slot, t};
	return job;
}

static struct pool_job recycle_due(const struct model *m)
{
	__u32 dirty = oldest(m, SKEP_STATE_RECYCLING, TEMPLATES);
	__u32 failed = oldest(m, SKEP_STATE_FAILED, TEMPLATES);

	if (dirty != POOL_NO_SLOT)
		return (struct pool_job){POOL_RECYCLE, dirty, m->slots[dirty].template};
	if (failed != POOL_NO_SLOT && m->slots[failed].retry_ns <= m->now_ns)
		return (struct pool_job){POOL_RECYCLE, failed, m->slots[failed].template};
	return (struct pool_job){POOL_NOTHING, 0, 0};
}

static struct pool_job due(const struct model *m)
{
	struct pool_job job = start_due(m, 2);

	if (job.op == POOL_NOTHING)
		job = recycle_due(m);
	return job.op == POOL_NOTHING ? start_due(m, 1) : job;
}

static void do_next(struct model *m)
{
	struct pool_job expected = due(m);
	struct pool_job job = pool_next(m->pool, m->now_ns);

	assert_int_equal(job.op, expected.op);
	if (job.op == POOL_NOTHING)
		return;
	assert_int_equal(job.slot, expected.slot);
	assert_int_equal(job.template, expected.template);
	if (job.op == POOL_START) {
		m->slots[job.slot].template = job.template;
		move(m, job.slot, SKEP_STATE_STARTING);
		assert_true(warm_of(m, job.template) <= m->templates[job.template].warm);
	} else {
		move(m, job.slot, SKEP_STATE_RECYCLING);
		m->slots[job.slot].given = true;
	}
}

static void do_started(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_STARTING);

	if (slot == POOL_NO_SLOT)
		return;
	pool_started(m->pool, slot);
	m->templates[m->slots[slot].template].pause_ns = 0;
	m->templates[m->slots[slot].template].resume_ns = 0;
	move(m, slot, SKEP_STATE_IDLE);
}

static void do_start_failed(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_STARTING), t;
	__u64 pause_ns;

	if (slot == POOL_NO_SLOT)
		return;
	t = m->slots[slot].template;
	pause_ns = pool_start_failed(m->pool, slot, m->now_ns);
	if (m->now_ns >= m->templates[t].resume_ns) {
		__u64 twice = 2 * m->templates[t].pause_ns;

		m->templates[t].pause_ns = !twice		     ? NS_PER_SEC
					   : twice > 60 * NS_PER_SEC ? 60 * NS_PER_SEC
								     : twice;
		m->templates[t].resume_ns = m->now_ns + m->templates[t].pause_ns;
	}
	assert_int_equal(pause_ns, m->templates[t].pause_ns);
	move(m, slot, SKEP_STATE_RECYCLING);
}

static void do_take(struct model *m)
{
	__u32 t = roll(m, TEMPLATES), slot = pool_take(m->pool, t);

	assert_int_equal(slot, oldest(m, SKEP_STATE_IDLE, t));
	if (slot != POOL_NO_SLOT)
		move(m, slot, SKEP_STATE_BOUND);
}

static void do_give_up(struct model *m)
{
	static const enum skep_state states[] = {SKEP_STATE_BOUND, SKEP_STATE_BOUND,
						 SKEP_STATE_IDLE, SKEP_STATE_STARTING};
	__u32 slot = any(m, states[roll(m, ARRAY_SIZE(states))]);

	if (slot == POOL_NO_SLOT)
		return;
	pool_give_up(m->pool, slot);
	move(m, slot, SKEP_STATE_RECYCLING);
}

static void do_recycled(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_RECYCLING);

	if (slot == POOL_NO_SLOT)
		return;
	if (roll(m, 8)) {
		pool_recycled(m->pool, slot);
		move(m, slot, SKEP_STATE_NONE);
		return;
	}
	pool_recycle_failed(m->pool, slot, m->now_ns);
	move(m, slot, SKEP_STATE_FAILED);
	m->slots[slot].retry_ns = m->now_ns + NS_PER_SEC;
}

static void do_adopt(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_NONE);

	if (slot == POOL_NO_SLOT || roll(m, 10))
		return;
	pool_adopt_dirty(m->pool, slot);
	move(m, slot, SKEP_STATE_RECYCLING);
}

static void do_set_warm(struct model *m)
{
	__u32 t = roll(m, TEMPLATES);

	m->templates[t].warm = roll(m, 12);
	pool_set_warm(m->pool, t, m->templates[t].warm);
}

static void do_drain(struct model *m)
{
	if (roll(m, 20))
		return;
	pool_drain(m->pool);
	for (__u32 i = 0; i < SLOTS; i++)
		if (m->slots[i].state == SKEP_STATE_IDLE || m->slots[i].state == SKEP_STATE_BOUND)
			move(m, i, SKEP_STATE_RECYCLING);
	for (__u32 t = 0; t < TEMPLATES; t++)
		m->templates[t].warm = 0;
}

static void do_wait(struct model *m)
{
	m->now_ns += roll(m, 400) * NS_PER_MS;
}

static void step(struct model *m)
{
	static void (*const often[])(struct model * m) = {
		do_next,     do_next,	  do_next,    do_started, do_started,	   do_take,
		do_recycled, do_recycled, do_give_up, do_wait,	  do_start_failed,
	};
	static void (*const seldom[])(struct model * m) = {do_adopt, do_set_warm, do_drain};

	if (roll(m, 40))
		often[roll(m, ARRAY_SIZE(often))](m);
	else
		seldom[roll(m, ARRAY_SIZE(seldom))](m);
}

static __u64 wake_of(const struct model *m)
{
	__u32 failed = oldest(m, SKEP_STATE_FAILED, TEMPLATES);
	__u64 wake = failed == POOL_NO_SLOT ? 0 : m->slots[failed].retry_ns;

	for (__u32 t = 0; t < TEMPLATES; t++)
		if (m->templates[t].resume_ns > m->now_ns && warm_of(m, t) < m->templates[t].warm &&
		    (!wake || m->templates[t].resume_ns < wake))
			wake = m->templates[t].resume_ns;
	return wake;
}

static bool warm(const struct model *m)
{
	bool full = count_of(m, SKEP_STATE_IDLE, TEMPLATES) +
			    count_of(m, SKEP_STATE_BOUND, TEMPLATES) ==
		    SLOTS;

	for (__u32 t = 0; t < TEMPLATES; t++)
		if (count_of(m, SKEP_STATE_IDLE, t) < m->templates[t].warm)
			return full;
	return true;
}

static void check(const struct model *m)
{
	unsigned int sum = 0;

	for (enum skep_state state = 0; state < SKEP_STATE_MAX; state++) {
		assert_int_equal(pool_count(m->pool, state), count_of(m, state, TEMPLATES));
		sum += pool_count(m->pool, state);
	}
	assert_int_equal(sum, SLOTS);
	for (__u32 slot = 0; slot < SLOTS; slot++)
		assert_int_equal(pool_state(m->pool, slot), m->slots[slot].state);
	assert_int_equal(pool_wake_ns(m->pool, m->now_ns), wake_of(m));
	assert_int_equal(pool_is_warm(m->pool), warm(m));
}

/* No slot is lost, however the run went: all of them become free again. */
static void empty(struct model *m)
{
	pool_drain(m->pool);
	m->now_ns += 2 * NS_PER_SEC;
	for (__u32 slot = 0; slot < SLOTS; slot++) {
		if (m->slots[slot].state == SKEP_STATE_STARTING)
			pool_give_up(m->pool, slot);
		if (m->slots[slot].state == SKEP_STATE_RECYCLING && m->slots[slot].given)
			pool_recycled(m->pool, slot);
	}
	for (;;) {
		struct pool_job job = pool_next(m->pool, m->now_ns);

		if (job.op == POOL_NOTHING)
			break;
		assert_int_equal(job.op, POOL_RECYCLE);
		pool_recycled(m->pool, job.slot);
	}
	check_counts_are(m->pool, [SKEP_STATE_NONE] = SLOTS);
}

static void a_long_random_run(void **state)
{
	cleanup_pool struct pool *pool = pool_new(SLOTS, TEMPLATES);
	struct model m = {.pool = pool, .random = 0x736b6570ULL, .now_ns = T0};

	(void)state;
	assert_non_null(pool);
	for (__u32 slot = 0; slot < SLOTS; slot++)
		m.slots[slot].since = ++m.step;
	for (unsigned int i = 0; i < STEPS; i++) {
		step(&m);
		check(&m);
	}
	/* It did go everywhere. */
	for (enum skep_state s = 0; s < SKEP_STATE_MAX; s++)
		assert_true(m.seen[s] > STEPS / 1000);
	empty(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_pool_is_empty),
		cmocka_unit_test(the_life_of_a_slot),
		cmocka_unit_test(an_idle_container_may_be_given_up),
		cmocka_unit_test(a_starting_container_may_be_given_up),
		cmocka_unit_test(the_oldest_idle_container_is_taken),
		cmocka_unit_test(the_oldest_dirty_slot_is_recycled),
		cmocka_unit_test(the_slot_free_for_longest_is_started),
		cmocka_unit_test(a_bound_container_is_replaced),
		cmocka_unit_test(never_more_than_max),
		cmocka_unit_test(a_lowered_target_starts_nothing),
		cmocka_unit_test(a_pool_that_is_only_dirty_is_not_warm),
		cmocka_unit_test(deaths_while_idle_pause_longer_and_longer),
		cmocka_unit_test(one_that_is_taken_ends_the_pause_for_deaths),
		cmocka_unit_test(warm_when_every_template_is),
		cmocka_unit_test(starting_comes_first_below_half),
		cmocka_unit_test(the_last_one_is_started_before_recycling),
		cmocka_unit_test(recycling_goes_on_when_nothing_is_free),
		cmocka_unit_test(a_failed_slot_comes_after_the_dirty),
		cmocka_unit_test(failed_slots_are_tried_again_in_order),
		cmocka_unit_test(pauses_double_to_a_minute),
		cmocka_unit_test(a_start_ends_the_pause),
		cmocka_unit_test(a_start_that_was_under_way_ends_the_pause_at_once),
		cmocka_unit_test(starts_that_fail_together_fail_once),
		cmocka_unit_test(a_template_that_pauses_holds_up_no_other),
		cmocka_unit_test(the_earliest_end_of_a_pause_wakes),
		cmocka_unit_test(the_template_that_lacks_most_is_started),
		cmocka_unit_test(templates_do_not_mix),
		cmocka_unit_test(adopted_slots_are_recycled_first_and_not_started),
		cmocka_unit_test(drained),
		cmocka_unit_test(a_drained_pool_does_not_wait_for_pauses),
		cmocka_unit_test(transitions_there_are_not),
		cmocka_unit_test(a_long_random_run),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
