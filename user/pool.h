/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: The pool
 *
 * Containers live in slots. A slot goes NONE -> STARTING -> IDLE -> BOUND -> RECYCLING -> NONE;
 * whatever fails on the way goes to RECYCLING, and to FAILED when even that did not work, to be
 * recycled again later. The pool keeps `warm` idle containers for each template in use, as far as
 * `max` slots allow, and decides what is to be done next; others do it. A template whose containers
 * do not start is tried again after a pause that doubles from one second to a minute. Pure: no
 * clock, no system calls.
 */
#ifndef SKEP_USER_POOL_H
#define SKEP_USER_POOL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "skep/maps.h"

#define POOL_NO_SLOT (~0U)

struct pool;

enum pool_op { POOL_NOTHING, POOL_START, POOL_RECYCLE };

/**
 * struct pool_job - what to do next
 * @op:       the slot is in STARTING or RECYCLING already
 * @slot:     on which slot
 * @template: of the container
 */
struct pool_job {
	enum pool_op op;
	__u32 slot;
	__u32 template;
};

/**
 * pool_new() - a pool of empty slots
 * @max:         slots
 * @n_templates: templates there are; those not in use have a target of 0
 *
 * Return: the pool, freed with pool_free(), or NULL when out of memory.
 */
struct pool *pool_new(unsigned int max, unsigned int n_templates);
struct pool *pool_free(struct pool *pool);

/** pool_set_warm() - how many idle containers a template shall have */
void pool_set_warm(struct pool *pool, __u32 template, unsigned int warm);

/**
 * pool_next() - decides on the next job and moves its slot into STARTING or RECYCLING
 * @now_ns: CLOCK_MONOTONIC, for pauses
 *
 * Starting comes first while a template has less than half of its idle containers, then recycling,
 * then starting. Oldest first within each.
 */
struct pool_job pool_next(struct pool *pool, __u64 now_ns);

/** pool_wake_ns() - when a pause ends next; 0 when there is none */
__u64 pool_wake_ns(const struct pool *pool, __u64 now_ns);

/** pool_started() - STARTING -> IDLE; ends the template's pause */
void pool_started(struct pool *pool, __u32 slot);

/** pool_start_failed() - STARTING -> waiting to be recycled; the template pauses. Return: the
 * pause, in ns. */
__u64 pool_start_failed(struct pool *pool, __u32 slot, __u64 now_ns);

/**
 * pool_died() - IDLE -> waiting to be recycled, since it ended by itself; the template pauses
 *
 * The pause doubles until one of its containers is taken. Return: the pause, in ns.
 */
__u64 pool_died(struct pool *pool, __u32 slot, __u64 now_ns);

/** pool_take() - oldest IDLE container of the template -> BOUND. Return: its slot or POOL_NO_SLOT.
 */
__u32 pool_take(struct pool *pool, __u32 template);

/** pool_give_up() - IDLE, BOUND or STARTING -> waiting to be recycled */
void pool_give_up(struct pool *pool, __u32 slot);

/** pool_recycled() - RECYCLING -> NONE */
void pool_recycled(struct pool *pool, __u32 slot);

/** pool_recycle_failed() - RECYCLING -> FAILED, until a pause is over */
void pool_recycle_failed(struct pool *pool, __u32 slot, __u64 now_ns);

/** pool_adopt_dirty() - NONE -> waiting to be recycled: an earlier skepd left something in the slot
 */
void pool_adopt_dirty(struct pool *pool, __u32 slot);

/** pool_drain() - nothing is started any more and every container waits to be recycled */
void pool_drain(struct pool *pool);

enum skep_state pool_state(const struct pool *pool, __u32 slot);
__u32 pool_template(const struct pool *pool, __u32 slot);

/** pool_count() - slots in a state; containers waiting to be recycled count as RECYCLING */
unsigned int pool_count(const struct pool *pool, enum skep_state state);

/** pool_is_warm() - every template has its idle containers, or no slot is left to start one */
bool pool_is_warm(const struct pool *pool);

#endif
