// SPDX-License-Identifier: GPL-2.0
/*
 * Settling: what the uplink program has bound is told to the container, after the fact. Owns the
 * way of a lease from CLAIMED to SETTLED, and every step of it may be done over: whoever is killed
 * on the way leaves the next skepd a lease that says how far it had come. See "The life of a lease"
 * in skepd(8).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "farm.h"

#define TICKS_OF_A_CLAIM 3 /* that it may be without a lease */

/**
 * struct claim - a container that was given away
 * @lease: as the map has it
 * @ask:   the record of it; NULL when that was lost
 */
struct claim {
	__u32 slot;
	struct skep_addr address;
	struct skep_lease lease;
	const struct skep_ask *ask;
};

/* Return: 0; -EAGAIN when there is no claim, or the uplink program is not done with it; -ENOENT
 * when it has none of the address any more, or not yet. */
static int find(const struct farm *farm, __u32 slot, struct claim *ret)
{
	if (slot >= farm->slots_end || pool_state(farm->pool, slot) != SKEP_STATE_IDLE ||
	    !datapath_claimed(farm->dp, slot, &ret->address))
		return -EAGAIN;
	ret->slot = slot;
	return datapath_lease(farm->dp, &ret->address, &ret->lease) ||
			       ret->lease.container != slot ||
			       ret->lease.port != farm->warm[slot].port
		       ? -ENOENT
		       : 0;
}

/* The container is skepd's now, with an address that it must not keep. */
static void end(struct farm *farm, const struct claim *claim, enum skep_verdict why)
{
	pool_take(farm->pool, claim->slot);
	datapath_claim_done(farm->dp, claim->slot);
	farm_count(farm, SKEP_BOUND, NULL);
	bind_tell(farm, SKEP_BOUND, claim->slot, &claim->address, &claim->lease, claim->ask);
	farm_count(farm, why, NULL);
	bind_tell(farm, why, claim->slot, &claim->address, &claim->lease, NULL);
	bind_give_up(farm, claim->slot);
}

/* A host was heard, and the uplink program took the lease away; or it had not got one in the end.
 */
static void end_lost(struct farm *farm, const struct claim *claim)
{
	struct claim lost = *claim;

	if (offer_take_back(farm, claim->slot))
		return offer_idle(farm, claim->slot);
	lost.lease = (struct skep_lease){
		.bound_ns = claim->ask ? claim->ask->seen_ns : monotonic_ns(),
		.port = farm->warm[claim->slot].port,
		.container = claim->slot,
	};
	bind_mac(farm, claim->address.ip.addr, claim->address.vlan, lost.lease.mac);
	end(farm, &lost, SKEP_RELEASED_CONFLICT);
}

static int set_state(struct farm *farm, struct claim *claim, enum skep_lease_state state)
{
	int err = datapath_lease(farm->dp, &claim->address, &claim->lease);

	if (err)
		return err;
	claim->lease.state = state;
	if (state == SKEP_LEASE_SETTLED) {
		const __u64 ns = monotonic_ns() - claim->lease.bound_ns;

		memcpy(claim->lease.eth0, claim->lease.mac, sizeof(claim->lease.eth0));
		claim->lease.settle_ns = ns < ~0U ? (__u32)ns : ~0U;
	}
	return datapath_lease_update(farm->dp, &claim->address, &claim->lease);
}

/*
 * Whom the container has heard from, by the link address that the frame came from. Who asked by ARP
 * is known to it already. To a packet by the gateway it may be asking for that just now; nobody is
 * taken for the gateway who has not said so by ARP.
 */
static void note_asker(const struct farm *farm, const struct skep_ask *ask, __be32 gateway,
		       struct plumb_neighbour *ret)
{
	const __u8 *frame = (const __u8 *)(ask + 1);
	struct frame f;

	parse_frame(frame, frame + ask->frame_len, &f);
	if (f.kind == FRAME_IPV4 && !datapath_is_gateway(farm->dp, &ask->address, f.src))
		return;
	ret->addr = f.kind == FRAME_IPV4 ? gateway : f.sender.addr;
	memcpy(ret->mac, f.sender_mac, sizeof(ret->mac));
}

static int plumb(struct farm *farm, const struct claim *claim, const struct range_config *range)
{
	struct warm *warm = &farm->warm[claim->slot];
	struct plumbing plumbing = {
		.ifindex = warm->eth0,
		.addr = claim->address.ip.addr,
		.prefixlen = range->prefix.len,
		.gateway = farm->config->uplinks[claim->address.uplink].gateway,
	};
	int err = offer_close(farm, claim->slot, &plumbing.open);

	memcpy(plumbing.mac, claim->lease.mac, sizeof(plumbing.mac));
	memcpy(warm->mac, claim->lease.mac, sizeof(warm->mac));
	warm->first = plumbing.addr;
	if (claim->ask)
		note_asker(farm, claim->ask, plumbing.gateway, &plumbing.known);
	return err ? err : plumb_bind(warm->netlink, &plumbing);
}

/* The container refused, or cannot be asked any more. */
static void fail(struct farm *farm, const struct claim *claim, int err)
{
	datapath_lease_delete(farm->dp, &claim->address);
	datapath_port_close(farm->dp, farm->warm[claim->slot].port);
	datapath_claim_done(farm->dp, claim->slot);
	farm->warm[claim->slot].n_addresses = 0;
	bind_failed(farm, claim->slot, SKEP_NO_BIND_PLUMB, err);
}

/* It may have been told of a lease that has just given way. */
static void finish(struct farm *farm, struct claim *claim)
{
	const bool conflict = set_state(farm, claim, SKEP_LEASE_SETTLED);

	datapath_claim_done(farm->dp, claim->slot);
	datapath_port_set_policy(farm->dp, farm->warm[claim->slot].port,
				 datapath_policy_of(farm->dp, &claim->address));
	farm_count(farm, SKEP_SETTLED, NULL);
	if (!claim->ask)
		farm_count(farm, SKEP_SETTLED_UNTOLD, NULL);
	bind_account(farm, claim->slot, &claim->address, bind_group(farm->config, &claim->address),
		     &claim->lease, SKEP_BOUND, claim->ask);
	if (conflict)
		bind_release(farm, claim->slot, claim->address, SKEP_RELEASED_CONFLICT);
	else if (farm->warm[claim->slot].died)
		refill_died(farm, claim->slot);
}

static void settle(struct farm *farm, struct claim *claim)
{
	const struct range_config *range = bind_range_of(farm, &claim->address);
	int err;

	if (!range || !bind_is_covered(farm, &claim->address)) {
		datapath_lease_delete(farm->dp, &claim->address);
		return end(farm, claim, SKEP_RELEASED_RANGE);
	}
	err = set_state(farm, claim, SKEP_LEASE_SETTLING);
	if (err == -ENOENT)
		return end_lost(farm, claim);
	pool_take(farm->pool, claim->slot);
	if (!err)
		err = bind_note_address(&farm->warm[claim->slot], &claim->address);
	if (!err)
		err = plumb(farm, claim, range);
	if (err)
		fail(farm, claim, err);
	else
		finish(farm, claim);
	refill_trim(farm); /* it may have been in the way of that */
}

/* The container is about to answer for the first time: not where it would have to wait for this. */
static void settle_elsewhere(struct farm *farm, struct claim *claim)
{
	const bool left = cpu_leave(claim->ask->cpu, &farm->cpus);

	settle(farm, claim);
	if (left)
		cpu_return(&farm->cpus);
}

/*
 * A lease that nobody settles any more: its container was given up meanwhile. There should be none;
 * but the address would never be answered again.
 */
static void end_orphan(struct farm *farm, const struct skep_addr *address)
{
	struct skep_lease lease;

	if (datapath_lease(farm->dp, address, &lease) || lease.state == SKEP_LEASE_SETTLED)
		return;
	datapath_lease_delete(farm->dp, address);
	if (lease.port != farm->warm[lease.container].port)
		datapath_port_close(farm->dp, lease.port);
	farm_count(farm, SKEP_BOUND, NULL);
	farm_count(farm, SKEP_RELEASED_ORPHAN, NULL);
}

/* A record that was overtaken by settle_all() finds nothing to do. */
void settle_ask(struct farm *farm, const struct skep_ask *ask, size_t size)
{
	struct claim claim = {.ask = ask};
	int err = find(farm, ask->container, &claim);

	if (err == -EAGAIN || memcmp(&claim.address, &ask->address, sizeof(ask->address)))
		return end_orphan(farm, &ask->address);
	if (size < sizeof(*ask) + ask->frame_len)
		return farm_count(farm, SKEP_NO_BIND_BAD_RECORD, NULL);
	if (datapath_is_panicked(farm->dp)) {
		settle_later(farm); /* everything stays as it is until then */
		return;
	}
	if (err)
		end_lost(farm, &claim);
	else
		settle_elsewhere(farm, &claim);
}

void settle_claim(struct farm *farm, __u32 slot)
{
	struct claim claim = {};

	if (!datapath_is_panicked(farm->dp) && !find(farm, slot, &claim))
		settle(farm, &claim);
}

bool settle_address(struct farm *farm, const struct skep_addr *address, struct skep_lease *ret)
{
	if (datapath_lease(farm->dp, address, ret))
		return false;
	if (ret->state == SKEP_LEASE_SETTLED || datapath_is_panicked(farm->dp))
		return true;
	settle_claim(farm, ret->container);
	if (datapath_lease(farm->dp, address, ret))
		return false;
	if (ret->state != SKEP_LEASE_SETTLED)
		end_orphan(farm, address);
	return ret->state == SKEP_LEASE_SETTLED;
}

static int compare(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return (x->lease.bound_ns > y->lease.bound_ns) - (x->lease.bound_ns < y->lease.bound_ns);
}

/* Return: how many are without a lease. */
static unsigned int collect(const struct farm *farm, struct claim *claims, unsigned int *ret_n)
{
	unsigned int lost = 0;

	for (__u32 slot = 0; slot < farm->slots_end; slot++) {
		struct claim claim = {};
		const int err = find(farm, slot, &claim);

		lost += err == -ENOENT;
		if (!err)
			claims[(*ret_n)++] = claim;
	}
	return lost;
}

static unsigned int settle_found(struct farm *farm)
{
	cleanup_free struct claim *claims =
		calloc(pool_count(farm->pool, SKEP_STATE_IDLE) + 1, sizeof(*claims));
	unsigned int n = 0, lost;

	if (!claims)
		return 1; /* again later */
	lost = collect(farm, claims, &n);
	qsort(claims, n, sizeof(*claims), compare);
	for (unsigned int i = 0; i < n; i++) /* each may have an end by what the others led to */
		settle_claim(farm, claims[i].slot);
	return lost;
}

void settle_all(struct farm *farm)
{
	if (!datapath_is_panicked(farm->dp) && settle_found(farm))
		settle_later(farm);
}

void settle_later(struct farm *farm)
{
	farm->claims_left = TICKS_OF_A_CLAIM;
}

/*
 * The program is done within microseconds: what has no lease each time has lost it. Others were to
 * be had again, and had died meanwhile.
 */
static void end_some_lost(struct farm *farm)
{
	for (__u32 slot = 0; slot < farm->slots_end; slot++) {
		struct warm *warm = &farm->warm[slot];
		struct claim claim = {};

		if (find(farm, slot, &claim) != -ENOENT)
			warm->lost = 0;
		else if (++warm->lost >= TICKS_OF_A_CLAIM)
			end_lost(farm, &claim);
		if (warm->died)
			refill_died(farm, slot);
	}
}

void settle_left(struct farm *farm)
{
	const __u64 untold = datapath_counter(farm->dp, SKEP_BOUND_UNTOLD);

	if (datapath_is_panicked(farm->dp) || (!farm->claims_left && untold == farm->untold))
		return;
	if (untold != farm->untold) {
		farm->untold = untold;
		settle_all(farm);
	}
	if (!farm->claims_left)
		return;
	farm->claims_left--;
	settle_found(farm);
	end_some_lost(farm);
}
