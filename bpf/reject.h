/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Refusals as a network sends them: a reset from the other side (RFC 9293, 3.10.7.1), or an ICMP
 * error that quotes the packet (RFC 792, RFC 1122 3.2.2). Pure: from the first bytes of the refused
 * frame to the whole of the answer.
 */
#ifndef SKEP_BPF_REJECT_H
#define SKEP_BPF_REJECT_H

#include "checksum.h"
#include "packet.h"

#define REJECT_READ (PACKET_IP_AT + sizeof(struct packet_ip) + sizeof(struct packet_tcp))
#define REJECT_QUOTE (sizeof(struct packet_ip) + sizeof(struct packet_udp))
#define REJECT_RST_LEN REJECT_READ
#define REJECT_ICMP_LEN \
	(PACKET_IP_AT + sizeof(struct packet_ip) + sizeof(struct packet_icmp) + REJECT_QUOTE)

#define REJECT_HOST 1 /* codes of ICMP_UNREACHABLE */
#define REJECT_PORT 3

struct reject_rst {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
	struct packet_ip ip;
	struct packet_tcp tcp;
} __attribute__((packed, aligned(2)));

struct reject_icmp {
	__u8 dst[6];
	__u8 src[6];
	__be16 type;
	struct packet_ip ip;
	struct packet_icmp icmp;
	__u8 quote[REJECT_QUOTE];
} __attribute__((packed, aligned(2)));

/* As if it had come from a few routers away, the same number for each address. */
PARSE_INLINE __u8 reject_ttl(const __u8 from[4])
{
	return 64 - 4 - ((from[0] ^ from[1] ^ from[2] ^ from[3]) & 7);
}

PARSE_INLINE void reject_ip(struct packet_ip *ip, __u8 protocol, const __u8 src[4],
			    const __u8 dst[4], __u16 len)
{
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version_ihl = 0x45;
	ip->len = parse_htons(len);
	ip->fragment = parse_htons(0x4000);
	ip->ttl = reject_ttl(src);
	ip->protocol = protocol;
	__builtin_memcpy(ip->src, src, 4);
	__builtin_memcpy(ip->dst, dst, 4);
	ip->sum = checksum_end(checksum_add(0, ip, sizeof(*ip)));
}

PARSE_INLINE __u32 reject_load32(const __u8 at[4])
{
	return (__u32)at[0] << 24 | (__u32)at[1] << 16 | (__u32)at[2] << 8 | at[3];
}

PARSE_INLINE void reject_store32(__u8 at[4], __u32 value)
{
	at[0] = value >> 24;
	at[1] = value >> 16;
	at[2] = value >> 8;
	at[3] = value;
}

PARSE_INLINE void reject_numbers(const struct packet_tcp *in, __u32 data, struct packet_tcp *out)
{
	const __u32 sent = data + !!(in->flags & TCP_SYN) + !!(in->flags & TCP_FIN);

	out->flags = TCP_RST;
	if (in->flags & TCP_ACK) {
		__builtin_memcpy(out->seq, in->ack, 4);
		return;
	}
	out->flags |= TCP_ACK;
	reject_store32(out->ack, reject_load32(in->seq) + sent);
}

/** reject_tcp() - the reset that answers @in; only for packets that are none themselves */
PARSE_INLINE void reject_tcp(const struct reject_rst *in, struct reject_rst *out)
{
	__u32 data = parse_htons(in->ip.len) - sizeof(in->ip) - (in->tcp.offset >> 4) * 4;
	__u32 sum;

	__builtin_memcpy(out->dst, in->src, 6);
	__builtin_memcpy(out->src, in->dst, 6);
	out->type = in->type;
	reject_ip(&out->ip, PACKET_TCP, in->ip.dst, in->ip.src, sizeof(out->ip) + sizeof(out->tcp));
	__builtin_memset(&out->tcp, 0, sizeof(out->tcp));
	out->tcp.source = in->tcp.dest;
	out->tcp.dest = in->tcp.source;
	out->tcp.offset = sizeof(out->tcp) / 4 << 4;
	reject_numbers(&in->tcp, data, &out->tcp);
	sum = checksum_add(parse_htons(PACKET_TCP) + parse_htons(sizeof(out->tcp)), out->ip.src, 8);
	out->tcp.sum = checksum_end(checksum_add(sum, &out->tcp, sizeof(out->tcp)));
}

/**
 * reject_with_icmp() - "unreachable" for the packet in @in
 * @from: who says so
 * @code: REJECT_HOST or REJECT_PORT
 */
PARSE_INLINE void reject_with_icmp(const struct reject_rst *in, union skep_ipv4 from, __u8 code,
				   struct reject_icmp *out)
{
	__u32 sum;

	__builtin_memcpy(out->dst, in->src, 6);
	__builtin_memcpy(out->src, in->dst, 6);
	out->type = in->type;
	reject_ip(&out->ip, PACKET_ICMP, from.octet, in->ip.src, REJECT_ICMP_LEN - PACKET_IP_AT);
	__builtin_memset(&out->icmp, 0, sizeof(out->icmp));
	out->icmp.type = ICMP_UNREACHABLE;
	out->icmp.code = code;
	__builtin_memcpy(out->quote, &in->ip, REJECT_QUOTE);
	sum = checksum_add(0, &out->icmp, sizeof(out->icmp));
	out->icmp.sum = checksum_end(checksum_add(sum, out->quote, sizeof(out->quote)));
}

/* The address that was refused. */
PARSE_INLINE union skep_ipv4 reject_target(const struct reject_rst *in)
{
	union skep_ipv4 ip;

	__builtin_memcpy(ip.octet, in->ip.dst, sizeof(ip.octet));
	return ip;
}

#endif
