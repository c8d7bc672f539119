// SPDX-License-Identifier: GPL-2.0
/*
 * Which addresses may be bound: the map `ranges` follows the configuration and this machine's own
 * addresses. While it changes, no excluded address is bindable for a moment.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "datapath_private.h"
#include "log.h"

struct entry {
	struct skep_range_key key;
	struct skep_range value;
};

/* What the map shall hold; sorted by key once it is complete. */
struct wanted {
	const struct config *config;
	struct entry *entries;
	size_t n, room;
};

static void want(struct wanted *w, size_t uplink, const struct range_config *range,
		 const struct prefix *prefix, bool excluded)
{
	const struct entry entry = {
		.key = {.prefixlen = SKEP_RANGE_KEY_BITS + prefix->len,
			.uplink = (__u16)uplink,
			.vlan = range->vlan,
			.ip.addr = prefix->addr},
		.value = {.range = (__u16)(range - w->config->uplinks[uplink].ranges),
			  .excluded = excluded},
	};

	if (w->n < w->room)
		w->entries[w->n] = entry;
	w->n++;
}

static void want_excluded(struct wanted *w, size_t uplink, const struct range_config *range,
			  __be32 addr)
{
	const struct prefix host = {addr, 32};

	if (addr && prefix_contains(&range->prefix, addr))
		want(w, uplink, range, &host, true);
}

/* The range, what is excluded from it, and what can be no machine's address. */
static void want_range(struct wanted *w, const struct datapath *dp, size_t uplink,
		       const struct range_config *range)
{
	want(w, uplink, range, &range->prefix, false);
	for (size_t i = 0; i < range->n_excludes; i++)
		want(w, uplink, range, &range->excludes[i], true);
	want_excluded(w, uplink, range, w->config->uplinks[uplink].gateway);
	for (size_t i = 0; i < dp->n_own; i++)
		want_excluded(w, uplink, range, dp->own[i]);
	if (range->prefix.len >= 31) /* RFC 3021: no network or broadcast address */
		return;
	want_excluded(w, uplink, range, range->prefix.addr);
	want_excluded(w, uplink, range, prefix_broadcast(&range->prefix));
}

static int compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return memcmp(&x->key, &y->key, sizeof(x->key));
}

/* A prefix that is excluded twice, or wholly, has one entry: the exclusion. */
static void make_unique(struct wanted *w)
{
	size_t n = 0;

	qsort(w->entries, w->n, sizeof(*w->entries), compare);
	for (size_t i = 0; i < w->n; i++) {
		if (n && !compare(&w->entries[n - 1], &w->entries[i]))
			w->entries[n - 1].value.excluded |= w->entries[i].value.excluded;
		else
			w->entries[n++] = w->entries[i];
	}
	w->n = n;
}

static int collect(const struct datapath *dp, const struct config *config, struct wanted *ret)
{
	*ret = (struct wanted){.config = config, .room = SKEP_RANGES_MAX};
	ret->entries = calloc(ret->room, sizeof(*ret->entries));
	if (!ret->entries)
		return -ENOMEM;
	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			want_range(ret, dp, u, &config->uplinks[u].ranges[r]);
	if (ret->n > ret->room)
		return -ENOSPC;
	make_unique(ret);
	return 0;
}

/* Takes out what is not wanted (any more) in this way: as an exclusion or as a range. */
static void remove_others(const struct datapath *dp, const struct wanted *w, bool excluded)
{
	struct skep_range_key key, next;
	struct skep_range value;
	bool more = !bpf_map_get_next_key(dp->ranges, NULL, &next);

	while (more) {
		struct entry entry = {.key = next};
		const struct entry *found =
			bsearch(&entry, w->entries, w->n, sizeof(entry), compare);

		key = next;
		more = !bpf_map_get_next_key(dp->ranges, &key, &next);
		if (!bpf_map_lookup_elem(dp->ranges, &key, &value) && value.excluded == excluded &&
		    (!found || found->value.excluded != excluded))
			bpf_map_delete_elem(dp->ranges, &key);
	}
}

static int insert(const struct datapath *dp, const struct wanted *w, bool excluded)
{
	int err = 0;

	for (size_t i = 0; !err && i < w->n; i++)
		if (w->entries[i].value.excluded == excluded)
			err = bpf_map_update_elem(dp->ranges, &w->entries[i].key,
						  &w->entries[i].value, BPF_ANY);
	return err;
}

int datapath_set_ranges(struct datapath *dp)
{
	struct wanted wanted;
	int err = collect(dp, dp->config, &wanted);

	if (err == -ENOSPC)
		log_error("%s: %zu ranges and exclusions are more than the %d there is room for; "
			  "join some",
			  dp->config->file, wanted.n, SKEP_RANGES_MAX);
	if (!err) {
		remove_others(dp, &wanted, false);
		err = insert(dp, &wanted, true);
		if (!err)
			err = insert(dp, &wanted, false);
		remove_others(dp, &wanted, true);
		if (err)
			log_error("%s: cannot store the ranges: %s", dp->config->file,
				  strerror(-err));
	}
	free(wanted.entries);
	return err;
}

bool datapath_ranges_fit(const struct datapath *dp, const struct config *config)
{
	struct wanted wanted;
	int err = collect(dp, config, &wanted);

	free(wanted.entries);
	return !err;
}

static int remember_own(struct datapath *dp, __be32 addr)
{
	__be32 *more;

	for (size_t i = 0; i < dp->n_own; i++)
		if (dp->own[i] == addr)
			return 0;
	more = reallocarray(dp->own, dp->n_own + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	dp->own = more;
	dp->own[dp->n_own++] = addr;
	return 0;
}

int datapath_exclude(struct datapath *dp, const __be32 *addrs, size_t n)
{
	size_t before = dp->n_own;
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = remember_own(dp, addrs[i]);
	return err || dp->n_own == before ? err : datapath_set_ranges(dp);
}

bool datapath_is_bindable(const struct datapath *dp, const struct skep_addr *address)
{
	struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + 32,
		.uplink = address->uplink,
		.vlan = address->vlan,
		.ip = address->ip,
	};
	struct skep_range range;

	return !bpf_map_lookup_elem(dp->ranges, &key, &range) && !range.excluded;
}
