/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The maps, one instance of each, pinned under bpf_dir and shared by all programs. Sizes are fixed,
 * so that the next skepd can take the maps over whatever its configuration says; only those of
 * `flows` and `redirects` are configured. All take their memory when they are made, but for the
 * tries: a hash that gets it as it grows interrupts its CPU every 64 entries for more
 * (kernel/bpf/memalloc.c), in the middle of a bind.
 */
#ifndef SKEP_BPF_MAPS_H
#define SKEP_BPF_MAPS_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "skep/ask.h"
#include "skep/maps.h"
#include "skep/verdict.h"

/*
 * Who has which address. The uplink program puts a lease in, or skepd does; skepd settles it and
 * takes it out in the end, or the uplink program when it gives way to a host. Both programs touch
 * times and counts.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SKEP_LEASES_MAX);
	__type(key, struct skep_addr);
	__type(value, struct skep_lease);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} leases SEC(".maps");

/* What a port's frames are allowed to be. An entry for each container that is bound or may be,
 * opened before the lease is written. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, SKEP_CONTAINERS_MAX);
	__type(key, __u32); /* ifindex */
	__type(value, struct skep_port);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} ports SEC(".maps");

/* The addresses that may be bound, and those among them that may not. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * SKEP_RANGES_MAX); /* old and new ones while they change */
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct skep_range_key);
	__type(value, struct skep_range);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} ranges SEC(".maps");

/* Addresses that are somebody's. Those not heard for longest are forgotten first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_HOSTS_MAX);
	__type(key, struct skep_addr);
	__type(value, struct skep_host);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} hosts SEC(".maps");

/* Where containers' frames leave the box. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_UPLINKS_MAX);
	__type(key, __u32);
	__type(value, struct skep_uplink);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} uplinks SEC(".maps");

/*
 * What holds for all programs, and the version of all maps. Written by skepd; as memory, so that
 * one flag can be set by whoever has to, while another process changes something else.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct skep_settings);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} settings SEC(".maps");

/* Frames for skepd; see skep/ask.h. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} asks SEC(".maps");

/* Who is in which slot. Written by skepd. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_CONTAINERS_MAX);
	__type(key, __u32);
	__type(value, struct skep_container);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} containers SEC(".maps");

/*
 * The containers that the uplink program may give away. A queue for each template says which are
 * next, oldest first; `offers` says whether they are still to be had. skepd makes the queues.
 */
struct idle_queue {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, SKEP_CONTAINERS_MAX);
	__uint(value_size, sizeof(struct skep_idle)); /* its type would be unknown in here */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, SKEP_TEMPLATES_MAX);
	__type(key, __u32); /* the template's ordinal */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__array(values, struct idle_queue); /* the last member, or clang takes it for an array */
} idle SEC(".maps");

/* As memory that skepd works on, too: a container is taken, or taken back, by one exchange. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_CONTAINERS_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32); /* slot */
	__type(value, struct skep_offer);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} offers SEC(".maps");

/* The id that a lease was given last. Both sides count on. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} last_lease SEC(".maps");

/* One slot per verdict; see skep/verdict.h. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SKEP_VERDICT_MAX);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} counters SEC(".maps");

static __always_inline void count(enum skep_verdict verdict)
{
	__u32 slot = verdict;
	__u64 *value = bpf_map_lookup_elem(&counters, &slot);

	if (value)
		(*value)++;
}

#endif
