// SPDX-License-Identifier: GPL-2.0
/*
 * What the sweep and the listings of hosts need of the maps; see datapath.h. Decides nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath_private.h"

#define BATCH 4096U

void datapath_sweep_fds(const struct datapath *dp, int ret[DATAPATH_SWEEP_FDS])
{
	const int fds[DATAPATH_SWEEP_FDS] = {dp->ranges, dp->hosts, dp->uplinks_map, dp->sweep};

	memcpy(ret, fds, sizeof(fds));
}

int datapath_range_whole(const struct datapath *dp, __u16 uplink, const struct range_config *range,
			 struct skep_range *ret)
{
	const struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + range->prefix.len,
		.uplink = uplink,
		.vlan = range->vlan,
		.ip.addr = range->prefix.addr,
	};

	return bpf_map_lookup_elem(dp->ranges, &key, ret);
}

int datapath_sweep(const struct datapath *dp, struct skep_sweep *ret)
{
	const __u32 only = 0;

	return bpf_map_lookup_elem(dp->sweep, &only, ret);
}

void datapath_set_sweep(const struct datapath *dp, const struct skep_sweep *sweep)
{
	const __u32 only = 0;

	bpf_map_update_elem(dp->sweep, &only, sweep, BPF_ANY);
}

/* struct all - what a hash holds: @n keys and as many values, room for @room */
struct all {
	char *keys, *values;
	size_t key_size, value_size;
	__u32 n, room;
};

static int make_room(struct all *all, __u32 more)
{
	const __u32 room = 2 * (all->n + more);
	void *keys, *values;

	if (all->room >= all->n + more)
		return 0;
	keys = reallocarray(all->keys, room, all->key_size);
	all->keys = keys ? keys : all->keys;
	values = reallocarray(all->values, room, all->value_size);
	all->values = values ? values : all->values;
	if (!keys || !values)
		return -ENOMEM;
	all->room = room;
	return 0;
}

/* Bucket by bucket, so that each entry comes once, whatever changes meanwhile. */
static int read_all(int map, struct all *all)
{
	__u32 place, *after = NULL;
	int err = 0;

	while (!err) {
		__u32 count = BATCH;

		err = make_room(all, count);
		if (err)
			return err;
		err = bpf_map_lookup_batch(map, after, &place, all->keys + all->n * all->key_size,
					   all->values + all->n * all->value_size, &count, NULL);
		if (!err || err == -ENOENT)
			all->n += count;
		after = &place;
	}
	return err == -ENOENT ? 0 : err;
}

int datapath_read_pairs(int map, size_t key_size, size_t value_size, void *ret_keys,
			void *ret_values)
{
	struct all all = {.key_size = key_size, .value_size = value_size};
	int err = read_all(map, &all);

	if (err) {
		free(all.keys);
		free(all.values);
		return err;
	}
	memcpy(ret_keys, &all.keys, sizeof(all.keys));
	memcpy(ret_values, &all.values, sizeof(all.values));
	return (int)all.n;
}

int datapath_hosts(const struct datapath *dp, struct skep_addr **ret_addresses,
		   struct skep_host **ret_hosts)
{
	return datapath_read_pairs(dp->hosts, sizeof(**ret_addresses), sizeof(**ret_hosts),
				   ret_addresses, ret_hosts);
}

int datapath_would(const struct datapath *dp, struct skep_pair **ret_pairs,
		   struct skep_would **ret_would)
{
	return datapath_read_pairs(dp->would_claim, sizeof(**ret_pairs), sizeof(**ret_would),
				   ret_pairs, ret_would);
}
