/* SPDX-License-Identifier: GPL-2.0 */
/* Telling skepd what was refused: once a second, with the number of what came meanwhile. */
#ifndef SKEP_BPF_NOTICE_H
#define SKEP_BPF_NOTICE_H

#include "flow_state.h"
#include "maps.bpf.h"
#include "skep/notice.h"

#define NOTICE_INTERVAL FLOW_SECOND

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SKEP_NOTICES_SIZE);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} notices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_NOTICE_GATES_MAX);
	__type(key, struct skep_notice_key);
	__type(value, struct skep_notice_gate);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} notice_gates SEC(".maps");

/* How many packets a record is to stand for; 0 when it is not time for one. */
static __always_inline __u32 notice_due(__u32 port, enum skep_verdict verdict, __u64 now)
{
	struct skep_notice_key key = {.port = port, .verdict = verdict};
	struct skep_notice_gate first = {.last_ns = now};
	struct skep_notice_gate *gate = bpf_map_lookup_elem(&notice_gates, &key);
	__u64 last, n;

	if (!gate) {
		bpf_map_update_elem(&notice_gates, &key, &first, BPF_ANY);
		return 1;
	}
	__sync_fetch_and_add(&gate->count, 1);
	last = gate->last_ns;
	if (now < last + NOTICE_INTERVAL ||
	    __sync_val_compare_and_swap(&gate->last_ns, last, now) != last)
		return 0;
	n = gate->count;
	__sync_fetch_and_add(&gate->count, -n);
	return n;
}

/** notice() - @about: everything but its time and count; a full ring loses it */
__noinline int notice(const struct skep_notice *about, __u64 now)
{
	struct skep_notice *record;
	__u32 n;

	if (!about)
		return 0;
	n = notice_due(about->port, about->verdict, now);
	if (!n)
		return 0;
	record = bpf_ringbuf_reserve(&notices, sizeof(*record), 0);
	if (!record)
		return 0;
	*record = *about;
	record->seen_ns = now;
	record->count = n;
	bpf_ringbuf_submit(record, 0);
	return 0;
}

#endif
