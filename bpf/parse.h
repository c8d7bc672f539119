/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading frames: a pure function of (data, data_end), the same code in the kernel, in the unit
 * tests and in the fuzzer. It copies what is needed out of the frame, so nobody after it handles
 * packet pointers.
 *
 * ARP fields are checked as RFC 826 lays them out for Ethernet and IPv4; RFC 5227 names the probe
 * (sender address 0.0.0.0) and the announcement (sender address = target address).
 */
#ifndef SKEP_BPF_PARSE_H
#define SKEP_BPF_PARSE_H

#ifdef __bpf__
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#define parse_htons(x) bpf_htons(x)
#else
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <stdbool.h>
#define parse_htons(x) htons(x)
#endif

#include "skep/maps.h"
#include "skep/verdict.h"

#define PARSE_INLINE static inline __attribute__((always_inline))

#define PARSE_P_IP 0x0800
#define PARSE_P_ARP 0x0806
#define PARSE_P_8021Q 0x8100
#define PARSE_VID_MASK 0x0fff
#define PARSE_ARPOP_REQUEST 1
#define PARSE_ARPOP_REPLY 2

enum frame_kind {
	FRAME_WHO_HAS,	  /* ARP request */
	FRAME_PROBE,	  /* ARP request, sender 0.0.0.0 */
	FRAME_GRATUITOUS, /* ARP request or reply, sender = target */
	FRAME_IS_AT,	  /* ARP reply */
	FRAME_IPV4,
};

/**
 * struct frame - what a frame says
 * @dst, @src: Ethernet addresses
 * @kind:      enum frame_kind
 * @vlan:      802.1Q id, 0 when untagged or priority-tagged
 * @tagged:    the frame carries a tag (perhaps with id 0)
 * @protocol:  IPv4's: IPPROTO_*; else 0
 * @sender:    ARP sender or IPv4 source address
 * @target:    ARP target or IPv4 destination address
 * @sender_mac: ARP sender link address; IPv4: as @src
 */
struct frame {
	__u8 dst[6];
	__u8 src[6];
	__u8 sender_mac[6];
	__u8 kind;
	__u8 tagged;
	__u16 vlan;
	__u8 protocol;
	union skep_ipv4 sender;
	union skep_ipv4 target;
};

struct parse_tag {
	__be16 tci;
	__be16 proto;
};

/* RFC 826 for hardware type Ethernet, protocol IPv4; addresses are not aligned. */
struct parse_arp {
	__be16 hrd;
	__be16 pro;
	__u8 hln;
	__u8 pln;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
};

/* RFC 791; behind an Ethernet header its words are not aligned, as struct iphdr has to be. */
struct parse_ip {
	__u8 version_ihl;
	__u8 unread[8];
	__u8 protocol;
	__u8 sum[2];
	__u8 src[4];
	__u8 dst[4];
};

PARSE_INLINE bool parse_mac_is_group(const __u8 mac[6])
{
	return mac[0] & 1;
}

PARSE_INLINE bool parse_mac_is_zero(const __u8 mac[6])
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

typedef __u16 __attribute__((may_alias)) parse_word;

/* Of addresses that begin at an even one, as in struct frame, in frames and in the maps. */
PARSE_INLINE bool parse_mac_equal(const __u8 a[6], const __u8 b[6])
{
	const parse_word *x = __builtin_assume_aligned(a, 2), *y = __builtin_assume_aligned(b, 2);

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

/* A station that can be answered: neither 0/8, loopback, multicast, reserved nor broadcast (RFC
 * 1122 3.2.1.3). */
PARSE_INLINE bool parse_addr_is_station(union skep_ipv4 a)
{
	return a.octet[0] != 0 && a.octet[0] != 127 && a.octet[0] < 224;
}

PARSE_INLINE enum skep_verdict parse_arp(const struct parse_arp *arp, const void *end,
					 struct frame *f)
{
	if ((const void *)(arp + 1) > end)
		return SKEP_PASS_TRUNCATED;
	if (arp->hrd != parse_htons(1) || arp->pro != parse_htons(PARSE_P_IP) || arp->hln != 6 ||
	    arp->pln != 4)
		return SKEP_PASS_ARP_MALFORMED;
	__builtin_memcpy(f->sender_mac, arp->sha, 6);
	__builtin_memcpy(f->sender.octet, arp->spa, 4);
	__builtin_memcpy(f->target.octet, arp->tpa, 4);

	if (arp->op == parse_htons(PARSE_ARPOP_REQUEST))
		f->kind = FRAME_WHO_HAS;
	else if (arp->op == parse_htons(PARSE_ARPOP_REPLY))
		f->kind = FRAME_IS_AT;
	else
		return SKEP_PASS_ARP_MALFORMED;

	if (parse_mac_is_group(f->sender_mac) || parse_mac_is_zero(f->sender_mac) ||
	    parse_mac_is_group(f->src))
		return SKEP_PASS_ARP_SENDER;
	if (f->sender.addr == 0 && f->kind == FRAME_WHO_HAS) {
		f->kind = FRAME_PROBE;
		return SKEP_LEASED_ARP;
	}
	if (!parse_addr_is_station(f->sender))
		return SKEP_PASS_ARP_SENDER;
	if (f->sender.addr == f->target.addr)
		f->kind = FRAME_GRATUITOUS;
	return SKEP_LEASED_ARP;
}

PARSE_INLINE enum skep_verdict parse_ipv4(const struct parse_ip *ip, const void *end,
					  struct frame *f)
{
	__u32 header;

	if ((const void *)(ip + 1) > end)
		return SKEP_PASS_TRUNCATED;
	header = (ip->version_ihl & 0xf) * 4;
	if (ip->version_ihl >> 4 != 4 || header < sizeof(*ip))
		return SKEP_PASS_IP_MALFORMED;
	if ((const void *)ip + header > end)
		return SKEP_PASS_TRUNCATED;
	f->kind = FRAME_IPV4;
	f->protocol = ip->protocol;
	__builtin_memcpy(f->sender.octet, ip->src, 4);
	__builtin_memcpy(f->target.octet, ip->dst, 4);
	__builtin_memcpy(f->sender_mac, f->src, 6);
	return SKEP_LEASED_IP;
}

/**
 * parse_frame() - reads one Ethernet frame
 * @f: zeroed, then filled as far as the frame could be read
 *
 * Return: SKEP_LEASED_ARP or SKEP_LEASED_IP when @f is complete (whether there is a lease is the
 * caller's to find out), else the verdict that says what is wrong with the frame or that it is none
 * of ours.
 */
PARSE_INLINE enum skep_verdict parse_frame(const void *data, const void *end, struct frame *f)
{
	const struct ethhdr *eth = data;
	const void *next = eth + 1;
	__be16 proto;

	__builtin_memset(f, 0, sizeof(*f));
	if (next > end)
		return SKEP_PASS_TRUNCATED;
	__builtin_memcpy(f->dst, eth->h_dest, 6);
	__builtin_memcpy(f->src, eth->h_source, 6);
	proto = eth->h_proto;

	if (proto == parse_htons(PARSE_P_8021Q)) {
		const struct parse_tag *tag = next;

		next = tag + 1;
		if (next > end)
			return SKEP_PASS_TRUNCATED;
		f->tagged = 1;
		f->vlan = parse_htons(tag->tci) & PARSE_VID_MASK;
		proto = tag->proto;
	}
	if (proto == parse_htons(PARSE_P_ARP))
		return parse_arp(next, end, f);
	if (proto == parse_htons(PARSE_P_IP))
		return parse_ipv4(next, end, f);
	return SKEP_PASS_OTHER;
}

#endif
