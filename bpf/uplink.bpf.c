// SPDX-License-Identifier: GPL-2.0
/*
 * The uplink: XDP on the NIC that skep watches. Frames to a leased address go to its port; the
 * first frame to a dark address binds it, as long as containers are idle, and is held and handed to
 * skepd else; everything else is the box's own and passes untouched. The program decides from the
 * maps alone: it goes on working when skepd is gone.
 */
#include "bind.h"
#include "dark.h"
#include "farm.h"
#include "flow_in.h"
#include "hold.h"
#include "hosts.h"
#include "maps.bpf.h"
#include "parse.h"
#include "wake.h"

char LICENSE[] SEC("license") = "GPL";

/* Set before loading: which of the uplinks this instance serves. */
const volatile __u16 uplink_ordinal = 0;

/* The rest is skepd's own, here for bpftool and for the next skepd; no program reads it. */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_TEMPLATES_MAX);
	__type(key, __u32);
	__type(value, struct skep_template);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} templates SEC(".maps");

/* How far the verification has come; see struct skep_sweep. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct skep_sweep);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} sweep SEC(".maps");

/* Binds by how long they took (bind_ns): slot N counts those of 2^N up to 2^(N+1) nanoseconds. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_LATENCY_BUCKETS);
	__type(key, __u32);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} latency SEC(".maps");

/*
 * The ports by slot, for redirecting: by its number, the kernel would look for a device among all
 * that are in the same of 256 lists. Each instance has its own (libbpf before 1.6 cannot take a
 * pinned one over); skepd fills it, and the kernel takes out what vanishes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, SKEP_CONTAINERS_MAX);
	__type(key, __u32);   /* slot */
	__type(value, __u32); /* ifindex */
} port_devices SEC(".maps");

/* A container knows nothing of VLANs: the tag ends here. */
static __always_inline int untag(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	__u8 macs[12];

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return -1;
	__builtin_memcpy(macs, eth, sizeof(macs));
	if (bpf_xdp_adjust_head(ctx, sizeof(struct parse_tag)))
		return -1;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return -1;
	__builtin_memcpy(eth, macs, sizeof(macs));
	return 0;
}

/* In an ARP frame without a tag, wherever it names the lease's link address as the target's. */
static __always_inline int translate_arp(struct xdp_md *ctx, const struct skep_lease *lease)
{
	struct parse_arp *arp = (void *)(long)ctx->data + sizeof(struct ethhdr);

	if ((void *)(arp + 1) > (void *)(long)ctx->data_end)
		return -1;
	if (parse_mac_equal(arp->tha, lease->mac))
		__builtin_memcpy(arp->tha, lease->eth0, sizeof(lease->eth0));
	return 0;
}

/*
 * A shared container has one link address for all its addresses, and one whose lease is not settled
 * still has the one it waited with.
 */
static __always_inline int translate(struct xdp_md *ctx, const struct frame *f,
				     const struct skep_lease *lease)
{
	struct ethhdr *eth = (void *)(long)ctx->data;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return -1;
	if (!parse_mac_is_group(f->dst))
		__builtin_memcpy(eth->h_dest, lease->eth0, sizeof(lease->eth0));
	return f->kind == FRAME_IPV4 ? 0 : translate_arp(ctx, lease);
}

static __always_inline int redirect_to(const struct skep_lease *lease)
{
	const long action = bpf_redirect_map(&port_devices, lease->container, XDP_ABORTED);

	return action == XDP_REDIRECT ? action : bpf_redirect(lease->port, 0);
}

static __always_inline int to_port(struct xdp_md *ctx, const struct frame *f,
				   struct skep_lease *lease)
{
	const __u64 now = bpf_ktime_get_coarse_ns();

	if (f->tagged && untag(ctx))
		return XDP_ABORTED;
	if (!parse_mac_equal(lease->mac, lease->eth0) && translate(ctx, f, lease))
		return XDP_ABORTED;
	if (f->kind == FRAME_IPV4 && flow_in(ctx, uplink_ordinal, f, lease, now))
		return XDP_ABORTED;
	lease->last_in_ns = now;
	lease->packets_in++;
	return redirect_to(lease);
}

static __always_inline enum skep_verdict leased(const struct frame *f,
						const struct skep_settings *s,
						const struct skep_lease *lease,
						enum skep_verdict parsed)
{
	if (s->flags & SKEP_SETTING_PANIC)
		return SKEP_DROP_PANIC;
	if (parse_mac_equal(f->dst, lease->mac))
		return parsed;
	if (!parse_mac_is_group(f->dst))
		return SKEP_DROP_WRONG_MAC;
	return f->kind == FRAME_IPV4 ? SKEP_PASS_IP_GROUP : parsed;
}

/* A container that waits takes all that is inside the farm's ranges for its own, excluded or not,
 * but for the gateway: what it sends there does not come out. */
static __always_inline bool is_out_of_reach(const struct frame *f)
{
	const __u32 ordinal = uplink_ordinal;
	const struct skep_uplink *u = bpf_map_lookup_elem(&uplinks, &ordinal);

	if (u && f->sender.addr == u->gateway.addr)
		return false;
	return farm_find(f->sender);
}

/*
 * Until the container knows its address, a socket that answers by datagrams could not tell which
 * source is meant. While it is being told, nothing is certain.
 */
static __noinline bool has_to_wait(const struct frame *f, const struct skep_lease *lease)
{
	if (lease->state != SKEP_LEASE_CLAIMED)
		return lease->state == SKEP_LEASE_SETTLING;
	if (f->kind != FRAME_IPV4)
		return false;
	return (f->protocol != PACKET_TCP && f->protocol != PACKET_ICMP) || is_out_of_reach(f);
}

static __always_inline enum skep_verdict to_lease(struct xdp_md *ctx, const struct skep_settings *s,
						  const struct skep_addr *address,
						  const struct frame *f,
						  const struct skep_lease *lease,
						  enum skep_verdict parsed)
{
	const enum skep_verdict verdict = leased(f, s, lease, parsed);

	if (lease->state == SKEP_LEASE_SETTLED || verdict != parsed || !has_to_wait(f, lease))
		return verdict;
	if (lease->state == SKEP_LEASE_CLAIMED)
		defer_flush_all();
	return hold(ctx, address, f, SKEP_HELD_SETTLING, bpf_ktime_get_ns());
}

static __always_inline bool is_between(union skep_ipv4 ip, __u32 first, __u32 last)
{
	return bpf_ntohl(ip.addr) >= first && bpf_ntohl(ip.addr) <= last;
}

/* The frame goes on; what became of the ring record is for the counters. */
static __always_inline enum skep_verdict tell_bound(struct xdp_md *ctx, const struct bind *b,
						    enum skep_verdict verdict)
{
	struct skep_ask head = {
		.seen_ns = b->seen_ns,
		.address = *b->address,
		.requester = b->f->sender,
		.verdict = (__u16)verdict,
		.container = b->taken.slot,
		.cpu = bpf_get_smp_processor_id(),
	};

	if (wake_comes(b->address, b->f->sender, b->seen_ns) && hold_not_deferred(ctx, &head))
		return verdict;
	return hold_not(ctx, &head) == verdict ? verdict : SKEP_BOUND_UNTOLD;
}

/*
 * An address that was leased a moment ago, to whomever. When the lease is gone again, it gave way
 * to a host, who is noted before it goes; or skepd has released it, so that the address is as dark
 * as it was, and this frame its first one.
 */
static __always_inline enum skep_verdict follow(struct xdp_md *ctx, const struct bind *b,
						enum skep_verdict asked,
						struct skep_lease **ret_lease)
{
	__u64 now;

	*ret_lease = bpf_map_lookup_elem(&leases, b->address);
	if (!*ret_lease)
		return hosts_on(b->address, &now) ? SKEP_PASS_HOST : asked;
	return to_lease(ctx, b->s, b->address, b->f, *ret_lease,
			b->f->kind == FRAME_IPV4 ? SKEP_LEASED_IP : SKEP_LEASED_ARP);
}

/*
 * Return: what becomes of the frame; @asked when skepd is to be asked. A bind whose first frame
 * does not go to it is counted as well.
 */
static __noinline enum skep_verdict bind_now(struct xdp_md *ctx, struct bind *b,
					     enum skep_verdict asked, struct skep_lease **ret_lease)
{
	enum skep_verdict bound, then;

	switch (bind(b)) {
	case BIND_NONE:
		return asked;
	case BIND_HOST:
		return SKEP_PASS_HOST;
	case BIND_LEASED:
		return follow(ctx, b, asked, ret_lease);
	default:
		break;
	}
	bound = tell_bound(ctx, b, asked == SKEP_ASK_IP ? SKEP_BOUND_IP : SKEP_BOUND_ARP);
	then = follow(ctx, b, asked, ret_lease);
	if (then == SKEP_LEASED_ARP || then == SKEP_LEASED_IP)
		return bound;
	count(bound);
	return then;
}

/* What may be bound is, by the program itself if it can. */
static __always_inline enum skep_verdict first_contact(struct xdp_md *ctx, struct bind *b,
						       enum skep_verdict asked,
						       struct skep_lease **ret_lease)
{
	const bool binds = b->range->flags & SKEP_RANGE_BIND;
	enum skep_verdict verdict;

	if (!binds && !hold_fits(bpf_xdp_get_buff_len(ctx)))
		return SKEP_DROP_ASK_TOO_LONG;
	verdict = dark_admit(b->address, b->f, asked, b->seen_ns);
	if (verdict == asked && binds)
		verdict = bind_now(ctx, b, asked, ret_lease);
	if (verdict == asked)
		verdict = hold(ctx, b->address, b->f, asked, b->seen_ns);
	return verdict;
}

/* A lease gave way; whether skepd knows is for the counters. */
static __always_inline enum skep_verdict tell_conflict(struct xdp_md *ctx,
						       const struct skep_addr *address,
						       const struct frame *f, __u32 container)
{
	struct skep_ask head = {
		.seen_ns = bpf_ktime_get_ns(),
		.address = *address,
		.requester = f->sender,
		.verdict = SKEP_CONFLICT,
		.container = container,
	};

	return hold_not(ctx, &head) == SKEP_CONFLICT ? SKEP_CONFLICT : SKEP_CONFLICT_UNTOLD;
}

/* Return: @parsed, or that a lease gave way to whoever sent the frame. */
static __always_inline enum skep_verdict learn(struct xdp_md *ctx, const struct skep_uplink *u,
					       const struct skep_settings *s, const struct frame *f,
					       enum skep_verdict parsed)
{
	const struct skep_addr address = {
		.ip = hosts_claimed(f),
		.vlan = f->vlan,
		.uplink = uplink_ordinal,
	};
	__u32 container = 0;

	if (!hosts_may_tell(u, f) || !hosts_learn(u, s, &address, f, &container))
		return parsed;
	return tell_conflict(ctx, &address, f, container);
}

/* The ends of the uplink's network; where a range has them, it says so. */
static __always_inline bool is_end_of_network(const struct skep_uplink *u, const struct frame *f)
{
	const __u32 sender = bpf_ntohl(f->sender.addr);

	return u->network_last - u->network > 1 &&
	       (sender == u->network || sender == u->network_last);
}

/*
 * Of ARP: nobody from elsewhere asks on this segment, and neither does a network or broadcast
 * address. A range is of this segment, in its network or not; so is the gateway, who asks most. A
 * function of its own for the verifier's sake.
 */
static __noinline enum skep_verdict check_sender(const struct skep_uplink *u, const struct frame *f,
						 enum skep_verdict parsed)
{
	const struct skep_range *range = NULL;

	if (!u || f->kind == FRAME_PROBE || f->sender.addr == u->gateway.addr)
		return parsed;
	if (is_between(f->sender, u->first, u->last))
		range = dark_sender_range(f, uplink_ordinal);
	if (dark_is_nobody(range) || is_end_of_network(u, f))
		return SKEP_PASS_ARP_SENDER;
	if (u->network_last && !range && !is_between(f->sender, u->network, u->network_last))
		return SKEP_PASS_ARP_FOREIGN;
	return parsed;
}

static __always_inline enum skep_verdict classify(struct xdp_md *ctx, struct frame *f,
						  struct skep_addr *address,
						  struct skep_lease **ret_lease)
{
	const __u32 ordinal = uplink_ordinal, only = 0;
	const struct skep_uplink *u = bpf_map_lookup_elem(&uplinks, &ordinal);
	const struct skep_settings *s = bpf_map_lookup_elem(&settings, &only);
	struct bind b = {
		.address = address, .f = f, .uplink = u, .s = s, .flags = BPF_NOEXIST, .ids = 1};
	enum skep_verdict verdict;

	verdict = parse_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end, f);
	if ((verdict != SKEP_LEASED_ARP && verdict != SKEP_LEASED_IP) || !u || !s)
		return verdict;
	verdict = learn(ctx, u, s, f, verdict);
	if (verdict == SKEP_LEASED_ARP)
		verdict = check_sender(u, f, verdict);
	if (verdict != SKEP_LEASED_ARP && verdict != SKEP_LEASED_IP)
		return verdict;
	address->ip = f->target;
	address->vlan = f->vlan;
	address->uplink = uplink_ordinal;

	*ret_lease = bpf_map_lookup_elem(&leases, address);
	if (*ret_lease)
		return to_lease(ctx, s, address, f, *ret_lease, verdict);
	if (!is_between(f->target, u->first, u->last))
		return SKEP_PASS_NO_RANGE;
	verdict = dark(s, address, f, &b.range);
	if (verdict == SKEP_ASK_IP && !is_between(f->sender, u->first, u->last))
		hosts_note_router(address, f);
	if (!b.range || (verdict != SKEP_ASK_ARP && verdict != SKEP_ASK_IP))
		return verdict;
	b.seen_ns = bpf_ktime_get_ns();
	return first_contact(ctx, &b, verdict, ret_lease);
}

static __always_inline int act(struct xdp_md *ctx, const struct frame *f,
			       const struct skep_addr *address, struct skep_lease *lease,
			       enum skep_verdict verdict)
{
	switch (verdict) {
	case SKEP_LEASED_ARP:
	case SKEP_LEASED_IP:
	case SKEP_BOUND_ARP:
	case SKEP_BOUND_IP:
	case SKEP_BOUND_UNTOLD:
		return lease ? to_port(ctx, f, lease) : XDP_ABORTED;
	case SKEP_PASS_HANDED_ON:
		return hosts_hand_on(ctx, address);
	case SKEP_DROP_WRONG_MAC:
	case SKEP_DROP_PANIC:
	case SKEP_ASK_ARP:
	case SKEP_ASK_IP:
	case SKEP_DROP_ASK_RING_FULL:
	case SKEP_DROP_ASK_TOO_LONG:
	case SKEP_HELD_SETTLING:
	case SKEP_DROP_BUDGET:
	case SKEP_DROP_BUDGET_REQUESTER:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

SEC("xdp")
int uplink(struct xdp_md *ctx)
{
	struct skep_lease *lease = NULL;
	struct skep_addr address = {};
	struct frame f;
	enum skep_verdict verdict = classify(ctx, &f, &address, &lease);

	count(verdict);
	return act(ctx, &f, &address, lease, verdict);
}
