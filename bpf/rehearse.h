/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A rehearsal of a bind, by a CPU's timer. A first contact must not be told from any other by how
 * long it takes, and on a CPU that has slept, what a bind alone executes, reads and writes would
 * come from far away. So most of it is gone over often, as if the last address were to be bound
 * once more, to the container that is next. Nothing comes of it: no map changes that anybody reads.
 */
#ifndef SKEP_BPF_REHEARSE_H
#define SKEP_BPF_REHEARSE_H

#include "bind.h"
#include "dark.h"
#include "defer.h"
#include "maps.bpf.h"

/* An entry comes and goes, as one of `leases` would. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DEFER_CPUS_MAX);
	__type(key, __u32); /* CPU */
	__type(value, struct skep_lease);
} rehearsal SEC(".maps");

/* The CPU has it for itself then, as if it had written something. */
#define REHEARSE_WRITE(where) __sync_fetch_and_add(where, 0)

static __always_inline void rehearse_count(void)
{
	__u32 slot = SKEP_BOUND_ARP;
	__u64 *value = bpf_map_lookup_elem(&counters, &slot);

	if (value)
		REHEARSE_WRITE(value);
}

/* The container that is next, its port, and what a lease is put in by. An address of nobody:
 * nothing can be replaced under it. */
static __always_inline int rehearse_bind(__u32 cpu, struct bind *b)
{
	const struct skep_addr nowhere = {};
	const struct skep_lease lease = {};
	void *queue = bind_queue(b);
	struct skep_offer *offer;
	struct skep_port *port;
	__u32 ifindex;

	if (!queue || bpf_map_peek_elem(queue, &b->taken))
		return 0;
	offer = bpf_map_lookup_elem(&offers, &b->taken.slot);
	if (!offer)
		return 0;
	REHEARSE_WRITE(&offer->serial);
	ifindex = offer->port;
	port = bpf_map_lookup_elem(&ports, &ifindex);
	if (port) /* else skepd has taken it back */
		REHEARSE_WRITE(&port->container);
	b->address = &nowhere;
	bind_lease(b, offer);
	rehearse_count();
	bpf_map_update_elem(&rehearsal, &cpu, &lease, BPF_NOEXIST);
	bpf_map_delete_elem(&rehearsal, &cpu);
	return 0;
}

/* A record that nobody will see. */
static __always_inline void rehearse_record(const struct skep_addr *address)
{
	const struct skep_ask head = {.address = *address};
	__u32 slot;

	if (defer_take(&head, &slot))
		defer_drop(slot);
}

/* At the beginning of time all is used up that anybody has ever taken from: nothing is taken. */
static __always_inline void rehearse_budgets(const struct skep_settings *s,
					     const struct skep_addr *address, const struct frame *f)
{
	const struct skep_addr requester = dark_requester(address, f);

	if (s->requester_interval_ns && !bpf_map_lookup_elem(&requesters, &requester))
		return; /* to take from its bucket would put it in, and somebody else out */
	dark_admit(address, f, SKEP_ASK_ARP, 0);
	if (s->bind_interval_ns)
		dark_farm_may_bind(s, 0);
}

/* Whether a bind would be by this program, and looking would leave no trace. */
static __always_inline bool rehearse_binds(const struct skep_settings *s,
					   const struct skep_range *range)
{
	return !(s->flags & (SKEP_SETTING_PANIC | SKEP_SETTING_DRAIN | SKEP_SETTING_DRY_RUN)) &&
	       range && range->flags & SKEP_RANGE_BIND && !range->patience_ms;
}

/**
 * rehearse() - goes over what a bind needs
 * @cpu:  the timer's
 * @last: the last first contact that came to it
 */
static __noinline int rehearse(__u32 cpu, const struct skep_pair *last)
{
	const struct skep_addr *address = &last->address;
	const struct frame f = {
		.kind = FRAME_WHO_HAS,
		.dst = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		.sender = last->other,
		.target = address->ip,
		.vlan = address->vlan,
	};
	__u32 only = 0;
	const struct skep_settings *s = bpf_map_lookup_elem(&settings, &only);
	struct bind b = {.address = address,
			 .f = &f,
			 .s = s,
			 .range = hosts_range(address),
			 .flags = BPF_EXIST};

	if (!s || !rehearse_binds(s, b.range))
		return 0;
	bpf_map_lookup_elem(&leases, address); /* there or not: leases end, and the quiet begins */
	if (dark(s, address, &f, &b.range) != SKEP_ASK_ARP)
		return 0;
	rehearse_budgets(s, address, &f);
	rehearse_record(address);
	return rehearse_bind(cpu, &b);
}

#endif
