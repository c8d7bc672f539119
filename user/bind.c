// SPDX-License-Identifier: GPL-2.0
/*
 * Binding and releasing addresses: the hot path. Owns the order of the steps, and their undoing
 * when one fails: afterwards the address is dark, the container is given up, and nothing is half
 * bound. Waits for nothing but the kernel.
 */
#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "farm.h"
#include "parse.h"
#include "plumb.h"

#define IDLE_LOOKS 256 /* leases looked at in one go */

#define TAG_AT (2 * sizeof(((struct ethhdr *)0)->h_dest))
#define TAG_SIZE sizeof(struct parse_tag)

/**
 * struct contact - an ask, understood
 * @frame: the held frame's bytes, @len of them
 * @f:     what it says
 * @mac:   link address of the asked address
 */
struct contact {
	const struct skep_ask *ask;
	const __u8 *frame;
	size_t len;
	struct frame f;
	__u8 mac[6];
};

/* A container knows nothing of VLANs: the tag is left out. */
static int send_frame(const struct farm *farm, const struct contact *contact, __u32 port)
{
	size_t skip = contact->f.tagged ? TAG_SIZE : 0;
	struct iovec parts[] = {
		{(void *)contact->frame, TAG_AT},
		{(void *)(contact->frame + TAG_AT + skip), contact->len - TAG_AT - skip},
	};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)port};
	struct msghdr msg = {
		.msg_name = &to,
		.msg_namelen = sizeof(to),
		.msg_iov = parts,
		.msg_iovlen = 2,
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

static void plumbing_for(const struct farm *farm, const struct contact *contact,
			 const struct range_config *range, __u32 slot, struct plumbing *ret)
{
	ret->ifindex = farm->warm[slot].eth0;
	ret->addr = contact->ask->address.ip.addr;
	ret->prefixlen = range->prefix.len;
	ret->gateway = farm->config->uplinks[contact->ask->address.uplink].gateway;
	memcpy(ret->mac, contact->mac, sizeof(ret->mac));
}

static void lease_for(struct farm *farm, const struct contact *contact, __u32 slot,
		      struct skep_lease *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->id = ++farm->last_lease;
	ret->port = farm->warm[slot].port;
	ret->container = slot;
	memcpy(ret->mac, contact->mac, sizeof(ret->mac));
}

/* Address into the container, then lease into the map; either both or none. */
static enum skep_verdict give(struct farm *farm, const struct contact *contact,
			      const struct range_config *range, __u32 slot, struct skep_lease *ret)
{
	int netlink = farm->warm[slot].netlink;
	struct plumbing plumbing;
	int err;

	plumbing_for(farm, contact, range, slot, &plumbing);
	err = plumb_bind(netlink, &plumbing);
	if (err) {
		plumb_unbind(netlink, &plumbing);
		farm_count(farm, SKEP_NO_BIND_PLUMB, strerror(-err));
		return SKEP_NO_BIND_PLUMB;
	}
	lease_for(farm, contact, slot, ret);
	err = datapath_lease_insert(farm->dp, &contact->ask->address, ret, contact->ask->seen_ns);
	if (err) {
		plumb_unbind(netlink, &plumbing);
		farm_count(farm, SKEP_NO_BIND_MAP, strerror(-err));
		return SKEP_NO_BIND_MAP;
	}
	return SKEP_BOUND;
}

static void deliver(struct farm *farm, const struct contact *contact, __u32 port)
{
	int err = send_frame(farm, contact, port);

	if (err)
		farm_count(farm, SKEP_SEND_FAILED, strerror(-err));
}

static void tell(struct farm *farm, enum skep_verdict verdict, __u32 slot,
		 const struct skep_lease *lease, const struct skep_ask *ask)
{
	struct event_message event = {
		.type = MESSAGE_EVENT,
		.verdict = verdict,
		.address = farm->warm[slot].address,
		.lease = *lease,
		.pid = farm->warm[slot].pid,
		.at_ns = ask ? lease->bound_ns : monotonic_ns(),
	};

	if (ask) {
		event.requester = ask->requester;
		event.seen_ns = ask->seen_ns;
	}
	farm_tell(farm, &event, sizeof(event));
}

static void bind_new(struct farm *farm, const struct contact *contact,
		     const struct range_config *range)
{
	__u32 slot = pool_take(farm->pool, (__u32)range->template);
	struct skep_lease lease;

	if (slot == POOL_NO_SLOT)
		return farm_count(farm, SKEP_NO_BIND_POOL_EMPTY,
				  "raise pool.warm, or wait for the refill");
	if (give(farm, contact, range, slot, &lease) != SKEP_BOUND) {
		farm->warm[slot].since_ns = monotonic_ns();
		pool_give_up(farm->pool, slot);
		farm_show(farm, slot);
		farm_wake_refill(farm, 0);
		return;
	}
	deliver(farm, contact, lease.port);
	/* The answer is on its way: from here on nobody waits. */
	farm->warm[slot].since_ns = lease.bound_ns;
	farm->warm[slot].address = contact->ask->address;
	farm_count(farm, SKEP_BOUND, NULL);
	farm_show(farm, slot);
	tell(farm, SKEP_BOUND, slot, &lease, contact->ask);
	farm_wake_refill(farm, 0);
}

void bind_ask(struct farm *farm, const struct skep_ask *ask, size_t size)
{
	const struct range_config *range;
	struct contact contact;
	struct skep_lease lease;

	if (!understand(ask, size, &contact))
		return farm_count(farm, SKEP_NO_BIND_BAD_RECORD, NULL);
	if (!datapath_lease(farm->dp, &ask->address, &lease)) {
		deliver(farm, &contact, lease.port);
		return farm_count(farm, SKEP_RESENT, NULL);
	}
	if (farm->state == DAEMON_STOPPING)
		return farm_count(farm, SKEP_NO_BIND_STOPPING, NULL);
	range = config_range_of(farm->config, ask->address.uplink, ask->address.vlan,
				ask->address.ip.addr);
	if (!range || !datapath_is_bindable(farm->dp, &ask->address))
		return farm_count(farm, SKEP_NO_BIND_NO_RANGE, NULL);
	mac_of(farm->secret, ask->address.ip.addr, ask->address.vlan,
	       (const __u8(*)[3])farm->config->ouis, farm->config->n_ouis, contact.mac);
	if (!parse_mac_is_group(contact.f.dst) && !parse_mac_equal(contact.f.dst, contact.mac))
		return farm_count(farm, SKEP_NO_BIND_WRONG_MAC, NULL);
	bind_new(farm, &contact, range);
}

void bind_release(struct farm *farm, __u32 slot, enum skep_verdict why)
{
	struct warm *warm = &farm->warm[slot];
	const struct range_config *range = config_range_of(
		farm->config, warm->address.uplink, warm->address.vlan, warm->address.ip.addr);
	struct plumbing plumbing = {.ifindex = warm->eth0, .addr = warm->address.ip.addr};
	struct skep_lease lease = {};

	datapath_lease(farm->dp, &warm->address, &lease);
	/* First dark, then out of the container: a who-has in between is answered by the next one
	 * only. */
	datapath_lease_delete(farm->dp, &warm->address, warm->port);
	plumbing.prefixlen = range ? range->prefix.len : 32;
	plumb_unbind(warm->netlink, &plumbing);
	farm_count(farm, why, NULL);
	tell(farm, why, slot, &lease, NULL);
	memset(&warm->address, 0, sizeof(warm->address));
	warm->since_ns = monotonic_ns();
	pool_give_up(farm->pool, slot);
	farm_show(farm, slot);
	farm_wake_refill(farm, 0);
}

int bind_release_address(struct farm *farm, const struct skep_addr *address, enum skep_verdict why)
{
	struct skep_lease lease;

	if (datapath_lease(farm->dp, address, &lease) ||
	    pool_state(farm->pool, lease.container) != SKEP_STATE_BOUND)
		return -ENOENT;
	bind_release(farm, lease.container, why);
	return 0;
}

void bind_release_all(struct farm *farm, __be32 addr, enum skep_verdict why)
{
	for (__u32 slot = 0; slot < farm->config->max; slot++)
		if (pool_state(farm->pool, slot) == SKEP_STATE_BOUND &&
		    (!addr || farm->warm[slot].address.ip.addr == addr))
			bind_release(farm, slot, why);
}

static bool is_idle(const struct farm *farm, __u32 slot, __u64 now_ns)
{
	const struct skep_addr *a = &farm->warm[slot].address;
	const struct range_config *range;
	struct skep_lease lease;
	__u64 last;

	range = config_range_of(farm->config, a->uplink, a->vlan, a->ip.addr);
	if (!range || !range->idle_timeout || datapath_lease(farm->dp, a, &lease))
		return false;
	last = datapath_last_seen_ns(&lease);
	return now_ns > last && now_ns - last >= range->idle_timeout * NS_PER_SEC;
}

void bind_release_idle(struct farm *farm)
{
	unsigned int looks = farm->config->max < IDLE_LOOKS ? farm->config->max : IDLE_LOOKS;
	__u64 now_ns = monotonic_ns();

	while (looks--) {
		__u32 slot = farm->idle_cursor;

		farm->idle_cursor = (slot + 1) % farm->config->max;
		if (pool_state(farm->pool, slot) == SKEP_STATE_BOUND && is_idle(farm, slot, now_ns))
			bind_release(farm, slot, SKEP_RELEASED_IDLE);
	}
}
