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
 * Of everything in this file and in skep/ask.h, skep/flow.h, skep/policy.h and skep/notice.h. A
 * skepd that finds maps of another version pinned leaves them alone; see `settings`.
 */
#define SKEP_MAPS_VERSION 5

#define SKEP_UPLINKS_MAX 16
#define SKEP_UPLINK_REFLECT 0xffff /* of a world: no uplink, see struct skep_addr */
#define SKEP_TEMPLATES_MAX 64
#define SKEP_CONTAINERS_MAX 65536
#define SKEP_LEASES_MAX 262144
#define SKEP_REQUESTERS_MAX 16384
#define SKEP_RANGES_MAX 4096 /* prefixes, with those that are excluded */
#define SKEP_LATENCY_BUCKETS 32
#define SKEP_HOSTS_MAX 65536
#define SKEP_SPEAKERS_MAX 16384
#define SKEP_PAIRS_MAX 16384	   /* each of `patience` and `would_claim` */
#define SKEP_VERIFY_MAX (1U << 20) /* addresses of all ranges that are verified */
#define SKEP_OUIS_MAX 32
#define SKEP_KEY_LEN 16

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
 * @vlan:   802.1Q VLAN id, 0 when untagged; in a world the slot of the intruder's container
 * @uplink: ordinal of the uplink in the configuration, index into `uplinks`; SKEP_UPLINK_REFLECT in
 *          a world, the segment of an intruder's reflections, which no wire leads to
 */
struct skep_addr {
	union skep_ipv4 ip;
	__u16 vlan;
	__u16 uplink;
};

/**
 * enum skep_lease_state - how far a lease has come; see "The life of a lease" in skepd(8)
 * @SKEP_LEASE_CLAIMED:  given by the uplink program; the container answers, but does not know its
 *                       address yet
 * @SKEP_LEASE_SETTLING: skepd is telling it: frames for it are held meanwhile
 * @SKEP_LEASE_SETTLED:  the container has the address as any machine has one
 *
 * An address without a lease is dark.
 */
enum skep_lease_state {
	SKEP_LEASE_CLAIMED = 1,
	SKEP_LEASE_SETTLING,
	SKEP_LEASE_SETTLED,
};

/**
 * struct skep_lease - value of `leases`: who has the address
 * @id:          unique over restarts; every record of an engagement carries it
 * @bound_ns:    when the address was bound
 * @bind_ns:     nanoseconds from the who-has seen in XDP to this entry; at most 2^32 - 1
 * @settle_ns:   from @bound_ns until it was settled, at most 2^32 - 1; 0 before, and where skepd
 * has bound it itself
 * @port:        ifindex of the container's port
 * @container:   slot of the container, index into `containers`
 * @mac:         the address's link address, as everybody outside sees it
 * @eth0:        the link address that the container has: @mac, unless the lease is not settled yet,
 *               or is one of the further addresses of a shared container; the programs translate
 *               between the two
 * @state:       enum skep_lease_state
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
	__u32 settle_ns;
	__u32 port;
	__u32 container;
	__u8 mac[6];
	__u8 eth0[6];
	__u32 state;
	__u64 last_in_ns;
	__u64 packets_in;
	__u64 last_out_ns;
	__u64 packets_out;
};

/**
 * struct skep_port - value of `ports`, keyed by the port's ifindex
 * @container:   slot of the container
 * @uplink:      where its frames go, ordinal of the uplink
 * @vlan:        VLAN id its frames are tagged with, 0 for none
 * @policy:      what it may send on its own account, slot in `policies`
 * @prefixlen:   of its network
 * @shut:        1 while the container is idle: nothing gets out, and nothing but @container is said
 * @gateway:     its default gateway, 0 when it has none
 * @gateway_mac: the link address that it knows the gateway by, as far as that is known
 *
 * An entry exists while the container is bound, and before that while the uplink program may give
 * it away; so that to bind it is to write in here, and not to make an entry.
 */
struct skep_port {
	__u32 container;
	__u16 uplink;
	__u16 vlan;
	__u16 policy;
	__u8 prefixlen;
	__u8 shut;
	union skep_ipv4 gateway;
	__u8 gateway_mac[6];
	__u8 pad2[2];
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
 * @range:       ordinal of the range on its uplink
 * @flags:       SKEP_RANGE_*
 * @quiet:       unanswered probes that an address needs before it is bound
 * @density:     an address lives when the keyed hash of it is no more; all ones for every address
 * @patience_ms: a requester is answered when he asks again after so long; 0 for at once
 * @first:       the lowest address
 * @verify:      slot of @first in `verify`, those of the others follow it
 * @template:    ordinal of the template, index into `idle`
 * @policy:      what a container may send that has one of its addresses, slot in `policies`
 * @gateway_mac: the link address that such a container knows its gateway by
 * @prefixlen:   of the network that it is in
 *
 * Of excluded addresses only @range and @flags mean anything.
 */
struct skep_range {
	__u16 range;
	__u8 flags;
	__u8 quiet;
	__u32 density;
	__u32 patience_ms;
	union skep_ipv4 first;
	__u32 verify;
	__u16 template;
	__u16 policy;
	__u8 gateway_mac[6];
	__u8 prefixlen;
	__u8 pad;
};

#define SKEP_RANGE_EXCLUDED (1U << 0) /* never bound */
#define SKEP_RANGE_VERIFY (1U << 1)   /* bound only when nobody answered @quiet probes */
#define SKEP_RANGE_NOBODY (1U << 2)   /* a network or broadcast address: no machine has it */
#define SKEP_RANGE_BIND (1U << 3)     /* bound by the uplink program, while containers are idle */

/**
 * struct skep_verify - value of `verify`: what the sweep knows of an address
 * @probed_s: CLOCK_MONOTONIC seconds of the last probe, 0 before the first
 * @quiet:    probes in a row that nobody answered, at most 255; the uplink program makes it zero
 *            when it hears a host
 * @skipped:  1 when the address is not probed, since it is excluded or never lives
 */
struct skep_verify {
	__u32 probed_s;
	__u8 quiet;
	__u8 skipped;
	__u8 pad[2];
};

/**
 * struct skep_sweep - the one value of `sweep`: how far the verification has come
 * @round:    counts the rounds, from 1; 0 before the first
 * @begun_ns: when this one began
 * @at:       how many addresses it has been at
 * @total:    of how many
 * @sent:     probes that were sent in all rounds
 * @answered: how many of them a host answered
 * @rate_mhz: thousandths of a probe that were sent each second, lately
 * @hurry:    1 while there are addresses that are neither known to be quiet nor a host's
 */
struct skep_sweep {
	__u64 round;
	__u64 begun_ns;
	__u64 at;
	__u64 total;
	__u64 sent;
	__u64 answered;
	__u32 rate_mhz;
	__u32 hurry;
};

/**
 * struct skep_host - value of `hosts`, keyed by the address: a machine that is not ours has it
 * @first_ns:   when it was first heard
 * @seen_ns:    its last sign of life that was noted; one a second is
 * @until_ns:   the address is the host's until then
 * @hand_on_ns: until then frames that come to @ours are handed on to @mac; 0 for never
 * @mac:        the host's link address
 * @ours:       the link address that our lease had, as long as @hand_on_ns is not 0
 * @conflicts:  how often a lease gave way to it
 */
struct skep_host {
	__u64 first_ns;
	__u64 seen_ns;
	__u64 until_ns;
	__u64 hand_on_ns;
	__u8 mac[6];
	__u8 ours[6];
	__u32 conflicts;
};

/**
 * struct skep_speaker_key - key of `speakers`: a station on a segment
 * @uplink: ordinal of the uplink
 * @vlan:   VLAN id, 0 when untagged
 * @mac:    its link address
 */
struct skep_speaker_key {
	__u16 uplink;
	__u16 vlan;
	__u8 mac[6];
	__u8 pad[2];
};

/**
 * struct skep_speaker - value of `speakers`
 * @ip:     the address it spoke for first
 * @router: 1 when it has spoken for another one since, or is the gateway: the source of an IPv4
 *          packet says nothing then about who has that address
 */
struct skep_speaker {
	union skep_ipv4 ip;
	__u32 router;
};

/**
 * struct skep_pair - key of `patience`, `would_claim` and `peers`: an address and somebody outside
 * @address: the address
 * @other:   who asks for it; in `would_claim` 0 for the sum over all who did
 */
struct skep_pair {
	struct skep_addr address;
	union skep_ipv4 other;
};

/**
 * struct skep_patience - value of `patience`
 * @first_ns: when the requester asked first
 * @last_ns:  when he asked last
 */
struct skep_patience {
	__u64 first_ns;
	__u64 last_ns;
};

/**
 * struct skep_would - value of `would_claim`: what a farm that only watches would have bound
 * @first_ns:  when it was first asked for
 * @last_ns:   when last
 * @count:     how often
 * @conflicts: how often a host was heard on it afterwards; counted in the sum only
 */
struct skep_would {
	__u64 first_ns;
	__u64 last_ns;
	__u32 count;
	__u32 conflicts;
};

/**
 * struct skep_uplink - value of `uplinks`, indexed by the uplink's ordinal
 * @ifindex: of the NIC, 0 while it is missing
 * @flags:   SKEP_UPLINK_*
 * @name:    of the NIC, NUL-terminated
 * @first:   the lowest address of all its ranges, host order
 * @last:    the highest one; below @first when there are no ranges
 * @network: the lowest address of its network, host order; 0 when the configuration names none
 * @network_last: the highest one; 0 likewise
 * @gateway: the default gateway of its containers, 0 when there is none
 */
struct skep_uplink {
	__u32 ifindex;
	__u32 flags;
	char name[16];
	__u32 first;
	__u32 last;
	__u32 network;
	__u32 network_last;
	union skep_ipv4 gateway;
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
 * @host_memory_ns:        how long a host that is not heard any more keeps its address
 * @egress_packet_interval_ns: one packet may leave each so many nanoseconds; 0 for no limit
 * @egress_packet_burst_ns:    how far that may be ahead
 * @egress_kib_interval_ns:    the same for each 1,024 bytes; 0 for no limit
 * @egress_kib_burst_ns:       likewise
 * @reflect_interval_ns:   a reflection may be asked for each so many nanoseconds
 * @reflect_burst_ns:      how far that may be ahead
 * @world_interval_ns:     the same for each intruder
 * @world_burst_ns:        likewise
 * @key:                   the farm's secret: link addresses and density follow from it
 * @n_ouis:                how many of @ouis there are
 * @ouis:                  vendor prefixes of the link addresses
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
	__u64 host_memory_ns;
	__u64 egress_packet_interval_ns;
	__u64 egress_packet_burst_ns;
	__u64 egress_kib_interval_ns;
	__u64 egress_kib_burst_ns;
	__u64 reflect_interval_ns;
	__u64 reflect_burst_ns;
	__u64 world_interval_ns;
	__u64 world_burst_ns;
	__u8 key[SKEP_KEY_LEN];
	__u32 n_ouis;
	__u8 ouis[SKEP_OUIS_MAX][3];
	__u32 pad;
};

#define SKEP_SETTING_DRAIN (1U << 0)   /* dark addresses stay dark; nobody is asked */
#define SKEP_SETTING_PANIC (1U << 1)   /* nothing is answered and nothing gets out */
#define SKEP_SETTING_DRY_RUN (1U << 2) /* nobody is asked; what would be bound is noted */

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

/**
 * struct skep_offer - value of `offers`, indexed by slot: a container that the uplink program may
 * give away
 * @serial:  of this offer, unique, as long as the container is to be had; 0 when it is not. Whoever
 *           exchanges it for 0 has the container: the uplink program for an address, or skepd for
 *           anything else
 * @port:    ifindex of its port; 0 when it was never offered, or was taken back
 * @eth0:    its link address while it waits
 * @address: what the uplink program has claimed it for; means nothing while it is to be had
 *
 * Written by skepd while @serial is 0, and then by the uplink program when it is 0 again.
 */
struct skep_offer {
	__u64 serial;
	__u32 port;
	__u8 eth0[6];
	__u8 pad[2];
	struct skep_addr address;
	__u32 pad2;
};

/**
 * struct skep_idle - what stands in the queues of `idle`
 * @serial: of the offer; when that of @slot has another one by now, this is a leftover
 * @slot:   of the container
 */
struct skep_idle {
	__u64 serial;
	__u32 slot;
	__u32 pad;
};

#define SKEP_STATIC_ASSERT(cond) _Static_assert(cond, #cond)

SKEP_STATIC_ASSERT(sizeof(struct skep_addr) == 8);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_addr, uplink) == 6);
SKEP_STATIC_ASSERT(sizeof(struct skep_lease) == 80);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_lease, packets_out) == 72);
SKEP_STATIC_ASSERT(sizeof(struct skep_port) == 24);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_port, pad2) == 22);
SKEP_STATIC_ASSERT(sizeof(struct skep_range_key) == 12);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_range_key, ip) == 8);
SKEP_STATIC_ASSERT(sizeof(struct skep_range) == 32);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_range, pad) == 31);
SKEP_STATIC_ASSERT(sizeof(struct skep_verify) == 8);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_verify, pad) == 6);
SKEP_STATIC_ASSERT(sizeof(struct skep_sweep) == 56);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_sweep, hurry) == 52);
SKEP_STATIC_ASSERT(sizeof(struct skep_host) == 48);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_host, conflicts) == 44);
SKEP_STATIC_ASSERT(sizeof(struct skep_speaker_key) == 12);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_speaker_key, pad) == 10);
SKEP_STATIC_ASSERT(sizeof(struct skep_speaker) == 8);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_speaker, router) == 4);
SKEP_STATIC_ASSERT(sizeof(struct skep_pair) == 12);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_pair, other) == 8);
SKEP_STATIC_ASSERT(sizeof(struct skep_patience) == 16);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_patience, last_ns) == 8);
SKEP_STATIC_ASSERT(sizeof(struct skep_would) == 24);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_would, conflicts) == 20);
SKEP_STATIC_ASSERT(sizeof(struct skep_uplink) == 44);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_uplink, gateway) == 40);
SKEP_STATIC_ASSERT(sizeof(struct skep_settings) == 232);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_settings, pad) == 228);
SKEP_STATIC_ASSERT(sizeof(struct skep_template) == 64);
SKEP_STATIC_ASSERT(sizeof(struct skep_offer) == 32);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_offer, pad2) == 28);
SKEP_STATIC_ASSERT(sizeof(struct skep_idle) == 16);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_idle, pad) == 12);
SKEP_STATIC_ASSERT(sizeof(struct skep_container) == 120);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_container, reason) == 48);

#endif
