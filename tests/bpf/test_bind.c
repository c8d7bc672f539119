// SPDX-License-Identifier: GPL-2.0
/*
 * First contacts that the uplink program binds by itself: what becomes of the frame, and what is in
 * the maps and in the ring then. Which container is taken, and what is left to skepd, is for
 * test_bind_container.c; what becomes of the frames after the first one for test_unsettled.c,
 * several CPUs at once for test_bind_race.c, and when skepd wakes up for test_wake.c.
 */
#include "bind_world.h"

#include <netinet/in.h>

#define IP_NEIGHBOUR "\x0a\x42\x09\x09" /* 10.66.9.9, inside the farm's ranges */

#define SYN_TO(ip) TCP_PACKET(IP_CLIENT, ip, PORT_X, PORT_80, SYN)

static void check_lease(const struct row *row, __u64 since_ns, __u64 coarse_ns)
{
	const __u32 slot = slot_of(row);
	const struct skep_addr key = world_address(row->ip, row->vlan);
	struct skep_lease lease, expected = {
					 .id = LAST_LEASE + 1,
					 .port = IDLE_PORT(slot),
					 .container = slot,
					 .state = SKEP_LEASE_CLAIMED,
					 .packets_in = !row->waits,
				 };

	assert_int_equal(harness_size(skel->maps.leases), 1);
	harness_get(skel->maps.leases, &key, &lease);
	assert_in_range(lease.bound_ns, since_ns, harness_clock(CLOCK_MONOTONIC));
	assert_in_range(lease.bind_ns, 1, lease.bound_ns - since_ns);
	if (!row->waits)
		assert_in_range(lease.last_in_ns, coarse_ns, harness_clock(CLOCK_MONOTONIC_COARSE));
	expected.bound_ns = lease.bound_ns;
	expected.bind_ns = lease.bind_ns;
	expected.last_in_ns = row->waits ? 0 : lease.last_in_ns;
	memcpy(expected.mac, row->mac, sizeof(expected.mac));
	memcpy(expected.eth0, row->vlan ? ETH0_7 : ETH0, sizeof(expected.eth0));
	assert_memory_equal(&lease, &expected, sizeof(lease));
	assert_int_equal(last_lease(), LAST_LEASE + 1);
}

/* Of the frame as it came, no more than there is room for. */
static void check_record(const struct ask_record *record, const struct row *row,
			 enum skep_verdict verdict, __u64 since_ns)
{
	const bool held = verdict == SKEP_HELD_SETTLING;
	const size_t most = held ? SKEP_ASK_LARGE : SKEP_ASK_SMALL;
	const struct skep_ask head = {
		.address = world_address(row->ip, row->vlan),
		.requester = harness_ip(row->requester),
		.verdict = (__u16)verdict,
		.frame_len = (__u16)(row->in.len < most ? row->in.len : most),
		.container = held ? 0 : slot_of(row),
		.cpu = held ? 0 : cpu,
	};

	asks_check(record, &head, &row->in, since_ns);
}

static void check_flow(const struct row *row, __u8 protocol, __u16 local, __u16 remote)
{
	const struct skep_flow_key key = {
		.local = world_address(row->ip, row->vlan),
		.remote = harness_ip(row->requester),
		.local_port = htons(local),
		.remote_port = htons(remote),
		.protocol = protocol,
	};
	struct skep_flow flow;

	harness_get(skel->maps.flows, &key, &flow);
	assert_int_equal(flow.lease, LAST_LEASE + 1);
	assert_int_equal(flow.origin, SKEP_FLOW_OUTSIDE);
	assert_int_equal(flow.packets_in, 1);
}

/* Counted once each, and nothing else: the bind, and what became of the frame then. */
static void check_bound_and(enum skep_verdict bound, enum skep_verdict then)
{
	counted_before[bound]++;
	harness_check_counted(skel->maps.counters, then);
	verdict_seen[bound] = true;
}

static void binds_row(const struct row *row)
{
	const __u64 now_ns = harness_clock(CLOCK_MONOTONIC);
	const __u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	static struct outcome outcome;

	set_world();
	harness_mark(skel->maps.counters);
	harness_run(skel->progs.uplink, &row->in, &outcome);
	if (row->waits)
		check_bound_and(row->verdict, SKEP_HELD_SETTLING);
	else
		harness_check_counted(skel->maps.counters, row->verdict);
	assert_int_equal(outcome.action, row->waits ? XDP_DROP : XDP_REDIRECT);
	harness_check_frame(&outcome, out);
	check_lease(row, now_ns, coarse_ns);
	check_port(row);
	check_taken(row);
	assert_int_equal(idle_read_asks(), row->waits ? 2 : 1);
	check_record(&asks.records[0], row, row->verdict, now_ns);
	if (row->waits)
		check_record(&asks.records[1], row, SKEP_HELD_SETTLING, now_ns);
}

static void binds(void **state)
{
	binds_row(*state);
}

#define ON_7 .vlan = 7, .mac = MAC_DARK_7

static const struct row rows[] = {
	{"who-has", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN},
	{"who-has, padded", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK) PADDING), BINDS_ARP, PLAIN},
	{"who-has, sent to it", BYTES(TO_DARK TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_ARP ASK(IP_DARK))},
	{"who-has, sent to it, that names it",
	 BYTES(TO_DARK TYPE_ARP ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, MAC_DARK, IP_DARK)),
	 BINDS_ARP, PLAIN,
	 .out = BYTES(
		 ETH0 MAC_ROUTER TYPE_ARP ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, ETH0, IP_DARK))},
	{"who-has on a VLAN", BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK)), BINDS_ARP, ON_7,
	 .out = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK))},
	{"who-has with a priority on a VLAN", BYTES(TO_ALL TAG_7_URGENT TYPE_ARP ASK(IP_DARK)),
	 BINDS_ARP, ON_7, .out = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK))},
	{"who-has, priority-tagged", BYTES(TO_ALL TAG_0 TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN,
	 .out = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK))},
	{"ping", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), BINDS_IP, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 PING(IP_DARK))},
	{"SYN", BYTES(TO_DARK TYPE_IPV4 SYN_TO(IP_DARK)), BINDS_IP, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 SYN_TO(IP_DARK))},
	{"SYN on a VLAN", BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 SYN_TO(IP_DARK)), BINDS_IP, ON_7,
	 .out = BYTES(ETH0_7 MAC_ROUTER TYPE_IPV4 SYN_TO(IP_DARK))},
	{"ping of the gateway", BYTES(TO_DARK TYPE_IPV4 IPV4(IP_ROUTER, IP_DARK)),
	 .verdict = SKEP_BOUND_IP, .ip = IP_DARK, .requester = IP_ROUTER, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 IPV4(IP_ROUTER, IP_DARK))},
	{"ping of a neighbour, which waits", BYTES(TO_DARK TYPE_IPV4 IPV4(IP_NEIGHBOUR, IP_DARK)),
	 .verdict = SKEP_BOUND_IP, .ip = IP_DARK, .requester = IP_NEIGHBOUR, PLAIN, .waits = true},
	{"who-has of a neighbour", BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_NEIGHBOUR, IP_DARK)),
	 .verdict = SKEP_BOUND_ARP, .ip = IP_DARK, .requester = IP_NEIGHBOUR, PLAIN},
	{"UDP, which waits", BYTES(TO_DARK TYPE_IPV4 UDP_TO(IP_DARK)), BINDS_IP, PLAIN,
	 .waits = true},
	{"UDP on a VLAN, which waits", BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 UDP_TO(IP_DARK)), BINDS_IP,
	 ON_7, .waits = true},
};

static const struct row by_syn = {"", BYTES(TO_DARK TYPE_IPV4 SYN_TO(IP_DARK)), BINDS_IP, PLAIN,
				  .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 SYN_TO(IP_DARK))};

static void what_comes_in_is_a_flow(void **state)
{
	(void)state;
	binds_row(&by_syn);
	check_flow(&by_syn, IPPROTO_TCP, 80, 40000);
	binds_row(&by_ping);
	assert_int_equal(harness_size(skel->maps.flows), 1);
}

/* Only what is held has to have room in a record. */
static void frames_of_any_length(void **state)
{
	static const size_t lens[] = {127, 128, 129, 1514, 2048, 2049, 3000};
	static __u8 out[FRAME_MAX];
	struct row row = by_ping;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = harness_longer(&by_ping.in, lens[i]);
		memcpy(out, row.in.at, lens[i]);
		memcpy(out, ETH0, 6);
		row.out = (struct bytes){out, lens[i]};
		binds_row(&row);
	}
}

static void held_frames_of_any_length(void **state)
{
	static const size_t lens[] = {128, 129, 2048};
	struct row row = by_udp;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = harness_longer(&by_udp.in, lens[i]);
		binds_row(&row);
	}
}

/* It is bound nevertheless; the next frame finds it so. */
static void a_frame_too_long_to_be_held_is_lost_if_it_has_to_wait(void **state)
{
	const struct bytes in = harness_longer(&by_udp.in, SKEP_ASK_LARGE + 1);
	static struct outcome outcome;

	(void)state;
	set_world();
	harness_mark(skel->maps.counters);
	harness_run(skel->progs.uplink, &in, &outcome);
	check_bound_and(SKEP_BOUND_IP, SKEP_DROP_ASK_TOO_LONG);
	assert_int_equal(outcome.action, XDP_DROP);
	assert_int_equal(idle_read_asks(), 1);
	assert_int_equal(asks_nth(0)->verdict, SKEP_BOUND_IP);
	run(&by_arp.in, SKEP_LEASED_ARP);
}

/* ---- the ring ------------------------------------------------------------------ */

/* That skepd is asked for. */
static const struct bytes to_be_asked = BYTES(TO_ALL TYPE_ARP ASK(IP_DAEMON));

/* The record waits until there is room. */
static void the_ring_is_full(void **state)
{
	(void)state;
	set_world();
	world_fill_ring(&to_be_asked);
	run(&by_arp.in, SKEP_BOUND_ARP);
	assert_true(idle_read_asks() > 1);
	assert_int_equal(asks_nth(asks.n - 1)->verdict, SKEP_BOUND_ARP);
	/* A frame that has to wait finds the address bound, too. */
	set_world();
	world_fill_ring(&to_be_asked);
	harness_mark(skel->maps.counters);
	harness_run(skel->progs.uplink, &by_udp.in, &(struct outcome){});
	check_bound_and(SKEP_BOUND_IP, SKEP_DROP_ASK_RING_FULL);
	idle_read_asks();
}

/* The bind stands; skepd has to look for it. */
static void no_room_for_a_record_anywhere(void **state)
{
	static struct outcome outcome;
	__u64 now_ns, coarse_ns;
	__u8 frame[64];

	(void)state;
	set_world();
	world_fill_ring(&to_be_asked);
	memcpy(frame, by_arp.in.at, by_arp.in.len);
	for (__u32 slot = 1; slot <= IDLE_DEFERRED; slot++) {
		struct skep_addr key = world_address(IP_DARK, 0);

		idle_offer(queue, slot + 100);
		key.ip.octet[3] = frame[by_arp.in.len - 1] = (__u8)(20 + slot);
		harness_run(skel->progs.uplink, &(struct bytes){frame, by_arp.in.len}, &outcome);
		assert_int_equal(outcome.action, XDP_REDIRECT);
		harness_remove(skel->maps.leases, &key);
	}
	assert_int_equal(idle_count_deferred(), IDLE_DEFERRED);
	harness_empty(skel->maps.ports);
	idle_empty(queue);
	idle_offer(queue, SLOT);
	set_last_lease();
	now_ns = harness_clock(CLOCK_MONOTONIC);
	coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	run(&by_arp.in, SKEP_BOUND_UNTOLD);
	check_lease(&by_arp, now_ns, coarse_ns);
	check_port(&by_arp);
	check_taken(&by_arp);
	idle_read_asks();
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_BOUND_ARP, SKEP_BOUND_IP,
						     SKEP_BOUND_UNTOLD, SKEP_HELD_SETTLING};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(what_comes_in_is_a_flow),
		cmocka_unit_test(frames_of_any_length),
		cmocka_unit_test(held_frames_of_any_length),
		cmocka_unit_test(a_frame_too_long_to_be_held_is_lost_if_it_has_to_wait),
		cmocka_unit_test(the_ring_is_full),
		cmocka_unit_test(no_room_for_a_record_anywhere),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, binds);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "bind", bind_setup,
				 bind_teardown);
}
