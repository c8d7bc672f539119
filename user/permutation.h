/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A random order of the numbers below n that needs no table: a Feistel network under a key (Luby
 * and Rackoff 1988), walked until it meets a number below n (cycle walking: Black and Rogaway
 * 2002). Pure.
 */
#ifndef SKEP_USER_PERMUTATION_H
#define SKEP_USER_PERMUTATION_H

#include <linux/types.h>

#include "mac.h"

#define PERMUTATION_MAX (1ULL << 32)

/**
 * struct permutation - one order
 * @n:    of how many numbers, at most PERMUTATION_MAX
 * @half: bits of one half of the network's block, whose values are fewer than 4 * @n
 */
struct permutation {
	__u8 key[MAC_KEY_LEN];
	__u64 n;
	unsigned int half;
};

/** permutation_init() - another order for each key */
void permutation_init(struct permutation *ret, const __u8 key[MAC_KEY_LEN], __u64 n);

/** permutation_at() - which number comes at place @i, both below n; every number has one place */
__u64 permutation_at(const struct permutation *p, __u64 i);

#endif
