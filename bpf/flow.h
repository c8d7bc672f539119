/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The flows: both programs look a packet's flow up, begin one, and note what went by. A flow that
 * is over, or of an earlier lease of the address, counts as none. Nothing removes one: the kernel
 * forgets those first that were used least recently.
 */
#ifndef SKEP_BPF_FLOW_H
#define SKEP_BPF_FLOW_H

#include "flow_state.h"
#include "maps.bpf.h"

#define FLOW_PEER_NS (60 * FLOW_SECOND)

/* As many as the configuration says; skepd sets it before it loads the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_FLOWS_DEFAULT);
	__type(key, struct skep_flow_key);
	__type(value, struct skep_flow);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} flows SEC(".maps");

/* How answers find the flow that a rule has redirected; as many as there are flows. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_FLOWS_DEFAULT);
	__type(key, struct skep_flow_key);
	__type(value, struct skep_redirect);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} redirects SEC(".maps");

/* Who has talked to an address. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_PEERS_MAX);
	__type(key, struct skep_pair);
	__type(value, struct skep_peer);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} peers SEC(".maps");

static __always_inline struct skep_flow *flow_find(const struct skep_flow_key *key, __u64 lease,
						   __u64 now)
{
	struct skep_flow *flow = bpf_map_lookup_elem(&flows, key);

	return flow && flow->lease == lease && !flow_is_over(flow, key->protocol, now) ? flow
										       : NULL;
}

/* Static: of what other functions are given by pointer, Linux 6.1 takes nothing for a key. */
static __noinline int flow_insert(const struct skep_flow_key *key, __u64 lease, __u64 now,
				  __u32 origin)
{
	struct skep_flow flow = {
		.lease = lease,
		.first_ns = now,
		.last_ns = now,
		.origin = origin,
	};

	return bpf_map_update_elem(&flows, key, &flow, BPF_ANY);
}

/* A new flow without a packet; NULL when the kernel has no room. */
static __always_inline struct skep_flow *flow_begin(const struct skep_flow_key *key, __u64 lease,
						    __u64 now, __u8 origin)
{
	if (flow_insert(key, lease, now, origin))
		return NULL;
	return bpf_map_lookup_elem(&flows, key);
}

static __always_inline void flow_note_in(struct skep_flow *flow, const struct packet *p, __u64 now)
{
	const bool begun = flow->origin == SKEP_FLOW_OUTSIDE;

	flow->state = flow_step(p, flow->state, begun, flow->packets_out);
	flow->last_ns = now;
	flow->packets_in++;
	flow->bytes_in += p->len;
}

static __always_inline void flow_note_out(struct skep_flow *flow, const struct packet *p, __u64 now,
					  __u32 packets)
{
	const bool begun = flow->origin != SKEP_FLOW_OUTSIDE;

	flow->state = flow_step(p, flow->state, begun, flow->packets_in);
	flow->last_ns = now;
	flow->packets_out += packets;
	flow->bytes_out += p->len;
}

/* Once in a while is enough. */
static __always_inline void flow_tell_peer(struct skep_flow *flow, const struct skep_flow_key *key,
					   __u64 now)
{
	struct skep_pair pair = {.address = key->local, .other = key->remote};
	struct skep_peer peer = {.lease = flow->lease, .last_ns = now};

	flow->peer_ns = now;
	bpf_map_update_elem(&peers, &pair, &peer, BPF_ANY);
}

static __always_inline bool flow_is_peer(const struct skep_addr *address, union skep_ipv4 other,
					 __u64 lease, __u64 now)
{
	struct skep_pair pair = {.address = *address, .other = other};
	const struct skep_peer *peer = bpf_map_lookup_elem(&peers, &pair);

	return peer && peer->lease == lease && now < peer->last_ns + FLOW_TCP_OPEN + FLOW_PEER_NS;
}

#endif
