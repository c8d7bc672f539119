// SPDX-License-Identifier: GPL-2.0
/* The order and the rules of the sweep; see sweep.h. Asks no map and no clock. */
#include "sweep.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "pace.h"
#include "permutation.h"

#define ROUNDS_IN_MEMORY 3

/**
 * struct span - a verified range
 * @first: address in host byte order
 * @end:   how many addresses it and those before it have
 */
struct span {
	__u16 uplink;
	__u16 vlan;
	__u32 first;
	__u64 end;
};

struct sweep {
	struct permutation order;
	__u64 at; /* place in @order; that of a round that is over is @total */
	__u64 total;
	size_t n;
	struct span spans[];
};

static size_t count_verified(const struct config *config)
{
	size_t n = 0;

	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			n += config->uplinks[u].ranges[r].verify;
	return n;
}

static void add_span(struct sweep *sweep, size_t uplink, const struct range_config *range)
{
	sweep->total += 1ULL << (32 - range->prefix.len);
	sweep->spans[sweep->n++] = (struct span){
		.uplink = (__u16)uplink,
		.vlan = range->vlan,
		.first = ntohl(range->prefix.addr),
		.end = sweep->total,
	};
}

int sweep_new(const struct config *config, struct sweep **ret)
{
	const size_t n = count_verified(config);
	struct sweep *sweep = calloc(1, sizeof(*sweep) + n * sizeof(sweep->spans[0]));

	if (!sweep)
		return -ENOMEM;
	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			if (config->uplinks[u].ranges[r].verify)
				add_span(sweep, u, &config->uplinks[u].ranges[r]);
	sweep->at = sweep->total;
	*ret = sweep;
	return 0;
}

struct sweep *sweep_free(struct sweep *sweep)
{
	free(sweep);
	return NULL;
}

__u64 sweep_total(const struct sweep *sweep)
{
	return sweep->total;
}

__u64 sweep_at(const struct sweep *sweep)
{
	return sweep->at;
}

void sweep_begin(struct sweep *sweep, const __u8 key[MAC_KEY_LEN])
{
	permutation_init(&sweep->order, key, sweep->total);
	sweep->at = 0;
}

/* The span that the number falls into. */
static size_t find_span(const struct sweep *sweep, __u64 number)
{
	size_t low = 0, high = sweep->n - 1;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (number < sweep->spans[middle].end)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool sweep_next(struct sweep *sweep, struct skep_addr *ret)
{
	const struct span *span;
	__u64 number, begin;
	size_t i;

	if (sweep->at >= sweep->total)
		return false;
	number = permutation_at(&sweep->order, sweep->at++);
	i = find_span(sweep, number);
	span = &sweep->spans[i];
	begin = i ? sweep->spans[i - 1].end : 0;
	*ret = (struct skep_addr){
		.ip.addr = htonl(span->first + (__u32)(number - begin)),
		.vlan = span->vlan,
		.uplink = span->uplink,
	};
	return true;
}

bool sweep_is_due(bool settled, __u32 age_s, unsigned int memory_s)
{
	return !settled || age_s >= memory_s / ROUNDS_IN_MEMORY;
}

__u64 sweep_mean_ns(const struct sweep *sweep, unsigned int memory_s, bool hurry)
{
	if (hurry || !sweep->total)
		return 0;
	return memory_s * NS_PER_SEC / ROUNDS_IN_MEMORY / sweep->total;
}

__u64 sweep_round_s(const struct sweep *sweep, unsigned int per_second)
{
	const __u64 bound_ns = pace_bound_ns(per_second);

	return sweep->total * (bound_ns + bound_ns / 4) / NS_PER_SEC;
}
