/* SPDX-License-Identifier: GPL-2.0 */
/* The Internet checksum (RFC 1071), and what a changed word does to one (RFC 1624). Pure. */
#ifndef SKEP_BPF_CHECKSUM_H
#define SKEP_BPF_CHECKSUM_H

#include "parse.h"

PARSE_INLINE __u16 checksum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* Sums words as they stand in memory; @at is even, so is @len. */
PARSE_INLINE __u32 checksum_add(__u32 sum, const void *at, __u32 len)
{
	const parse_word *words = __builtin_assume_aligned(at, 2);

	for (__u32 i = 0; i < len / 2; i++)
		sum += words[i];
	return sum;
}

PARSE_INLINE __u16 checksum_end(__u32 sum)
{
	return (__u16)~checksum_fold(sum);
}

/** checksum_replace16() - of a message in which @from became @to; all as they stand in memory */
PARSE_INLINE __u16 checksum_replace16(__u16 sum, __u16 from, __u16 to)
{
	return checksum_end((__u16)~sum + (__u32)(__u16)~from + to);
}

PARSE_INLINE __u16 checksum_replace32(__u16 sum, __u32 from, __u32 to)
{
	sum = checksum_replace16(sum, (__u16)from, (__u16)to);
	return checksum_replace16(sum, (__u16)(from >> 16), (__u16)(to >> 16));
}

#endif
