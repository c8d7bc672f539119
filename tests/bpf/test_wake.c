// SPDX-License-Identifier: GPL-2.0
/*
 * When skepd wakes up: at once for what somebody waits for, and for a bind only when the timer of
 * its CPU comes. The timer comes rarely here, so that no test is ever late; how soon it has to come
 * is two numbers, looked at before the program is loaded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <poll.h>

#include "harness.h"
#include "idle.h"
#include "port.skel.h"
#include "skep/policy.h"
#include "uplink.skel.h"

#define UPLINK 3
#define TEMPLATE 2
#define SLOTS 4000
#define INTRUDER 4001 /* the slot of one that reflections are made for */
#define PORT 1	      /* its: frames seem to come from the loopback device, number 1 everywhere */
#define MOST_NS 500000ULL    /* a farm's skepd knows of a bind by then */
#define RARELY_NS 150000000U /* the timer here */
#define OFTEN_NS 20000U	     /* where it has to have come often */
#define WAKES_MS 10000
#define LONG_MS 200 /* ten thousand times often */

#define TO_ALL MAC_ALL MAC_ROUTER
#define IP_DAEMON "\x0a\x43\x00\x05"	    /* 10.67.0.5, in a range that is left to skepd */
#define MAC_DARK "\x00\x25\x90\xeb\x3c\x47" /* of 10.66.4.2, by the settings below */
#define ASK(ip) WHO_HAS(MAC_ROUTER, IP_ROUTER, ip)
#define UDP_TO(ip)                                                      \
	"\x45\x00\x00\x20\x12\x34\x40\x00\x40\x11\x00\x00" IP_CLIENT ip \
	"\x9c\x40\x00\x35\x00\x0c\x00\x00data"

/* As user space sees a CPU's value of `waker`. */
struct waker {
	__u64 timer[2];
	__u64 told_ns;
	__u32 runs;
	struct skep_pair last;
};

static const struct bytes ask = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK));
static const struct bytes ask_daemon = BYTES(TO_ALL TYPE_ARP ASK(IP_DAEMON));
static const struct bytes udp = BYTES(MAC_DARK MAC_ROUTER TYPE_IPV4 UDP_TO(IP_DARK));
static const struct bytes announce =
	BYTES(MAC_ALL MAC_OTHER TYPE_ARP WHO_HAS(MAC_OTHER, IP_DARK, IP_DARK));

/* What an intruder sends to somebody who is not there. */
static const struct bytes stray =
	BYTES(MAC_ROUTER MAC_LEASE TYPE_IPV4
	      "\x45\x00\x00\x20\x12\x34\x40\x00\x40\x11\x00\x00" IP_LEASED IP_CLIENT
	      "\x9c\x40\x00\x35\x00\x0c\x00\x00"
	      "data");

static struct uplink_bpf *skel, *second; /* of two uplinks, on the same maps */
static struct port_bpf *port;
static struct ring_buffer *ring;
static enum skep_verdict told_last;
static unsigned int n_told;
static int queue, watch;
static __u32 cpu; /* all is on this one */

static int fd_of(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

static int on_record(void *data, void *record, size_t size)
{
	(void)data;
	(void)size;
	told_last = ((const struct skep_ask *)record)->verdict;
	n_told++;
	return 0;
}

static unsigned int consume(void)
{
	n_told = 0;
	assert_true(ring_buffer__consume(ring) >= 0);
	return n_told;
}

static bool is_woken(int timeout_ms)
{
	return harness_is_woken(watch, timeout_ms);
}

static struct waker waker(void)
{
	struct waker value;

	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.waker), &cpu, &value), 0);
	return value;
}

/* What was told wakes somebody sooner or later. */
static bool is_due(void)
{
	return waker().told_ns;
}

/* ---- the world ------------------------------------------------------------------- */

static void forget_all(const struct bpf_map *map)
{
	__u8 key[64];

	while (!bpf_map_get_next_key(fd_of(map), NULL, key))
		assert_int_equal(bpf_map_delete_elem(fd_of(map), key), 0);
}

/* Nobody is to be woken, nor has been; containers are idle, and nothing is leased. */
static void set_quiet_world(void)
{
	struct skep_idle idle;

	for (int ms = 0; is_due(); ms++) {
		assert_in_range(ms, 0, WAKES_MS);
		poll(NULL, 0, 1);
	}
	forget_all(skel->maps.leases);
	forget_all(skel->maps.ports);
	forget_all(skel->maps.hosts);
	while (idle_pop(queue, &idle))
		;
	for (__u32 slot = 0; slot < SLOTS; slot++)
		idle_offer(skel, queue, slot);
	is_woken(0);
	consume();
	assert_false(is_woken(0));
}

static void run_by(const struct bpf_program *program, const struct bytes *frame)
{
	static struct outcome outcome;

	harness_run(bpf_program__fd(program), frame->at, frame->len, &outcome);
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

	assert_int_equal(bpf_map_update_elem(fd_of(port->maps.policies), &slot, &policy, BPF_ANY),
			 0);
}

static void set_intruder(void)
{
	static const struct harness_lease lease = {IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, PORT};
	const struct skep_addr key = harness_lease_key(&lease);
	const struct skep_lease value = harness_lease_value(&lease, INTRUDER);
	const struct skep_port at = {
		.container = INTRUDER, .uplink = UPLINK, .policy = IDLE_POLICY, .prefixlen = 15};
	const __u32 ifindex = PORT;

	set_intruder_policy();
	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.leases), &key, &value, BPF_ANY), 0);
	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.ports), &ifindex, &at, BPF_ANY), 0);
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
		assert_int_equal(consume(), 1);
		assert_int_equal(told_last, SKEP_BOUND_ARP);
	}
}

static void many_binds_are_one_wake_up(void **state)
{
	(void)state;
	set_quiet_world();
	for (unsigned int i = 0; i < 10; i++)
		run_nth(i);
	assert_false(is_woken(0));
	assert_true(is_woken(WAKES_MS));
	assert_int_equal(consume(), 10);
	assert_false(is_due());
	assert_false(is_woken(0));
}

/* A record of its own wakes, though a bind that nobody was woken for is before it. */
static void whoever_waits_wakes_skepd_at_once(void **state)
{
	static const struct {
		const struct bytes *frame;
		enum skep_verdict verdict;
	} waits[] = {
		{&ask_daemon, SKEP_ASK_ARP},
		{&udp, SKEP_HELD_SETTLING},
		{&announce, SKEP_CONFLICT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
		set_quiet_world();
		run(&ask);
		assert_false(is_woken(0));
		run(waits[i].frame);
		assert_true(is_woken(WAKES_MS));
		assert_true(is_due()); /* so it was not the timer */
		assert_int_equal(consume(), 2);
		assert_int_equal(told_last, waits[i].verdict);
	}
}

/* The bind that nobody was woken for may be another program's. */
static void whoever_waits_elsewhere_wakes_skepd_at_once(void **state)
{
	const struct {
		const struct bpf_program *program;
		const struct bytes *frame;
		enum skep_verdict verdict;
	} waits[] = {
		{second->progs.uplink, &ask_daemon, SKEP_ASK_ARP},
		{second->progs.uplink, &udp, SKEP_HELD_SETTLING},
		{second->progs.uplink, &announce, SKEP_CONFLICT},
		{port->progs.port, &stray, SKEP_ASK_REFLECT},
	};

	(void)state;
	for (size_t with_bind = 0; with_bind < 2; with_bind++)
		for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
			set_quiet_world();
			set_intruder();
			run(&ask);
			if (!with_bind) /* somebody has read it by now */
				assert_int_equal(consume(), 1);
			assert_false(is_woken(0));
			run_by(waits[i].program, waits[i].frame);
			assert_true(is_woken(WAKES_MS));
			assert_true(is_due());
			assert_int_equal(consume(), 1 + with_bind);
			assert_int_equal(told_last, waits[i].verdict);
		}
}

static void a_first_frame_that_waits_wakes_skepd_at_once(void **state)
{
	(void)state;
	set_quiet_world();
	run(&udp);
	assert_true(is_woken(WAKES_MS));
	assert_true(is_due());
	assert_int_equal(consume(), 2);
}

static void without_a_bind_nothing_is_due(void **state)
{
	(void)state;
	set_quiet_world();
	run(&ask_daemon);
	assert_true(is_woken(WAKES_MS));
	assert_false(is_due());
}

/* However long the timer takes, the ring does not fill up before somebody is woken. */
static void a_ring_that_fills_wakes_skepd_at_once(void **state)
{
	unsigned int n = 0;

	(void)state;
	set_quiet_world();
	for (; !is_woken(0); n++) {
		assert_in_range(n, 0, SLOTS - 1);
		run_nth(n);
	}
	assert_true(is_due());
	assert_int_equal(consume(), n);
	assert_in_range(n * (8 + sizeof(struct skep_ask_small)), 1 << 17, 1 << 19);
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
		assert_int_equal(consume(), 1);
		poll(NULL, 0, LONG_MS);
		assert_false(is_woken(0));
	}
}

static void set_no_timer(void)
{
	const struct waker none = {};

	set_quiet_world();
	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.waker), &cpu, &none, BPF_ANY), 0);
}

static void a_timer_that_is_gone_is_made_anew(void **state)
{
	(void)state;
	for (int round = 0; round < 2; round++) {
		set_no_timer();
		run(&ask);
		assert_int_equal(waker().runs, 1);
		assert_true(is_woken(WAKES_MS));
		assert_int_equal(consume(), 1);
	}
}

/* As it is when skepd has ended: its maps stay, but nobody holds those that are not pinned. */
static void without_a_timer_a_bind_wakes_at_once(void **state)
{
	cleanup_close int other = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	set_no_timer();
	assert_true(other >= 0);
	assert_int_equal(dup2(other, fd_of(skel->maps.waker)), fd_of(skel->maps.waker));
	for (unsigned int i = 0; i < 2; i++) {
		run_nth(i);
		assert_true(is_woken(WAKES_MS));
		assert_int_equal(consume(), 1);
		assert_false(is_woken(0));
	}
}

/* ---- setting up -------------------------------------------------------------------- */

static void set_maps(void)
{
	const struct skep_addr excluded = {.ip = harness_ip("\x0a\x42\x00\x00"), .uplink = UPLINK};
	const struct skep_addr daemon = {.ip = harness_ip("\x0a\x43\x00\x00"), .uplink = UPLINK};
	const struct skep_uplink uplink = {.ifindex = 200, .first = 0x0a420000, .last = 0x0a43ffff};
	const struct skep_settings settings = {
		.n_ouis = 1, .ouis = {{0x00, 0x25, 0x90}}, .host_memory_ns = 1000000000000ULL};
	__u32 ordinal = UPLINK, only = 0;

	idle_set_range(skel, &excluded, 16, SKEP_RANGE_BIND, TEMPLATE);
	idle_set_range(skel, &excluded, 24, SKEP_RANGE_EXCLUDED, TEMPLATE);
	idle_set_range(skel, &daemon, 16, 0, TEMPLATE);
	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.uplinks), &ordinal, &uplink, BPF_ANY),
			 0);
	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.settings), &only, &settings, BPF_ANY),
			 0);
}

/* The maps that are pinned in a farm are the first program's; the rest is each program's own. */
static int share_maps(struct bpf_object *object)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		const struct bpf_map *same =
			bpf_object__find_map_by_name(skel->obj, bpf_map__name(map));

		if (same && bpf_map__pin_path(map) && bpf_map__reuse_fd(map, fd_of(same)))
			return -1;
	}
	harness_private_maps(object);
	return 0;
}

static void set_program(const struct uplink_bpf *program, __u64 timer_ns)
{
	program->rodata->wake_every_ns = timer_ns;
	program->rodata->wake_after_ns = timer_ns;
	program->rodata->uplink_ordinal = UPLINK;
}

static int load_others(__u64 timer_ns)
{
	second = uplink_bpf__open();
	port = port_bpf__open();
	if (!second || !port)
		return -1;
	set_program(second, timer_ns);
	if (share_maps(second->obj) || share_maps(port->obj))
		return -1;
	return uplink_bpf__load(second) || port_bpf__load(port) ? -1 : 0;
}

static int load(__u64 timer_ns)
{
	skel = uplink_bpf__open();
	if (!skel)
		return -1;
	harness_private_maps(skel->obj);
	assert_in_range(skel->rodata->wake_every_ns, 1, MOST_NS);
	assert_in_range(skel->rodata->wake_every_ns + skel->rodata->wake_after_ns, 1, MOST_NS);
	set_program(skel, timer_ns);
	if (uplink_bpf__load(skel) || load_others(timer_ns))
		return -1;
	ring = ring_buffer__new(fd_of(skel->maps.asks), on_record, NULL, NULL);
	if (!ring)
		return -1;
	watch = harness_watch(fd_of(skel->maps.asks));
	queue = idle_make_queue(skel, TEMPLATE, SLOTS);
	set_maps();
	return 0;
}

static int setup(void **state)
{
	(void)state;
	cpu = harness_stay_on_cpu();
	return load(RARELY_NS);
}

static int setup_often(void **state)
{
	(void)state;
	return load(OFTEN_NS);
}

static int teardown(void **state)
{
	(void)state;
	close(queue);
	close(watch);
	ring_buffer__free(ring);
	uplink_bpf__destroy(skel);
	uplink_bpf__destroy(second);
	port_bpf__destroy(port);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest rarely[] = {
		cmocka_unit_test(a_bind_wakes_skepd_a_while_later),
		cmocka_unit_test(many_binds_are_one_wake_up),
		cmocka_unit_test(whoever_waits_wakes_skepd_at_once),
		cmocka_unit_test(whoever_waits_elsewhere_wakes_skepd_at_once),
		cmocka_unit_test(a_first_frame_that_waits_wakes_skepd_at_once),
		cmocka_unit_test(without_a_bind_nothing_is_due),
		cmocka_unit_test(a_ring_that_fills_wakes_skepd_at_once),
	};
	static const struct CMUnitTest often[] = {
		cmocka_unit_test(a_timer_goes_on_by_itself),
		cmocka_unit_test(a_timer_that_is_gone_is_made_anew),
		cmocka_unit_test(without_a_timer_a_bind_wakes_at_once),
	};

	return cmocka_run_group_tests_name("wake", rarely, setup, teardown) +
	       cmocka_run_group_tests_name("wake, a timer that comes often", often, setup_often,
					   teardown);
}
