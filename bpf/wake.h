/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A timer on each CPU that first contacts come to. It carries the records of binds to the ring, a
 * moment after them: skepd, woken at once, would take the CPU from the container that is about to
 * answer. (For other records somebody waits: they are in the ring at once.) And it goes over what
 * the next bind will need.
 *
 * From its first bind on it goes on by itself. To start a timer takes longer than all the rest of a
 * bind, on a CPU that was idle, and an intruder comes after a long quiet time as a rule.
 */
#ifndef SKEP_BPF_WAKE_H
#define SKEP_BPF_WAKE_H

#include "defer.h"
#include "rehearse.h"

#define WAKE_CLOCK_MONOTONIC 1
#define WAKE_CPU_PIN 2 /* BPF_F_TIMER_CPU_PIN, Linux 6.7 */
#define WAKE_EINVAL 22

/*
 * How often the timers come where nothing waits; how old a record is at least that they take along,
 * for the first answer is to be out by then; and how much longer the oldest may wait for others.
 * skepd knows of a bind after the first, or the latter two together, unless the ring is full. Set
 * before loading.
 */
const volatile __u64 wake_every_ns = 400000;
const volatile __u64 wake_after_ns = 150000;
const volatile __u64 wake_gather_ns = 50000;

/* A timer that has not come for so long is not waited for: it has been stopped, or its CPU has no
 * time for it. */
const volatile __u64 wake_late_ns = 1000000;

/**
 * struct waker - a CPU's
 * @came_ns: when the timer came last
 * @runs:    1 once it goes on by itself
 * @last:    the last first contact
 */
struct waker {
	struct bpf_timer timer;
	__u64 came_ns;
	__u32 runs;
	struct skep_pair last;
};

/*
 * Not pinned: a program stays loaded as long as a timer may call it, and a timer goes with the last
 * of its map's holders in user space. So there is none while skepd does not run.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, DEFER_CPUS_MAX);
	__type(key, __u32); /* CPU */
	__type(value, struct waker);
} waker SEC(".maps");

/* An older kernel has one that may come to any CPU, and rehearses for that. */
static __always_inline long wake_again(struct waker *w, __u64 ns)
{
	const long err = bpf_timer_start(&w->timer, ns, WAKE_CPU_PIN);

	return err == -WAKE_EINVAL ? bpf_timer_start(&w->timer, ns, 0) : err;
}

/* From now until the oldest record that waits is to go. */
static __always_inline __u64 wake_next_ns(__u64 oldest_ns)
{
	__s64 ns;

	if (oldest_ns == DEFER_NONE || oldest_ns == DEFER_NO_CPU)
		return wake_every_ns;
	ns = oldest_ns + wake_after_ns + wake_gather_ns - bpf_ktime_get_ns();
	return ns > 0 ? ns : wake_gather_ns;
}

static int wake_on_time(void *map, __u32 *cpu, struct waker *w)
{
	const __u64 now = bpf_ktime_get_ns();
	const __u64 oldest = defer_flush(*cpu, now - wake_after_ns);

	(void)map;
	w->came_ns = now;
	rehearse(*cpu, &w->last);
	if (wake_again(w, wake_next_ns(oldest)))
		__sync_lock_test_and_set(&w->runs, 0);
	return 0;
}

/* The timer is there from the first time on. */
static __always_inline long wake_start(struct waker *w)
{
	const __u64 ns = wake_after_ns + wake_gather_ns;

	if (!wake_again(w, ns))
		return 0;
	bpf_timer_init(&w->timer, &waker, WAKE_CLOCK_MONOTONIC);
	bpf_timer_set_callback(&w->timer, wake_on_time);
	return wake_again(w, ns);
}

static __always_inline bool wake_is_punctual(const struct waker *w, __u64 now)
{
	return (__s64)(now - w->came_ns) < (__s64)wake_late_ns;
}

/**
 * wake_comes() - whether this CPU's timer will carry a record to the ring in time
 * @address:   what was bound
 * @requester: for whom
 * @now:       CLOCK_MONOTONIC, nanoseconds
 *
 * The first bind starts it.
 */
static __always_inline bool wake_comes(const struct skep_addr *address, union skep_ipv4 requester,
				       __u64 now)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct waker *w = bpf_map_lookup_elem(&waker, &cpu);

	if (!w)
		return false;
	w->last.address = *address;
	w->last.other = requester;
	if (*(const volatile __u32 *)&w->runs || __sync_val_compare_and_swap(&w->runs, 0, 1))
		return wake_is_punctual(w, now);
	if (!wake_start(w)) {
		w->came_ns = now;
		return true;
	}
	__sync_lock_test_and_set(&w->runs, 0);
	return false;
}

#endif
