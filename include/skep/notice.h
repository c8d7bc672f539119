/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring record of `notices`: the port program tells what it refused. At most one a second of
 * each container and verdict; what comes meanwhile is counted in the next.
 */
#ifndef SKEP_NOTICE_H
#define SKEP_NOTICE_H

#include "skep/maps.h"

#define SKEP_NOTICES_SIZE (1U << 16) /* bytes of the ring */
#define SKEP_NOTICE_GATES_MAX 16384

/**
 * struct skep_notice - a refused packet
 * @seen_ns:     when (CLOCK_MONOTONIC)
 * @address:     the container's; zero when the farm is meant
 * @remote:      where to; zero when the frame does not say
 * @remote_port: network byte order; 0 for none
 * @protocol:    IPPROTO_*; 0 when it was not looked at
 * @hits:        the rule, as in struct skep_rule; SKEP_NOTICE_NO_RULE
 * @verdict:     enum skep_verdict
 * @count:       packets since the last record of this kind, this one included
 * @port:        ifindex of the container's port, 0 when the farm is meant
 * @policy:      slot of the policy; 0 when none was asked
 */
struct skep_notice {
	__u64 seen_ns;
	struct skep_addr address;
	union skep_ipv4 remote;
	__be16 remote_port;
	__u8 protocol;
	__u8 hits;
	__u32 verdict;
	__u32 count;
	__u32 port;
	__u32 policy;
};

#define SKEP_NOTICE_NO_RULE 0xff

/** struct skep_notice_key - key of `notice_gates`: @port is 0 for the farm */
struct skep_notice_key {
	__u32 port;
	__u32 verdict;
};

/**
 * struct skep_notice_gate - value of `notice_gates`
 * @last_ns: when the last record was written
 * @count:   packets since; approximate when several CPUs count at once
 */
struct skep_notice_gate {
	__u64 last_ns;
	__u64 count;
};

SKEP_STATIC_ASSERT(sizeof(struct skep_notice) == 40);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_notice, policy) == 36);
SKEP_STATIC_ASSERT(sizeof(struct skep_notice_key) == 8);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_notice_key, verdict) == 4);
SKEP_STATIC_ASSERT(sizeof(struct skep_notice_gate) == 16);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_notice_gate, count) == 8);

#endif
