/* SPDX-License-Identifier: GPL-2.0 */
/* Whose an address is: one of the farm's ranges', the box's, or anybody's. */
#ifndef SKEP_BPF_FARM_H
#define SKEP_BPF_FARM_H

#include "maps.bpf.h"
#include "skep/policy.h"

/* What addresses are to the farm, wherever. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 2 * SKEP_RANGES_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct skep_farm_key);
	__type(value, __u32); /* enum skep_farm_kind */
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} farm SEC(".maps");

/* NULL for what is in no range; what is excluded from one has an entry. */
static __always_inline const __u32 *farm_find(union skep_ipv4 ip)
{
	struct skep_farm_key key = {.prefixlen = 32, .ip = ip};

	return bpf_map_lookup_elem(&farm, &key);
}

static __always_inline __u32 farm_kind(union skep_ipv4 ip)
{
	const __u32 *kind = farm_find(ip);

	return kind ? *kind : SKEP_FARM_OUTSIDE;
}

#endif
