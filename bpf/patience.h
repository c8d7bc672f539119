/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Patience: whoever asks for an address has to ask again after a while before it is bound for him
 * (the rule of LaBrea, Liston 2001), since a machine that has the address would have answered by
 * then. Pure code: the same in the kernel and in its unit test.
 */
#ifndef SKEP_BPF_PATIENCE_H
#define SKEP_BPF_PATIENCE_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#include <stdbool.h>
#endif

#include "skep/maps.h"

#define PATIENCE_NS_PER_MS 1000000ULL
#define PATIENCE_MEMORY_NS (60 * 1000 * PATIENCE_NS_PER_MS)

/**
 * patience_is_over() - somebody asks, and not for the first time
 * @p:    when he did so before
 * @now:  on the clock of @p
 * @wait: what must lie between the first time and this one, milliseconds
 *
 * Who asked first more than a minute ago begins anew. Two CPUs at once do no harm: both write the
 * same moments but for microseconds.
 */
static inline __attribute__((always_inline)) bool patience_is_over(struct skep_patience *p,
								   __u64 now, __u32 wait)
{
	__u64 waited = now > p->first_ns ? now - p->first_ns : 0;

	p->last_ns = now;
	if (waited > PATIENCE_MEMORY_NS) {
		p->first_ns = now;
		return false;
	}
	return waited >= wait * PATIENCE_NS_PER_MS;
}

#endif
