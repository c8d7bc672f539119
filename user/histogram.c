// SPDX-License-Identifier: GPL-2.0
/* Histograms; see histogram.h. */
#include "histogram.h"

__u64 histogram_total(const __u64 *counts, size_t n)
{
	__u64 total = 0;

	for (size_t i = 0; i < n; i++)
		total += counts[i];
	return total;
}

__u64 histogram_quantile(const __u64 *counts, size_t n, unsigned int permille)
{
	const __u64 total = histogram_total(counts, n);
	__u64 rank = total / 1000 * permille + (total % 1000 * permille + 999) / 1000;

	for (size_t i = 0; i < n; i++) {
		const __u64 low = 1ULL << i;

		if (counts[i] && rank <= counts[i])
			return low + (__u64)((double)low * (double)rank / (double)counts[i]);
		rank -= counts[i];
	}
	return 0;
}
