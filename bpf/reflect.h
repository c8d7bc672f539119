/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reflection: what a container sends to an address that it is not to reach meets another container,
 * which has that address in the world of this one intruder (see user/world.h). Frames go from port
 * to port; nothing here knows an uplink. An address that is dark in its world is asked for, as the
 * uplink program asks for one on the wire.
 */
#ifndef SKEP_BPF_REFLECT_H
#define SKEP_BPF_REFLECT_H

#include "arp_answer.h"
#include "ask.h"
#include "budget.h"
#include "flow.h"
#include "maps.bpf.h"

#define REFLECT_SHOT 2 /* TC_ACT_SHOT */

/* What is left of the budget of all intruders, and of each by the slot of its container. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} reflect_budget SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_CONTAINERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} world_budgets SEC(".maps");

/* The world that a port's frames are reflected into: the one it is in, or its own. */
static __always_inline __u32 reflect_world(const struct skep_port *port)
{
	return port->uplink == SKEP_UPLINK_REFLECT ? port->vlan : port->container;
}

static __always_inline struct skep_lease *reflect_inside(__u32 world, union skep_ipv4 ip)
{
	struct skep_addr address = {
		.ip = ip,
		.vlan = (__u16)world,
		.uplink = SKEP_UPLINK_REFLECT,
	};

	return bpf_map_lookup_elem(&leases, &address);
}

/* The container whose world it is, under an address that it has on the wire; else NULL. */
static __always_inline struct skep_lease *reflect_root(__u32 world, union skep_ipv4 ip,
						       struct skep_addr *ret)
{
	const struct skep_container *root = bpf_map_lookup_elem(&containers, &world);
	struct skep_lease *lease;

	if (!root || root->address.uplink == SKEP_UPLINK_REFLECT)
		return NULL;
	*ret = root->address;
	ret->ip = ip;
	lease = bpf_map_lookup_elem(&leases, ret);
	return lease && lease->container == world ? lease : NULL;
}

static __always_inline bool reflect_is_neighbour(const struct skep_port *port, union skep_ipv4 a,
						 union skep_ipv4 b)
{
	const __u32 bits = port->prefixlen & 31;
	const __u32 mask = bits ? ~0U << (32 - bits) : 0;

	if (port->prefixlen >= 32)
		return a.addr == b.addr;
	return !((a.addr ^ b.addr) & bpf_htonl(mask));
}

/* Inlined with a constant @room, as ask_reserve() is. */
static __always_inline enum skep_verdict reflect_hold(struct __sk_buff *skb, const struct frame *f,
						      __u32 world, __u64 now, __u64 len,
						      const __u64 room)
{
	const struct skep_ask head = {
		.seen_ns = now,
		.address = {.ip = f->target, .vlan = (__u16)world, .uplink = SKEP_UPLINK_REFLECT},
		.requester = f->sender,
		.verdict = SKEP_ASK_REFLECT,
		.frame_len = (__u16)len,
	};
	struct skep_ask *record = ask_reserve(&head, room);

	if (!record)
		return SKEP_REFLECT_DROP_RING_FULL;
	if (len < sizeof(struct ethhdr) || len > room ||
	    bpf_skb_load_bytes(skb, 0, record + 1, (__u32)len)) {
		bpf_ringbuf_discard(record, 0);
		return SKEP_REFLECT_DROP_TOO_LONG;
	}
	bpf_ringbuf_submit(record, 0);
	return SKEP_ASK_REFLECT;
}

/* The intruder's own budget comes first: a single one must not use up that of all. */
static __always_inline enum skep_verdict reflect_admit(__u32 world, __u64 now)
{
	__u32 only = 0;
	const struct skep_settings *s = bpf_map_lookup_elem(&settings, &only);
	__u64 *all = bpf_map_lookup_elem(&reflect_budget, &only);
	__u64 *own = bpf_map_lookup_elem(&world_budgets, &world);

	if (!s || !all || !own)
		return SKEP_REFLECT_DROP_BUDGET;
	if (s->flags & SKEP_SETTING_DRAIN)
		return SKEP_REFLECT_DROP_DRAIN;
	if (!budget_take(own, now, s->world_interval_ns, s->world_burst_ns) ||
	    !budget_take(all, now, s->reflect_interval_ns, s->reflect_burst_ns))
		return SKEP_REFLECT_DROP_BUDGET;
	return SKEP_ASK_REFLECT;
}

static __noinline enum skep_verdict reflect_ask(struct __sk_buff *skb, const struct frame *f,
						__u32 world)
{
	__u64 now = bpf_ktime_get_ns(), len = skb->len;
	enum skep_verdict verdict;

	if (len > SKEP_ASK_LARGE)
		return SKEP_REFLECT_DROP_TOO_LONG;
	verdict = reflect_admit(world, now);
	if (verdict != SKEP_ASK_REFLECT)
		return verdict;
	if (len <= SKEP_ASK_SMALL)
		return reflect_hold(skb, f, world, now, len, SKEP_ASK_SMALL);
	return reflect_hold(skb, f, world, now, len, SKEP_ASK_LARGE);
}

/*
 * To the root, and the answer must come back here. What would be taken for an answer to somebody
 * outside is not brought to it.
 */
static __noinline bool reflect_note_flow(struct __sk_buff *skb, const struct frame *f,
					 const struct skep_addr *root, __u64 lease)
{
	struct skep_flow_key key = {.local = *root, .remote = f->sender};
	const __u64 now = bpf_ktime_get_coarse_ns();
	struct skep_flow *flow;
	struct packet p;

	if (packet_parse((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, &p))
		return false;
	if (p.part == PACKET_LATER ||
	    (p.protocol == PACKET_ICMP && !packet_is_query(p.flags) && !packet_is_reply(p.flags)))
		return true;
	flow_ports(&p, false, &key);
	flow = flow_find(&key, lease, now);
	if (!flow && !flow_may_begin(&p))
		return true;
	if (!flow)
		flow = flow_begin(&key, lease, now, SKEP_FLOW_REFLECTED);
	if (!flow || flow->origin != SKEP_FLOW_REFLECTED)
		return false;
	flow_note_in(flow, &p, now);
	return true;
}

/* Who is behind the gateway, seen from there, comes with the gateway's link address. */
static __always_inline int reflect_deliver(struct __sk_buff *skb, const struct frame *f,
					   struct skep_lease *from, struct skep_lease *to)
{
	const struct skep_port *port = bpf_map_lookup_elem(&ports, &to->port);
	__u8 macs[12] __attribute__((aligned(2)));

	if (!port || to->port == skb->ifindex)
		return REFLECT_SHOT;
	__builtin_memcpy(macs, parse_mac_is_group(f->dst) ? f->dst : to->eth0, 6);
	if (f->kind != FRAME_IPV4 || reflect_is_neighbour(port, f->sender, f->target))
		__builtin_memcpy(macs + 6, f->src, 6);
	else
		__builtin_memcpy(macs + 6, port->gateway_mac, 6);
	if (bpf_skb_store_bytes(skb, 0, macs, sizeof(macs), 0))
		return REFLECT_SHOT;
	from->last_out_ns = to->last_in_ns = bpf_ktime_get_coarse_ns();
	from->packets_out++;
	to->packets_in++;
	return bpf_redirect(to->port, 0);
}

/* Whoever is there now, or the question who shall be. */
static __noinline enum skep_verdict reflect_to(struct __sk_buff *skb, const struct frame *f,
					       struct skep_lease *from, __u32 world, int *action)
{
	struct skep_lease *to = reflect_inside(world, f->target);
	struct skep_addr root = {};

	if (!to) {
		to = reflect_root(world, f->target, &root);
		if (to && f->kind == FRAME_IPV4 && !reflect_note_flow(skb, f, &root, to->id))
			return SKEP_REFLECT_DROP_TARGET;
	}
	if (!to && f->kind == FRAME_IS_AT)
		return SKEP_REFLECT_DROP_TARGET;
	if (!to)
		return reflect_ask(skb, f, world);
	*action = reflect_deliver(skb, f, from, to);
	if (*action == REFLECT_SHOT)
		return SKEP_REFLECT_DROP_TARGET;
	return f->kind == FRAME_IPV4 ? SKEP_REFLECT_IP : SKEP_REFLECT_ARP;
}

/* In a world nobody has the gateway's address; on the wire, somebody has. */
static __always_inline enum skep_verdict reflect_gateway(struct __sk_buff *skb,
							 const struct frame *f,
							 const struct skep_port *port, int *action)
{
	struct arp_answer answer;

	arp_answer(f, port->gateway_mac, &answer);
	if (bpf_skb_store_bytes(skb, 0, &answer, sizeof(answer), 0))
		return SKEP_REFLECT_DROP_TARGET;
	*action = bpf_redirect(skb->ifindex, 0);
	return SKEP_REFLECT_GATEWAY;
}

static __always_inline bool reflect_is_possible(const struct frame *f, const struct skep_port *port)
{
	if (!parse_addr_is_station(f->target))
		return false;
	if (f->kind == FRAME_IPV4)
		return !parse_mac_is_group(f->dst);
	return (f->kind == FRAME_WHO_HAS || f->kind == FRAME_IS_AT) &&
	       reflect_is_neighbour(port, f->sender, f->target);
}

/* What the container's frames to elsewhere are addressed to is its gateway's. */
static __always_inline void reflect_learn_gateway(const struct frame *f, struct skep_port *port)
{
	if (port->uplink != SKEP_UPLINK_REFLECT && f->kind == FRAME_IPV4 &&
	    !parse_mac_equal(port->gateway_mac, f->dst) &&
	    !reflect_is_neighbour(port, f->sender, f->target))
		__builtin_memcpy(port->gateway_mac, f->dst, sizeof(port->gateway_mac));
}

/**
 * reflect() - brings a frame to whom it meets in its world
 * @port:   it came from
 * @lease:  of its sender; the frame has been found to be what it allows
 * @action: set to what tc is to do
 *
 * Return: the verdict, one of SKEP_VERDICTS_REFLECT.
 */
static __noinline enum skep_verdict reflect(struct __sk_buff *skb, const struct frame *f,
					    struct skep_port *port, struct skep_lease *lease,
					    int *action)
{
	*action = REFLECT_SHOT;
	if (f->kind == FRAME_WHO_HAS && port->uplink == SKEP_UPLINK_REFLECT &&
	    f->target.addr == port->gateway.addr)
		return reflect_gateway(skb, f, port, action);
	if (!reflect_is_possible(f, port))
		return SKEP_REFLECT_DROP_TARGET;
	reflect_learn_gateway(f, port);
	return reflect_to(skb, f, lease, reflect_world(port), action);
}

/** reflect_is_mine() - whether an is-at of a container on the wire is for one in its world */
static __always_inline bool reflect_is_mine(const struct frame *f, const struct skep_port *port)
{
	const struct skep_lease *to = reflect_inside(port->container, f->target);

	return to && parse_mac_equal(f->dst, to->eth0);
}

#endif
