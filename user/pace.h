/* SPDX-License-Identifier: GPL-2.0 */
/*
 * When the next one of many small things is due: never sooner than a bound after the last one, and
 * never regularly. What was missed is not caught up with, so a process that was stopped for a while
 * makes no burst. Pure.
 */
#ifndef SKEP_USER_PACE_H
#define SKEP_USER_PACE_H

#include <linux/types.h>

/** pace_bound_ns() - the least distance of two, for at most @per_second of them (1 or more) */
__u64 pace_bound_ns(unsigned int per_second);

/**
 * pace_next_ns() - when the next one is due
 * @now_ns:   when the last one really was
 * @bound_ns: the least distance
 * @mean_ns:  the wanted distance on average; a quarter more than the bound is the closest there is
 * @random:   any 64 bits
 *
 * The distance is even between the larger of @bound_ns and half of the mean, and what lies as far
 * above the mean.
 */
__u64 pace_next_ns(__u64 now_ns, __u64 bound_ns, __u64 mean_ns, __u64 random);

#endif
