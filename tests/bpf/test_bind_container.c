// SPDX-License-Identifier: GPL-2.0
/*
 * Which container the uplink program gives to whom, and when it gives none: because there is none
 * to be had, because the range is skepd's to bind in, or because nobody was to be answered. What is
 * there must be as before then.
 */
#include "bind_world.h"

#define TRIES 8 /* how many leftovers the program skips */

/* ---- containers ---------------------------------------------------------------- */

static void the_oldest_goes_first(void **state)
{
	static const __u32 slots[] = {SLOT, 5, 3, 9};
	__u8 frame[64];
	const struct bytes in = {frame, by_arp.in.len};

	(void)state;
	set_world();
	for (size_t i = 1; i < ARRAY_SIZE(slots); i++)
		idle_offer(queue, slots[i]);
	memcpy(frame, by_arp.in.at, by_arp.in.len);
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		struct skep_addr key = world_address(IP_DARK, 0);
		struct skep_lease lease;

		key.ip.octet[3] = frame[by_arp.in.len - 1] = (__u8)(10 + i);
		run(&in, SKEP_BOUND_ARP);
		harness_get(skel->maps.leases, &key, &lease);
		assert_int_equal(lease.container, slots[i]);
		assert_int_equal(lease.id, LAST_LEASE + 1 + i);
	}
	assert_int_equal(idle_count_open(), ARRAY_SIZE(slots));
}

/* Leftovers before the one that is to be had: of a life that is over, taken back, of no slot. */
static void push_leftovers(unsigned int n)
{
	const struct skep_offer taken_back = {};
	struct skep_idle idle;

	set_world();
	assert_true(idle_pop(queue, &idle));
	idle_set_offer(1, &taken_back);
	for (unsigned int i = 0; i < n; i++)
		switch (i % 4) {
		case 0:
			idle_push(queue, SLOT, IDLE_SERIAL(SLOT) - 1);
			break;
		case 1:
			idle_push(queue, 1, IDLE_SERIAL(1));
			break;
		case 2:
			idle_push(queue, SKEP_CONTAINERS_MAX, IDLE_SERIAL(SLOT));
			break;
		default:
			idle_push(queue, 1, 0);
			break;
		}
	idle_push(queue, SLOT, IDLE_SERIAL(SLOT));
}

static void leftovers_are_skipped(void **state)
{
	const struct skep_addr key = world_address(IP_DARK, 0);
	struct skep_lease lease;

	(void)state;
	for (unsigned int n = 1; n < TRIES; n++) {
		push_leftovers(n);
		run(&by_arp.in, SKEP_BOUND_ARP);
		harness_get(skel->maps.leases, &key, &lease);
		assert_int_equal(lease.container, SLOT);
		check_taken(&by_arp);
	}
}

/* Given up by skepd while the program had it: it is to be had, but nobody gets it. */
static void offer_dead_one(__u32 slot)
{
	struct skep_offer dead = idle_offer_of(slot);
	struct skep_idle idle;

	set_world();
	assert_true(idle_pop(queue, &idle));
	dead.port = 0;
	idle_set_offer(slot, &dead);
	idle_push(queue, slot, dead.serial);
}

static void a_dead_one_is_skipped(void **state)
{
	(void)state;
	offer_dead_one(5);
	idle_push(queue, SLOT, IDLE_SERIAL(SLOT));
	run(&by_arp.in, SKEP_BOUND_ARP);
	check_port(&by_arp);
	check_taken(&by_arp);
	assert_int_equal(idle_get_offer(5).serial, 0);
}

/* ---- what is left to skepd ------------------------------------------------------- */

/* Nothing was bound, and skepd has got the frame. */
static void check_asked(const struct bytes *in, enum skep_verdict verdict)
{
	const __u64 now_ns = harness_clock(CLOCK_MONOTONIC);

	run(in, verdict);
	assert_int_equal(idle_read_asks(), 1);
	assert_int_equal(asks_nth(0)->verdict, verdict);
	assert_int_equal(asks_nth(0)->container, 0);
	assert_int_equal(asks_nth(0)->frame_len, in->len);
	assert_memory_equal(asks.records[0].ask.frame, in->at, in->len);
	assert_in_range(asks_nth(0)->seen_ns, now_ns, harness_clock(CLOCK_MONOTONIC));
	assert_int_equal(harness_size(skel->maps.leases), 0);
	assert_int_equal(harness_size(skel->maps.flows), 0);
}

/* The container is to be had, by the queue too, and just once. */
static void check_to_be_had(void)
{
	const struct skep_offer offer = idle_get_offer(SLOT);
	struct skep_idle idle;

	assert_int_equal(offer.serial, IDLE_SERIAL(SLOT));
	assert_int_equal(offer.port, IDLE_PORT(SLOT));
	assert_memory_equal(offer.eth0, ETH0, sizeof(offer.eth0));
	assert_true(idle_pop(queue, &idle));
	assert_int_equal(idle.serial, IDLE_SERIAL(SLOT));
	assert_int_equal(idle.slot, SLOT);
	assert_false(idle_pop(queue, &idle));
}

static void too_many_leftovers_and_skepd_is_asked(void **state)
{
	struct skep_idle idle;

	(void)state;
	push_leftovers(TRIES);
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(), 0);
	assert_int_equal(idle_get_offer(SLOT).serial, IDLE_SERIAL(SLOT));
	/* They are gone, so that the next one succeeds. */
	run(&by_arp.in, SKEP_BOUND_ARP);
	assert_false(idle_pop(queue, &idle));
}

static void a_dead_one_alone_and_skepd_is_asked(void **state)
{
	struct skep_idle idle;

	(void)state;
	offer_dead_one(5);
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(), 0);
	assert_int_equal(idle_get_offer(5).serial, 0);
	assert_false(idle_pop(queue, &idle));
}

static void no_container_and_skepd_is_asked(void **state)
{
	struct skep_idle idle;

	(void)state;
	set_world();
	assert_true(idle_pop(queue, &idle));
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	check_asked(&by_ping.in, SKEP_ASK_IP);
	check_asked(&by_udp.in, SKEP_ASK_IP);
	assert_int_equal(idle_count_open(), 0);
	assert_int_equal(last_lease(), LAST_LEASE);
}

static void a_frame_too_long_to_be_held_is_lost_without_a_container(void **state)
{
	const struct bytes in = harness_longer(&by_ping.in, SKEP_ASK_LARGE + 1);
	struct skep_idle idle;

	(void)state;
	set_world();
	assert_true(idle_pop(queue, &idle));
	run(&in, SKEP_DROP_ASK_TOO_LONG);
	assert_int_equal(idle_read_asks(), 0);
}

static void a_range_may_be_left_to_skepd(void **state)
{
	static const struct bytes in = BYTES(TO_ALL TYPE_ARP ASK(IP_DAEMON));

	(void)state;
	set_world();
	check_asked(&in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(), 0);
	check_to_be_had();
}

static void a_template_without_a_queue_is_left_to_skepd(void **state)
{
	static const struct bytes in = BYTES(TO_ALL TYPE_ARP ASK(IP_QUEUELESS));

	(void)state;
	set_world();
	check_asked(&in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(), 0);
	check_to_be_had();
}

static void without_a_port_skepd_is_asked(void **state)
{
	const __u32 ifindex = IDLE_PORT(SLOT);

	(void)state;
	set_world();
	harness_remove(skel->maps.ports, &ifindex);
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	check_to_be_had();
}

/* ---- what stands in the way -------------------------------------------------------- */

static void check_nothing_bound(void)
{
	assert_int_equal(idle_read_asks(), 0);
	assert_int_equal(harness_size(skel->maps.leases), 0);
	assert_int_equal(idle_count_open(), 0);
	assert_int_equal(last_lease(), LAST_LEASE);
	check_to_be_had();
}

struct refusal {
	struct bytes in;
	enum skep_verdict verdict;
	struct skep_settings settings;
};

#define FLAG(flag) .settings.flags = SKEP_SETTING_##flag
#define USED_UP(what) .settings.what##_interval_ns = 1 /* and no burst */

static const struct refusal refusals[] = {
	{BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_PROBE},
	{BYTES(TO_ALL TYPE_IPV4 PING(IP_DARK)), .verdict = SKEP_PASS_IP_GROUP},
	{BYTES(TO_DARK_7 TYPE_IPV4 PING(IP_DARK)), .verdict = SKEP_DROP_WRONG_MAC},
	{BYTES(TO_ALL TYPE_ARP ASK("\x0a\x42\x00\x09")), .verdict = SKEP_PASS_EXCLUDED},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), .verdict = SKEP_PASS_DRAIN, FLAG(DRAIN)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), .verdict = SKEP_PASS_PANIC, FLAG(PANIC)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), .verdict = SKEP_PASS_WOULD_CLAIM, FLAG(DRY_RUN)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), .verdict = SKEP_DROP_BUDGET, USED_UP(bind)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), .verdict = SKEP_DROP_BUDGET_REQUESTER,
	 USED_UP(requester)},
};

static void what_was_not_to_be_asked_for_is_not_bound(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		set_world();
		world_set_settings(&refusals[i].settings);
		run(&refusals[i].in, refusals[i].verdict);
		check_nothing_bound();
	}
}

static void a_host_has_the_address(void **state)
{
	const struct skep_addr key = world_address(IP_DARK, 0);
	const struct skep_host host = {.until_ns = ~0ULL, .mac = {2, 2, 2, 2, 2, 2}};

	(void)state;
	set_world();
	harness_put(skel->maps.hosts, &key, &host);
	run(&by_arp.in, SKEP_PASS_HOST);
	check_nothing_bound();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_goes_first),
		cmocka_unit_test(leftovers_are_skipped),
		cmocka_unit_test(a_dead_one_is_skipped),
		cmocka_unit_test(a_dead_one_alone_and_skepd_is_asked),
		cmocka_unit_test(too_many_leftovers_and_skepd_is_asked),
		cmocka_unit_test(no_container_and_skepd_is_asked),
		cmocka_unit_test(a_frame_too_long_to_be_held_is_lost_without_a_container),
		cmocka_unit_test(a_range_may_be_left_to_skepd),
		cmocka_unit_test(a_template_without_a_queue_is_left_to_skepd),
		cmocka_unit_test(without_a_port_skepd_is_asked),
		cmocka_unit_test(what_was_not_to_be_asked_for_is_not_bound),
		cmocka_unit_test(a_host_has_the_address),
	};

	return cmocka_run_group_tests_name("bind_container", tests, bind_setup, bind_teardown);
}
