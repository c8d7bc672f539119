// SPDX-License-Identifier: GPL-2.0
/*
 * The port program: a table of frames that a container sends, what becomes of each, and what it
 * leaves behind in the maps. Runs in the kernel but on no port: the tag that a frame gets on its
 * way out, where it arrives, and IPv4 that is cut off inside its header are test_wire.c's to see.
 */
#include "port_world.h"

#define POLICY 1 /* that lets everything out */

#define IP_VLAN_9 "\x0a\x42\x04\x09"	   /* 10.66.4.9, leased to the port on VLAN 9 */
#define IP_OTHER_UPLINK "\x0a\x42\x04\x0a" /* 10.66.4.10, leased to the port on another uplink */
#define IP_NEIGHBOUR "\x0a\x42\x04\x0b"	   /* 10.66.4.11, leased to another port */
#define IP_SECOND "\x0a\x42\x04\x15"	   /* 10.66.4.21, leased to the port as well */
#define IP_THIRD "\x0a\x42\x04\x16"	   /* 10.66.4.22, and this */

#define MAC_SECOND "\x00\x25\x90\x21\x21\x21"
#define MAC_THIRD "\x00\x25\x90\x22\x22\x22"

/* SECOND and THIRD are further addresses of the container that has OWN: its link address is OWN's.
 */
enum lease {
	NO_LEASE,
	OWN,
	OWN_VLAN_7,
	OWN_VLAN_9,
	OWN_OTHER_UPLINK,
	NEIGHBOUR,
	SECOND,
	THIRD,
	SECOND_VLAN_7,
	LEASES,
};

static const struct lease_spec leases[LEASES] = {
	[OWN] = {IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, PORT},
	[OWN_VLAN_7] = {IP_LEASED, MAC_TAGGED, NULL, 7, UPLINK, PORT},
	[OWN_VLAN_9] = {IP_VLAN_9, MAC_LEASE, NULL, 9, UPLINK, PORT},
	[OWN_OTHER_UPLINK] = {IP_OTHER_UPLINK, MAC_LEASE, NULL, 0, UPLINK - 1, PORT},
	[NEIGHBOUR] = {IP_NEIGHBOUR, MAC_OTHER, NULL, 0, UPLINK, PORT + 1},
	[SECOND] = {IP_SECOND, MAC_SECOND, MAC_LEASE, 0, UPLINK, PORT},
	[THIRD] = {IP_THIRD, MAC_THIRD, MAC_LEASE, 0, UPLINK, PORT},
	[SECOND_VLAN_7] = {IP_SECOND, MAC_SECOND, MAC_TAGGED, 7, UPLINK, PORT},
};

/* How the port and its uplink are when the frame comes. */
enum world { BOUND, UNBOUND, SHUT, ON_VLAN_7, UPLINK_MISSING, UPLINK_BEYOND };

/* ---- the world ------------------------------------------------------------- */

static void set_leases(void)
{
	lease_set_all(skel->maps.leases, leases, LEASES);
}

static void set_ports(enum world world)
{
	__u32 port = PORT, neighbour = PORT + 1;
	struct skep_port value = {
		.container = 5,
		.uplink = world == UPLINK_BEYOND ? SKEP_UPLINKS_MAX : UPLINK,
		.vlan = world == ON_VLAN_7 ? 7 : 0,
		.policy = POLICY,
		.shut = world == SHUT,
	};

	harness_empty(skel->maps.ports);
	if (world != UNBOUND)
		harness_put(skel->maps.ports, &port, &value);
	value.container = 6;
	value.shut = 0;
	harness_put(skel->maps.ports, &neighbour, &value);
}

static void set_uplinks(enum world world)
{
	for (__u32 i = 0; i < SKEP_UPLINKS_MAX; i++) {
		struct skep_uplink value = {
			.ifindex = i == UPLINK && world == UPLINK_MISSING ? 0 : 200 + i,
			.gateway = harness_ip(IP_ROUTER),
		};

		harness_put(skel->maps.uplinks, &i, &value);
	}
}

/* A lease on an uplink that there cannot be. */
static void set_beyond(void)
{
	struct skep_addr key = lease_key(&leases[OWN]);
	struct skep_lease value = lease_value(&leases[OWN], OWN);

	key.uplink = SKEP_UPLINKS_MAX;
	harness_put(skel->maps.leases, &key, &value);
}

/* What may be sent to whom is test_rules.c's to see. */
static void set_policy(void)
{
	static const struct skep_policy policy = {.serial = 1, .verdict = SKEP_RULE_ALLOW};
	__u32 slot = POLICY;

	harness_put(skel->maps.policies, &slot, &policy);
}

/* ---- one frame ------------------------------------------------------------- */

/**
 * struct row - a frame and what is to become of it
 * @out:   as it leaves, where that is not how the container sent it. A tag does not show: in the
 *         kernel it is beside the frame.
 * @lease: whose frame it is, when it is sent out
 */
struct row {
	const char *name;
	struct bytes in;
	enum skep_verdict verdict;
	struct bytes out;
	enum world world;
	enum lease lease;
};

static void set_world(enum world world)
{
	set_leases();
	set_beyond();
	set_ports(world);
	set_uplinks(world);
	set_policy();
}

static void check_row(const struct row *row)
{
	bool sent = row->verdict == SKEP_PORT_OUT_ARP || row->verdict == SKEP_PORT_OUT_ALLOWED;
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	__u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	static struct outcome outcome;

	set_world(row->world);
	port_becomes(&row->in, row->verdict, sent, &outcome);
	harness_check_frame(&outcome, out);
	lease_check_all(skel->maps.leases, leases, LEASES, row->lease, OUT, coarse_ns);
}

static void becomes(void **state)
{
	check_row(*state);
}

/* ---- the table ------------------------------------------------------------- */

#define FROM_LEASE MAC_ROUTER MAC_LEASE
#define FROM_LEASE_TO_ALL MAC_ALL MAC_LEASE
#define ASK(mac, ip) WHO_HAS(mac, ip, IP_ROUTER)
#define PING(ip) IPV4(ip, IP_CLIENT)
#define IPV6 "\x60" PING(IP_LEASED) PADDING /* the kernel runs no shorter one */
#define OUT(what, whose) .verdict = SKEP_PORT_OUT_##what, .lease = (whose)
#define DROPPED(why) .verdict = SKEP_PORT_DROP_##why

static const struct row rows[] = {
	/* What a lease allows. */
	{"IPv4", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LEASED)), OUT(ALLOWED, OWN)},
	{"who-has", BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_LEASED)), OUT(ARP, OWN)},
	{"is-at",
	 BYTES(FROM_LEASE TYPE_ARP IS_AT(MAC_LEASE, IP_LEASED, MAC_ROUTER, IP_ROUTER) PADDING),
	 OUT(ARP, OWN)},
	{"announcement (RFC 5227 2.3)",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_LEASED)), OUT(ARP, OWN)},
	{"IPv4 of a port on a VLAN", BYTES(MAC_ROUTER MAC_TAGGED TYPE_IPV4 PING(IP_LEASED)),
	 .world = ON_VLAN_7, OUT(ALLOWED, OWN_VLAN_7)},
	{"who-has of a port on a VLAN",
	 BYTES(MAC_ALL MAC_TAGGED TYPE_ARP ASK(MAC_TAGGED, IP_LEASED)), .world = ON_VLAN_7,
	 OUT(ARP, OWN_VLAN_7)},

	/* A further address of its container: leaves with the link address that is this one's. */
	{"shared: IPv4", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_SECOND)), OUT(ALLOWED, SECOND),
	 .out = BYTES(MAC_ROUTER MAC_SECOND TYPE_IPV4 PING(IP_SECOND))},
	{"shared: IPv4 of yet another address", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_THIRD)),
	 OUT(ALLOWED, THIRD), .out = BYTES(MAC_ROUTER MAC_THIRD TYPE_IPV4 PING(IP_THIRD))},
	{"shared: IPv4, broadcast", BYTES(FROM_LEASE_TO_ALL TYPE_IPV4 IPV4(IP_SECOND, IP_ALL)),
	 DROPPED(GROUP)},
	{"shared: who-has", BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_SECOND)),
	 OUT(ARP, SECOND), .out = BYTES(MAC_ALL MAC_SECOND TYPE_ARP ASK(MAC_SECOND, IP_SECOND))},
	{"shared: is-at",
	 BYTES(FROM_LEASE TYPE_ARP IS_AT(MAC_LEASE, IP_SECOND, MAC_ROUTER, IP_ROUTER) PADDING),
	 OUT(ARP, SECOND),
	 .out = BYTES(MAC_ROUTER MAC_SECOND TYPE_ARP IS_AT(MAC_SECOND, IP_SECOND, MAC_ROUTER,
							   IP_ROUTER) PADDING)},
	{"shared: announcement (RFC 5227 2.3)",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP WHO_HAS(MAC_LEASE, IP_SECOND, IP_SECOND)),
	 OUT(ARP, SECOND),
	 .out = BYTES(MAC_ALL MAC_SECOND TYPE_ARP WHO_HAS(MAC_SECOND, IP_SECOND, IP_SECOND))},
	{"shared: announcement by a reply to itself",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP IS_AT(MAC_LEASE, IP_SECOND, MAC_LEASE, IP_SECOND)),
	 OUT(ARP, SECOND),
	 .out = BYTES(
		 MAC_ALL MAC_SECOND TYPE_ARP IS_AT(MAC_SECOND, IP_SECOND, MAC_SECOND, IP_SECOND))},
	{"shared: IPv4 of a port on a VLAN", BYTES(MAC_ROUTER MAC_TAGGED TYPE_IPV4 PING(IP_SECOND)),
	 .world = ON_VLAN_7, OUT(ALLOWED, SECOND_VLAN_7),
	 .out = BYTES(MAC_ROUTER MAC_SECOND TYPE_IPV4 PING(IP_SECOND))},
	{"shared: who-has of a port on a VLAN",
	 BYTES(MAC_ALL MAC_TAGGED TYPE_ARP ASK(MAC_TAGGED, IP_SECOND)), .world = ON_VLAN_7,
	 OUT(ARP, SECOND_VLAN_7),
	 .out = BYTES(MAC_ALL MAC_SECOND TYPE_ARP ASK(MAC_SECOND, IP_SECOND))},
	{"shared: IPv4 from the link address seen outside",
	 BYTES(MAC_ROUTER MAC_SECOND TYPE_IPV4 PING(IP_SECOND)), DROPPED(MAC)},
	{"shared: who-has in a frame from the link address seen outside",
	 BYTES(MAC_ALL MAC_SECOND TYPE_ARP ASK(MAC_LEASE, IP_SECOND)), DROPPED(MAC)},
	{"shared: who-has that tells the link address seen outside",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_SECOND, IP_SECOND)), DROPPED(ARP)},
	{"shared: IPv4, and the uplink is missing", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_SECOND)),
	 .world = UPLINK_MISSING, DROPPED(NO_UPLINK)},

	/* No lease, whatever it sends. */
	{"unbound: IPv4", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LEASED)), .world = UNBOUND,
	 DROPPED(UNBOUND)},
	{"unbound: who-has", BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_LEASED)),
	 .world = UNBOUND, DROPPED(UNBOUND)},
	{"idle: who-has", BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_LEASED)),
	 .world = SHUT, DROPPED(UNBOUND)},
	{"idle: IPv4", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LEASED)), .world = SHUT,
	 DROPPED(UNBOUND)},
	{"unbound: IPv6", BYTES(FROM_LEASE TYPE_IPV6 IPV6), .world = UNBOUND, DROPPED(UNBOUND)},
	{"unbound: tagged", BYTES(FROM_LEASE TAG_7 TYPE_IPV4 PING(IP_LEASED)), .world = UNBOUND,
	 DROPPED(UNBOUND)},

	/* Neither ARP nor IPv4. */
	{"IPv6", BYTES(FROM_LEASE TYPE_IPV6 IPV6), DROPPED(OTHER)},
	{"spanning tree", BYTES("\x01\x80\xc2\x00\x00\x00" MAC_LEASE "\x00\x26\x42\x42\x03"),
	 DROPPED(OTHER)},
	{"link layer discovery", BYTES("\x01\x80\xc2\x00\x00\x0e" MAC_LEASE "\x88\xcc\x02"),
	 DROPPED(OTHER)},
	{"tagged like a provider",
	 BYTES(FROM_LEASE TYPE_8021AD "\x00\x07" TYPE_IPV4 PING(IP_LEASED)), DROPPED(OTHER)},

	/* Cut off and malformed. */
	{"IPv4 that ends inside its options",
	 BYTES(FROM_LEASE TYPE_IPV4 IPV4_FROM("\x47", IP_LEASED, IP_CLIENT) "\x94\x04\x00\x00"),
	 DROPPED(MALFORMED)},
	{"who-has without its last byte",
	 {(const __u8 *)FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_LEASED), 41},
	 DROPPED(MALFORMED)},
	{"half a tag", BYTES(FROM_LEASE TAG_7 "\x08"), DROPPED(MALFORMED)},
	{"IP version 6 in an IPv4 frame",
	 BYTES(FROM_LEASE TYPE_IPV4 IPV4_FROM("\x65", IP_LEASED, IP_CLIENT)), DROPPED(MALFORMED)},
	{"IPv4 header of 16 bytes",
	 BYTES(FROM_LEASE TYPE_IPV4 IPV4_FROM("\x44", IP_LEASED, IP_CLIENT)), DROPPED(MALFORMED)},
	{"ARP operation 3",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP ARP("\x00\x03", MAC_LEASE, IP_LEASED, MAC_NONE,
					      IP_ROUTER)),
	 DROPPED(MALFORMED)},
	{"ARP of another hardware type",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP
	       "\x00\x06\x08\x00\x06\x04\x00\x01" MAC_LEASE IP_LEASED MAC_NONE IP_ROUTER),
	 DROPPED(MALFORMED)},

	/* A container knows nothing of VLANs. */
	{"tagged IPv4", BYTES(FROM_LEASE TAG_7 TYPE_IPV4 PING(IP_LEASED)), DROPPED(TAGGED)},
	{"tagged who-has", BYTES(FROM_LEASE_TO_ALL TAG_7 TYPE_ARP ASK(MAC_LEASE, IP_LEASED)),
	 DROPPED(TAGGED)},
	{"priority-tagged IPv4", BYTES(FROM_LEASE TAG_0 TYPE_IPV4 PING(IP_LEASED)),
	 DROPPED(TAGGED)},
	{"tagged twice", BYTES(FROM_LEASE TAG_7 TAG_7 TYPE_IPV4 PING(IP_LEASED)), DROPPED(TAGGED)},
	{"tagged IPv6", BYTES(FROM_LEASE TAG_7 TYPE_IPV6 IPV6), DROPPED(TAGGED)},
	{"tagged and cut off", BYTES(FROM_LEASE TAG_7 TYPE_IPV4 "\x45"), DROPPED(TAGGED)},
	{"tagged with the port's own VLAN",
	 BYTES(MAC_ROUTER MAC_TAGGED TAG_7 TYPE_IPV4 PING(IP_LEASED)), .world = ON_VLAN_7,
	 DROPPED(TAGGED)},

	/* Another's link address. */
	{"IPv4 from the neighbour's MAC", BYTES(MAC_ROUTER MAC_OTHER TYPE_IPV4 PING(IP_LEASED)),
	 DROPPED(MAC)},
	{"IPv4 from a MAC with its last bit off",
	 BYTES(MAC_ROUTER "\x00\x25\x90\x01\x02\x02" TYPE_IPV4 PING(IP_LEASED)), DROPPED(MAC)},
	{"IPv4 from a MAC with a bit in its middle off",
	 BYTES(MAC_ROUTER "\x00\x25\x90\x81\x02\x03" TYPE_IPV4 PING(IP_LEASED)), DROPPED(MAC)},
	{"IPv4 from a MAC with a bit at its beginning off",
	 BYTES(MAC_ROUTER "\x02\x25\x90\x01\x02\x03" TYPE_IPV4 PING(IP_LEASED)), DROPPED(MAC)},
	{"IPv4 from a group's MAC", BYTES(MAC_ROUTER MAC_GROUP TYPE_IPV4 PING(IP_LEASED)),
	 DROPPED(MAC)},
	{"IPv4 from no MAC", BYTES(MAC_ROUTER MAC_NONE TYPE_IPV4 PING(IP_LEASED)), DROPPED(MAC)},
	{"who-has in a frame from another MAC",
	 BYTES(MAC_ALL MAC_OTHER TYPE_ARP ASK(MAC_LEASE, IP_LEASED)), DROPPED(MAC)},
	{"IPv4 from the MAC of the same address untagged",
	 BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LEASED)), .world = ON_VLAN_7, DROPPED(MAC)},

	/* Another's address. */
	{"IPv4 from the neighbour", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_NEIGHBOUR)), DROPPED(ADDR)},
	{"IPv4 from the neighbour, MAC and all",
	 BYTES(MAC_ROUTER MAC_OTHER TYPE_IPV4 PING(IP_NEIGHBOUR)), DROPPED(ADDR)},
	{"IPv4 from a dark address", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_DARK)), DROPPED(ADDR)},
	{"IPv4 from elsewhere", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_FOREIGN)), DROPPED(ADDR)},
	{"IPv4 from nobody", BYTES(FROM_LEASE_TO_ALL TYPE_IPV4 IPV4(IP_NONE, IP_ALL)),
	 DROPPED(ADDR)},
	{"IPv4 from loopback", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LOOPBACK)), DROPPED(ADDR)},
	{"IPv4 from its lease on another VLAN", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_VLAN_9)),
	 DROPPED(ADDR)},
	{"IPv4 from its lease on another uplink", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_OTHER_UPLINK)),
	 DROPPED(ADDR)},

	/* Sender fields that are not the lease's. */
	{"who-has from the neighbour's address",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_NEIGHBOUR)), DROPPED(ARP)},
	{"who-has from the neighbour's MAC",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_OTHER, IP_LEASED)), DROPPED(ARP)},
	{"who-has from a dark address", BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_DARK)),
	 DROPPED(ARP)},
	{"is-at for the router's address",
	 BYTES(FROM_LEASE TYPE_ARP IS_AT(MAC_LEASE, IP_ROUTER, MAC_ROUTER, IP_CLIENT)),
	 DROPPED(ARP)},
	{"is-at with the router's MAC",
	 BYTES(FROM_LEASE TYPE_ARP IS_AT(MAC_ROUTER, IP_LEASED, MAC_ROUTER, IP_ROUTER)),
	 DROPPED(ARP)},
	{"announcement of the neighbour's address",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP WHO_HAS(MAC_LEASE, IP_NEIGHBOUR, IP_NEIGHBOUR)),
	 DROPPED(ARP)},
	{"probe", BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_NONE)), DROPPED(ARP)},
	{"who-has from a group's MAC", BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_GROUP, IP_LEASED)),
	 DROPPED(ARP)},
	{"who-has from a multicast address",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_GROUP)), DROPPED(ARP)},
	{"who-has in a frame from a group",
	 BYTES(MAC_ALL MAC_GROUP TYPE_ARP ASK(MAC_LEASE, IP_LEASED)), DROPPED(ARP)},

	/* Nowhere to go. */
	{"IPv4, and the uplink is missing", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LEASED)),
	 .world = UPLINK_MISSING, DROPPED(NO_UPLINK)},
	{"who-has, and the uplink is missing",
	 BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_LEASED)), .world = UPLINK_MISSING,
	 DROPPED(NO_UPLINK)},
	{"IPv4, and there is no such uplink", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LEASED)),
	 .world = UPLINK_BEYOND, DROPPED(NO_UPLINK)},
	{"forged IPv4, and the uplink is missing", BYTES(FROM_LEASE TYPE_IPV4 PING(IP_DARK)),
	 .world = UPLINK_MISSING, DROPPED(ADDR)},
};

/* ---- lengths --------------------------------------------------------------- */

static const struct bytes own_ip = BYTES(FROM_LEASE TYPE_IPV4 PING(IP_LEASED));
static const struct bytes own_arp = BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK(MAC_LEASE, IP_LEASED));

static void frames_of_any_length(void **state)
{
	static const size_t lens[] = {60, 1514, 3000};
	struct row row = {.name = "", OUT(ALLOWED, OWN)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = harness_longer(&own_ip, lens[i]);
		check_row(&row);
	}
}

/* From one byte behind the Ethernet header, the least that the kernel runs; of IPv4 it runs whole
 * headers only. */
static void who_has_cut_off_anywhere(void **state)
{
	(void)state;
	for (size_t len = 15; len <= own_arp.len; len++) {
		struct row row = {.name = "", DROPPED(MALFORMED)};

		if (len == own_arp.len)
			row = (struct row){.name = "", OUT(ARP, OWN)};
		row.in = (struct bytes){own_arp.at, len};
		check_row(&row);
	}
}

static void leases_count_their_frames(void **state)
{
	struct skep_addr key = lease_key(&leases[OWN]);
	static struct outcome outcome;
	struct skep_lease lease;

	(void)state;
	set_world(BOUND);
	harness_mark(skel->maps.counters);
	for (int i = 0; i < 10; i++)
		harness_run(skel->progs.port, &own_ip, &outcome);
	harness_check_counted_n(skel->maps.counters, SKEP_PORT_OUT_ALLOWED, 10);
	harness_get(skel->maps.leases, &key, &lease);
	assert_int_equal(lease.packets_out, 20 + 10);
}

/* Of those that are about who sends; what is sent is for test_flows.c, test_rules.c and
 * test_spoof.c.
 */
static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {
		SKEP_PORT_OUT_ARP,     SKEP_PORT_OUT_ALLOWED,	 SKEP_PORT_DROP_UNBOUND,
		SKEP_PORT_DROP_OTHER,  SKEP_PORT_DROP_GROUP,	 SKEP_PORT_DROP_MALFORMED,
		SKEP_PORT_DROP_TAGGED, SKEP_PORT_DROP_MAC,	 SKEP_PORT_DROP_ADDR,
		SKEP_PORT_DROP_ARP,    SKEP_PORT_DROP_NO_UPLINK,
	};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(frames_of_any_length),
		cmocka_unit_test(who_has_cut_off_anywhere),
		cmocka_unit_test(leases_count_their_frames),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "port", port_setup,
				 port_teardown);
}
