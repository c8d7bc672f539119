/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the uplink program does for the flows: whatever comes in to a lease begins or continues one,
 * and the answers to redirected packets get back the addresses that the container knows.
 */
#ifndef SKEP_BPF_FLOW_IN_H
#define SKEP_BPF_FLOW_IN_H

#include "checksum.h"
#include "flow.h"

/* Where the checksum of the transport protocol is, behind the start of its header. */
#define FLOW_TCP_SUM __builtin_offsetof(struct packet_tcp, sum)
#define FLOW_UDP_SUM __builtin_offsetof(struct packet_udp, sum)

/* UDP without a checksum stays without; one that comes out as 0 is sent as its complement. */
static __always_inline void flow_fix_sum(__u16 *sum, const struct skep_flow_key *key,
					 const struct skep_redirect *to)
{
	const bool udp = key->protocol == PACKET_UDP;
	__u16 s = *sum;

	if (udp && !s)
		return;
	s = checksum_replace32(s, key->remote.addr, to->remote.addr);
	s = checksum_replace16(s, key->remote_port, to->remote_port);
	s = checksum_replace16(s, key->local_port, to->local_port);
	*sum = udp && !s ? 0xffff : s;
}

/* An answer from where a rule has redirected to: it seems to come from where the container sent. */
static __noinline int flow_translate_in(struct xdp_md *ctx, const struct packet *p,
					const struct skep_flow_key *key,
					const struct skep_redirect *to)
{
	const __u32 sum_at = key->protocol == PACKET_TCP ? FLOW_TCP_SUM : FLOW_UDP_SUM;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct packet_ip *ip = data + PACKET_IP_AT;
	struct packet_udp *l4;
	__u16 *sum;
	__u32 at = p->at;

	if ((void *)(ip + 1) > end || at > PACKET_IP_AT + 60)
		return -1;
	l4 = data + at;
	sum = data + at + sum_at;
	if ((void *)(l4 + 1) > end || (void *)(sum + 1) > end)
		return -1;
	flow_fix_sum(sum, key, to);
	ip->sum = checksum_replace32(ip->sum, key->remote.addr, to->remote.addr);
	__builtin_memcpy(ip->src, to->remote.octet, sizeof(ip->src));
	l4->source = to->remote_port;
	l4->dest = to->local_port;
	return 0;
}

/* Packets of no flow: answers of a sinkhole, or somebody begins one. */
static __noinline int flow_in_unknown(struct xdp_md *ctx, const struct packet *p,
				      const struct skep_flow_key *key, __u64 lease, __u64 now)
{
	const struct skep_redirect *to = bpf_map_lookup_elem(&redirects, key);
	struct skep_flow *flow;

	if (to && to->lease == lease) {
		struct skep_flow_key inside = *key;

		inside.remote = to->remote;
		inside.remote_port = to->remote_port;
		inside.local_port = to->local_port;
		flow = flow_find(&inside, lease, now);
		if (!flow)
			return 0; /* what the container cannot know the other side by */
		flow_note_in(flow, p, now);
		return flow_translate_in(ctx, p, key, to);
	}
	if (!flow_may_begin(p))
		return 0;
	flow = flow_begin(key, lease, now, SKEP_FLOW_OUTSIDE);
	if (!flow)
		return 0; /* nor can the container answer */
	flow_note_in(flow, p, now);
	flow_tell_peer(flow, key, now);
	return 0;
}

/**
 * flow_in() - notes an IPv4 packet that goes to a lease's port, before it goes
 * @uplink: ordinal
 * @now:    coarse clock
 *
 * The frame has no tag any more. May write to it, so packet pointers are void afterwards. Return:
 * 0, or negative when the frame must not go on.
 */
static __always_inline int flow_in(struct xdp_md *ctx, __u16 uplink, const struct frame *f,
				   const struct skep_lease *lease, const __u64 now)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct skep_flow_key key = {
		.local = {.ip = f->target, .vlan = f->vlan, .uplink = uplink},
		.remote = f->sender,
	};
	struct skep_flow *flow;
	struct packet p;

	switch (packet_parse(data, end, end - data, &p)) {
	case PACKET_OK:
	case PACKET_PROTOCOL:
		break;
	default:
		return 0; /* the container's own kernel will not like it either */
	}
	if (p.part == PACKET_LATER)
		return 0;
	if (p.protocol == PACKET_ICMP && !packet_is_query(p.flags) && !packet_is_reply(p.flags))
		return 0;
	flow_ports(&p, false, &key);
	flow = flow_find(&key, lease->id, now);
	if (!flow)
		return flow_in_unknown(ctx, &p, &key, lease->id, now);
	flow_note_in(flow, &p, now);
	if (now > flow->peer_ns + FLOW_PEER_NS && flow->origin == SKEP_FLOW_OUTSIDE)
		flow_tell_peer(flow, &key, now);
	return 0;
}

#endif
