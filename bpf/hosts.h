/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hosts: the machines that are not ours, learned from what they send. An address that a host has is
 * never bound, and a lease gives way to it at once: in the kernel, by the frame that shows the
 * host, whether skepd runs or not. Nothing here sends anything.
 */
#ifndef SKEP_BPF_HOSTS_H
#define SKEP_BPF_HOSTS_H

#include "keyed.h"
#include "maps.bpf.h"
#include "parse.h"
#include "would_claim.h"

#define HOSTS_NS_PER_SEC 1000000000ULL
/* A host that talks is noted this often. */
#define HOSTS_NOTE_NS HOSTS_NS_PER_SEC
/* Whoever probes for an address announces it soon, or leaves it. */
#define HOSTS_PROBE_NS (10 * HOSTS_NS_PER_SEC)
/* Until then others will have asked who has it now. */
#define HOSTS_HAND_ON_NS (600 * HOSTS_NS_PER_SEC)

/* Who speaks for whom, to tell routers from hosts. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SKEP_SPEAKERS_MAX);
	__type(key, struct skep_speaker_key);
	__type(value, struct skep_speaker);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} speakers SEC(".maps");

/* What the sweep has found, by slot; see struct skep_range. Written by skepd, too, as memory. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKEP_VERIFY_MAX);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct skep_verify);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} verify SEC(".maps");

/*
 * The gateway as it was heard last on this uplink: it talks most of all, and is spared the maps. A
 * torn write by two CPUs at once is no gateway's, and costs a lookup. Not static: skepd reads it.
 */
struct {
	__u8 mac[6];
	__u16 vlan;
} hosts_gateway = {};

static __always_inline bool hosts_is_gateway(const __u8 *mac, __u16 vlan)
{
	return parse_mac_equal(hosts_gateway.mac, mac) && hosts_gateway.vlan == vlan;
}

static __always_inline struct skep_range *hosts_range(const struct skep_addr *address)
{
	const struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + 32,
		.uplink = address->uplink,
		.vlan = address->vlan,
		.ip = address->ip,
	};

	return bpf_map_lookup_elem(&ranges, &key);
}

static __always_inline struct skep_verify *hosts_verified(const struct skep_range *range,
							  union skep_ipv4 ip)
{
	__u32 slot = range->verify + (bpf_ntohl(ip.addr) - bpf_ntohl(range->first.addr));

	return bpf_map_lookup_elem(&verify, &slot);
}

/* Whose address a frame tells of. */
static __always_inline union skep_ipv4 hosts_claimed(const struct frame *f)
{
	return f->kind == FRAME_PROBE ? f->target : f->sender;
}

/**
 * hosts_may_tell() - whether a frame may be news; most are not, and no map is looked at
 *
 * Neither an address of no range, nor what the gateway sends by itself.
 */
static __always_inline bool hosts_may_tell(const struct skep_uplink *u, const struct frame *f)
{
	const __u32 ip = bpf_ntohl(hosts_claimed(f).addr);

	if (f->kind == FRAME_IPV4)
		return ip >= u->first && ip <= u->last && !parse_mac_is_group(f->src) &&
		       !hosts_is_gateway(f->src, f->vlan);
	if (f->sender.addr && f->sender.addr == u->gateway.addr)
		return !hosts_is_gateway(f->sender_mac, f->vlan);
	return ip >= u->first && ip <= u->last;
}

/* Return: whether the station is a router, which speaks for others. */
static __always_inline bool hosts_hear_speaker(const struct skep_uplink *u,
					       const struct skep_addr *address,
					       const struct frame *f)
{
	const bool gateway = f->kind != FRAME_IPV4 && f->sender.addr == u->gateway.addr;
	struct skep_speaker_key key = {.uplink = address->uplink, .vlan = address->vlan};
	struct skep_speaker *known, new = {.ip = f->sender, .router = gateway};

	__builtin_memcpy(key.mac, f->sender_mac, sizeof(key.mac));
	if (gateway) {
		__builtin_memcpy(hosts_gateway.mac, f->sender_mac, sizeof(hosts_gateway.mac));
		hosts_gateway.vlan = address->vlan;
	}
	known = bpf_map_lookup_elem(&speakers, &key);
	if (!known) {
		bpf_map_update_elem(&speakers, &key, &new, BPF_ANY);
		return gateway;
	}
	if (!known->router && (gateway || known->ip.addr != f->sender.addr))
		known->router = 1;
	return known->router;
}

/**
 * hosts_note_router() - whoever brings packets from elsewhere speaks for others
 *
 * For packets to dark addresses alone: what goes to a lease has no time for it.
 */
static __noinline int hosts_note_router(const struct skep_addr *address, const struct frame *f)
{
	struct skep_speaker_key key = {.uplink = address->uplink, .vlan = address->vlan};
	const struct skep_speaker router = {.ip = f->sender, .router = 1};
	const struct skep_speaker *known;

	__builtin_memcpy(key.mac, f->src, sizeof(key.mac));
	known = bpf_map_lookup_elem(&speakers, &key);
	if (!known || !known->router)
		bpf_map_update_elem(&speakers, &key, &router, BPF_ANY);
	return 0;
}

/* What is known of the address becomes what the frame tells. Return: false when it tells nothing.
 */
static __always_inline bool hosts_merge(struct skep_host *h, const struct skep_host *known,
					const struct frame *f, __u64 now, __u64 memory_ns)
{
	const __u64 until = now + (f->kind == FRAME_PROBE ? HOSTS_PROBE_NS : memory_ns);
	const bool same = known && parse_mac_equal(known->mac, f->sender_mac);

	if (known)
		*h = *known;
	if (!same) {
		/* A probe asks, and a packet may have come through a router: ARP knows better. */
		if (known && known->until_ns > now &&
		    (f->kind == FRAME_PROBE || f->kind == FRAME_IPV4))
			return false;
		h->first_ns = now;
		h->until_ns = 0;
		__builtin_memcpy(h->mac, f->sender_mac, sizeof(h->mac));
	}
	h->seen_ns = now;
	if (h->until_ns < until)
		h->until_ns = until;
	return true;
}

/* Our own, which comes back from somewhere, or another box's of the same farm. */
static __always_inline bool hosts_is_ours(const struct skep_settings *s,
					  const struct skep_addr *address,
					  const struct skep_lease *lease, const struct frame *f)
{
	__u8 mac[6] __attribute__((aligned(2)));

	if (lease)
		return parse_mac_equal(f->sender_mac, lease->mac);
	keyed_mac(s->key, (const __u8(*)[3])s->ouis, s->n_ouis, address->ip, address->vlan, mac);
	return parse_mac_equal(f->sender_mac, mac);
}

/* The address has to be found free anew. */
static __always_inline void hosts_unverify(const struct skep_range *range, union skep_ipv4 ip)
{
	struct skep_verify *v = hosts_verified(range, ip);

	if ((range->flags & SKEP_RANGE_VERIFY) && v)
		v->quiet = 0;
}

/* The lease that is to go leaves behind where its frames are handed on from. */
static __always_inline void hosts_succeed(struct skep_host *h, const struct skep_lease *lease,
					  __u64 now, __u32 *ret_container)
{
	__builtin_memcpy(h->ours, lease->mac, sizeof(h->ours));
	h->hand_on_ns = now + HOSTS_HAND_ON_NS;
	h->conflicts++;
	*ret_container = lease->container;
}

/* Nobody reads it; writing it is what counts. */
static __u32 hosts_barrier;

/**
 * hosts_bound_since() - the lease of an address that had none when the host was heard, or NULL
 *
 * Whoever binds writes a lease first and looks for a host then, skepd as well as
 * hosts_heard_since(); here it is the other way round, so that one of the two sees the other. The
 * exchange is a full barrier on every CPU.
 */
static __always_inline const struct skep_lease *hosts_bound_since(const struct skep_addr *address)
{
	__sync_lock_test_and_set(&hosts_barrier, 1);
	return bpf_map_lookup_elem(&leases, address);
}

/**
 * hosts_learn() - takes in what a frame tells of who has which address
 * @address: the address that it tells of
 * @ret:     slot of the container that had it
 *
 * Return: 1 when a lease gave way; 0.
 */
static __noinline int hosts_learn(const struct skep_uplink *u, const struct skep_settings *s,
				  const struct skep_addr *address, const struct frame *f,
				  __u32 *ret)
{
	const __u64 now = bpf_ktime_get_coarse_ns();
	const struct skep_host *known = bpf_map_lookup_elem(&hosts, address);
	const struct skep_lease *lease = bpf_map_lookup_elem(&leases, address);
	const struct skep_range *range;
	struct skep_host h = {};

	if (!u || !s)
		return 0;
	if (!lease && known && known->until_ns > now + HOSTS_PROBE_NS &&
	    now - known->seen_ns < HOSTS_NOTE_NS && parse_mac_equal(known->mac, f->sender_mac))
		return 0;
	if (f->kind != FRAME_PROBE && hosts_hear_speaker(u, address, f) && f->kind == FRAME_IPV4)
		return 0;
	range = hosts_range(address);
	if (!range || range->flags & SKEP_RANGE_EXCLUDED)
		return 0;
	if (hosts_is_ours(s, address, lease, f) ||
	    !hosts_merge(&h, known, f, now, s->host_memory_ns))
		return 0;
	if (lease)
		hosts_succeed(&h, lease, now, ret);
	if (s->flags & SKEP_SETTING_DRY_RUN && (!known || known->until_ns <= now))
		would_claim_conflict(address);
	/* In this order: in between the address is both, and afterwards never neither. */
	bpf_map_update_elem(&hosts, address, &h, BPF_ANY);
	hosts_unverify(range, address->ip);
	if (!lease) {
		lease = hosts_bound_since(address);
		if (!lease)
			return 0;
		hosts_succeed(&h, lease, now, ret);
		bpf_map_update_elem(&hosts, address, &h, BPF_ANY);
	}
	return !bpf_map_delete_elem(&leases, address);
}

/** hosts_on() - the host that has an address, or NULL; the clock is read only for one */
static __always_inline const struct skep_host *hosts_on(const struct skep_addr *address,
							__u64 *ret_now)
{
	const struct skep_host *host = bpf_map_lookup_elem(&hosts, address);

	if (!host)
		return NULL;
	*ret_now = bpf_ktime_get_coarse_ns();
	return host->until_ns > *ret_now ? host : NULL;
}

/** hosts_heard_since() - whether an address is a host's now; for whoever has just written its lease
 */
static __always_inline bool hosts_heard_since(const struct skep_addr *address)
{
	__u64 now;

	__sync_lock_test_and_set(&hosts_barrier, 1);
	return hosts_on(address, &now);
}

/** hosts_hands_on() - whether a frame was meant for the lease that gave way, and goes to the host
 */
static __always_inline bool hosts_hands_on(const struct skep_host *host, const struct frame *f,
					   __u64 now)
{
	return host->hand_on_ns > now && parse_mac_equal(f->dst, host->ours) &&
	       !parse_mac_equal(f->src, host->mac);
}

/**
 * hosts_hand_on() - readdresses a frame to the host
 *
 * It comes from where it was sent to: a switch that saw its sender's link address come from us
 * would send us what is meant for the sender.
 */
static __always_inline int hosts_hand_on(struct xdp_md *ctx, const struct skep_addr *address)
{
	const struct skep_host *host = bpf_map_lookup_elem(&hosts, address);
	struct ethhdr *eth = (void *)(long)ctx->data;

	if (!host || (void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	__builtin_memcpy(eth->h_dest, host->mac, sizeof(host->mac));
	__builtin_memcpy(eth->h_source, host->ours, sizeof(host->ours));
	return bpf_redirect(ctx->ingress_ifindex, 0);
}

#endif
