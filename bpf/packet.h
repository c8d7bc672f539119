/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading what is inside an IPv4 frame: ports, TCP flags, ICMP types, fragments. Pure, as parse.h.
 *
 * A first fragment must hold the whole header of its transport protocol, and no later one may begin
 * inside of it (RFC 1858, RFC 3128): so what the first one says holds for all.
 */
#ifndef SKEP_BPF_PACKET_H
#define SKEP_BPF_PACKET_H

#include "parse.h"

#define PACKET_ICMP 1
#define PACKET_TCP 6
#define PACKET_UDP 17

#define PACKET_IP_AT sizeof(struct ethhdr) /* in a frame without a tag */

/* RFC 792 */
#define ICMP_REPLY_TO_ECHO 0
#define ICMP_UNREACHABLE 3
#define ICMP_ASK_ECHO 8
#define ICMP_EXCEEDED 11
#define ICMP_PARAMETER 12
#define ICMP_ASK_TIME 13
#define ICMP_REPLY_TO_TIME 14

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

enum packet_fault {
	PACKET_OK,
	PACKET_TRUNCATED, /* lengths that contradict each other, or the frame */
	PACKET_PROTOCOL,  /* neither TCP, UDP nor ICMP; ports are 0 */
	PACKET_FRAGMENT,  /* tiny, or overlapping */
};

enum packet_part { PACKET_WHOLE, PACKET_FIRST, PACKET_LATER };

/**
 * struct packet - what an IPv4 packet says
 * @source, @dest: ports, network byte order; ICMP: the id of a query, and 0; of PACKET_LATER both 0
 * @id:       of the datagram that this is a fragment of
 * @at:       where the transport header is in the frame
 * @len:      of the IPv4 packet
 * @header:   of IPv4 and transport protocol together; of PACKET_LATER of IPv4 alone
 * @protocol: IPPROTO_*
 * @flags:    TCP's; ICMP: the type
 * @part:     enum packet_part
 * @options:  the IPv4 header has some
 */
struct packet {
	__be16 source;
	__be16 dest;
	__be16 id;
	__u16 at;
	__u16 len;
	__u8 header;
	__u8 protocol;
	__u8 flags;
	__u8 part;
	__u8 options;
};

/* RFC 791; see struct parse_ip. */
struct packet_ip {
	__u8 version_ihl;
	__u8 tos;
	__be16 len;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__be16 sum;
	__u8 src[4];
	__u8 dst[4];
};

/* RFC 9293 */
struct packet_tcp {
	__be16 source;
	__be16 dest;
	__u8 seq[4];
	__u8 ack[4];
	__u8 offset;
	__u8 flags;
	__be16 window;
	__be16 sum;
	__be16 urgent;
};

struct packet_udp {
	__be16 source;
	__be16 dest;
	__be16 len;
	__be16 sum;
};

struct packet_icmp {
	__u8 type;
	__u8 code;
	__be16 sum;
	__be16 id;
	__be16 sequence;
};

PARSE_INLINE bool packet_ip_equal(const __u8 a[4], union skep_ipv4 b)
{
	return a[0] == b.octet[0] && a[1] == b.octet[1] && a[2] == b.octet[2] && a[3] == b.octet[3];
}

PARSE_INLINE bool packet_is_query(__u8 type)
{
	return type == ICMP_ASK_ECHO || type == ICMP_ASK_TIME;
}

PARSE_INLINE bool packet_is_reply(__u8 type)
{
	return type == ICMP_REPLY_TO_ECHO || type == ICMP_REPLY_TO_TIME;
}

/* The least that a first fragment holds of the protocol. */
PARSE_INLINE __u32 packet_header(__u8 protocol)
{
	return protocol == PACKET_TCP ? sizeof(struct packet_tcp) : sizeof(struct packet_udp);
}

PARSE_INLINE enum packet_fault packet_tcp(const struct packet_tcp *tcp, const void *end,
					  __u32 payload, struct packet *p)
{
	if ((const void *)(tcp + 1) > end)
		return PACKET_TRUNCATED;
	if ((tcp->offset >> 4) * 4U < sizeof(*tcp) || (tcp->offset >> 4) * 4U > payload)
		return PACKET_TRUNCATED;
	p->source = tcp->source;
	p->dest = tcp->dest;
	p->flags = tcp->flags;
	p->header += (tcp->offset >> 4) * 4;
	return PACKET_OK;
}

PARSE_INLINE enum packet_fault packet_udp(const struct packet_udp *udp, const void *end,
					  __u32 payload, struct packet *p)
{
	if ((const void *)(udp + 1) > end)
		return PACKET_TRUNCATED;
	if (parse_htons(udp->len) < sizeof(*udp) ||
	    (p->part == PACKET_WHOLE && parse_htons(udp->len) > payload))
		return PACKET_TRUNCATED;
	p->source = udp->source;
	p->dest = udp->dest;
	p->header += sizeof(*udp);
	return PACKET_OK;
}

PARSE_INLINE enum packet_fault packet_icmp(const struct packet_icmp *icmp, const void *end,
					   struct packet *p)
{
	if ((const void *)(icmp + 1) > end)
		return PACKET_TRUNCATED;
	p->flags = icmp->type;
	p->header += sizeof(*icmp);
	if (packet_is_query(icmp->type) || packet_is_reply(icmp->type))
		p->source = icmp->id;
	return PACKET_OK;
}

/* @payload: bytes behind the IPv4 header, as that header says */
PARSE_INLINE enum packet_fault packet_transport(const void *at, const void *end, __u32 payload,
						struct packet *p)
{
	const bool known = p->protocol == PACKET_TCP || p->protocol == PACKET_UDP ||
			   p->protocol == PACKET_ICMP;

	if (!known)
		return PACKET_PROTOCOL;
	if (payload < packet_header(p->protocol))
		return p->part == PACKET_WHOLE ? PACKET_TRUNCATED : PACKET_FRAGMENT;
	if (p->protocol == PACKET_TCP)
		return packet_tcp(at, end, payload, p);
	if (p->protocol == PACKET_UDP)
		return packet_udp(at, end, payload, p);
	return packet_icmp(at, end, p);
}

PARSE_INLINE enum packet_fault packet_later(__u32 offset, struct packet *p)
{
	if (p->protocol != PACKET_TCP && p->protocol != PACKET_UDP && p->protocol != PACKET_ICMP)
		return PACKET_PROTOCOL;
	return offset < packet_header(p->protocol) ? PACKET_FRAGMENT : PACKET_OK;
}

/**
 * packet_parse() - reads the IPv4 packet in a frame that parse_frame() took and that has no tag
 * @frame_len: of the frame, which may go on behind @end
 * @p:         zeroed, then filled as far as the packet could be read
 *
 * Return: enum packet_fault. With PACKET_PROTOCOL all but the transport header was read.
 */
PARSE_INLINE enum packet_fault packet_parse(const void *data, const void *end, __u32 frame_len,
					    struct packet *p)
{
	const struct packet_ip *ip = data + PACKET_IP_AT;
	__u32 header, len, fragment;

	__builtin_memset(p, 0, sizeof(*p));
	if ((const void *)(ip + 1) > end)
		return PACKET_TRUNCATED;
	header = (ip->version_ihl & 0xf) * 4;
	len = parse_htons(ip->len);
	fragment = parse_htons(ip->fragment);
	p->len = len;
	p->at = PACKET_IP_AT + header;
	p->header = header;
	p->id = ip->id;
	p->protocol = ip->protocol;
	p->options = header > sizeof(*ip);
	if (header < sizeof(*ip) || len < header || len + PACKET_IP_AT > frame_len)
		return PACKET_TRUNCATED;
	if (fragment & 0x1fff) {
		p->part = PACKET_LATER;
		return packet_later((fragment & 0x1fff) * 8, p);
	}
	p->part = fragment & 0x2000 ? PACKET_FIRST : PACKET_WHOLE;
	return packet_transport((const void *)ip + header, end, len - header, p);
}

#endif
