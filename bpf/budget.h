/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Budgets: the generic cell rate algorithm (ITU-T I.371, annex A), a token bucket that is one
 * moment. Pure code: the same in the kernel and in its unit test; several CPUs may take from one
 * bucket at once.
 */
#ifndef SKEP_BPF_BUDGET_H
#define SKEP_BPF_BUDGET_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#include <stdbool.h>
#endif

/* Each try that fails means that another CPU has taken one; who never comes to it is refused. */
#define BUDGET_TRIES 4

/**
 * budget_take() - takes one from a budget, if there is one left
 * @tat:      the bucket: when the next would be due if they came evenly (the theoretical arrival
 *            time); 0 for a full one. May be changed by others meanwhile.
 * @now:      on the clock of @tat, nanoseconds
 * @interval: one is allowed each so many nanoseconds
 * @burst:    @interval times how many are allowed at once
 *
 * Return: false when the budget is used up; nothing is taken then, so that whoever is refused over
 * and over gets his share nevertheless.
 */
static inline __attribute__((always_inline)) bool budget_take(__u64 *tat, __u64 now, __u64 interval,
							      __u64 burst)
{
	__u64 seen = *(const volatile __u64 *)tat;

	for (int i = 0; i < BUDGET_TRIES; i++) {
		__u64 next = (seen > now ? seen : now) + interval;
		__u64 found;

		if (next - now > burst)
			return false;
		found = __sync_val_compare_and_swap(tat, seen, next);
		if (found == seen)
			return true;
		seen = found;
	}
	return false;
}

#endif
