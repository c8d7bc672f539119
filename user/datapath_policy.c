// SPDX-License-Identifier: GPL-2.0
/*
 * What containers may send, in the maps: policies, which of them each port has, and what belongs to
 * the farm or the box. While any of it changes, nothing is let out for a moment that neither the
 * old configuration nor the new one lets out: a policy in use is never written to, and a port goes
 * over to another one at once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cleanup.h"
#include "datapath_private.h"
#include "log.h"

/* ---- flows -------------------------------------------------------------------- */

/* A map that is pinned keeps its size: another one would be another map. */
static __u32 pinned_size(const char *bpf_dir, const char *name)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	char path[512];
	cleanup_close int fd = -EBADF;

	snprintf(path, sizeof(path), "%s/%s", bpf_dir, name);
	fd = bpf_obj_get(path);
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) ? info.max_entries : 0;
}

int datapath_size_flows(const struct config *config, struct bpf_map *flows,
			struct bpf_map *redirects)
{
	__u32 size = pinned_size(config->bpf_dir, bpf_map__name(flows));
	int err;

	if (size && size != config->flows)
		log_info("%s: flows = %u holds when the farm is started anew; until then it is %u",
			 config->file, config->flows, size);
	size = size ? size : config->flows;
	err = bpf_map__set_max_entries(flows, size);
	return err ? err : bpf_map__set_max_entries(redirects, size);
}

/* ---- policies ----------------------------------------------------------------- */

/**
 * struct slots - the map `policies`, as it is and as it is to be
 * @used: slots that the new configuration has
 */
struct slots {
	struct skep_policy at[SKEP_POLICY_SLOTS];
	bool used[SKEP_POLICY_SLOTS];
};

static int read_slots(const struct datapath *dp, struct slots *slots)
{
	for (__u32 i = 0; i < SKEP_POLICY_SLOTS; i++)
		if (bpf_map_lookup_elem(dp->policies, &i, &slots->at[i]))
			return -errno;
	return 0;
}

/* The slot that holds just this policy, whatever its serial; SKEP_POLICY_NONE when there is none.
 */
static __u32 find_slot(const struct slots *slots, const struct skep_policy *policy)
{
	for (__u32 i = 1; i < SKEP_POLICY_SLOTS; i++) {
		struct skep_policy wanted = *policy;

		wanted.serial = slots->at[i].serial;
		if (wanted.serial && !memcmp(&wanted, &slots->at[i], sizeof(wanted)))
			return i;
	}
	return SKEP_POLICY_NONE;
}

static __u32 free_slot(const struct slots *slots)
{
	for (__u32 i = 1; i < SKEP_POLICY_SLOTS; i++)
		if (!slots->at[i].serial && !slots->used[i])
			return i;
	return SKEP_POLICY_NONE; /* there are twice as many as policies */
}

/* Tells a policy from any that had the slot before, also before a restart. */
static __u32 new_serial(void)
{
	__u32 serial = 0;

	while (!serial)
		if (getrandom(&serial, sizeof(serial), 0) != sizeof(serial))
			return 0;
	return serial;
}

static int clear_hits(const struct datapath *dp, __u32 slot)
{
	cleanup_free struct skep_hits *zero = calloc((size_t)dp->n_cpus, sizeof(*zero));
	int err = zero ? 0 : -ENOMEM;

	for (__u32 i = 0; !err && i < SKEP_POLICY_HITS; i++) {
		__u32 index = slot * SKEP_POLICY_HITS + i;

		err = bpf_map_update_elem(dp->policy_hits, &index, zero, BPF_ANY);
	}
	return err;
}

static int store_policy(struct datapath *dp, struct slots *slots, size_t i)
{
	struct skep_policy policy = dp->config->policies[i].rules;
	__u32 slot = find_slot(slots, &policy);
	int err;

	if (slot == SKEP_POLICY_NONE) {
		slot = free_slot(slots);
		policy.serial = new_serial();
		if (slot == SKEP_POLICY_NONE || !policy.serial)
			return -ENOSPC;
		err = clear_hits(dp, slot);
		if (!err)
			err = bpf_map_update_elem(dp->policies, &slot, &policy, BPF_ANY);
		if (err)
			return err;
	}
	slots->used[slot] = true;
	dp->policy_slot[i] = slot;
	return 0;
}

/* The oldest address of a container says what it may send; all its addresses are of one range. */
static __u32 policy_of_slot(const struct datapath *dp, __u32 slot)
{
	struct skep_container container = {};

	if (datapath_container(dp, slot, &container))
		return SKEP_POLICY_NONE;
	return datapath_policy_of(dp, &container.address);
}

static int set_port(const struct datapath *dp, const struct datapath_port *port)
{
	struct skep_port value;

	if (datapath_has_offer(dp, port->slot))
		return 0; /* the uplink program writes in it, or settle.c will */
	if (bpf_map_lookup_elem(dp->ports, &port->ifindex, &value))
		return 0;
	value.policy = (__u16)policy_of_slot(dp, port->slot);
	return bpf_map_update_elem(dp->ports, &port->ifindex, &value, BPF_EXIST);
}

static int set_ports(const struct datapath *dp)
{
	cleanup_free struct datapath_port *ports = NULL;
	int n = datapath_ports(dp, &ports), err = 0;

	for (int i = 0; i < n && !err; i++)
		err = set_port(dp, &ports[i]);
	return n < 0 ? n : err;
}

static void clear_unused(const struct datapath *dp, const struct slots *slots)
{
	static const struct skep_policy none;

	for (__u32 i = 1; i < SKEP_POLICY_SLOTS; i++)
		if (slots->at[i].serial && !slots->used[i])
			bpf_map_update_elem(dp->policies, &i, &none, BPF_ANY);
}

int datapath_set_policies(struct datapath *dp)
{
	cleanup_free struct slots *slots = calloc(1, sizeof(*slots));
	int err = slots ? read_slots(dp, slots) : -ENOMEM;

	memset(dp->policy_slot, 0, sizeof(dp->policy_slot));
	for (size_t i = 0; i < dp->config->n_policies && !err; i++)
		err = store_policy(dp, slots, i);
	if (!err)
		err = set_ports(dp);
	if (err)
		log_error("%s: cannot store the policies: %s", dp->config->file, strerror(-err));
	else
		clear_unused(dp, slots);
	return err;
}

__u16 datapath_policy_of(const struct datapath *dp, const struct skep_addr *address)
{
	const struct range_config *range;

	if (address->uplink >= dp->config->n_uplinks)
		return SKEP_POLICY_NONE; /* of a world, where no policy is asked */
	range = config_range_of(dp->config, address->uplink, address->vlan, address->ip.addr);
	return range ? (__u16)dp->policy_slot[range->policy] : SKEP_POLICY_NONE;
}

int datapath_policy(const struct datapath *dp, __u32 slot, struct skep_policy *ret)
{
	if (slot >= SKEP_POLICY_SLOTS || bpf_map_lookup_elem(dp->policies, &slot, ret))
		return -ENOENT;
	return ret->serial ? 0 : -ENOENT;
}

int datapath_policy_hits(const struct datapath *dp, __u32 slot,
			 struct skep_hits ret[SKEP_POLICY_HITS])
{
	cleanup_free struct skep_hits *per_cpu = calloc((size_t)dp->n_cpus, sizeof(*per_cpu));

	if (!per_cpu)
		return -ENOMEM;
	memset(ret, 0, SKEP_POLICY_HITS * sizeof(*ret));
	for (__u32 i = 0; i < SKEP_POLICY_HITS; i++) {
		__u32 index = slot * SKEP_POLICY_HITS + i;

		if (bpf_map_lookup_elem(dp->policy_hits, &index, per_cpu))
			return -errno;
		for (int cpu = 0; cpu < dp->n_cpus; cpu++) {
			ret[i].packets += per_cpu[cpu].packets;
			ret[i].bytes += per_cpu[cpu].bytes;
			ret[i].flows += per_cpu[cpu].flows;
		}
	}
	return 0;
}

int datapath_notices_fd(const struct datapath *dp)
{
	return dp->notices;
}

/* ---- the farm and the box ------------------------------------------------------ */

/* What the map `farm` shall hold. */
struct farm_entry {
	struct skep_farm_key key;
	__u32 kind;
};

struct farm_map {
	struct farm_entry *entries;
	size_t n, room;
};

static void add(struct farm_map *map, const struct prefix *prefix, enum skep_farm_kind kind)
{
	for (size_t i = 0; i < map->n; i++) {
		struct farm_entry *entry = &map->entries[i];

		if (entry->key.prefixlen == prefix->len && entry->key.ip.addr == prefix->addr) {
			entry->kind = entry->kind > kind ? entry->kind : kind;
			return;
		}
	}
	if (map->n < map->room)
		map->entries[map->n++] = (struct farm_entry){
			.key = {.prefixlen = prefix->len, .ip.addr = prefix->addr},
			.kind = kind,
		};
}

/* An exclusion counts unless another range, on another segment, has some of these addresses. */
static bool is_outside(const struct config *config, const struct range_config *of,
		       const struct prefix *prefix)
{
	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++) {
			const struct range_config *other = &config->uplinks[u].ranges[r];

			if (other != of && prefix_overlaps(&other->prefix, prefix))
				return false;
		}
	return true;
}

static void add_outside(struct farm_map *map, const struct config *config,
			const struct range_config *range, const struct prefix *prefix)
{
	if (prefix_contains(&range->prefix, prefix->addr) && is_outside(config, range, prefix))
		add(map, prefix, SKEP_FARM_OUTSIDE);
}

/* What is sent to them is for all who are on the segment, the farm's addresses among them. */
static void add_ends(struct farm_map *map, const struct prefix *network)
{
	const struct prefix first = {network->addr, 32}, last = {prefix_broadcast(network), 32};

	add(map, &first, SKEP_FARM_RANGE);
	add(map, &last, SKEP_FARM_RANGE);
}

static void add_range(struct farm_map *map, const struct config *config,
		      const struct uplink_config *uplink, const struct range_config *range)
{
	const struct prefix gateway = {uplink->gateway, 32};

	add(map, &range->prefix, SKEP_FARM_RANGE);
	if (uplink->network.len && uplink->network.len < 31)
		add_ends(map, &uplink->network);
	for (size_t i = 0; i < range->n_excludes; i++)
		add_outside(map, config, range, &range->excludes[i]);
	if (gateway.addr)
		add_outside(map, config, range, &gateway);
}

static void collect(const struct datapath *dp, struct farm_map *map)
{
	const struct config *config = dp->config;

	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			add_range(map, config, &config->uplinks[u], &config->uplinks[u].ranges[r]);
	for (size_t i = 0; i < dp->n_own; i++)
		add(map, &(struct prefix){dp->own[i], 32}, SKEP_FARM_BOX);
}

static size_t count_entries(const struct datapath *dp)
{
	size_t n = dp->n_own;

	for (size_t u = 0; u < dp->config->n_uplinks; u++)
		for (size_t r = 0; r < dp->config->uplinks[u].n_ranges; r++)
			n += 4 + dp->config->uplinks[u].ranges[r].n_excludes;
	return n;
}

static bool is_wanted(const struct farm_map *map, const struct skep_farm_key *key)
{
	for (size_t i = 0; i < map->n; i++)
		if (!memcmp(&map->entries[i].key, key, sizeof(*key)))
			return true;
	return false;
}

static void remove_others(const struct datapath *dp, const struct farm_map *map)
{
	struct skep_farm_key key, next;
	bool more = !bpf_map_get_next_key(dp->farm, NULL, &next);

	while (more) {
		key = next;
		more = !bpf_map_get_next_key(dp->farm, &key, &next);
		if (!is_wanted(map, &key))
			bpf_map_delete_elem(dp->farm, &key);
	}
}

/* Prefixes of the farm first, and what is outside of it last. */
static int insert(const struct datapath *dp, const struct farm_map *map)
{
	int err = 0;

	for (int kind = SKEP_FARM_BOX; kind >= SKEP_FARM_OUTSIDE; kind--)
		for (size_t i = 0; i < map->n && !err; i++)
			if (map->entries[i].kind == (__u32)kind)
				err = bpf_map_update_elem(dp->farm, &map->entries[i].key,
							  &map->entries[i].kind, BPF_ANY);
	return err;
}

int datapath_set_farm(struct datapath *dp)
{
	struct farm_map map = {.room = count_entries(dp)};
	cleanup_free struct farm_entry *entries = calloc(map.room + 1, sizeof(*entries));
	int err;

	if (!entries)
		return -ENOMEM;
	map.entries = entries;
	collect(dp, &map);
	err = insert(dp, &map);
	if (err)
		log_error("%s: cannot store which addresses are the farm's: %s", dp->config->file,
			  strerror(-err));
	else
		remove_others(dp, &map);
	return err;
}
