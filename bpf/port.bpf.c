// SPDX-License-Identifier: GPL-2.0
/*
 * The port: tc ingress at the host end of each container's veth pair, where the container's frames
 * arrive. They leave through the uplink if they are what the container's lease allows, and nowhere
 * else: nothing a container sends reaches the box or another container directly. tc rather than
 * XDP, since it keeps checksum offload and GSO.
 */
#include "maps.bpf.h"
#include "parse.h"

char LICENSE[] SEC("license") = "GPL";

#define TC_ACT_SHOT 2

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
	if (!parse_mac_equal(f->src, lease->eth0))
		return SKEP_PORT_DROP_MAC;
	if (!parse_mac_equal(f->sender_mac, lease->eth0))
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

/*
 * What a container may send once it is who it says it is: everything, today. The outbound policy
 * has its place here.
 */
static __always_inline enum skep_verdict policy(const struct frame *f, enum skep_verdict verdict)
{
	(void)f;
	return verdict;
}

static __always_inline enum skep_verdict classify(struct __sk_buff *skb,
						  const struct skep_port *port,
						  struct skep_lease **ret_lease)
{
	struct frame f;
	enum skep_verdict verdict;

	if (!port)
		return SKEP_PORT_DROP_UNBOUND;
	if (skb->vlan_present)
		return SKEP_PORT_DROP_TAGGED;
	verdict = parsed(skb, &f);
	if (f.tagged)
		return SKEP_PORT_DROP_TAGGED;
	if (verdict != SKEP_PORT_OUT_ARP && verdict != SKEP_PORT_OUT_IP)
		return verdict;
	verdict = claim(skb, &f, port, ret_lease);
	return policy(&f, verdict);
}

#define ARP_AT(field) (sizeof(struct ethhdr) + __builtin_offsetof(struct parse_arp, field))

/* The sender's address, and wherever the container names itself as the target. */
static __always_inline int translate_arp(struct __sk_buff *skb, const struct skep_lease *lease)
{
	__u8 tha[6] __attribute__((aligned(2)));

	if (bpf_skb_store_bytes(skb, ARP_AT(sha), lease->mac, sizeof(lease->mac), 0) ||
	    bpf_skb_load_bytes(skb, ARP_AT(tha), tha, sizeof(tha)))
		return -1;
	if (!parse_mac_equal(tha, lease->eth0))
		return 0;
	return bpf_skb_store_bytes(skb, ARP_AT(tha), lease->mac, sizeof(lease->mac), 0);
}

/*
 * A shared container has one link address for all its addresses. Written by helpers: for a program
 * that writes through the pointer, the kernel first copies every frame that is shared (as TCP's
 * are), also those that are left as they came.
 */
static __always_inline int translate(struct __sk_buff *skb, const struct skep_lease *lease,
				     enum skep_verdict verdict)
{
	if (bpf_skb_store_bytes(skb, __builtin_offsetof(struct ethhdr, h_source), lease->mac,
				sizeof(lease->mac), 0))
		return -1;
	return verdict == SKEP_PORT_OUT_ARP ? translate_arp(skb, lease) : 0;
}

/* Sends the frame out; fails before anything is sent. */
static __always_inline int send(struct __sk_buff *skb, const struct skep_port *port,
				struct skep_lease *lease, enum skep_verdict verdict)
{
	__u32 ordinal = port->uplink;
	const struct skep_uplink *out = bpf_map_lookup_elem(&uplinks, &ordinal);

	if (!out || !out->ifindex)
		return -1;
	if (!parse_mac_equal(lease->mac, lease->eth0) && translate(skb, lease, verdict))
		return -1;
	if (port->vlan && bpf_skb_vlan_push(skb, bpf_htons(PARSE_P_8021Q), port->vlan))
		return -1;
	lease->last_out_ns = bpf_ktime_get_coarse_ns();
	lease->packets_out++;
	return bpf_redirect(out->ifindex, 0);
}

SEC("tc")
int port(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	const struct skep_port *port = bpf_map_lookup_elem(&ports, &ifindex);
	struct skep_lease *lease = NULL;
	enum skep_verdict verdict = classify(skb, port, &lease);
	int action = TC_ACT_SHOT;

	if (port && lease && (verdict == SKEP_PORT_OUT_ARP || verdict == SKEP_PORT_OUT_IP)) {
		action = send(skb, port, lease, verdict);
		if (action < 0) {
			verdict = SKEP_PORT_DROP_NO_UPLINK;
			action = TC_ACT_SHOT;
		}
	}
	count(verdict);
	return action;
}
