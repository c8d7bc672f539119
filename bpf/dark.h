/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Dark addresses: whether one may be bound, and whether whoever asks for it is allowed a bind just
 * now. Nothing here gives anything away; see bind.h.
 */
#ifndef SKEP_BPF_DARK_H
#define SKEP_BPF_DARK_H

#include "budget.h"
#include "hosts.h"
#include "keyed.h"
#include "maps.bpf.h"
#include "parse.h"
#include "patience.h"
#include "would_claim.h"

/* What is left of the farm's budget of binds, and of each requester's; see budget.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} bind_budget SEC(".maps");

/* Those who have asked for nothing for longest are forgotten first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_REQUESTERS_MAX);
	__type(key, struct skep_addr); /* the requester, and where it is */
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} requesters SEC(".maps");

/* Who has asked once, where that does not suffice. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_PAIRS_MAX);
	__type(key, struct skep_pair);
	__type(value, struct skep_patience);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} patience SEC(".maps");

/* Only a plain who-has, or IPv4 that could be answered, asks for a bind. */
static __always_inline enum skep_verdict asks_for(const struct frame *f)
{
	switch (f->kind) {
	case FRAME_WHO_HAS:
		return SKEP_ASK_ARP;
	case FRAME_PROBE:
		return SKEP_PASS_ARP_PROBE;
	case FRAME_GRATUITOUS:
		return SKEP_PASS_ARP_GRATUITOUS;
	case FRAME_IS_AT:
		return SKEP_PASS_ARP_REPLY;
	}
	if (parse_mac_is_group(f->dst))
		return SKEP_PASS_IP_GROUP;
	if (!parse_addr_is_station(f->sender) || parse_mac_is_group(f->src))
		return SKEP_PASS_IP_SENDER;
	return SKEP_ASK_IP;
}

/** dark_sender_range() - the range that a frame's sender has its address from, or NULL */
static __always_inline const struct skep_range *dark_sender_range(const struct frame *f,
								  __u16 uplink)
{
	const struct skep_addr sender = {
		.ip = f->sender,
		.vlan = f->vlan,
		.uplink = uplink,
	};

	return hosts_range(&sender);
}

/** dark_is_nobody() - whether an address is a network's or broadcasts', which no machine has */
static __always_inline bool dark_is_nobody(const struct skep_range *range)
{
	return range && range->flags & SKEP_RANGE_NOBODY;
}

/* One decoy's link address must not lead to the others. */
static __always_inline bool is_to_wrong_mac(const struct skep_settings *s,
					    const struct skep_addr *address, const struct frame *f)
{
	__u8 mac[6] __attribute__((aligned(2)));

	if (parse_mac_is_group(f->dst))
		return false;
	keyed_mac(s->key, (const __u8(*)[3])s->ouis, s->n_ouis, address->ip, address->vlan, mac);
	return !parse_mac_equal(f->dst, mac);
}

static __always_inline bool is_verified(const struct skep_range *range, union skep_ipv4 ip)
{
	const struct skep_verify *v;

	if (!(range->flags & SKEP_RANGE_VERIFY))
		return true;
	v = hosts_verified(range, ip);
	return v && v->quiet >= range->quiet;
}

static __always_inline bool has_waited(const struct skep_range *range,
				       const struct skep_addr *address, const struct frame *f)
{
	const struct skep_pair pair = {.address = *address, .other = f->sender};
	struct skep_patience *known, first = {.first_ns = bpf_ktime_get_ns()};

	first.last_ns = first.first_ns;
	known = bpf_map_lookup_elem(&patience, &pair);
	if (known)
		return patience_is_over(known, first.first_ns, range->patience_ms);
	bpf_map_update_elem(&patience, &pair, &first, BPF_ANY);
	return false;
}

/* Whether what asks for the address gets it. */
static __always_inline enum skep_verdict may_have(const struct skep_settings *s,
						  const struct skep_range *range,
						  const struct skep_addr *address,
						  const struct frame *f, enum skep_verdict verdict)
{
	if (!is_verified(range, address->ip))
		return SKEP_PASS_UNVERIFIED;
	if (verdict == SKEP_ASK_IP && dark_is_nobody(dark_sender_range(f, address->uplink)))
		return SKEP_PASS_IP_SENDER;
	if (is_to_wrong_mac(s, address, f))
		return SKEP_DROP_WRONG_MAC;
	if (range->patience_ms && !has_waited(range, address, f))
		return SKEP_PASS_PATIENCE;
	if (s->flags & SKEP_SETTING_DRY_RUN) {
		would_claim_note(address, f->sender);
		return SKEP_PASS_WOULD_CLAIM;
	}
	return verdict;
}

/**
 * dark() - what becomes of a frame to an address without a lease
 * @ret_range: the address's, when it may be bound
 *
 * A function of its own for the verifier's sake, as dark_admit() is. Return: SKEP_ASK_ARP or
 * SKEP_ASK_IP if the address is to be bound, or the verdict on a frame that binds nothing.
 */
static __noinline enum skep_verdict dark(const struct skep_settings *s,
					 const struct skep_addr *address, const struct frame *f,
					 const struct skep_range **ret_range)
{
	const struct skep_range *range = hosts_range(address);
	const struct skep_host *host;
	enum skep_verdict verdict;
	__u64 now = 0;

	if (!range || !s)
		return SKEP_PASS_NO_RANGE;
	if (range->flags & SKEP_RANGE_EXCLUDED)
		return SKEP_PASS_EXCLUDED;
	if (s->flags & SKEP_SETTING_PANIC)
		return SKEP_PASS_PANIC;
	if (!keyed_lives(s->key, address->ip, address->vlan, range->density))
		return SKEP_PASS_DENSITY;
	host = hosts_on(address, &now);
	if (host && hosts_hands_on(host, f, now))
		return SKEP_PASS_HANDED_ON;
	verdict = asks_for(f);
	if (verdict != SKEP_ASK_ARP && verdict != SKEP_ASK_IP)
		return verdict;
	if (host)
		return SKEP_PASS_HOST;
	*ret_range = range;
	return may_have(s, range, address, f, verdict);
}

/** dark_farm_may_bind() - takes one from the farm's budget alone */
static __always_inline bool dark_farm_may_bind(const struct skep_settings *s, __u64 now)
{
	__u32 only = 0;
	__u64 *tat = bpf_map_lookup_elem(&bind_budget, &only);

	return tat && budget_take(tat, now, s->bind_interval_ns, s->bind_burst_ns);
}

/** dark_requester() - key of `requesters`: who sent a frame, and where that is */
static __always_inline struct skep_addr dark_requester(const struct skep_addr *address,
						       const struct frame *f)
{
	return (struct skep_addr){
		.ip = f->sender,
		.vlan = address->vlan,
		.uplink = address->uplink,
	};
}

/* The bucket of a requester, a full one if it is new; NULL when the kernel has no room for it. */
static __always_inline __u64 *requester_bucket(const struct skep_addr *requester)
{
	__u64 *tat = bpf_map_lookup_elem(&requesters, requester), full = 0;

	if (tat)
		return tat;
	bpf_map_update_elem(&requesters, requester, &full, BPF_NOEXIST);
	return bpf_map_lookup_elem(&requesters, requester);
}

static __always_inline bool requester_may_bind(const struct skep_settings *s,
					       const struct skep_addr *address,
					       const struct frame *f, __u64 now)
{
	const struct skep_addr requester = dark_requester(address, f);
	__u64 *tat = requester_bucket(&requester);

	return tat && budget_take(tat, now, s->requester_interval_ns, s->requester_burst_ns);
}

/**
 * dark_admit() - takes a bind from the budgets
 * @verdict: of the frame that asks for it
 * @now:     CLOCK_MONOTONIC, nanoseconds
 *
 * The requester's own budget comes first: a single one must not use up the farm's. A function of
 * its own, or the verifier walks what comes after it twice as often. Return: @verdict, or the one
 * that says who may have no more binds.
 */
static __noinline enum skep_verdict dark_admit(const struct skep_addr *address,
					       const struct frame *f, enum skep_verdict verdict,
					       __u64 now)
{
	__u32 only = 0;
	const struct skep_settings *s = bpf_map_lookup_elem(&settings, &only);

	if (!s)
		return verdict;
	if (s->flags & SKEP_SETTING_DRAIN)
		return SKEP_PASS_DRAIN;
	if (s->requester_interval_ns && !requester_may_bind(s, address, f, now))
		return SKEP_DROP_BUDGET_REQUESTER;
	if (s->bind_interval_ns && !dark_farm_may_bind(s, now))
		return SKEP_DROP_BUDGET;
	return verdict;
}

#endif
