// SPDX-License-Identifier: GPL-2.0
/*
 * The uplink program and the machines that are not ours: what it learns of them, what it leaves to
 * them, how a lease gives way, and what else keeps an address dark. A table of frames, what becomes
 * of each, and what it leaves behind in the maps and in the ring; runs in the kernel, on no NIC.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <stdatomic.h>

#include "../table.h"
#include "harness.h"
#include "uplink.skel.h"

#define UPLINK 3
#define SEC 1000000000ULL
#define MEMORY (2400 * SEC)
#define PROBE_MEMORY (10 * SEC)
#define HAND_ON (600 * SEC)
#define SLOT 77 /* of the first address in `verify` */
#define QUIET 2

#define IP_GATEWAY "\x0a\x42\x00\x01" /* 10.66.0.1, excluded */
#define IP_STATION "\x0a\x42\x03\x01" /* 10.66.3.1, some neighbour */
#define IP_NETWORK "\x0a\x42\x00\x00"
#define IP_BROADCAST "\x0a\x42\xff\xff"
#define IP_ELSEWHERE "\x0a\x43\x00\x01" /* 10.67.0.1, of another network */
#define IP_FAR_RANGE "\x0a\x44\x00\x00" /* 10.68.0.0/24, of another network and yet a range */
#define IP_FAR "\x0a\x44\x00\x05"
#define IP_FAR_LEASED "\x0a\x44\x00\x06"

#define MAC_HOST "\x00\x1b\x21\x77\x77\x77"
#define MAC_FAR "\x00\x25\x90\x0f\x0f\x06"
#define MAC_STATION "\x00\x1b\x21\x55\x55\x55"
#define MAC_DARK "\x00\x25\x90\xeb\x3c\x47" /* of 10.66.4.2, by the settings below */
#define MAC_DARK_7 "\x00\x25\x90\xfd\xf0\x68"
#define DENSITY_OF_DARK 0xa122e1d9U /* its hash: it lives from this density on */

enum { NO_LEASE, PLAIN, TAGGED, FAR, LEASES };

static const struct harness_lease leases[LEASES] = {
	[PLAIN] = {IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, 101},
	[TAGGED] = {IP_LEASED, MAC_TAGGED, NULL, 7, UPLINK, 102},
	[FAR] = {IP_FAR_LEASED, MAC_FAR, NULL, 0, UPLINK, 103},
};

/* Who is known already, on the address that the row is about. */
enum known {
	NOBODY,
	LIVE,	  /* a host, on IP_DARK */
	OVER,	  /* one not heard for too long */
	PROBER,	  /* one that has only probed */
	HANDED,	  /* one that a lease gave way to, by MAC_DARK */
	OUTDATED, /* the same, long ago */
	ROUTER,	  /* MAC_HOST has spoken for another address */
};

/* What is learned, and on which address. */
enum memory { NOTHING, SHORT, LONG };

/**
 * struct row - a frame and what is to become of it
 * @out:      as it leaves, where that is not how it came
 * @flags:    SKEP_SETTING_*
 * @network:  the uplink's network is 10.66.0.0/16; else it has none
 * @verify:   the range is verified, and there were so many quiet probes, less one
 * @density:  of the range, when not 0
 * @patience: of the range
 * @on, @memory: on which address a host is learned, MAC_HOST, and for how long
 * @gives_way: lease that is gone afterwards
 */
struct row {
	const char *name;
	struct bytes in;
	enum skep_verdict verdict;
	struct bytes out;
	__u32 flags;
	bool network;
	__u8 verify;
	__u32 density, patience;
	enum known known;
	const char *on;
	enum memory memory;
	__u32 gives_way;
	__u16 vlan;
};

static struct uplink_bpf *skel;
static struct ring_buffer *ring_buffer;
static struct skep_ask_large record;
static unsigned int records;

static int program(void)
{
	return bpf_program__fd(skel->progs.uplink);
}

static int on_record(void *data, void *at, size_t size)
{
	(void)data;
	assert_in_range(size, sizeof(struct skep_ask), sizeof(record));
	memcpy(&record, at, size);
	records++;
	return 0;
}

static unsigned int consume(void)
{
	records = 0;
	assert_true(ring_buffer__consume(ring_buffer) >= 0);
	return records;
}

static void store(const struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), key, value, BPF_ANY), 0);
}

static void empty(const struct bpf_map *map)
{
	__u8 key[32];

	while (!bpf_map_get_next_key(bpf_map__fd(map), NULL, key))
		assert_int_equal(bpf_map_delete_elem(bpf_map__fd(map), key), 0);
}

static unsigned int size_of(const struct bpf_map *map)
{
	__u8 key[32], *last = NULL;
	unsigned int n = 0;

	for (; !bpf_map_get_next_key(bpf_map__fd(map), last, key); last = key)
		n++;
	return n;
}

static struct skep_addr address_of(const char *ip, __u16 vlan)
{
	return (struct skep_addr){.ip = harness_ip(ip), .vlan = vlan, .uplink = UPLINK};
}

/* ---- the world ------------------------------------------------------------- */

static void set_range(const char *ip, __u32 bits, __u16 vlan, const struct skep_range *range)
{
	const struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + bits,
		.uplink = UPLINK,
		.vlan = vlan,
		.ip = harness_ip(ip),
	};

	store(skel->maps.ranges, &key, range);
}

static void set_ranges(const struct row *row)
{
	static const struct skep_range excluded = {.flags = SKEP_RANGE_EXCLUDED};
	static const struct skep_range nobody = {.flags = SKEP_RANGE_EXCLUDED | SKEP_RANGE_NOBODY};
	static const struct skep_range far = {.density = ~0U};
	const struct skep_range range = {
		.flags = row->verify ? SKEP_RANGE_VERIFY : 0,
		.quiet = QUIET,
		.density = row->density ? row->density : ~0U,
		.patience_ms = row->patience,
		.first = harness_ip(IP_NETWORK),
		.verify = SLOT,
	};

	set_range(IP_NETWORK, 16, 0, &range);
	set_range(IP_NETWORK, 16, 7, &range);
	set_range(IP_FAR_RANGE, 24, 0, &far);
	set_range(IP_GATEWAY, 32, 0, &excluded);
	set_range(IP_NETWORK, 32, 0, &nobody);
	set_range(IP_BROADCAST, 32, 0, &nobody);
}

static void set_uplink(const struct row *row)
{
	const struct skep_uplink uplink = {
		.first = 0x0a420000,
		.last = 0x0a4400ff,
		.network = row->network ? 0x0a420000 : 0,
		.network_last = row->network ? 0x0a42ffff : 0,
		.gateway = harness_ip(IP_GATEWAY),
	};
	const __u32 ordinal = UPLINK;

	store(skel->maps.uplinks, &ordinal, &uplink);
}

static void set_settings(const struct row *row)
{
	const struct skep_settings s = {
		.flags = row->flags,
		.host_memory_ns = MEMORY,
		.n_ouis = 1,
		.ouis = {{0x00, 0x25, 0x90}},
	};
	const __u32 only = 0;

	store(skel->maps.settings, &only, &s);
}

static __u32 slot_of(const char *ip)
{
	return SLOT + (ntohl(harness_ip(ip).addr) - 0x0a420000);
}

static __u8 quiet_of(const char *ip)
{
	struct skep_verify v;
	__u32 slot = slot_of(ip);

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.verify), &slot, &v), 0);
	return v.quiet;
}

static void set_quiet(const char *ip, __u8 quiet)
{
	const struct skep_verify v = {.probed_s = 1, .quiet = quiet};
	const __u32 slot = slot_of(ip);

	store(skel->maps.verify, &slot, &v);
}

static void set_host(const struct row *row, __u64 now)
{
	const struct skep_addr address = address_of(IP_DARK, row->vlan);
	struct skep_host host = {.first_ns = 1, .seen_ns = now - 5 * SEC, .until_ns = now + SEC};
	struct skep_speaker_key key = {.uplink = UPLINK, .vlan = row->vlan};
	struct skep_speaker speaker = {.ip = harness_ip(IP_STATION), .router = 1};

	memcpy(host.mac, MAC_HOST, sizeof(host.mac));
	memcpy(key.mac, MAC_HOST, sizeof(key.mac));
	if (row->known == ROUTER)
		store(skel->maps.speakers, &key, &speaker);
	if (row->known == NOBODY || row->known == ROUTER)
		return;
	if (row->known == OVER)
		host.until_ns = now - 1;
	if (row->known == HANDED || row->known == OUTDATED) {
		memcpy(host.ours, row->vlan ? MAC_DARK_7 : MAC_DARK, sizeof(host.ours));
		host.hand_on_ns = row->known == HANDED ? now + SEC : now - 1;
		host.conflicts = 1;
	}
	store(skel->maps.hosts, &address, &host);
}

static void set_world(const struct row *row)
{
	empty(skel->maps.hosts);
	empty(skel->maps.speakers);
	empty(skel->maps.patience);
	empty(skel->maps.would_claim);
	harness_set_leases(bpf_map__fd(skel->maps.leases), leases, LEASES);
	set_ranges(row);
	set_uplink(row);
	set_settings(row);
	set_quiet(IP_DARK, row->verify ? row->verify - 1 : QUIET);
	set_quiet(IP_LEASED, QUIET);
	set_host(row, harness_clock(CLOCK_MONOTONIC_COARSE));
	consume();
}

/* ---- one frame ------------------------------------------------------------- */

static enum xdp_action action_of(enum skep_verdict verdict)
{
	switch (verdict) {
	case SKEP_LEASED_ARP:
	case SKEP_LEASED_IP:
	case SKEP_PASS_HANDED_ON:
		return XDP_REDIRECT;
	case SKEP_DROP_WRONG_MAC:
	case SKEP_DROP_PANIC:
	case SKEP_ASK_ARP:
	case SKEP_ASK_IP:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

static bool is_leased(__u32 which)
{
	struct skep_addr key = harness_lease_key(&leases[which]);
	struct skep_lease lease;

	return !bpf_map_lookup_elem(bpf_map__fd(skel->maps.leases), &key, &lease);
}

static void check_host(const struct row *row, __u64 since_ns)
{
	const struct skep_addr address = address_of(row->on, row->vlan);
	const __u64 memory = row->memory == SHORT ? PROBE_MEMORY : MEMORY;
	const __u64 now = harness_clock(CLOCK_MONOTONIC_COARSE);
	struct skep_host host;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.hosts), &address, &host), 0);
	assert_memory_equal(host.mac, MAC_HOST, sizeof(host.mac));
	assert_in_range(host.seen_ns, since_ns, now);
	assert_in_range(host.until_ns, since_ns + memory, now + memory);
	assert_int_equal(host.conflicts, row->gives_way ? 1 : 0);
	if (row->gives_way) {
		assert_memory_equal(host.ours, leases[row->gives_way].mac, sizeof(host.ours));
		assert_in_range(host.hand_on_ns, since_ns + HAND_ON, now + HAND_ON);
	}
	if (row->verify)
		assert_int_equal(quiet_of(row->on), 0);
}

/* The slot of a lease in the harness is its container. */
static void check_record(const struct row *row)
{
	const bool conflict = row->verdict == SKEP_CONFLICT;
	const __u16 len =
		conflict && row->in.len > SKEP_ASK_SMALL ? SKEP_ASK_SMALL : (__u16)row->in.len;

	assert_int_equal(consume(), 1);
	assert_int_equal(record.head.verdict, row->verdict);
	assert_int_equal(record.head.address.ip.addr,
			 harness_ip(conflict ? row->on : IP_DARK).addr);
	assert_int_equal(record.head.address.vlan, row->vlan);
	assert_int_equal(record.head.container, row->gives_way);
	assert_int_equal(record.head.frame_len, len);
	assert_memory_equal(record.frame, row->in.at, len);
}

static void becomes(void **state)
{
	const struct row *row = *state;
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	const __u64 since_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	static struct outcome outcome;
	unsigned int before;

	set_world(row);
	before = size_of(skel->maps.hosts);
	harness_mark(bpf_map__fd(skel->maps.counters));
	harness_run(program(), row->in.at, row->in.len, &outcome);
	harness_check_counted(bpf_map__fd(skel->maps.counters), row->verdict);
	assert_int_equal(outcome.action, action_of(row->verdict));
	harness_check_frame(&outcome, out->at, out->len);
	for (__u32 which = 1; which < LEASES; which++)
		assert_int_equal(is_leased(which), which != row->gives_way);
	if (row->memory)
		check_host(row, since_ns);
	else
		assert_int_equal(size_of(skel->maps.hosts), before);
	if (row->verdict == SKEP_CONFLICT || row->verdict == SKEP_ASK_ARP ||
	    row->verdict == SKEP_ASK_IP)
		check_record(row);
	else
		assert_int_equal(consume(), 0);
}

/* ---- the table ------------------------------------------------------------- */

#define TO_ALL(from) MAC_ALL from
#define ALL_HOST TO_ALL(MAC_HOST)
#define ALL_STATION TO_ALL(MAC_STATION)
#define DARK_STATION MAC_DARK MAC_STATION
#define LEASE_STATION MAC_LEASE MAC_STATION
#define PROBE(ip) WHO_HAS(MAC_HOST, IP_NONE, ip)
#define ANNOUNCE(ip) WHO_HAS(MAC_HOST, ip, ip)
#define PING(ip) IPV4(IP_CLIENT, ip)
#define TTL_1(src, dst) "\x45\x00\x00\x1c\x12\x34\x40\x00\x01\x01\x00\x00" src dst ECHO
#define V(what) .verdict = SKEP_##what
#define LEARNS(ip) .on = (ip), .memory = LONG
#define HEARS_PROBE(ip) .on = (ip), .memory = SHORT
#define GIVES_WAY(which) V(CONFLICT), .gives_way = (which)

/* 130 bytes: longer than a small record holds. */
#define LONG_PACKET IPV4(IP_LEASED, IP_CLIENT) HUNDRED
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define TEN "0123456789"

static const struct row rows[] = {
	/* What makes a host, on an address that was dark. */
	{"learn: an announcement", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK)},
	{"learn: an announcement by a reply",
	 BYTES(ALL_HOST TYPE_ARP IS_AT(MAC_HOST, IP_DARK, MAC_ALL, IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK)},
	{"learn: a who-has", BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_DARK, IP_GATEWAY)),
	 V(PASS_EXCLUDED), LEARNS(IP_DARK)},
	{"learn: a who-has for what is in no range",
	 BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_DARK, IP_FOREIGN)), V(PASS_NO_RANGE),
	 LEARNS(IP_DARK)},
	{"learn: an is-at",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_ARP IS_AT(MAC_HOST, IP_DARK, MAC_ROUTER, IP_GATEWAY)),
	 V(PASS_EXCLUDED), LEARNS(IP_DARK)},
	{"learn: a probe, for a while", BYTES(ALL_HOST TYPE_ARP PROBE(IP_DARK)), V(PASS_ARP_PROBE),
	 HEARS_PROBE(IP_DARK)},
	{"learn: a packet", BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT)),
	 V(PASS_NO_RANGE), LEARNS(IP_DARK)},
	{"learn: a packet to all", BYTES(ALL_HOST TYPE_IPV4 IPV4(IP_DARK, IP_ALL)),
	 V(PASS_NO_RANGE), LEARNS(IP_DARK)},
	{"learn: on a VLAN", BYTES(ALL_HOST TAG_7 TYPE_ARP ANNOUNCE(IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK), .vlan = 7},
	{"learn: whoever asks for a dark address, and he is answered",
	 BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_STATION, IP_DARK)), V(ASK_ARP),
	 LEARNS(IP_STATION)},
	{"learn: whoever asks for a lease",
	 BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_STATION, IP_LEASED)), V(LEASED_ARP),
	 LEARNS(IP_STATION)},
	{"learn: what was known is not known to be free any more",
	 BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)), V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK),
	 .verify = QUIET + 1},
	{"learn: also from a probe", BYTES(ALL_HOST TYPE_ARP PROBE(IP_DARK)), V(PASS_ARP_PROBE),
	 HEARS_PROBE(IP_DARK), .verify = QUIET + 1},
	{"learn: he who probed announces himself", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK), .known = PROBER},
	{"learn: he is back", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)), V(PASS_ARP_GRATUITOUS),
	 LEARNS(IP_DARK), .known = OVER},
	{"learn: he is still there", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK), .known = LIVE},
	{"learn: in panic, too", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)), V(PASS_PANIC),
	 LEARNS(IP_DARK), .flags = SKEP_SETTING_PANIC},
	{"learn: in a dry run, too", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK), .flags = SKEP_SETTING_DRY_RUN},
	{"learn: an answer to our probe, from a range outside of the network",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_ARP IS_AT(MAC_HOST, IP_FAR, MAC_ROUTER, IP_NONE)),
	 V(PASS_NO_RANGE), LEARNS(IP_FAR), .network = true},
	{"learn: an announcement there", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_FAR)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_FAR), .network = true},
	{"learn: whoever asks from there, and he is answered",
	 BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_FAR, IP_DARK)), V(ASK_ARP), LEARNS(IP_FAR),
	 .network = true},
	{"learn: a router's ARP is its own", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK), .known = ROUTER},

	/* What makes none. */
	{"no host: the gateway",
	 BYTES(TO_ALL(MAC_ROUTER) TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GATEWAY, IP_DARK)), V(ASK_ARP)},
	{"no host: a packet through a router",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT)), V(PASS_NO_RANGE),
	 .known = ROUTER},
	{"no host: a packet of an address of no range",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_FOREIGN, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: a packet of an excluded address",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_GATEWAY, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: a packet of the broadcast address",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_BROADCAST, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: a packet from a group's link address",
	 BYTES(MAC_ROUTER MAC_GROUP TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: ARP from a group's link address",
	 BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_GROUP, IP_DARK, IP_DARK)), V(PASS_ARP_SENDER)},
	{"no host: on a VLAN without the range",
	 BYTES(ALL_HOST TAG("\x00\x08") TYPE_ARP ANNOUNCE(IP_DARK)), V(PASS_NO_RANGE)},
	{"no host: our own link address, of a dark address",
	 BYTES(TO_ALL(MAC_DARK) TYPE_ARP WHO_HAS(MAC_DARK, IP_DARK, IP_DARK)),
	 V(PASS_ARP_GRATUITOUS)},
	{"no host: our own, of a lease",
	 BYTES(TO_ALL(MAC_LEASE) TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_LEASED)), V(LEASED_ARP)},
	{"no host: somebody probes for what a host has",
	 BYTES(ALL_STATION TYPE_ARP WHO_HAS(MAC_STATION, IP_NONE, IP_DARK)), V(PASS_ARP_PROBE),
	 .known = LIVE},

	/* A lease gives way, whatever shows the host; the frame is the box's to see. */
	{"give way: an announcement", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_LEASED) PADDING),
	 GIVES_WAY(PLAIN), LEARNS(IP_LEASED)},
	{"give way: an announcement by a reply",
	 BYTES(ALL_HOST TYPE_ARP IS_AT(MAC_HOST, IP_LEASED, MAC_ALL, IP_LEASED)), GIVES_WAY(PLAIN),
	 LEARNS(IP_LEASED)},
	{"give way: a probe", BYTES(ALL_HOST TYPE_ARP PROBE(IP_LEASED)), GIVES_WAY(PLAIN),
	 HEARS_PROBE(IP_LEASED)},
	{"give way: a who-has", BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_LEASED, IP_GATEWAY)),
	 GIVES_WAY(PLAIN), LEARNS(IP_LEASED)},
	{"give way: an is-at",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_ARP IS_AT(MAC_HOST, IP_LEASED, MAC_ROUTER, IP_GATEWAY)),
	 GIVES_WAY(PLAIN), LEARNS(IP_LEASED)},
	{"give way: an is-at to the lease itself",
	 BYTES(MAC_LEASE MAC_HOST TYPE_ARP IS_AT(MAC_HOST, IP_LEASED, MAC_LEASE, IP_LEASED)),
	 GIVES_WAY(PLAIN), LEARNS(IP_LEASED)},
	{"give way: a packet", BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT)),
	 GIVES_WAY(PLAIN), LEARNS(IP_LEASED)},
	{"give way: a packet longer than its record",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 LONG_PACKET), GIVES_WAY(PLAIN), LEARNS(IP_LEASED)},
	{"give way: on a VLAN", BYTES(ALL_HOST TAG_7 TYPE_ARP ANNOUNCE(IP_LEASED)),
	 GIVES_WAY(TAGGED), LEARNS(IP_LEASED), .vlan = 7},
	{"give way: in a range outside of the network",
	 BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_FAR_LEASED)), GIVES_WAY(FAR), LEARNS(IP_FAR_LEASED),
	 .network = true},
	{"give way: in panic, too", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_LEASED)), GIVES_WAY(PLAIN),
	 LEARNS(IP_LEASED), .flags = SKEP_SETTING_PANIC},
	{"give way: where addresses are verified", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_LEASED)),
	 GIVES_WAY(PLAIN), LEARNS(IP_LEASED), .verify = QUIET + 1},
	{"stay: a packet through a router",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT)), V(PASS_NO_RANGE),
	 .known = ROUTER},
	{"stay: a probe of our own",
	 BYTES(TO_ALL(MAC_LEASE) TYPE_ARP WHO_HAS(MAC_LEASE, IP_NONE, IP_LEASED)), V(LEASED_ARP)},

	/* What a host has is left to it, and never answered. */
	{"host: who-has",
	 BYTES(TO_ALL(MAC_ROUTER) TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GATEWAY, IP_DARK)), V(PASS_HOST),
	 .known = LIVE},
	{"host: who-has, of one that has only probed",
	 BYTES(TO_ALL(MAC_ROUTER) TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GATEWAY, IP_DARK)), V(PASS_HOST),
	 .known = PROBER},
	{"host: IPv4", BYTES(MAC_HOST MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST),
	 .known = LIVE},
	{"host: IPv4 on a VLAN", BYTES(MAC_HOST MAC_ROUTER TAG_7 TYPE_IPV4 PING(IP_DARK)),
	 V(PASS_HOST), .known = LIVE, .vlan = 7},
	{"host: IPv4 to what would be our link address",
	 BYTES(MAC_DARK MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST), .known = LIVE},
	{"host: is-at",
	 BYTES(MAC_HOST MAC_ROUTER TYPE_ARP IS_AT(MAC_ROUTER, IP_GATEWAY, MAC_HOST, IP_DARK)),
	 V(PASS_ARP_REPLY), .known = LIVE},
	{"host: gone for long",
	 BYTES(TO_ALL(MAC_ROUTER) TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GATEWAY, IP_DARK)), V(ASK_ARP),
	 .known = OVER},

	/* What still comes to our link address is handed on to the host, from there. */
	{"hand on: IPv4", BYTES(MAC_DARK MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_HANDED_ON),
	 .out = BYTES(MAC_HOST MAC_DARK TYPE_IPV4 PING(IP_DARK)), .known = HANDED},
	{"hand on: IPv4 on a VLAN", BYTES(MAC_DARK_7 MAC_ROUTER TAG_7 TYPE_IPV4 PING(IP_DARK)),
	 V(PASS_HANDED_ON), .out = BYTES(MAC_HOST MAC_DARK_7 TAG_7 TYPE_IPV4 PING(IP_DARK)),
	 .known = HANDED, .vlan = 7},
	{"hand on: who-has to us alone",
	 BYTES(MAC_DARK MAC_ROUTER TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GATEWAY, IP_DARK)),
	 V(PASS_HANDED_ON),
	 .out = BYTES(MAC_HOST MAC_DARK TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GATEWAY, IP_DARK)),
	 .known = HANDED},
	{"hand on: is-at to us alone",
	 BYTES(MAC_DARK MAC_ROUTER TYPE_ARP IS_AT(MAC_ROUTER, IP_GATEWAY, MAC_DARK, IP_DARK)),
	 V(PASS_HANDED_ON),
	 .out = BYTES(MAC_HOST MAC_DARK TYPE_ARP IS_AT(MAC_ROUTER, IP_GATEWAY, MAC_DARK, IP_DARK)),
	 .known = HANDED},
	{"hand on: not who-has to all",
	 BYTES(TO_ALL(MAC_ROUTER) TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GATEWAY, IP_DARK)), V(PASS_HOST),
	 .known = HANDED},
	{"hand on: not what is sent to the host",
	 BYTES(MAC_HOST MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST), .known = HANDED},
	{"hand on: not what the host sends itself",
	 BYTES(MAC_DARK MAC_HOST TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST), .known = HANDED},
	{"hand on: not for ever", BYTES(MAC_DARK MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST),
	 .known = OUTDATED},
	{"hand on: not in panic", BYTES(MAC_DARK MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_PANIC),
	 .known = HANDED, .flags = SKEP_SETTING_PANIC},

/* Nothing odd on the wire: what no decent machine would answer is not answered. */
#define ODD(what, arp, becomes)                                                           \
	{"odd: " what ", for a dark address", BYTES(ALL_STATION TYPE_ARP arp(IP_DARK)),   \
	 V(becomes), .network = true},                                                    \
	{                                                                                 \
		"odd: " what ", for a lease", BYTES(ALL_STATION TYPE_ARP arp(IP_LEASED)), \
			V(becomes), .network = true                                       \
	}
#define HEAD(head, ip) head "\x00\x01" MAC_STATION IP_STATION MAC_NONE ip
#define OTHER_HARDWARE(ip) HEAD("\x00\x06\x08\x00\x06\x04", ip)
#define OTHER_PROTOCOL(ip) HEAD("\x00\x01\x86\xdd\x06\x04", ip)
#define LONG_LINK(ip) HEAD("\x00\x01\x08\x00\x08\x04", ip)
#define LONG_PROTOCOL(ip) HEAD("\x00\x01\x08\x00\x06\x10", ip)
#define OTHER_OPERATION(ip) ARP("\x00\x08", MAC_STATION, IP_STATION, MAC_NONE, ip)
#define BY(mac, sender, ip) WHO_HAS(mac, sender, ip)
#define LOOPBACK(ip) BY(MAC_STATION, IP_LOOPBACK, ip)
#define MULTICAST(ip) BY(MAC_STATION, IP_GROUP, ip)
#define ALL_ONES(ip) BY(MAC_STATION, IP_ALL, ip)
#define FROM_BROADCAST(ip) BY(MAC_STATION, IP_BROADCAST, ip)
#define FROM_NETWORK(ip) BY(MAC_STATION, IP_NETWORK, ip)
#define FROM_ELSEWHERE(ip) BY(MAC_STATION, IP_ELSEWHERE, ip)
#define GROUP_MAC(ip) BY(MAC_GROUP, IP_STATION, ip)
#define NO_MAC(ip) BY(MAC_NONE, IP_STATION, ip)
	ODD("hardware type", OTHER_HARDWARE, PASS_ARP_MALFORMED),
	ODD("protocol type", OTHER_PROTOCOL, PASS_ARP_MALFORMED),
	ODD("length of link addresses", LONG_LINK, PASS_ARP_MALFORMED),
	ODD("length of addresses", LONG_PROTOCOL, PASS_ARP_MALFORMED),
	ODD("operation", OTHER_OPERATION, PASS_ARP_MALFORMED),
	ODD("sender 127/8", LOOPBACK, PASS_ARP_SENDER),
	ODD("sender a group", MULTICAST, PASS_ARP_SENDER),
	ODD("sender 255.255.255.255", ALL_ONES, PASS_ARP_SENDER),
	ODD("sender the network's broadcast address", FROM_BROADCAST, PASS_ARP_SENDER),
	ODD("sender the network itself", FROM_NETWORK, PASS_ARP_SENDER),
	ODD("sender of another network", FROM_ELSEWHERE, PASS_ARP_FOREIGN),
	ODD("sender with a group's link address", GROUP_MAC, PASS_ARP_SENDER),
	ODD("sender without a link address", NO_MAC, PASS_ARP_SENDER),
	{"odd: who-has that ends early",
	 {(const __u8 *)ALL_STATION TYPE_ARP WHO_HAS(MAC_STATION, IP_STATION, IP_DARK), 41},
	 V(PASS_TRUNCATED),
	 .network = true},
	{"odd: who-has for the sender itself", BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK)),
	 V(PASS_ARP_GRATUITOUS), LEARNS(IP_DARK), .network = true},
	{"odd: the broadcast address of the range asks, and the network is not known",
	 BYTES(ALL_STATION TYPE_ARP FROM_BROADCAST(IP_DARK)), V(PASS_ARP_SENDER)},
	{"odd: it asks for a lease", BYTES(ALL_STATION TYPE_ARP FROM_BROADCAST(IP_LEASED)),
	 V(PASS_ARP_SENDER)},
	{"odd: the range's own address asks for a lease, and the network is not known",
	 BYTES(ALL_STATION TYPE_ARP FROM_NETWORK(IP_LEASED)), V(PASS_ARP_SENDER)},
	{"odd: somebody of another network asks, and the network is not known",
	 BYTES(ALL_STATION TYPE_ARP FROM_ELSEWHERE(IP_DARK)), V(ASK_ARP)},
	{"odd: the gateway asks, and the network is known",
	 BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)), V(ASK_ARP),
	 .network = true},
	{"odd: an is-at of another network",
	 BYTES(LEASE_STATION TYPE_ARP IS_AT(MAC_STATION, IP_ELSEWHERE, MAC_LEASE, IP_LEASED)),
	 V(PASS_ARP_FOREIGN), .network = true},
	{"odd: IPv4 from the broadcast address",
	 BYTES(DARK_STATION TYPE_IPV4 IPV4(IP_BROADCAST, IP_DARK)), V(PASS_IP_SENDER),
	 .network = true},
	{"odd: IPv4 from 127/8", BYTES(DARK_STATION TYPE_IPV4 IPV4(IP_LOOPBACK, IP_DARK)),
	 V(PASS_IP_SENDER)},
	{"odd: IPv4 from another network is not", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)),
	 V(ASK_IP), .network = true},
	{"odd: IPv4 to a dark address by a decoy's link address",
	 BYTES(LEASE_STATION TYPE_IPV4 PING(IP_DARK)), V(DROP_WRONG_MAC)},
	{"odd: who-has for a dark address, to a decoy's link address",
	 BYTES(LEASE_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)), V(DROP_WRONG_MAC)},
	{"odd: IPv4 to a lease by a dark address' link address",
	 BYTES(DARK_STATION TYPE_IPV4 PING(IP_LEASED)), V(DROP_WRONG_MAC)},
	{"odd: a TTL of 1 arrives as it came",
	 BYTES(LEASE_STATION TYPE_IPV4 TTL_1(IP_CLIENT, IP_LEASED)), V(LEASED_IP)},

	/* Addresses that never live. */
	{"density: one below", BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)),
	 V(PASS_DENSITY), .density = DENSITY_OF_DARK - 1},
	{"density: just enough", BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)),
	 V(ASK_ARP), .density = DENSITY_OF_DARK},
	{"density: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_DENSITY),
	 .density = DENSITY_OF_DARK - 1},
	{"density: a probe", BYTES(ALL_HOST TYPE_ARP PROBE(IP_DARK)), V(PASS_DENSITY),
	 HEARS_PROBE(IP_DARK), .density = DENSITY_OF_DARK - 1},
	{"density: a lease is a lease", BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED)),
	 V(LEASED_IP), .density = 1},

	/* Addresses that were not found free. */
	{"verify: never probed", BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)),
	 V(PASS_UNVERIFIED), .verify = 1},
	{"verify: one probe too few",
	 BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)), V(PASS_UNVERIFIED),
	 .verify = QUIET},
	{"verify: just enough", BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)),
	 V(ASK_ARP), .verify = QUIET + 1},
	{"verify: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_UNVERIFIED),
	 .verify = QUIET},
	{"verify: a probe is a probe", BYTES(ALL_HOST TYPE_ARP PROBE(IP_DARK)), V(PASS_ARP_PROBE),
	 HEARS_PROBE(IP_DARK), .verify = 1},

	/* Only watching. */
	{"dry run: who-has", BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)),
	 V(PASS_WOULD_CLAIM), .flags = SKEP_SETTING_DRY_RUN},
	{"dry run: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_WOULD_CLAIM),
	 .flags = SKEP_SETTING_DRY_RUN},
	{"dry run: what a host has",
	 BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)), V(PASS_HOST),
	 .flags = SKEP_SETTING_DRY_RUN, .known = LIVE},
	{"dry run: unverified", BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)),
	 V(PASS_UNVERIFIED), .flags = SKEP_SETTING_DRY_RUN, .verify = 1},

	/* Panic: nothing is answered. */
	{"panic: who-has for a lease",
	 BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_LEASED)), V(DROP_PANIC),
	 .flags = SKEP_SETTING_PANIC},
	{"panic: IPv4 to a lease", BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED)), V(DROP_PANIC),
	 .flags = SKEP_SETTING_PANIC},
	{"panic: IPv4 to a lease on a VLAN",
	 BYTES(MAC_TAGGED MAC_STATION TAG_7 TYPE_IPV4 PING(IP_LEASED)), V(DROP_PANIC),
	 .flags = SKEP_SETTING_PANIC},
	{"panic: who-has for a dark address",
	 BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)), V(PASS_PANIC),
	 .flags = SKEP_SETTING_PANIC},
	{"panic: IPv4 to a dark address", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)),
	 V(PASS_PANIC), .flags = SKEP_SETTING_PANIC},
	{"panic: what is not ours",
	 BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_FOREIGN)), V(PASS_NO_RANGE),
	 .flags = SKEP_SETTING_PANIC},

	/* Patience: the first question passes. */
	{"patience: who-has", BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)),
	 V(PASS_PATIENCE), .patience = 1000},
	{"patience: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_PATIENCE),
	 .patience = 1000},
	{"patience: in a dry run, too",
	 BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK)), V(PASS_PATIENCE),
	 .flags = SKEP_SETTING_DRY_RUN, .patience = 1000},
	{"patience: not for a lease", BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED)), V(LEASED_IP),
	 .patience = 1000},
};

/* ---- several frames -------------------------------------------------------- */

static const struct bytes ask = BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_DARK));
static const struct bytes other_asks =
	BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_ELSEWHERE, IP_DARK));
static const struct bytes announce = BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK));
static const struct bytes announce_lease = BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_LEASED));
static const struct bytes packet = BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT));
static const struct bytes packet_of_lease =
	BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT));

static void run(const struct bytes *frame, enum skep_verdict verdict)
{
	int counters = bpf_map__fd(skel->maps.counters);
	static struct outcome outcome;

	harness_mark(counters);
	harness_run(program(), frame->at, frame->len, &outcome);
	harness_check_counted(counters, verdict);
	assert_int_equal(outcome.action, action_of(verdict));
}

static struct skep_host host_on(const char *ip)
{
	const struct skep_addr address = address_of(ip, 0);
	struct skep_host host;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.hosts), &address, &host), 0);
	return host;
}

static void set_host_times(const char *ip, __u64 seen_ns, __u64 until_ns)
{
	const struct skep_addr address = address_of(ip, 0);
	struct skep_host host = host_on(ip);

	host.seen_ns = seen_ns;
	host.until_ns = until_ns;
	store(skel->maps.hosts, &address, &host);
}

/* Right behind the frame that shows the host, nobody answers for the address any more. */
static void a_lease_is_gone_with_the_frame(void **state)
{
	static const struct bytes who_has =
		BYTES(ALL_STATION TYPE_ARP BY(MAC_STATION, IP_GATEWAY, IP_LEASED));
	static const struct bytes to_us = BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED));

	(void)state;
	set_world(&(struct row){});
	run(&who_has, SKEP_LEASED_ARP);
	run(&announce_lease, SKEP_CONFLICT);
	run(&who_has, SKEP_PASS_HOST);
	run(&to_us, SKEP_PASS_HANDED_ON);
	run(&announce_lease, SKEP_PASS_ARP_GRATUITOUS);
	assert_int_equal(host_on(IP_LEASED).conflicts, 1);
	assert_int_equal(consume(), 1);
}

/* The ring tells skepd; a full one does not keep the lease alive. */
static void a_lease_gives_way_when_the_ring_is_full(void **state)
{
	__u64 before;

	(void)state;
	set_world(&(struct row){});
	before = harness_counter(bpf_map__fd(skel->maps.counters), SKEP_DROP_ASK_RING_FULL);
	while (harness_counter(bpf_map__fd(skel->maps.counters), SKEP_DROP_ASK_RING_FULL) ==
	       before) {
		static struct outcome outcome;

		harness_run(program(), ask.at, ask.len, &outcome);
	}
	run(&announce_lease, SKEP_CONFLICT_UNTOLD);
	assert_false(is_leased(PLAIN));
	consume();
	assert_int_not_equal(record.head.verdict, SKEP_CONFLICT);
}

/* Somebody with a second address is a router from then on; his packets tell nothing any more. */
static void a_router_speaks_for_others(void **state)
{
	(void)state;
	set_world(&(struct row){});
	run(&packet, SKEP_PASS_NO_RANGE);
	assert_int_equal(size_of(skel->maps.hosts), 1);
	run(&packet_of_lease, SKEP_PASS_NO_RANGE);
	assert_int_equal(size_of(skel->maps.hosts), 1);
	assert_true(is_leased(PLAIN));
}

/* The gateway is known by its ARP, before it has forwarded anything. */
static void the_gateway_is_a_router_from_the_start(void **state)
{
	static const struct bytes who_has =
		BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_GATEWAY, IP_LEASED));

	(void)state;
	set_world(&(struct row){});
	run(&who_has, SKEP_LEASED_ARP);
	run(&packet, SKEP_PASS_NO_RANGE);
	run(&packet_of_lease, SKEP_PASS_NO_RANGE);
	assert_int_equal(size_of(skel->maps.hosts), 0);
	assert_true(is_leased(PLAIN));
	run(&ask, SKEP_ASK_ARP); /* of another gateway: who was one is forgotten */
}

/* Whoever brings packets from elsewhere is a router. */
static void who_forwards_is_a_router(void **state)
{
	static const struct bytes forwarded = BYTES(MAC_DARK MAC_HOST TYPE_IPV4 PING(IP_DARK));

	(void)state;
	set_world(&(struct row){});
	run(&forwarded, SKEP_ASK_IP);
	run(&packet_of_lease, SKEP_PASS_NO_RANGE);
	assert_true(is_leased(PLAIN));
}

/* A host that talks all the time is not written down each time. */
static void a_host_is_noted_once_a_second(void **state)
{
	struct skep_host first;
	__u64 now;

	(void)state;
	set_world(&(struct row){});
	run(&announce, SKEP_PASS_ARP_GRATUITOUS);
	first = host_on(IP_DARK);
	run(&announce, SKEP_PASS_ARP_GRATUITOUS);
	assert_int_equal(host_on(IP_DARK).seen_ns, first.seen_ns);
	now = harness_clock(CLOCK_MONOTONIC_COARSE);
	set_host_times(IP_DARK, now - 2 * SEC, now + MEMORY - 2 * SEC);
	run(&announce, SKEP_PASS_ARP_GRATUITOUS);
	assert_in_range(host_on(IP_DARK).seen_ns, now, harness_clock(CLOCK_MONOTONIC_COARSE));
	assert_true(host_on(IP_DARK).until_ns >= now + MEMORY);
	assert_int_equal(host_on(IP_DARK).first_ns, first.first_ns);
}

/* ARP knows better than a packet, which may have come through a router nobody has noticed. */
static void arp_is_believed_before_packets(void **state)
{
	static const struct bytes other_packet =
		BYTES(MAC_ROUTER MAC_STATION TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT));
	static const struct bytes other_announces =
		BYTES(ALL_STATION TYPE_ARP WHO_HAS(MAC_STATION, IP_DARK, IP_DARK));
	struct skep_host host;

	(void)state;
	set_world(&(struct row){});
	run(&announce, SKEP_PASS_ARP_GRATUITOUS);
	run(&other_packet, SKEP_PASS_NO_RANGE);
	host = host_on(IP_DARK);
	assert_memory_equal(host.mac, MAC_HOST, sizeof(host.mac));
	run(&other_announces, SKEP_PASS_ARP_GRATUITOUS);
	host = host_on(IP_DARK);
	assert_memory_equal(host.mac, MAC_STATION, sizeof(host.mac));
}

static void a_host_that_was_forgotten_is_asked_for_again(void **state)
{
	__u64 now;

	(void)state;
	set_world(&(struct row){});
	run(&announce, SKEP_PASS_ARP_GRATUITOUS);
	run(&ask, SKEP_PASS_HOST);
	now = harness_clock(CLOCK_MONOTONIC_COARSE);
	set_host_times(IP_DARK, now - MEMORY, now - 1);
	run(&ask, SKEP_ASK_ARP);
}

static struct skep_would would(const char *ip, const char *other)
{
	const struct skep_pair pair = {.address = address_of(ip, 0), .other = harness_ip(other)};
	struct skep_would value = {};

	bpf_map_lookup_elem(bpf_map__fd(skel->maps.would_claim), &pair, &value);
	return value;
}

static void a_dry_run_notes_who_asked_for_what(void **state)
{
	__u64 now = harness_clock(CLOCK_MONOTONIC);

	(void)state;
	set_world(&(struct row){.flags = SKEP_SETTING_DRY_RUN});
	run(&ask, SKEP_PASS_WOULD_CLAIM);
	run(&ask, SKEP_PASS_WOULD_CLAIM);
	run(&other_asks, SKEP_PASS_WOULD_CLAIM);
	assert_int_equal(would(IP_DARK, IP_GATEWAY).count, 2);
	assert_int_equal(would(IP_DARK, IP_ELSEWHERE).count, 1);
	assert_int_equal(would(IP_DARK, IP_NONE).count, 3);
	assert_int_equal(would(IP_DARK, IP_NONE).conflicts, 0);
	assert_in_range(would(IP_DARK, IP_NONE).first_ns, now, harness_clock(CLOCK_MONOTONIC));
	assert_true(would(IP_DARK, IP_NONE).last_ns > would(IP_DARK, IP_NONE).first_ns);
	run(&announce, SKEP_PASS_ARP_GRATUITOUS);
	assert_int_equal(would(IP_DARK, IP_NONE).conflicts, 1);
	run(&announce, SKEP_PASS_ARP_GRATUITOUS); /* the same host */
	assert_int_equal(would(IP_DARK, IP_NONE).conflicts, 1);
	run(&ask, SKEP_PASS_HOST);
	assert_int_equal(would(IP_DARK, IP_NONE).count, 3);
	assert_int_equal(consume(), 0);
}

/* Makes it as long ago as it has to be. */
static void set_asked(const char *requester, __u64 ago_ns)
{
	const struct skep_pair pair = {.address = address_of(IP_DARK, 0),
				       .other = harness_ip(requester)};
	const __u64 then = harness_clock(CLOCK_MONOTONIC) - ago_ns;
	const struct skep_patience value = {.first_ns = then, .last_ns = then};

	store(skel->maps.patience, &pair, &value);
}

static void patience_is_each_requesters_own(void **state)
{
	(void)state;
	set_world(&(struct row){.patience = 2000});
	run(&ask, SKEP_PASS_PATIENCE);
	run(&ask, SKEP_PASS_PATIENCE);
	set_asked(IP_GATEWAY, SEC);
	run(&ask, SKEP_PASS_PATIENCE);
	set_asked(IP_GATEWAY, 2 * SEC);
	run(&other_asks, SKEP_PASS_PATIENCE);
	run(&ask, SKEP_ASK_ARP);
	run(&ask, SKEP_ASK_ARP);
	set_asked(IP_GATEWAY, 61 * SEC);
	run(&ask, SKEP_PASS_PATIENCE);
	run(&ask, SKEP_PASS_PATIENCE);
}

/* What would not be answered is not claimed either. */
static void a_dry_run_is_as_patient(void **state)
{
	(void)state;
	set_world(&(struct row){.flags = SKEP_SETTING_DRY_RUN, .patience = 2000});
	run(&ask, SKEP_PASS_PATIENCE);
	assert_int_equal(size_of(skel->maps.would_claim), 0);
	set_asked(IP_GATEWAY, 2 * SEC);
	run(&ask, SKEP_PASS_WOULD_CLAIM);
	assert_int_equal(would(IP_DARK, IP_NONE).count, 1);
}

static void insert_lease(__u32 which)
{
	const struct skep_addr key = harness_lease_key(&leases[which]);
	const struct skep_lease value = harness_lease_value(&leases[which], which);

	store(skel->maps.leases, &key, &value);
}

/* That it was noted a moment ago is no reason to leave a lease standing. */
static void a_host_that_was_noted_just_now_ends_a_lease(void **state)
{
	(void)state;
	set_world(&(struct row){});
	run(&announce_lease, SKEP_CONFLICT);
	insert_lease(PLAIN);
	run(&announce_lease, SKEP_CONFLICT);
	assert_false(is_leased(PLAIN));
	assert_int_equal(host_on(IP_LEASED).conflicts, 2);
}

/* ---- two at once ----------------------------------------------------------- */

#define ROUNDS 50000
#define STEP_NS 20
#define SPREAD_NS 1000

/* The other side of the race, as skepd does it: the lease first, then a look at the hosts. */
struct binder {
	pthread_t thread;
	__s64 delay_ns;
	_Atomic unsigned int round, done;
	_Atomic bool saw_host;
};

/* About as long as it takes until every other look is too late: there it gets interesting. */
static void wait_a_little(struct binder *b, unsigned int round)
{
	const __s64 begun = (__s64)harness_clock(CLOCK_MONOTONIC);

	b->delay_ns += b->saw_host ? -STEP_NS : STEP_NS;
	while ((__s64)harness_clock(CLOCK_MONOTONIC) - begun < b->delay_ns + round % SPREAD_NS)
		;
}

static void *bind_each_round(void *data)
{
	const struct skep_addr key = harness_lease_key(&leases[PLAIN]);
	const struct skep_lease value = harness_lease_value(&leases[PLAIN], PLAIN);
	const int map = bpf_map__fd(skel->maps.leases), hosts = bpf_map__fd(skel->maps.hosts);
	struct binder *b = data;
	struct skep_host host;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		while (b->round < round)
			;
		wait_a_little(b, round);
		bpf_map_update_elem(map, &key, &value, BPF_ANY);
		b->saw_host = !bpf_map_lookup_elem(hosts, &key, &host);
		b->done = round;
	}
	return NULL;
}

/* Sets off the binder, and a host's announcement about then. Return: whether both have it. */
static bool have_both(struct binder *b, unsigned int round)
{
	const struct skep_addr key = harness_lease_key(&leases[PLAIN]);
	static struct outcome outcome;
	struct skep_host host;

	bpf_map_delete_elem(bpf_map__fd(skel->maps.leases), &key);
	bpf_map_delete_elem(bpf_map__fd(skel->maps.hosts), &key);
	b->round = round;
	harness_run(program(), announce_lease.at, announce_lease.len, &outcome);
	while (b->done < round)
		;
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skel->maps.hosts), &key, &host), 0);
	return !b->saw_host && is_leased(PLAIN);
}

/*
 * Whatever the moment at which a lease appears, either skepd sees the host or the program the
 * lease. In a dry run, since the program then has more to do in between.
 */
static void a_host_and_a_lease_at_once(void **state)
{
	struct binder b = {};
	unsigned int both = 0;

	(void)state;
	set_world(&(struct row){.flags = SKEP_SETTING_DRY_RUN});
	assert_int_equal(pthread_create(&b.thread, NULL, bind_each_round, &b), 0);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		both += have_both(&b, round);
		consume();
	}
	pthread_join(b.thread, NULL);
	assert_int_equal(both, 0);
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_VERDICTS_HOSTS(HARNESS_VERDICT)};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

static int setup(void **state)
{
	(void)state;
	skel = uplink_bpf__open();
	if (!skel)
		return -1;
	harness_private_maps(skel->obj);
	skel->rodata->uplink_ordinal = UPLINK;
	if (uplink_bpf__load(skel))
		return -1;
	ring_buffer = ring_buffer__new(bpf_map__fd(skel->maps.asks), on_record, NULL, NULL);
	return ring_buffer ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	ring_buffer__free(ring_buffer);
	uplink_bpf__destroy(skel);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_lease_is_gone_with_the_frame),
		cmocka_unit_test(a_lease_gives_way_when_the_ring_is_full),
		cmocka_unit_test(a_router_speaks_for_others),
		cmocka_unit_test(the_gateway_is_a_router_from_the_start),
		cmocka_unit_test(who_forwards_is_a_router),
		cmocka_unit_test(a_host_is_noted_once_a_second),
		cmocka_unit_test(arp_is_believed_before_packets),
		cmocka_unit_test(a_host_that_was_forgotten_is_asked_for_again),
		cmocka_unit_test(a_dry_run_notes_who_asked_for_what),
		cmocka_unit_test(patience_is_each_requesters_own),
		cmocka_unit_test(a_dry_run_is_as_patient),
		cmocka_unit_test(a_host_that_was_noted_just_now_ends_a_lease),
		cmocka_unit_test(a_host_and_a_lease_at_once),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		table_add_test(&table, others[i]);
	return table_run(&table, "hosts", setup, teardown);
}
