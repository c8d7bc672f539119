/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The policies in the kernel: which one a port has, what its rules count, and what those that limit
 * have left for a container.
 */
#ifndef SKEP_BPF_POLICY_H
#define SKEP_BPF_POLICY_H

#include "budget.h"
#include "farm.h"
#include "flow_state.h"
#include "maps.bpf.h"
#include "rules.h"

#define POLICY_MINUTE (60 * FLOW_SECOND)
#define POLICY_KIB_BURST 72 /* the largest packet that a container hands over, once it is cut */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_POLICY_SLOTS);
	__type(key, __u32);
	__type(value, struct skep_policy);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} policies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SKEP_POLICY_SLOTS *SKEP_POLICY_HITS);
	__type(key, __u32);
	__type(value, struct skep_hits);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} policy_hits SEC(".maps");

/* The budgets of rules that limit. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_LIMITS_MAX);
	__type(key, struct skep_limit_key);
	__type(value, struct skep_limit);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} limits SEC(".maps");

/* To whom limited containers have sent in which minute; one that is forgotten counts again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_DESTINATIONS_MAX);
	__type(key, struct skep_destination);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} destinations SEC(".maps");

/* SKEP_PORT_OUT_IP when an address may be sent to at all. */
static __always_inline enum skep_verdict policy_guard(union skep_ipv4 remote)
{
	if (remote.octet[0] == 169 && remote.octet[1] == 254)
		return SKEP_PORT_DROP_LOCAL;
	switch (farm_kind(remote)) {
	case SKEP_FARM_OUTSIDE:
		return SKEP_PORT_OUT_IP;
	case SKEP_FARM_BOX:
		return SKEP_PORT_DROP_BOX;
	default:
		return SKEP_PORT_DROP_FARM;
	}
}

/* rules_match(), verified once. The kernel passes functions that are not static no NULL unless we
 * do; it only does not know. */
__noinline int policy_match(const struct skep_policy *policy, __u32 protocol, __u32 port,
			    __u32 remote)
{
	const union skep_ipv4 ip = {.addr = remote};

	return policy ? rules_match(policy, protocol, port, ip) : SKEP_RULES_MAX;
}

/* rules_reach(), likewise. */
__noinline int policy_reach(const struct skep_policy *policy, __u32 remote)
{
	const union skep_ipv4 ip = {.addr = remote};

	return policy ? rules_reach(policy, ip) : SKEP_RULES_MAX;
}

/* Whether somebody who is not of the farm has this address, in the middle of a range. */
static __always_inline bool policy_is_host(const struct skep_addr *local, union skep_ipv4 remote,
					   __u64 now)
{
	const struct skep_addr address = {
		.ip = remote,
		.vlan = local->vlan,
		.uplink = local->uplink,
	};
	const struct skep_host *host = bpf_map_lookup_elem(&hosts, &address);

	return host && now < host->until_ns;
}

/* For those who have called: of the farm's own addresses, hosts may be answered. */
static __always_inline enum skep_verdict policy_guard_caller(const struct skep_addr *local,
							     union skep_ipv4 remote, __u64 now)
{
	enum skep_verdict verdict = policy_guard(remote);

	return verdict == SKEP_PORT_DROP_FARM && policy_is_host(local, remote, now)
		       ? SKEP_PORT_OUT_IP
		       : verdict;
}

static __always_inline void policy_count(__u32 slot, __u32 hits, __u32 packets, __u32 bytes,
					 bool flow)
{
	__u32 index = slot * SKEP_POLICY_HITS + hits;
	struct skep_hits *value = bpf_map_lookup_elem(&policy_hits, &index);

	if (!value)
		return;
	value->packets += packets;
	value->bytes += bytes;
	value->flows += flow;
}

/* Linux 6.1 takes no key that came by pointer to a function that is not static, hence the copy. */
static __always_inline struct skep_limit *limit_bucket(const struct skep_limit_key *key)
{
	struct skep_limit_key at = *key;
	struct skep_limit *limit = bpf_map_lookup_elem(&limits, &at), full = {};

	if (limit)
		return limit;
	bpf_map_update_elem(&limits, &at, &full, BPF_NOEXIST);
	return bpf_map_lookup_elem(&limits, &at);
}

/**
 * struct sending - a packet that would take from a limit
 * @flow: it begins one
 */
struct sending {
	__u64 now;
	union skep_ipv4 remote;
	__u32 packets;
	__u32 bytes;
	__u32 flow;
};

/* Whether one more destination is within the limit, or it is not one more. */
static __always_inline bool limit_destination(struct skep_limit *limit,
					      const struct skep_limit_key *key,
					      const struct sending *what, __u32 most)
{
	struct skep_destination to = {.limit = *key, .remote = what->remote};
	__u32 minute = what->now / POLICY_MINUTE, *seen = bpf_map_lookup_elem(&destinations, &to);

	if (limit->minute != minute) {
		limit->minute = minute;
		limit->destinations = 0;
	} else if (seen && *seen == minute) {
		return true;
	}
	if (limit->destinations >= most)
		return false;
	if (bpf_map_update_elem(&destinations, &to, &minute, BPF_ANY))
		return false;
	__sync_fetch_and_add(&limit->destinations, 1);
	return true;
}

static __always_inline bool limit_flow(const struct skep_rule *rule, struct skep_limit *limit,
				       const struct skep_limit_key *key, const struct sending *what)
{
	if (rule->destinations && !limit_destination(limit, key, what, rule->destinations))
		return false;
	return !rule->flow_interval_ns ||
	       budget_take(&limit->flows, what->now, rule->flow_interval_ns, FLOW_SECOND);
}

static __always_inline bool limit_bytes(const struct skep_rule *rule, struct skep_limit *limit,
					const struct sending *what)
{
	const __u64 burst = rule->kib_interval_ns * POLICY_KIB_BURST;

	return budget_take(&limit->bytes, what->now, rule->kib_interval_ns * what->bytes >> 10,
			   burst > FLOW_SECOND ? burst : FLOW_SECOND);
}

/** limit_take() - whether a packet is within what a rule lets a container send. */
__noinline int limit_take(const struct skep_rule *rule, const struct skep_limit_key *key,
			  const struct sending *what)
{
	struct skep_limit *limit;

	if (!rule || !key || !what)
		return false;
	limit = limit_bucket(key);
	if (!limit || (what->flow && !limit_flow(rule, limit, key, what)))
		return false;
	if (rule->packet_interval_ns &&
	    !budget_take(&limit->packets, what->now, rule->packet_interval_ns * what->packets,
			 FLOW_SECOND))
		return false;
	return !rule->kib_interval_ns || limit_bytes(rule, limit, what);
}

/** limit_ask() - whether a container may ask by ARP for somebody whom a rule lets it send to. */
__noinline int limit_ask(const struct skep_rule *rule, const struct skep_limit_key *key,
			 const struct sending *what)
{
	struct skep_limit *limit;

	if (!rule || !key || !what)
		return false;
	limit = limit_bucket(key);
	return limit &&
	       (!rule->destinations || limit_destination(limit, key, what, rule->destinations));
}

#endif
