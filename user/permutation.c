// SPDX-License-Identifier: GPL-2.0
/* A random order without a table; see permutation.h. Keeps no state. */
#include "permutation.h"

#include <string.h>

#define ROUNDS 6

void permutation_init(struct permutation *ret, const __u8 key[MAC_KEY_LEN], __u64 n)
{
	memcpy(ret->key, key, sizeof(ret->key));
	ret->n = n;
	ret->half = 1;
	while (1ULL << (2 * ret->half) < n)
		ret->half++;
}

static __u64 mix(const struct permutation *p, __u32 round, __u64 value)
{
	const __u64 input[] = {round, value};

	return siphash24(p->key, input, sizeof(input)) & ((1ULL << p->half) - 1);
}

static __u64 encrypt(const struct permutation *p, __u64 block)
{
	__u64 left = block >> p->half, right = block & ((1ULL << p->half) - 1);

	for (__u32 round = 0; round < ROUNDS; round++) {
		const __u64 next = left ^ mix(p, round, right);

		left = right;
		right = next;
	}
	return left << p->half | right;
}

__u64 permutation_at(const struct permutation *p, __u64 i)
{
	do
		i = encrypt(p, i);
	while (i >= p->n);
	return i;
}
