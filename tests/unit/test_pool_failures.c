// SPDX-License-Identifier: GPL-2.0
/*
 * The pool when things fail: pauses of a template, quarantine and its bound, what could not be
 * recycled, templates that are switched off and on.
 */
#include "pool_lab.h"

/* ---- pauses ---------------------------------------------------------------- */

/* The slot is cleaned up and free again. */
static void clean(struct pool *pool, __u32 slot, __u64 now_ns)
{
	struct pool_job job;

	pool_give_up(pool, slot);
	job = pool_next(pool, now_ns);
	assert_int_equal(job.op, POOL_RECYCLE);
	assert_int_equal(job.slot, slot);
	pool_recycled(pool, slot);
}

/* One start that fails at @now_ns; returns when the next is due. */
static __u64 fail_once(struct pool *pool, __u64 now_ns, __u64 pause_s)
{
	struct pool_job job = pool_next(pool, now_ns);

	assert_int_equal(job.op, POOL_START);
	check_pause(pool_start_failed(pool, job.slot, now_ns), pause_s);
	assert_int_equal(pool_state(pool, job.slot), SKEP_STATE_FAILED);
	assert_int_equal(pool_wake_ns(pool, now_ns), now_ns + pause_s * NS_PER_SEC);
	clean(pool, job.slot, now_ns);
	assert_int_equal(pool_wake_ns(pool, now_ns), now_ns + pause_s * NS_PER_SEC);
	check_nothing(pool, now_ns + pause_s * NS_PER_SEC - 1);
	return now_ns + pause_s * NS_PER_SEC;
}

static void pauses_double(void **state)
{
	static const __u64 pauses[POOL_FAILURES_MAX - 1] = {1, 2, 4, 8};
	cleanup_pool struct pool *pool = new_pool(2, 1);
	__u64 now_ns = T0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(pauses); i++)
		now_ns = fail_once(pool, now_ns, pauses[i]);
	/* Nothing waits for a pause that is over. */
	assert_int_equal(pool_wake_ns(pool, now_ns), 0);
}

/* Starts that were under way when it was switched off go on failing. */
static void pauses_grow_to_a_minute(void **state)
{
	static const __u64 pauses[] = {1, 2, 4, 8, 16, 32, 60, 60, 60};
	cleanup_pool struct pool *pool = new_pool(ARRAY_SIZE(pauses), ARRAY_SIZE(pauses));
	__u64 now_ns = T0;

	(void)state;
	for (__u32 slot = 0; slot < ARRAY_SIZE(pauses); slot++)
		check_start(pool, T0, slot);
	for (__u32 slot = 0; slot < ARRAY_SIZE(pauses); slot++) {
		struct pool_failure failure = pool_start_failed(pool, slot, now_ns);

		check_failure(failure, pauses[slot], slot == POOL_FAILURES_MAX - 1, POOL_NO_SLOT);
		now_ns += failure.pause_ns;
	}
}

static void a_start_ends_the_pause(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);
	__u64 now_ns = fail_once(pool, T0, 1);

	(void)state;
	now_ns = fail_once(pool, now_ns, 2);
	check_start(pool, now_ns, 0);
	pool_started(pool, 0);
	fail_once(pool, now_ns, 1);
}

static void a_start_that_was_under_way_ends_the_pause_at_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
	check_pause(pool_start_failed(pool, 0, T0), 1);
	check_nothing(pool, T0);
	pool_started(pool, 1);
	assert_int_equal(pool_wake_ns(pool, T0), T0 + QUARANTINE_NS);
	check_start(pool, T0, 2);
}

static void starts_that_fail_together_pause_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		check_start(pool, T0, slot);
	check_pause(pool_start_failed(pool, 0, T0), 1);
	check_pause(pool_start_failed(pool, 1, T0 + 10), 1);
	assert_int_equal(pool_wake_ns(pool, T0 + 10), T0 + NS_PER_SEC);
	/* This one ran on into the next attempt. */
	check_pause(pool_start_failed(pool, 2, T0 + NS_PER_SEC), 2);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC), T0 + 3 * NS_PER_SEC);
}

static void deaths_while_idle_pause_longer_and_longer(void **state)
{
	cleanup_pool struct pool *pool = new_pool(8, 1);
	__u64 now_ns = T0, pause_s = 1;

	(void)state;
	for (int i = 0; i < POOL_FAILURES_MAX - 1; i++, pause_s *= 2) {
		struct pool_job next = pool_next(pool, now_ns);

		assert_int_equal(next.op, POOL_START);
		pool_started(pool, next.slot);
		check_pause(pool_died(pool, next.slot, now_ns), pause_s);
		assert_int_equal(pool_state(pool, next.slot), SKEP_STATE_FAILED);
		assert_int_equal(pool_count_idle(pool, 0), 0);
		clean(pool, next.slot, now_ns);
		check_nothing(pool, now_ns + pause_s * NS_PER_SEC - 1);
		assert_int_equal(pool_wake_ns(pool, now_ns), now_ns + pause_s * NS_PER_SEC);
		now_ns += pause_s * NS_PER_SEC;
	}
}

static void refusals_pause_like_deaths(void **state)
{
	cleanup_pool struct pool *pool = new_pool(8, 3);

	(void)state;
	start_all(pool, 3);
	check_pause(pool_died(pool, 1, T0), 1);
	assert_int_equal(take_oldest(pool, 0), 0);
	check_pause(pool_refused(pool, 0, T0 + NS_PER_SEC), 2);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_FAILED);
	check_nothing(pool, T0 + 3 * NS_PER_SEC - 1);
	check_start(pool, T0 + 3 * NS_PER_SEC, 3);
}

static void the_pause_for_deaths_ends_when_one_is_bound(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);

	(void)state;
	assert_int_equal(pool_set_groups(pool, 1, 1), 0);
	start_all(pool, 2);
	check_pause(pool_died(pool, 0, T0), 1);
	assert_int_equal(take_oldest(pool, 0), 1);
	check_nothing(pool, T0); /* it may refuse its address yet */
	pool_add_lease(pool, 1, 0);
	check_start(pool, T0, 2);
	pool_started(pool, 2);
	check_pause(pool_died(pool, 2, T0), 1);
}

static void a_start_does_not_end_the_pause_for_deaths(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);

	(void)state;
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
	pool_started(pool, 0);
	check_pause(pool_died(pool, 0, T0), 1);
	pool_started(pool, 1);
	check_nothing(pool, T0 + NS_PER_SEC - 1);
	check_start(pool, T0 + NS_PER_SEC, 2);
}

/* Both pauses hold: the later end counts. */
static void deaths_and_starts_pause_apart(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		check_start(pool, T0, slot);
	pool_started(pool, 0);
	check_pause(pool_start_failed(pool, 1, T0), 1);
	check_pause(pool_died(pool, 0, T0 + 10), 1);
	assert_int_equal(pool_wake_ns(pool, T0 + 10), T0 + NS_PER_SEC + 10);
	check_nothing(pool, T0 + NS_PER_SEC);
	check_start(pool, T0 + NS_PER_SEC + 10, 3);
}

static void a_template_that_pauses_holds_up_no_other(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(6, 3);

	(void)state;
	pool_set_warm(pool, 1, 1);
	check_job(pool, T0, POOL_START, 0, 1);
	check_pause(pool_start_failed(pool, 0, T0), 1);
	pool_set_warm(pool, 2, 1);
	check_job(pool, T0, POOL_START, 1, 2);
	check_pause(pool_start_failed(pool, 1, T0 + 5), 1);
	assert_int_equal(pool_wake_ns(pool, T0 + 5), T0 + NS_PER_SEC);
	pool_set_warm(pool, 0, 1);
	check_job(pool, T0 + 5, POOL_START, 2, 0);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC), T0 + NS_PER_SEC + 5);
	/* Who wants nothing waits for nothing. */
	pool_set_warm(pool, 1, 0);
	assert_int_equal(pool_wake_ns(pool, T0 + 5), T0 + NS_PER_SEC + 5);
}

/* Of a pause, of what is tried again and of quarantine. */
static void the_earliest_end_wakes(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 0);

	(void)state;
	pool_adopt_dirty(pool, 1);
	check_recycle(pool, T0, 1);
	pool_set_warm(pool, 0, 1);
	check_start(pool, T0, 0);
	check_pause(pool_start_failed(pool, 0, T0), 1);
	pool_recycle_failed(pool, 1, T0 - 10);
	assert_int_equal(pool_wake_ns(pool, T0), T0 + NS_PER_SEC - 10);
	check_recycle(pool, T0 + NS_PER_SEC - 10, 1);
	assert_int_equal(pool_wake_ns(pool, T0 + NS_PER_SEC - 10), T0 + NS_PER_SEC);
	pool_set_warm(pool, 0, 0);
	assert_int_equal(pool_wake_ns(pool, T0), T0 + QUARANTINE_NS);
	pool_recycle_failed(pool, 1, T0 + QUARANTINE_NS);
	assert_int_equal(pool_wake_ns(pool, T0), T0 + QUARANTINE_NS);
	check_recycle(pool, T0 + QUARANTINE_NS, 0);
	assert_int_equal(pool_wake_ns(pool, T0 + QUARANTINE_NS), T0 + QUARANTINE_NS + NS_PER_SEC);
}

/* ---- quarantine ------------------------------------------------------------ */

static void the_quarantined_are_recycled_after_a_minute(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 3);

	(void)state;
	start_all(pool, 3);
	pool_set_warm(pool, 0, 0);
	pool_died(pool, 1, T0);
	assert_int_equal(take_oldest(pool, 0), 0);
	pool_refused(pool, 0, T0 + 10);
	check_counts_are(pool, [SKEP_STATE_IDLE] = 1, [SKEP_STATE_FAILED] = 2);
	check_nothing(pool, T0 + QUARANTINE_NS - 1);
	assert_int_equal(pool_wake_ns(pool, T0), T0 + QUARANTINE_NS);
	check_recycle(pool, T0 + QUARANTINE_NS, 1);
	check_nothing(pool, T0 + QUARANTINE_NS);
	assert_int_equal(pool_wake_ns(pool, T0), T0 + QUARANTINE_NS + 10);
	check_recycle(pool, T0 + QUARANTINE_NS + 10, 0);
	check_counts_are(pool, [SKEP_STATE_IDLE] = 1, [SKEP_STATE_RECYCLING] = 2);
	assert_int_equal(pool_wake_ns(pool, T0 + QUARANTINE_NS), 0);
}

static void the_quarantined_are_replaced_beyond_max(void **state)
{
	cleanup_pool struct pool *pool = new_pool(5, 2);

	(void)state;
	pool_set_max(pool, 2);
	start_all(pool, 2);
	pool_died(pool, 0, T0);
	assert_false(pool_is_warm(pool));
	check_start(pool, T0 + NS_PER_SEC, 2);
	check_nothing(pool, T0 + NS_PER_SEC);
	pool_started(pool, 2);
	assert_true(pool_is_warm(pool));
	check_counts_are(
		pool, [SKEP_STATE_NONE] = 2, [SKEP_STATE_IDLE] = 2, [SKEP_STATE_FAILED] = 1);
	/* While it is cleaned up there is one more than max, and so no other is started. */
	check_recycle(pool, T0 + QUARANTINE_NS, 0);
	assert_int_equal(take_oldest(pool, 0), 1);
	pool_give_up(pool, 1);
	check_recycle(pool, T0 + QUARANTINE_NS, 1);
	check_nothing(pool, T0 + QUARANTINE_NS);
	pool_recycled(pool, 0);
	check_nothing(pool, T0 + QUARANTINE_NS);
	pool_recycled(pool, 1);
	check_start(pool, T0 + QUARANTINE_NS, 1);
}

static void quarantine_has_a_bound(void **state)
{
	const unsigned int n = POOL_QUARANTINE_MAX + 2;
	cleanup_pool struct pool *pool = new_pool(n, n);

	(void)state;
	start_all(pool, n);
	pool_set_warm(pool, 0, 0);
	for (__u32 slot = 0; slot < POOL_QUARANTINE_MAX; slot++)
		assert_int_equal(pool_died(pool, slot, T0 + slot).released, POOL_NO_SLOT);
	assert_int_equal(pool_count(pool, SKEP_STATE_FAILED), POOL_QUARANTINE_MAX);
	assert_int_equal(pool_died(pool, n - 2, T0 + 100).released, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_RECYCLING);
	assert_int_equal(take_oldest(pool, 0), n - 1);
	assert_int_equal(pool_refused(pool, n - 1, T0 + 200).released, 1);
	check_counts_are(
		pool, [SKEP_STATE_FAILED] = POOL_QUARANTINE_MAX, [SKEP_STATE_RECYCLING] = 2);
	check_recycle(pool, T0 + 200, 0);
	check_recycle(pool, T0 + 200, 1);
	check_nothing(pool, T0 + 200);
	assert_int_equal(pool_wake_ns(pool, T0 + 200), T0 + 2 + QUARANTINE_NS);
}

/* Of whichever template; one that leaves makes room for the next. */
static void quarantine_is_for_all_templates(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(POOL_QUARANTINE_MAX + 2, 2);

	(void)state;
	for (__u32 slot = 0; slot < POOL_QUARANTINE_MAX + 2; slot++) {
		pool_adopt(pool, slot, slot & 1, SKEP_STATE_IDLE);
		if (slot < POOL_QUARANTINE_MAX)
			assert_int_equal(pool_died(pool, slot, T0).released, POOL_NO_SLOT);
	}
	pool_give_up(pool, 3);
	assert_int_equal(pool_died(pool, POOL_QUARANTINE_MAX, T0).released, POOL_NO_SLOT);
	assert_int_equal(pool_died(pool, POOL_QUARANTINE_MAX + 1, T0).released, 0);
	check_job(pool, T0, POOL_RECYCLE, 3, 1);
	check_job(pool, T0, POOL_RECYCLE, 0, 0);
	check_nothing(pool, T0);
}

/* What waits to be tried again takes no place in quarantine. */
static void retries_are_not_quarantined(void **state)
{
	const unsigned int n = POOL_QUARANTINE_MAX + 4;
	cleanup_pool struct pool *pool = new_pool(n, n);

	(void)state;
	start_all(pool, n);
	pool_set_warm(pool, 0, 0);
	for (__u32 slot = 0; slot < 4; slot++) {
		pool_give_up(pool, slot);
		check_recycle(pool, T0, slot);
		pool_recycle_failed(pool, slot, T0);
	}
	for (__u32 slot = 4; slot < n; slot++)
		assert_int_equal(pool_died(pool, slot, T0).released, POOL_NO_SLOT);
	check_counts_are(pool, [SKEP_STATE_FAILED] = n);
	for (__u32 slot = 0; slot < 4; slot++)
		check_recycle(pool, T0 + NS_PER_SEC, slot);
	check_nothing(pool, T0 + NS_PER_SEC);
}

static void a_life_after_quarantine_is_like_the_first(void **state)
{
	cleanup_pool struct pool *pool = new_pool(1, 1);
	__u64 now_ns = T0;

	(void)state;
	for (int i = 0; i < 3; i++, now_ns += QUARANTINE_NS) {
		check_start(pool, now_ns, 0);
		pool_started(pool, 0);
		assert_int_equal(pool_died(pool, 0, now_ns).released, POOL_NO_SLOT);
		check_nothing(pool, now_ns + QUARANTINE_NS - 1);
		check_recycle(pool, now_ns + QUARANTINE_NS, 0);
		pool_recycled(pool, 0);
	}
}

/* ---- what could not be recycled -------------------------------------------- */

static void a_retry_comes_after_the_dirty(void **state)
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

static void a_retry_comes_after_the_quarantined(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 3);
	const __u64 late_ns = T0 + 2 * QUARANTINE_NS;

	(void)state;
	start_all(pool, 3);
	pool_set_warm(pool, 0, 0);
	pool_give_up(pool, 2);
	check_recycle(pool, T0, 2);
	pool_recycle_failed(pool, 2, T0);
	pool_died(pool, 1, T0);
	pool_died(pool, 0, T0);
	/* All are due, the retry for longest. */
	check_recycle(pool, late_ns, 1);
	check_recycle(pool, late_ns, 0);
	check_recycle(pool, late_ns, 2);
	check_nothing(pool, late_ns);
}

static void the_dirty_come_before_the_quarantined(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 2);

	(void)state;
	start_all(pool, 2);
	pool_set_warm(pool, 0, 0);
	pool_died(pool, 0, T0);
	pool_give_up(pool, 1);
	check_recycle(pool, T0 + QUARANTINE_NS, 1);
	check_recycle(pool, T0 + QUARANTINE_NS, 0);
}

static void retries_go_in_order(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 0);

	(void)state;
	pool_adopt_dirty(pool, 0);
	pool_adopt_dirty(pool, 1);
	check_recycle(pool, T0, 0);
	check_recycle(pool, T0, 1);
	pool_recycle_failed(pool, 1, T0);
	pool_recycle_failed(pool, 0, T0 + 10);
	assert_int_equal(pool_state(pool, 1), SKEP_STATE_FAILED);
	check_counts_are(pool, [SKEP_STATE_FAILED] = 2);
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

/* They are not few, if recycling fails steadily: max bounds what is left behind, too. */
static void retries_count_against_max(void **state)
{
	cleanup_pool struct pool *pool = new_pool(9, 1);

	(void)state;
	pool_set_max(pool, 3);
	for (__u32 slot = 0; slot < 3; slot++) {
		check_start(pool, T0, slot);
		pool_started(pool, slot);
		assert_int_equal(take_oldest(pool, 0), slot);
		pool_give_up(pool, slot);
	}
	for (__u32 slot = 0; slot < 3; slot++) {
		check_recycle(pool, T0, slot);
		pool_recycle_failed(pool, slot, T0);
	}
	check_counts_are(pool, [SKEP_STATE_NONE] = 6, [SKEP_STATE_FAILED] = 3);
	check_nothing(pool, T0);
	assert_int_equal(pool_shortage(pool, 1), 1); /* none of them can be counted on */
	check_recycle(pool, T0 + NS_PER_SEC, 0);
	assert_int_equal(pool_shortage(pool, 1), 0);
	pool_recycled(pool, 0);
	check_start(pool, T0 + NS_PER_SEC, 0);
}

/* Else what an earlier skepd left behind for good would keep this one starting for ever. */
static void as_warm_as_retries_allow(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);

	(void)state;
	pool_set_max(pool, 2);
	pool_adopt_dirty(pool, 3);
	start_all(pool, 1);
	check_recycle(pool, T0, 3);
	assert_false(pool_is_warm(pool)); /* it may yet make room */
	pool_recycle_failed(pool, 3, T0);
	check_nothing(pool, T0);
	assert_true(pool_is_warm(pool));
	/* Of quarantine there is room beside. */
	pool_died(pool, 0, T0);
	assert_false(pool_is_warm(pool));
}

/* A quarantined one whose recycling fails is a retry from then on, and no template's fault. */
static void quarantine_then_retry(void **state)
{
	cleanup_pool struct pool *pool = new_pool(1, 1);
	const __u64 late_ns = T0 + QUARANTINE_NS;

	(void)state;
	check_start(pool, T0, 0);
	pool_start_failed(pool, 0, T0);
	check_recycle(pool, late_ns, 0);
	for (__u64 i = 0; i < 2 * POOL_FAILURES_MAX; i++) {
		pool_recycle_failed(pool, 0, late_ns + i * NS_PER_SEC);
		check_nothing(pool, late_ns + (i + 1) * NS_PER_SEC - 1);
		check_recycle(pool, late_ns + (i + 1) * NS_PER_SEC, 0);
	}
	assert_int_equal(pool_off(pool), 0);
	pool_recycled(pool, 0);
	check_start(pool, late_ns, 0);
}

/* ---- off and on ------------------------------------------------------------ */

/*
 * @n starts of template 0, begun together, fail one after the other, each when the pause after the
 * one before it is over. Returns when the last pause is.
 */
static __u64 fail_in_a_row(struct pool *pool, unsigned int n, __u64 now_ns)
{
	__u32 slots[POOL_FAILURES_MAX];

	for (unsigned int i = 0; i < n; i++) {
		struct pool_job job = pool_next(pool, now_ns);

		assert_int_equal(job.op, POOL_START);
		slots[i] = job.slot;
	}
	for (unsigned int i = 0; i < n; i++) {
		check_failure(pool_start_failed(pool, slots[i], now_ns), 1U << i,
			      i == POOL_FAILURES_MAX - 1, POOL_NO_SLOT);
		now_ns += (1U << i) * NS_PER_SEC;
	}
	return now_ns;
}

/* The same of idle containers, @slot and those after it. */
static __u64 die_in_a_row(struct pool *pool, __u32 slot, unsigned int n, __u64 now_ns)
{
	for (unsigned int i = 0; i < n; i++) {
		check_failure(pool_died(pool, slot + i, now_ns), 1U << i,
			      i == POOL_FAILURES_MAX - 1, POOL_NO_SLOT);
		now_ns += (1U << i) * NS_PER_SEC;
	}
	return now_ns;
}

static void failures_in_a_row_switch_off(void **state)
{
	cleanup_pool struct pool *pool = new_pool(8, 1);
	__u64 now_ns = T0;

	(void)state;
	for (int i = 1; i < POOL_FAILURES_MAX; i++)
		now_ns = fail_once(pool, now_ns, 1U << (i - 1));
	assert_int_equal(pool_off(pool), 0);
	check_start(pool, now_ns, 0);
	check_failure(pool_start_failed(pool, 0, now_ns), 16, true, POOL_NO_SLOT);
	assert_int_equal(pool_off(pool), 1);
	check_nothing(pool, now_ns + QUARANTINE_NS - 1);
	/* Only quarantine wakes, not the pause. */
	assert_int_equal(pool_wake_ns(pool, now_ns), now_ns + QUARANTINE_NS);
	clean(pool, 0, now_ns);
	assert_int_equal(pool_wake_ns(pool, now_ns), 0);
	check_nothing(pool, now_ns + 3600 * NS_PER_SEC);
}

/* One cause, one failure: else one keeper killed at work would switch a template off. */
static void those_that_fail_together_count_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(16, 16);
	__u64 now_ns = T0;

	(void)state;
	for (__u32 slot = 0; slot < 2 * POOL_FAILURES_MAX; slot++)
		check_start(pool, T0, slot);
	for (__u32 slot = 0; slot < 2 * POOL_FAILURES_MAX; slot++)
		check_pause(pool_start_failed(pool, slot, T0 + slot), 1);
	assert_int_equal(pool_off(pool), 0);
	/* Four more, each after the pause, are five in a row. */
	now_ns += NS_PER_SEC;
	for (unsigned int i = 1; i < POOL_FAILURES_MAX; i++) {
		struct pool_job job = pool_next(pool, now_ns);

		assert_int_equal(job.op, POOL_START);
		check_failure(pool_start_failed(pool, job.slot, now_ns), 1U << i,
			      i == POOL_FAILURES_MAX - 1, POOL_NO_SLOT);
		now_ns += (1U << i) * NS_PER_SEC;
	}
	assert_int_equal(pool_off(pool), 1);
}

static void those_that_die_together_count_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2 * POOL_FAILURES_MAX, 2 * POOL_FAILURES_MAX);

	(void)state;
	start_all(pool, 2 * POOL_FAILURES_MAX);
	take_all(pool, 0, POOL_FAILURES_MAX);
	for (__u32 slot = 0; slot < POOL_FAILURES_MAX; slot++)
		check_pause(pool_refused(pool, slot, T0), 1);
	for (__u32 slot = POOL_FAILURES_MAX; slot < 2 * POOL_FAILURES_MAX; slot++)
		check_pause(pool_died(pool, slot, T0 + NS_PER_SEC - 1), 1);
	assert_int_equal(pool_off(pool), 0);
}

static void a_start_makes_failures_begin_anew(void **state)
{
	cleanup_pool struct pool *pool = new_pool(16, 16);
	__u64 now_ns;

	(void)state;
	check_start(pool, T0, 0);
	now_ns = fail_in_a_row(pool, POOL_FAILURES_MAX - 1, T0);
	pool_started(pool, 0);
	fail_in_a_row(pool, POOL_FAILURES_MAX - 1, now_ns);
	assert_int_equal(pool_off(pool), 0);
}

static void deaths_and_refusals_switch_off(void **state)
{
	cleanup_pool struct pool *pool = new_pool(8, 6);

	(void)state;
	start_all(pool, 6);
	take_all(pool, 0, 2);
	check_pause(pool_refused(pool, 0, T0), 1);
	check_pause(pool_refused(pool, 1, T0 + NS_PER_SEC), 2);
	check_pause(pool_died(pool, 2, T0 + 3 * NS_PER_SEC), 4);
	check_pause(pool_died(pool, 3, T0 + 7 * NS_PER_SEC), 8);
	assert_int_equal(pool_off(pool), 0);
	check_failure(pool_died(pool, 4, T0 + 15 * NS_PER_SEC), 16, true, POOL_NO_SLOT);
	assert_int_equal(pool_off(pool), 1);
	/* Said once. */
	check_failure(pool_died(pool, 5, T0 + 31 * NS_PER_SEC), 32, false, POOL_NO_SLOT);
	assert_int_equal(pool_off(pool), 1);
}

static void a_lease_makes_deaths_begin_anew(void **state)
{
	cleanup_pool struct pool *pool = new_pool(16, 10);
	__u64 now_ns;

	(void)state;
	assert_int_equal(pool_set_groups(pool, 1, 1), 0);
	start_all(pool, 10);
	now_ns = die_in_a_row(pool, 0, POOL_FAILURES_MAX - 1, T0);
	assert_int_equal(take_oldest(pool, 0), 4);
	pool_add_lease(pool, 4, 0);
	die_in_a_row(pool, 5, POOL_FAILURES_MAX, now_ns);
	assert_int_equal(pool_off(pool), 1);
}

/* Failed starts and deaths are rows of their own: four and four are not five in a row. */
static void starts_and_deaths_are_counted_apart(void **state)
{
	const unsigned int n = POOL_FAILURES_MAX - 1;
	cleanup_pool struct pool *pool = new_pool(16, 8);

	(void)state;
	start_all(pool, n);
	die_in_a_row(pool, 0, n, fail_in_a_row(pool, n, T0));
	assert_int_equal(pool_off(pool), 0);
}

/* What it has serves on; what was starting may yet become idle, but does not switch it on. */
static void what_is_off_gives_what_it_has(void **state)
{
	cleanup_pool struct pool *pool = new_pool(16, 8);
	__u64 now_ns;

	(void)state;
	start_all(pool, 1);
	check_start(pool, T0, 1);
	now_ns = fail_in_a_row(pool, POOL_FAILURES_MAX, T0);
	pool_started(pool, 1);
	assert_int_equal(pool_off(pool), 1);
	assert_int_equal(pool_count_idle(pool, 0), 2);
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT);
	take_all(pool, 0, 2);
	assert_int_equal(take_oldest(pool, 0), POOL_NO_SLOT);
	check_nothing(pool, now_ns);
}

/* Neither does anybody wait for it, nor is a lease evicted for it. */
static void what_is_off_is_not_missed(void **state)
{
	cleanup_pool struct pool *pool = new_pool(5, 5);

	(void)state;
	fail_in_a_row(pool, POOL_FAILURES_MAX, T0);
	assert_true(pool_is_warm(pool));
	pool_set_max(pool, 0);
	assert_int_equal(pool_shortage(pool, 5), 0);
	pool_switch_on(pool, 0);
	assert_int_equal(pool_shortage(pool, 5), 5);
	pool_set_max(pool, 5);
	assert_false(pool_is_warm(pool));
}

static void the_others_go_on(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(16, 2);

	(void)state;
	pool_set_warm(pool, 0, 5);
	fail_in_a_row(pool, POOL_FAILURES_MAX, T0);
	pool_set_warm(pool, 1, 2);
	assert_false(pool_is_warm(pool));
	check_job(pool, T0, POOL_START, 5, 1);
	check_job(pool, T0, POOL_START, 6, 1);
	check_nothing(pool, T0);
	pool_started(pool, 5);
	pool_started(pool, 6);
	assert_true(pool_is_warm(pool));
	assert_int_equal(pool_off(pool), 1);
}

static void switched_on_it_starts_at_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(16, 5);

	(void)state;
	fail_in_a_row(pool, POOL_FAILURES_MAX, T0);
	pool_switch_on(pool, 0);
	assert_int_equal(pool_off(pool), 0);
	check_start(pool, T0, 5);
	/* Its failures are forgotten: the first pause, and none too many. */
	check_pause(pool_start_failed(pool, 5, T0), 1);
	check_nothing(pool, T0);
}

static void switching_on_forgets_deaths_too(void **state)
{
	cleanup_pool struct pool *pool = new_pool(16, 6);

	(void)state;
	start_all(pool, 6);
	die_in_a_row(pool, 0, POOL_FAILURES_MAX, T0);
	assert_int_equal(pool_off(pool), 1);
	pool_switch_on(pool, 0);
	check_start(pool, T0, 6);
	check_pause(pool_died(pool, 5, T0), 1);
}

static void switch_off(struct pool *pool, __u32 template)
{
	for (__u32 slot = 0; slot < POOL_FAILURES_MAX; slot++)
		pool_adopt(pool, slot, template, SKEP_STATE_IDLE);
	die_in_a_row(pool, 0, POOL_FAILURES_MAX, T0);
	for (__u32 slot = 0; slot < POOL_FAILURES_MAX; slot++)
		clean(pool, slot, T0);
}

static void those_that_are_off_are_shown_by_bits(void **state)
{
	static const __u32 templates[] = {0, 31, 32, 63, 64};
	cleanup_pool struct pool *pool = new_pool_of(8, 65);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(templates); i++)
		switch_off(pool, templates[i]);
	assert_true(pool_off(pool) == (1ULL << 0 | 1ULL << 31 | 1ULL << 32 | 1ULL << 63));
	pool_switch_on(pool, 32);
	assert_true(pool_off(pool) == (1ULL << 0 | 1ULL << 31 | 1ULL << 63));
	/* Template 64 is off, though nobody sees it. */
	pool_set_warm(pool, 64, 1);
	check_nothing(pool, T0 + QUARANTINE_NS);
	pool_switch_on(pool, 64);
	check_job(pool, T0, POOL_START, POOL_FAILURES_MAX - 1, 64); /* the slot freed last */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pauses_double),
		cmocka_unit_test(pauses_grow_to_a_minute),
		cmocka_unit_test(a_start_ends_the_pause),
		cmocka_unit_test(a_start_that_was_under_way_ends_the_pause_at_once),
		cmocka_unit_test(starts_that_fail_together_pause_once),
		cmocka_unit_test(deaths_while_idle_pause_longer_and_longer),
		cmocka_unit_test(refusals_pause_like_deaths),
		cmocka_unit_test(the_pause_for_deaths_ends_when_one_is_bound),
		cmocka_unit_test(a_start_does_not_end_the_pause_for_deaths),
		cmocka_unit_test(deaths_and_starts_pause_apart),
		cmocka_unit_test(a_template_that_pauses_holds_up_no_other),
		cmocka_unit_test(the_earliest_end_wakes),
		cmocka_unit_test(the_quarantined_are_recycled_after_a_minute),
		cmocka_unit_test(the_quarantined_are_replaced_beyond_max),
		cmocka_unit_test(quarantine_has_a_bound),
		cmocka_unit_test(quarantine_is_for_all_templates),
		cmocka_unit_test(retries_are_not_quarantined),
		cmocka_unit_test(a_life_after_quarantine_is_like_the_first),
		cmocka_unit_test(a_retry_comes_after_the_dirty),
		cmocka_unit_test(a_retry_comes_after_the_quarantined),
		cmocka_unit_test(the_dirty_come_before_the_quarantined),
		cmocka_unit_test(retries_go_in_order),
		cmocka_unit_test(retries_count_against_max),
		cmocka_unit_test(as_warm_as_retries_allow),
		cmocka_unit_test(quarantine_then_retry),
		cmocka_unit_test(failures_in_a_row_switch_off),
		cmocka_unit_test(those_that_fail_together_count_once),
		cmocka_unit_test(those_that_die_together_count_once),
		cmocka_unit_test(a_start_makes_failures_begin_anew),
		cmocka_unit_test(deaths_and_refusals_switch_off),
		cmocka_unit_test(a_lease_makes_deaths_begin_anew),
		cmocka_unit_test(starts_and_deaths_are_counted_apart),
		cmocka_unit_test(what_is_off_gives_what_it_has),
		cmocka_unit_test(what_is_off_is_not_missed),
		cmocka_unit_test(the_others_go_on),
		cmocka_unit_test(switched_on_it_starts_at_once),
		cmocka_unit_test(switching_on_forgets_deaths_too),
		cmocka_unit_test(those_that_are_off_are_shown_by_bits),
	};

	return cmocka_run_group_tests_name("pool failures", tests, NULL, NULL);
}
