/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records for skepd, as both programs write them; see skep/ask.h.
 */
#ifndef SKEP_BPF_ASK_H
#define SKEP_BPF_ASK_H

#include "maps.bpf.h"

/* A loop the compiler must not turn into a call of memset, which BPF has not. */
static __always_inline void ask_zero(__u64 *words, __u64 n)
{
	for (__u64 i = 0; i < n; i++) {
		words[i] = 0;
		barrier();
	}
}

/**
 * ask_reserve() - a record of the ring that begins with @head and has room for @room bytes of the
 * frame, all zero yet
 *
 * Inlined with a constant @room: the verifier wants the record's size, and the bound of the copy
 * into it, to be known. The caller copies the frame, and submits the record or discards it; by
 * itself the kernel wakes a reader that has caught up, and under a flood no other.
 *
 * Return: NULL when the ring is full.
 */
static __always_inline struct skep_ask *ask_reserve(const struct skep_ask *head, const __u64 room)
{
	struct skep_ask *record = bpf_ringbuf_reserve(&asks, sizeof(*record) + room, 0);

	if (!record)
		return NULL;
	*record = *head;
	ask_zero((__u64 *)(record + 1), room / sizeof(__u64));
	return record;
}

#endif
