// SPDX-License-Identifier: GPL-2.0
/*
 * The pool: the transitions of a slot, who comes first, how many there may be, what there is too
 * much or too little of, adoption and drain; and which transitions there are not. Starts no
 * container.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pool_lab.h"

static void a_new_pool_is_empty(void **state)
{
	cleanup_pool struct pool *pool = pool_new(3, 2);

	(void)state;
	assert_non_null(pool);
	check_counts_are(pool, [SKEP_STATE_NONE] = 3);
	assert_true(pool_is_empty(pool));
	for (__u32 slot = 0; slot < 3; slot++) {
		assert_int_equal(pool_state(pool, slot), SKEP_STATE_NONE);
		assert_int_equal(pool_leases(pool, slot), 0);
	}
	check_nothing(pool, T0);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
	assert_int_equal(take_oldest(pool, 0), POOL_NO_SLOT);
	assert_int_equal(take_oldest(pool, 1), POOL_NO_SLOT);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT);
	assert_int_equal(pool_shortage(pool, 1), 0);
	assert_int_equal(pool_off(pool), 0);
	assert_true(pool_is_warm(pool));
	assert_null(pool_free(NULL));
}

static void no_slot_may_be_used_at_first(void **state)
{
	cleanup_pool struct pool *pool = pool_new(3, 1);

	(void)state;
	assert_non_null(pool);
	pool_set_warm(pool, 0, 2);
	check_nothing(pool, T0);
	pool_set_max(pool, 1);
	check_start(pool, T0, 0);
	check_nothing(pool, T0);
}

static void the_life_of_a_slot(void **state)
{
	cleanup_pool struct pool *pool = new_pool(1, 1);

	(void)state;
	check_start(pool, T0, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_STARTING);
	check_counts_are(pool, [SKEP_STATE_STARTING] = 1);
	assert_false(pool_is_empty(pool));
	assert_int_equal(take_oldest(pool, 0), POOL_NO_SLOT);
	pool_started(pool, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_IDLE);
	check_counts_are(pool, [SKEP_STATE_IDLE] = 1);
	assert_int_equal(pool_count_idle(pool, 0), 1);
	assert_int_equal(take_oldest(pool, 0), 0);
	assert_int_equal(pool_count_idle(pool, 0), 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_BOUND);
	check_counts_are(pool, [SKEP_STATE_BOUND] = 1);
	pool_give_up(pool, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_RECYCLING);
	check_counts_are(pool, [SKEP_STATE_RECYCLING] = 1);
	check_recycle(pool, T0, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_RECYCLING);
	check_nothing(pool, T0);
	pool_recycled(pool, 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_NONE);
	check_counts_are(pool, [SKEP_STATE_NONE] = 1);
	assert_true(pool_is_empty(pool));
	check_start(pool, T0, 0);
}

static void an_idle_container_may_be_given_up(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 3);

	(void)state;
	start_all(pool, 3);
	pool_give_up(pool, 1);
	check_counts_are(pool, [SKEP_STATE_IDLE] = 2, [SKEP_STATE_RECYCLING] = 1);
	assert_int_equal(pool_count_idle(pool, 0), 2);
	assert_int_equal(take_oldest(pool, 0), 0);
	assert_int_equal(take_oldest(pool, 0), 2);
	assert_int_equal(take_oldest(pool, 0), POOL_NO_SLOT);
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

/* ---- who comes first ------------------------------------------------------- */

static void the_oldest_idle_container_is_taken(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		check_start(pool, T0, slot);
	pool_started(pool, 2);
	pool_started(pool, 0);
	pool_started(pool, 1);
	assert_int_equal(take_oldest(pool, 0), 2);
	check_start(pool, T0, 3);
	pool_started(pool, 3);
	assert_int_equal(take_oldest(pool, 0), 0);
	assert_int_equal(take_oldest(pool, 0), 1);
	assert_int_equal(take_oldest(pool, 0), 3);
	assert_int_equal(take_oldest(pool, 0), POOL_NO_SLOT);
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

/* So that the high slots, never needed again after a rush, stay unused. */
static void the_slot_freed_last_is_started(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

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
	pool_set_warm(pool, 0, 4);
	check_start(pool, T0, 1);
	check_start(pool, T0, 0);
	check_start(pool, T0, 2);
	check_start(pool, T0, 3);
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

static void the_template_that_lacks_most_is_started(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(16, 3);
	/* Lacking 1, 4 and 2 up to half, the first of equals first; then 1, 4 and 2 again. */
	static const __u32 order[] = {1, 1, 1, 2, 0, 1, 2, 1, 1, 1, 2, 0, 1, 2};

	(void)state;
	pool_set_warm(pool, 0, 2);
	pool_set_warm(pool, 1, 8);
	pool_set_warm(pool, 2, 4);
	for (__u32 i = 0; i < ARRAY_SIZE(order); i++)
		check_job(pool, T0, POOL_START, i, order[i]);
	check_nothing(pool, T0);
}

static void templates_do_not_mix(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(4, 2);

	(void)state;
	pool_set_warm(pool, 0, 1);
	check_job(pool, T0, POOL_START, 0, 0);
	pool_set_warm(pool, 1, 1);
	check_job(pool, T0, POOL_START, 1, 1);
	pool_started(pool, 1);
	pool_started(pool, 0);
	assert_int_equal(pool_template(pool, 0), 0);
	assert_int_equal(pool_template(pool, 1), 1);
	assert_int_equal(pool_count_idle(pool, 0), 1);
	assert_int_equal(take_oldest(pool, 1), 1);
	assert_int_equal(pool_count_idle(pool, 1), 0);
	assert_int_equal(pool_count_idle(pool, 0), 1);
	assert_int_equal(take_oldest(pool, 1), POOL_NO_SLOT);
	assert_int_equal(take_oldest(pool, 0), 0);
	/* A slot may serve another template in its next life. */
	pool_set_warm(pool, 0, 0);
	pool_set_warm(pool, 1, 0);
	pool_give_up(pool, 0);
	check_job(pool, T0, POOL_RECYCLE, 0, 0);
	pool_recycled(pool, 0);
	pool_set_warm(pool, 1, 3);
	check_job(pool, T0, POOL_START, 0, 1);
	check_job(pool, T0, POOL_START, 2, 1);
	check_job(pool, T0, POOL_START, 3, 1);
	assert_int_equal(pool_template(pool, 0), 1);
}

/* ---- how many -------------------------------------------------------------- */

static void a_bound_container_is_replaced(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 2);

	(void)state;
	start_all(pool, 2);
	check_nothing(pool, T0);
	assert_int_equal(take_oldest(pool, 0), 0);
	check_start(pool, T0, 2);
	check_nothing(pool, T0);
	assert_int_equal(take_oldest(pool, 0), 1);
	check_start(pool, T0, 3);
	check_nothing(pool, T0);
}

static void never_more_than_max(void **state)
{
	cleanup_pool struct pool *pool = new_pool(5, 5);

	(void)state;
	pool_set_max(pool, 2);
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
	check_nothing(pool, T0);
	assert_false(pool_is_warm(pool));
	pool_started(pool, 0);
	assert_false(pool_is_warm(pool));
	pool_started(pool, 1);
	assert_true(pool_is_warm(pool)); /* as warm as it gets */
	take_all(pool, 0, 2);
	check_nothing(pool, T0);
	assert_true(pool_is_warm(pool));
}

/* Its memory is not free before it is gone. */
static void what_is_recycled_counts_until_it_is_gone(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 1);

	(void)state;
	pool_set_max(pool, 1);
	start_all(pool, 1);
	pool_give_up(pool, 0);
	check_recycle(pool, T0, 0);
	check_nothing(pool, T0);
	pool_recycled(pool, 0);
	check_start(pool, T0, 0);
}

static void never_more_than_slots(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 5);

	(void)state;
	pool_set_max(pool, 4);
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
	check_nothing(pool, T0);
}

static void a_larger_max_is_used_at_once(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 4);

	(void)state;
	pool_set_max(pool, 2);
	start_all(pool, 2);
	check_nothing(pool, T0);
	assert_true(pool_is_warm(pool));
	pool_set_max(pool, 3);
	assert_false(pool_is_warm(pool));
	check_start(pool, T0, 2);
	check_nothing(pool, T0);
}

static void a_lowered_target_starts_nothing(void **state)
{
	cleanup_pool struct pool *pool = new_pool(8, 4);

	(void)state;
	start_all(pool, 4);
	pool_set_warm(pool, 0, 2);
	take_all(pool, 0, 2);
	check_nothing(pool, T0);
	assert_int_equal(take_oldest(pool, 0), 2);
	check_start(pool, T0, 4);
}

static void a_pool_that_is_only_dirty_is_not_warm(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 1);

	(void)state;
	pool_adopt_dirty(pool, 0);
	pool_adopt_dirty(pool, 1);
	assert_false(pool_is_warm(pool));
}

static void warm_when_every_template_is(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(4, 2);

	(void)state;
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
	assert_int_equal(take_oldest(pool, 1), 0);
	assert_false(pool_is_warm(pool));
}

/* ---- surplus --------------------------------------------------------------- */

/* What the pool says is given up; the slots in that order. */
static void check_surplus(struct pool *pool, const __u32 *slots, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(pool_surplus(pool), slots[i]);
		pool_give_up(pool, slots[i]);
	}
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT);
}

#define check_surplus_is(pool, ...)                       \
	check_surplus(pool, (const __u32[]){__VA_ARGS__}, \
		      sizeof((const __u32[]){__VA_ARGS__}) / sizeof(__u32))

static void no_surplus_at_the_target(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 4);

	(void)state;
	start_all(pool, 4);
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT);
}

static void a_lowered_target_leaves_a_surplus(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 4);

	(void)state;
	start_all(pool, 4);
	pool_set_warm(pool, 0, 2);
	assert_int_equal(pool_surplus(pool), 0);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_IDLE); /* it only says so */
	check_surplus_is(pool, 0, 1);
	check_counts_are(pool, [SKEP_STATE_IDLE] = 2, [SKEP_STATE_RECYCLING] = 2);
	pool_set_warm(pool, 0, 0);
	check_surplus_is(pool, 2, 3);
}

/* Idle ones go while there are any, leases stay, whatever max says. */
static void a_lowered_max_leaves_a_surplus(void **state)
{
	cleanup_pool struct pool *pool = new_pool(5, 5);

	(void)state;
	start_all(pool, 5);
	take_all(pool, 0, 2);
	pool_set_max(pool, 4);
	check_surplus_is(pool, 2);
	pool_set_max(pool, 1);
	check_surplus_is(pool, 3, 4);
	check_counts_are(pool, [SKEP_STATE_BOUND] = 2, [SKEP_STATE_RECYCLING] = 3);
	for (__u32 slot = 2; slot < 5; slot++) {
		check_recycle(pool, T0, slot);
		pool_recycled(pool, slot);
	}
	check_nothing(pool, T0);
	/* One bound container goes, and still there is no room. */
	pool_give_up(pool, 0);
	check_recycle(pool, T0, 0);
	pool_recycled(pool, 0);
	check_nothing(pool, T0);
	pool_give_up(pool, 1);
	check_recycle(pool, T0, 1);
	pool_recycled(pool, 1);
	check_start(pool, T0, 1);
	check_nothing(pool, T0);
}

/* What is starting will be there: an idle one makes room for it. */
static void the_starting_count_for_surplus(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 3);

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		check_start(pool, T0, slot);
	pool_set_max(pool, 2);
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT); /* of the idle there are none */
	pool_started(pool, 1);
	check_surplus_is(pool, 1);
}

static void the_failed_make_no_surplus(void **state)
{
	cleanup_pool struct pool *pool = new_pool(3, 2);

	(void)state;
	pool_set_max(pool, 2);
	start_all(pool, 2);
	pool_died(pool, 0, T0);
	check_start(pool, T0 + NS_PER_SEC, 2);
	pool_started(pool, 2);
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT);
	/* Nor while they are cleaned up. */
	pool_give_up(pool, 0);
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT);
}

/* Slots 0 to 3 idle of template 0, 4 to 6 of template 1, each at its target. */
static struct pool *pool_of_two(void)
{
	struct pool *pool = new_pool_of(8, 2);

	for (__u32 slot = 0; slot < 7; slot++)
		pool_adopt(pool, slot, slot >= 4, SKEP_STATE_IDLE);
	pool_set_warm(pool, 0, 4);
	pool_set_warm(pool, 1, 3);
	assert_int_equal(pool_surplus(pool), POOL_NO_SLOT);
	return pool;
}

/* Else a container of template 0 would go too, only to be started again. */
static void those_over_their_target_go_first(void **state)
{
	cleanup_pool struct pool *pool = pool_of_two();

	(void)state;
	pool_set_max(pool, 5);
	pool_set_warm(pool, 1, 1);
	check_surplus_is(pool, 4, 5);
	assert_int_equal(pool_count_idle(pool, 0), 4);
	assert_int_equal(pool_count_idle(pool, 1), 1);
}

/* No template is left without any as long as another has several. */
static void then_those_of_the_template_with_most(void **state)
{
	cleanup_pool struct pool *pool = pool_of_two();

	(void)state;
	pool_set_max(pool, 2);
	check_surplus_is(pool, 0, 1, 4, 2, 5);
	assert_int_equal(pool_count_idle(pool, 0), 1);
	assert_int_equal(pool_count_idle(pool, 1), 1);
}

/* ---- shortage -------------------------------------------------------------- */

/* Five containers, all bound, of a template that wants three idle ones. */
static struct pool *pool_all_bound(unsigned int slots)
{
	struct pool *pool = new_pool(slots, 3);

	for (__u32 slot = 0; slot < 5; slot++)
		pool_adopt(pool, slot, 0, SKEP_STATE_BOUND);
	pool_set_max(pool, 5);
	return pool;
}

static void short_by_what_is_wanted_when_all_are_bound(void **state)
{
	cleanup_pool struct pool *pool = pool_all_bound(5);

	(void)state;
	assert_int_equal(pool_shortage(pool, 0), 0);
	assert_int_equal(pool_shortage(pool, 1), 1);
	assert_int_equal(pool_shortage(pool, 2), 2);
	/* More than its target nobody wants. */
	assert_int_equal(pool_shortage(pool, 4), 3);
	pool_set_warm(pool, 0, 0);
	assert_int_equal(pool_shortage(pool, 4), 0);
}

static void not_short_while_more_can_be_started(void **state)
{
	cleanup_pool struct pool *pool = pool_all_bound(10);

	(void)state;
	pool_set_max(pool, 6);
	assert_int_equal(pool_shortage(pool, 1), 0);
	assert_int_equal(pool_shortage(pool, 3), 2);
	check_start(pool, T0, 5);
	assert_int_equal(pool_shortage(pool, 3), 2);
	pool_started(pool, 5);
	assert_int_equal(pool_shortage(pool, 3), 2);
	assert_int_equal(take_oldest(pool, 0), 5);
	assert_int_equal(pool_shortage(pool, 3), 3);
}

/* What is given up counts from that moment on, so that nobody gives up one more. */
static void not_short_while_some_are_recycled(void **state)
{
	cleanup_pool struct pool *pool = pool_all_bound(5);

	(void)state;
	pool_give_up(pool, 0);
	assert_int_equal(pool_shortage(pool, 2), 1);
	pool_give_up(pool, 1);
	assert_int_equal(pool_shortage(pool, 2), 0);
	check_recycle(pool, T0, 0);
	assert_int_equal(pool_shortage(pool, 2), 0);
	pool_recycled(pool, 0);
	assert_int_equal(pool_shortage(pool, 2), 0);
	check_start(pool, T0, 0);
	assert_int_equal(pool_shortage(pool, 2), 0);
	assert_int_equal(pool_shortage(pool, 3), 1);
}

/* Nothing is started in a slot that was one too many. */
static void what_is_over_max_is_not_on_its_way(void **state)
{
	cleanup_pool struct pool *pool = pool_all_bound(8);

	(void)state;
	for (__u32 slot = 5; slot < 8; slot++)
		pool_adopt_dirty(pool, slot);
	assert_int_equal(pool_shortage(pool, 2), 2);
	pool_give_up(pool, 0);
	assert_int_equal(pool_shortage(pool, 2), 1);
	pool_set_max(pool, 3);
	assert_int_equal(pool_shortage(pool, 2), 2);
}

static void what_leaves_quarantine_is_not_on_its_way(void **state)
{
	cleanup_pool struct pool *pool = pool_all_bound(6);

	(void)state;
	pool_refused(pool, 0, T0);
	pool_adopt(pool, 5, 0, SKEP_STATE_BOUND);
	assert_int_equal(pool_shortage(pool, 1), 1);
	pool_give_up(pool, 0);
	assert_int_equal(pool_shortage(pool, 1), 1);
}

static void each_template_has_its_shortage(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(6, 3);

	(void)state;
	for (__u32 slot = 0; slot < 4; slot++)
		pool_adopt(pool, slot, 0, SKEP_STATE_BOUND);
	pool_adopt(pool, 4, 1, SKEP_STATE_IDLE);
	pool_adopt(pool, 5, 1, SKEP_STATE_IDLE);
	pool_set_warm(pool, 0, 2);
	pool_set_warm(pool, 1, 2);
	pool_set_warm(pool, 2, 1);
	/* Template 0 lacks 2, template 2 wants no more than one; 1 has enough, and keeps it. */
	assert_int_equal(pool_shortage(pool, 1), 2);
	assert_int_equal(pool_shortage(pool, 2), 3);
}

/* ---- adoption -------------------------------------------------------------- */

static void dirty_slots_are_recycled_and_not_started(void **state)
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

static void an_idle_container_is_adopted(void **state)
{
	cleanup_pool struct pool *pool = new_pool_of(4, 2);

	(void)state;
	pool_set_warm(pool, 1, 2);
	pool_adopt(pool, 2, 1, SKEP_STATE_IDLE);
	assert_int_equal(pool_state(pool, 2), SKEP_STATE_IDLE);
	assert_int_equal(pool_template(pool, 2), 1);
	assert_int_equal(pool_count_idle(pool, 1), 1);
	check_counts_are(pool, [SKEP_STATE_NONE] = 3, [SKEP_STATE_IDLE] = 1);
	/* One of the two is there already. */
	check_job(pool, T0, POOL_START, 0, 1);
	check_nothing(pool, T0);
	pool_started(pool, 0);
	assert_true(pool_is_warm(pool));
	assert_int_equal(take_oldest(pool, 0), POOL_NO_SLOT);
	assert_int_equal(take_oldest(pool, 1), 2);
	pool_give_up(pool, 2);
	check_job(pool, T0, POOL_RECYCLE, 2, 1);
	check_job(pool, T0, POOL_START, 1, 1);
}

static void a_bound_container_is_adopted(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 1);

	(void)state;
	pool_adopt(pool, 0, 0, SKEP_STATE_BOUND);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_BOUND);
	assert_int_equal(pool_leases(pool, 0), 0);
	assert_int_equal(pool_count_idle(pool, 0), 0);
	assert_int_equal(take_oldest(pool, 0), POOL_NO_SLOT);
	/* Its leases are found one by one. */
	assert_int_equal(pool_set_groups(pool, 1, 3), 0);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_leases(pool, 0), 2);
	assert_int_equal(pool_share(pool, 0), 0);
	check_start(pool, T0, 1);
	pool_give_up(pool, 0);
	check_recycle(pool, T0, 0);
}

static void more_may_be_adopted_than_max(void **state)
{
	cleanup_pool struct pool *pool = new_pool(6, 3);

	(void)state;
	pool_set_max(pool, 3);
	pool_adopt(pool, 5, 0, SKEP_STATE_BOUND);
	pool_adopt(pool, 3, 0, SKEP_STATE_BOUND);
	pool_adopt(pool, 4, 0, SKEP_STATE_IDLE);
	pool_adopt(pool, 0, 0, SKEP_STATE_IDLE);
	pool_adopt(pool, 1, 0, SKEP_STATE_IDLE);
	pool_adopt_dirty(pool, 2);
	check_surplus_is(pool, 4, 0);
	check_counts_are(
		pool, [SKEP_STATE_IDLE] = 1, [SKEP_STATE_BOUND] = 2, [SKEP_STATE_RECYCLING] = 3);
	check_recycle(pool, T0, 2);
	check_recycle(pool, T0, 4);
	check_recycle(pool, T0, 0);
	check_nothing(pool, T0);
}

/* ---- drain ----------------------------------------------------------------- */

static void drained(void **state)
{
	cleanup_pool struct pool *pool = new_pool(6, 4);

	(void)state;
	start_all(pool, 4);
	assert_int_equal(take_oldest(pool, 0), 0);
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
	assert_true(pool_is_empty(pool));
	check_nothing(pool, T0 + 60 * NS_PER_SEC);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
}

static void a_drain_ends_quarantine(void **state)
{
	cleanup_pool struct pool *pool = new_pool(4, 3);

	(void)state;
	start_all(pool, 3);
	check_pause(pool_died(pool, 1, T0), 1);
	pool_drain(pool);
	check_counts_are(pool, [SKEP_STATE_NONE] = 1, [SKEP_STATE_RECYCLING] = 3);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
	for (__u32 slot = 0; slot < 3; slot++) {
		check_recycle(pool, T0, slot);
		pool_recycled(pool, slot);
	}
	assert_true(pool_is_empty(pool));
}

/* What then fails to start goes into quarantine as ever, unless it is given up. */
static void a_start_that_fails_in_a_drain_can_be_given_up(void **state)
{
	cleanup_pool struct pool *pool = new_pool(1, 1);

	(void)state;
	check_start(pool, T0, 0);
	pool_drain(pool);
	check_pause(pool_start_failed(pool, 0, T0), 1);
	check_nothing(pool, T0);
	pool_give_up(pool, 0);
	check_recycle(pool, T0, 0);
	pool_recycled(pool, 0);
	assert_true(pool_is_empty(pool));
}

static void a_drain_waits_for_what_could_not_be_recycled(void **state)
{
	cleanup_pool struct pool *pool = new_pool(1, 0);

	(void)state;
	pool_adopt_dirty(pool, 0);
	check_recycle(pool, T0, 0);
	pool_recycle_failed(pool, 0, T0);
	pool_drain(pool);
	check_counts_are(pool, [SKEP_STATE_FAILED] = 1);
	check_nothing(pool, T0 + NS_PER_SEC - 1);
	assert_int_equal(pool_wake_ns(pool, T0), T0 + NS_PER_SEC);
	check_recycle(pool, T0 + NS_PER_SEC, 0);
	pool_recycled(pool, 0);
	assert_true(pool_is_empty(pool));
}

static void a_drained_pool_does_not_wait_for_pauses(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 1);

	(void)state;
	check_start(pool, T0, 0);
	check_pause(pool_start_failed(pool, 0, T0), 1);
	pool_drain(pool);
	check_recycle(pool, T0, 0);
	pool_recycled(pool, 0);
	assert_int_equal(pool_wake_ns(pool, T0), 0);
	check_nothing(pool, T0 + NS_PER_SEC);
}

/* ---- what may not happen --------------------------------------------------- */

static void call_started(struct pool *pool, __u32 slot)
{
	pool_started(pool, slot);
}

static void call_start_failed(struct pool *pool, __u32 slot)
{
	pool_start_failed(pool, slot, T0);
}

static void call_died(struct pool *pool, __u32 slot)
{
	pool_died(pool, slot, T0);
}

static void call_refused(struct pool *pool, __u32 slot)
{
	pool_refused(pool, slot, T0);
}

static void call_recycle_failed(struct pool *pool, __u32 slot)
{
	pool_recycle_failed(pool, slot, T0);
}

static void call_adopt_idle(struct pool *pool, __u32 slot)
{
	pool_adopt(pool, slot, 0, SKEP_STATE_IDLE);
}

static void call_adopt_failed(struct pool *pool, __u32 slot)
{
	pool_adopt(pool, slot, 0, SKEP_STATE_FAILED);
}

static void call_add_lease(struct pool *pool, __u32 slot)
{
	pool_add_lease(pool, slot, 0);
}

static void call_add_lease_of_no_group(struct pool *pool, __u32 slot)
{
	pool_add_lease(pool, slot, 1);
}

static void call_drop_lease(struct pool *pool, __u32 slot)
{
	pool_drop_lease(pool, slot);
}

enum {
	SLOT_RECYCLED, /* its job is out */
	SLOT_BOUND,    /* without a lease */
	SLOT_DIRTY,
	SLOT_IDLE,
	SLOT_QUARANTINED,
	SLOT_RETRY,
	SLOT_STARTING,
	SLOT_NONE,
};

static struct pool *pool_of_every_state(void)
{
	struct pool *pool = new_pool(8, 6);

	start_all(pool, 6);
	take_all(pool, 0, 2);
	check_start(pool, T0, SLOT_STARTING);
	pool_set_warm(pool, 0, 0);
	assert_int_equal(pool_set_groups(pool, 1, 2), 0);
	pool_give_up(pool, SLOT_RECYCLED);
	pool_give_up(pool, SLOT_RETRY);
	check_recycle(pool, T0, SLOT_RECYCLED);
	check_recycle(pool, T0, SLOT_RETRY);
	pool_recycle_failed(pool, SLOT_RETRY, T0);
	pool_died(pool, SLOT_QUARANTINED, T0);
	pool_give_up(pool, SLOT_DIRTY);
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
	{"started after it failed", call_started, SLOT_QUARANTINED},
	{"start failed, not starting", call_start_failed, SLOT_NONE},
	{"start failed while idle", call_start_failed, SLOT_IDLE},
	{"start failed twice", call_start_failed, SLOT_QUARANTINED},
	{"died while starting", call_died, SLOT_STARTING},
	{"died while bound", call_died, SLOT_BOUND},
	{"died twice", call_died, SLOT_QUARANTINED},
	{"died on its way out", call_died, SLOT_DIRTY},
	{"refused while idle", call_refused, SLOT_IDLE},
	{"refused on its way out", call_refused, SLOT_DIRTY},
	{"nothing to give up", pool_give_up, SLOT_NONE},
	{"given up twice", pool_give_up, SLOT_DIRTY},
	{"given up while recycled", pool_give_up, SLOT_RECYCLED},
	{"adopted while idle", pool_adopt_dirty, SLOT_IDLE},
	{"adopted while failed", pool_adopt_dirty, SLOT_QUARANTINED},
	{"adopted dirty twice", pool_adopt_dirty, SLOT_DIRTY},
	{"adopted as idle twice", call_adopt_idle, SLOT_IDLE},
	{"adopted as failed", call_adopt_failed, SLOT_NONE},
	{"recycled without a job", pool_recycled, SLOT_DIRTY},
	{"recycled while bound", pool_recycled, SLOT_BOUND},
	{"recycled while quarantined", pool_recycled, SLOT_QUARANTINED},
	{"recycled while it waits", pool_recycled, SLOT_RETRY},
	{"failed without a job", call_recycle_failed, SLOT_DIRTY},
	{"failed while free", call_recycle_failed, SLOT_NONE},
	{"leased while idle", call_add_lease, SLOT_IDLE},
	{"leased on its way out", call_add_lease, SLOT_DIRTY},
	{"leased in no group", call_add_lease_of_no_group, SLOT_BOUND},
	{"no lease to lose", call_drop_lease, SLOT_BOUND},
	{"lost a lease while idle", call_drop_lease, SLOT_IDLE},
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
	check_counts_are(
		pool, [SKEP_STATE_NONE] = 1, [SKEP_STATE_STARTING] = 1, [SKEP_STATE_IDLE] = 1,
		[SKEP_STATE_BOUND] = 1, [SKEP_STATE_RECYCLING] = 2, [SKEP_STATE_FAILED] = 2);
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		int status = status_of(&forbidden[i], pool);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
			fail_msg("%s: status %d", forbidden[i].what, status);
	}
}

/* The other side of the table: what may be given up. */
static void what_may_be_given_up(void **state)
{
	static const __u32 slots[] = {SLOT_BOUND, SLOT_IDLE, SLOT_QUARANTINED, SLOT_RETRY,
				      SLOT_STARTING};
	cleanup_pool struct pool *pool = pool_of_every_state();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		pool_give_up(pool, slots[i]);
		assert_int_equal(pool_state(pool, slots[i]), SKEP_STATE_RECYCLING);
	}
	check_counts_are(pool, [SKEP_STATE_NONE] = 1, [SKEP_STATE_RECYCLING] = 7);
	check_recycle(pool, T0, SLOT_DIRTY);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		check_recycle(pool, T0, slots[i]);
	check_nothing(pool, T0 + QUARANTINE_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_pool_is_empty),
		cmocka_unit_test(no_slot_may_be_used_at_first),
		cmocka_unit_test(the_life_of_a_slot),
		cmocka_unit_test(an_idle_container_may_be_given_up),
		cmocka_unit_test(a_starting_container_may_be_given_up),
		cmocka_unit_test(the_oldest_idle_container_is_taken),
		cmocka_unit_test(the_oldest_dirty_slot_is_recycled),
		cmocka_unit_test(the_slot_freed_last_is_started),
		cmocka_unit_test(starting_comes_first_below_half),
		cmocka_unit_test(the_last_one_is_started_before_recycling),
		cmocka_unit_test(recycling_goes_on_when_nothing_is_free),
		cmocka_unit_test(the_template_that_lacks_most_is_started),
		cmocka_unit_test(templates_do_not_mix),
		cmocka_unit_test(a_bound_container_is_replaced),
		cmocka_unit_test(never_more_than_max),
		cmocka_unit_test(what_is_recycled_counts_until_it_is_gone),
		cmocka_unit_test(never_more_than_slots),
		cmocka_unit_test(a_larger_max_is_used_at_once),
		cmocka_unit_test(a_lowered_target_starts_nothing),
		cmocka_unit_test(a_pool_that_is_only_dirty_is_not_warm),
		cmocka_unit_test(warm_when_every_template_is),
		cmocka_unit_test(no_surplus_at_the_target),
		cmocka_unit_test(a_lowered_target_leaves_a_surplus),
		cmocka_unit_test(a_lowered_max_leaves_a_surplus),
		cmocka_unit_test(the_starting_count_for_surplus),
		cmocka_unit_test(the_failed_make_no_surplus),
		cmocka_unit_test(those_over_their_target_go_first),
		cmocka_unit_test(then_those_of_the_template_with_most),
		cmocka_unit_test(short_by_what_is_wanted_when_all_are_bound),
		cmocka_unit_test(not_short_while_more_can_be_started),
		cmocka_unit_test(not_short_while_some_are_recycled),
		cmocka_unit_test(what_is_over_max_is_not_on_its_way),
		cmocka_unit_test(what_leaves_quarantine_is_not_on_its_way),
		cmocka_unit_test(each_template_has_its_shortage),
		cmocka_unit_test(dirty_slots_are_recycled_and_not_started),
		cmocka_unit_test(an_idle_container_is_adopted),
		cmocka_unit_test(a_bound_container_is_adopted),
		cmocka_unit_test(more_may_be_adopted_than_max),
		cmocka_unit_test(drained),
		cmocka_unit_test(a_drain_ends_quarantine),
		cmocka_unit_test(a_start_that_fails_in_a_drain_can_be_given_up),
		cmocka_unit_test(a_drain_waits_for_what_could_not_be_recycled),
		cmocka_unit_test(a_drained_pool_does_not_wait_for_pauses),
		cmocka_unit_test(transitions_there_are_not),
		cmocka_unit_test(what_may_be_given_up),
	};

	return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
