/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames as string literals, put together from the layouts of RFC 826, RFC 791 and IEEE 802.1Q, so
 * that a test's table shows every byte it sends. Owns the names of the stations in all tables;
 * decides nothing about them.
 */
#ifndef SKEP_TESTS_FRAMES_H
#define SKEP_TESTS_FRAMES_H

#include <linux/types.h>
#include <stddef.h>

struct bytes {
	const __u8 *at;
	size_t len;
};

/* Not the NUL that ends the literal. */
#define BYTES(literal)                                       \
	{                                                    \
		(const __u8 *)(literal), sizeof(literal) - 1 \
	}

#define MAC_NONE "\x00\x00\x00\x00\x00\x00"
#define MAC_ALL "\xff\xff\xff\xff\xff\xff"
#define MAC_GROUP "\x01\x00\x5e\x00\x00\xfb"
#define MAC_ROUTER "\x00\x1b\x21\x0a\x0b\x0c"
#define MAC_LEASE "\x00\x25\x90\x01\x02\x03"
#define MAC_TAGGED "\x00\x25\x90\x07\x07\x07" /* of the lease on VLAN 7 */
#define MAC_OTHER "\x00\x25\x90\xee\xee\xee"

#define IP_NONE "\x00\x00\x00\x00"
#define IP_ALL "\xff\xff\xff\xff"
#define IP_LOOPBACK "\x7f\x00\x00\x01"
#define IP_GROUP "\xe0\x00\x00\xfb"
#define IP_ROUTER "\x0a\x42\x00\x01"  /* 10.66.0.1, excluded */
#define IP_DARK "\x0a\x42\x04\x02"    /* 10.66.4.2 */
#define IP_LEASED "\x0a\x42\x04\x03"  /* 10.66.4.3 */
#define IP_CLIENT "\xc6\x33\x64\x02"  /* 198.51.100.2 */
#define IP_FOREIGN "\xc0\x00\x02\x09" /* 192.0.2.9, in no range */

#define TYPE_IPV4 "\x08\x00"
#define TYPE_ARP "\x08\x06"
#define TYPE_IPV6 "\x86\xdd"
#define TYPE_8021AD "\x88\xa8"
#define TYPE_8021Q "\x81\x00"

#define TAG(tci) TYPE_8021Q tci
#define TAG_0 TAG("\x00\x00")
#define TAG_7 TAG("\x00\x07")
#define TAG_7_URGENT TAG("\xf0\x07") /* priority 7 and drop eligible, id 7 */

#define OP_REQUEST "\x00\x01"
#define OP_REPLY "\x00\x02"
#define ARP(op, sha, spa, tha, tpa) "\x00\x01" TYPE_IPV4 "\x06\x04" op sha spa tha tpa
#define WHO_HAS(sha, spa, tpa) ARP(OP_REQUEST, sha, spa, MAC_NONE, tpa)
#define IS_AT(sha, spa, tha, tpa) ARP(OP_REPLY, sha, spa, tha, tpa)
#define ARP_LEN 28

/* An echo request; the parser reads no checksum. */
#define IPV4_FROM(head, src, dst) head "\x00\x00\x1c\x12\x34\x40\x00\x40\x01\x00\x00" src dst
#define ECHO "\x08\x00\xf7\xfc\x00\x01\x00\x02"
#define IPV4(src, dst) IPV4_FROM("\x45", src, dst) ECHO
#define IPV4_HEAD_LEN 20

/* What fills up an ARP frame to the least an Ethernet sends. */
#define PADDING "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

#endif
