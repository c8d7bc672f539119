/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of the pool share: pools that clean up after themselves, and asserts on jobs,
 * counts and failures. Time is a number here, from T0 on.
 */
#ifndef SKEP_TESTS_POOL_LAB_H
#define SKEP_TESTS_POOL_LAB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "clock.h"
#include "pool.h"

#define T0 (1000 * NS_PER_SEC)
#define QUARANTINE_NS (60 * NS_PER_SEC)

static inline void free_pool(struct pool **pool)
{
	*pool = pool_free(*pool);
}

#define cleanup_pool __attribute__((cleanup(free_pool)))

/* Every slot may be used. */
static inline struct pool *new_pool_of(unsigned int slots, unsigned int n_templates)
{
	struct pool *pool = pool_new(slots, n_templates);

	assert_non_null(pool);
	pool_set_max(pool, slots);
	return pool;
}

/* One template with a target. */
static inline struct pool *new_pool(unsigned int slots, unsigned int warm)
{
	struct pool *pool = new_pool_of(slots, 1);

	pool_set_warm(pool, 0, warm);
	return pool;
}

/* What a bind does. Return: the slot, or POOL_NO_SLOT when none is idle. */
static inline __u32 take_oldest(struct pool *pool, __u32 template)
{
	__u32 slot = pool_first_idle(pool, template);

	if (slot != POOL_NO_SLOT)
		pool_take(pool, slot);
	return slot;
}

static inline void check_job(struct pool *pool, __u64 now_ns, enum pool_op op, __u32 slot,
			     __u32 template)
{
	struct pool_job job = pool_next(pool, now_ns);

	assert_int_equal(job.op, op);
	assert_int_equal(job.slot, slot);
	assert_int_equal(job.template, template);
}

#define check_start(pool, now, slot) check_job(pool, now, POOL_START, slot, 0)
#define check_recycle(pool, now, slot) check_job(pool, now, POOL_RECYCLE, slot, 0)

static inline void check_nothing(struct pool *pool, __u64 now_ns)
{
	assert_int_equal(pool_next(pool, now_ns).op, POOL_NOTHING);
}

static inline void check_counts(const struct pool *pool,
				const unsigned int expected[SKEP_STATE_MAX])
{
	for (enum skep_state state = 0; state < SKEP_STATE_MAX; state++)
		assert_int_equal(pool_count(pool, state), expected[state]);
}

#define check_counts_are(pool, ...) \
	check_counts(pool, (const unsigned int[SKEP_STATE_MAX]){__VA_ARGS__})

static inline void check_failure(struct pool_failure failure, __u64 pause_s, bool off,
				 __u32 released)
{
	assert_int_equal(failure.pause_ns, pause_s * NS_PER_SEC);
	assert_int_equal(failure.off, off);
	assert_int_equal(failure.released, released);
}

/* The usual: template still on, nobody had to leave quarantine. */
#define check_pause(failure, pause_s) check_failure(failure, pause_s, false, POOL_NO_SLOT)

/* @n slots from 0 are started, and idle in that order. */
static inline void start_all(struct pool *pool, unsigned int n)
{
	for (__u32 slot = 0; slot < n; slot++)
		check_start(pool, T0, slot);
	for (__u32 slot = 0; slot < n; slot++)
		pool_started(pool, slot);
}

/* The next @n idle ones, which are @slot and those after it, are bound. */
static inline void take_all(struct pool *pool, __u32 slot, unsigned int n)
{
	while (n--)
		assert_int_equal(take_oldest(pool, 0), slot++);
}

#endif
