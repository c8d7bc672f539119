/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Records that nobody waits for. They are put down where the CPU has its own memory, and its timer
 * carries them to the ring; see wake.h. To write them there at once, where memory is another each
 * time, and to wake skepd, would take as long as the rest of a bind.
 */
#ifndef SKEP_BPF_DEFER_H
#define SKEP_BPF_DEFER_H

#include "ask.h"
#include "maps.bpf.h"

#define DEFER_MAX 32 /* a power of two; what is more goes to the ring at once */
#define DEFER_CPUS_MAX 1024
#define DEFER_NONE (~0ULL)
#define DEFER_NO_CPU 0

enum defer_state {
	DEFER_FREE,
	DEFER_TAKEN, /* by who writes it, or carries it away */
	DEFER_READY,
};

/**
 * struct deferred - a CPU's
 * @next:    counts on; modulo DEFER_MAX the oldest, and what is taken next once that is free
 * @state:   enum defer_state
 */
struct deferred {
	__u32 next;
	__u32 state[DEFER_MAX];
	struct skep_ask_small records[DEFER_MAX];
};

/* Not pinned, as the timers are not: what is left here, skepd finds by the leases. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct deferred);
} deferred SEC(".maps");

static __always_inline bool defer_exchange(__u32 *state, enum defer_state from, enum defer_state to)
{
	return __sync_val_compare_and_swap(state, from, to) == from;
}

static __always_inline struct deferred *defer_here(void)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(&deferred, &only);
}

/**
 * defer_take() - a record that begins with @head, all zero behind it, for its frame to be put in
 * @ret_slot: for defer_done() or defer_drop(), one of which is to follow
 *
 * Return: NULL when all are taken.
 */
static __noinline struct skep_ask_small *defer_take(const struct skep_ask *head, __u32 *ret_slot)
{
	struct deferred *d = defer_here();
	struct skep_ask_small *record;
	__u32 slot;

	if (!d)
		return NULL;
	slot = d->next % DEFER_MAX;
	if (!defer_exchange(&d->state[slot], DEFER_FREE, DEFER_TAKEN))
		return NULL;
	*ret_slot = slot;
	record = &d->records[slot];
	record->head = *head;
	ask_zero((__u64 *)record->frame, sizeof(record->frame) / sizeof(__u64));
	return record;
}

static __always_inline void defer_end(__u32 slot, enum defer_state state, __u32 n)
{
	struct deferred *d = defer_here();

	if (!d)
		return;
	__sync_lock_test_and_set(&d->state[slot % DEFER_MAX], state);
	d->next += n;
}

/** defer_done() - the record that was taken goes to the ring by and by */
static __always_inline void defer_done(__u32 slot)
{
	defer_end(slot, DEFER_READY, 1);
}

/** defer_drop() - it is free again */
static __always_inline void defer_drop(__u32 slot)
{
	defer_end(slot, DEFER_FREE, 0);
}

struct defer_round {
	struct deferred *of;
	__u64 before_ns;
	__u64 oldest_ns; /* of those that stay, or DEFER_NONE */
	__u32 first;
};

/* One that is too young stays, and so does one that the ring has no room for. */
static long defer_send(__u32 nth, struct defer_round *round)
{
	const __u32 slot = (round->first + nth) % DEFER_MAX;
	struct skep_ask_small *record = &round->of->records[slot];
	__u32 *state = &round->of->state[slot];
	__u64 seen_ns;
	bool young, sent;

	if (*(const volatile __u32 *)state != DEFER_READY ||
	    !defer_exchange(state, DEFER_READY, DEFER_TAKEN))
		return 0;
	seen_ns = record->head.seen_ns;
	young = seen_ns > round->before_ns;
	sent = !young && !bpf_ringbuf_output(&asks, record, sizeof(*record), 0);
	__sync_lock_test_and_set(state, sent ? DEFER_FREE : DEFER_READY);
	if (young && seen_ns < round->oldest_ns)
		round->oldest_ns = seen_ns;
	return 0;
}

/**
 * defer_flush() - sends a CPU's records to the ring, oldest first
 * @before_ns: those of frames that were seen by then (CLOCK_MONOTONIC)
 *
 * Return: when the oldest that is younger was seen; DEFER_NONE when there is none, DEFER_NO_CPU
 * when there is no such CPU. Not static, so that the verifier walks it once.
 */
__noinline __u64 defer_flush(__u32 cpu, __u64 before_ns)
{
	__u32 only = 0;
	struct defer_round round = {
		.of = bpf_map_lookup_percpu_elem(&deferred, &only, cpu),
		.before_ns = before_ns,
		.oldest_ns = DEFER_NONE,
	};

	if (!round.of)
		return DEFER_NO_CPU;
	round.first = round.of->next;
	bpf_loop(DEFER_MAX, defer_send, &round, 0);
	return round.oldest_ns;
}

static long defer_flush_nth(__u32 cpu, void *unused)
{
	(void)unused;
	return defer_flush(cpu, ~0ULL) == DEFER_NO_CPU;
}

/** defer_flush_all() - before a record that somebody waits for, and that must not overtake them */
static __always_inline void defer_flush_all(void)
{
	bpf_loop(DEFER_CPUS_MAX, defer_flush_nth, NULL, 0);
}

#endif
