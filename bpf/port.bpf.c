// SPDX-License-Identifier: GPL-2.0
/*
 * The port: tc ingress at the host end of each container's veth pair, where the container's frames
 * arrive. They leave through the uplink if they are what the container's lease allows, answer
 * somebody or are let out by a rule, and nowhere else: nothing a container sends reaches the box or
 * another container directly. tc rather than XDP, since it keeps checksum offload and GSO. Decides
 * from the maps alone: it goes on working when skepd is gone.
 */
#include "brake.h"
#include "notice.h"
#include "outbound.h"
#include "reflect.h"
#include "reject.h"

char LICENSE[] SEC("license") = "GPL";

#define TC_ACT_SHOT 2

/*
 * When a lease is settled, the link address inside changes at another moment than what the lease
 * says of it: a frame may have the new one already, or still the one that the container waited
 * with.
 */
static __noinline bool is_other_mac(const struct skep_lease *lease, const __u8 *mac)
{
	const __u32 slot = lease->container;
	const struct skep_offer *offer = bpf_map_lookup_elem(&offers, &slot);

	if (lease->state == SKEP_LEASE_SETTLING && parse_mac_equal(mac, lease->mac))
		return true;
	return offer && !parse_mac_is_zero(offer->eth0) && parse_mac_equal(mac, offer->eth0);
}

static __always_inline bool may_come_from(const struct skep_lease *lease, const __u8 *mac)
{
	return parse_mac_equal(mac, lease->eth0) || is_other_mac(lease, mac);
}

/* The lease a frame claims to come from, if the port holds it. */
static __always_inline enum skep_verdict claim(const struct __sk_buff *skb, const struct frame *f,
					       const struct skep_port *port,
					       struct skep_lease **ret_lease)
{
	struct skep_addr address = {
		.ip = f->sender,
		.vlan = port->vlan,
		.uplink = port->uplink,
	};
	struct skep_lease *lease = bpf_map_lookup_elem(&leases, &address);

	if (!lease || lease->port != skb->ifindex)
		return f->kind == FRAME_IPV4 ? SKEP_PORT_DROP_ADDR : SKEP_PORT_DROP_ARP;
	if (!may_come_from(lease, f->src))
		return SKEP_PORT_DROP_MAC;
	if (!may_come_from(lease, f->sender_mac))
		return SKEP_PORT_DROP_ARP;
	*ret_lease = lease;
	return f->kind == FRAME_IPV4 ? SKEP_PORT_OUT_IP : SKEP_PORT_OUT_ARP;
}

static __always_inline enum skep_verdict parsed(const struct __sk_buff *skb, struct frame *f)
{
	enum skep_verdict verdict =
		parse_frame((void *)(long)skb->data, (void *)(long)skb->data_end, f);

	switch (verdict) {
	case SKEP_PASS_OTHER:
		return SKEP_PORT_DROP_OTHER;
	case SKEP_LEASED_ARP:
		return SKEP_PORT_OUT_ARP;
	case SKEP_LEASED_IP:
		return SKEP_PORT_OUT_IP;
	case SKEP_PASS_ARP_SENDER:
		return SKEP_PORT_DROP_ARP;
	default:
		return SKEP_PORT_DROP_MALFORMED;
	}
}

/**
 * struct way - a frame of a container, and what is needed on its way out
 * @bytes:  on the wire
 * @told:   nothing is left to tell about it
 * @action: what tc is to do
 */
struct way {
	struct frame f;
	struct skep_port *port;
	struct skep_lease *lease;
	const struct skep_settings *s;
	const struct skep_uplink *out;
	__u64 now;
	__u32 bytes;
	int action;
	bool told;
};

/* In one place: functions that are not static are verified once, whoever calls them. */
__noinline int into_world(struct __sk_buff *skb, const struct frame *f, struct skep_port *port,
			  struct skep_lease *lease, int *action)
{
	if (!f || !port || !lease || !action)
		return SKEP_PORT_DROP_RULE;
	return reflect(skb, f, port, lease, action);
}

/* By its own ARP a container finds its gateway, and whoever has talked to it. */
static __always_inline bool may_ask_for(const struct way *w)
{
	const struct skep_addr address = {
		.ip = w->f.sender,
		.vlan = w->port->vlan,
		.uplink = w->port->uplink,
	};

	if (w->out->gateway.addr && w->f.target.addr == w->out->gateway.addr)
		return true;
	return flow_is_peer(&address, w->f.target, w->lease->id, w->now) &&
	       policy_guard_caller(&address, w->f.target, w->now) == SKEP_PORT_OUT_IP;
}

/* Whom a rule lets it send to, it has to find when that is on the wire itself. */
static __always_inline bool may_ask_by_rule(const struct way *w, const struct skep_policy *policy)
{
	const __u32 index = policy_reach(policy, w->f.target.addr);
	struct sending what = {.now = w->now, .remote = w->f.target};
	struct skep_limit_key key = {.port = w->lease->port, .serial = policy->serial};
	const struct skep_rule *rule;

	if (index >= SKEP_RULES_MAX)
		return policy->verdict == SKEP_RULE_ALLOW;
	rule = &policy->rules[index];
	key.hits = rule->hits;
	return rule->verdict == SKEP_RULE_ALLOW ||
	       (rule->verdict == SKEP_RULE_LIMIT && limit_ask(rule, &key, &what));
}

/* SKEP_REFLECT_ARP stands for what is for a world. */
static __noinline enum skep_verdict who_has(const struct way *w)
{
	__u32 slot = w->port->policy;
	const struct skep_policy *policy = bpf_map_lookup_elem(&policies, &slot);

	if (may_ask_for(w))
		return SKEP_PORT_OUT_ARP;
	if (!policy)
		return SKEP_PORT_DROP_ARP_TARGET;
	if (parse_addr_is_station(w->f.target) && policy_guard(w->f.target) == SKEP_PORT_OUT_IP &&
	    may_ask_by_rule(w, policy))
		return SKEP_PORT_OUT_ARP;
	return policy->flags & SKEP_POLICY_REFLECTS ? SKEP_REFLECT_ARP : SKEP_PORT_DROP_ARP_TARGET;
}

static __always_inline enum skep_verdict arp(const struct way *w)
{
	if (w->f.kind == FRAME_WHO_HAS)
		return who_has(w);
	return w->f.kind == FRAME_IS_AT && reflect_is_mine(&w->f, w->port) ? SKEP_REFLECT_ARP
									   : SKEP_PORT_OUT_ARP;
}

/* Of an ARP frame without a tag, from its source on. */
struct arp_part {
	__u8 source[6];
	__be16 type;
	struct parse_arp arp;
};

#define SOURCE_AT __builtin_offsetof(struct ethhdr, h_source)

/* The sender's address, and wherever the container names itself as the target. */
static __always_inline int translate_arp(struct __sk_buff *skb, const struct frame *f,
					 const struct skep_lease *lease)
{
	struct arp_part part;

	if (bpf_skb_load_bytes(skb, SOURCE_AT, &part, sizeof(part)))
		return -1;
	__builtin_memcpy(part.source, lease->mac, sizeof(part.source));
	__builtin_memcpy(part.arp.sha, lease->mac, sizeof(part.arp.sha));
	if (parse_mac_equal(part.arp.tha, f->sender_mac) || parse_mac_equal(part.arp.tha, f->src))
		__builtin_memcpy(part.arp.tha, lease->mac, sizeof(part.arp.tha));
	return bpf_skb_store_bytes(skb, SOURCE_AT, &part, sizeof(part), 0);
}

/*
 * A shared container has one link address for all its addresses, and one whose lease is not settled
 * may still have the one it waited with. Written by helpers, and once, for each call counts: for a
 * program that writes through the pointer, the kernel first copies every frame that is shared (as
 * TCP's are), also those that are left as they came.
 */
static __always_inline int translate(struct __sk_buff *skb, const struct frame *f,
				     const struct skep_lease *lease)
{
	if (f->kind != FRAME_IPV4)
		return translate_arp(skb, f, lease);
	return bpf_skb_store_bytes(skb, SOURCE_AT, lease->mac, sizeof(lease->mac), 0);
}

/* ARP that was made while the link address changed has the old one in front and the new one inside,
 * or, made on purpose, the other way round. */
static __always_inline bool is_as_outside(const struct frame *f, const struct skep_lease *lease)
{
	return parse_mac_equal(f->src, lease->mac) && parse_mac_equal(f->sender_mac, lease->mac);
}

/* Sends the frame out; fails before anything is sent. */
static __always_inline int send(struct __sk_buff *skb, const struct way *w)
{
	struct skep_lease *lease = w->lease;

	if (!is_as_outside(&w->f, lease) && translate(skb, &w->f, lease))
		return -1;
	if (w->port->vlan && bpf_skb_vlan_push(skb, bpf_htons(PARSE_P_8021Q), w->port->vlan))
		return -1;
	lease->last_out_ns = w->now;
	lease->packets_out++;
	return bpf_redirect(w->out->ifindex, 0);
}

/* A packet that the container's kernel leaves to the NIC to cut is several on the wire. */
static __always_inline __u32 frames_in(const struct __sk_buff *skb)
{
	const __u32 n = skb->gso_segs, size = skb->gso_size;

	if (n)
		return n;
	return size ? skb->len / size + 1 : 1;
}

/* The container gets the answer as if from outside, and nobody else anything. */
__noinline int reject(struct __sk_buff *skb, const struct packet *p, const struct skep_uplink *out)
{
	struct reject_rst in = {};
	union {
		struct reject_rst rst;
		struct reject_icmp icmp;
	} answer = {};
	__u32 len;

	if (!p || !out)
		return TC_ACT_SHOT;
	len = p->protocol == PACKET_TCP ? REJECT_RST_LEN : REJECT_ICMP_LEN;
	if (bpf_skb_load_bytes(skb, 0, &in,
			       p->protocol == PACKET_TCP ? REJECT_READ
							 : PACKET_IP_AT + REJECT_QUOTE))
		return TC_ACT_SHOT;
	if (p->protocol == PACKET_TCP)
		reject_tcp(&in, &answer.rst);
	else if (p->protocol == PACKET_UDP)
		reject_with_icmp(&in, reject_target(&in), REJECT_PORT, &answer.icmp);
	else
		reject_with_icmp(&in, out->gateway, REJECT_HOST, &answer.icmp);
	if (bpf_skb_change_tail(skb, len, 0) || bpf_skb_store_bytes(skb, 0, &answer, len, 0))
		return TC_ACT_SHOT;
	return bpf_redirect(skb->ifindex, 0);
}

/* A reset is never answered, nor is ICMP where nobody could say that there is no way. */
static __always_inline bool is_answered(const struct packet *p, const struct skep_uplink *out)
{
	if (p->protocol == PACKET_TCP)
		return !(p->flags & TCP_RST);
	return p->protocol == PACKET_UDP || out->gateway.addr;
}

/* What a container was refused. */
static __noinline void tell(const struct outbound *o, enum skep_verdict verdict)
{
	const struct skep_policy *policy = NULL;
	struct skep_notice about = {
		.address = o->key.local,
		.remote = o->remote,
		.remote_port = o->p.protocol == PACKET_ICMP ? 0 : o->p.dest,
		.protocol = o->p.protocol,
		.hits = SKEP_NOTICE_NO_RULE,
		.verdict = verdict,
		.port = o->port,
		.policy = o->slot,
	};

	if (o->rule < SKEP_RULES_MAX)
		policy = bpf_map_lookup_elem(&policies, &o->slot);
	if (policy)
		about.hits = rules_hits(policy, o->rule);
	notice(&about, o->now);
}

/*
 * What was refused before anybody asked whom it is for, or inside a world. Any machine sends IPv6
 * to groups now and then, as it does IPv4.
 */
static __always_inline bool is_to_tell(const struct way *w, enum skep_verdict verdict)
{
	switch (verdict) {
	case SKEP_PORT_DROP_OTHER:
		return !parse_mac_is_group(w->f.dst);
	case SKEP_REFLECT_DROP_TARGET:
		return w->f.kind == FRAME_WHO_HAS || !parse_mac_is_group(w->f.dst);
	case SKEP_PORT_DROP_MALFORMED:
	case SKEP_PORT_DROP_TAGGED:
	case SKEP_PORT_DROP_MAC:
	case SKEP_PORT_DROP_ADDR:
	case SKEP_PORT_DROP_ARP:
	case SKEP_PORT_DROP_ARP_TARGET:
	case SKEP_REFLECT_DROP_DRAIN:
	case SKEP_REFLECT_DROP_BUDGET:
	case SKEP_REFLECT_DROP_RING_FULL:
	case SKEP_REFLECT_DROP_TOO_LONG:
		return true;
	default:
		return false;
	}
}

/* The address is one of the container's, whatever the frame says. */
static __noinline void tell_frame(const struct __sk_buff *skb, const struct way *w,
				  enum skep_verdict verdict)
{
	const __u32 slot = w->port->container;
	const struct skep_container *container = bpf_map_lookup_elem(&containers, &slot);
	const struct skep_offer *offer = bpf_map_lookup_elem(&offers, &slot);
	struct skep_notice about = {
		.remote = w->f.target,
		.hits = SKEP_NOTICE_NO_RULE,
		.verdict = verdict,
		.port = skb->ifindex,
	};

	if (w->lease)
		about.address = (struct skep_addr){
			.ip = w->f.sender,
			.vlan = w->port->vlan,
			.uplink = w->port->uplink,
		};
	else if (container && container->leases)
		about.address = container->address;
	else if (offer) /* and skepd has not taken note of it yet */
		about.address = offer->address;
	notice(&about, bpf_ktime_get_coarse_ns());
}

static __noinline void tell_brake(__u64 now)
{
	const struct skep_notice about = {
		.hits = SKEP_NOTICE_NO_RULE,
		.verdict = SKEP_PORT_DROP_BRAKE,
	};

	notice(&about, now);
}

static __noinline enum skep_verdict leave(struct __sk_buff *skb, struct way *w,
					  enum skep_verdict verdict)
{
	int sent;

	if (!brake_lets(w->s, w->now, frames_in(skb), w->bytes)) {
		tell_brake(w->now);
		return SKEP_PORT_DROP_BRAKE;
	}
	sent = send(skb, w);
	if (sent < 0)
		return SKEP_PORT_DROP_NO_UPLINK;
	w->action = sent;
	return verdict;
}

/* As it is on the wire; the first fragment says for the others where they go. */
static __always_inline int rewrite(struct __sk_buff *skb, const struct outbound *o)
{
	if (o->p.part == PACKET_LATER)
		return redirect_address(skb, o->remote, o->wire);
	return o->flow ? redirect_rewrite(skb, &o->p, &o->key, o->flow) : -1;
}

static __always_inline bool goes_out(enum skep_verdict verdict)
{
	return verdict == SKEP_PORT_OUT_ARP || verdict == SKEP_PORT_OUT_IP ||
	       verdict == SKEP_PORT_OUT_ALLOWED || verdict == SKEP_PORT_OUT_REDIRECTED;
}

/* What does not go out is told; but any machine sends to groups now and then. */
static __always_inline enum skep_verdict refuse(struct __sk_buff *skb, struct way *w,
						const struct outbound *o, enum skep_verdict verdict)
{
	w->told = true;
	if (verdict == SKEP_PORT_DROP_GROUP)
		return verdict;
	tell(o, verdict);
	if (verdict == SKEP_PORT_REJECTED && o->p.part != PACKET_LATER &&
	    is_answered(&o->p, w->out))
		w->action = reject(skb, &o->p, w->out);
	return verdict;
}

static __noinline enum skep_verdict ip(struct __sk_buff *skb, struct way *w)
{
	struct outbound o = {
		.key.local = {.ip = w->f.sender, .vlan = w->port->vlan, .uplink = w->port->uplink},
		.lease = w->lease->id,
		.now = w->now,
		.port = skb->ifindex,
		.packets = frames_in(skb),
		.slot = w->port->policy,
	};
	enum skep_verdict verdict = outbound(skb, &w->f, &o);

	w->bytes += (o.packets - 1) * (PACKET_IP_AT + o.p.header);
	if (verdict == SKEP_REFLECT_IP) {
		outbound_note(&o);
		return verdict;
	}
	if (!goes_out(verdict))
		return refuse(skb, w, &o, verdict);
	outbound_note(&o);
	if (verdict == SKEP_PORT_OUT_REDIRECTED && rewrite(skb, &o))
		return SKEP_PORT_DROP_NO_FLOW;
	return verdict;
}

/* A frame that is the container's own. */
static __always_inline enum skep_verdict own(struct __sk_buff *skb, struct way *w)
{
	__u32 ordinal = w->port->uplink;
	enum skep_verdict verdict;

	if (w->port->uplink == SKEP_UPLINK_REFLECT)
		return into_world(skb, &w->f, w->port, w->lease, &w->action);
	w->now = bpf_ktime_get_coarse_ns();
	w->bytes = skb->len;
	w->out = bpf_map_lookup_elem(&uplinks, &ordinal);
	if (!w->out || !w->out->ifindex)
		return SKEP_PORT_DROP_NO_UPLINK;
	verdict = w->f.kind == FRAME_IPV4 ? ip(skb, w) : arp(w);
	if (verdict == SKEP_REFLECT_IP || verdict == SKEP_REFLECT_ARP)
		return into_world(skb, &w->f, w->port, w->lease, &w->action);
	return goes_out(verdict) ? leave(skb, w, verdict) : verdict;
}

static __always_inline enum skep_verdict classify(struct __sk_buff *skb, struct way *w)
{
	enum skep_verdict verdict;
	__u32 only = 0, ifindex = skb->ifindex;

	w->s = bpf_map_lookup_elem(&settings, &only);
	if (!w->s || w->s->flags & SKEP_SETTING_PANIC)
		return SKEP_PORT_DROP_PANIC;
	w->port = bpf_map_lookup_elem(&ports, &ifindex);
	if (!w->port || w->port->shut)
		return SKEP_PORT_DROP_UNBOUND;
	if (skb->vlan_present)
		return SKEP_PORT_DROP_TAGGED;
	verdict = parsed(skb, &w->f);
	if (w->f.tagged)
		return SKEP_PORT_DROP_TAGGED;
	if (verdict != SKEP_PORT_OUT_ARP && verdict != SKEP_PORT_OUT_IP)
		return verdict;
	verdict = claim(skb, &w->f, w->port, &w->lease);
	return w->lease ? own(skb, w) : verdict;
}

SEC("tc")
int port(struct __sk_buff *skb)
{
	struct way w = {.action = TC_ACT_SHOT};
	enum skep_verdict verdict = classify(skb, &w);

	if (w.port && !w.told && is_to_tell(&w, verdict))
		tell_frame(skb, &w, verdict);
	count(verdict);
	return w.action;
}
