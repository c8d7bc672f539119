// SPDX-License-Identifier: GPL-2.0
/*
 * Reflections: binding containers into an intruder's world; see world.h. Owns who is in whose world
 * and how many there may be. The frames between them are the port program's; what they are bound
 * with, and how leases end, is bind.c's.
 */
#include <errno.h>
#include <string.h>

#include "farm.h"
#include "world.h"

static bool is_bound(const struct farm *farm, __u32 slot)
{
	return slot < farm->slots_end && pool_state(farm->pool, slot) == SKEP_STATE_BOUND &&
	       farm->warm[slot].n_addresses;
}

const struct skep_addr *reflect_root(const struct farm *farm, const struct skep_addr *address)
{
	const struct skep_addr *first;

	if (!is_bound(farm, address->vlan))
		return NULL;
	first = &farm->warm[address->vlan].addresses[0];
	return world_has(first) ? NULL : first;
}

void reflect_join(struct farm *farm, __u32 slot, __u32 root)
{
	struct warm *its = &farm->warm[slot], *roots = &farm->warm[root];

	its->root = root + 1;
	its->next_reflection = roots->first_reflection;
	roots->first_reflection = slot + 1;
	roots->n_reflections++;
	farm->n_reflections++;
}

static void leave(struct farm *farm, __u32 slot)
{
	struct warm *its = &farm->warm[slot], *roots = &farm->warm[its->root - 1];
	__u32 *link = &roots->first_reflection;

	while (*link != slot + 1)
		link = &farm->warm[*link - 1].next_reflection;
	*link = its->next_reflection;
	its->next_reflection = 0;
	its->root = 0;
	roots->n_reflections--;
	farm->n_reflections--;
}

void reflect_released(struct farm *farm, __u32 slot)
{
	const struct warm *warm = &farm->warm[slot];

	if (warm->root)
		leave(farm, slot);
	while (warm->first_reflection)
		bind_release_slot(farm, warm->first_reflection - 1, SKEP_RELEASED_ROOT);
}

/* Whoever asks was there when the frame was held, but the world may be another's by now. */
static bool is_in_world(const struct farm *farm, __u32 root, union skep_ipv4 addr)
{
	const struct warm *warm = &farm->warm[root];
	const struct skep_addr inside = {addr, (__u16)root, SKEP_UPLINK_REFLECT};
	struct skep_lease unused;

	for (unsigned int i = 0; i < warm->n_addresses; i++)
		if (warm->addresses[i].ip.addr == addr.addr)
			return true;
	return !datapath_lease(farm->dp, &inside, &unused);
}

static int place(const struct farm *farm, struct contact *contact)
{
	const struct skep_addr *address = &contact->ask->address;
	const struct skep_addr *root = reflect_root(farm, address);
	const struct range_config *range = bind_range_of(farm, address);
	struct world_place where;
	int err;

	if (!root || !range || !is_in_world(farm, address->vlan, contact->f.sender))
		return -ENOENT;
	err = world_place(&range->prefix, farm->config->uplinks[root->uplink].gateway,
			  address->ip.addr, &where);
	if (err)
		return err;
	contact->prefixlen = where.prefixlen;
	contact->gateway = where.gateway;
	contact->group = POOL_NO_GROUP;
	bind_mac(farm, address->ip.addr, WORLD_MAC_VLAN, contact->mac);
	bind_mac(farm, where.gateway, WORLD_MAC_VLAN, contact->gateway_mac);
	return 0;
}

static bool is_neighbour(const struct contact *contact)
{
	const struct prefix network = {
		contact->f.target.addr & prefix_netmask(&(struct prefix){0, contact->prefixlen}),
		contact->prefixlen};

	return prefix_contains(&network, contact->f.sender.addr);
}

/* As it arrives there: from the gateway, unless its sender is on the same segment. */
static void dress_frame(struct contact *contact, __u8 *frame)
{
	memcpy(frame, contact->frame, contact->len);
	if (contact->f.kind == FRAME_IPV4 && !is_neighbour(contact))
		memcpy(((struct ethhdr *)(void *)frame)->h_source, contact->gateway_mac,
		       sizeof(contact->gateway_mac));
	world_finish_checksum(frame, contact->len);
	contact->frame = frame;
}

static bool may_have_more(const struct farm *farm, __u32 root)
{
	return farm->warm[root].n_reflections < farm->config->reflections_per_container &&
	       farm->n_reflections < farm->config->reflections_max;
}

/* Whoever is outside comes first: what is kept idle for him is not taken, nor made room for. */
static __u32 take_idle(struct farm *farm, __u32 root)
{
	if (pool_shortage(farm->pool, farm->config->min_idle_warm + 1))
		return POOL_NO_SLOT;
	return offer_take(farm, pool_template(farm->pool, root));
}

/* Nobody waits for a container: an intruder tries again. */
static void reflect(struct farm *farm, const struct contact *contact)
{
	const __u32 root = contact->ask->address.vlan;
	__u32 slot;

	if (!may_have_more(farm, root))
		return farm_count(farm, SKEP_NO_BIND_REFLECTIONS, NULL);
	slot = take_idle(farm, root);
	if (slot == POOL_NO_SLOT)
		return farm_count(farm, SKEP_NO_BIND_POOL_EMPTY, "for a reflection");
	if (!bind_idle(farm, contact, slot))
		return;
	reflect_join(farm, slot, root);
	farm_count(farm, SKEP_REFLECTED, NULL);
}

void reflect_ask(struct farm *farm, struct contact *contact)
{
	__u8 frame[SKEP_ASK_LARGE] __attribute__((aligned(2)));
	struct skep_lease lease;

	if (contact->len > sizeof(frame))
		return farm_count(farm, SKEP_NO_BIND_BAD_RECORD, NULL);
	if (!is_bound(farm, contact->ask->address.vlan)) /* its own record is still to come */
		settle_claim(farm, contact->ask->address.vlan);
	if (place(farm, contact))
		return farm_count(farm, SKEP_NO_BIND_WORLD, NULL);
	dress_frame(contact, frame);
	if (!datapath_lease(farm->dp, &contact->ask->address, &lease)) {
		bind_deliver(farm, contact, &lease);
		return farm_count(farm, SKEP_RESENT, NULL);
	}
	if (farm->state == DAEMON_STOPPING || farm->state == DAEMON_DRAINING)
		return farm_count(farm, SKEP_NO_BIND_STOPPING, NULL);
	if (bind_is_late(contact))
		return farm_count(farm, SKEP_NO_BIND_LATE, NULL);
	reflect(farm, contact);
}
