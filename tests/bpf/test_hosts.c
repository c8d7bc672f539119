// SPDX-License-Identifier: GPL-2.0
/*
 * The uplink program and the machines that are not ours: what it learns of them, what it leaves to
 * them, and how a lease gives way. A table of frames, what becomes of each, and what it leaves
 * behind in the maps and in the ring; runs in the kernel, on no NIC. What else keeps an address
 * dark is for test_dark.c.
 */
#include "hosts_world.h"

#include <pthread.h>
#include <stdatomic.h>

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
	{"learn: a who-has", BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_DARK, IP_ROUTER)),
	 V(PASS_EXCLUDED), LEARNS(IP_DARK)},
	{"learn: a who-has for what is in no range",
	 BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_DARK, IP_FOREIGN)), V(PASS_NO_RANGE),
	 LEARNS(IP_DARK)},
	{"learn: an is-at",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_ARP IS_AT(MAC_HOST, IP_DARK, MAC_ROUTER, IP_ROUTER)),
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
	{"no host: the gateway", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), V(ASK_ARP)},
	{"no host: a packet through a router",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT)), V(PASS_NO_RANGE),
	 .known = ROUTER},
	{"no host: a packet of an address of no range",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_FOREIGN, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: a packet of an excluded address",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_ROUTER, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: a packet of the broadcast address",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_BROADCAST, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: a packet from a group's link address",
	 BYTES(MAC_ROUTER MAC_GROUP TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT)), V(PASS_NO_RANGE)},
	{"no host: ARP from a group's link address",
	 BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_GROUP, IP_DARK, IP_DARK)), V(PASS_ARP_SENDER)},
	{"no host: on a VLAN without the range",
	 BYTES(ALL_HOST TAG("\x00\x08") TYPE_ARP ANNOUNCE(IP_DARK)), V(PASS_NO_RANGE)},
	{"no host: our own link address, of a dark address",
	 BYTES(MAC_ALL MAC_DARK TYPE_ARP WHO_HAS(MAC_DARK, IP_DARK, IP_DARK)),
	 V(PASS_ARP_GRATUITOUS)},
	{"no host: our own, of a lease",
	 BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_LEASED)), V(LEASED_ARP)},
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
	{"give way: a who-has", BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_LEASED, IP_ROUTER)),
	 GIVES_WAY(PLAIN), LEARNS(IP_LEASED)},
	{"give way: an is-at",
	 BYTES(MAC_ROUTER MAC_HOST TYPE_ARP IS_AT(MAC_HOST, IP_LEASED, MAC_ROUTER, IP_ROUTER)),
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
	 BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_NONE, IP_LEASED)), V(LEASED_ARP)},

	/* What a host has is left to it, and never answered. */
	{"host: who-has", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), V(PASS_HOST), .known = LIVE},
	{"host: who-has, of one that has only probed", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)),
	 V(PASS_HOST), .known = PROBER},
	{"host: IPv4", BYTES(MAC_HOST MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST),
	 .known = LIVE},
	{"host: IPv4 on a VLAN", BYTES(MAC_HOST MAC_ROUTER TAG_7 TYPE_IPV4 PING(IP_DARK)),
	 V(PASS_HOST), .known = LIVE, .vlan = 7},
	{"host: IPv4 to what would be our link address", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)),
	 V(PASS_HOST), .known = LIVE},
	{"host: is-at",
	 BYTES(MAC_HOST MAC_ROUTER TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_HOST, IP_DARK)),
	 V(PASS_ARP_REPLY), .known = LIVE},
	{"host: gone for long", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), V(ASK_ARP), .known = OVER},

	/* What still comes to our link address is handed on to the host, from there. */
	{"hand on: IPv4", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), V(PASS_HANDED_ON),
	 .out = BYTES(MAC_HOST MAC_DARK TYPE_IPV4 PING(IP_DARK)), .known = HANDED},
	{"hand on: IPv4 on a VLAN", BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 PING(IP_DARK)),
	 V(PASS_HANDED_ON), .out = BYTES(MAC_HOST MAC_DARK_7 TAG_7 TYPE_IPV4 PING(IP_DARK)),
	 .known = HANDED, .vlan = 7},
	{"hand on: who-has to us alone",
	 BYTES(TO_DARK TYPE_ARP WHO_HAS(MAC_ROUTER, IP_ROUTER, IP_DARK)), V(PASS_HANDED_ON),
	 .out = BYTES(MAC_HOST MAC_DARK TYPE_ARP WHO_HAS(MAC_ROUTER, IP_ROUTER, IP_DARK)),
	 .known = HANDED},
	{"hand on: is-at to us alone",
	 BYTES(TO_DARK TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_DARK, IP_DARK)), V(PASS_HANDED_ON),
	 .out = BYTES(MAC_HOST MAC_DARK TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_DARK, IP_DARK)),
	 .known = HANDED},
	{"hand on: not who-has to all", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), V(PASS_HOST),
	 .known = HANDED},
	{"hand on: not what is sent to the host",
	 BYTES(MAC_HOST MAC_ROUTER TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST), .known = HANDED},
	{"hand on: not what the host sends itself",
	 BYTES(MAC_DARK MAC_HOST TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST), .known = HANDED},
	{"hand on: not for ever", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), V(PASS_HOST),
	 .known = OUTDATED},
	{"hand on: not in panic", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), V(PASS_PANIC),
	 .known = HANDED, .flags = SKEP_SETTING_PANIC},
};

/* ---- several frames -------------------------------------------------------- */

static const struct bytes announce_lease = BYTES(ALL_HOST TYPE_ARP ANNOUNCE(IP_LEASED));
static const struct bytes packet = BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT));
static const struct bytes packet_of_lease =
	BYTES(MAC_ROUTER MAC_HOST TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT));

static struct skep_host host_on(const char *ip)
{
	const struct skep_addr address = world_address(ip, 0);
	struct skep_host host;

	harness_get(skel->maps.hosts, &address, &host);
	return host;
}

static void set_host_times(const char *ip, __u64 seen_ns, __u64 until_ns)
{
	const struct skep_addr address = world_address(ip, 0);
	struct skep_host host = host_on(ip);

	host.seen_ns = seen_ns;
	host.until_ns = until_ns;
	harness_put(skel->maps.hosts, &address, &host);
}

/* Right behind the frame that shows the host, nobody answers for the address any more. */
static void a_lease_is_gone_with_the_frame(void **state)
{
	static const struct bytes who_has = BYTES(ALL_STATION TYPE_ARP ASKED(IP_LEASED));
	static const struct bytes to_us = BYTES(LEASE_STATION TYPE_IPV4 PING(IP_LEASED));

	(void)state;
	set_world(&(struct row){});
	run(&who_has, SKEP_LEASED_ARP);
	run(&announce_lease, SKEP_CONFLICT);
	run(&who_has, SKEP_PASS_HOST);
	run(&to_us, SKEP_PASS_HANDED_ON);
	run(&announce_lease, SKEP_PASS_ARP_GRATUITOUS);
	assert_int_equal(host_on(IP_LEASED).conflicts, 1);
	assert_int_equal(asks_read(), 1);
}

/* The ring tells skepd; a full one does not keep the lease alive. */
static void a_lease_gives_way_when_the_ring_is_full(void **state)
{
	(void)state;
	set_world(&(struct row){});
	world_fill_ring(&ask);
	run(&announce_lease, SKEP_CONFLICT_UNTOLD);
	assert_false(is_leased(PLAIN));
	asks_read();
	assert_int_not_equal(asks_nth(asks.n - 1)->verdict, SKEP_CONFLICT);
}

/* Somebody with a second address is a router from then on; his packets tell nothing any more. */
static void a_router_speaks_for_others(void **state)
{
	(void)state;
	set_world(&(struct row){});
	run(&packet, SKEP_PASS_NO_RANGE);
	assert_int_equal(harness_size(skel->maps.hosts), 1);
	run(&packet_of_lease, SKEP_PASS_NO_RANGE);
	assert_int_equal(harness_size(skel->maps.hosts), 1);
	assert_true(is_leased(PLAIN));
}

/* The gateway is known by its ARP, before it has forwarded anything. */
static void the_gateway_is_a_router_from_the_start(void **state)
{
	static const struct bytes who_has =
		BYTES(ALL_HOST TYPE_ARP WHO_HAS(MAC_HOST, IP_ROUTER, IP_LEASED));

	(void)state;
	set_world(&(struct row){});
	run(&who_has, SKEP_LEASED_ARP);
	run(&packet, SKEP_PASS_NO_RANGE);
	run(&packet_of_lease, SKEP_PASS_NO_RANGE);
	assert_int_equal(harness_size(skel->maps.hosts), 0);
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

/* That it was noted a moment ago is no reason to leave a lease standing. */
static void a_host_that_was_noted_just_now_ends_a_lease(void **state)
{
	(void)state;
	set_world(&(struct row){});
	run(&announce_lease, SKEP_CONFLICT);
	lease_set(skel->maps.leases, &leases[PLAIN], PLAIN);
	run(&announce_lease, SKEP_CONFLICT);
	assert_false(is_leased(PLAIN));
	assert_int_equal(host_on(IP_LEASED).conflicts, 2);
}

/* ---- two at once ----------------------------------------------------------- */

#define ROUNDS harness_times(50000)
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
	const struct skep_addr key = lease_key(&leases[PLAIN]);
	const struct skep_lease value = lease_value(&leases[PLAIN], PLAIN);
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
	const struct skep_addr key = lease_key(&leases[PLAIN]);
	static struct outcome outcome;
	struct skep_host host;

	bpf_map_delete_elem(bpf_map__fd(skel->maps.leases), &key);
	bpf_map_delete_elem(bpf_map__fd(skel->maps.hosts), &key);
	b->round = round;
	harness_run(skel->progs.uplink, &announce_lease, &outcome);
	while (b->done < round)
		;
	harness_get(skel->maps.hosts, &key, &host);
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
		asks_read();
	}
	pthread_join(b.thread, NULL);
	assert_int_equal(both, 0);
}

static void every_verdict_was_seen(void **state)
{
	(void)state;
	harness_check_seen(of_hosts, ARRAY_SIZE(of_hosts));
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
		cmocka_unit_test(a_host_that_was_noted_just_now_ends_a_lease),
		cmocka_unit_test(a_host_and_a_lease_at_once),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "hosts", world_setup,
				 world_teardown);
}
