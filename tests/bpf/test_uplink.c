// SPDX-License-Identifier: GPL-2.0
/*
 * The uplink program: a table of frames, what becomes of each, and what it leaves behind in the
 * maps and in the ring. Runs in the kernel but on no NIC; where a redirected frame arrives is
 * test_wire.c's to see.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/bpf.h>
#include <pthread.h>

#include "../table.h"
#include "harness.h"
#include "uplink.skel.h"

#define UPLINK 3 /* neither the first, nor the only one with leases and ranges */

#define IP_OUTSIDE "\xcb\x00\x71\x05"	   /* 203.0.113.5, leased though no range has it */
#define IP_HOLE "\x0a\x42\x04\x4d"	   /* 10.66.4.77, excluded alone */
#define IP_VLAN_9 "\x0a\x42\x04\x09"	   /* 10.66.4.9, leased on VLAN 9 only */
#define IP_OTHER_UPLINK "\x0a\x42\x04\x0a" /* 10.66.4.10, leased on another uplink only */
#define IP_SECOND "\x0a\x42\x04\x15"	   /* 10.66.4.21, leased to who has 10.66.4.3 as well */

#define MAC_SECOND "\x00\x25\x90\x21\x21\x21"
#define MAC_DARK "\x00\x25\x90\xeb\x3c\x47"   /* of 10.66.4.2, by the settings below */
#define MAC_DARK_7 "\x00\x25\x90\xfd\xf0\x68" /* of 10.66.4.2 on VLAN 7 */

/* SECOND is a further address of the container that has PLAIN: its link address is PLAIN's. */
enum lease {
	NO_LEASE,
	PLAIN,
	TAGGED,
	OUTSIDE,
	ON_VLAN_9,
	ON_OTHER_UPLINK,
	SECOND,
	SECOND_TAGGED,
	LEASES,
};

static const struct harness_lease leases[LEASES] = {
	[PLAIN] = {IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, 101},
	[TAGGED] = {IP_LEASED, MAC_TAGGED, NULL, 7, UPLINK, 102},
	[OUTSIDE] = {IP_OUTSIDE, MAC_OTHER, NULL, 0, UPLINK, 103},
	[ON_VLAN_9] = {IP_VLAN_9, MAC_OTHER, NULL, 9, UPLINK, 104},
	[ON_OTHER_UPLINK] = {IP_OTHER_UPLINK, MAC_OTHER, NULL, 0, UPLINK - 1, 105},
	[SECOND] = {IP_SECOND, MAC_SECOND, MAC_LEASE, 0, UPLINK, 101},
	[SECOND_TAGGED] = {IP_SECOND, MAC_SECOND, MAC_TAGGED, 7, UPLINK, 102},
};

static const struct {
	const char *ip;
	__u32 bits;
	__u16 vlan, uplink;
	__u8 excluded;
} ranges[] = {
	{"\x0a\x42\x00\x00", 16, 0, UPLINK, 0},
	{"\x0a\x42\x00\x00", 24, 0, UPLINK, 1},
	{IP_HOLE, 32, 0, UPLINK, 1},
	{"\x0a\x42\x00\x00", 16, 7, UPLINK, 0},
	{"\xc0\x00\x02\x00", 24, 9, UPLINK, 0},
	{"\xc0\x00\x02\x00", 24, 0, UPLINK - 1, 0},
	{"\x0a\x42\x04\x00", 24, 0, UPLINK + 1, 1},
};

/* What the ring has brought. */
struct ring {
	struct ring_buffer *buffer;
	struct skep_ask_large last;
	size_t size;
	unsigned int n;
};

static struct uplink_bpf *skel;
static struct ring ring;

static int fd_of(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

static int program(void)
{
	return bpf_program__fd(skel->progs.uplink);
}

static int on_record(void *data, void *record, size_t size)
{
	struct ring *to = data;

	if (size > sizeof(to->last))
		return -E2BIG;
	memset(&to->last, 0xa5, sizeof(to->last));
	memcpy(&to->last, record, size);
	to->size = size;
	to->n++;
	return 0;
}

/* Takes what waits in the ring; returns how many records that were. */
static unsigned int consume(void)
{
	ring.n = 0;
	assert_true(ring_buffer__consume(ring.buffer) >= 0);
	return ring.n;
}

/* ---- the world ------------------------------------------------------------- */

static void set_leases(void)
{
	harness_set_leases(fd_of(skel->maps.leases), leases, LEASES);
}

static void set_ranges(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct skep_range_key key = {
			.prefixlen = SKEP_RANGE_KEY_BITS + ranges[i].bits,
			.uplink = ranges[i].uplink,
			.vlan = ranges[i].vlan,
			.ip = harness_ip(ranges[i].ip),
		};
		struct skep_range value = {
			.flags = ranges[i].excluded ? SKEP_RANGE_EXCLUDED : 0,
			.density = ~0U,
		};

		assert_int_equal(
			bpf_map_update_elem(fd_of(skel->maps.ranges), &key, &value, BPF_ANY), 0);
	}
}

/* Link addresses begin with this prefix, and follow from a key of zeros. */
static void set_settings(const struct skep_settings *value)
{
	struct skep_settings s = *value;
	__u32 only = 0;

	s.n_ouis = 1;
	memcpy(s.ouis[0], "\x00\x25\x90", sizeof(s.ouis[0]));
	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.settings), &only, &s, BPF_ANY), 0);
}

static void set_uplink(void)
{
	const struct skep_uplink uplink = {
		.first = 0x0a420000,
		.last = 0xc00002ff,
	};
	__u32 ordinal = UPLINK;

	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.uplinks), &ordinal, &uplink, BPF_ANY),
			 0);
}

/* Nobody has been heard yet; what hosts do is for test_hosts.c. */
static void forget_hosts(void)
{
	struct skep_addr key;

	while (!bpf_map_get_next_key(fd_of(skel->maps.hosts), NULL, &key))
		assert_int_equal(bpf_map_delete_elem(fd_of(skel->maps.hosts), &key), 0);
}

/* ---- one frame ------------------------------------------------------------- */

/**
 * struct row - a frame and what is to become of it
 * @out:                        as it leaves, where that is not how it came
 * @lease:                      whose frame it is, when it is redirected
 * @asked, @requester, @vlan:   what the ring record says, when there is one
 * @settings:                   as they are when the frame comes
 */
struct row {
	const char *name;
	struct bytes in;
	enum skep_verdict verdict;
	struct bytes out;
	enum lease lease;
	const char *asked, *requester;
	__u16 vlan;
	struct skep_settings settings;
};

static enum xdp_action action_of(enum skep_verdict verdict)
{
	switch (verdict) {
	case SKEP_LEASED_ARP:
	case SKEP_LEASED_IP:
		return XDP_REDIRECT;
	case SKEP_DROP_WRONG_MAC:
	case SKEP_ASK_ARP:
	case SKEP_ASK_IP:
	case SKEP_DROP_ASK_RING_FULL:
	case SKEP_DROP_ASK_TOO_LONG:
	case SKEP_DROP_BUDGET:
	case SKEP_DROP_BUDGET_REQUESTER:
		return XDP_DROP;
	default:
		return XDP_PASS;
	}
}

/* The record is as expected to its last byte, the room behind the frame included. */
static void check_record(const struct row *row, __u64 since_ns)
{
	static struct skep_ask_large expected;
	size_t room = row->in.len <= SKEP_ASK_SMALL ? SKEP_ASK_SMALL : SKEP_ASK_LARGE;

	assert_int_equal(consume(), 1);
	assert_int_equal(ring.size, sizeof(struct skep_ask) + room);
	assert_in_range(ring.last.head.seen_ns, since_ns, harness_clock(CLOCK_MONOTONIC));
	memset(&expected, 0, sizeof(expected));
	expected.head = (struct skep_ask){
		.seen_ns = ring.last.head.seen_ns,
		.address.ip = harness_ip(row->asked),
		.address.vlan = row->vlan,
		.address.uplink = UPLINK,
		.requester = harness_ip(row->requester),
		.verdict = row->verdict,
		.frame_len = row->in.len,
	};
	memcpy(expected.frame, row->in.at, row->in.len);
	assert_memory_equal(&ring.last, &expected, ring.size);
}

static void check_row(const struct row *row)
{
	__u64 now_ns = harness_clock(CLOCK_MONOTONIC);
	__u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	static struct outcome outcome;

	forget_hosts();
	set_leases();
	set_settings(&row->settings);
	consume();
	harness_mark(fd_of(skel->maps.counters));
	harness_run(program(), row->in.at, row->in.len, &outcome);
	harness_check_counted(fd_of(skel->maps.counters), row->verdict);
	assert_int_equal(outcome.action, action_of(row->verdict));
	harness_check_frame(&outcome, out->at, out->len);
	harness_check_leases(fd_of(skel->maps.leases), leases, LEASES, row->lease, IN, coarse_ns);
	if (row->verdict == SKEP_ASK_ARP || row->verdict == SKEP_ASK_IP)
		check_record(row, now_ns);
	else
		assert_int_equal(consume(), 0);
}

static void becomes(void **state)
{
	check_row(*state);
}

/* ---- the table ------------------------------------------------------------- */

#define TO_ALL MAC_ALL MAC_ROUTER
#define TO_LEASE MAC_LEASE MAC_ROUTER
#define TO_TAGGED MAC_TAGGED MAC_ROUTER
#define TO_OTHER MAC_OTHER MAC_ROUTER
#define TO_DARK MAC_DARK MAC_ROUTER
#define TO_DARK_7 MAC_DARK_7 MAC_ROUTER
#define TO_SECOND MAC_SECOND MAC_ROUTER
#define ASK(ip) WHO_HAS(MAC_ROUTER, IP_ROUTER, ip)
#define PING(ip) IPV4(IP_CLIENT, ip)
#define PASSES(what) .verdict = SKEP_PASS_##what
#define LEASED(what, whose) .verdict = SKEP_LEASED_##what, .lease = (whose)
#define HELD_ARP(ip) .verdict = SKEP_ASK_ARP, .asked = (ip), .requester = IP_ROUTER
#define HELD_IP(ip) .verdict = SKEP_ASK_IP, .asked = (ip), .requester = IP_CLIENT
#define DRAINED .settings.flags = SKEP_SETTING_DRAIN
#define USED_UP(what) .settings.what##_interval_ns = 1 /* and no burst */
#define BOTH_USED_UP USED_UP(bind), USED_UP(requester)

static const struct row rows[] = {
	/* The box's own. */
	{"IPv6", BYTES(TO_LEASE TYPE_IPV6 "\x60" PING(IP_LEASED)), PASSES(OTHER)},
	{"tagged twice", BYTES(TO_ALL TAG_7 TAG_7 TYPE_ARP ASK(IP_LEASED)), PASSES(OTHER)},
	{"tagged by a provider", BYTES(TO_ALL TYPE_8021AD "\x00\x07" TYPE_ARP ASK(IP_LEASED)),
	 PASSES(OTHER)},
	{"Ethernet header alone", BYTES(TO_LEASE TYPE_IPV6), PASSES(OTHER)},
	{"who-has for nobody's address", BYTES(TO_ALL TYPE_ARP ASK(IP_FOREIGN)), PASSES(NO_RANGE)},
	{"IPv4 to nobody's address", BYTES(TO_OTHER TYPE_IPV4 PING(IP_FOREIGN)), PASSES(NO_RANGE)},
	{"who-has for a range's address on a VLAN without that range",
	 BYTES(TO_ALL TAG("\x00\x08") TYPE_ARP ASK(IP_DARK)), PASSES(NO_RANGE)},
	{"who-has on a VLAN id that is none", BYTES(TO_ALL TAG("\x0f\xff") TYPE_ARP ASK(IP_DARK)),
	 PASSES(NO_RANGE)},
	{"who-has untagged for a range's address on a VLAN",
	 BYTES(TO_ALL TYPE_ARP ASK("\xc0\x00\x02\x09")), PASSES(NO_RANGE)},
	{"who-has for an excluded prefix", BYTES(TO_ALL TYPE_ARP ASK(IP_ROUTER)), PASSES(EXCLUDED)},
	{"who-has for an excluded address", BYTES(TO_ALL TYPE_ARP ASK(IP_HOLE)), PASSES(EXCLUDED)},
	{"IPv4 to an excluded address", BYTES(TO_OTHER TYPE_IPV4 PING(IP_HOLE)), PASSES(EXCLUDED)},
	{"is-at for an excluded address",
	 BYTES(TO_ALL TYPE_ARP IS_AT(MAC_LEASE, IP_LEASED, MAC_LEASE, IP_ROUTER)),
	 PASSES(EXCLUDED)},

	/* Cut off, malformed, impossible: also for a leased address. */
	{"who-has without its last byte",
	 {(const __u8 *)TO_ALL TYPE_ARP ASK(IP_LEASED), 41},
	 PASSES(TRUNCATED)},
	{"who-has with a tag without its last byte",
	 {(const __u8 *)TO_ALL TAG_7 TYPE_ARP ASK(IP_LEASED), 45},
	 PASSES(TRUNCATED)},
	{"IPv4 without its header's last byte",
	 {(const __u8 *)TO_LEASE TYPE_IPV4 PING(IP_LEASED), 33},
	 PASSES(TRUNCATED)},
	{"IPv4 to a lease that ends inside its options",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x47", IP_CLIENT, IP_LEASED) "\x94\x04\x00\x00"),
	 PASSES(TRUNCATED)},
	{"IPv4 to a dark address that ends inside its options",
	 BYTES(TO_DARK TYPE_IPV4 IPV4_FROM("\x46", IP_CLIENT, IP_DARK)), PASSES(TRUNCATED)},
	{"half a tag", BYTES(TO_ALL TAG_7 "\x08"), PASSES(TRUNCATED)},
	{"ARP of another hardware type",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x06\x08\x00\x06\x04\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_LEASED),
	 PASSES(ARP_MALFORMED)},
	{"ARP operation 0",
	 BYTES(TO_ALL TYPE_ARP ARP("\x00\x00", MAC_ROUTER, IP_ROUTER, MAC_NONE, IP_DARK)),
	 PASSES(ARP_MALFORMED)},
	{"who-has from a group's link address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_GROUP, IP_ROUTER, IP_DARK)), PASSES(ARP_SENDER)},
	{"who-has from loopback for a lease",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_LOOPBACK, IP_LEASED)), PASSES(ARP_SENDER)},
	{"IP version 6 in an IPv4 frame",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x65", IP_CLIENT, IP_LEASED) ECHO),
	 PASSES(IP_MALFORMED)},
	{"IPv4 header of 16 bytes",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x44", IP_CLIENT, IP_LEASED) ECHO),
	 PASSES(IP_MALFORMED)},

	/* To a lease: untouched, but for the tag. */
	{"who-has for a lease", BYTES(TO_ALL TYPE_ARP ASK(IP_LEASED) PADDING), LEASED(ARP, PLAIN)},
	{"who-has for a lease, sent to it", BYTES(TO_LEASE TYPE_ARP ASK(IP_LEASED)),
	 LEASED(ARP, PLAIN)},
	{"a lease's own announcement, which comes back",
	 BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_LEASED)),
	 LEASED(ARP, PLAIN)},
	{"is-at for a lease",
	 BYTES(TO_LEASE TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_LEASED)),
	 LEASED(ARP, PLAIN)},
	{"IPv4 to a lease", BYTES(TO_LEASE TYPE_IPV4 PING(IP_LEASED)), LEASED(IP, PLAIN)},
	{"IPv4 with an option to a lease",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x46", IP_CLIENT, IP_LEASED) "\x94\x04\x00\x00" ECHO),
	 LEASED(IP, PLAIN)},
	{"who-has for a lease of no range", BYTES(TO_ALL TYPE_ARP ASK(IP_OUTSIDE)),
	 LEASED(ARP, OUTSIDE)},
	{"who-has for a lease on a VLAN", BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_LEASED) PADDING),
	 LEASED(ARP, TAGGED), .out = BYTES(TO_ALL TYPE_ARP ASK(IP_LEASED) PADDING)},
	{"who-has with a priority for a lease on a VLAN",
	 BYTES(TO_ALL TAG_7_URGENT TYPE_ARP ASK(IP_LEASED)), LEASED(ARP, TAGGED),
	 .out = BYTES(TO_ALL TYPE_ARP ASK(IP_LEASED))},
	{"IPv4 to a lease on a VLAN", BYTES(TO_TAGGED TAG_7 TYPE_IPV4 PING(IP_LEASED)),
	 LEASED(IP, TAGGED), .out = BYTES(TO_TAGGED TYPE_IPV4 PING(IP_LEASED))},
	{"IPv4, priority-tagged, to a lease", BYTES(TO_LEASE TAG_0 TYPE_IPV4 PING(IP_LEASED)),
	 LEASED(IP, PLAIN), .out = BYTES(TO_LEASE TYPE_IPV4 PING(IP_LEASED))},

	/* To a lease, but not to its link address. */
	{"IPv4 to a lease's address and another MAC", BYTES(TO_OTHER TYPE_IPV4 PING(IP_LEASED)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a lease's address and its MAC on another VLAN",
	 BYTES(TO_TAGGED TYPE_IPV4 PING(IP_LEASED)), .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a lease's address and another MAC on its VLAN",
	 BYTES(TO_LEASE TAG_7 TYPE_IPV4 PING(IP_LEASED)), .verdict = SKEP_DROP_WRONG_MAC},
	{"who-has for a lease, sent to another MAC", BYTES(TO_OTHER TYPE_ARP ASK(IP_LEASED)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"who-has for a lease, sent to another MAC on its VLAN",
	 BYTES(TO_LEASE TAG_7 TYPE_ARP ASK(IP_LEASED)), .verdict = SKEP_DROP_WRONG_MAC},
	{"is-at for a lease, sent to another MAC",
	 BYTES(TO_OTHER TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_LEASED)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a lease's MAC with its last bit off",
	 BYTES("\x00\x25\x90\x01\x02\x02" MAC_ROUTER TYPE_IPV4 PING(IP_LEASED)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a lease's MAC with a bit in its middle off",
	 BYTES("\x00\x25\x90\x81\x02\x03" MAC_ROUTER TYPE_IPV4 PING(IP_LEASED)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a lease's MAC with a bit at its beginning off",
	 BYTES("\x02\x25\x90\x01\x02\x03" MAC_ROUTER TYPE_IPV4 PING(IP_LEASED)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a lease's address, broadcast", BYTES(TO_ALL TYPE_IPV4 PING(IP_LEASED)),
	 PASSES(IP_GROUP)},
	{"IPv4 to a lease's address, multicast",
	 BYTES(MAC_GROUP MAC_ROUTER TYPE_IPV4 PING(IP_LEASED)), PASSES(IP_GROUP)},

	/* To a further address of its container: arrives with the container's own link address. */
	{"shared: IPv4", BYTES(TO_SECOND TYPE_IPV4 PING(IP_SECOND)), LEASED(IP, SECOND),
	 .out = BYTES(TO_LEASE TYPE_IPV4 PING(IP_SECOND))},
	{"shared: IPv4 on a VLAN", BYTES(TO_SECOND TAG_7 TYPE_IPV4 PING(IP_SECOND)),
	 LEASED(IP, SECOND_TAGGED), .out = BYTES(TO_TAGGED TYPE_IPV4 PING(IP_SECOND))},
	{"shared: who-has", BYTES(TO_ALL TYPE_ARP ASK(IP_SECOND) PADDING), LEASED(ARP, SECOND)},
	{"shared: who-has, sent to it", BYTES(TO_SECOND TYPE_ARP ASK(IP_SECOND) PADDING),
	 LEASED(ARP, SECOND), .out = BYTES(TO_LEASE TYPE_ARP ASK(IP_SECOND) PADDING)},
	{"shared: who-has, sent to it, that names it",
	 BYTES(TO_SECOND TYPE_ARP ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, MAC_SECOND, IP_SECOND)),
	 LEASED(ARP, SECOND),
	 .out = BYTES(
		 TO_LEASE TYPE_ARP ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_SECOND))},
	{"shared: who-has on a VLAN", BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_SECOND)),
	 LEASED(ARP, SECOND_TAGGED), .out = BYTES(TO_ALL TYPE_ARP ASK(IP_SECOND))},
	{"shared: is-at",
	 BYTES(TO_SECOND TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_SECOND, IP_SECOND)),
	 LEASED(ARP, SECOND),
	 .out = BYTES(TO_LEASE TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_SECOND))},
	{"shared: is-at on a VLAN",
	 BYTES(TO_SECOND TAG_7 TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_SECOND, IP_SECOND)),
	 LEASED(ARP, SECOND_TAGGED),
	 .out = BYTES(TO_TAGGED TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_TAGGED, IP_SECOND))},
	{"shared: is-at that names another",
	 BYTES(TO_SECOND TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_OTHER, IP_SECOND)),
	 LEASED(ARP, SECOND),
	 .out = BYTES(TO_LEASE TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_OTHER, IP_SECOND))},
	{"shared: is-at, broadcast",
	 BYTES(TO_ALL TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_SECOND, IP_SECOND)),
	 LEASED(ARP, SECOND),
	 .out = BYTES(TO_ALL TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_SECOND))},
	{"shared: IPv4 to the container's own MAC", BYTES(TO_LEASE TYPE_IPV4 PING(IP_SECOND)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"shared: who-has to the container's own MAC", BYTES(TO_LEASE TYPE_ARP ASK(IP_SECOND)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"shared: IPv4 to the first address by the MAC of the second",
	 BYTES(TO_SECOND TYPE_IPV4 PING(IP_LEASED)), .verdict = SKEP_DROP_WRONG_MAC},
	{"shared: who-has for the first address by the MAC of the second",
	 BYTES(TO_SECOND TYPE_ARP ASK(IP_LEASED)), .verdict = SKEP_DROP_WRONG_MAC},
	{"shared: IPv4, broadcast", BYTES(TO_ALL TYPE_IPV4 PING(IP_SECOND)), PASSES(IP_GROUP)},

	/* To a dark address. */
	{"who-has for a dark address", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), HELD_ARP(IP_DARK)},
	{"who-has for a dark address, padded", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK) PADDING),
	 HELD_ARP(IP_DARK)},
	{"who-has for a dark address, sent to one station", BYTES(TO_DARK TYPE_ARP ASK(IP_DARK)),
	 HELD_ARP(IP_DARK)},
	{"who-has for an address that is leased on a VLAN only",
	 BYTES(TO_ALL TYPE_ARP ASK(IP_VLAN_9)), HELD_ARP(IP_VLAN_9)},
	{"who-has for an address that is leased on another uplink only",
	 BYTES(TO_ALL TYPE_ARP ASK(IP_OTHER_UPLINK)), HELD_ARP(IP_OTHER_UPLINK)},
	{"who-has for a dark address on a VLAN", BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK)),
	 HELD_ARP(IP_DARK), .vlan = 7},
	{"who-has with a priority for a dark address on a VLAN",
	 BYTES(TO_ALL TAG_7_URGENT TYPE_ARP ASK(IP_DARK)), HELD_ARP(IP_DARK), .vlan = 7},
	{"who-has on a VLAN for what is excluded elsewhere",
	 BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_HOLE)), HELD_ARP(IP_HOLE), .vlan = 7},
	{"who-has, priority-tagged, for a dark address",
	 BYTES(TO_ALL TAG("\xe0\x00") TYPE_ARP ASK(IP_DARK)), HELD_ARP(IP_DARK)},
	{"IPv4 to a dark address", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), HELD_IP(IP_DARK)},
	{"IPv4 header alone to a dark address",
	 BYTES(TO_DARK TYPE_IPV4 IPV4_FROM("\x45", IP_CLIENT, IP_DARK)), HELD_IP(IP_DARK)},
	{"IPv4 to a dark address on a VLAN", BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 PING(IP_DARK)),
	 HELD_IP(IP_DARK), .vlan = 7},

	/* To a dark address, but not to its link address. */
	{"IPv4 to a dark address and another MAC", BYTES(TO_OTHER TYPE_IPV4 PING(IP_DARK)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a dark address and a decoy's MAC", BYTES(TO_LEASE TYPE_IPV4 PING(IP_DARK)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a dark address and its MAC on another VLAN",
	 BYTES(TO_DARK_7 TYPE_IPV4 PING(IP_DARK)), .verdict = SKEP_DROP_WRONG_MAC},
	{"who-has for a dark address, sent to another MAC", BYTES(TO_OTHER TYPE_ARP ASK(IP_DARK)),
	 .verdict = SKEP_DROP_WRONG_MAC},
	{"IPv4 to a dark address and a MAC with its last bit off",
	 BYTES("\x00\x25\x90\xeb\x3c\x46" MAC_ROUTER TYPE_IPV4 PING(IP_DARK)),
	 .verdict = SKEP_DROP_WRONG_MAC},

	/* To a dark address, but no reason to bind it. */
	{"probe for a dark address", BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_NONE, IP_DARK)),
	 PASSES(ARP_PROBE)},
	{"somebody announces a dark address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_DARK, IP_DARK)), PASSES(ARP_GRATUITOUS)},
	{"somebody announces a dark address by a reply",
	 BYTES(TO_ALL TYPE_ARP IS_AT(MAC_OTHER, IP_DARK, MAC_ALL, IP_DARK)),
	 PASSES(ARP_GRATUITOUS)},
	{"is-at for a dark address",
	 BYTES(TO_OTHER TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_OTHER, IP_DARK)),
	 PASSES(ARP_REPLY)},
	{"IPv4 to a dark address, broadcast", BYTES(TO_ALL TYPE_IPV4 PING(IP_DARK)),
	 PASSES(IP_GROUP)},
	{"IPv4 to a dark address, multicast", BYTES(MAC_GROUP MAC_ROUTER TYPE_IPV4 PING(IP_DARK)),
	 PASSES(IP_GROUP)},
	{"IPv4 from nobody to a dark address", BYTES(TO_DARK TYPE_IPV4 IPV4(IP_NONE, IP_DARK)),
	 PASSES(IP_SENDER)},
	{"IPv4 from loopback to a dark address",
	 BYTES(TO_DARK TYPE_IPV4 IPV4(IP_LOOPBACK, IP_DARK)), PASSES(IP_SENDER)},
	{"IPv4 from a multicast address to a dark address",
	 BYTES(TO_DARK TYPE_IPV4 IPV4(IP_GROUP, IP_DARK)), PASSES(IP_SENDER)},
	{"IPv4 from the broadcast address to a dark address",
	 BYTES(TO_DARK TYPE_IPV4 IPV4(IP_ALL, IP_DARK)), PASSES(IP_SENDER)},
	{"IPv4 to a dark address in a frame from a group",
	 BYTES(MAC_OTHER MAC_GROUP TYPE_IPV4 PING(IP_DARK)), PASSES(IP_SENDER)},

	/* To a dark address of a farm that is drained: the box's own. */
	{"drained: who-has for a dark address", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), PASSES(DRAIN),
	 DRAINED},
	{"drained: who-has for a dark address on a VLAN", BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK)),
	 PASSES(DRAIN), DRAINED},
	{"drained: IPv4 to a dark address", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), PASSES(DRAIN),
	 DRAINED},
	{"drained: who-has for a dark address, budgets used up",
	 BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), PASSES(DRAIN),
	 .settings = {.flags = SKEP_SETTING_DRAIN,
		      .bind_interval_ns = 1,
		      .requester_interval_ns = 1}},
	{"drained: probe for a dark address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_NONE, IP_DARK)), PASSES(ARP_PROBE), DRAINED},
	{"drained: who-has for a lease", BYTES(TO_ALL TYPE_ARP ASK(IP_LEASED)), LEASED(ARP, PLAIN),
	 DRAINED},
	{"drained: IPv4 to a lease", BYTES(TO_LEASE TYPE_IPV4 PING(IP_LEASED)), LEASED(IP, PLAIN),
	 DRAINED},

	/* Over a budget: only what would ask for a bind. */
	{"over the farm's budget: who-has", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)),
	 .verdict = SKEP_DROP_BUDGET, USED_UP(bind)},
	{"over the farm's budget: who-has on a VLAN", BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK)),
	 .verdict = SKEP_DROP_BUDGET, USED_UP(bind)},
	{"over the farm's budget: IPv4", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)),
	 .verdict = SKEP_DROP_BUDGET, USED_UP(bind)},
	{"over the requester's budget: who-has", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)),
	 .verdict = SKEP_DROP_BUDGET_REQUESTER, USED_UP(requester)},
	{"over the requester's budget: IPv4", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)),
	 .verdict = SKEP_DROP_BUDGET_REQUESTER, USED_UP(requester)},
	{"over both budgets: who-has", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)),
	 .verdict = SKEP_DROP_BUDGET_REQUESTER, BOTH_USED_UP},
	{"over both budgets: probe for a dark address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_NONE, IP_DARK)), PASSES(ARP_PROBE),
	 BOTH_USED_UP},
	{"over both budgets: who-has for an excluded address", BYTES(TO_ALL TYPE_ARP ASK(IP_HOLE)),
	 PASSES(EXCLUDED), BOTH_USED_UP},
	{"over both budgets: who-has for a lease", BYTES(TO_ALL TYPE_ARP ASK(IP_LEASED)),
	 LEASED(ARP, PLAIN), BOTH_USED_UP},
	{"over both budgets: IPv4 to a lease", BYTES(TO_LEASE TYPE_IPV4 PING(IP_LEASED)),
	 LEASED(IP, PLAIN), BOTH_USED_UP},
};

/* ---- lengths --------------------------------------------------------------- */

static const struct bytes dark_arp = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK));
static const struct bytes dark_ip = BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK));
static const struct bytes dark_tagged = BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 PING(IP_DARK));
static const struct bytes leased_ip = BYTES(TO_LEASE TYPE_IPV4 PING(IP_LEASED));
static const struct bytes leased_tagged = BYTES(TO_TAGGED TAG_7 TYPE_IPV4 PING(IP_LEASED));
static const struct bytes foreign_ip = BYTES(TO_OTHER TYPE_IPV4 PING(IP_FOREIGN));

/* The frame with more behind it, up to @len bytes. */
static struct bytes longer(const struct bytes *frame, size_t len)
{
	static __u8 buf[FRAME_MAX];

	assert_in_range(len, frame->len, sizeof(buf));
	for (size_t i = 0; i < len; i++)
		buf[i] = (__u8)(0x80 | (i * 7 + i / 256));
	memcpy(buf, frame->at, frame->len);
	return (struct bytes){buf, len};
}

static void held_up_to_its_length(const struct bytes *frame, const struct row *as)
{
	static const size_t lens[] = {60, 127, 128, 129, 130, 1500, 1514, 1518, 2047, 2048};
	struct row row = *as;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = longer(frame, lens[i]);
		check_row(&row);
	}
	row.verdict = SKEP_DROP_ASK_TOO_LONG;
	for (size_t len = 2049; len < 3000; len += 500) {
		row.in = longer(frame, len);
		check_row(&row);
	}
}

static void held_frames_of_any_length(void **state)
{
	static const struct row arp = {.name = "", HELD_ARP(IP_DARK)};
	static const struct row ip = {.name = "", HELD_IP(IP_DARK)};
	static const struct row tagged = {.name = "", HELD_IP(IP_DARK), .vlan = 7};

	(void)state;
	held_up_to_its_length(&dark_arp, &arp);
	held_up_to_its_length(&dark_ip, &ip);
	held_up_to_its_length(&dark_tagged, &tagged);
}

static void redirected_frames_of_any_length(void **state)
{
	static const size_t lens[] = {60, 128, 129, 1514, 2048, 2049, 3000};
	struct row row = {.name = "", LEASED(IP, PLAIN)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = longer(&leased_ip, lens[i]);
		check_row(&row);
	}
}

/* Only the four bytes of the tag are gone. */
static void untagged_frames_of_any_length(void **state)
{
	static const size_t lens[] = {60, 128, 1518, 2048, 3000};
	struct row row = {.name = "", LEASED(IP, TAGGED)};
	static __u8 out[FRAME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = longer(&leased_tagged, lens[i]);
		memcpy(out, row.in.at, 12);
		memcpy(out + 12, row.in.at + 16, row.in.len - 16);
		row.out = (struct bytes){out, row.in.len - 4};
		check_row(&row);
	}
}

static void passed_frames_of_any_length(void **state)
{
	static const size_t lens[] = {60, 1514, 2049, 3000};
	struct row row = {.name = "", PASSES(NO_RANGE)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = longer(&foreign_ip, lens[i]);
		check_row(&row);
	}
}

/* From the Ethernet header on, the least that the kernel runs; a sanitizer watches the rest in
 * test_parse.c. */
static void cut_off_anywhere(void **state)
{
	static const struct {
		struct bytes frame;
		size_t header;
		struct row whole;
	} cut[] = {
		{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), 42, {.name = "", HELD_ARP(IP_DARK)}},
		{BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK)),
		 46,
		 {.name = "", HELD_ARP(IP_DARK), .vlan = 7}},
		{BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), 34, {.name = "", HELD_IP(IP_DARK)}},
		{BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 PING(IP_DARK)),
		 38,
		 {.name = "", HELD_IP(IP_DARK), .vlan = 7}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cut); i++)
		for (size_t len = 14; len <= cut[i].frame.len; len++) {
			struct row row = {.name = "", PASSES(TRUNCATED)};

			if (len >= cut[i].header)
				row = cut[i].whole;
			row.in = (struct bytes){cut[i].frame.at, len};
			check_row(&row);
		}
}

/* ---- many frames ----------------------------------------------------------- */

static void send_many(const struct bytes *frame, unsigned int n, __u32 action)
{
	static struct outcome outcome;

	for (unsigned int i = 0; i < n; i++) {
		harness_run(program(), frame->at, frame->len, &outcome);
		assert_int_equal(outcome.action, action);
	}
}

/* Leaves the ring empty, and nowhere in it a zero by chance: a record that is not cleared would
 * show. */
static void soil_the_ring(void)
{
	__u8 frame[SKEP_ASK_LARGE];
	struct bytes soiled = {frame, sizeof(frame)};

	memset(frame, 0xff, sizeof(frame));
	memcpy(frame, dark_ip.at, dark_ip.len);
	for (int round = 0; round < 8; round++) {
		send_many(&soiled, 64, XDP_DROP);
		assert_int_equal(consume(), 64);
	}
}

static void leases_count_their_frames(void **state)
{
	struct skep_addr key = harness_lease_key(&leases[PLAIN]);
	struct skep_lease lease;

	(void)state;
	set_leases();
	harness_mark(fd_of(skel->maps.counters));
	send_many(&leased_ip, 10, XDP_REDIRECT);
	harness_check_counted_n(fd_of(skel->maps.counters), SKEP_LEASED_IP, 10);
	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.leases), &key, &lease), 0);
	assert_int_equal(lease.packets_in, 10 + 10);
}

/* Bytes of the ring that a record takes: the kernel puts 8 before it and aligns to 8. */
#define SMALL_TAKES (8 + sizeof(struct skep_ask_small))
#define LARGE_TAKES (8 + sizeof(struct skep_ask_large))

static void check_full(const struct bytes *frame)
{
	static struct outcome outcome;

	harness_mark(fd_of(skel->maps.counters));
	harness_run(program(), frame->at, frame->len, &outcome);
	harness_check_counted(fd_of(skel->maps.counters), SKEP_DROP_ASK_RING_FULL);
	assert_int_equal(outcome.action, XDP_DROP);
	harness_check_frame(&outcome, frame->at, frame->len);
}

static void the_ring_is_full(void **state)
{
	__u32 size = bpf_map__max_entries(skel->maps.asks);
	unsigned int n = (__u32)((size - 1) / SMALL_TAKES);

	(void)state;
	assert_int_equal(size, 1 << 20);
	harness_mark(fd_of(skel->maps.counters));
	send_many(&dark_arp, n, XDP_DROP);
	harness_check_counted_n(fd_of(skel->maps.counters), SKEP_ASK_ARP, n);
	check_full(&dark_arp);
	check_full(&dark_ip);
	assert_int_equal(consume(), n);
	/* The next asks are heard again. */
	check_row(&(struct row){.name = "", .in = dark_arp, HELD_ARP(IP_DARK)});
}

static void the_ring_has_room_for_a_small_record_only(void **state)
{
	__u32 size = bpf_map__max_entries(skel->maps.asks);
	unsigned int n = (__u32)((size - 1) / LARGE_TAKES);
	struct bytes large;

	(void)state;
	assert_true((size - 1) % LARGE_TAKES >= SMALL_TAKES);
	large = longer(&dark_ip, 129);
	harness_mark(fd_of(skel->maps.counters));
	send_many(&large, n, XDP_DROP);
	harness_check_counted_n(fd_of(skel->maps.counters), SKEP_ASK_IP, n);
	check_full(&large);
	send_many(&dark_ip, 1, XDP_DROP);
	assert_int_equal(consume(), n + 1);
}

/* ---- budgets --------------------------------------------------------------- */

#define HOUR 3600000000000ULL
#define UNTOUCHED 12345

static __u64 farm_bucket(void)
{
	__u32 only = 0;
	__u64 tat;

	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.bind_budget), &only, &tat), 0);
	return tat;
}

static void set_farm_bucket(__u64 tat)
{
	__u32 only = 0;

	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.bind_budget), &only, &tat, BPF_ANY),
			 0);
}

static bool is_known(const char *ip, __u16 vlan)
{
	struct skep_addr key = {.ip = harness_ip(ip), .vlan = vlan, .uplink = UPLINK};
	__u64 tat;

	return !bpf_map_lookup_elem(fd_of(skel->maps.requesters), &key, &tat);
}

static unsigned int count_requesters(void)
{
	struct skep_addr key, *last = NULL;
	unsigned int n = 0;

	while (!bpf_map_get_next_key(fd_of(skel->maps.requesters), last, &key)) {
		last = &key;
		n++;
	}
	return n;
}

static void forget_requesters(void)
{
	struct skep_addr key;

	while (!bpf_map_get_next_key(fd_of(skel->maps.requesters), NULL, &key))
		assert_int_equal(bpf_map_delete_elem(fd_of(skel->maps.requesters), &key), 0);
}

/* An empty ring, full buckets, and these settings. */
static int begin(const struct skep_settings *value)
{
	consume();
	set_leases();
	set_settings(value);
	set_farm_bucket(0);
	forget_requesters();
	return fd_of(skel->maps.counters);
}

/* Each of @n frames becomes just this. */
static void check_many(const struct bytes *frame, unsigned int n, enum skep_verdict verdict)
{
	int counters = fd_of(skel->maps.counters);

	harness_mark(counters);
	send_many(frame, n, action_of(verdict));
	harness_check_counted_n(counters, verdict, n);
	assert_int_equal(consume(), verdict == SKEP_ASK_ARP || verdict == SKEP_ASK_IP ? n : 0);
}

static const struct bytes from_second_asker =
	BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_FOREIGN, IP_DARK));
static const struct bytes dark_arp_tagged = BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK));

/* Whoever asks, and for whatever. */
static void the_farm_has_a_budget(void **state)
{
	static const struct skep_settings three = {.bind_interval_ns = HOUR,
						   .bind_burst_ns = 3 * HOUR};

	(void)state;
	begin(&three);
	check_many(&dark_arp, 1, SKEP_ASK_ARP);
	check_many(&dark_ip, 1, SKEP_ASK_IP);
	check_many(&from_second_asker, 1, SKEP_ASK_ARP);
	check_many(&dark_arp, 10, SKEP_DROP_BUDGET);
	check_many(&dark_ip, 10, SKEP_DROP_BUDGET);
	check_many(&from_second_asker, 10, SKEP_DROP_BUDGET);
	assert_int_equal(count_requesters(), 0);
	check_many(&leased_ip, 10, SKEP_LEASED_IP);
}

static void each_requester_has_a_budget(void **state)
{
	static const struct skep_settings two = {
		.bind_interval_ns = HOUR,
		.bind_burst_ns = 100 * HOUR,
		.requester_interval_ns = HOUR,
		.requester_burst_ns = 2 * HOUR,
	};
	__u64 before;

	(void)state;
	begin(&two);
	check_many(&dark_arp, 2, SKEP_ASK_ARP);
	before = farm_bucket();
	check_many(&dark_arp, 10, SKEP_DROP_BUDGET_REQUESTER);
	assert_int_equal(farm_bucket(), before);
	check_many(&from_second_asker, 2, SKEP_ASK_ARP);
	check_many(&from_second_asker, 10, SKEP_DROP_BUDGET_REQUESTER);
	check_many(&dark_ip, 2, SKEP_ASK_IP);
	check_many(&dark_ip, 10, SKEP_DROP_BUDGET_REQUESTER);
	/* Who has the same address on another VLAN is somebody else. */
	check_many(&dark_arp_tagged, 2, SKEP_ASK_ARP);
	check_many(&dark_arp_tagged, 10, SKEP_DROP_BUDGET_REQUESTER);
	assert_int_equal(count_requesters(), 4);
	assert_true(is_known(IP_ROUTER, 0) && is_known(IP_ROUTER, 7));
	assert_true(is_known(IP_FOREIGN, 0) && is_known(IP_CLIENT, 0));
}

/* The bucket holds the moment it is full again: as if the time had passed. */
static void budgets_come_back(void **state)
{
	static const struct skep_settings one = {.bind_interval_ns = HOUR, .bind_burst_ns = HOUR};
	__u64 now, tat;

	(void)state;
	begin(&one);
	now = harness_clock(CLOCK_MONOTONIC);
	check_many(&dark_arp, 1, SKEP_ASK_ARP);
	assert_in_range(farm_bucket(), now + HOUR, harness_clock(CLOCK_MONOTONIC) + HOUR);
	tat = farm_bucket();
	check_many(&dark_arp, 1, SKEP_DROP_BUDGET);
	assert_int_equal(farm_bucket(), tat);
	set_farm_bucket(tat - HOUR);
	check_many(&dark_arp, 1, SKEP_ASK_ARP);
	check_many(&dark_arp, 1, SKEP_DROP_BUDGET);
}

static void without_limits_nobody_is_remembered(void **state)
{
	static const struct skep_settings none = {.bind_burst_ns = HOUR,
						  .requester_burst_ns = HOUR};

	(void)state;
	begin(&none);
	set_farm_bucket(UNTOUCHED);
	check_many(&dark_arp, 100, SKEP_ASK_ARP);
	assert_int_equal(farm_bucket(), UNTOUCHED);
	assert_int_equal(count_requesters(), 0);
}

/* Neither frames for leases, nor those that are too long to be held, cost anybody anything. */
static void only_asks_are_counted(void **state)
{
	static const struct skep_settings one = {
		.bind_interval_ns = HOUR,
		.bind_burst_ns = HOUR,
		.requester_interval_ns = HOUR,
		.requester_burst_ns = HOUR,
	};
	struct bytes too_long;

	(void)state;
	begin(&one);
	check_many(&leased_ip, 10, SKEP_LEASED_IP);
	check_many(&foreign_ip, 10, SKEP_PASS_NO_RANGE);
	too_long = longer(&dark_ip, SKEP_ASK_LARGE + 1);
	check_many(&too_long, 10, SKEP_DROP_ASK_TOO_LONG);
	assert_int_equal(farm_bucket(), 0);
	assert_int_equal(count_requesters(), 0);
	check_many(&dark_ip, 1, SKEP_ASK_IP);
}

/* A sender that forges its address finds a full bucket each time, but the farm's stays in force,
 * and the map holds no more than it has room for. */
static void forged_requesters_are_forgotten(void **state)
{
	static const struct skep_settings s = {
		.bind_interval_ns = HOUR,
		.requester_interval_ns = HOUR,
		.requester_burst_ns = HOUR,
	};
	static struct outcome outcome;
	__u8 frame[64];
	int counters = begin(&s);

	(void)state;
	memcpy(frame, dark_arp.at, dark_arp.len);
	harness_mark(counters);
	for (__u32 i = 0; i < 3 * SKEP_REQUESTERS_MAX; i++) {
		__be32 forged = htonl(0x0b000001 + i); /* 11.0.0.1 and on */

		memcpy(frame + 28, &forged, sizeof(forged));
		harness_run(program(), frame, dark_arp.len, &outcome);
	}
	harness_check_counted_n(counters, SKEP_DROP_BUDGET, 3 * SKEP_REQUESTERS_MAX);
	assert_in_range(count_requesters(), SKEP_REQUESTERS_MAX / 2, SKEP_REQUESTERS_MAX);
}

/* ---- several CPUs at once -------------------------------------------------- */

#define THREADS 2
#define ALLOWED 5000 /* fewer than the ring holds */

static void *flood(void *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = dark_arp.at,
		    .data_size_in = (__u32)dark_arp.len, .repeat = 10 * ALLOWED);

	*(int *)err = bpf_prog_test_run_opts(program(), &opts);
	return NULL;
}

/* Just as many were let through as the budget has, and as many records are in the ring. */
static void check_flood(const struct skep_settings *value, enum skep_verdict refused)
{
	int counters = begin(value), errs[THREADS];
	pthread_t threads[THREADS];

	harness_mark(counters);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, &errs[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(errs[i], 0);
	}
	assert_int_equal(harness_counter(counters, SKEP_ASK_ARP) - counted_before[SKEP_ASK_ARP],
			 ALLOWED);
	assert_int_equal(harness_counter(counters, refused) - counted_before[refused],
			 THREADS * 10 * ALLOWED - ALLOWED);
	assert_int_equal(consume(), ALLOWED);
}

static void a_flood_by_several_cpus_stays_within_the_farms_budget(void **state)
{
	static const struct skep_settings s = {.bind_interval_ns = HOUR,
					       .bind_burst_ns = ALLOWED * HOUR};

	(void)state;
	check_flood(&s, SKEP_DROP_BUDGET);
}

static void a_flood_by_several_cpus_stays_within_the_requesters_budget(void **state)
{
	static const struct skep_settings s = {
		.requester_interval_ns = HOUR,
		.requester_burst_ns = ALLOWED * HOUR,
	};

	(void)state;
	check_flood(&s, SKEP_DROP_BUDGET_REQUESTER);
}

/* What the program binds by itself is for test_bind.c. */
static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_VERDICTS_UPLINK(HARNESS_VERDICT)};
	static const enum skep_verdict binds[] = {SKEP_BOUND_ARP, SKEP_BOUND_IP, SKEP_BOUND_UNTOLD,
						  SKEP_HELD_SETTLING};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(binds); i++)
		verdict_seen[binds[i]] = true;
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
	ring.buffer = ring_buffer__new(fd_of(skel->maps.asks), on_record, &ring, NULL);
	if (!ring.buffer)
		return -1;
	set_ranges();
	set_uplink();
	set_settings(&(struct skep_settings){});
	soil_the_ring();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	ring_buffer__free(ring.buffer);
	uplink_bpf__destroy(skel);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(held_frames_of_any_length),
		cmocka_unit_test(redirected_frames_of_any_length),
		cmocka_unit_test(untagged_frames_of_any_length),
		cmocka_unit_test(passed_frames_of_any_length),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(leases_count_their_frames),
		cmocka_unit_test(the_ring_is_full),
		cmocka_unit_test(the_ring_has_room_for_a_small_record_only),
		cmocka_unit_test(the_farm_has_a_budget),
		cmocka_unit_test(each_requester_has_a_budget),
		cmocka_unit_test(budgets_come_back),
		cmocka_unit_test(without_limits_nobody_is_remembered),
		cmocka_unit_test(only_asks_are_counted),
		cmocka_unit_test(forged_requesters_are_forgotten),
		cmocka_unit_test(a_flood_by_several_cpus_stays_within_the_farms_budget),
		cmocka_unit_test(a_flood_by_several_cpus_stays_within_the_requesters_budget),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		table_add_test(&table, others[i]);
	return table_run(&table, "uplink", setup, teardown);
}
