// SPDX-License-Identifier: GPL-2.0
/*
 * Listings; see listing.h. A walk through a hash map that changes may see an entry twice, so the
 * addresses are taken at once; what is said of each is looked up when it is said.
 */
#include "listing.h"

#include <stdlib.h>

#include "cleanup.h"
#include "report.h"

#define SLICE 256

/**
 * struct listing - @entry: makes an entry, or returns NULL where there is nothing (any more)
 * @addresses: of the leases, when these are listed
 */
struct listing {
	const char *key;
	json_t *(*entry)(const struct listing *listing, const struct config *config,
			 const struct datapath *dp, size_t i);
	struct skep_addr *addresses;
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

struct listing *listing_free(struct listing *listing)
{
	if (listing)
		free(listing->addresses);
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
