/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A timer on each CPU that first contacts come to. It wakes skepd a moment after a bind, for all
 * that was told meanwhile: by its record alone, skepd would take the CPU from the container that is
 * about to answer. (For other records somebody waits: they wake skepd at once.) And it goes over
 * what the next bind will need.
 *
 * From its first bind on it goes on by itself. To start a timer takes longer than all the rest of a
 * bind, on a CPU that was idle, and an intruder comes after a long quiet time as a rule.
 */
#ifndef SKEP_BPF_WAKE_H
#define SKEP_BPF_WAKE_H

#include "ask.h"
#include "rehearse.h"

#define WAKE_CLOCK_MONOTONIC 1
#define WAKE_CPU_PIN 2 /* BPF_F_TIMER_CPU_PIN, Linux 6.7 */
#define WAKE_EINVAL 22

/*
 * How often the timers come, and how long the first bind since the last wake-up has the CPU to
 * itself; skepd knows of it after the sum of both at the latest. Set before loading.
 */
const volatile __u64 wake_every_ns = 400000;
const volatile __u64 wake_after_ns = 100000;

/**
 * struct waker - a CPU's
 * @told_ns: when the first record came that has woken nobody yet; 0 when there is none
 * @runs:    1 once the timer goes on by itself
 * @last:    the last first contact
 */
struct waker {
	struct bpf_timer timer;
	__u64 told_ns;
	__u32 runs;
	struct skep_pair last;
};

/*
 * Not pinned: a program stays loaded as long as a timer may call it, and a timer goes with the last
 * of its map's holders in user space. So there is none while skepd does not run, nor anybody to be
 * woken.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REHEARSE_CPUS_MAX);
	__type(key, __u32); /* CPU */
	__type(value, struct waker);
} waker SEC(".maps");

/* An older kernel has one that may come to any CPU, and rehearses for that. */
static __always_inline long wake_again(struct waker *w, __u64 ns)
{
	const long err = bpf_timer_start(&w->timer, ns, WAKE_CPU_PIN);

	return err == -WAKE_EINVAL ? bpf_timer_start(&w->timer, ns, 0) : err;
}

/* Return: when to look again. What is told after the exchange is seen by the next look. */
static __always_inline __u64 wake_look(struct waker *w)
{
	const __u64 told_ns = *(const volatile __u64 *)&w->told_ns;

	if (!told_ns)
		return wake_every_ns;
	if (bpf_ktime_get_ns() - told_ns < wake_after_ns)
		return wake_after_ns;
	__sync_lock_test_and_set(&w->told_ns, 0);
	ask_wake();
	return wake_every_ns;
}

static int wake_on_time(void *map, __u32 *cpu, struct waker *w)
{
	const __u64 next_ns = wake_look(w);

	(void)map;
	rehearse(*cpu, &w->last);
	if (wake_again(w, next_ns))
		__sync_lock_test_and_set(&w->runs, 0);
	return 0;
}

/* The timer is there from the first time on. */
static __always_inline long wake_start(struct waker *w)
{
	if (!wake_again(w, wake_after_ns))
		return 0;
	bpf_timer_init(&w->timer, &waker, WAKE_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&w->timer, wake_on_time);
	return wake_again(w, wake_after_ns);
}

/**
 * wake_later() - a record was submitted that woke nobody
 * @address:   what was bound
 * @requester: for whom
 */
static __always_inline void wake_later(const struct skep_addr *address, union skep_ipv4 requester)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct waker *w = bpf_map_lookup_elem(&waker, &cpu);

	if (!w)
		return ask_wake();
	w->last.address = *address;
	w->last.other = requester;
	if (!*(const volatile __u64 *)&w->told_ns)
		__sync_lock_test_and_set(&w->told_ns, bpf_ktime_get_ns());
	if (*(const volatile __u32 *)&w->runs || __sync_val_compare_and_swap(&w->runs, 0, 1))
		return;
	if (!wake_start(w))
		return;
	__sync_lock_test_and_set(&w->told_ns, 0);
	__sync_lock_test_and_set(&w->runs, 0);
	ask_wake();
}

#endif
