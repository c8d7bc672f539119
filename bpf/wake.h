/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Waking skepd: a bind is told without it, or skepd would take the CPU from the container that is
 * about to answer. A timer wakes skepd a moment later, for all that was told meanwhile. Somebody
 * waits for the other records: they wake skepd at once.
 *
 * To start a timer takes longer than all the rest of a bind, on a CPU that was idle. So it goes on
 * by itself while there are binds, and is started anew only after a quiet while.
 */
#ifndef SKEP_BPF_WAKE_H
#define SKEP_BPF_WAKE_H

#include "maps.bpf.h"

#define WAKE_CLOCK_MONOTONIC 1
/* More than that in the ring is not left waiting, or it might fill up before the timer comes. */
#define WAKE_BYTES (1 << 18)

/* How often the timer comes; it wakes for what was there the last time already. Set before loading.
 */
const volatile __u64 wake_every_ns = 240000;
/* Times without a record after which it rests, about a second. */
#define WAKE_REST 4096

enum wake_told { WAKE_NOTHING, WAKE_TOLD, WAKE_DUE };

/**
 * struct waker
 * @told:  enum wake_told: whether there are records that woke nobody
 * @runs:  1 while the timer goes on by itself
 * @quiet: how often it came without finding any
 */
struct waker {
	struct bpf_timer timer;
	__u32 told;
	__u32 runs;
	__u32 quiet;
	__u32 pad;
};

/*
 * Not pinned: a program stays loaded as long as a timer may call it, and a timer goes with the last
 * of its map's holders in user space. So there is none while skepd does not run, nor anybody to be
 * woken.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct waker);
} waker SEC(".maps");

/* The kernel wakes whoever waits for the ring by a record alone, one that is thrown away. */
static __always_inline void wake_now(void)
{
	void *record = bpf_ringbuf_reserve(&asks, sizeof(__u64), 0);

	if (record)
		bpf_ringbuf_discard(record, BPF_RB_FORCE_WAKEUP);
}

/* Return: whether the timer is to go on. It rests in this order: what is told meanwhile is seen, or
 * starts it anew. */
static __always_inline bool wake_look(struct waker *w)
{
	switch (w->told) {
	case WAKE_DUE:
		w->quiet = 0;
		__sync_lock_test_and_set(&w->told, WAKE_NOTHING);
		wake_now();
		return true;
	case WAKE_TOLD:
		__sync_val_compare_and_swap(&w->told, WAKE_TOLD, WAKE_DUE);
		return true;
	}
	if (++w->quiet < WAKE_REST)
		return true;
	w->quiet = 0;
	__sync_lock_test_and_set(&w->runs, 0);
	return *(const volatile __u32 *)&w->told && !__sync_val_compare_and_swap(&w->runs, 0, 1);
}

static int wake_on_time(void *map, __u32 *key, struct waker *w)
{
	(void)map;
	(void)key;
	if (wake_look(w))
		bpf_timer_start(&w->timer, wake_every_ns, 0);
	return 0;
}

/* The timer is there from the first time on, or again after a skepd that has gone. */
static __always_inline long wake_start(struct waker *w)
{
	if (!bpf_timer_start(&w->timer, wake_every_ns, 0))
		return 0;
	bpf_timer_init(&w->timer, &waker, WAKE_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&w->timer, wake_on_time);
	return bpf_timer_start(&w->timer, wake_every_ns, 0);
}

/** wake_later() - a record was submitted by wake_submit() */
static __always_inline void wake_later(void)
{
	__u32 only = 0;
	struct waker *w = bpf_map_lookup_elem(&waker, &only);

	if (!w)
		return;
	__sync_val_compare_and_swap(&w->told, WAKE_NOTHING, WAKE_TOLD);
	if (*(const volatile __u32 *)&w->runs || __sync_val_compare_and_swap(&w->runs, 0, 1))
		return;
	if (!wake_start(w))
		return;
	__sync_lock_test_and_set(&w->told, WAKE_NOTHING);
	__sync_lock_test_and_set(&w->runs, 0);
	wake_now();
}

/**
 * wake_submit() - submits a record that nobody waits for
 *
 * Unless the ring is filling up, that wakes nobody: ask_will_wait() was before, and wake_later() is
 * to follow.
 */
static __always_inline void wake_submit(struct skep_ask *record)
{
	bpf_ringbuf_submit(record, bpf_ringbuf_query(&asks, BPF_RB_AVAIL_DATA) > WAKE_BYTES
					   ? BPF_RB_FORCE_WAKEUP
					   : BPF_RB_NO_WAKEUP);
}

#endif
