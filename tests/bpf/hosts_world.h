/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The uplink program among machines that are not ours: a frame, how the world is when it comes, and
 * what it leaves behind in the maps and in the ring.
 */
#ifndef SKEP_TESTS_BPF_HOSTS_WORLD_H
#define SKEP_TESTS_BPF_HOSTS_WORLD_H

#include "uplink_world.h"

#include <arpa/inet.h>

#include "leases.h"

#define SEC 1000000000ULL
#define MEMORY (2400 * SEC)
#define PROBE_MEMORY (10 * SEC)
#define HAND_ON (600 * SEC)
#define SLOT 77 /* of the first address in `verify` */
#define QUIET 2

#define IP_STATION "\x0a\x42\x03\x01" /* 10.66.3.1, some neighbour */
#define IP_BROADCAST "\x0a\x42\xff\xff"
#define IP_ELSEWHERE "\x0a\x43\x00\x01" /* 10.67.0.1, of another network */
#define IP_FAR_RANGE "\x0a\x44\x00\x00" /* 10.68.0.0/24, of another network and yet a range */
#define IP_FAR "\x0a\x44\x00\x05"
#define IP_FAR_LEASED "\x0a\x44\x00\x06"

#define MAC_HOST "\x00\x1b\x21\x77\x77\x77"
#define MAC_FAR "\x00\x25\x90\x0f\x0f\x06"
#define MAC_STATION "\x00\x1b\x21\x55\x55\x55"

enum { NO_LEASE, PLAIN, TAGGED, FAR, LEASES };

static const struct lease_spec leases[LEASES] = {
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

/* ---- the world ------------------------------------------------------------- */

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

	world_set_range(IP_NETWORK, 16, 0, &range);
	world_set_range(IP_NETWORK, 16, 7, &range);
	world_set_range(IP_FAR_RANGE, 24, 0, &far);
	world_set_range(IP_ROUTER, 32, 0, &excluded);
	world_set_range(IP_NETWORK, 32, 0, &nobody);
	world_set_range(IP_BROADCAST, 32, 0, &nobody);
}

static void set_uplink(const struct row *row)
{
	world_set_uplink(&(struct skep_uplink){
		.first = 0x0a420000,
		.last = 0x0a4400ff,
		.network = row->network ? 0x0a420000 : 0,
		.network_last = row->network ? 0x0a42ffff : 0,
		.gateway = harness_ip(IP_ROUTER),
	});
}

static __u32 slot_of(const char *ip)
{
	return SLOT + (ntohl(harness_ip(ip).addr) - 0x0a420000);
}

static __u8 quiet_of(const char *ip)
{
	struct skep_verify v;
	__u32 slot = slot_of(ip);

	harness_get(skel->maps.verify, &slot, &v);
	return v.quiet;
}

static void set_quiet(const char *ip, __u8 quiet)
{
	const struct skep_verify v = {.probed_s = 1, .quiet = quiet};
	const __u32 slot = slot_of(ip);

	harness_put(skel->maps.verify, &slot, &v);
}

static void set_host(const struct row *row, __u64 now)
{
	const struct skep_addr address = world_address(IP_DARK, row->vlan);
	struct skep_host host = {.first_ns = 1, .seen_ns = now - 5 * SEC, .until_ns = now + SEC};
	struct skep_speaker_key key = {.uplink = UPLINK, .vlan = row->vlan};
	struct skep_speaker speaker = {.ip = harness_ip(IP_STATION), .router = 1};

	memcpy(host.mac, MAC_HOST, sizeof(host.mac));
	memcpy(key.mac, MAC_HOST, sizeof(key.mac));
	if (row->known == ROUTER)
		harness_put(skel->maps.speakers, &key, &speaker);
	if (row->known == NOBODY || row->known == ROUTER)
		return;
	if (row->known == OVER)
		host.until_ns = now - 1;
	if (row->known == HANDED || row->known == OUTDATED) {
		memcpy(host.ours, row->vlan ? MAC_DARK_7 : MAC_DARK, sizeof(host.ours));
		host.hand_on_ns = row->known == HANDED ? now + SEC : now - 1;
		host.conflicts = 1;
	}
	harness_put(skel->maps.hosts, &address, &host);
}

static void set_world(const struct row *row)
{
	harness_empty(skel->maps.hosts);
	harness_empty(skel->maps.speakers);
	harness_empty(skel->maps.patience);
	harness_empty(skel->maps.would_claim);
	lease_set_all(skel->maps.leases, leases, LEASES);
	set_ranges(row);
	set_uplink(row);
	world_set_settings(&(struct skep_settings){
		.flags = row->flags,
		.host_memory_ns = MEMORY,
	});
	set_quiet(IP_DARK, row->verify ? row->verify - 1 : QUIET);
	set_quiet(IP_LEASED, QUIET);
	set_host(row, harness_clock(CLOCK_MONOTONIC_COARSE));
	asks_read();
}

/* ---- one frame ------------------------------------------------------------- */

static bool is_leased(__u32 which)
{
	struct skep_addr key = lease_key(&leases[which]);
	struct skep_lease lease;

	return harness_find(skel->maps.leases, &key, &lease);
}

static void check_host(const struct row *row, __u64 since_ns)
{
	const struct skep_addr address = world_address(row->on, row->vlan);
	const __u64 memory = row->memory == SHORT ? PROBE_MEMORY : MEMORY;
	const __u64 now = harness_clock(CLOCK_MONOTONIC_COARSE);
	struct skep_host host;

	harness_get(skel->maps.hosts, &address, &host);
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

/* The slot of a lease in the world is its container. */
static void check_record(const struct row *row)
{
	const bool conflict = row->verdict == SKEP_CONFLICT;
	const struct skep_ask *head = asks_nth(0);
	const __u16 len =
		conflict && row->in.len > SKEP_ASK_SMALL ? SKEP_ASK_SMALL : (__u16)row->in.len;

	assert_int_equal(asks_read(), 1);
	assert_int_equal(head->verdict, row->verdict);
	assert_int_equal(head->address.ip.addr, harness_ip(conflict ? row->on : IP_DARK).addr);
	assert_int_equal(head->address.vlan, row->vlan);
	assert_int_equal(head->container, row->gives_way);
	assert_int_equal(head->frame_len, len);
	assert_memory_equal(asks.records[0].ask.frame, row->in.at, len);
}

static void becomes(void **state)
{
	const struct row *row = *state;
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	const __u64 since_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	static struct outcome outcome;
	unsigned int before;

	set_world(row);
	before = harness_size(skel->maps.hosts);
	world_becomes(&row->in, row->verdict, &outcome);
	harness_check_frame(&outcome, out);
	for (__u32 which = 1; which < LEASES; which++)
		assert_int_equal(is_leased(which), which != row->gives_way);
	if (row->memory)
		check_host(row, since_ns);
	else
		assert_int_equal(harness_size(skel->maps.hosts), before);
	if (row->verdict == SKEP_CONFLICT || row->verdict == SKEP_ASK_ARP ||
	    row->verdict == SKEP_ASK_IP)
		check_record(row);
	else
		assert_int_equal(asks_read(), 0);
}

/* ---- rows ------------------------------------------------------------------ */

#define ALL_HOST MAC_ALL MAC_HOST
#define ALL_STATION MAC_ALL MAC_STATION
#define DARK_STATION MAC_DARK MAC_STATION
#define LEASE_STATION MAC_LEASE MAC_STATION
#define PROBE(ip) WHO_HAS(MAC_HOST, IP_NONE, ip)
#define ANNOUNCE(ip) WHO_HAS(MAC_HOST, ip, ip)
#define V(what) .verdict = SKEP_##what
#define LEARNS(ip) .on = (ip), .memory = LONG
#define HEARS_PROBE(ip) .on = (ip), .memory = SHORT
#define ASKED(ip) WHO_HAS(MAC_STATION, IP_ROUTER, ip)

static const struct bytes ask = BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK));
static const struct bytes announce = BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_DARK));

static void run(const struct bytes *frame, enum skep_verdict verdict)
{
	static struct outcome outcome;

	world_becomes(frame, verdict, &outcome);
}

/* What hosts make of a frame; the rest is about what else keeps an address dark. */
static const enum skep_verdict of_hosts[] = {SKEP_CONFLICT, SKEP_CONFLICT_UNTOLD,
					     SKEP_PASS_HANDED_ON, SKEP_PASS_HOST};

#endif
