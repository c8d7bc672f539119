// SPDX-License-Identifier: GPL-2.0
/* The end of a dry run; see would.h. Reads one map. */
#include "would.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "log.h"

#define CONFLICTS_SHOWN 16

/* struct sums - over all of `would_claim` */
struct sums {
	unsigned long addresses, requesters, times, conflicts, shown;
};

static void log_conflict(const struct config *config, const struct skep_pair *pair,
			 const struct skep_would *would, struct sums *sums)
{
	char address[INET_ADDRSTRLEN];

	if (sums->shown++ >= CONFLICTS_SHOWN)
		return;
	inet_ntop(AF_INET, &pair->address.ip.addr, address, sizeof(address));
	log_warn("dry run: %s on %s would have been claimed, and a host has it (seen %u times)",
		 address, config->uplinks[pair->address.uplink].name, would->conflicts);
}

/* The entry without a requester is the sum of an address. */
static void add(const struct config *config, const struct skep_pair *pair,
		const struct skep_would *would, struct sums *sums)
{
	if (pair->other.addr || pair->address.uplink >= config->n_uplinks)
		return;
	sums->addresses++;
	sums->times += would->count;
	sums->conflicts += would->conflicts != 0;
	if (would->conflicts)
		log_conflict(config, pair, would, sums);
}

static int compare_requesters(const void *a, const void *b)
{
	return memcmp(&((const struct skep_pair *)a)->other, &((const struct skep_pair *)b)->other,
		      sizeof(union skep_ipv4));
}

static unsigned long count_requesters(struct skep_pair *pairs, size_t n)
{
	unsigned long requesters = 0;

	qsort(pairs, n, sizeof(*pairs), compare_requesters);
	for (size_t i = 0; i < n; i++)
		requesters += pairs[i].other.addr &&
			      (!i || pairs[i].other.addr != pairs[i - 1].other.addr);
	return requesters;
}

void would_log(const struct config *config, const struct datapath *dp)
{
	cleanup_free struct skep_pair *pairs = NULL;
	cleanup_free struct skep_would *would = NULL;
	int n = datapath_would(dp, &pairs, &would);
	struct sums sums = {};

	if (n < 0) {
		log_error("what the dry run has noted cannot be read: %s", strerror(-n));
		return;
	}
	for (int i = 0; i < n; i++)
		add(config, &pairs[i], &would[i], &sums);
	sums.requesters = count_requesters(pairs, (size_t)n);
	log_info("dry run: would have claimed %lu addresses for %lu requesters, who asked %lu "
		 "times; %lu conflicts with hosts",
		 sums.addresses, sums.requesters, sums.times, sums.conflicts);
}
