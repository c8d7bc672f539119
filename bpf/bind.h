/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Binding: a dark address gets an idle container in the run that asks for it. In the end either its
 * port is open and the lease is there, or the port is shut and the container to be had again. Other
 * CPUs may be at the same address or container at the same time, and skepd takes containers back.
 */
#ifndef SKEP_BPF_BIND_H
#define SKEP_BPF_BIND_H

#include "hosts.h"
#include "keyed.h"
#include "maps.bpf.h"
#include "parse.h"

#define BIND_TRIES 8 /* leftovers of containers that are not to be had any more are skipped */
#define BIND_EEXIST 17

enum bind_outcome {
	BIND_DONE,
	BIND_NONE,   /* no container is to be had, or a map refuses: skepd's to decide */
	BIND_LEASED, /* another CPU was faster */
	BIND_HOST,   /* a host was heard meanwhile */
};

/**
 * struct bind - an address that is to be given away
 * @seen_ns: when the frame came that asks for it
 * @flags:   to put the lease in by, BPF_NOEXIST
 * @ids:     how many ids it takes, 1
 * @taken:   the container that it gets, written by bind()
 *
 * A rehearsal goes through bind_lease() too, by BPF_EXIST for an address of nobody, and takes no
 * id: as values, since branches would be learnt the wrong way.
 */
struct bind {
	const struct skep_addr *address;
	const struct frame *f;
	const struct skep_range *range;
	const struct skep_uplink *uplink;
	const struct skep_settings *s;
	__u64 seen_ns;
	__u64 flags;
	__u64 ids;
	struct skep_idle taken;
};

static __always_inline void *bind_queue(const struct bind *b)
{
	__u32 template = b->range->template;

	return bpf_map_lookup_elem(&idle, &template);
}

/*
 * An offer without a port is of a container that skepd has given up: it found it taken and without
 * a lease, just before it was given back.
 */
static __always_inline bool bind_win(struct skep_offer *offer, __u64 serial)
{
	return serial && __sync_val_compare_and_swap(&offer->serial, serial, 0) == serial &&
	       offer->port;
}

/* The container that has been idle for longest and is to be had; now it is ours alone. */
static __noinline struct skep_offer *bind_take(struct bind *b)
{
	void *queue = bind_queue(b);

	if (!queue)
		return NULL;
	for (int i = 0; i < BIND_TRIES; i++) {
		struct skep_offer *offer;

		if (bpf_map_pop_elem(queue, &b->taken))
			return NULL;
		offer = bpf_map_lookup_elem(&offers, &b->taken.slot);
		if (offer && bind_win(offer, b->taken.serial))
			return offer;
	}
	return NULL;
}

/* In this order: who finds it in the queue must find it to be had. */
static __always_inline void bind_give_back(struct bind *b, struct skep_offer *offer)
{
	void *queue = bind_queue(b);

	__sync_lock_test_and_set(&offer->serial, b->taken.serial);
	if (queue)
		bpf_map_push_elem(queue, &b->taken, BPF_ANY);
}

/* By an entry that is there. Nobody reads on without the lease, which comes after it. */
static __always_inline void bind_open_port(const struct bind *b, struct skep_port *port)
{
	port->uplink = b->address->uplink;
	port->vlan = b->address->vlan;
	port->policy = b->range->policy;
	port->prefixlen = b->range->prefixlen;
	port->gateway = b->uplink->gateway;
	__builtin_memcpy(port->gateway_mac, b->range->gateway_mac, sizeof(port->gateway_mac));
	port->shut = 0;
}

/* What was sent to one station was found to be sent to the right one. */
static __always_inline void bind_mac(const struct bind *b, __u8 ret[6])
{
	if (!parse_mac_is_group(b->f->dst))
		__builtin_memcpy(ret, b->f->dst, 6);
	else
		keyed_mac(b->s->key, (const __u8(*)[3])b->s->ouis, b->s->n_ouis, b->address->ip,
			  b->address->vlan, ret);
}

static __always_inline __u64 bind_next_id(const struct bind *b)
{
	__u32 only = 0;
	__u64 *last = bpf_map_lookup_elem(&last_lease, &only);

	return last ? __sync_fetch_and_add(last, b->ids) + 1 : 0;
}

static __always_inline __u32 bind_ns(__u64 seen_ns, __u64 now)
{
	return now - seen_ns < ~0U ? now - seen_ns : ~0U;
}

/* Return: false when the lease is not ours any more: whoever took it out has told skepd. */
static __always_inline bool bind_withdraw(const struct skep_addr *address, __u64 id)
{
	const struct skep_lease *lease = bpf_map_lookup_elem(&leases, address);

	return lease && lease->id == id && !bpf_map_delete_elem(&leases, address);
}

static __noinline enum bind_outcome bind_lease(const struct bind *b, const struct skep_offer *offer)
{
	const __u64 now = bpf_ktime_get_ns();
	struct skep_lease lease = {
		.id = bind_next_id(b),
		.bound_ns = now,
		.bind_ns = bind_ns(b->seen_ns, now),
		.port = offer->port,
		.container = b->taken.slot,
		.state = SKEP_LEASE_CLAIMED,
	};
	int err; /* before Linux 6.4 the upper half of what a map returns is undefined */

	bind_mac(b, lease.mac);
	__builtin_memcpy(lease.eth0, offer->eth0, sizeof(lease.eth0));
	err = bpf_map_update_elem(&leases, b->address, &lease, b->flags);
	if (err)
		return err == -BIND_EEXIST ? BIND_LEASED : BIND_NONE;
	if (hosts_heard_since(b->address) && bind_withdraw(b->address, lease.id))
		return BIND_HOST;
	return BIND_DONE;
}

/**
 * bind() - gives an address to an idle container
 *
 * Port, then lease: a container's answer must find both. Return: enum bind_outcome.
 */
static __noinline enum bind_outcome bind(struct bind *b)
{
	struct skep_offer *offer = bind_take(b);
	enum bind_outcome outcome = BIND_NONE;
	struct skep_port *port;
	__u32 ifindex;

	if (!offer)
		return BIND_NONE;
	ifindex = offer->port;
	offer->address = *b->address;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (port) {
		bind_open_port(b, port);
		outcome = bind_lease(b, offer);
		if (outcome != BIND_DONE)
			port->shut = 1;
	}
	if (outcome != BIND_DONE)
		bind_give_back(b, offer);
	return outcome;
}

#endif
