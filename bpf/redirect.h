/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Redirecting: a flow that a container begins goes to another address, and its answers find the way
 * back by `redirects`. Two flows to different places may have the same port at the container's end;
 * on the wire they must not, so the second one gets another.
 */
#ifndef SKEP_BPF_REDIRECT_H
#define SKEP_BPF_REDIRECT_H

#include "flow.h"
#include "skep/policy.h"

#define REDIRECT_TRIES 4
#define REDIRECT_PORTS 32768 /* the first of those that are tried */

static __always_inline bool redirect_equal(const struct skep_redirect *a,
					   const struct skep_redirect *b)
{
	return a->lease == b->lease && a->remote.addr == b->remote.addr &&
	       a->remote_port == b->remote_port && a->local_port == b->local_port;
}

/* Whether answers at @wire are this flow's, now. */
static __noinline bool redirect_claim(const struct skep_flow_key *wire,
				      const struct skep_redirect *back, __u64 now)
{
	const struct skep_redirect *found = bpf_map_lookup_elem(&redirects, wire);
	struct skep_flow_key other = *wire;

	if (found && redirect_equal(found, back))
		return true;
	if (found) {
		other.remote = found->remote;
		other.remote_port = found->remote_port;
		other.local_port = found->local_port;
		if (found->lease == back->lease && flow_find(&other, found->lease, now))
			return false;
	}
	if (flow_find(wire, back->lease, now))
		return false;
	return !bpf_map_update_elem(&redirects, wire, back, BPF_ANY);
}

static __always_inline void redirect_back(const struct skep_flow *flow,
					  const struct skep_flow_key *key,
					  struct skep_redirect *ret)
{
	ret->remote = key->remote;
	ret->remote_port = key->remote_port;
	ret->local_port = key->local_port;
	ret->lease = flow->lease;
}

/**
 * redirect_begin() - decides how a flow looks on the wire
 * @key:  as the container knows it
 * @rule: where it goes
 *
 * Return: false when no port is free.
 */
__noinline int redirect_begin(struct skep_flow *flow, const struct skep_flow_key *key,
			      const struct skep_rule *rule, __u64 now)
{
	struct skep_redirect back = {};
	struct skep_flow_key wire;

	if (!flow || !key || !rule)
		return false;
	redirect_back(flow, key, &back);
	wire = *key;
	wire.remote = rule->redirect;
	wire.remote_port = rule->redirect_port ? rule->redirect_port : key->remote_port;
	if (wire.remote.addr == key->remote.addr && wire.remote_port == key->remote_port)
		return true; /* that is where it goes anyway */
	for (int i = 0; i < REDIRECT_TRIES; i++) {
		if (redirect_claim(&wire, &back, now)) {
			flow->wire = wire.remote;
			flow->wire_port = wire.remote_port;
			flow->wire_local = wire.local_port;
			flow->flags |= SKEP_FLOW_REDIRECTED;
			return true;
		}
		wire.local_port = parse_htons(
			(__u16)(REDIRECT_PORTS + bpf_get_prandom_u32() % REDIRECT_PORTS));
	}
	return false;
}

/* Later packets keep the way back known. */
__noinline int redirect_go_on(const struct skep_flow *flow, const struct skep_flow_key *key,
			      __u64 now)
{
	struct skep_redirect back = {};
	struct skep_flow_key wire;

	if (!flow || !key)
		return false;
	redirect_back(flow, key, &back);
	wire = *key;
	wire.remote = flow->wire;
	wire.remote_port = flow->wire_port;
	wire.local_port = flow->wire_local;
	return redirect_claim(&wire, &back, now);
}

/* What is written differs from what is there by its address alone; all that a later fragment has.
 */
static __always_inline int redirect_address(struct __sk_buff *skb, union skep_ipv4 from,
					    union skep_ipv4 to)
{
	const __u32 ip = PACKET_IP_AT;

	if (bpf_l3_csum_replace(skb, ip + __builtin_offsetof(struct packet_ip, sum), from.addr,
				to.addr, sizeof(to)))
		return -1;
	return bpf_skb_store_bytes(skb, ip + __builtin_offsetof(struct packet_ip, dst), &to,
				   sizeof(to), 0);
}

static __always_inline int redirect_port(struct __sk_buff *skb, __u32 sum_at, __u64 flags, __u32 at,
					 __be16 from, __be16 to)
{
	if (from == to)
		return 0;
	if (bpf_l4_csum_replace(skb, sum_at, from, to, flags | sizeof(to)))
		return -1;
	return bpf_skb_store_bytes(skb, at, &to, sizeof(to), 0);
}

/* Where the checksum is, behind the start of the header. */
static __always_inline __u32 redirect_sum_at(__u8 protocol)
{
	return protocol == PACKET_TCP ? __builtin_offsetof(struct packet_tcp, sum)
				      : __builtin_offsetof(struct packet_udp, sum);
}

/** redirect_rewrite() - makes a packet of a flow look as it does on the wire */
__noinline int redirect_rewrite(struct __sk_buff *skb, const struct packet *p,
				const struct skep_flow_key *key, const struct skep_flow *flow)
{
	__u32 at, sum_at;
	__u64 flags;

	if (!p || !key || !flow)
		return -1;
	at = p->at;
	sum_at = at + redirect_sum_at(key->protocol);
	flags = key->protocol == PACKET_TCP ? 0 : BPF_F_MARK_MANGLED_0;
	if (bpf_l4_csum_replace(skb, sum_at, key->remote.addr, flow->wire.addr,
				flags | BPF_F_PSEUDO_HDR | sizeof(flow->wire)))
		return -1;
	if (redirect_port(skb, sum_at, flags, at, key->local_port, flow->wire_local) ||
	    redirect_port(skb, sum_at, flags, at + sizeof(__be16), key->remote_port,
			  flow->wire_port))
		return -1;
	return redirect_address(skb, key->remote, flow->wire);
}

#endif
