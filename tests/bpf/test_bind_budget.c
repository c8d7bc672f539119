// SPDX-License-Identifier: GPL-2.0
/*
 * Budgets for binds, of the farm and of each requester: how many asks of the uplink program they
 * let through, also of several CPUs at once, and what they remember of whom.
 */
#include "uplink_world.h"

#include <arpa/inet.h>
#include <pthread.h>

#include "leases.h"

#define HOUR 3600000000000ULL
#define UNTOUCHED 12345

static const struct lease_spec lease = {IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, 101};

static const struct bytes dark_arp = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK));
static const struct bytes dark_arp_tagged = BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK));
static const struct bytes dark_ip = BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK));
static const struct bytes leased_ip = BYTES(MAC_LEASE MAC_ROUTER TYPE_IPV4 PING(IP_LEASED));
static const struct bytes foreign_ip = BYTES(MAC_OTHER MAC_ROUTER TYPE_IPV4 PING(IP_FOREIGN));
static const struct bytes from_second_asker =
	BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_FOREIGN, IP_DARK));

static __u64 farm_bucket(void)
{
	return harness_get_only_u64(skel->maps.bind_budget);
}

static void put_farm_bucket(__u64 tat)
{
	harness_put_only(skel->maps.bind_budget, &tat);
}

static bool is_known(const char *ip, __u16 vlan)
{
	const struct skep_addr key = world_address(ip, vlan);
	__u64 tat;

	return harness_find(skel->maps.requesters, &key, &tat);
}

/* An empty ring, full buckets, and these settings. */
static void begin(const struct skep_settings *value)
{
	asks_read();
	world_set_settings(value);
	put_farm_bucket(0);
	harness_empty(skel->maps.requesters);
}

/* Each of @n frames becomes just this. */
static void check_many(const struct bytes *frame, unsigned int n, enum skep_verdict verdict)
{
	world_all_become(frame, n, verdict);
	assert_int_equal(asks_read(), verdict == SKEP_ASK_ARP || verdict == SKEP_ASK_IP ? n : 0);
}

/* ---- one CPU --------------------------------------------------------------- */

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
	assert_int_equal(harness_size(skel->maps.requesters), 0);
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
	assert_int_equal(harness_size(skel->maps.requesters), 4);
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
	put_farm_bucket(tat - HOUR);
	check_many(&dark_arp, 1, SKEP_ASK_ARP);
	check_many(&dark_arp, 1, SKEP_DROP_BUDGET);
}

static void without_limits_nobody_is_remembered(void **state)
{
	static const struct skep_settings none = {.bind_burst_ns = HOUR,
						  .requester_burst_ns = HOUR};

	(void)state;
	begin(&none);
	put_farm_bucket(UNTOUCHED);
	check_many(&dark_arp, 100, SKEP_ASK_ARP);
	assert_int_equal(farm_bucket(), UNTOUCHED);
	assert_int_equal(harness_size(skel->maps.requesters), 0);
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
	too_long = harness_longer(&dark_ip, SKEP_ASK_LARGE + 1);
	check_many(&too_long, 10, SKEP_DROP_ASK_TOO_LONG);
	assert_int_equal(farm_bucket(), 0);
	assert_int_equal(harness_size(skel->maps.requesters), 0);
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

	(void)state;
	begin(&s);
	memcpy(frame, dark_arp.at, dark_arp.len);
	harness_mark(skel->maps.counters);
	for (__u32 i = 0; i < 3 * SKEP_REQUESTERS_MAX; i++) {
		__be32 forged = htonl(0x0b000001 + i); /* 11.0.0.1 and on */

		memcpy(frame + 28, &forged, sizeof(forged));
		harness_run(skel->progs.uplink, &(struct bytes){frame, dark_arp.len}, &outcome);
	}
	harness_check_counted_n(skel->maps.counters, SKEP_DROP_BUDGET, 3 * SKEP_REQUESTERS_MAX);
	assert_in_range(harness_size(skel->maps.requesters), SKEP_REQUESTERS_MAX / 2,
			SKEP_REQUESTERS_MAX);
}

/* ---- several CPUs at once -------------------------------------------------- */

#define THREADS 2
#define ALLOWED 5000 /* fewer than the ring holds */

static void *flood(void *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = dark_arp.at,
		    .data_size_in = (__u32)dark_arp.len, .repeat = 10 * ALLOWED);

	*(int *)err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.uplink), &opts);
	return NULL;
}

/* Just as many were let through as the budget has, and as many records are in the ring. */
static void check_flood(const struct skep_settings *value, enum skep_verdict refused)
{
	pthread_t threads[THREADS];
	int errs[THREADS];

	begin(value);
	harness_mark(skel->maps.counters);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, flood, &errs[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(errs[i], 0);
	}
	assert_int_equal(harness_counted(skel->maps.counters, SKEP_ASK_ARP), ALLOWED);
	assert_int_equal(harness_counted(skel->maps.counters, refused),
			 THREADS * 10 * ALLOWED - ALLOWED);
	assert_int_equal(asks_read(), ALLOWED);
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

static int setup(void **state)
{
	static const struct skep_uplink uplink = {.first = 0x0a420000, .last = 0x0a42ffff};
	static const struct skep_range range = {.density = ~0U};
	static const struct skep_range excluded = {.flags = SKEP_RANGE_EXCLUDED};

	if (world_setup(state))
		return -1;
	world_set_range(IP_NETWORK, 16, 0, &range);
	world_set_range(IP_NETWORK, 24, 0, &excluded);
	world_set_range(IP_NETWORK, 16, 7, &range);
	world_set_uplink(&uplink);
	lease_set(skel->maps.leases, &lease, 1);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_farm_has_a_budget),
		cmocka_unit_test(each_requester_has_a_budget),
		cmocka_unit_test(budgets_come_back),
		cmocka_unit_test(without_limits_nobody_is_remembered),
		cmocka_unit_test(only_asks_are_counted),
		cmocka_unit_test(forged_requesters_are_forgotten),
		cmocka_unit_test(a_flood_by_several_cpus_stays_within_the_farms_budget),
		cmocka_unit_test(a_flood_by_several_cpus_stays_within_the_requesters_budget),
	};

	return cmocka_run_group_tests_name("bind_budget", tests, setup, world_teardown);
}
