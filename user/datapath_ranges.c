// SPDX-License-Identifier: GPL-2.0
/*
 * Which addresses may be bound: the map `ranges` follows the configuration and this machine's own
 * addresses. While it changes, no excluded address is bindable for a moment. Owns the layout of
 * `verify`: a range that stays keeps its slots, and what is known of its addresses.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "datapath_private.h"
#include "keyed.h"
#include "log.h"
#include "mac.h"
#include "places.h"

/* struct entry - @is_new: its slots of `verify` are not those that it has in the map */
struct entry {
	struct skep_range_key key;
	struct skep_range value;
	bool is_new;
};

/* What the map shall hold; sorted by key once it is complete. */
struct wanted {
	const struct config *config;
	struct entry *entries;
	size_t n, room;
};

static bool is_excluded(const struct skep_range *range)
{
	return range->flags & SKEP_RANGE_EXCLUDED;
}

static bool is_verified(const struct skep_range *range)
{
	return (range->flags & (SKEP_RANGE_EXCLUDED | SKEP_RANGE_VERIFY)) == SKEP_RANGE_VERIFY;
}

/* The share of all 32-bit hashes that live; see keyed_lives(). */
static __u32 density_of(unsigned int percent)
{
	return percent < 100 ? (__u32)(percent * (1ULL << 32) / 100) : ~0U;
}

/* What the uplink program binds with; of exclusions it means nothing. */
static void fill_bind(const struct datapath *dp, const struct config *config, size_t uplink,
		      const struct range_config *range, struct skep_range *ret)
{
	ret->template = (__u16)range->template;
	ret->policy = (__u16)dp->policy_slot[range->policy];
	ret->prefixlen = (__u8)range->prefix.len;
	mac_of(dp->secret, config->uplinks[uplink].gateway, range->vlan,
	       (const __u8(*)[3])config->ouis, config->n_ouis, ret->gateway_mac);
	if (config_binds_in_kernel(config, uplink, range))
		ret->flags |= SKEP_RANGE_BIND;
}

static struct entry *want(struct wanted *w, size_t uplink, const struct range_config *range,
			  const struct prefix *prefix, unsigned int flags)
{
	const struct entry entry = {
		.key = {.prefixlen = SKEP_RANGE_KEY_BITS + prefix->len,
			.uplink = (__u16)uplink,
			.vlan = range->vlan,
			.ip.addr = prefix->addr},
		.value = {.range = (__u16)(range - w->config->uplinks[uplink].ranges),
			  .flags = (__u8)flags,
			  .quiet = (__u8)range->verify_quiet,
			  .density = density_of(range->density),
			  .patience_ms = range->answer_after * 1000,
			  .first.addr = range->prefix.addr},
	};

	if (w->n++ >= w->room)
		return NULL;
	w->entries[w->n - 1] = entry;
	return &w->entries[w->n - 1];
}

static void want_excluded(struct wanted *w, size_t uplink, const struct range_config *range,
			  __be32 addr, unsigned int flags)
{
	const struct prefix host = {addr, 32};

	if (addr && prefix_contains(&range->prefix, addr))
		want(w, uplink, range, &host, SKEP_RANGE_EXCLUDED | flags);
}

/* RFC 3021: a /31 and longer has no network or broadcast address. */
static void want_no_ends(struct wanted *w, size_t uplink, const struct range_config *range,
			 const struct prefix *of, unsigned int flags)
{
	if (of->len >= 31)
		return;
	want_excluded(w, uplink, range, of->addr, flags);
	want_excluded(w, uplink, range, prefix_broadcast(of), flags);
}

/* The range, what is excluded from it, and what can be no machine's address. */
static void want_range(struct wanted *w, const struct datapath *dp, size_t uplink,
		       const struct range_config *range)
{
	const struct uplink_config *u = &w->config->uplinks[uplink];
	struct entry *whole =
		want(w, uplink, range, &range->prefix, range->verify ? SKEP_RANGE_VERIFY : 0);

	if (whole)
		fill_bind(dp, w->config, uplink, range, &whole->value);
	for (size_t i = 0; i < range->n_excludes; i++)
		want(w, uplink, range, &range->excludes[i], SKEP_RANGE_EXCLUDED);
	want_excluded(w, uplink, range, u->gateway, 0);
	for (size_t i = 0; i < dp->n_own; i++)
		want_excluded(w, uplink, range, dp->own[i], 0);
	/* The range's ends may be machines of a network that is larger, if it is known. */
	want_no_ends(w, uplink, range, &range->prefix, u->network.len ? 0 : SKEP_RANGE_NOBODY);
	if (u->network.len)
		want_no_ends(w, uplink, range, &u->network, SKEP_RANGE_NOBODY);
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
			w->entries[n - 1].value.flags |= w->entries[i].value.flags;
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
		if (!bpf_map_lookup_elem(dp->ranges, &key, &value) &&
		    is_excluded(&value) == excluded &&
		    (!found || is_excluded(&found->value) != excluded))
			bpf_map_delete_elem(dp->ranges, &key);
	}
}

/* Those that stay, but get other slots, what is known anew, or have become verified. */
static void remove_moved(const struct datapath *dp, const struct wanted *w)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->entries[i].is_new)
			bpf_map_delete_elem(dp->ranges, &w->entries[i].key);
}

static int insert(const struct datapath *dp, const struct wanted *w, bool excluded)
{
	int err = 0;

	for (size_t i = 0; !err && i < w->n; i++)
		if (is_excluded(&w->entries[i].value) == excluded)
			err = bpf_map_update_elem(dp->ranges, &w->entries[i].key,
						  &w->entries[i].value, BPF_ANY);
	return err;
}

static __u32 slots_of(const struct entry *entry)
{
	return 1U << (SKEP_RANGE_KEY_BITS + 32 - entry->key.prefixlen);
}

/* Those that the map has already. Others are left with SKEP_VERIFY_MAX, which is no slot. */
static void keep_places(const struct datapath *dp, struct wanted *w, struct place *places,
			size_t *n_places)
{
	for (size_t i = 0; i < w->n; i++) {
		struct entry *entry = &w->entries[i];
		struct skep_range old;

		entry->value.verify = SKEP_VERIFY_MAX;
		if (is_verified(&entry->value) &&
		    !bpf_map_lookup_elem(dp->ranges, &entry->key, &old) && is_verified(&old) &&
		    places_take(places, n_places, SKEP_VERIFY_MAX, old.verify, slots_of(entry)))
			entry->value.verify = old.verify;
	}
}

/* Return: false when the gaps are too small. */
static bool find_places(struct wanted *w, struct place *places, size_t *n_places)
{
	for (size_t i = 0; i < w->n; i++) {
		struct entry *entry = &w->entries[i];

		if (!is_verified(&entry->value) || entry->value.verify < SKEP_VERIFY_MAX)
			continue;
		entry->is_new = true;
		if (!places_find(places, n_places, SKEP_VERIFY_MAX, slots_of(entry),
				 &entry->value.verify))
			return false;
	}
	return true;
}

/* New ranges begin with nothing known; what others knew there is needed until they are out. */
static void clear_new(const struct datapath *dp, const struct wanted *w)
{
	for (size_t i = 0; i < w->n; i++) {
		const struct entry *entry = &w->entries[i];

		if (entry->is_new)
			memset(&dp->verify[entry->value.verify], 0,
			       slots_of(entry) * sizeof(dp->verify[0]));
	}
}

static int lay_out(const struct datapath *dp, struct wanted *w)
{
	struct place *places = calloc(w->n + 1, sizeof(*places));
	size_t n = 0;

	if (!places)
		return -ENOMEM;
	keep_places(dp, w, places, &n);
	if (!find_places(w, places, &n)) { /* the configuration's sum fits: begin anew */
		for (size_t i = 0; i < w->n; i++)
			w->entries[i].value.verify = SKEP_VERIFY_MAX;
		n = 0;
		find_places(w, places, &n);
	}
	free(places);
	return 0;
}

/* What the uplink program compares addresses with before it looks into any map. */
static int set_bounds(struct datapath *dp, __u16 uplink)
{
	const struct uplink_config *config = &dp->config->uplinks[uplink];
	struct skep_uplink *entry = &dp->table[uplink];

	entry->first = ~0U;
	entry->last = 0;
	for (size_t r = 0; r < config->n_ranges; r++) {
		const struct prefix *prefix = &config->ranges[r].prefix;
		const __u32 first = ntohl(prefix->addr), last = ntohl(prefix_broadcast(prefix));

		entry->first = first < entry->first ? first : entry->first;
		entry->last = last > entry->last ? last : entry->last;
	}
	entry->network = ntohl(config->network.addr);
	entry->network_last = config->network.len ? ntohl(prefix_broadcast(&config->network)) : 0;
	if (entry->gateway.addr != config->gateway && dp->uplinks[uplink]) /* it was another one */
		memset(&dp->uplinks[uplink]->bss->hosts_gateway, 0,
		       sizeof(dp->uplinks[uplink]->bss->hosts_gateway));
	entry->gateway.addr = config->gateway;
	return datapath_store_uplink(dp, uplink);
}

int datapath_set_ranges(struct datapath *dp)
{
	struct wanted wanted;
	int err = collect(dp, dp->config, &wanted);

	if (err == -ENOSPC)
		log_error("%s: %zu ranges and exclusions are more than the %d there is room for; "
			  "join some",
			  dp->config->file, wanted.n, SKEP_RANGES_MAX);
	if (!err)
		err = lay_out(dp, &wanted);
	for (size_t u = 0; !err && u < dp->config->n_uplinks; u++)
		err = set_bounds(dp, (__u16)u);
	if (!err)
		err = datapath_set_farm(dp);
	if (!err) {
		remove_others(dp, &wanted, false);
		remove_moved(dp, &wanted);
		clear_new(dp, &wanted);
		err = insert(dp, &wanted, true);
		if (!err)
			err = insert(dp, &wanted, false);
		if (!err)
			remove_others(dp, &wanted, true);
		else
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

int datapath_range(const struct datapath *dp, const struct skep_addr *address,
		   struct skep_range *ret)
{
	struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + 32,
		.uplink = address->uplink,
		.vlan = address->vlan,
		.ip = address->ip,
	};

	return bpf_map_lookup_elem(dp->ranges, &key, ret);
}

bool datapath_is_bindable(const struct datapath *dp, const struct skep_addr *address)
{
	struct skep_range range;

	return !datapath_range(dp, address, &range) && !is_excluded(&range) &&
	       keyed_lives(dp->set.key, address->ip, address->vlan, range.density);
}
