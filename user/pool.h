/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: The pool
 *
 * Containers live in slots. A slot goes NONE -> STARTING -> IDLE -> BOUND -> RECYCLING -> NONE;
 * whatever fails on the way is quarantined in FAILED for a while, where the operator can look at
 * it, and then recycled. Quarantined slots are few, and replaced: they do not count against `max`.
 * The pool keeps `warm` idle containers for each template in use, as far as `max` allows, and
 * decides what is to be done next; others do it. A template that fails is tried again after a pause
 * that doubles from one second to a minute, and switched off after POOL_FAILURES_MAX failures in a
 * row.
 *
 * A bound container belongs to a group, the containers that may share addresses: those of one
 * range. Pure: no clock, no system calls.
 */
#ifndef SKEP_USER_POOL_H
#define SKEP_USER_POOL_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "skep/maps.h"

#define POOL_NO_SLOT (~0U)
#define POOL_NO_GROUP (~0U) /* of a container that shares with nobody */
#define POOL_FAILURES_MAX 5 /* those that were under way together count once */
#define POOL_GROUPS_MAX SKEP_RANGES_MAX
#define POOL_QUARANTINE_MAX 16 /* the oldest is recycled when there are more */

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
 * pool_new() - a pool of empty slots, none of which may be used yet
 * @slots:       that there are; how many may be used at once is pool_set_max()
 * @n_templates: templates there are; those not in use have a target of 0
 *
 * Return: the pool, freed with pool_free(), or NULL when out of memory.
 */
struct pool *pool_new(unsigned int slots, unsigned int n_templates);
struct pool *pool_free(struct pool *pool);

/** pool_set_max() - how many containers there may be in all; those there are stay, see
 * pool_surplus() */
void pool_set_max(struct pool *pool, unsigned int max);

/** pool_set_warm() - how many idle containers a template shall have */
void pool_set_warm(struct pool *pool, __u32 template, unsigned int warm);

/** pool_surplus() - an idle container that there should not be any more, or POOL_NO_SLOT */
__u32 pool_surplus(const struct pool *pool);

/**
 * pool_set_groups() - containers of groups 0 to @n - 1 may share addresses; nobody belongs to one
 * @limit: leases that one container may have
 *
 * Return: 0 or -ENOSPC when @n is more than POOL_GROUPS_MAX, and then nothing has changed.
 */
int pool_set_groups(struct pool *pool, unsigned int n, unsigned int limit);

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

/**
 * struct pool_failure - what a failure led to
 * @pause_ns: until the template is tried again
 * @off:      it will not be tried again: this was one failure too many
 * @released: a slot that left quarantine for this one, or POOL_NO_SLOT
 */
struct pool_failure {
	__u64 pause_ns;
	bool off;
	__u32 released;
};

/** pool_start_failed() - STARTING -> FAILED; the template pauses */
struct pool_failure pool_start_failed(struct pool *pool, __u32 slot, __u64 now_ns);

/** pool_died() - IDLE -> FAILED, since it ended by itself; the template pauses. Deaths are in a row
 * until one of its containers is bound. */
struct pool_failure pool_died(struct pool *pool, __u32 slot, __u64 now_ns);

/** pool_refused() - BOUND -> FAILED, since it did not take its address; the template pauses */
struct pool_failure pool_refused(struct pool *pool, __u32 slot, __u64 now_ns);

/** pool_switch_on() - forgets a template's failures */
void pool_switch_on(struct pool *pool, __u32 template);

/** pool_off() - bit N: template N is switched off; templates beyond 63 are never shown */
__u64 pool_off(const struct pool *pool);

/** pool_first_idle() - oldest IDLE container of the template, or POOL_NO_SLOT */
__u32 pool_first_idle(const struct pool *pool, __u32 template);

/** pool_next_idle() - the next younger one, or POOL_NO_SLOT */
__u32 pool_next_idle(const struct pool *pool, __u32 slot);

/** pool_take() - IDLE -> BOUND */
void pool_take(struct pool *pool, __u32 slot);

/** pool_share() - a container of the group that may get one more address, another one each time;
 * or POOL_NO_SLOT */
__u32 pool_share(struct pool *pool, __u32 group);

/** pool_add_lease() - a BOUND container has got an address of the group, or of POOL_NO_GROUP */
void pool_add_lease(struct pool *pool, __u32 slot, __u32 group);

/** pool_drop_lease() - it has lost one. Return: how many are left. */
unsigned int pool_drop_lease(struct pool *pool, __u32 slot);

unsigned int pool_leases(const struct pool *pool, __u32 slot);

/** pool_give_up() - IDLE, BOUND, STARTING or FAILED -> waiting to be recycled */
void pool_give_up(struct pool *pool, __u32 slot);

/** pool_recycled() - RECYCLING -> NONE */
void pool_recycled(struct pool *pool, __u32 slot);

/** pool_recycle_failed() - RECYCLING -> FAILED, until a pause is over */
void pool_recycle_failed(struct pool *pool, __u32 slot, __u64 now_ns);

/** pool_adopt() - NONE -> IDLE or BOUND (without leases yet): taken over from an earlier skepd */
void pool_adopt(struct pool *pool, __u32 slot, __u32 template, enum skep_state state);

/** pool_adopt_dirty() - NONE -> waiting to be recycled: an earlier skepd left something in the slot
 */
void pool_adopt_dirty(struct pool *pool, __u32 slot);

/** pool_drain() - nothing is started any more and every container waits to be recycled */
void pool_drain(struct pool *pool);

enum skep_state pool_state(const struct pool *pool, __u32 slot);
__u32 pool_template(const struct pool *pool, __u32 slot);

/** pool_count() - slots in a state; containers waiting to be recycled count as RECYCLING */
unsigned int pool_count(const struct pool *pool, enum skep_state state);

/** pool_count_idle() - IDLE containers of a template */
unsigned int pool_count_idle(const struct pool *pool, __u32 template);

/** pool_is_empty() - every slot is NONE */
bool pool_is_empty(const struct pool *pool);

/**
 * pool_shortage() - how many containers must be given up for each template to have @min idle ones
 *
 * 0 while they can be had otherwise: by starting more, or because some are on their way.
 */
unsigned int pool_shortage(const struct pool *pool, unsigned int min);

/** pool_is_warm() - every template has its idle containers, or no slot is left to start one */
bool pool_is_warm(const struct pool *pool);

#endif
