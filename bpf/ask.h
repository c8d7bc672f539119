/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records for skepd, as both programs write them; see skep/ask.h.
 */
#ifndef SKEP_BPF_ASK_H
#define SKEP_BPF_ASK_H

#include "maps.bpf.h"

/* More than that in the ring is not left waiting, or it might fill up before anybody wakes skepd.
 */
#define ASK_WAITING_BYTES (1 << 18)

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
 * into it, to be known. The caller copies the frame, and submits the record (at once if somebody
 * waits for it: ask_submit()) or discards it.
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

static __always_inline __u32 *ask_unwoken(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&unwoken, &only);
}

/** ask_is_unwoken() - whether the next ask_submit() will wake skepd in any case */
static __always_inline bool ask_is_unwoken(void)
{
	const __u32 *left = ask_unwoken();

	return !left || *(const volatile __u32 *)left;
}

/** ask_will_wait() - a record will be reserved for ask_submit_later() */
static __always_inline void ask_will_wait(void)
{
	__u32 *left = ask_unwoken();

	if (left && !*(volatile __u32 *)left)
		__sync_lock_test_and_set(left, 1);
}

/**
 * ask_submit() - submits a record that somebody waits for
 *
 * By itself the kernel wakes only a reader that has caught up, and a record that woke nobody may be
 * before this one, left there by any program. Not forced for every record: under a flood that would
 * be most of the cost. Whose flag is taken away in the middle is woken for by wake_later(), or at
 * the end of a rehearsal.
 */
static __always_inline void ask_submit(struct skep_ask *record)
{
	__u32 *left = ask_unwoken();
	const bool force = left && *(volatile __u32 *)left && __sync_lock_test_and_set(left, 0);

	bpf_ringbuf_submit(record, force ? BPF_RB_FORCE_WAKEUP : 0);
}

/**
 * ask_submit_later() - submits a record that nobody waits for
 *
 * Unless the ring is filling up, that wakes nobody: ask_will_wait() was before, and wake_later() is
 * to follow.
 */
static __always_inline void ask_submit_later(struct skep_ask *record)
{
	bpf_ringbuf_submit(record, bpf_ringbuf_query(&asks, BPF_RB_AVAIL_DATA) > ASK_WAITING_BYTES
					   ? BPF_RB_FORCE_WAKEUP
					   : BPF_RB_NO_WAKEUP);
}

/** ask_wake() - wakes skepd; by a record alone, one that is thrown away, for that is how it is done
 */
static __always_inline void ask_wake(void)
{
	void *record = bpf_ringbuf_reserve(&asks, sizeof(__u64), 0);

	if (record)
		bpf_ringbuf_discard(record, BPF_RB_FORCE_WAKEUP);
}

#endif
