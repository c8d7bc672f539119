// SPDX-License-Identifier: GPL-2.0
/*
 * Leases that end by themselves: idle too long, too old, or in the way when containers are short. A
 * walk over all leases, some at each tick, so that it costs the same whatever their number. Whoever
 * looks idle is looked at by a keeper first: a lease with a live TCP connection is not.
 */
#include <string.h>

#include "farm.h"

#define LOOKS_AT_ONCE 512 /* leases in one tick */

static bool is_over(__u64 since_ns, __u64 now_ns, unsigned int seconds)
{
	return seconds && now_ns > since_ns && now_ns - since_ns >= seconds * NS_PER_SEC;
}

static __u64 last_seen_ns(const struct warm *warm, const struct skep_lease *lease)
{
	return later(datapath_last_seen_ns(lease), warm->looked_ns);
}

static void have_looked_at(struct farm *farm, __u32 slot, enum skep_verdict why)
{
	if (!farm->warm[slot].look && refill_look(farm, slot))
		farm->warm[slot].look = why;
}

/* Return: the last sign of life of a lease, or 0 when it was released. */
static __u64 visit_lease(struct farm *farm, __u32 slot, struct skep_addr address, __u64 now_ns)
{
	const struct range_config *range = bind_range_of(farm, &address);
	const struct warm *warm = &farm->warm[slot];
	struct skep_lease lease;
	__u64 seen_ns;

	if (!range)
		return now_ns;
	if (datapath_lease(farm->dp, &address, &lease) || lease.container != slot) {
		/* It gave way to a host, and the ring had no room to tell. */
		bind_release(farm, slot, address, SKEP_RELEASED_CONFLICT);
		return 0;
	}
	if (is_over(lease.bound_ns, now_ns, range->max_lifetime)) {
		bind_release(farm, slot, address, SKEP_RELEASED_LIFETIME);
		return 0;
	}
	seen_ns = last_seen_ns(warm, &lease);
	if (is_over(seen_ns, now_ns, range->idle_timeout))
		have_looked_at(farm, slot, SKEP_RELEASED_IDLE);
	return seen_ns;
}

/* Sorted by insertion: there are few, and most leases are too lively to get in. */
static void consider(struct candidates *c, const struct candidate *one)
{
	unsigned int at = c->n;

	while (at && c->list[at - 1].seen_ns > one->seen_ns)
		at--;
	if (at == CANDIDATES_MAX)
		return;
	if (c->n < CANDIDATES_MAX)
		c->n++;
	memmove(&c->list[at + 1], &c->list[at], (c->n - 1 - at) * sizeof(c->list[0]));
	c->list[at] = *one;
}

/* Return: how many leases were looked at. */
static unsigned int visit(struct farm *farm, __u32 slot, __u64 now_ns)
{
	const struct warm *warm = &farm->warm[slot];
	struct candidate one = {.slot = slot, .serial = warm->serial};
	const unsigned int n = warm->n_addresses;

	for (unsigned int i = n; i--;)
		one.seen_ns =
			later(one.seen_ns, visit_lease(farm, slot, warm->addresses[i], now_ns));
	if (pool_state(farm->pool, slot) == SKEP_STATE_BOUND)
		consider(&farm->expiry.next, &one);
	return n;
}

/* For those who wait, and beforehand. */
static void make_room(struct farm *farm)
{
	const unsigned int waiting = waiting_count(farm->waiting);
	const unsigned int min = farm->config->min_idle_warm;

	if (farm->config->when_exhausted == EXHAUSTED_EVICT)
		expire_evict(farm, pool_shortage(farm->pool, waiting > min ? waiting : min));
}

static void begin_again(struct expiry *e)
{
	e->cursor = 0;
	e->current = e->next;
	e->next.n = 0;
}

void expire_some(struct farm *farm)
{
	struct expiry *e = &farm->expiry;
	__u64 now_ns = monotonic_ns();
	unsigned int seen = 0;

	for (__u32 slots = farm->slots_end; slots && seen < LOOKS_AT_ONCE; slots--) {
		if (pool_state(farm->pool, e->cursor) == SKEP_STATE_BOUND)
			seen += visit(farm, e->cursor, now_ns);
		if (++e->cursor >= farm->slots_end)
			begin_again(e);
	}
	make_room(farm);
}

/* The youngest sign of life of all its leases. */
static __u64 container_seen_ns(const struct farm *farm, __u32 slot)
{
	const struct warm *warm = &farm->warm[slot];
	struct skep_lease lease;
	__u64 seen_ns = 0;

	for (unsigned int i = 0; i < warm->n_addresses; i++)
		if (!datapath_lease(farm->dp, &warm->addresses[i], &lease))
			seen_ns = later(seen_ns, last_seen_ns(warm, &lease));
	return seen_ns;
}

static bool may_evict(const struct farm *farm, __u32 slot, __u64 now_ns)
{
	const __u64 idle_ns = farm->config->evict_after * NS_PER_SEC;
	const __u64 seen_ns = container_seen_ns(farm, slot);

	return pool_state(farm->pool, slot) == SKEP_STATE_BOUND && now_ns > seen_ns &&
	       now_ns - seen_ns >= idle_ns;
}

/* Takes the first candidate off the list that still is one. */
static bool next_candidate(struct farm *farm, __u64 now_ns, __u32 *ret)
{
	struct candidates *c = &farm->expiry.current;

	while (c->n) {
		const struct candidate one = c->list[0];

		memmove(&c->list[0], &c->list[1], --c->n * sizeof(c->list[0]));
		if (farm->warm[one.slot].serial == one.serial && !farm->warm[one.slot].look &&
		    may_evict(farm, one.slot, now_ns)) {
			*ret = one.slot;
			return true;
		}
	}
	return false;
}

void expire_evict(struct farm *farm, unsigned int n)
{
	struct expiry *e = &farm->expiry;
	__u64 now_ns = monotonic_ns();
	__u32 slot;

	while (e->evicting < n && next_candidate(farm, now_ns, &slot)) {
		have_looked_at(farm, slot, SKEP_RELEASED_EVICTED);
		if (!farm->warm[slot].look)
			return; /* too many looks wait */
		e->evicting++;
	}
}

/* Only those that are idle still: frames may have come while the keeper looked. */
static void release_idle(struct farm *farm, __u32 slot)
{
	const struct warm *warm = &farm->warm[slot];
	__u64 now_ns = monotonic_ns();

	for (unsigned int i = warm->n_addresses; i--;) {
		const struct skep_addr address = warm->addresses[i];
		const struct range_config *range = bind_range_of(farm, &address);
		struct skep_lease lease;

		if (range && !datapath_lease(farm->dp, &address, &lease) &&
		    is_over(last_seen_ns(warm, &lease), now_ns, range->idle_timeout))
			bind_release(farm, slot, address, SKEP_RELEASED_IDLE);
	}
}

void expire_looked(struct farm *farm, __u32 slot, bool busy)
{
	struct warm *warm = &farm->warm[slot];
	const enum skep_verdict why = warm->look;

	warm->look = 0;
	if (why == SKEP_RELEASED_EVICTED)
		farm->expiry.evicting--;
	if (!why || pool_state(farm->pool, slot) != SKEP_STATE_BOUND ||
	    datapath_is_panicked(farm->dp))
		return;
	if (busy) {
		warm->looked_ns = monotonic_ns();
		farm_count(farm, SKEP_KEPT_CONNECTION, NULL);
		make_room(farm); /* elsewhere */
	} else if (why == SKEP_RELEASED_IDLE) {
		release_idle(farm, slot);
	} else if (may_evict(farm, slot, monotonic_ns())) {
		bind_release_slot(farm, slot, SKEP_RELEASED_EVICTED);
	}
}
