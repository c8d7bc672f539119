/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The dry run: what a farm that only watches would have bound, for whom and how often, and on which
 * of these addresses a host was heard afterwards.
 */
#ifndef SKEP_BPF_WOULD_CLAIM_H
#define SKEP_BPF_WOULD_CLAIM_H

#include "maps.bpf.h"

/* Those asked for longest ago are forgotten first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_PAIRS_MAX);
	__type(key, struct skep_pair);
	__type(value, struct skep_would);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} would_claim SEC(".maps");

static __always_inline void would_claim_add(const struct skep_pair *pair, __u64 now)
{
	struct skep_would *known = bpf_map_lookup_elem(&would_claim, pair);
	const struct skep_would first = {.first_ns = now, .last_ns = now, .count = 1};

	if (known) {
		known->last_ns = now;
		__sync_fetch_and_add(&known->count, 1);
	} else {
		bpf_map_update_elem(&would_claim, pair, &first, BPF_ANY);
	}
}

/** would_claim_note() - the address would have been bound, for this requester; in the sum as well
 */
static __always_inline void would_claim_note(const struct skep_addr *address,
					     union skep_ipv4 requester)
{
	struct skep_pair pair = {.address = *address, .other = requester};
	const __u64 now = bpf_ktime_get_ns();

	would_claim_add(&pair, now);
	pair.other.addr = 0;
	would_claim_add(&pair, now);
}

/** would_claim_conflict() - a host was heard on an address; counts if it would have been bound */
static __always_inline void would_claim_conflict(const struct skep_addr *address)
{
	const struct skep_pair sum = {.address = *address};
	struct skep_would *known = bpf_map_lookup_elem(&would_claim, &sum);

	if (known)
		__sync_fetch_and_add(&known->conflicts, 1);
}

#endif
