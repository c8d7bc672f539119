// SPDX-License-Identifier: GPL-2.0
/*
 * Idle containers that the uplink program may give away, and how they wait for that: their network
 * is open for any address. Owns who is offered; an offer that was taken is settle.c's.
 */
#include <errno.h>
#include <string.h>

#include "farm.h"

#define TOLD_AT_ONCE 32

/* Whether the uplink program may give them away: there is a range that it binds from them. */
static bool is_offered(const struct opening *o)
{
	return o->open.n_segments;
}

static bool has_segment(const struct opening *o, const struct prefix *prefix)
{
	for (size_t i = 0; i < o->open.n_segments; i++)
		if (o->segments[i].addr == prefix->addr && o->segments[i].len == prefix->len)
			return true;
	return false;
}

static void add_range(const struct config *config, size_t uplink, const struct range_config *range,
		      struct opening *o)
{
	if (!config_binds_in_kernel(config, uplink, range))
		return;
	o->open.gateway = config->uplinks[uplink].gateway; /* that of all of them */
	if (!is_offered(o)) {
		o->uplink = (__u32)uplink;
		o->vlan = range->vlan;
	} else if (o->uplink != uplink || o->vlan != range->vlan) {
		o->uplink = SKEP_UPLINKS_MAX;
	}
	if (has_segment(o, &range->prefix))
		return;
	o->segments[o->open.n_segments++] = range->prefix;
}

static void work_out(const struct config *config, size_t template, struct opening *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			if (config->uplinks[u].ranges[r].template == template)
				add_range(config, u, &config->uplinks[u].ranges[r], ret);
}

static bool is_same(const struct opening *a, const struct opening *b)
{
	return a->open.gateway == b->open.gateway && a->uplink == b->uplink && a->vlan == b->vlan &&
	       a->open.n_segments == b->open.n_segments &&
	       !memcmp(a->segments, b->segments, sizeof(a->segments));
}

static bool waits_as_it_should(const struct farm *farm, __u32 slot)
{
	const struct opening *o = &farm->opening[pool_template(farm->pool, slot)];

	return farm->warm[slot].opened == (is_offered(o) ? o->generation : 0);
}

void offer_configure(struct farm *farm)
{
	for (size_t t = 0; t < SKEP_TEMPLATES_MAX; t++) {
		struct opening *o = &farm->opening[t], new;

		work_out(farm->config, t, &new);
		if (o->generation && is_same(&new, o))
			continue;
		*o = new;
		o->open.segments = o->segments;
		o->generation = ++farm->openings;
	}
	for (__u32 slot = 0; slot < farm->slots_end; slot++)
		if (pool_state(farm->pool, slot) == SKEP_STATE_IDLE &&
		    !waits_as_it_should(farm, slot))
			offer_take_back(farm, slot);
}

/* Nobody outside ever sees it, and nobody may guess it: who had it himself, the programs would take
 * for the container. */
static void waiting_mac(const struct farm *farm, __u32 slot, __u8 ret[6])
{
	const __u64 hash =
		siphash24(farm->secret, &farm->warm[slot].serial, sizeof(farm->warm[slot].serial));

	memcpy(ret, &hash, 6);
	ret[0] = (__u8)((ret[0] & ~1U) | 2); /* a station's, of no vendor */
}

static int open_network(struct farm *farm, __u32 slot, const struct opening *o)
{
	struct warm *warm = &farm->warm[slot];
	struct plumb_open open = o->open;

	waiting_mac(farm, slot, open.mac);
	memcpy(warm->mac, open.mac, sizeof(warm->mac));
	warm->opened = o->generation;
	warm->heard = o->heard;
	return plumb_open(warm->netlink, warm->eth0, &open);
}

static int close_network(struct farm *farm, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];
	int err = warm->opened ? plumb_close(warm->netlink, warm->eth0) : 0;

	warm->opened = 0;
	return err;
}

static void refuse(struct farm *farm, __u32 slot, int err)
{
	const struct pool_failure failure = pool_died(farm->pool, slot, monotonic_ns());

	refill_failed(farm, slot, &failure, "could not be made ready", strerror(-err));
	farm_wake_refill(farm, 0);
}

void offer_idle(struct farm *farm, __u32 slot)
{
	const __u32 template = pool_template(farm->pool, slot);
	const struct opening *o = &farm->opening[template];
	struct warm *warm = &farm->warm[slot];
	int err = 0;

	if (!offer_take_back(farm, slot))
		return;
	if (!is_offered(o))
		err = close_network(farm, slot);
	else if (warm->opened != o->generation)
		err = open_network(farm, slot, o);
	if (!err && is_offered(o))
		err = datapath_offer(farm->dp, slot, template, warm->port, warm->mac);
	if (err)
		refuse(farm, slot, err);
}

void offer_all_idle(struct farm *farm)
{
	for (__u32 slot = 0; slot < farm->slots_end; slot++)
		if (pool_state(farm->pool, slot) == SKEP_STATE_IDLE &&
		    !waits_as_it_should(farm, slot))
			offer_idle(farm, slot);
	datapath_tidy(farm->dp);
}

static void hear_gateway(const struct farm *farm, struct opening *o)
{
	__u8 mac[6];

	if (!o->open.gateway || !datapath_gateway(farm->dp, o->uplink, o->vlan, mac) ||
	    !memcmp(mac, o->open.gateway_mac, sizeof(mac)))
		return;
	memcpy(o->open.gateway_mac, mac, sizeof(mac));
	o->heard++;
}

/* One that was given away meanwhile forgets it when it is settled; who does not get it, asks. */
static void tell_gateway(struct farm *farm, __u32 slot)
{
	const struct opening *o = &farm->opening[pool_template(farm->pool, slot)];
	struct warm *warm = &farm->warm[slot];

	if (!warm->opened || warm->opened != o->generation || warm->heard == o->heard)
		return;
	(void)plumb_know_gateway(warm->netlink, warm->eth0, &o->open);
	warm->heard = o->heard;
}

void offer_tell_gateways(struct farm *farm)
{
	for (size_t t = 0; t < farm->config->n_templates; t++)
		if (is_offered(&farm->opening[t]))
			hear_gateway(farm, &farm->opening[t]);
	for (int n = 0; n < TOLD_AT_ONCE && farm->slots_end; n++) {
		farm->told = (farm->told + 1) % farm->slots_end;
		if (pool_state(farm->pool, farm->told) == SKEP_STATE_IDLE)
			tell_gateway(farm, farm->told);
	}
}

bool offer_take_back(struct farm *farm, __u32 slot)
{
	return datapath_take_back(farm->dp, slot, pool_template(farm->pool, slot));
}

__u32 offer_take(struct farm *farm, __u32 template)
{
	__u32 slot = pool_first_idle(farm->pool, template);

	while (slot != POOL_NO_SLOT && !offer_take_back(farm, slot))
		slot = pool_next_idle(farm->pool, slot);
	if (slot != POOL_NO_SLOT)
		pool_take(farm->pool, slot);
	return slot;
}

/* Opened by another configuration, or another skepd: what that was is not known any more, and is
 * looked for; and it may have begun to settle it. */
int offer_close(struct farm *farm, __u32 slot, const struct plumb_open **ret)
{
	static const struct plumb_open closed;
	const struct opening *o = &farm->opening[pool_template(farm->pool, slot)];
	struct warm *warm = &farm->warm[slot];

	*ret = warm->opened ? &closed : NULL;
	if (warm->opened != o->generation)
		return close_network(farm, slot);
	*ret = &o->open;
	warm->opened = 0;
	return 0;
}
