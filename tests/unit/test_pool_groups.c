// SPDX-License-Identifier: GPL-2.0
/*
 * The pool when addresses share containers: who gets one more, how many at most, and what becomes
 * of the groups when a container goes or the configuration changes.
 */
#include "pool_lab.h"

/* @n bound containers without a lease; @n_groups groups. */
static struct pool *pool_of_bound(unsigned int n, unsigned int n_groups, unsigned int limit)
{
	struct pool *pool = new_pool(n, 0);

	for (__u32 slot = 0; slot < n; slot++)
		pool_adopt(pool, slot, 0, SKEP_STATE_BOUND);
	assert_int_equal(pool_set_groups(pool, n_groups, limit), 0);
	return pool;
}

static void check_shares(struct pool *pool, __u32 group, const __u32 *slots, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pool_share(pool, group), slots[i]);
}

#define check_shares_are(pool, group, ...)                      \
	check_shares(pool, group, (const __u32[]){__VA_ARGS__}, \
		     sizeof((const __u32[]){__VA_ARGS__}) / sizeof(__u32))

static void nobody_shares_without_groups(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 0);

	(void)state;
	pool_adopt(pool, 0, 0, SKEP_STATE_BOUND);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_set_groups(pool, 0, 16), 0);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
}

static void a_group_that_is_not_there_has_nobody(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 2, 4);

	(void)state;
	pool_add_lease(pool, 0, 1);
	assert_int_equal(pool_share(pool, 2), POOL_NO_SLOT);
	assert_int_equal(pool_share(pool, POOL_NO_SLOT), POOL_NO_SLOT);
	assert_int_equal(pool_share(pool, 1), 0);
}

static void who_has_no_lease_yet_does_not_share(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 1, 4);

	(void)state;
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_share(pool, 0), 0);
}

static void another_one_each_time(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(3, 1, 4);

	(void)state;
	pool_add_lease(pool, 1, 0);
	pool_add_lease(pool, 2, 0);
	pool_add_lease(pool, 0, 0);
	check_shares_are(pool, 0, 1, 2, 0, 1, 2, 0, 1);
	/* Being asked is not having: none got a lease by that. */
	for (__u32 slot = 0; slot < 3; slot++)
		assert_int_equal(pool_leases(pool, slot), 1);
	/* Another lease does not change whose turn it is. */
	pool_add_lease(pool, 2, 0);
	check_shares_are(pool, 0, 2, 0, 1);
}

/* Shares as skepd does: each gets what it is asked for, until all have the limit. */
static void nobody_gets_more_than_the_limit(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(3, 1, 4);
	unsigned int shared = 0;

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		pool_add_lease(pool, slot, 0);
	for (__u32 slot; (slot = pool_share(pool, 0)) != POOL_NO_SLOT; shared++) {
		assert_int_equal(slot, shared % 3);
		pool_add_lease(pool, slot, 0);
		assert_int_equal(pool_leases(pool, slot), 2 + shared / 3);
	}
	assert_int_equal(shared, 3 * (4 - 1));
}

static void a_limit_of_one_is_no_sharing(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 1, 1);

	(void)state;
	pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_leases(pool, 0), 1);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
}

static void groups_do_not_mix(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(3, 3, 4);

	(void)state;
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 1, 2);
	pool_add_lease(pool, 2, 2);
	check_shares_are(pool, 0, 0, 0);
	check_shares_are(pool, 2, 1, 2, 1);
	assert_int_equal(pool_share(pool, 1), POOL_NO_SLOT);
}

static void who_loses_a_lease_may_share_again(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(2, 1, 2);

	(void)state;
	for (__u32 slot = 0; slot < 2; slot++) {
		pool_add_lease(pool, slot, 0);
		pool_add_lease(pool, slot, 0);
	}
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_drop_lease(pool, 1), 1);
	check_shares_are(pool, 0, 1, 1);
	assert_int_equal(pool_drop_lease(pool, 0), 1);
	check_shares_are(pool, 0, 1, 0, 1);
	pool_add_lease(pool, 1, 0);
	check_shares_are(pool, 0, 0, 0);
}

static void who_loses_its_last_lease_shares_no_more(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 1, 4);

	(void)state;
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_drop_lease(pool, 0), 1);
	assert_int_equal(pool_share(pool, 0), 0);
	assert_int_equal(pool_drop_lease(pool, 0), 0);
	assert_int_equal(pool_leases(pool, 0), 0);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_state(pool, 0), SKEP_STATE_BOUND); /* giving it up is for others */
}

/* Nothing binds it to the range of the lease it had. */
static void the_first_lease_says_which_group(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 2, 4);

	(void)state;
	pool_add_lease(pool, 0, 0);
	pool_drop_lease(pool, 0);
	pool_add_lease(pool, 0, 1);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_share(pool, 1), 0);
}

/* A new configuration may have split the range that its addresses were of. */
static void a_lease_of_another_group_changes_nothing(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 2, 3);

	(void)state;
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 0, 1);
	assert_int_equal(pool_leases(pool, 0), 2);
	assert_int_equal(pool_share(pool, 0), 0);
	assert_int_equal(pool_share(pool, 1), POOL_NO_SLOT);
	pool_add_lease(pool, 0, 1); /* full */
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_drop_lease(pool, 0), 2);
	assert_int_equal(pool_share(pool, 0), 0);
	assert_int_equal(pool_share(pool, 1), POOL_NO_SLOT);
}

static void who_is_given_up_leaves_its_group(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(3, 1, 4);

	(void)state;
	for (__u32 slot = 0; slot < 3; slot++)
		pool_add_lease(pool, slot, 0);
	pool_give_up(pool, 1);
	assert_int_equal(pool_leases(pool, 1), 0);
	check_shares_are(pool, 0, 0, 2, 0);
	pool_refused(pool, 0, T0);
	assert_int_equal(pool_leases(pool, 0), 0);
	check_shares_are(pool, 0, 2, 2);
	pool_drain(pool);
	assert_int_equal(pool_leases(pool, 2), 0);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
}

static void who_stood_in_no_group_leaves_none(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(2, 1, 2);

	(void)state;
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 0, 0); /* full */
	pool_give_up(pool, 0);
	pool_give_up(pool, 1); /* without a lease */
	assert_int_equal(pool_leases(pool, 0), 0);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
}

static void the_next_life_begins_without_leases(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 2, 2);

	(void)state;
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 0, 0);
	pool_give_up(pool, 0);
	check_recycle(pool, T0, 0);
	pool_recycled(pool, 0);
	pool_set_warm(pool, 0, 1);
	start_all(pool, 1);
	assert_int_equal(take_oldest(pool, 0), 0);
	assert_int_equal(pool_leases(pool, 0), 0);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	pool_add_lease(pool, 0, 1);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_share(pool, 1), 0);
}

/* ---- a new configuration --------------------------------------------------- */

static void new_groups_are_empty(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(2, 2, 4);

	(void)state;
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 1, 1);
	assert_int_equal(pool_set_groups(pool, 3, 4), 0);
	for (__u32 group = 0; group < 3; group++)
		assert_int_equal(pool_share(pool, group), POOL_NO_SLOT);
	for (__u32 slot = 0; slot < 2; slot++) {
		assert_int_equal(pool_leases(pool, slot), 0);
		assert_int_equal(pool_state(pool, slot), SKEP_STATE_BOUND);
	}
}

/* As a reload does: every lease is added again, to the group that its range is now. */
static void leases_are_added_to_new_groups(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(3, 2, 3);

	(void)state;
	pool_add_lease(pool, 0, 1);
	pool_add_lease(pool, 0, 1);
	pool_add_lease(pool, 1, 1);
	pool_add_lease(pool, 2, 0);
	assert_int_equal(pool_set_groups(pool, 1, 3), 0);
	pool_add_lease(pool, 1, 0);
	pool_add_lease(pool, 0, 0);
	pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_leases(pool, 0), 2);
	assert_int_equal(pool_share(pool, 1), POOL_NO_SLOT);
	check_shares_are(pool, 0, 1, 0, 1);
	/* Slot 2 lost its range, and is given up out of no group. */
	pool_give_up(pool, 2);
	check_recycle(pool, T0, 2);
	check_shares_are(pool, 0, 0, 1);
}

static void a_lowered_limit_takes_nothing_away(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 1, 4);

	(void)state;
	assert_int_equal(pool_set_groups(pool, 1, 2), 0);
	for (int i = 0; i < 4; i++)
		pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_leases(pool, 0), 4);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_drop_lease(pool, 0), 3);
	assert_int_equal(pool_drop_lease(pool, 0), 2);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_drop_lease(pool, 0), 1);
	assert_int_equal(pool_share(pool, 0), 0);
}

static void a_raised_limit_makes_room(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(1, 1, 1);

	(void)state;
	pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_set_groups(pool, 1, 2), 0);
	pool_add_lease(pool, 0, 0);
	assert_int_equal(pool_share(pool, 0), 0);
}

static void starting_and_idle_ones_do_not_care(void **state)
{
	cleanup_pool struct pool *pool = new_pool(2, 2);

	(void)state;
	check_start(pool, T0, 0);
	check_start(pool, T0, 1);
	pool_started(pool, 0);
	assert_int_equal(pool_set_groups(pool, 1, 2), 0);
	pool_started(pool, 1);
	take_all(pool, 0, 2);
	pool_add_lease(pool, 1, 0);
	assert_int_equal(pool_share(pool, 0), 1);
}

/* A container in an intruder's world. */
static void who_is_of_no_group_shares_with_nobody(void **state)
{
	cleanup_pool struct pool *pool = pool_of_bound(2, 1, 4);

	(void)state;
	pool_add_lease(pool, 0, POOL_NO_GROUP);
	assert_int_equal(pool_leases(pool, 0), 1);
	assert_int_equal(pool_share(pool, 0), POOL_NO_SLOT);
	assert_int_equal(pool_share(pool, POOL_NO_GROUP), POOL_NO_SLOT);
	pool_add_lease(pool, 1, 0);
	check_shares_are(pool, 0, 1, 1);
	assert_int_equal(pool_drop_lease(pool, 0), 0);
	pool_give_up(pool, 0);
	check_shares_are(pool, 0, 1, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_shares_without_groups),
		cmocka_unit_test(a_group_that_is_not_there_has_nobody),
		cmocka_unit_test(who_has_no_lease_yet_does_not_share),
		cmocka_unit_test(another_one_each_time),
		cmocka_unit_test(nobody_gets_more_than_the_limit),
		cmocka_unit_test(a_limit_of_one_is_no_sharing),
		cmocka_unit_test(groups_do_not_mix),
		cmocka_unit_test(who_loses_a_lease_may_share_again),
		cmocka_unit_test(who_loses_its_last_lease_shares_no_more),
		cmocka_unit_test(the_first_lease_says_which_group),
		cmocka_unit_test(a_lease_of_another_group_changes_nothing),
		cmocka_unit_test(who_is_given_up_leaves_its_group),
		cmocka_unit_test(who_stood_in_no_group_leaves_none),
		cmocka_unit_test(the_next_life_begins_without_leases),
		cmocka_unit_test(new_groups_are_empty),
		cmocka_unit_test(leases_are_added_to_new_groups),
		cmocka_unit_test(a_lowered_limit_takes_nothing_away),
		cmocka_unit_test(a_raised_limit_makes_room),
		cmocka_unit_test(starting_and_idle_ones_do_not_care),
		cmocka_unit_test(who_is_of_no_group_shares_with_nobody),
	};

	return cmocka_run_group_tests_name("pool groups", tests, NULL, NULL);
}
