// SPDX-License-Identifier: GPL-2.0
/*
 * When skepd is told, and wakes up: at once of what somebody waits for, and of a bind only when the
 * timer of its CPU comes. The timer comes rarely here, so that no test is ever late; how soon it
 * has to come is three numbers, looked at before the program is loaded.
 */
#include "uplink_world.h"

#include <fcntl.h>
#include <poll.h>

#include "cpus.h"
#include "idle.h"
#include "leases.h"
#include "packets.h"
#include "port.skel.h"
#include "skep/policy.h"

#define TEMPLATE 2
#define SLOTS 64
#define INTRUDER 65 /* the slot of one that reflections are made for */
#define PORT 1	    /* its: frames seem to come from the loopback device, number 1 everywhere */
#define MOST_NS 400000ULL    /* a farm's skepd knows of a bind by then */
#define RARELY_NS 150000000U /* the timer here */
#define HARDLY_EVER_NS 100000000000ULL
#define NEVER_LATE_NS 10000000000ULL
#define WAKES_MS 10000
#define LATER_MS 50 /* a third of RARELY_NS */
#define LONG_MS 200 /* ten thousand times IDLE_TIMER_NS */

#define IP_DAEMON "\x0a\x43\x00\x05" /* 10.67.0.5, in a range that is left to skepd */
/* As user space sees a CPU's value of `waker`. */
struct waker {
	__u64 timer[2];
	__u64 came_ns;
	__u32 runs;
	struct skep_pair last;
};

static const struct bytes ask = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK));
static const struct bytes ask_daemon = BYTES(TO_ALL TYPE_ARP ASK(IP_DAEMON));
static const struct bytes udp =
	BYTES(MAC_DARK MAC_ROUTER TYPE_IPV4 UDP_PACKET(IP_CLIENT, IP_DARK, PORT_X, PORT_53));
static const struct bytes announce =
	BYTES(MAC_ALL MAC_OTHER TYPE_ARP WHO_HAS(MAC_OTHER, IP_DARK, IP_DARK));

/* What an intruder sends to somebody who is not there. */
static const struct bytes stray =
	BYTES(MAC_ROUTER MAC_LEASE TYPE_IPV4 UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_53));

static struct uplink_bpf *second; /* of two uplinks, on the same maps */
static struct port_bpf *port;
static int queue, watch;
static __u32 cpus[2]; /* nearly all is on the first one */

static bool is_woken(int timeout_ms)
{
	return asks_is_woken(watch, timeout_ms);
}

static struct waker waker(void)
{
	struct waker value;

	harness_get(skel->maps.waker, &cpus[0], &value);
	return value;
}

/* Something will be told sooner or later. */
static bool is_due(void)
{
	return idle_count_deferred();
}

static void check_told(enum skep_verdict verdict)
{
	assert_int_equal(asks_read(), 1);
	assert_int_equal(asks_nth(0)->verdict, verdict);
}

/* ---- the world ------------------------------------------------------------------- */

/* Nobody is to be woken, nor has been; containers are idle, and nothing is leased. */
static void set_quiet_world(void)
{
	for (int ms = 0; is_due(); ms++) {
		assert_in_range(ms, 0, WAKES_MS);
		poll(NULL, 0, 1);
	}
	harness_empty(skel->maps.leases);
	harness_empty(skel->maps.ports);
	harness_empty(skel->maps.hosts);
	idle_empty(queue);
	for (__u32 slot = 0; slot < SLOTS; slot++)
		idle_offer(queue, slot);
	is_woken(0);
	asks_read();
	assert_false(is_woken(0));
}

static void run_by(const struct bpf_program *program, const struct bytes *frame)
{
	static struct outcome outcome;

	harness_run(program, frame, &outcome);
}

static void run(const struct bytes *frame)
{
	run_by(skel->progs.uplink, frame);
}

/* Who asks for another address each time. */
static void run_nth(unsigned int nth)
{
	__u8 frame[64];
	const struct bytes other = {frame, ask.len};

	memcpy(frame, ask.at, ask.len);
	frame[ask.len - 2] = (__u8)(16 + nth / 256);
	frame[ask.len - 1] = (__u8)nth;
	run(&other);
}

/* ---- an intruder ----------------------------------------------------------------- */

static void set_intruder_policy(void)
{
	static const struct skep_policy policy = {
		.serial = 1, .verdict = SKEP_RULE_REFLECT, .flags = SKEP_POLICY_REFLECTS};
	const __u32 slot = IDLE_POLICY;

	harness_put(port->maps.policies, &slot, &policy);
}

static void set_intruder(void)
{
	static const struct lease_spec lease = {IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, PORT};
	const struct skep_port at = {
		.container = INTRUDER, .uplink = UPLINK, .policy = IDLE_POLICY, .prefixlen = 15};
	const __u32 ifindex = PORT;

	set_intruder_policy();
	lease_set(skel->maps.leases, &lease, INTRUDER);
	harness_put(skel->maps.ports, &ifindex, &at);
}

/* ---- the tests ------------------------------------------------------------------- */

static void a_bind_wakes_skepd_a_while_later(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		__u64 begun;

		set_quiet_world();
		begun = harness_clock(CLOCK_MONOTONIC);
		run(&ask);
		assert_true(is_due());
		assert_false(is_woken(0));
		assert_true(is_woken(WAKES_MS));
		assert_true(harness_clock(CLOCK_MONOTONIC) - begun >= RARELY_NS);
		assert_false(is_due());
		check_told(SKEP_BOUND_ARP);
	}
}

static void many_binds_are_one_wake_up(void **state)
{
	(void)state;
	set_quiet_world();
	for (unsigned int i = 0; i < IDLE_DEFERRED; i++)
		run_nth(i);
	assert_false(is_woken(0));
	assert_int_equal(asks_read(), 0);
	assert_true(is_woken(WAKES_MS));
	idle_wait_told();
	is_woken(0);
	assert_int_equal(asks_read(), IDLE_DEFERRED);
	assert_false(is_woken(0));
}

/* There is an end to what waits, and more of it to what is told. */
static void one_more_is_told_at_once(void **state)
{
	(void)state;
	set_quiet_world();
	for (unsigned int i = 0; i < IDLE_DEFERRED; i++)
		run_nth(i);
	assert_false(is_woken(0));
	run_nth(IDLE_DEFERRED);
	assert_true(is_woken(WAKES_MS));
	check_told(SKEP_BOUND_ARP);
	assert_int_equal(idle_count_deferred(), IDLE_DEFERRED);
}

/* The oldest first, wherever the round begins. */
static void they_are_told_in_order(void **state)
{
	(void)state;
	for (unsigned int begin = 0; begin < 2; begin++) {
		set_quiet_world();
		run(&ask);
		run(&udp); /* which is held, and before that all is told */
		assert_int_equal(asks_read(), 2);
		for (unsigned int i = 0; i < IDLE_DEFERRED; i++)
			run_nth(i);
		idle_wait_told();
		assert_int_equal(asks_read(), IDLE_DEFERRED);
		for (unsigned int i = 0; i < IDLE_DEFERRED; i++)
			assert_int_equal(asks_nth(i)->address.ip.octet[3], i);
	}
}

/* A bind that is to be told later is in nobody's way. */
static void whoever_waits_wakes_skepd_at_once(void **state)
{
	const struct {
		const struct bpf_program *program;
		const struct bytes *frame;
		enum skep_verdict verdict;
	} waits[] = {
		{skel->progs.uplink, &ask_daemon, SKEP_ASK_ARP},
		{skel->progs.uplink, &announce, SKEP_CONFLICT},
		{second->progs.uplink, &ask_daemon, SKEP_ASK_ARP},
		{second->progs.uplink, &announce, SKEP_CONFLICT},
		{port->progs.port, &stray, SKEP_ASK_REFLECT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		set_quiet_world();
		set_intruder();
		run(&ask);
		assert_false(is_woken(0));
		run_by(waits[i].program, waits[i].frame);
		assert_true(is_woken(WAKES_MS));
		assert_true(is_due());
		check_told(waits[i].verdict);
	}
}

static void check_bind_then_held(void)
{
	assert_true(is_woken(WAKES_MS));
	assert_false(is_due());
	assert_int_equal(asks_read(), 2);
	assert_int_equal(asks_nth(0)->verdict, SKEP_BOUND_ARP);
	assert_int_equal(asks_nth(1)->verdict, SKEP_HELD_SETTLING);
}

/* Or skepd would settle a lease that nobody has told it of. */
static void what_is_held_comes_after_its_bind(void **state)
{
	(void)state;
	set_quiet_world();
	run(&ask);
	assert_false(is_woken(0));
	run(&udp);
	check_bind_then_held();
}

static void what_another_cpu_holds_comes_after_the_bind(void **state)
{
	(void)state;
	assert_int_not_equal(cpus[0], cpus[1]);
	set_quiet_world();
	run(&ask);
	assert_false(is_woken(0));
	cpus_go_to(cpus[1]);
	run(&udp);
	cpus_go_to(cpus[0]);
	check_bind_then_held();
}

static void a_first_frame_that_waits_wakes_skepd_at_once(void **state)
{
	(void)state;
	set_quiet_world();
	run(&udp);
	assert_true(is_woken(WAKES_MS));
	assert_false(is_due());
	assert_int_equal(asks_read(), 2);
	assert_int_equal(asks_nth(0)->verdict, SKEP_BOUND_IP);
	assert_int_equal(asks_nth(1)->verdict, SKEP_HELD_SETTLING);
}

static void without_a_bind_nothing_is_due(void **state)
{
	(void)state;
	set_quiet_world();
	run(&ask_daemon);
	assert_true(is_woken(WAKES_MS));
	assert_false(is_due());
}

/* ---- the timer itself -------------------------------------------------------------- */

/* Nobody starts it for the second bind, nor for the third. */
static void a_timer_goes_on_by_itself(void **state)
{
	(void)state;
	for (int round = 0; round < 3; round++) {
		set_quiet_world();
		if (round)
			assert_int_equal(waker().runs, 1);
		run(&ask);
		assert_true(is_woken(WAKES_MS));
		assert_int_equal(asks_read(), 1);
		poll(NULL, 0, LONG_MS);
		assert_false(is_woken(0));
	}
}

static void set_no_timer(void)
{
	const struct waker none = {};

	set_quiet_world();
	harness_put(skel->maps.waker, &cpus[0], &none);
}

static void a_timer_that_is_gone_is_made_anew(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		set_no_timer();
		run(&ask);
		assert_int_equal(waker().runs, 1);
		assert_true(is_woken(WAKES_MS));
		assert_int_equal(asks_read(), 1);
	}
}

/* It comes when that is due, and not only when it would come anyway. */
static void a_younger_record_is_not_forgotten(void **state)
{
	unsigned int n = 0;

	(void)state;
	set_quiet_world();
	run_nth(0);
	poll(NULL, 0, LATER_MS);
	run_nth(1);
	while (n < 2) {
		assert_true(is_woken(WAKES_MS));
		n += asks_read();
	}
	assert_int_equal(n, 2);
}

/* As it is when skepd has ended: its maps stay, but nobody holds those that are not pinned. */
static void end_timers(void)
{
	cleanup_close int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_true(other >= 0);
	assert_int_equal(dup2(other, bpf_map__fd(skel->maps.waker)), bpf_map__fd(skel->maps.waker));
}

static void check_told_at_once(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		run_nth(i);
		assert_true(is_woken(WAKES_MS));
		check_told(SKEP_BOUND_ARP);
		assert_false(is_woken(0));
	}
}

static void without_a_timer_a_bind_wakes_at_once(void **state)
{
	(void)state;
	set_no_timer();
	end_timers();
	check_told_at_once();
}

static void a_timer_that_comes_no_more_is_not_waited_for(void **state)
{
	(void)state;
	set_quiet_world();
	run(&ask);
	assert_true(is_woken(WAKES_MS));
	assert_int_equal(waker().runs, 1);
	assert_int_equal(asks_read(), 1);
	end_timers();
	poll(NULL, 0, LONG_MS);
	check_told_at_once();
}

/* ---- setting up -------------------------------------------------------------------- */

static void set_maps(void)
{
	static const struct skep_uplink uplink = {
		.ifindex = 200, .first = 0x0a420000, .last = 0x0a43ffff};

	idle_set_range(IP_NETWORK, 16, 0, SKEP_RANGE_BIND, TEMPLATE);
	idle_set_range(IP_NETWORK, 24, 0, SKEP_RANGE_EXCLUDED, TEMPLATE);
	idle_set_range("\x0a\x43\x00\x00", 16, 0, 0, TEMPLATE);
	world_set_uplink(&uplink);
	world_set_settings(&(struct skep_settings){.host_memory_ns = 1000000000000ULL});
}

/* The maps that are pinned in a farm are the first program's; the rest is each program's own. */
static int share_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const struct bpf_map *same =
			bpf_object__find_map_by_name(skel->obj, bpf_map__name(map));

		if (same && bpf_map__pin_path(map) && bpf_map__reuse_fd(map, bpf_map__fd(same)))
			return -1;
	}
	harness_private_maps(object);
	return 0;
}

/* How often the timers come, how old a record is then, and when they are given up. */
struct timers {
	__u64 every_ns, after_ns, late_ns;
};

static int load_others(const struct timers *timers)
{
	second = uplink_bpf__open();
	port = port_bpf__open();
	if (!second || !port)
		return -1;
	idle_set_timers(second, timers->every_ns, timers->after_ns, timers->late_ns);
	second->rodata->uplink_ordinal = UPLINK;
	if (share_maps(second->obj) || share_maps(port->obj))
		return -1;
	return uplink_bpf__load(second) || port_bpf__load(port) ? -1 : 0;
}

static int load(const struct timers *timers)
{
	if (world_open())
		return -1;
	assert_in_range(skel->rodata->wake_every_ns, 1, MOST_NS);
	assert_in_range(skel->rodata->wake_after_ns + skel->rodata->wake_gather_ns, 1, MOST_NS);
	idle_set_timers(skel, timers->every_ns, timers->after_ns, timers->late_ns);
	if (world_load() || load_others(timers))
		return -1;
	watch = asks_watch(skel->maps.asks);
	queue = idle_make_queue(TEMPLATE, SLOTS);
	set_maps();
	return 0;
}

static int setup(void **state)
{
	(void)state;
	cpus_find(cpus);
	cpus_go_to(cpus[0]);
	return load(&(struct timers){RARELY_NS, RARELY_NS, NEVER_LATE_NS});
}

static int setup_hardly_ever(void **state)
{
	(void)state;
	return load(&(struct timers){HARDLY_EVER_NS, RARELY_NS, NEVER_LATE_NS});
}

static int setup_often(void **state)
{
	(void)state;
	return load(&(struct timers){IDLE_TIMER_NS, IDLE_TIMER_NS, IDLE_TIMER_LATE_NS});
}

static int teardown(void **state)
{
	close(queue);
	close(watch);
	uplink_bpf__destroy(second);
	port_bpf__destroy(port);
	return world_teardown(state);
}

int main(void)
{
	static const struct CMUnitTest rarely[] = {
		cmocka_unit_test(a_bind_wakes_skepd_a_while_later),
		cmocka_unit_test(many_binds_are_one_wake_up),
		cmocka_unit_test(one_more_is_told_at_once),
		cmocka_unit_test(they_are_told_in_order),
		cmocka_unit_test(whoever_waits_wakes_skepd_at_once),
		cmocka_unit_test(what_is_held_comes_after_its_bind),
		cmocka_unit_test(what_another_cpu_holds_comes_after_the_bind),
		cmocka_unit_test(a_first_frame_that_waits_wakes_skepd_at_once),
		cmocka_unit_test(without_a_bind_nothing_is_due),
	};
	static const struct CMUnitTest often[] = {
		cmocka_unit_test(a_timer_goes_on_by_itself),
		cmocka_unit_test(a_timer_that_is_gone_is_made_anew),
		cmocka_unit_test(a_timer_that_comes_no_more_is_not_waited_for),
	};
	static const struct CMUnitTest hardly_ever[] = {
		cmocka_unit_test(a_younger_record_is_not_forgotten),
	};
	static const struct CMUnitTest none[] = {
		cmocka_unit_test(without_a_timer_a_bind_wakes_at_once),
	};

	return cmocka_run_group_tests_name("wake", rarely, setup, teardown) +
	       cmocka_run_group_tests_name("wake, a timer that comes often", often, setup_often,
					   teardown) +
	       cmocka_run_group_tests_name("wake, a timer that comes when it is due", hardly_ever,
					   setup_hardly_ever, teardown) +
	       cmocka_run_group_tests_name("wake, no timer", none, setup_often, teardown);
}
