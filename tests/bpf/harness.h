/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program in a box: frames run through it by BPF_PROG_TEST_RUN, with maps of its own; what it
 * counted is told, and what it left in the leases of the test's world. Pins nothing, attaches
 * nothing. Included after cmocka.h.
 */
#ifndef SKEP_TESTS_BPF_HARNESS_H
#define SKEP_TESTS_BPF_HARNESS_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "../frames.h"
#include "cleanup.h"
#include "skep/ask.h"
#include "skep/maps.h"
#include "skep/verdict.h"

#define FRAME_MAX 4096

/**
 * struct outcome - what became of a frame
 * @action: the program's return code
 * @frame:  as it left, @len bytes of it
 */
struct outcome {
	__u32 action;
	__u8 frame[FRAME_MAX];
	size_t len;
};

static const char *const verdict_names[] = {
#define VERDICT_NAME(name, label, help) [SKEP_##name] = label,
	SKEP_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

static bool verdict_seen[SKEP_VERDICT_MAX];
static __u64 counted_before[SKEP_VERDICT_MAX];

/* skepd pins the maps; a test keeps them to itself. */
static inline void harness_private_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		assert_int_equal(bpf_map__set_pin_path(map, NULL), 0);
	}
}

static inline __u64 harness_counter(int counters, __u32 verdict)
{
	int n_cpus = libbpf_num_possible_cpus();
	cleanup_free __u64 *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
	__u64 sum = 0;

	assert_non_null(per_cpu);
	assert_int_equal(bpf_map_lookup_elem(counters, &verdict, per_cpu), 0);
	for (int cpu = 0; cpu < n_cpus; cpu++)
		sum += per_cpu[cpu];
	return sum;
}

/* Counting begins here. */
static inline void harness_mark(int counters)
{
	for (__u32 v = 0; v < SKEP_VERDICT_MAX; v++)
		counted_before[v] = harness_counter(counters, v);
}

/* Since the mark, @verdict was counted @n times and no other at all. */
static inline void harness_check_counted_n(int counters, enum skep_verdict verdict, __u64 n)
{
	bool as_expected = true;

	for (__u32 v = 0; v < SKEP_VERDICT_MAX; v++) {
		__u64 counted = harness_counter(counters, v) - counted_before[v];

		if (counted == (v == verdict ? n : 0))
			continue;
		print_error("%s: counted %llu times\n", verdict_names[v], counted);
		as_expected = false;
	}
	if (!as_expected)
		fail_msg("expected is %s, %llu times, and no other", verdict_names[verdict], n);
	verdict_seen[verdict] = true;
}

static inline void harness_check_counted(int counters, enum skep_verdict verdict)
{
	harness_check_counted_n(counters, verdict, 1);
}

static inline void harness_run(int program, const void *frame, size_t len, struct outcome *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len,
		    .data_out = ret->frame, .data_size_out = sizeof(ret->frame), .repeat = 1);
	int err = bpf_prog_test_run_opts(program, &opts);

	if (err)
		fail_msg("the kernel does not run a frame of %zu bytes: %s", len, strerror(-err));
	ret->action = opts.retval;
	ret->len = opts.data_size_out;
}

static inline void harness_check_frame(const struct outcome *outcome, const void *frame, size_t len)
{
	assert_int_equal(outcome->len, len);
	assert_memory_equal(outcome->frame, frame, len);
}

/* A watch over wake-ups of a ring's reader: not over records, which may be there without any. */
static inline int harness_watch(int ring)
{
	struct epoll_event on = {.events = EPOLLIN | EPOLLET};
	int watch = epoll_create1(EPOLL_CLOEXEC);

	assert_true(watch >= 0);
	assert_int_equal(epoll_ctl(watch, EPOLL_CTL_ADD, ring, &on), 0);
	return watch;
}

/* Whether there was a wake-up since this was asked last, or is one within this time. */
static inline bool harness_is_woken(int watch, int timeout_ms)
{
	struct epoll_event event;
	int n = epoll_wait(watch, &event, 1, timeout_ms);

	assert_true(n >= 0);
	return n > 0;
}

static inline void harness_go_to_cpu(__u32 cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
}

/* What a CPU has of its own is the same from now on. Return: the CPU. */
static inline __u32 harness_stay_on_cpu(void)
{
	const int cpu = sched_getcpu();

	assert_true(cpu >= 0);
	harness_go_to_cpu((__u32)cpu);
	return (__u32)cpu;
}

static inline union skep_ipv4 harness_ip(const char *octets)
{
	union skep_ipv4 ip;

	memcpy(ip.octet, octets, sizeof(ip.octet));
	return ip;
}

static inline __u64 harness_clock(clockid_t id)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(id, &ts), 0);
	return (__u64)ts.tv_sec * 1000000000ULL + (__u64)ts.tv_nsec;
}

/* ---- leases ---------------------------------------------------------------- */

/**
 * struct harness_lease - a lease of a test's world
 * @eth0: the container's own link address, where it is not @mac
 *
 * A test has an array of them; the first is none.
 */
struct harness_lease {
	const char *ip, *mac, *eth0;
	__u16 vlan, uplink;
	__u32 port;
};

static inline struct skep_addr harness_lease_key(const struct harness_lease *lease)
{
	return (struct skep_addr){
		.ip = harness_ip(lease->ip),
		.vlan = lease->vlan,
		.uplink = lease->uplink,
	};
}

/* As it is made; every count and time has a value that tells it from the others. */
static inline struct skep_lease harness_lease_value(const struct harness_lease *lease, __u32 slot)
{
	struct skep_lease value = {
		.id = 1000 + slot,
		.bound_ns = 1,
		.bind_ns = 2,
		.port = lease->port,
		.container = slot,
		.state = SKEP_LEASE_SETTLED,
		.last_in_ns = 3,
		.packets_in = 10,
		.last_out_ns = 4,
		.packets_out = 20,
	};

	memcpy(value.mac, lease->mac, sizeof(value.mac));
	memcpy(value.eth0, lease->eth0 ? lease->eth0 : lease->mac, sizeof(value.eth0));
	return value;
}

static inline void harness_set_leases(int map, const struct harness_lease *leases, __u32 n)
{
	for (__u32 slot = 1; slot < n; slot++) {
		struct skep_addr key = harness_lease_key(&leases[slot]);
		struct skep_lease value = harness_lease_value(&leases[slot], slot);

		assert_int_equal(bpf_map_update_elem(map, &key, &value, BPF_ANY), 0);
	}
}

enum direction { IN, OUT };

/* What one frame more leaves behind: a count, and a moment between @since_ns and now. */
static inline void harness_expect_frame(struct skep_lease *expected, const struct skep_lease *value,
					enum direction direction, __u64 since_ns)
{
	__u64 last_ns = direction == IN ? value->last_in_ns : value->last_out_ns;

	assert_in_range(last_ns, since_ns, harness_clock(CLOCK_MONOTONIC_COARSE));
	*(direction == IN ? &expected->last_in_ns : &expected->last_out_ns) = last_ns;
	(*(direction == IN ? &expected->packets_in : &expected->packets_out))++;
}

/* Every lease is as it was made, but for @touched: one frame more went in this direction. */
static inline void harness_check_leases(int map, const struct harness_lease *leases, __u32 n,
					__u32 touched, enum direction direction, __u64 since_ns)
{
	for (__u32 slot = 1; slot < n; slot++) {
		struct skep_lease value, expected = harness_lease_value(&leases[slot], slot);
		struct skep_addr key = harness_lease_key(&leases[slot]);

		assert_int_equal(bpf_map_lookup_elem(map, &key, &value), 0);
		if (slot == touched)
			harness_expect_frame(&expected, &value, direction, since_ns);
		assert_memory_equal(&value, &expected, sizeof(value));
	}
}

static inline void harness_check_seen(const enum skep_verdict *verdicts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!verdict_seen[verdicts[i]])
			fail_msg("no test above had the verdict %s", verdict_names[verdicts[i]]);
}

/* One list of verdicts, as members of an array. */
#define HARNESS_VERDICT(name, label, help) SKEP_##name,

#endif
