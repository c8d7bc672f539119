// SPDX-License-Identifier: GPL-2.0
/*
 * Binding and releasing addresses, as far as the uplink program does not. Somebody waits for it.
 * Owns the order of the steps, and their undoing when one fails: afterwards the address is dark,
 * the container is given up, and nothing is half bound. Waits for nothing but the kernel.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "farm.h"
#include "parse.h"
#include "plumb.h"
#include "world.h"

#define ASK_AGE_MAX (3 * NS_PER_SEC) /* nobody waits longer for an answer to a held frame */
#define WAIT_NS NS_PER_SEC

#define TAG_AT (2 * sizeof(((struct ethhdr *)0)->h_dest))
#define TAG_SIZE sizeof(struct parse_tag)

/*
 * A container knows nothing of VLANs, so the tag is left out; and nothing of the link addresses of
 * its further addresses, so its own is put in.
 */
static int send_frame(const struct farm *farm, const struct contact *contact,
		      const struct skep_lease *lease)
{
	size_t skip = contact->f.tagged ? TAG_SIZE : 0;
	const __u8 *dst = parse_mac_is_group(contact->f.dst) ? contact->f.dst : lease->eth0;
	struct iovec parts[] = {
		{(void *)dst, sizeof(contact->f.dst)},
		{(void *)(contact->frame + sizeof(contact->f.dst)), sizeof(contact->f.src)},
		{(void *)(contact->frame + TAG_AT + skip), contact->len - TAG_AT - skip},
	};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)lease->port};
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = parts,
		.msg_iovlen = 3,
	};

	return sendmsg(farm->packet, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static bool understand(const struct skep_ask *ask, size_t size, struct contact *ret)
{
	enum skep_verdict parsed;

	if (size < sizeof(*ask) || ask->frame_len > size - sizeof(*ask))
		return false;
	ret->ask = ask;
	ret->frame = (const __u8 *)(ask + 1);
	ret->len = ask->frame_len;
	parsed = parse_frame(ret->frame, ret->frame + ret->len, &ret->f);
	return (parsed == SKEP_LEASED_ARP || parsed == SKEP_LEASED_IP) &&
	       ret->f.target.addr == ask->address.ip.addr;
}

static void lease_for(struct farm *farm, const struct contact *contact, __u32 slot,
		      struct skep_lease *ret)
{
	const struct warm *warm = &farm->warm[slot];

	memset(ret, 0, sizeof(*ret));
	ret->id = datapath_next_id(farm->dp);
	ret->port = warm->port;
	ret->container = slot;
	ret->state = SKEP_LEASE_SETTLED;
	memcpy(ret->mac, contact->mac, sizeof(ret->mac));
	memcpy(ret->eth0, warm->mac, sizeof(ret->eth0));
}

static enum skep_verdict fail(struct farm *farm, enum skep_verdict verdict, int err)
{
	farm_count(farm, verdict, strerror(-err));
	return verdict;
}

/* Port, then lease: a container's answer must find both. Either both or none. */
static int publish(struct farm *farm, const struct contact *contact, struct skep_lease *lease)
{
	struct skep_port port = {
		.container = lease->container,
		.uplink = contact->ask->address.uplink,
		.vlan = contact->ask->address.vlan,
		.policy = datapath_policy_of(farm->dp, &contact->ask->address),
		.gateway.addr = contact->gateway,
		.prefixlen = (__u8)contact->prefixlen,
	};
	int err;

	memcpy(port.gateway_mac, contact->gateway_mac, sizeof(port.gateway_mac));
	err = datapath_port_open(farm->dp, lease->port, &port);
	if (!err) {
		err = datapath_lease_insert(farm->dp, &contact->ask->address, lease,
					    contact->ask->seen_ns);
		err = err == -EEXIST ? -EADDRINUSE : err;
	}
	if (err)
		datapath_port_close(farm->dp, lease->port);
	return err;
}

/* Address into the container, then lease into the map; either both or none. @why: what refused. */
static int give(struct farm *farm, const struct contact *contact, __u32 slot,
		struct skep_lease *ret, enum skep_verdict *why)
{
	struct warm *warm = &farm->warm[slot];
	struct plumbing plumbing = {
		.ifindex = warm->eth0,
		.addr = contact->ask->address.ip.addr,
		.prefixlen = contact->prefixlen,
		.gateway = contact->gateway,
	};
	int err;

	memcpy(plumbing.mac, contact->mac, sizeof(plumbing.mac));
	memcpy(warm->mac, contact->mac, sizeof(warm->mac));
	warm->first = plumbing.addr;
	*why = SKEP_NO_BIND_PLUMB;
	err = offer_close(farm, slot, &plumbing.open);
	if (!err)
		err = plumb_bind(warm->netlink, &plumbing);
	if (!err) {
		lease_for(farm, contact, slot, ret);
		*why = SKEP_NO_BIND_MAP;
		err = publish(farm, contact, ret);
	}
	if (err)
		plumb_unbind(warm->netlink, &plumbing);
	return err;
}

/* The same for one more address: link address, route and port are there already. */
static enum skep_verdict give_more(struct farm *farm, const struct contact *contact, __u32 slot,
				   struct skep_lease *ret)
{
	const struct skep_addr *address = &contact->ask->address;
	const struct warm *warm = &farm->warm[slot];
	const struct plumbing plumbing = {
		.ifindex = warm->eth0, .addr = address->ip.addr, .prefixlen = 32};
	int err = plumb_add(warm->netlink, &plumbing);

	if (err)
		return fail(farm, SKEP_NO_BIND_PLUMB, err);
	lease_for(farm, contact, slot, ret);
	err = datapath_lease_insert(farm->dp, address, ret, contact->ask->seen_ns);
	if (!err)
		return SKEP_SHARED;
	plumb_unbind(warm->netlink, &plumbing);
	return fail(farm, SKEP_NO_BIND_MAP, err);
}

void bind_deliver(struct farm *farm, const struct contact *contact, const struct skep_lease *lease)
{
	const struct skep_addr *address = &contact->ask->address;
	int err;

	if (contact->f.kind == FRAME_IPV4 && !world_has(address))
		datapath_note_flow(farm->dp, address, lease, &contact->f, contact->frame,
				   contact->len);
	err = send_frame(farm, contact, lease);
	if (err)
		farm_count(farm, SKEP_SEND_FAILED, strerror(-err));
}

void bind_tell(struct farm *farm, enum skep_verdict verdict, __u32 slot,
	       const struct skep_addr *address, const struct skep_lease *lease,
	       const struct skep_ask *ask)
{
	const bool bound = verdict == SKEP_BOUND || verdict == SKEP_SHARED;
	struct event_message event = {
		.type = MESSAGE_EVENT,
		.verdict = verdict,
		.address = *address,
		.lease = *lease,
		.pid = farm->warm[slot].pid,
		.at_ns = bound ? lease->bound_ns : monotonic_ns(),
	};
	struct skep_host host;

	if (ask) {
		event.requester = ask->requester;
		event.seen_ns = ask->seen_ns;
	}
	if (verdict == SKEP_RELEASED_CONFLICT && !datapath_host(farm->dp, address, &host)) {
		memcpy(event.lease.mac, host.ours, sizeof(event.lease.mac));
		memcpy(event.host, host.mac, sizeof(event.host));
		event.at_ns = host.seen_ns;
	}
	farm_tell_event(farm, &event);
}

int bind_note_address(struct warm *warm, const struct skep_addr *address)
{
	unsigned int room = warm->room ? 2 * warm->room : 1;
	struct skep_addr *more;

	if (warm->n_addresses == warm->room) {
		more = reallocarray(warm->addresses, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		warm->addresses = more;
		warm->room = room;
	}
	warm->addresses[warm->n_addresses++] = *address;
	return 0;
}

/* Others may have asked for the same address while there was no container for it. */
static void answer_others(struct farm *farm, const struct skep_addr *address)
{
	struct skep_ask_small ask;

	while (waiting_take_address(farm->waiting, address, &ask))
		bind_ask(farm, &ask.head, sizeof(ask.head) + ask.head.frame_len);
}

void bind_account(struct farm *farm, __u32 slot, const struct skep_addr *address, __u32 group,
		  const struct skep_lease *lease, enum skep_verdict verdict,
		  const struct skep_ask *ask)
{
	struct warm *warm = &farm->warm[slot];

	if (verdict == SKEP_BOUND)
		warm->since_ns = lease->bound_ns;
	pool_add_lease(farm->pool, slot, group);
	farm_count(farm, SKEP_BOUND, NULL);
	if (verdict == SKEP_SHARED)
		farm_count(farm, SKEP_SHARED, NULL);
	datapath_count_latency(farm->dp, lease->bind_ns);
	farm_show(farm, slot);
	bind_tell(farm, verdict, slot, address, lease, ask);
	answer_others(farm, address);
	farm_wake_refill(farm, 0);
}

/* Unless a host was heard on the address just now, when it had no lease yet to give way. */
static void answer(struct farm *farm, const struct contact *contact, __u32 slot,
		   const struct skep_lease *lease, enum skep_verdict verdict)
{
	const bool conflict = datapath_is_hosts(farm->dp, &contact->ask->address);

	if (!conflict)
		bind_deliver(farm, contact, lease);
	bind_account(farm, slot, &contact->ask->address, contact->group, lease, verdict,
		     contact->ask);
	if (conflict)
		bind_release(farm, slot, contact->ask->address, SKEP_RELEASED_CONFLICT);
}

/* It is kept for a look, and replaced. */
void bind_failed(struct farm *farm, __u32 slot, enum skep_verdict why, int err)
{
	const struct pool_failure failure = pool_refused(farm->pool, slot, monotonic_ns());

	fail(farm, why, err);
	refill_failed(farm, slot, &failure, "did not take its address", strerror(-err));
	farm_wake_refill(farm, 0);
}

void bind_give_up(struct farm *farm, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];

	datapath_port_close(farm->dp, warm->port);
	warm->since_ns = monotonic_ns();
	pool_give_up(farm->pool, slot);
	farm_show(farm, slot);
	farm_wake_refill(farm, 0);
}

/* To an address that has been bound meanwhile, or a lease that was not settled. */
static void deliver_late(struct farm *farm, const struct contact *contact,
			 const struct skep_lease *lease)
{
	if (bind_is_late(contact))
		return farm_count(farm, SKEP_NO_BIND_LATE, NULL);
	bind_deliver(farm, contact, lease);
	farm_count(farm, SKEP_RESENT, NULL);
}

/* The uplink program was quicker, by a container that had just become idle. This one knows the
 * address already, and must not keep it. */
static void bind_came_late(struct farm *farm, const struct contact *contact, __u32 slot)
{
	struct skep_lease lease;

	bind_give_up(farm, slot);
	if (!settle_address(farm, &contact->ask->address, &lease))
		return farm_count(farm, SKEP_SEND_FAILED, "its address was leased, and is no more");
	deliver_late(farm, contact, &lease);
}

bool bind_idle(struct farm *farm, const struct contact *contact, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];
	enum skep_verdict why = SKEP_NO_BIND_MAP;
	struct skep_lease lease;
	int err = bind_note_address(warm, &contact->ask->address);

	if (!err)
		err = give(farm, contact, slot, &lease, &why);
	if (err) {
		warm->n_addresses = 0;
		if (err == -EADDRINUSE && why == SKEP_NO_BIND_MAP)
			bind_came_late(farm, contact, slot);
		else
			bind_failed(farm, slot, why, err);
		return false;
	}
	answer(farm, contact, slot, &lease, SKEP_BOUND);
	return true;
}

static void bind_shared(struct farm *farm, const struct contact *contact, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];
	struct skep_lease lease;

	if (bind_note_address(warm, &contact->ask->address)) {
		fail(farm, SKEP_NO_BIND_MAP, -ENOMEM);
		return;
	}
	if (give_more(farm, contact, slot, &lease) != SKEP_SHARED) {
		warm->n_addresses--;
		return;
	}
	answer(farm, contact, slot, &lease, SKEP_SHARED);
}

/* No container for it: it waits for the next one, unless it is to stay dark. */
static void exhausted(struct farm *farm, const struct contact *contact,
		      const struct range_config *range)
{
	const size_t size = sizeof(*contact->ask) + contact->len;
	const unsigned int before = waiting_count(farm->waiting);

	if (farm->config->when_exhausted == EXHAUSTED_SILENT ||
	    !waiting_add(farm->waiting, contact->ask, size, (__u32)range->template,
			 monotonic_ns() + WAIT_NS))
		return farm_count(farm, SKEP_NO_BIND_POOL_EMPTY,
				  "raise pool.warm, or wait for the refill");
	farm_count(farm, SKEP_WAITED, NULL);
	if (waiting_count(farm->waiting) == before) /* in the place of an earlier one */
		farm_count(farm, SKEP_NO_BIND_POOL_EMPTY, NULL);
	if (farm->config->when_exhausted == EXHAUSTED_EVICT)
		expire_evict(farm, pool_shortage(farm->pool, waiting_count(farm->waiting)));
}

static void bind_new(struct farm *farm, const struct contact *contact,
		     const struct range_config *range)
{
	__u32 slot = offer_take(farm, (__u32)range->template);

	if (slot != POOL_NO_SLOT) {
		bind_idle(farm, contact, slot);
		return;
	}
	if (farm->config->when_exhausted == EXHAUSTED_SHARE)
		slot = pool_share(farm->pool, contact->group);
	if (slot != POOL_NO_SLOT)
		return bind_shared(farm, contact, slot);
	exhausted(farm, contact, range);
}

const struct range_config *bind_range_of(const struct farm *farm, const struct skep_addr *address)
{
	const struct skep_addr *a = world_has(address) ? reflect_root(farm, address) : address;

	return a && a->uplink < farm->config->n_uplinks
		       ? config_range_of(farm->config, a->uplink, a->vlan, a->ip.addr)
		       : NULL;
}

__u32 bind_group(const struct config *config, const struct skep_addr *address)
{
	const struct range_config *range =
		address->uplink < config->n_uplinks
			? config_range_of(config, address->uplink, address->vlan, address->ip.addr)
			: NULL;
	size_t group = 0;

	if (!range)
		return POOL_NO_GROUP;
	for (__u16 u = 0; u < address->uplink; u++)
		group += config->uplinks[u].n_ranges;
	return (__u32)(group + (size_t)(range - config->uplinks[address->uplink].ranges));
}

bool bind_is_late(const struct contact *contact)
{
	return monotonic_ns() - contact->ask->seen_ns > ASK_AGE_MAX;
}

void bind_mac(const struct farm *farm, __be32 addr, __u16 vlan, __u8 ret[6])
{
	mac_of(farm->secret, addr, vlan, (const __u8(*)[3])farm->config->ouis, farm->config->n_ouis,
	       ret);
}

static void place_contact(const struct farm *farm, const struct range_config *range,
			  struct contact *contact)
{
	const struct skep_addr *address = &contact->ask->address;

	contact->prefixlen = range->prefix.len;
	contact->gateway = farm->config->uplinks[address->uplink].gateway;
	contact->group = bind_group(farm->config, address);
	bind_mac(farm, contact->gateway, address->vlan, contact->gateway_mac);
}

/*
 * The uplink program has taken the lease away, since a host has the address; what is left is to
 * take it from the container, too. When the record was lost, expire.c finds the lease missing.
 */
static void give_way(struct farm *farm, const struct skep_ask *ask)
{
	const __u32 slot = ask->container;
	const struct warm *warm = &farm->warm[slot];
	struct skep_lease lease;

	if (slot >= farm->slots_end || pool_state(farm->pool, slot) != SKEP_STATE_BOUND ||
	    datapath_is_panicked(farm->dp) || !datapath_lease(farm->dp, &ask->address, &lease))
		return;
	for (unsigned int i = 0; i < warm->n_addresses; i++)
		if (!memcmp(&warm->addresses[i], &ask->address, sizeof(ask->address)))
			return bind_release(farm, slot, ask->address, SKEP_RELEASED_CONFLICT);
}

static bool is_bound(__u16 verdict)
{
	return verdict == SKEP_BOUND_ARP || verdict == SKEP_BOUND_IP;
}

void bind_ask(struct farm *farm, const struct skep_ask *ask, size_t size)
{
	const struct range_config *range;
	struct contact contact = {};
	struct skep_lease lease;

	if (size >= sizeof(*ask) && ask->verdict == SKEP_CONFLICT)
		return give_way(farm, ask);
	if (size >= sizeof(*ask) && is_bound(ask->verdict))
		return settle_ask(farm, ask, size);
	if (!understand(ask, size, &contact))
		return farm_count(farm, SKEP_NO_BIND_BAD_RECORD, NULL);
	if (datapath_is_panicked(farm->dp))
		return farm_count(farm, SKEP_NO_BIND_PANIC, NULL);
	if (world_has(&ask->address))
		return reflect_ask(farm, &contact);
	if (settle_address(farm, &ask->address, &lease))
		return deliver_late(farm, &contact, &lease);
	if (ask->verdict == SKEP_HELD_SETTLING)
		return farm_count(farm, SKEP_SEND_FAILED, "its lease is gone");
	if (farm->state == DAEMON_STOPPING || farm->state == DAEMON_DRAINING)
		return farm_count(farm, SKEP_NO_BIND_STOPPING, NULL);
	if (bind_is_late(&contact))
		return farm_count(farm, SKEP_NO_BIND_LATE, NULL);
	range = config_range_of(farm->config, ask->address.uplink, ask->address.vlan,
				ask->address.ip.addr);
	if (!range || !datapath_is_bindable(farm->dp, &ask->address))
		return farm_count(farm, SKEP_NO_BIND_NO_RANGE, NULL);
	bind_mac(farm, ask->address.ip.addr, ask->address.vlan, contact.mac);
	if (!parse_mac_is_group(contact.f.dst) && !parse_mac_equal(contact.f.dst, contact.mac))
		return farm_count(farm, SKEP_NO_BIND_WRONG_MAC, NULL);
	if (datapath_is_hosts(farm->dp, &ask->address))
		return farm_count(farm, SKEP_NO_BIND_HOST, NULL);
	place_contact(farm, range, &contact);
	bind_new(farm, &contact, range);
}

/* One that was given away counts as idle until it is settled. */
static bool has_idle(const struct farm *farm, __u32 template)
{
	__u32 slot = pool_first_idle(farm->pool, template);

	while (slot != POOL_NO_SLOT && datapath_claimed(farm->dp, slot, NULL))
		slot = pool_next_idle(farm->pool, slot);
	return slot != POOL_NO_SLOT;
}

void bind_waiting(struct farm *farm, __u32 template)
{
	struct skep_ask_small ask;

	while (has_idle(farm, template) && waiting_take(farm->waiting, template, &ask))
		bind_ask(farm, &ask.head, sizeof(ask.head) + ask.head.frame_len);
}

static void forget_address(struct warm *warm, const struct skep_addr *address)
{
	for (unsigned int i = 0; i < warm->n_addresses; i++)
		if (!memcmp(&warm->addresses[i], address, sizeof(*address))) {
			memmove(&warm->addresses[i], &warm->addresses[i + 1],
				(--warm->n_addresses - i) * sizeof(*address));
			return;
		}
}

/* Inside a world a container has one address only. */
void bind_move_segment(struct farm *farm, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];
	const struct skep_addr *next = &warm->addresses[0];
	const struct range_config *range = world_has(next) ? NULL : bind_range_of(farm, next);
	const struct plumbing to = {
		.ifindex = warm->eth0,
		.addr = next->ip.addr,
		.prefixlen = range ? range->prefix.len : 0,
		.gateway = range ? farm->config->uplinks[next->uplink].gateway : 0,
	};

	for (unsigned int i = 0; i < warm->n_addresses; i++)
		if (warm->addresses[i].ip.addr == warm->first)
			return;
	if (range && !plumb_move(warm->netlink, warm->first, &to))
		warm->first = to.addr;
}

/* The container goes on with others. */
static void unplumb(struct farm *farm, __u32 slot, const struct skep_addr *address)
{
	const struct warm *warm = &farm->warm[slot];
	const struct plumbing plumbing = {.ifindex = warm->eth0, .addr = address->ip.addr};

	if (address->ip.addr == warm->first)
		bind_move_segment(farm, slot);
	else
		plumb_unbind(warm->netlink, &plumbing);
}

/*
 * First dark, then out of the container: a who-has in between is answered by the next one only.
 * With its last address the container is given up as it is: its port is shut, and its network goes
 * with it.
 */
void bind_release(struct farm *farm, __u32 slot, struct skep_addr address, enum skep_verdict why)
{
	struct warm *warm = &farm->warm[slot];
	struct skep_lease lease;

	if (!datapath_lease(farm->dp, &address, &lease) && lease.container == slot)
		datapath_lease_delete(farm->dp, &address);
	else /* it gave way, and the address may be another's by now */
		lease = (struct skep_lease){.container = slot, .bound_ns = warm->since_ns};
	forget_address(warm, &address);
	if (pool_drop_lease(farm->pool, slot)) {
		unplumb(farm, slot, &address);
	} else {
		bind_give_up(farm, slot);
	}
	farm_count(farm, why, NULL);
	bind_tell(farm, why, slot, &address, &lease, NULL);
	farm_show(farm, slot);
	if (!warm->n_addresses)
		reflect_released(farm, slot);
}

void bind_release_slot(struct farm *farm, __u32 slot, enum skep_verdict why)
{
	const struct warm *warm = &farm->warm[slot];

	while (pool_state(farm->pool, slot) == SKEP_STATE_BOUND && warm->n_addresses)
		bind_release(farm, slot, warm->addresses[warm->n_addresses - 1], why);
}

int bind_release_address(struct farm *farm, const struct skep_addr *address, enum skep_verdict why)
{
	struct skep_lease lease;

	if (!settle_address(farm, address, &lease) ||
	    pool_state(farm->pool, lease.container) != SKEP_STATE_BOUND ||
	    farm->warm[lease.container].port != lease.port)
		return -ENOENT;
	bind_release(farm, lease.container, *address, why);
	return 0;
}

/* Backwards: a release takes the address out of the list. */
static void release_if(struct farm *farm, enum skep_verdict why,
		       bool (*is_meant)(const struct farm *farm, const struct skep_addr *address,
					__be32 addr),
		       __be32 addr)
{
	for (__u32 slot = 0; slot < farm->slots_end; slot++) {
		const struct warm *warm = &farm->warm[slot];

		for (unsigned int i = warm->n_addresses; i--;)
			if (is_meant(farm, &warm->addresses[i], addr))
				bind_release(farm, slot, warm->addresses[i], why);
	}
}

/* What the box is called means nothing inside a world. */
static bool is_address(const struct farm *farm, const struct skep_addr *address, __be32 addr)
{
	(void)farm;
	return !addr || (address->ip.addr == addr && !world_has(address));
}

/* A world is covered as its root is, and goes with it. */
bool bind_is_covered(const struct farm *farm, const struct skep_addr *address)
{
	if (world_has(address))
		return true;
	return bind_group(farm->config, address) != POOL_NO_GROUP &&
	       datapath_is_bindable(farm->dp, address);
}

static bool is_uncovered(const struct farm *farm, const struct skep_addr *address, __be32 addr)
{
	(void)addr;
	return !bind_is_covered(farm, address);
}

void bind_release_all(struct farm *farm, __be32 addr, enum skep_verdict why)
{
	release_if(farm, why, is_address, addr);
}

void bind_release_uncovered(struct farm *farm)
{
	release_if(farm, SKEP_RELEASED_RANGE, is_uncovered, 0);
}
