// SPDX-License-Identifier: GPL-2.0
/*
 * Rehearsals of a bind, by the timers of one CPU and of two. They come often here, and whatever
 * anybody else reads must stay as it was, while binds in between go as if there were none. What a
 * test knows a rehearsal by is the map that it has for itself.
 */
#include "uplink_world.h"

#include <poll.h>

#include "cpus.h"
#include "idle.h"

#define TEMPLATE 2
#define SLOTS 1024
#define MANY 300 /* rehearsals */
#define COMES_NS 10000000000ULL
#define WAKES_MS 10000
#define A_WHILE_MS 20 /* many timers */
#define MAPS_MAX 64

#define SECOND_NS 1000000000ULL
#define BUDGET_NS (5 * SECOND_NS) /* between two binds, where there are few */
#define BUDGET 5
#define BUDGET_REQUESTER 3

#define ASK_SENDER (14 + 14) /* where an ARP frame has it */
#define ASK_TARGET (14 + 24)

static int queue, watch;
static __u32 cpus[2]; /* the same twice, if there is only one */

/* ---- binds --------------------------------------------------------------------------- */

static struct skep_addr nth_address(unsigned int nth)
{
	return (struct skep_addr){
		.ip = {.octet = {10, 66, (__u8)(4 + nth / 256), (__u8)nth}},
		.uplink = UPLINK,
	};
}

static void ask_for(unsigned int nth, const char *requester, enum skep_verdict verdict)
{
	static const struct bytes ask = BYTES(TO_ALL TYPE_ARP ASK(IP_NONE));
	static struct outcome outcome;
	const struct skep_addr address = nth_address(nth);
	__u8 frame[64];

	memcpy(frame, ask.at, ask.len);
	memcpy(frame + ASK_SENDER, requester, 4);
	memcpy(frame + ASK_TARGET, address.ip.octet, 4);
	world_becomes(&(struct bytes){frame, ask.len}, verdict, &outcome);
}

/* Return: the slot of the container that the address got. */
static __u32 bind_nth(unsigned int nth)
{
	const struct skep_addr address = nth_address(nth);
	struct skep_lease lease;

	ask_for(nth, IP_FOREIGN, SKEP_BOUND_ARP);
	harness_get(skel->maps.leases, &address, &lease);
	assert_int_equal(lease.port, IDLE_PORT(lease.container));
	return lease.container;
}

/* ---- rehearsals ---------------------------------------------------------------------- */

/* The last that a rehearsal does is to take out its own entry. So it does with one of ours. */
static void mark(__u32 cpu)
{
	const struct skep_lease entry = {};

	harness_put(skel->maps.rehearsal, &cpu, &entry);
}

static bool is_marked(__u32 cpu)
{
	struct skep_lease entry;

	return harness_find(skel->maps.rehearsal, &cpu, &entry);
}

static void wait_for_rehearsal(__u32 cpu)
{
	const __u64 until_ns = harness_clock(CLOCK_MONOTONIC) + COMES_NS;

	while (is_marked(cpu))
		assert_true(harness_clock(CLOCK_MONOTONIC) < until_ns);
}

static void let_rehearse(__u32 cpu, unsigned int times)
{
	while (times--) {
		mark(cpu);
		wait_for_rehearsal(cpu);
	}
}

/* ---- what must stay as it was --------------------------------------------------------- */

static struct dump {
	__u8 *at;
	size_t len;
} before[MAPS_MAX];

/* The ring is looked at by itself, and there are no devices. */
static bool is_for_others(const struct bpf_map *map)
{
	return map != skel->maps.waker && map != skel->maps.rehearsal &&
	       map != skel->maps.deferred && map != skel->maps.asks &&
	       map != skel->maps.port_devices;
}

static size_t value_size(const struct bpf_map *map)
{
	const size_t n = bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY
				 ? (size_t)libbpf_num_possible_cpus()
				 : 1;

	return n * ((bpf_map__value_size(map) + 7) / 8 * 8);
}

/* All values, and then all keys; in the order of the map, which is the same when nothing changes.
 */
static struct dump dump_of(const struct bpf_map *map)
{
	__u32 n = bpf_map__max_entries(map);
	const size_t values = n * value_size(map), keys = n * (size_t)bpf_map__key_size(map);
	struct dump dump = {.at = calloc(1, values + keys), .len = values + keys};
	__u8 next[64];
	int err;

	assert_non_null(dump.at);
	err = bpf_map_lookup_batch(bpf_map__fd(map), NULL, next, dump.at + values, dump.at, &n,
				   NULL);
	if (err && err != -ENOENT) /* the end */
		fail_msg("`%s` cannot be read: %s", bpf_map__name(map), strerror(-err));
	return dump;
}

static void forget_dumps(void)
{
	for (size_t i = 0; i < MAPS_MAX; i++) {
		free(before[i].at);
		before[i].at = NULL;
	}
}

static void remember_all(void)
{
	const struct bpf_map *map;
	size_t i = 0;

	forget_dumps();
	bpf_object__for_each_map(map, skel->obj)
	{
		assert_in_range(i, 0, MAPS_MAX - 1);
		if (is_for_others(map))
			before[i++] = dump_of(map);
	}
	asks_is_woken(watch, 0);
	idle_read_asks();
	assert_false(asks_is_woken(watch, 0));
}

static void check_nothing_changed(void)
{
	const struct bpf_map *map;
	size_t i = 0;

	assert_false(asks_is_woken(watch, 0));
	assert_int_equal(idle_read_asks(), 0);
	bpf_object__for_each_map(map, skel->obj)
	{
		struct dump now;
		bool same;

		if (!is_for_others(map))
			continue;
		now = dump_of(map);
		same = !memcmp(now.at, before[i++].at, now.len);
		free(now.at);
		if (!same)
			fail_msg("`%s` has changed", bpf_map__name(map));
	}
}

/* ---- settings ------------------------------------------------------------------------- */

/* @burst binds are allowed at once, some of them to each requester. */
static void set_settings(__u32 flags, __u64 interval_ns, unsigned int burst,
			 unsigned int burst_requester)
{
	world_set_settings(&(struct skep_settings){
		.flags = flags,
		.host_memory_ns = 1000 * SECOND_NS,
		.bind_interval_ns = interval_ns,
		.bind_burst_ns = burst * interval_ns,
		.requester_interval_ns = interval_ns,
		.requester_burst_ns = burst_requester * interval_ns,
	});
}

static void set_flags(__u32 flags)
{
	set_settings(flags, SECOND_NS / 1000, 1000, 1000);
}

static void set_patience(__u32 ms)
{
	const struct skep_addr first = world_address(IP_NETWORK, 0);
	const struct skep_range_key key = world_range_key(&first, 16);
	struct skep_range range;

	harness_get(skel->maps.ranges, &key, &range);
	range.patience_ms = ms;
	world_set_range(IP_NETWORK, 16, 0, &range);
}

/* ---- the tests ------------------------------------------------------------------------ */

static void nothing_changes(void **state)
{
	(void)state;
	for (unsigned int nth = 0; nth < 3; nth++) {
		bind_nth(nth);
		assert_true(asks_is_woken(watch, WAKES_MS));
		assert_int_equal(idle_read_asks(), 1);
		remember_all();
		let_rehearse(cpus[0], MANY);
		check_nothing_changed();
	}
}

/* Leases end, and the quiet begins that rehearsals are for. */
static void a_last_lease_that_has_ended_is_no_matter(void **state)
{
	const struct skep_addr address = nth_address(0);
	__u32 port;

	(void)state;
	set_settings(0, 0, 0, 0);
	port = IDLE_PORT(bind_nth(0));
	harness_remove(skel->maps.leases, &address);
	harness_remove(skel->maps.ports, &port);
	let_rehearse(cpus[0], MANY);
}

/* Who is not among the requesters has a full bucket, and keeps it. */
static void nobody_pays_for_rehearsals(void **state)
{
	const struct skep_addr requester = {.ip = harness_ip(IP_FOREIGN), .uplink = UPLINK};
	unsigned int nth = 1;

	(void)state;
	set_settings(0, BUDGET_NS, BUDGET, BUDGET_REQUESTER);
	bind_nth(0);
	harness_remove(skel->maps.requesters, &requester);
	harness_put_only(skel->maps.bind_budget, &(__u64){0});
	let_rehearse(cpus[0], MANY);
	for (; nth <= BUDGET_REQUESTER; nth++)
		bind_nth(nth);
	ask_for(nth, IP_FOREIGN, SKEP_DROP_BUDGET_REQUESTER);
	for (; nth <= BUDGET; nth++) {
		ask_for(nth, IP_CLIENT, SKEP_BOUND_ARP);
	}
	ask_for(nth, IP_CLIENT, SKEP_DROP_BUDGET);
}

/* The timer goes on meanwhile, or there would be no rehearsal in the end. */
static void check_none_while(__u32 flags, __u32 patience_ms)
{
	set_flags(flags);
	set_patience(patience_ms);
	mark(cpus[0]);
	remember_all();
	poll(NULL, 0, A_WHILE_MS);
	check_nothing_changed();
	assert_true(is_marked(cpus[0]));
	set_flags(0);
	set_patience(0);
	wait_for_rehearsal(cpus[0]);
}

static void nothing_is_rehearsed_that_leaves_a_trace(void **state)
{
	static const __u32 flags[] = {SKEP_SETTING_DRAIN, SKEP_SETTING_PANIC, SKEP_SETTING_DRY_RUN};
	const struct skep_pair pair = {.address = nth_address(0), .other = harness_ip(IP_FOREIGN)};
	const struct skep_patience asked = {.first_ns = 1, .last_ns = 1};

	(void)state;
	bind_nth(0);
	let_rehearse(cpus[0], MANY);
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		check_none_while(flags[i], 0);
	check_none_while(0, 1);
	harness_put(skel->maps.patience, &pair, &asked);
	check_none_while(0, 1);
}

static void containers_are_taken_in_turn(void **state)
{
	(void)state;
	for (unsigned int nth = 0; nth < SLOTS / 16; nth++) {
		const struct skep_offer offered = idle_offer_of(nth + 1);
		struct skep_offer next;

		assert_int_equal(bind_nth(nth), nth);
		let_rehearse(cpus[0], 2);
		next = idle_get_offer(nth + 1);
		assert_memory_equal(&next, &offered, sizeof(next));
	}
}

/* Each CPU rehearses what comes next, whoever binds just now; until there is nobody left. */
static void no_container_is_lost(void **state)
{
	bool taken[SLOTS] = {};
	struct skep_idle idle;

	(void)state;
	set_settings(0, 0, 0, 0);
	for (unsigned int nth = 0; nth < SLOTS; nth++) {
		__u32 slot;

		cpus_go_to(cpus[nth / 16 % 2]);
		slot = bind_nth(nth);
		assert_in_range(slot, 0, SLOTS - 1);
		assert_false(taken[slot]);
		taken[slot] = true;
		assert_int_equal(idle_read_asks(), 1);
		if (nth % 16 == 8 && nth >= 16)
			for (size_t i = 0; i < ARRAY_SIZE(cpus); i++)
				let_rehearse(cpus[i], 1);
	}
	assert_false(idle_pop(queue, &idle));
	assert_int_equal(harness_size(skel->maps.leases), SLOTS);
	assert_int_equal(idle_count_open(), SLOTS);
	ask_for(SLOTS, IP_FOREIGN, SKEP_ASK_ARP);
}

/* ---- setting up ------------------------------------------------------------------------ */

static void set_maps(void)
{
	static const struct skep_uplink uplink = {.first = 0x0a420000, .last = 0x0a42ffff};

	idle_set_range(IP_NETWORK, 16, 0, SKEP_RANGE_BIND, TEMPLATE);
	world_set_uplink(&uplink);
	set_flags(0);
	watch = asks_watch(skel->maps.asks);
	queue = idle_make_queue(TEMPLATE, SLOTS);
	for (__u32 slot = 0; slot < SLOTS; slot++)
		idle_offer(queue, slot);
}

/* Every test has a farm of its own, and begins on the same CPU. */
static int setup(void **state)
{
	(void)state;
	cpus_go_to(cpus[0]);
	if (world_open())
		return -1;
	/* Nothing is verified here, and to compare a million entries takes a second. */
	if (bpf_map__set_max_entries(skel->maps.verify, 1))
		return -1;
	idle_set_timers(skel, IDLE_TIMER_NS, IDLE_TIMER_NS, IDLE_TIMER_LATE_NS);
	if (world_load())
		return -1;
	set_maps();
	return 0;
}

static int teardown(void **state)
{
	forget_dumps();
	close(queue);
	close(watch);
	return world_teardown(state);
}

static int find_cpus(void **state)
{
	(void)state;
	cpus_find(cpus);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(nothing_changes),
		TEST(a_last_lease_that_has_ended_is_no_matter),
		TEST(nobody_pays_for_rehearsals),
		TEST(nothing_is_rehearsed_that_leaves_a_trace),
		TEST(containers_are_taken_in_turn),
		TEST(no_container_is_lost),
	};

	return cmocka_run_group_tests_name("rehearse", tests, find_cpus, NULL);
}
