// SPDX-License-Identifier: GPL-2.0
/*
 * The uplink program: a table of frames, what becomes of each, and what it leaves behind in the
 * maps and in the ring. Runs in the kernel but on no NIC; where a redirected frame arrives is
 * test_wire.c's to see. Budgets are for test_bind_budget.c, and what hosts do for test_hosts.c.
 */
#include "uplink_world.h"

#include "leases.h"

#define IP_OUTSIDE "\xcb\x00\x71\x05"	   /* 203.0.113.5, leased though no range has it */
#define IP_HOLE "\x0a\x42\x04\x4d"	   /* 10.66.4.77, excluded alone */
#define IP_VLAN_9 "\x0a\x42\x04\x09"	   /* 10.66.4.9, leased on VLAN 9 only */
#define IP_OTHER_UPLINK "\x0a\x42\x04\x0a" /* 10.66.4.10, leased on another uplink only */
#define IP_SECOND "\x0a\x42\x04\x15"	   /* 10.66.4.21, leased to who has 10.66.4.3 as well */

#define MAC_SECOND "\x00\x25\x90\x21\x21\x21"

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

static const struct lease_spec leases[LEASES] = {
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
	{IP_NETWORK, 16, 0, UPLINK, 0},
	{IP_NETWORK, 24, 0, UPLINK, 1},
	{IP_HOLE, 32, 0, UPLINK, 1},
	{IP_NETWORK, 16, 7, UPLINK, 0},
	{"\xc0\x00\x02\x00", 24, 9, UPLINK, 0},
	{"\xc0\x00\x02\x00", 24, 0, UPLINK - 1, 0},
	{"\x0a\x42\x04\x00", 24, 0, UPLINK + 1, 1},
};

/* ---- the world ------------------------------------------------------------- */

static void set_leases(void)
{
	lease_set_all(skel->maps.leases, leases, LEASES);
}

static void set_ranges(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		const struct skep_addr first = {
			.ip = harness_ip(ranges[i].ip),
			.vlan = ranges[i].vlan,
			.uplink = ranges[i].uplink,
		};
		const struct skep_range_key key = world_range_key(&first, ranges[i].bits);
		const struct skep_range range = {
			.flags = ranges[i].excluded ? SKEP_RANGE_EXCLUDED : 0,
			.density = ~0U,
		};

		harness_put(skel->maps.ranges, &key, &range);
	}
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

static void check_record(const struct row *row, __u64 since_ns)
{
	const struct skep_ask head = {
		.address = world_address(row->asked, row->vlan),
		.requester = harness_ip(row->requester),
		.verdict = row->verdict,
		.frame_len = row->in.len,
	};

	assert_int_equal(asks_read(), 1);
	asks_check(&asks.records[0], &head, &row->in, since_ns);
}

/* Nobody has been heard before. */
static void check_row(const struct row *row)
{
	__u64 now_ns = harness_clock(CLOCK_MONOTONIC);
	__u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	static struct outcome outcome;

	harness_empty(skel->maps.hosts);
	set_leases();
	world_set_settings(&row->settings);
	asks_read();
	world_becomes(&row->in, row->verdict, &outcome);
	harness_check_frame(&outcome, out);
	lease_check_all(skel->maps.leases, leases, LEASES, row->lease, IN, coarse_ns);
	if (row->verdict == SKEP_ASK_ARP || row->verdict == SKEP_ASK_IP)
		check_record(row, now_ns);
	else
		assert_int_equal(asks_read(), 0);
}

static void becomes(void **state)
{
	check_row(*state);
}

/* ---- the table ------------------------------------------------------------- */

#define TO_LEASE MAC_LEASE MAC_ROUTER
#define TO_TAGGED MAC_TAGGED MAC_ROUTER
#define TO_OTHER MAC_OTHER MAC_ROUTER
#define TO_SECOND MAC_SECOND MAC_ROUTER
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

static void held_up_to_its_length(const struct bytes *frame, const struct row *as)
{
	static const size_t lens[] = {60, 127, 128, 129, 130, 1500, 1514, 1518, 2047, 2048};
	struct row row = *as;

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = harness_longer(frame, lens[i]);
		check_row(&row);
	}
	row.verdict = SKEP_DROP_ASK_TOO_LONG;
	for (size_t len = 2049; len < 3000; len += 500) {
		row.in = harness_longer(frame, len);
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
		row.in = harness_longer(&leased_ip, lens[i]);
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
		row.in = harness_longer(&leased_tagged, lens[i]);
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
		row.in = harness_longer(&foreign_ip, lens[i]);
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

/* Leaves the ring empty, and nowhere in it a zero by chance: a record that is not cleared would
 * show. */
static void soil_the_ring(void)
{
	__u8 frame[SKEP_ASK_LARGE];
	struct bytes soiled = {frame, sizeof(frame)};

	memset(frame, 0xff, sizeof(frame));
	memcpy(frame, dark_ip.at, dark_ip.len);
	for (int round = 0; round < 8; round++) {
		world_all_become(&soiled, 64, SKEP_ASK_IP);
		assert_int_equal(asks_read(), 64);
	}
}

static void leases_count_their_frames(void **state)
{
	struct skep_addr key = lease_key(&leases[PLAIN]);
	struct skep_lease lease;

	(void)state;
	set_leases();
	world_all_become(&leased_ip, 10, SKEP_LEASED_IP);
	harness_get(skel->maps.leases, &key, &lease);
	assert_int_equal(lease.packets_in, 10 + 10);
}

static void check_full(const struct bytes *frame)
{
	static struct outcome outcome;

	world_becomes(frame, SKEP_DROP_ASK_RING_FULL, &outcome);
	harness_check_frame(&outcome, frame);
}

static void the_ring_is_full(void **state)
{
	__u32 size = bpf_map__max_entries(skel->maps.asks);
	unsigned int n = ASKS_ROOM(size, ASKS_SMALL_TAKES);

	(void)state;
	assert_int_equal(size, 1 << 20);
	world_all_become(&dark_arp, n, SKEP_ASK_ARP);
	check_full(&dark_arp);
	check_full(&dark_ip);
	assert_int_equal(asks_read(), n);
	/* The next asks are heard again. */
	check_row(&(struct row){.name = "", .in = dark_arp, HELD_ARP(IP_DARK)});
}

static void the_ring_has_room_for_a_small_record_only(void **state)
{
	__u32 size = bpf_map__max_entries(skel->maps.asks);
	unsigned int n = ASKS_ROOM(size, ASKS_LARGE_TAKES);
	struct bytes large;

	(void)state;
	assert_true((size - 1) % ASKS_LARGE_TAKES >= ASKS_SMALL_TAKES);
	large = harness_longer(&dark_ip, 129);
	world_all_become(&large, n, SKEP_ASK_IP);
	check_full(&large);
	world_all_become(&dark_ip, 1, SKEP_ASK_IP);
	assert_int_equal(asks_read(), n + 1);
}

/* What the program binds by itself is for test_bind.c. */
static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_VERDICTS_UPLINK(HARNESS_VERDICT)};
	static const enum skep_verdict binds[] = {SKEP_BOUND_ARP, SKEP_BOUND_IP, SKEP_BOUND_UNTOLD,
						  SKEP_HELD_SETTLING};

	(void)state;
	harness_seen_elsewhere(binds, ARRAY_SIZE(binds));
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

static int setup(void **state)
{
	static const struct skep_uplink uplink = {.first = 0x0a420000, .last = 0xc00002ff};

	if (world_setup(state))
		return -1;
	set_ranges();
	world_set_uplink(&uplink);
	world_set_settings(&(struct skep_settings){});
	soil_the_ring();
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
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "uplink", setup,
				 world_teardown);
}
