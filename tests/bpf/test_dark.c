// SPDX-License-Identifier: GPL-2.0
/*
 * What the uplink program does not answer for, though no host has it: what no decent machine would
 * answer, addresses that never live, those that were not found free, a dry run, panic, and who has
 * to ask again. Runs in the kernel, on no NIC.
 */
#include "hosts_world.h"

#define DENSITY_OF_DARK 0xa122e1d9U /* its hash: it lives from this density on */

#define TTL_1(src, dst) "\x45\x00\x00\x1c\x12\x34\x40\x00\x01\x01\x00\x00" src dst ECHO
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

static const struct row rows[] = {
	/* Nothing odd on the wire: what no decent machine would answer is not answered. */
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
	 BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(ASK_ARP), .network = true},
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
	 BYTES(LEASE_STATION TYPE_ARP BY(MAC_STATION, IP_ROUTER, IP_DARK)), V(DROP_WRONG_MAC)},
	{"odd: IPv4 to a lease by a dark address' link address",
	 BYTES(DARK_STATION TYPE_IPV4 PING(IP_LEASED)), V(DROP_WRONG_MAC)},
	{"odd: a TTL of 1 arrives as it came",
	 BYTES(LEASE_STATION TYPE_IPV4 TTL_1(IP_CLIENT, IP_LEASED)), V(LEASED_IP)},

	/* Addresses that never live. */
	{"density: one below", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(PASS_DENSITY),
	 .density = DENSITY_OF_DARK - 1},
	{"density: just enough", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(ASK_ARP),
	 .density = DENSITY_OF_DARK},
	{"density: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_DENSITY),
	 .density = DENSITY_OF_DARK - 1},
	{"density: a probe", BYTES(ALL_HOST TYPE_ARP PROBE(IP_DARK)), V(PASS_DENSITY),
	 HEARS_PROBE(IP_DARK), .density = DENSITY_OF_DARK - 1},
	{"density: a lease is a lease", BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED)),
	 V(LEASED_IP), .density = 1},

	/* Addresses that were not found free. */
	{"verify: never probed", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(PASS_UNVERIFIED),
	 .verify = 1},
	{"verify: one probe too few", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)),
	 V(PASS_UNVERIFIED), .verify = QUIET},
	{"verify: just enough", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(ASK_ARP),
	 .verify = QUIET + 1},
	{"verify: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_UNVERIFIED),
	 .verify = QUIET},
	{"verify: a probe is a probe", BYTES(ALL_HOST TYPE_ARP PROBE(IP_DARK)), V(PASS_ARP_PROBE),
	 HEARS_PROBE(IP_DARK), .verify = 1},

	/* Only watching. */
	{"dry run: who-has", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(PASS_WOULD_CLAIM),
	 .flags = SKEP_SETTING_DRY_RUN},
	{"dry run: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_WOULD_CLAIM),
	 .flags = SKEP_SETTING_DRY_RUN},
	{"dry run: what a host has", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(PASS_HOST),
	 .flags = SKEP_SETTING_DRY_RUN, .known = LIVE},
	{"dry run: unverified", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(PASS_UNVERIFIED),
	 .flags = SKEP_SETTING_DRY_RUN, .verify = 1},

	/* Panic: nothing is answered. */
	{"panic: who-has for a lease", BYTES(ALL_STATION TYPE_ARP ASKED(IP_LEASED)), V(DROP_PANIC),
	 .flags = SKEP_SETTING_PANIC},
	{"panic: IPv4 to a lease", BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED)), V(DROP_PANIC),
	 .flags = SKEP_SETTING_PANIC},
	{"panic: IPv4 to a lease on a VLAN",
	 BYTES(MAC_TAGGED MAC_STATION TAG_7 TYPE_IPV4 PING(IP_LEASED)), V(DROP_PANIC),
	 .flags = SKEP_SETTING_PANIC},
	{"panic: who-has for a dark address", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)),
	 V(PASS_PANIC), .flags = SKEP_SETTING_PANIC},
	{"panic: IPv4 to a dark address", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)),
	 V(PASS_PANIC), .flags = SKEP_SETTING_PANIC},
	{"panic: what is not ours", BYTES(ALL_STATION TYPE_ARP ASKED(IP_FOREIGN)), V(PASS_NO_RANGE),
	 .flags = SKEP_SETTING_PANIC},

	/* Patience: the first question passes. */
	{"patience: who-has", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)), V(PASS_PATIENCE),
	 .patience = 1000},
	{"patience: IPv4", BYTES(DARK_STATION TYPE_IPV4 PING(IP_DARK)), V(PASS_PATIENCE),
	 .patience = 1000},
	{"patience: in a dry run, too", BYTES(ALL_STATION TYPE_ARP ASKED(IP_DARK)),
	 V(PASS_PATIENCE), .flags = SKEP_SETTING_DRY_RUN, .patience = 1000},
	{"patience: not for a lease", BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED)), V(LEASED_IP),
	 .patience = 1000},
};

/* ---- several frames -------------------------------------------------------- */

static const struct bytes other_asks = BYTES(ALL_STATION TYPE_ARP FROM_ELSEWHERE(IP_DARK));

static struct skep_would would(const char *ip, const char *other)
{
	const struct skep_pair pair = {.address = world_address(ip, 0), .other = harness_ip(other)};
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
	assert_int_equal(would(IP_DARK, IP_ROUTER).count, 2);
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
	assert_int_equal(asks_read(), 0);
}

/* Makes it as long ago as it has to be. */
static void set_asked(const char *requester, __u64 ago_ns)
{
	const struct skep_pair pair = {.address = world_address(IP_DARK, 0),
				       .other = harness_ip(requester)};
	const __u64 then = harness_clock(CLOCK_MONOTONIC) - ago_ns;
	const struct skep_patience value = {.first_ns = then, .last_ns = then};

	harness_put(skel->maps.patience, &pair, &value);
}

static void patience_is_each_requesters_own(void **state)
{
	(void)state;
	set_world(&(struct row){.patience = 2000});
	run(&ask, SKEP_PASS_PATIENCE);
	run(&ask, SKEP_PASS_PATIENCE);
	set_asked(IP_ROUTER, SEC);
	run(&ask, SKEP_PASS_PATIENCE);
	set_asked(IP_ROUTER, 2 * SEC);
	run(&other_asks, SKEP_PASS_PATIENCE);
	run(&ask, SKEP_ASK_ARP);
	run(&ask, SKEP_ASK_ARP);
	set_asked(IP_ROUTER, 61 * SEC);
	run(&ask, SKEP_PASS_PATIENCE);
	run(&ask, SKEP_PASS_PATIENCE);
}

/* What would not be answered is not claimed either. */
static void a_dry_run_is_as_patient(void **state)
{
	(void)state;
	set_world(&(struct row){.flags = SKEP_SETTING_DRY_RUN, .patience = 2000});
	run(&ask, SKEP_PASS_PATIENCE);
	assert_int_equal(harness_size(skel->maps.would_claim), 0);
	set_asked(IP_ROUTER, 2 * SEC);
	run(&ask, SKEP_PASS_WOULD_CLAIM);
	assert_int_equal(would(IP_DARK, IP_NONE).count, 1);
}

/* What hosts make of a frame is for test_hosts.c. */
static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_VERDICTS_HOSTS(HARNESS_VERDICT)};

	(void)state;
	harness_seen_elsewhere(of_hosts, ARRAY_SIZE(of_hosts));
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_dry_run_notes_who_asked_for_what),
		cmocka_unit_test(patience_is_each_requesters_own),
		cmocka_unit_test(a_dry_run_is_as_patient),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "dark", world_setup,
				 world_teardown);
}
