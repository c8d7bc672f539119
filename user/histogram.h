/* SPDX-License-Identifier: GPL-2.0 */
/* Histograms with buckets of powers of two: bucket N counts what is 2^N up to 2^(N+1). Pure. */
#ifndef SKEP_USER_HISTOGRAM_H
#define SKEP_USER_HISTOGRAM_H

#include <linux/types.h>
#include <stddef.h>

/** histogram_total() - how much was counted in all @n buckets */
__u64 histogram_total(const __u64 *counts, size_t n);

/**
 * histogram_quantile() - the value that @permille of those counted do not exceed
 * @permille: 500 for the median; 1 to 1000
 *
 * An estimate: inside of a bucket the values count as spread evenly. Return: 0 when nothing was
 * counted.
 */
__u64 histogram_quantile(const __u64 *counts, size_t n, unsigned int permille);

#endif
