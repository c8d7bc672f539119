// SPDX-License-Identifier: GPL-2.0
/*
 * Listings; see listing.h. A walk through a hash map that changes may see an entry twice, so the
 * addresses are taken at once; what is said of each is looked up when it is said.
 */
#include "listing.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "report.h"

#define SLICE 256

/* struct noted - an entry of `would_claim` */
struct noted {
	struct skep_pair pair;
	struct skep_would would;
};

/**
 * struct listing - @entry: makes an entry, or returns NULL where there is nothing (any more)
 * @addresses: of the leases or hosts, when these are listed
 * @flows:     keys of those that are listed
 * @noted:     what a dry run has noted, by address, for all requesters first
 */
struct listing {
	const char *key;
	json_t *(*entry)(const struct listing *listing, const struct config *config,
			 const struct datapath *dp, size_t i);
	struct skep_addr *addresses;
	struct noted *noted;
	struct skep_flow_key *flows;
	size_t at, n;
	bool begun, has_entries;
};

static json_t *lease_entry(const struct listing *listing, const struct config *config,
			   const struct datapath *dp, size_t i)
{
	struct skep_container container = {};
	struct skep_lease lease;

	if (datapath_lease(dp, &listing->addresses[i], &lease))
		return NULL;
	datapath_container(dp, lease.container, &container);
	return report_lease(config, &listing->addresses[i], &lease, container.pid);
}

static json_t *container_entry(const struct listing *listing, const struct config *config,
			       const struct datapath *dp, size_t i)
{
	struct skep_container c;

	(void)listing;
	if (datapath_container(dp, (__u32)i, &c) || c.state == SKEP_STATE_NONE ||
	    c.state >= SKEP_STATE_MAX)
		return NULL;
	report_take_claim(dp, (__u32)i, &c);
	return report_container(config, (__u32)i, &c);
}

struct listing *listing_leases(const struct datapath *dp)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	cleanup_free struct skep_lease *leases = NULL;
	int n;

	if (!listing)
		return NULL;
	listing->key = "leases";
	listing->entry = lease_entry;
	n = datapath_leases(dp, &listing->addresses, &leases);
	if (n < 0)
		return listing_free(listing);
	listing->n = (size_t)n;
	return listing;
}

struct listing *listing_containers(const struct datapath *dp)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	cleanup_free struct skep_container *containers = NULL;
	int n = datapath_containers(dp, &containers);

	if (!listing || n < 0)
		return listing_free(listing);
	listing->key = "containers";
	listing->entry = container_entry;
	listing->n = (size_t)n;
	return listing;
}

/* Hosts that are only remembered for the frames that are handed on to them are shown, too. */
static json_t *host_entry(const struct listing *listing, const struct config *config,
			  const struct datapath *dp, size_t i)
{
	const __u64 now_ns = monotonic_ns();
	struct skep_host host;

	if (datapath_host(dp, &listing->addresses[i], &host) ||
	    (host.until_ns <= now_ns && host.hand_on_ns <= now_ns))
		return NULL;
	return report_host(config, &listing->addresses[i], &host);
}

struct listing *listing_hosts(const struct datapath *dp)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	cleanup_free struct skep_host *hosts = NULL;
	int n;

	if (!listing)
		return NULL;
	listing->key = "hosts";
	listing->entry = host_entry;
	n = datapath_hosts(dp, &listing->addresses, &hosts);
	if (n < 0)
		return listing_free(listing);
	listing->n = (size_t)n;
	return listing;
}

static json_t *would_entry(const struct listing *listing, const struct config *config,
			   const struct datapath *dp, size_t i)
{
	(void)dp;
	return report_would(config, &listing->noted[i].pair, &listing->noted[i].would);
}

/* In the order of addresses as they are written, not as they lie in memory. */
static int compare_noted(const void *a, const void *b)
{
	const struct skep_pair *x = &((const struct noted *)a)->pair;
	const struct skep_pair *y = &((const struct noted *)b)->pair;
	const int uplink = x->address.uplink - y->address.uplink;
	const int vlan = x->address.vlan - y->address.vlan;
	const int ip = memcmp(&x->address.ip, &y->address.ip, sizeof(x->address.ip));

	if (uplink || vlan || ip)
		return uplink ? uplink : vlan ? vlan : ip;
	return memcmp(&x->other, &y->other, sizeof(x->other));
}

struct listing *listing_would(const struct datapath *dp)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	cleanup_free struct skep_pair *pairs = NULL;
	cleanup_free struct skep_would *would = NULL;
	int n = datapath_would(dp, &pairs, &would);

	if (!listing || n < 0)
		return listing_free(listing);
	listing->key = "would";
	listing->entry = would_entry;
	listing->noted = calloc((size_t)n + 1, sizeof(*listing->noted));
	if (!listing->noted)
		return listing_free(listing);
	for (int i = 0; i < n; i++)
		listing->noted[i] = (struct noted){pairs[i], would[i]};
	listing->n = (size_t)n;
	qsort(listing->noted, listing->n, sizeof(*listing->noted), compare_noted);
	return listing;
}

static json_t *flow_entry(const struct listing *listing, const struct config *config,
			  const struct datapath *dp, size_t i)
{
	const struct skep_flow_key *key = &listing->flows[i];
	struct skep_flow flow;

	return datapath_flow(dp, key, &flow) ? NULL : report_flow(config, dp, key, &flow);
}

struct listing *listing_flows(const struct datapath *dp, __be32 address)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	int n;

	if (!listing)
		return NULL;
	listing->key = "flows";
	listing->entry = flow_entry;
	n = datapath_flows(dp, address, &listing->flows);
	if (n < 0)
		return listing_free(listing);
	listing->n = (size_t)n;
	return listing;
}

struct listing *listing_free(struct listing *listing)
{
	if (listing) {
		free(listing->addresses);
		free(listing->noted);
		free(listing->flows);
	}
	free(listing);
	return NULL;
}

/* Takes @entry. */
static void add_entry(struct listing *listing, json_t *entry, struct evbuffer *out)
{
	cleanup_free char *text = json_dumps(entry, REPORT_FLAGS);

	json_decref(entry);
	if (!text)
		return;
	evbuffer_add_printf(out, "%s%s", listing->has_entries ? "," : "", text);
	listing->has_entries = true;
}

bool listing_next(struct listing *listing, const struct config *config, const struct datapath *dp,
		  struct evbuffer *out)
{
	unsigned int n = 0;

	if (!listing->begun)
		evbuffer_add_printf(out, "{\"%s\":[", listing->key);
	listing->begun = true;
	/* A slice without an entry would never be read, and so be the last. */
	while (listing->at < listing->n && n < SLICE) {
		json_t *entry = listing->entry(listing, config, dp, listing->at++);

		if (!entry)
			continue;
		add_entry(listing, entry, out);
		n++;
	}
	if (listing->at < listing->n)
		return true;
	evbuffer_add_printf(out, "]}\n");
	return false;
}
