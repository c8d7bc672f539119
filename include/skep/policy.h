/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Policies: what becomes of what a container sends on its own account, as the port program reads
 * it. Like all of skep/maps.h.
 */
#ifndef SKEP_POLICY_H
#define SKEP_POLICY_H

#include "skep/maps.h"

/*
 * A policy in use is never changed: a new version of it takes a free slot. So there are twice as
 * many slots as policies, and one that stays empty: whoever has no policy may send nothing.
 */
#define SKEP_POLICIES_MAX 31 /* in a configuration, with the default one */
#define SKEP_POLICY_SLOTS 64
#define SKEP_POLICY_NONE 0     /* the slot that stays empty */
#define SKEP_RULES_MAX 64      /* of one policy, one for each prefix, protocol and range of ports */
#define SKEP_RULE_NAMES_MAX 31 /* of one policy, as they stand in the configuration */
#define SKEP_POLICY_HITS 32    /* each named rule, and what no rule matched */
#define SKEP_LIMITS_MAX 65536  /* buckets of rules that limit, one for each container */
#define SKEP_DESTINATIONS_MAX 65536

/* What becomes of a packet; the order is that of skep.conf(5). */
enum skep_rule_verdict {
	SKEP_RULE_DROP,
	SKEP_RULE_REJECT,
	SKEP_RULE_LIMIT,
	SKEP_RULE_REDIRECT,
	SKEP_RULE_REFLECT,
	SKEP_RULE_ALLOW,
	SKEP_RULE_VERDICTS,
};

/**
 * struct skep_rule - one rule; a packet that matches in all its fields has its verdict
 * @verdict:     enum skep_rule_verdict
 * @protocol:    IPPROTO_*, 0 for all three that may leave: TCP, UDP and ICMP
 * @hits:        which of the named rules it came from, slot in `policy_hits`
 * @first, @last: ports it is for, host order
 * @to:          destinations: addresses whose bits under @mask are these
 * @mask:        in network byte order
 * @redirect:    where a packet goes instead, with SKEP_RULE_REDIRECT
 * @redirect_port: likewise, network byte order; 0 for the port it had
 * @destinations: how many different addresses a container may send to in a minute; 0 for any number
 * @packet_interval_ns: with SKEP_RULE_LIMIT one packet may leave each so many nanoseconds; 0: any
 * @kib_interval_ns:    the same for each 1,024 bytes
 * @flow_interval_ns:   and for each new flow
 *
 * Each container has budgets of its own, which hold one second's worth.
 */
struct skep_rule {
	__u8 verdict;
	__u8 protocol;
	__u8 hits;
	__u8 pad;
	__u16 first;
	__u16 last;
	union skep_ipv4 to;
	__be32 mask;
	union skep_ipv4 redirect;
	__be16 redirect_port;
	__u16 pad2;
	__u32 destinations;
	__u32 pad3;
	__u64 packet_interval_ns;
	__u64 kib_interval_ns;
	__u64 flow_interval_ns;
};

/**
 * struct skep_policy - value of `policies`, by slot
 * @serial:  tells one policy in this slot from the next; 0 for a slot not in use
 * @n_rules: how many of @rules there are; the first one that matches decides
 * @verdict: enum skep_rule_verdict, of what no rule matches
 * @flags:   SKEP_POLICY_*
 * @name:    NUL-terminated
 * @names:   of the rules, as they stand in the configuration, by their @hits
 */
struct skep_policy {
	__u32 serial;
	__u16 n_rules;
	__u8 verdict;
	__u8 flags;
	char name[64];
	char names[SKEP_POLICY_HITS][32];
	struct skep_rule rules[SKEP_RULES_MAX];
};

#define SKEP_POLICY_REFLECTS (1U << 0) /* one of its verdicts is to reflect */

/**
 * struct skep_hits - value of `policy_hits`, per CPU, by slot of the policy times SKEP_POLICY_HITS
 * and @hits of the rule; the last of each is for what no rule matched
 */
struct skep_hits {
	__u64 packets;
	__u64 bytes;
	__u64 flows;
};

/**
 * struct skep_limit_key - key of `limits`: a container, and the rule that limits it
 * @port:   ifindex of its port
 * @serial: of the policy
 * @hits:   of the rule
 */
struct skep_limit_key {
	__u32 port;
	__u32 serial;
	__u32 hits;
};

/**
 * struct skep_limit - value of `limits`: how far the budgets are used up (see bpf/budget.h)
 * @packets, @bytes, @flows: theoretical arrival times
 * @minute:       since the machine started, that @destinations counts for
 * @destinations: different addresses in it
 */
struct skep_limit {
	__u64 packets;
	__u64 bytes;
	__u64 flows;
	__u32 minute;
	__u32 destinations;
};

/**
 * struct skep_destination - key of `destinations`: somebody that a limited container has sent to;
 * the value is the minute
 */
struct skep_destination {
	struct skep_limit_key limit;
	union skep_ipv4 remote;
};

/* What an address is to the farm as a whole, on whichever uplink and VLAN; value of `farm`. */
enum skep_farm_kind {
	SKEP_FARM_OUTSIDE, /* excluded from a range: somebody else's */
	SKEP_FARM_RANGE,   /* may be a container's */
	SKEP_FARM_BOX,	   /* the machine's own */
};

/** struct skep_farm_key - key of `farm` (longest prefix match): @prefixlen bits of @ip */
struct skep_farm_key {
	__u32 prefixlen;
	union skep_ipv4 ip;
};

SKEP_STATIC_ASSERT(sizeof(struct skep_rule) == 56);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_rule, flow_interval_ns) == 48);
SKEP_STATIC_ASSERT(sizeof(struct skep_policy) == 72 + 32 * SKEP_POLICY_HITS + 56 * SKEP_RULES_MAX);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_policy, rules) == 72 + 32 * SKEP_POLICY_HITS);
SKEP_STATIC_ASSERT(sizeof(struct skep_hits) == 24);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_hits, flows) == 16);
SKEP_STATIC_ASSERT(sizeof(struct skep_limit_key) == 12);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_limit_key, hits) == 8);
SKEP_STATIC_ASSERT(sizeof(struct skep_limit) == 32);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_limit, destinations) == 28);
SKEP_STATIC_ASSERT(sizeof(struct skep_destination) == 16);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_destination, remote) == 12);
SKEP_STATIC_ASSERT(sizeof(struct skep_farm_key) == 8);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_farm_key, ip) == 4);

#endif
