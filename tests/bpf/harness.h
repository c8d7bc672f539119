/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A program in a box: frames run through it by BPF_PROG_TEST_RUN, with maps of its own, and what
 * it counted is told. Pins nothing, attaches nothing.
 */
#ifndef SKEP_TESTS_BPF_HARNESS_H
#define SKEP_TESTS_BPF_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../frames.h"
#include "../table.h"
#include "cleanup.h"
#include "skep/maps.h"
#include "skep/verdict.h"

#define FRAME_MAX 4096
#define KEY_MAX 64

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

/* ---- maps ------------------------------------------------------------------ */

/* How often something is tried that must not fail once; less on a slow machine (tests/kernel). */
static inline unsigned int harness_times(unsigned int n)
{
	return getenv("FEWER_ROUNDS") ? n / 100 : n;
}

/* skepd pins the maps; a test keeps them to itself. */
static inline void harness_private_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		assert_int_equal(bpf_map__set_pin_path(map, NULL), 0);
	}
}

static inline void harness_put(const struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

/* The only entry of an array. */
static inline void harness_put_only(const struct bpf_map *map, const void *value)
{
	harness_put(map, &(__u32){0}, value);
}

static inline bool harness_find(const struct bpf_map *map, const void *key, void *ret)
{
	return !bpf_map_lookup_elem(bpf_map__fd(map), key, ret);
}

static inline void harness_get(const struct bpf_map *map, const void *key, void *ret)
{
	assert_true(harness_find(map, key, ret));
}

static inline __u64 harness_get_only_u64(const struct bpf_map *map)
{
	__u64 value;

	harness_get(map, &(__u32){0}, &value);
	return value;
}

static inline void harness_remove(const struct bpf_map *map, const void *key)
{
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), key), 0);
}

static inline void harness_empty(const struct bpf_map *map)
{
	__u8 key[KEY_MAX];

	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		harness_remove(map, key);
}

static inline unsigned int harness_size(const struct bpf_map *map)
{
	__u8 key[KEY_MAX], *last = NULL;
	unsigned int n = 0;

	for (; !bpf_map_get_next_key(bpf_map__fd(map), last, key); last = key)
		n++;
	return n;
}

/* ---- verdicts -------------------------------------------------------------- */

static const char *const verdict_names[] = {
#define VERDICT_NAME(name, label, help) [SKEP_##name] = label,
	SKEP_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
};

static bool verdict_seen[SKEP_VERDICT_MAX];
static __u64 counted_before[SKEP_VERDICT_MAX];

static inline __u64 harness_counter(const struct bpf_map *counters, __u32 verdict)
{
	int n_cpus = libbpf_num_possible_cpus();
	cleanup_free __u64 *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
	__u64 sum = 0;

	assert_non_null(per_cpu);
	harness_get(counters, &verdict, per_cpu);
	for (int cpu = 0; cpu < n_cpus; cpu++)
		sum += per_cpu[cpu];
	return sum;
}

/* Counting begins here. */
static inline void harness_mark(const struct bpf_map *counters)
{
	for (__u32 v = 0; v < SKEP_VERDICT_MAX; v++)
		counted_before[v] = harness_counter(counters, v);
}

/* Since the mark. */
static inline __u64 harness_counted(const struct bpf_map *counters, enum skep_verdict verdict)
{
	return harness_counter(counters, verdict) - counted_before[verdict];
}

/* Since the mark, @verdict was counted @n times and no other at all. */
static inline void harness_check_counted_n(const struct bpf_map *counters,
					   enum skep_verdict verdict, __u64 n)
{
	bool as_expected = true;

	for (__u32 v = 0; v < SKEP_VERDICT_MAX; v++) {
		__u64 counted = harness_counted(counters, v);

		if (counted == (v == verdict ? n : 0))
			continue;
		print_error("%s: counted %llu times\n", verdict_names[v], counted);
		as_expected = false;
	}
	if (!as_expected)
		fail_msg("expected is %s, %llu times, and no other", verdict_names[verdict], n);
	verdict_seen[verdict] = true;
}

static inline void harness_check_counted(const struct bpf_map *counters, enum skep_verdict verdict)
{
	harness_check_counted_n(counters, verdict, 1);
}

static inline void harness_check_seen(const enum skep_verdict *verdicts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!verdict_seen[verdicts[i]])
			fail_msg("no test above had the verdict %s", verdict_names[verdicts[i]]);
}

/* Another program has them in its list. */
static inline void harness_seen_elsewhere(const enum skep_verdict *verdicts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		verdict_seen[verdicts[i]] = true;
}

/* One list of verdicts, as members of an array. */
#define HARNESS_VERDICT(name, label, help) SKEP_##name,

/* ---- frames ---------------------------------------------------------------- */

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

static inline void harness_run(const struct bpf_program *program, const struct bytes *frame,
			       struct outcome *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->at,
		    .data_size_in = (__u32)frame->len, .data_out = ret->frame,
		    .data_size_out = sizeof(ret->frame), .repeat = 1);
	int err = bpf_prog_test_run_opts(bpf_program__fd(program), &opts);

	if (err)
		fail_msg("the kernel does not run a frame of %zu bytes: %s", frame->len,
			 strerror(-err));
	ret->action = opts.retval;
	ret->len = opts.data_size_out;
}

/* The frame is counted as @verdict, once, and nothing else is counted. */
static inline void harness_becomes(const struct bpf_program *program,
				   const struct bpf_map *counters, const struct bytes *frame,
				   enum skep_verdict verdict, struct outcome *ret)
{
	harness_mark(counters);
	harness_run(program, frame, ret);
	harness_check_counted(counters, verdict);
}

/* What the uplink program returns. */
static inline __u32 harness_xdp_action(enum skep_verdict verdict)
{
	switch (verdict) {
	case SKEP_LEASED_ARP:
	case SKEP_LEASED_IP:
	case SKEP_BOUND_ARP:
	case SKEP_BOUND_IP:
	case SKEP_BOUND_UNTOLD:
	case SKEP_PASS_HANDED_ON:
		return XDP_REDIRECT;
	case SKEP_DROP_WRONG_MAC:
	case SKEP_ASK_ARP:
	case SKEP_ASK_IP:
	case SKEP_HELD_SETTLING:
	case SKEP_DROP_ASK_RING_FULL:
	case SKEP_DROP_ASK_TOO_LONG:
	case SKEP_DROP_BUDGET:
	case SKEP_DROP_BUDGET_REQUESTER:
	case SKEP_DROP_PANIC:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

static inline void harness_check_frame(const struct outcome *outcome, const struct bytes *frame)
{
	assert_int_equal(outcome->len, frame->len);
	assert_memory_equal(outcome->frame, frame->at, frame->len);
}

/* The frame with more behind it, up to @len bytes. */
static inline struct bytes harness_longer(const struct bytes *frame, size_t len)
{
	static __u8 buf[FRAME_MAX];

	assert_in_range(len, frame->len, sizeof(buf));
	for (size_t i = 0; i < len; i++)
		buf[i] = (__u8)(0x80 | (i * 7 + i / 256));
	memcpy(buf, frame->at, frame->len);
	return (struct bytes){buf, len};
}

/* ---- the tests of a program ------------------------------------------------ */

/* Those of a table, and then these. Return: the number of failures. */
static inline int harness_run_tests(struct table *table, const struct CMUnitTest *others, size_t n,
				    const char *name, CMFixtureFunction setup,
				    CMFixtureFunction teardown)
{
	for (size_t i = 0; i < n; i++)
		table_add_test(table, others[i]);
	return table_run(table, name, setup, teardown);
}

#endif
