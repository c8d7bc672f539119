/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Flows: who began to talk to whom. Both programs write them; like all of skep/maps.h.
 */
#ifndef SKEP_FLOW_H
#define SKEP_FLOW_H

#include "skep/maps.h"

#define SKEP_FLOWS_DEFAULT 131072
#define SKEP_FRAGMENTS_MAX 16384
#define SKEP_PEERS_MAX 65536

/**
 * struct skep_flow_key - key of `flows` and `redirects`
 * @local:       the leased address
 * @remote:      the other one
 * @local_port:  network byte order; ICMP: the query's id; 0 for protocols without ports
 * @remote_port: likewise; ICMP: the query's type, and SKEP_FLOW_OURS when the container asked
 * @protocol:    IPPROTO_*
 */
struct skep_flow_key {
	struct skep_addr local;
	union skep_ipv4 remote;
	__be16 local_port;
	__be16 remote_port;
	__u8 protocol;
	__u8 pad[3];
};

#define SKEP_FLOW_OURS 0x100 /* host order */

enum skep_flow_origin {
	SKEP_FLOW_OUTSIDE,   /* somebody outside began: the container may answer */
	SKEP_FLOW_INSIDE,    /* the container began, and a rule lets it */
	SKEP_FLOW_REFLECTED, /* the container began, and another container plays the other side */
};

enum skep_flow_state {
	SKEP_FLOW_OPENING, /* TCP: no handshake was completed yet */
	SKEP_FLOW_OPEN,	   /* both have spoken */
	SKEP_FLOW_CLOSING, /* TCP: a FIN or RST was seen */
};

/**
 * struct skep_flow - value of `flows`
 * @lease:       id of the lease it belongs to; one of an earlier lease says nothing
 * @first_ns:    its first packet (coarse clock, as all times here)
 * @last_ns:     its last packet, either way
 * @peer_ns:     when `peers` was last told
 * @packets_in, @bytes_in: from the remote side; IP packets, all of the frame
 * @packets_out, @bytes_out: from the container
 * @state:       enum skep_flow_state
 * @origin:      enum skep_flow_origin
 * @rule:        INSIDE: index into the rules of the policy; SKEP_RULES_MAX for its last
 *               word
 * @flags:       SKEP_FLOW_CHECKED, SKEP_FLOW_REDIRECTED
 * @serial:      INSIDE: of the policy that this rule is in
 * @wire:        SKEP_FLOW_REDIRECTED: the remote side as it is on the wire
 * @wire_port:   likewise
 * @wire_local:  and the port that the container's packets leave from
 */
struct skep_flow {
	__u64 lease;
	__u64 first_ns;
	__u64 last_ns;
	__u64 peer_ns;
	__u64 packets_in;
	__u64 bytes_in;
	__u64 packets_out;
	__u64 bytes_out;
	__u8 state;
	__u8 origin;
	__u8 rule;
	__u8 flags;
	__u32 serial;
	union skep_ipv4 wire;
	__be16 wire_port;
	__be16 wire_local;
};

#define SKEP_FLOW_CHECKED (1U << 0) /* the remote side is neither the farm nor the box */
#define SKEP_FLOW_REDIRECTED (1U << 1)

/**
 * struct skep_redirect - value of `redirects`: what the container knows the remote side by. The key
 * is as packets come in from the wire.
 * @remote, @remote_port: where the container sends to
 * @local_port:           from which port of its own
 * @lease:                id of the lease
 */
struct skep_redirect {
	union skep_ipv4 remote;
	__be16 remote_port;
	__be16 local_port;
	__u64 lease;
};

/**
 * struct skep_fragment_key - key of `fragments`: a datagram whose first fragment was let out
 * @local:    the leased address
 * @remote:   where to
 * @id:       of the datagram
 * @protocol: IPPROTO_*
 */
struct skep_fragment_key {
	struct skep_addr local;
	union skep_ipv4 remote;
	__be16 id;
	__u8 protocol;
	__u8 pad;
};

/**
 * struct skep_fragment - value of `fragments`: what became of the first one holds for the others
 * @lease:    id of the lease; one of an earlier lease says nothing
 * @until_ns: and not later than this
 * @verdict:  enum skep_verdict
 * @wire:     where it was redirected to; 0 for where it is addressed to
 * @serial:   of the policy, when a rule let it out; else 0
 * @rule:     that rule, as in struct skep_flow
 */
struct skep_fragment {
	__u64 lease;
	__u64 until_ns;
	__u32 verdict;
	union skep_ipv4 wire;
	__u32 serial;
	__u32 rule;
};

/**
 * struct skep_peer - value of `peers`, by struct skep_pair: somebody who has talked to an address,
 * and whom it may ask for by ARP
 * @lease:   id of the lease
 * @last_ns: last sign, at most a minute old while he talks
 */
struct skep_peer {
	__u64 lease;
	__u64 last_ns;
};

SKEP_STATIC_ASSERT(sizeof(struct skep_flow_key) == 20);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_flow_key, pad) == 17);
SKEP_STATIC_ASSERT(sizeof(struct skep_flow) == 80);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_flow, wire_local) == 78);
SKEP_STATIC_ASSERT(sizeof(struct skep_redirect) == 16);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_redirect, lease) == 8);
SKEP_STATIC_ASSERT(sizeof(struct skep_fragment_key) == 16);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_fragment_key, pad) == 15);
SKEP_STATIC_ASSERT(sizeof(struct skep_fragment) == 32);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_fragment, rule) == 28);
SKEP_STATIC_ASSERT(sizeof(struct skep_peer) == 16);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_peer, last_ns) == 8);

#endif
