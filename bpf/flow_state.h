/* SPDX-License-Identifier: GPL-2.0 */
/* The life of a flow: which packets move it on, and how long it is remembered. Pure. */
#ifndef SKEP_BPF_FLOW_STATE_H
#define SKEP_BPF_FLOW_STATE_H

#include "packet.h"
#include "skep/flow.h"

#define FLOW_SECOND 1000000000ULL
#define FLOW_TCP_OPENING (60 * FLOW_SECOND)
#define FLOW_TCP_OPEN (7200 * FLOW_SECOND)
#define FLOW_TCP_CLOSING (120 * FLOW_SECOND)
#define FLOW_UDP (180 * FLOW_SECOND)
#define FLOW_OTHER (60 * FLOW_SECOND) /* ICMP, and what has no ports */

/** flow_timeout() - nanoseconds without a packet until a flow is forgotten */
PARSE_INLINE __u64 flow_timeout(__u8 protocol, __u8 state)
{
	if (protocol == PACKET_UDP)
		return FLOW_UDP;
	if (protocol != PACKET_TCP)
		return FLOW_OTHER;
	if (state == SKEP_FLOW_OPEN)
		return FLOW_TCP_OPEN;
	return state == SKEP_FLOW_OPENING ? FLOW_TCP_OPENING : FLOW_TCP_CLOSING;
}

PARSE_INLINE bool flow_is_over(const struct skep_flow *flow, __u8 protocol, __u64 now)
{
	return now > flow->last_ns + flow_timeout(protocol, flow->state);
}

/**
 * flow_step() - the state after a packet
 * @begun:    the packet comes from the side that began the flow
 * @answered: the other side has sent something before
 *
 * TCP is open when whoever began it has acknowledged an answer; sequence numbers are the
 * container's business.
 */
PARSE_INLINE __u8 flow_step(const struct packet *p, __u8 state, bool begun, bool answered)
{
	if (p->protocol != PACKET_TCP)
		return answered || !begun ? SKEP_FLOW_OPEN : state;
	if (p->flags & (TCP_FIN | TCP_RST))
		return SKEP_FLOW_CLOSING;
	if (begun && (p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return SKEP_FLOW_OPENING;
	if (state == SKEP_FLOW_OPENING && begun && answered && p->flags & TCP_ACK)
		return SKEP_FLOW_OPEN;
	return state;
}

/** flow_may_begin() - whether a packet of a flow that is not known begins one from outside */
PARSE_INLINE bool flow_may_begin(const struct packet *p)
{
	if (p->part == PACKET_LATER)
		return false;
	if (p->protocol == PACKET_TCP)
		return !(p->flags & TCP_RST);
	return p->protocol != PACKET_ICMP || packet_is_query(p->flags);
}

/** flow_answers() - whether a packet of the container can be part of a flow that began outside */
PARSE_INLINE bool flow_answers(const struct packet *p)
{
	if (p->protocol == PACKET_TCP)
		return (p->flags & (TCP_SYN | TCP_ACK)) != TCP_SYN;
	return p->protocol != PACKET_ICMP || packet_is_reply(p->flags);
}

/* Of the query, whichever of the two the packet is. */
PARSE_INLINE __u8 flow_query(__u8 type)
{
	if (type == ICMP_REPLY_TO_ECHO)
		return ICMP_ASK_ECHO;
	return type == ICMP_REPLY_TO_TIME ? ICMP_ASK_TIME : type;
}

/**
 * flow_ports() - the ports in a flow's key
 * @out: the container sent the packet
 *
 * A ping by the container and one by the other side are two flows, also when their ids are the
 * same.
 */
PARSE_INLINE void flow_ports(const struct packet *p, bool out, struct skep_flow_key *key)
{
	__u16 type;

	key->protocol = p->protocol;
	key->local_port = out ? p->source : p->dest;
	key->remote_port = out ? p->dest : p->source;
	if (p->protocol != PACKET_ICMP)
		return;
	type = flow_query(p->flags);
	if (out == packet_is_query(p->flags))
		type |= SKEP_FLOW_OURS;
	key->local_port = p->source;
	key->remote_port = parse_htons(type);
}

#endif
