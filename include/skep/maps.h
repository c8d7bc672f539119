/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys and values of the pinned maps, shared by the programs and skepd. Times are CLOCK_MONOTONIC
 * nanoseconds (bpf_ktime_get_ns); addresses are in network byte order; everything else is in host
 * order. Fixed-width types with explicit padding: what `bpftool map dump` prints is exactly what
 * stands here.
 */
#ifndef SKEP_MAPS_H
#define SKEP_MAPS_H

#ifndef __bpf__
#include <linux/types.h>
#endif

/*
 * Of everything in this file and in skep/ask.h. A skepd that finds maps of another version pinned
 * leaves them alone; see `settings`.
 */
#define SKEP_MAPS_VERSION 2

#define SKEP_UPLINKS_MAX 16
#define SKEP_TEMPLATES_MAX 64
#define SKEP_CONTAINERS_MAX 65536
#define SKEP_LEASES_MAX 262144
#define SKEP_REQUESTERS_MAX 16384
#define SKEP_RANGES_MAX 4096 /* prefixes, with those that are excluded */
#define SKEP_LATENCY_BUCKETS 32

/**
 * union skep_ipv4 - an IPv4 address
 * @addr:  in network byte order
 * @octet: the same bytes, so that a map dump can be read: [10,66,4,2]
 */
union skep_ipv4 {
	__be32 addr;
	__u8 octet[4];
};

/**
 * struct skep_addr - key of `leases`: one address on one segment
 * @ip:     the address
 * @vlan:   802.1Q VLAN id, 0 when untagged
 * @uplink: ordinal of the uplink in the configuration, index into `uplinks`
 */
struct skep_addr {
	union skep_ipv4 ip;
	__u16 vlan;
	__u16 uplink;
};

/**
 * struct skep_lease - value of `leases`: who has the address
 * @id:          unique over restarts; every record of an engagement carries it
 * @bound_ns:    when the address was bound
 * @bind_ns:     nanoseconds from the who-has seen in XDP to this entry; at most 2^32 - 1
 * @port:        ifindex of the container's port
 * @container:   slot of the container, index into `containers`
 * @mac:         the address's link address, as everybody outside sees it
 * @eth0:        the link address that the container has: @mac, unless this is one of the further
 *               addresses of a shared container; the programs translate between the two
 * @last_in_ns:  last frame to the address (coarse clock, about 4 ms); 0 before the first
 * @packets_in:  frames redirected to the port, without the held one; approximate when several CPUs
 * count at once
 * @last_out_ns: last frame from the address (coarse clock); 0 before the first
 * @packets_out: frames sent out of the uplink; approximate likewise
 */
struct skep_lease {
	__u64 id;
	__u64 bound_ns;
	__u32 bind_ns;
	__u32 port;
	__u32 container;
	__u8 mac[6];
	__u8 eth0[6];
	__u64 last_in_ns;
	__u64 packets_in;
	__u64 last_out_ns;
	__u64 packets_out;
};

/**
 * struct skep_port - value of `ports`, keyed by the port's ifindex
 * @container: slot of the container
 * @uplink:    where its frames go, ordinal of the uplink
 * @vlan:      VLAN id its frames are tagged with, 0 for none
 *
 * An entry exists exactly while the container is bound.
 */
struct skep_port {
	__u32 container;
	__u16 uplink;
	__u16 vlan;
};

/**
 * struct skep_range_key - key of `ranges` (longest prefix match)
 * @prefixlen: matched bits: 32 for uplink and VLAN, then those of the address
 * @uplink:    ordinal of the uplink
 * @vlan:      VLAN id, 0 when untagged
 * @ip:        the address
 */
struct skep_range_key {
	__u32 prefixlen;
	__u16 uplink;
	__u16 vlan;
	union skep_ipv4 ip;
};

#define SKEP_RANGE_KEY_BITS 32 /* of uplink and VLAN, before those of the address */

/**
 * struct skep_range - value of `ranges`
 * @range:    ordinal of the range on its uplink
 * @excluded: 1 when these addresses are never bound
 */
struct skep_range {
	__u16 range;
	__u8 excluded;
	__u8 pad;
};

/**
 * struct skep_uplink - value of `uplinks`, indexed by the uplink's ordinal
 * @ifindex: of the NIC, 0 while it is missing
 * @flags:   SKEP_UPLINK_*
 * @name:    of the NIC, NUL-terminated
 */
struct skep_uplink {
	__u32 ifindex;
	__u32 flags;
	char name[16];
};

#define SKEP_UPLINK_NATIVE (1U << 0)  /* XDP runs in the driver, not on the generic path */
#define SKEP_UPLINK_PROMISC (1U << 1) /* skepd made the NIC promiscuous and will undo it */

/**
 * struct skep_settings - the one value of `settings`: what holds for all programs
 * @version:               SKEP_MAPS_VERSION of whoever made the maps
 * @flags:                 SKEP_SETTING_*
 * @bind_interval_ns:      one bind is allowed each so many nanoseconds; 0 for no limit
 * @bind_burst_ns:         how far that may be ahead: interval times the binds allowed at once
 * @requester_interval_ns: the same for each requester
 * @requester_burst_ns:    likewise
 *
 * The intervals are those of the generic cell rate algorithm (ITU-T I.371): a bucket is one moment,
 * the theoretical arrival time, and needs no lock.
 */
struct skep_settings {
	__u32 version;
	__u32 flags;
	__u64 bind_interval_ns;
	__u64 bind_burst_ns;
	__u64 requester_interval_ns;
	__u64 requester_burst_ns;
};

#define SKEP_SETTING_DRAIN (1U << 0) /* dark addresses stay dark; nobody is asked */

/**
 * struct skep_template - value of `templates`, indexed by the template's ordinal
 * @name: in the configuration, NUL-terminated; cut off when longer; empty for an ordinal not in use
 *
 * So that the next skepd, or the next configuration, knows what the ordinals in `containers` mean.
 */
struct skep_template {
	char name[64];
};

enum skep_state {
	SKEP_STATE_NONE, /* the slot is free */
	SKEP_STATE_STARTING,
	SKEP_STATE_IDLE,
	SKEP_STATE_BOUND, /* has a lease */
	SKEP_STATE_RECYCLING,
	SKEP_STATE_FAILED, /* quarantined: keeps its reason until it is recycled again */
	SKEP_STATE_MAX,
};

/**
 * struct skep_container - value of `containers`, indexed by slot; written by skepd only
 * @serial:   counts the lives of all slots; tells one life of a slot from the next
 * @since_ns: when it entered @state
 * @address:  the key of its oldest lease while bound, else zero
 * @state:    enum skep_state
 * @pid:      of its init, seen from the host; 0 when it has none
 * @port:     ifindex of its port, 0 when it has none
 * @template: ordinal of the template, index into `templates`
 * @eth0:     ifindex of its own end of the port, inside
 * @leases:   how many addresses it has
 * @reason:   why it failed, NUL-terminated; else empty
 */
struct skep_container {
	__u64 serial;
	__u64 since_ns;
	struct skep_addr address;
	enum skep_state state;
	__u32 pid;
	__u32 port;
	__u32 template;
	__u32 eth0;
	__u32 leases;
	char reason[72];
};

#define SKEP_STATIC_ASSERT(cond) _Static_assert(cond, #cond)

SKEP_STATIC_ASSERT(sizeof(struct skep_addr) == 8);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_addr, uplink) == 6);
SKEP_STATIC_ASSERT(sizeof(struct skep_lease) == 72);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_lease, packets_out) == 64);
SKEP_STATIC_ASSERT(sizeof(struct skep_port) == 8);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_port, vlan) == 6);
SKEP_STATIC_ASSERT(sizeof(struct skep_range_key) == 12);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_range_key, ip) == 8);
SKEP_STATIC_ASSERT(sizeof(struct skep_range) == 4);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_range, pad) == 3);
SKEP_STATIC_ASSERT(sizeof(struct skep_uplink) == 24);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_uplink, name) == 8);
SKEP_STATIC_ASSERT(sizeof(struct skep_settings) == 40);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_settings, requester_burst_ns) == 32);
SKEP_STATIC_ASSERT(sizeof(struct skep_template) == 64);
SKEP_STATIC_ASSERT(sizeof(struct skep_container) == 120);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_container, reason) == 48);

#endif
