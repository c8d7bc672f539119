/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a container may send, once a frame is known to be its own: answers to whoever talked to it,
 * and on its own account what a rule of its policy says. Whatever has no place here is dropped.
 */
#ifndef SKEP_BPF_OUTBOUND_H
#define SKEP_BPF_OUTBOUND_H

#include "flow.h"
#include "policy.h"
#include "redirect.h"

#define OUTBOUND_FRAGMENTS_NS (30 * FLOW_SECOND)

/* What became of first fragments. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_FRAGMENTS_MAX);
	__type(key, struct skep_fragment_key);
	__type(value, struct skep_fragment);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} fragments SEC(".maps");

/**
 * struct outbound - one IPv4 packet on its way
 * @key:     its flow, whose @local is the container's address
 * @p:       what the packet says
 * @remote:  where the container sends it
 * @wire:    of a later fragment: where it is redirected to, 0 for nowhere
 * @lease:   id of the lease of the container's address
 * @now:     coarse clock
 * @port:    ifindex
 * @packets: on the wire that it will be
 * @bytes:   of all these, without Ethernet's
 * @slot:    of the policy
 * @rule:    that it met; index into the rules of the policy
 * @flow:    that it belongs to, if it is let out
 */
struct outbound {
	struct skep_flow_key key;
	struct packet p;
	union skep_ipv4 remote;
	union skep_ipv4 wire;
	__u64 lease;
	__u64 now;
	__u32 port;
	__u32 packets;
	__u32 bytes;
	__u32 slot;
	__u32 rule;
	struct skep_flow *flow;
};

static __always_inline const struct skep_policy *outbound_policy(const struct outbound *o)
{
	return bpf_map_lookup_elem(&policies, &o->slot);
}

/* With a stack of its own: all frames that are open at a time may have 512 bytes, and up to Linux
 * 6.7 each is rounded up to 32. */
static __noinline bool outbound_in_limit(const struct outbound *o, const struct skep_policy *policy,
					 const struct skep_rule *rule, bool flow)
{
	const struct skep_limit_key key = {
		.port = o->port,
		.serial = policy->serial,
		.hits = rule->hits,
	};

	const struct sending what = {
		.now = o->now,
		.remote = o->remote,
		.packets = o->packets,
		.bytes = o->bytes,
		.flow = flow,
	};

	return limit_take(rule, &key, &what);
}

/* The packet is let out if what its flow, or first fragment, was let out by still says so. */
static __always_inline enum skep_verdict outbound_again(const struct outbound *o,
							const struct skep_policy *policy)
{
	const struct skep_rule *rule;
	__u32 index = o->rule;

	if (index >= SKEP_RULES_MAX)
		return SKEP_PORT_OUT_ALLOWED;
	rule = &policy->rules[index];
	if (rule->verdict == SKEP_RULE_LIMIT && !outbound_in_limit(o, policy, rule, false))
		return SKEP_PORT_DROP_LIMIT;
	return SKEP_PORT_OUT_ALLOWED;
}

/* Begins the flow of a packet that a rule lets out. */
static __always_inline enum skep_verdict outbound_begin(struct outbound *o,
							const struct skep_policy *policy,
							__u8 origin)
{
	struct skep_flow *flow = flow_begin(&o->key, o->lease, o->now, origin);

	if (!flow)
		return SKEP_PORT_DROP_NO_FLOW;
	flow->rule = o->rule;
	flow->serial = policy->serial;
	o->flow = flow;
	return SKEP_PORT_OUT_ALLOWED;
}

static __always_inline enum skep_verdict outbound_redirect(struct outbound *o,
							   const struct skep_policy *policy,
							   const struct skep_rule *rule)
{
	enum skep_verdict verdict = policy_guard(rule->redirect);

	if (verdict != SKEP_PORT_OUT_IP)
		return verdict;
	if (o->key.protocol == PACKET_ICMP)
		return SKEP_PORT_DROP_RULE;
	verdict = outbound_begin(o, policy, SKEP_FLOW_INSIDE);
	if (verdict != SKEP_PORT_OUT_ALLOWED || !o->flow)
		return verdict;
	if (!redirect_begin(o->flow, &o->key, rule, o->now))
		return SKEP_PORT_DROP_NO_FLOW;
	return SKEP_PORT_OUT_REDIRECTED;
}

static __always_inline enum skep_verdict outbound_leave(struct outbound *o,
							const struct skep_policy *policy,
							const struct skep_rule *rule)
{
	enum skep_verdict verdict = policy_guard(o->remote);

	if (verdict != SKEP_PORT_OUT_IP)
		return verdict;
	if (rule && rule->verdict == SKEP_RULE_LIMIT && !outbound_in_limit(o, policy, rule, true))
		return SKEP_PORT_DROP_LIMIT;
	return outbound_begin(o, policy, SKEP_FLOW_INSIDE);
}

/* SKEP_REFLECT_IP stands for what is to be reflected, SKEP_PORT_REJECTED for what is to be refused.
 */
static __always_inline enum skep_verdict outbound_by_rule(struct outbound *o,
							  const struct skep_policy *policy)
{
	const struct skep_rule *rule = NULL;

	o->rule = policy_match(policy, o->key.protocol,
			       o->key.protocol == PACKET_ICMP ? 0 : parse_htons(o->p.dest),
			       o->remote.addr);
	if (o->rule < SKEP_RULES_MAX)
		rule = &policy->rules[o->rule];
	switch (rule ? rule->verdict : policy->verdict) {
	case SKEP_RULE_REJECT:
		return SKEP_PORT_REJECTED;
	case SKEP_RULE_REDIRECT:
		return rule ? outbound_redirect(o, policy, rule) : SKEP_PORT_DROP_RULE;
	case SKEP_RULE_REFLECT:
		return SKEP_REFLECT_IP; /* its flow begins with an answer: scans take no room */
	case SKEP_RULE_LIMIT:
		return rule ? outbound_leave(o, policy, rule) : SKEP_PORT_DROP_RULE;
	case SKEP_RULE_ALLOW:
		return outbound_leave(o, policy, rule);
	default:
		return SKEP_PORT_DROP_RULE;
	}
}

/* Counts for the rule, whatever it said; also when it begins nothing. */
static __noinline enum skep_verdict outbound_new(struct outbound *o)
{
	const struct skep_policy *policy = outbound_policy(o);
	enum skep_verdict verdict;

	if (!policy)
		return SKEP_PORT_DROP_RULE;
	o->flow = NULL;
	verdict = outbound_by_rule(o, policy);
	policy_count(o->slot, rules_hits(policy, o->rule), o->packets, o->bytes, true);
	return verdict;
}

/* A flow that the container began: as long as its policy is the one that let it. */
static __always_inline enum skep_verdict outbound_inside(struct outbound *o)
{
	const struct skep_policy *policy = outbound_policy(o);
	enum skep_verdict verdict;

	if (!policy || !o->flow || policy->serial != o->flow->serial)
		return outbound_new(o);
	o->rule = o->flow->rule;
	verdict = outbound_again(o, policy);
	policy_count(o->slot, rules_hits(policy, o->rule), o->packets, o->bytes, false);
	if (verdict != SKEP_PORT_OUT_ALLOWED || !(o->flow->flags & SKEP_FLOW_REDIRECTED))
		return verdict;
	return redirect_go_on(o->flow, &o->key, o->now) ? SKEP_PORT_OUT_REDIRECTED
							: SKEP_PORT_DROP_NO_FLOW;
}

/* Whoever seems to have called may be one of the farm's own addresses, by a forged packet. */
static __always_inline enum skep_verdict outbound_answer(struct outbound *o)
{
	enum skep_verdict verdict = SKEP_PORT_OUT_IP;

	if (!o->flow)
		return SKEP_PORT_DROP_NO_FLOW;
	if (!(o->flow->flags & SKEP_FLOW_CHECKED)) {
		verdict = policy_guard_caller(&o->key.local, o->remote, o->now);
		if (verdict == SKEP_PORT_OUT_IP)
			o->flow->flags |= SKEP_FLOW_CHECKED;
	}
	return verdict;
}

static __always_inline enum skep_verdict outbound_known(struct outbound *o)
{
	o->flow = flow_find(&o->key, o->lease, o->now);
	if (!o->flow && o->p.protocol == PACKET_ICMP && packet_is_reply(o->p.flags))
		return SKEP_PORT_DROP_ICMP;
	if (!o->flow)
		return outbound_new(o);
	if (o->flow->origin == SKEP_FLOW_OUTSIDE)
		return flow_answers(&o->p) ? outbound_answer(o) : outbound_new(o);
	if (o->flow->origin == SKEP_FLOW_REFLECTED)
		return SKEP_REFLECT_IP;
	return outbound_inside(o);
}

/* What the first fragment was let out as; the others say nothing themselves. */
static __noinline void outbound_remember(const struct outbound *o, enum skep_verdict verdict)
{
	const struct skep_fragment_key key = {
		.local = o->key.local,
		.remote = o->remote,
		.id = o->p.id,
		.protocol = o->p.protocol,
	};
	struct skep_fragment value = {
		.lease = o->lease,
		.until_ns = o->now + OUTBOUND_FRAGMENTS_NS,
		.verdict = verdict,
		.rule = o->rule,
	};

	if (o->flow && o->flow->origin != SKEP_FLOW_OUTSIDE)
		value.serial = o->flow->serial;
	if (o->flow && verdict == SKEP_PORT_OUT_REDIRECTED)
		value.wire = o->flow->wire;
	bpf_map_update_elem(&fragments, &key, &value, BPF_ANY);
}

static __noinline enum skep_verdict outbound_later(struct outbound *o)
{
	const struct skep_fragment_key key = {
		.local = o->key.local,
		.remote = o->remote,
		.id = o->p.id,
		.protocol = o->p.protocol,
	};
	const struct skep_fragment *first = bpf_map_lookup_elem(&fragments, &key);
	const struct skep_policy *policy = outbound_policy(o);
	enum skep_verdict verdict;

	if (!first || first->lease != o->lease || o->now > first->until_ns || !policy)
		return SKEP_PORT_DROP_FRAGMENT;
	if (!first->serial || first->verdict == SKEP_REFLECT_IP)
		return first->verdict;
	if (first->serial != policy->serial)
		return SKEP_PORT_DROP_FRAGMENT;
	o->rule = first->rule;
	o->wire = first->wire;
	verdict = outbound_again(o, policy);
	policy_count(o->slot, rules_hits(policy, o->rule), o->packets, o->bytes, false);
	return verdict == SKEP_PORT_OUT_ALLOWED ? first->verdict : verdict;
}

/* ICMP errors: of a packet that came in, and of which the ports can be read (RFC 1122, 3.2.2). */
static __noinline enum skep_verdict outbound_icmp_error(struct __sk_buff *skb, struct outbound *o)
{
	struct {
		struct packet_ip ip;
		struct packet_udp l4;
	} quote = {};
	const __u32 at = o->p.at + sizeof(struct packet_icmp);
	struct packet in = {};
	enum skep_verdict verdict;
	__u32 header;

	if (o->p.flags != ICMP_UNREACHABLE && o->p.flags != ICMP_EXCEEDED &&
	    o->p.flags != ICMP_PARAMETER)
		return SKEP_PORT_DROP_ICMP;
	if (bpf_skb_load_bytes(skb, at, &quote.ip, sizeof(quote.ip)))
		return SKEP_PORT_DROP_ICMP;
	header = (quote.ip.version_ihl & 0xf) * 4;
	if (quote.ip.version_ihl >> 4 != 4 || header < sizeof(quote.ip) ||
	    quote.ip.fragment & parse_htons(0x1fff) ||
	    bpf_skb_load_bytes(skb, at + header, &quote.l4, sizeof(quote.l4)))
		return SKEP_PORT_DROP_ICMP;
	if (!packet_ip_equal(quote.ip.src, o->remote) ||
	    !packet_ip_equal(quote.ip.dst, o->key.local.ip))
		return SKEP_PORT_DROP_ICMP;
	in.protocol = quote.ip.protocol;
	if (in.protocol == PACKET_TCP || in.protocol == PACKET_UDP) {
		in.source = quote.l4.source;
		in.dest = quote.l4.dest;
	} else if (in.protocol == PACKET_ICMP) {
		const struct packet_icmp *icmp = (const void *)&quote.l4;

		if (!packet_is_query(icmp->type) && !packet_is_reply(icmp->type))
			return SKEP_PORT_DROP_ICMP;
		in.flags = icmp->type;
		in.source = icmp->id;
	}
	flow_ports(&in, false, &o->key);
	o->flow = flow_find(&o->key, o->lease, o->now);
	if (!o->flow)
		return SKEP_PORT_DROP_ICMP;
	if (o->flow->origin == SKEP_FLOW_REFLECTED)
		return SKEP_REFLECT_IP;
	verdict = SKEP_PORT_DROP_ICMP;
	if (o->flow->origin == SKEP_FLOW_OUTSIDE)
		verdict = outbound_answer(o);
	o->flow = NULL; /* it is about the flow, not of it */
	return verdict;
}

static __always_inline enum skep_verdict outbound_fault(enum packet_fault fault)
{
	switch (fault) {
	case PACKET_OK:
		return SKEP_PORT_OUT_IP;
	case PACKET_PROTOCOL:
		return SKEP_PORT_DROP_PROTOCOL;
	case PACKET_FRAGMENT:
		return SKEP_PORT_DROP_FRAGMENT;
	default:
		return SKEP_PORT_DROP_MALFORMED;
	}
}

static __always_inline enum skep_verdict outbound_addressed(const struct frame *f)
{
	if (parse_mac_is_group(f->dst) || f->target.octet[0] >= 224)
		return SKEP_PORT_DROP_GROUP;
	return parse_addr_is_station(f->target) ? SKEP_PORT_OUT_IP : SKEP_PORT_DROP_LOCAL;
}

static __always_inline enum skep_verdict outbound_decide(struct __sk_buff *skb, struct outbound *o)
{
	if (o->p.part == PACKET_LATER)
		return outbound_later(o);
	flow_ports(&o->p, true, &o->key);
	if (o->p.protocol == PACKET_ICMP && !packet_is_query(o->p.flags) &&
	    !packet_is_reply(o->p.flags))
		return outbound_icmp_error(skb, o);
	return outbound_known(o);
}

/**
 * outbound() - what becomes of an IPv4 frame of a container
 * @o: @key.local, @lease, @now, @port, @packets and @slot are set, the rest is filled in
 *
 * Return: the verdict. SKEP_PORT_REJECTED and SKEP_REFLECT_IP are for the caller to carry out.
 */
static __always_inline enum skep_verdict outbound(struct __sk_buff *skb, const struct frame *f,
						  struct outbound *o)
{
	enum skep_verdict verdict = outbound_addressed(f);
	enum packet_fault fault;

	o->remote = f->target;
	o->key.remote = f->target;
	o->rule = SKEP_RULES_MAX;
	if (verdict != SKEP_PORT_OUT_IP)
		return verdict;
	fault = packet_parse((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len, &o->p);
	o->bytes = o->p.len + (o->packets - 1) * o->p.header;
	if (o->p.options)
		return SKEP_PORT_DROP_OPTIONS;
	verdict = outbound_fault(fault);
	if (verdict != SKEP_PORT_OUT_IP)
		return verdict;
	verdict = outbound_decide(skb, o);
	if (o->p.part == PACKET_FIRST &&
	    (verdict == SKEP_PORT_OUT_IP || verdict == SKEP_PORT_OUT_ALLOWED ||
	     verdict == SKEP_PORT_OUT_REDIRECTED || verdict == SKEP_REFLECT_IP))
		outbound_remember(o, verdict);
	return verdict;
}

/** outbound_note() - the packet goes out: its flow has one more */
static __always_inline void outbound_note(const struct outbound *o)
{
	if (o->flow && o->p.part != PACKET_LATER)
		flow_note_out(o->flow, &o->p, o->now, o->packets);
}

#endif
