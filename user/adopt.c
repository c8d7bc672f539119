// SPDX-License-Identifier: GPL-2.0
/*
 * Taking over what an earlier skepd left, whenever and however it ended: it may have been killed
 * between any two steps of a bind, a release, a start or a recycling. `leases` is the truth about
 * addresses; `containers` says who they were. A container that is not wholly one thing or the other
 * is recycled, and its leases end: no address is left answered without an owner.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <linux/netlink.h>

#include "cleanup.h"
#include "container.h"
#include "farm.h"
#include "filter.h"
#include "netns.h"
#include "plumb.h"
#include "world.h"

/**
 * struct left - what was found
 * @table:     `containers`, SKEP_CONTAINERS_MAX of them
 * @addresses: of the leases, @n_leases of them
 * @first:     by slot, index of its first lease plus one; 0 for none
 * @next:      by lease, the same for the next one of its slot
 * @home:      our own network namespace
 */
struct left {
	struct skep_container *table;
	struct skep_addr *addresses;
	struct skep_lease *leases;
	__u32 n_leases;
	__u32 *first;
	__u32 *next;
	int home;
};

static void end_lease(struct farm *farm, const struct left *left, __u32 lease,
		      enum skep_verdict why)
{
	datapath_lease_delete(farm->dp, &left->addresses[lease]);
	if (left->leases[lease].state != SKEP_LEASE_SETTLED)
		farm_count(farm, SKEP_BOUND, NULL);
	farm_count(farm, why, NULL);
}

static void end_leases(struct farm *farm, const struct left *left, __u32 slot)
{
	for (__u32 i = left->first[slot]; i; i = left->next[i - 1])
		end_lease(farm, left, i - 1, SKEP_RELEASED_ORPHAN);
}

/* Backwards, so that each chain has its leases in the order of the list. */
static int chain_leases(struct farm *farm, struct left *left)
{
	left->first = calloc(SKEP_CONTAINERS_MAX, sizeof(*left->first));
	left->next = calloc(left->n_leases ? left->n_leases : 1, sizeof(*left->next));
	if (!left->first || !left->next)
		return -ENOMEM;
	for (__u32 i = left->n_leases; i--;) {
		const struct skep_lease *lease = &left->leases[i];

		datapath_count_ids_from(farm->dp, lease->id);
		if (lease->container >= SKEP_CONTAINERS_MAX) {
			end_lease(farm, left, i, SKEP_RELEASED_ORPHAN);
			continue;
		}
		/* The configuration may be another one by now, and so may our own addresses. */
		if (lease->state == SKEP_LEASE_SETTLED &&
		    !bind_is_covered(farm, &left->addresses[i])) {
			end_lease(farm, left, i, SKEP_RELEASED_RANGE);
			continue;
		}
		left->next[i] = left->first[lease->container];
		left->first[lease->container] = i + 1;
	}
	return 0;
}

static int open_in_namespace(const struct left *left, pid_t pid)
{
	cleanup_close int netns = netns_open(pid);
	int err = netns < 0 ? netns : netns_enter(netns);
	int fd;

	if (err)
		return err;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	netns_leave(left->home);
	return fd;
}

static bool is_same_segment(const struct skep_addr *a, const struct skep_addr *b)
{
	return a->uplink == b->uplink && a->vlan == b->vlan;
}

/* Whether all of its leases are for this container in this life, on its port. */
static bool leases_fit(const struct left *left, __u32 slot)
{
	for (__u32 i = left->first[slot]; i; i = left->next[i - 1])
		if (left->leases[i - 1].port != left->table[slot].port ||
		    !is_same_segment(&left->addresses[i - 1],
				     &left->addresses[left->first[slot] - 1]))
			return false;
	return true;
}

/* An address inside that no lease covers: the earlier skepd was killed just then. */
static bool has_lease(const struct left *left, __u32 slot, __be32 addr)
{
	for (__u32 i = left->first[slot]; i; i = left->next[i - 1])
		if (left->addresses[i - 1].ip.addr == addr)
			return true;
	return false;
}

/* Given by the uplink program, and not yet told to the container. Such a lease is its only one. */
static bool is_unsettled(const struct left *left, __u32 slot)
{
	const __u32 i = left->first[slot];

	return i && left->leases[i - 1].state != SKEP_LEASE_SETTLED;
}

/* What is plumbed must be what is leased. The first address alone has the segment's prefix. */
static int compare_addresses(struct warm *warm, const struct left *left, __u32 slot)
{
	cleanup_free struct plumbing *found = NULL;
	int n = plumb_addresses(warm->netlink, warm->eth0, &found);

	if (n < 0)
		return n;
	if (!left->first[slot])
		return n ? -EADDRINUSE : 0; /* taken for idle, but it was being bound */
	if (is_unsettled(left, slot))
		return 0; /* however far that came, it is done over */
	for (int i = 0; i < n; i++) {
		if (!warm->first || found[i].prefixlen < 32)
			warm->first = found[i].addr;
		if (!has_lease(left, slot, found[i].addr) && found[i].prefixlen == 32)
			plumb_unbind(warm->netlink, &found[i]);
	}
	return n ? 0 : -EADDRNOTAVAIL;
}

static bool is_reflection(const struct left *left, __u32 slot)
{
	return left->first[slot] && world_has(&left->addresses[left->first[slot] - 1]);
}

static bool is_worth_it(const struct farm *farm, const struct left *left, __u32 slot)
{
	const struct skep_container *c = &left->table[slot];
	char name[CONTAINER_NAME_LEN];

	if (c->state != SKEP_STATE_IDLE && c->state != SKEP_STATE_BOUND)
		return false;
	if (c->state == SKEP_STATE_BOUND && !left->first[slot])
		return false; /* it was being released */
	if (!c->port || c->template >= farm->config->n_templates)
		return false;
	if (is_reflection(left, slot) &&
	    !reflect_root(farm, &left->addresses[left->first[slot] - 1]))
		return false;
	return if_nametoindex(container_port_name(farm->config, slot, name)) == c->port &&
	       container_is_alive(farm->config, slot, (pid_t)c->pid);
}

static int hold_again(struct farm *farm, const struct left *left, __u32 slot)
{
	const struct skep_container *c = &left->table[slot];
	const struct done_message done = {
		.slot = slot, .pid = (pid_t)c->pid, .port = c->port, .eth0 = c->eth0};
	int fds[DONE_FDS];

	fds[1] = (int)syscall(SYS_pidfd_open, c->pid, 0);
	fds[0] = open_in_namespace(left, (pid_t)c->pid);
	return refill_hold(farm, &done, fds);
}

static int note_leases(struct farm *farm, const struct left *left, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];
	int err = 0;

	for (__u32 i = left->first[slot]; !err && i; i = left->next[i - 1]) {
		memcpy(warm->mac, left->leases[i - 1].eth0, sizeof(warm->mac));
		err = bind_note_address(warm, &left->addresses[i - 1]);
	}
	return err;
}

/* What has no address yet that it knows of counts as idle until settle_all(). */
static void take_over(struct farm *farm, const struct left *left, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];
	const bool bound = warm->n_addresses;

	warm->opened = bound ? 0 : OPENED_UNKNOWN;
	if (bound) { /* whatever of it was still to be done */
		datapath_claim_done(farm->dp, slot);
		datapath_port_set_policy(farm->dp, warm->port,
					 datapath_policy_of(farm->dp, &warm->addresses[0]));
	}

	pool_adopt(farm->pool, slot, left->table[slot].template,
		   bound ? SKEP_STATE_BOUND : SKEP_STATE_IDLE);
	for (unsigned int i = 0; i < warm->n_addresses; i++) {
		pool_add_lease(farm->pool, slot, bind_group(farm->config, &warm->addresses[i]));
		farm_count(farm, SKEP_ADOPTED, NULL);
	}
	if (is_reflection(left, slot))
		reflect_join(farm, slot, warm->addresses[0].vlan);
	else if (bound)
		bind_move_segment(farm, slot); /* in case that was still to be done */
	farm_count(farm, SKEP_CONTAINER_ADOPTED, NULL);
}

/* The uplink program may have given it away after the leases were read. */
static void end_claim(struct farm *farm, const struct left *left, __u32 slot)
{
	struct skep_addr address;
	struct skep_lease lease;

	if (datapath_take_back(farm->dp, slot, left->table[slot].template) ||
	    !datapath_claimed(farm->dp, slot, &address))
		return;
	if (!datapath_lease(farm->dp, &address, &lease) && lease.container == slot) {
		datapath_lease_delete(farm->dp, &address);
		farm_count(farm, SKEP_BOUND, NULL);
		farm_count(farm, SKEP_RELEASED_ORPHAN, NULL);
	}
	datapath_claim_done(farm->dp, slot);
}

/* Whole, or not at all; then it is recycled. */
static void adopt_slot(struct farm *farm, const struct left *left, __u32 slot)
{
	const struct skep_container *c = &left->table[slot];
	struct warm *warm = &farm->warm[slot];
	int err = -ESRCH;

	warm->serial = c->serial;
	warm->since_ns = c->since_ns;
	if (is_worth_it(farm, left, slot) && leases_fit(left, slot)) {
		err = hold_again(farm, left, slot);
		if (!err)
			err = compare_addresses(warm, left, slot);
		if (!err)
			err = filter_replace(c->port, datapath_port_program(farm->dp));
		if (!err && !is_unsettled(left, slot))
			err = note_leases(farm, left, slot);
	}
	if (!err)
		return take_over(farm, left, slot);
	end_leases(farm, left, slot);
	end_claim(farm, left, slot);
	refill_forget(farm, slot);
	pool_adopt_dirty(farm->pool, slot);
}

/* A port is there while its container has a lease, or is offered, or was and is not settled. */
static int shut_ports(struct farm *farm)
{
	cleanup_free struct datapath_port *ports = NULL;
	int n = datapath_ports(farm->dp, &ports);

	for (int i = 0; i < n; i++) {
		const struct warm *warm = &farm->warm[ports[i].slot];

		if (warm->port != ports[i].ifindex ||
		    (!warm->n_addresses && !datapath_has_offer(farm->dp, ports[i].slot)))
			datapath_port_close(farm->dp, ports[i].ifindex);
	}
	return n < 0 ? n : 0;
}

static int look(struct farm *farm, struct left *left)
{
	int n = datapath_containers(farm->dp, &left->table);

	if (n < 0)
		return n;
	n = datapath_leases(farm->dp, &left->addresses, &left->leases);
	if (n < 0)
		return n;
	left->n_leases = (__u32)n;
	left->home = netns_home();
	return left->home < 0 ? left->home : chain_leases(farm, left);
}

static void forget(struct left *left)
{
	free(left->table);
	free(left->addresses);
	free(left->leases);
	free(left->first);
	free(left->next);
	close_fd(left->home);
}

/* In the table, by a lease, or by what the driver found. */
static void adopt_all(struct farm *farm, struct left *left, const __u32 *leftovers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (leftovers[i] < SKEP_CONTAINERS_MAX &&
		    left->table[leftovers[i]].state == SKEP_STATE_NONE)
			left->table[leftovers[i]].state = SKEP_STATE_FAILED;
	for (__u32 slot = 0; slot < SKEP_CONTAINERS_MAX; slot++) {
		farm->last_serial = later(farm->last_serial, left->table[slot].serial);
		if (left->table[slot].state == SKEP_STATE_NONE && !left->first[slot])
			continue;
		farm->slots_end = slot + 1;
		if (!is_reflection(left, slot))
			adopt_slot(farm, left, slot);
	}
	/* Their roots must be there first. */
	for (__u32 slot = 0; slot < farm->slots_end; slot++)
		if (is_reflection(left, slot))
			adopt_slot(farm, left, slot);
}

int adopt(struct farm *farm, const __u32 *leftovers, size_t n_leftovers)
{
	struct left left = {.home = -EBADF};
	int err = look(farm, &left);

	if (!err) {
		adopt_all(farm, &left, leftovers, n_leftovers);
		settle_all(farm);
		err = shut_ports(farm);
		offer_all_idle(farm);
	}
	for (__u32 slot = 0; !err && slot < farm->slots_end; slot++)
		if (pool_state(farm->pool, slot) != SKEP_STATE_NONE)
			farm_show(farm, slot);
	if (!err && farm->slots_end)
		log_info("taken over from an earlier skepd: %u idle containers, %u bound ones; "
			 "%u are recycled",
			 pool_count(farm->pool, SKEP_STATE_IDLE),
			 pool_count(farm->pool, SKEP_STATE_BOUND),
			 pool_count(farm->pool, SKEP_STATE_RECYCLING));
	farm->adopted =
		pool_count(farm->pool, SKEP_STATE_IDLE) || pool_count(farm->pool, SKEP_STATE_BOUND);
	forget(&left);
	return err;
}
