// SPDX-License-Identifier: GPL-2.0
/* Jittered, bounded pacing; see pace.h. Keeps no state and knows no clock. */
#include "pace.h"

#include "clock.h"

/* Rounded up: a bound is never exceeded, not even by a fraction. */
__u64 pace_bound_ns(unsigned int per_second)
{
	return (NS_PER_SEC + per_second - 1) / per_second;
}

__u64 pace_next_ns(__u64 now_ns, __u64 bound_ns, __u64 mean_ns, __u64 random)
{
	const __u64 mean = later(mean_ns, bound_ns + bound_ns / 4);
	const __u64 least = later(bound_ns, mean / 2);

	return now_ns + least + random % (2 * (mean - least) + 1);
}
