/* SPDX-License-Identifier: GPL-2.0 */
/* The brake: how much the whole farm may send, whatever the rules say. */
#ifndef SKEP_BPF_BRAKE_H
#define SKEP_BPF_BRAKE_H

#include "budget.h"
#include "maps.bpf.h"

#define BRAKE_FRAME_MIN 60 /* Ethernet's, without the checksum */

enum { BRAKE_PACKETS, BRAKE_BYTES, BRAKE_BUDGETS };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BRAKE_BUDGETS);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} egress_budget SEC(".maps");

static __always_inline bool brake_take(__u32 which, __u64 now, __u64 cost, __u64 burst)
{
	__u64 *tat = bpf_map_lookup_elem(&egress_budget, &which);

	return tat && budget_take(tat, now, cost, burst);
}

/**
 * brake_lets() - takes a frame from the farm's budgets
 * @packets: of it that will be on the wire
 * @bytes:   of all these together
 */
static __always_inline bool brake_lets(const struct skep_settings *s, __u64 now, __u32 packets,
				       __u32 bytes)
{
	const __u32 least = packets * BRAKE_FRAME_MIN;

	if (bytes < least)
		bytes = least;
	if (s->egress_packet_interval_ns &&
	    !brake_take(BRAKE_PACKETS, now, s->egress_packet_interval_ns * packets,
			s->egress_packet_burst_ns))
		return false;
	return !s->egress_kib_interval_ns ||
	       brake_take(BRAKE_BYTES, now, s->egress_kib_interval_ns * bytes >> 10,
			  s->egress_kib_burst_ns);
}

#endif
