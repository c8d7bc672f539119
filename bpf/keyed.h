/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Choices that are the same each time and that nobody outside can foresee: an address's link
 * address, and whether it ever lives. Both follow from SipHash-2-4 (Aumasson, Bernstein 2012) under
 * the farm's secret. Pure code: the same in the kernel, in skepd and in the unit tests.
 */
#ifndef SKEP_BPF_KEYED_H
#define SKEP_BPF_KEYED_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#include <stdbool.h>
#endif

#include "skep/maps.h"

#define KEYED_INLINE static inline __attribute__((always_inline))

/* What a hash is for; those of one address are independent of each other. */
#define KEYED_FOR_MAC 0x616d   /* "ma" */
#define KEYED_FOR_LIVES 0x696c /* "li" */

KEYED_INLINE __u64 keyed_rotate(__u64 x, int b)
{
	return (x << b) | (x >> (64 - b));
}

KEYED_INLINE void keyed_round(__u64 v[4])
{
	v[0] += v[1];
	v[1] = keyed_rotate(v[1], 13) ^ v[0];
	v[0] = keyed_rotate(v[0], 32);
	v[2] += v[3];
	v[3] = keyed_rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = keyed_rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = keyed_rotate(v[1], 17) ^ v[2];
	v[2] = keyed_rotate(v[2], 32);
}

/* Eight bytes, the first one lowest. */
KEYED_INLINE __u64 keyed_load(const __u8 *p)
{
	__u64 word = 0;

	for (int i = 0; i < 8; i++)
		word |= (__u64)p[i] << (8 * i);
	return word;
}

/** keyed_begin() - the state before the first word, from a key of SKEP_KEY_LEN bytes */
KEYED_INLINE void keyed_begin(__u64 v[4], const __u8 *key)
{
	__u64 k0 = keyed_load(key), k1 = keyed_load(key + 8);

	v[0] = k0 ^ 0x736f6d6570736575ULL;
	v[1] = k1 ^ 0x646f72616e646f6dULL;
	v[2] = k0 ^ 0x6c7967656e657261ULL;
	v[3] = k1 ^ 0x7465646279746573ULL;
}

/** keyed_word() - takes in the next eight bytes, the first one lowest */
KEYED_INLINE void keyed_word(__u64 v[4], __u64 word)
{
	v[3] ^= word;
	keyed_round(v);
	keyed_round(v);
	v[0] ^= word;
}

/** keyed_end() - takes in the last word (bytes that are left, and the length on top of them) */
KEYED_INLINE __u64 keyed_end(__u64 v[4], __u64 last)
{
	keyed_word(v, last);
	v[2] ^= 0xff;
	keyed_round(v);
	keyed_round(v);
	keyed_round(v);
	keyed_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/** keyed_hash() - of an address on a VLAN, for a purpose: the hash of these eight bytes */
KEYED_INLINE __u64 keyed_hash(const __u8 *key, union skep_ipv4 ip, __u16 vlan, __u16 purpose)
{
	__u64 v[4], word;

	word = (__u64)ip.octet[0] | (__u64)ip.octet[1] << 8 | (__u64)ip.octet[2] << 16 |
	       (__u64)ip.octet[3] << 24 | (__u64)vlan << 32 | (__u64)purpose << 48;
	keyed_begin(v, key);
	keyed_word(v, word);
	return keyed_end(v, 8ULL << 56);
}

/**
 * keyed_mac() - the link address of an address
 * @ouis: vendor prefixes to choose from; at most SKEP_OUIS_MAX
 * @n:    how many there are
 *
 * Unicast, and globally administered as far as the prefixes are.
 */
KEYED_INLINE void keyed_mac(const __u8 *key, const __u8 (*ouis)[3], __u32 n, union skep_ipv4 ip,
			    __u16 vlan, __u8 ret[6])
{
	__u64 hash = keyed_hash(key, ip, vlan, KEYED_FOR_MAC);
	__u32 which = n ? (__u32)(hash >> 32) % n : 0;

	_Static_assert(!(SKEP_OUIS_MAX & (SKEP_OUIS_MAX - 1)), "no mask");
	which &= SKEP_OUIS_MAX - 1; /* for the verifier: it is less anyway */
	ret[0] = ouis[which][0];
	ret[1] = ouis[which][1];
	ret[2] = ouis[which][2];
	ret[3] = (__u8)(hash >> 16);
	ret[4] = (__u8)(hash >> 8);
	ret[5] = (__u8)hash;
}

/** keyed_lives() - whether an address ever lives; @density: see struct skep_range */
KEYED_INLINE bool keyed_lives(const __u8 *key, union skep_ipv4 ip, __u16 vlan, __u32 density)
{
	return density == ~0U || (__u32)keyed_hash(key, ip, vlan, KEYED_FOR_LIVES) <= density;
}

#endif
