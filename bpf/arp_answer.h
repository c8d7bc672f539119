/* SPDX-License-Identifier: GPL-2.0 */
/* Answering a who-has in a program, in the frame that asked. Pure. */
#ifndef SKEP_BPF_ARP_ANSWER_H
#define SKEP_BPF_ARP_ANSWER_H

#include "parse.h"

/** struct arp_answer - the first bytes of the frame, without a tag; its padding stays */
struct arp_answer {
	__u8 dst[6];
	__u8 src[6];
	__be16 proto;
	struct parse_arp arp;
};

/**
 * arp_answer() - makes the is-at for a who-has (RFC 826)
 * @f:   the who-has
 * @mac: link address of its target
 */
PARSE_INLINE void arp_answer(const struct frame *f, const __u8 mac[6], struct arp_answer *ret)
{
	__builtin_memset(ret, 0, sizeof(*ret));
	__builtin_memcpy(ret->dst, f->src, 6);
	__builtin_memcpy(ret->src, mac, 6);
	ret->proto = parse_htons(PARSE_P_ARP);
	ret->arp.hrd = parse_htons(1);
	ret->arp.pro = parse_htons(PARSE_P_IP);
	ret->arp.hln = 6;
	ret->arp.pln = 4;
	ret->arp.op = parse_htons(PARSE_ARPOP_REPLY);
	__builtin_memcpy(ret->arp.sha, mac, 6);
	__builtin_memcpy(ret->arp.spa, f->target.octet, 4);
	__builtin_memcpy(ret->arp.tha, f->sender_mac, 6);
	__builtin_memcpy(ret->arp.tpa, f->sender.octet, 4);
}

#endif
