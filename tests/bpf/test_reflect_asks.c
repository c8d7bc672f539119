// SPDX-License-Identifier: GPL-2.0
/*
 * What reflections may cost: how often an intruder's world and all of them may ask skepd for one,
 * how long the frame may be, and what is told of all that is dropped.
 */
#include "reflect_world.h"

#include "skep/notice.h"

static void set_budget(__u64 all, __u64 own)
{
	struct skep_settings value = {
		.version = SKEP_MAPS_VERSION,
		.reflect_interval_ns = 3600000000000ULL,
		.reflect_burst_ns = all * 3600000000000ULL,
		.world_interval_ns = 3600000000000ULL,
		.world_burst_ns = own * 3600000000000ULL,
	};

	harness_put_only(skel->maps.settings, &value);
}

static const struct row roots_ask = {
	"", ROOT, BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR_DARK)),
	ASKED(IP_FAR_DARK)};
static const struct row roots_ask_refused = {
	"", ROOT, BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR_DARK)),
	DROPPED(REFLECT_DROP_BUDGET)};
static const struct row nears_ask_refused = {
	"", NEAR, BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_FAR_DARK)),
	DROPPED(REFLECT_DROP_BUDGET)};
static const struct row strangers_ask = {
	"", STRANGER, BYTES(IP_FRAME(MAC_ROUTER, MAC_STRANGER) IPV4(IP_STRANGER, IP_FAR_DARK)),
	ASKED(IP_FAR_DARK)};
static const struct row strangers_ask_refused = {
	"", STRANGER, BYTES(IP_FRAME(MAC_ROUTER, MAC_STRANGER) IPV4(IP_STRANGER, IP_FAR_DARK)),
	DROPPED(REFLECT_DROP_BUDGET)};

struct budgets {
	__u64 all, own[SLOTS];
};

static struct budgets read_budgets(void)
{
	const struct bpf_map *all = skel->maps.reflect_budget, *own = skel->maps.world_budgets;
	struct budgets left;

	harness_get(all, &(__u32){0}, &left.all);
	for (__u32 who = 0; who < SLOTS; who++)
		harness_get(own, &who, &left.own[who]);
	return left;
}

/* In a new farm, but with the budgets that are left of the one before. */
static void check_again(const struct row *row, __u64 all, __u64 own)
{
	const struct budgets left = read_budgets();

	set_farm(row->sender, USUAL);
	set_budget(all, own);
	harness_put_only(skel->maps.reflect_budget, &left.all);
	for (__u32 who = 0; who < SLOTS; who++)
		harness_put(skel->maps.world_budgets, &who, &left.own[who]);
	check_row(row);
}

/* A world has one budget, whoever of it asks. */
static void an_intruder_has_his_own_budget(void **state)
{
	(void)state;
	fill_budgets();
	check_again(&roots_ask, 100, 2);
	check_again(&roots_ask, 100, 2);
	check_again(&roots_ask_refused, 100, 2);
	check_again(&nears_ask_refused, 100, 2);
	check_again(&strangers_ask, 100, 2);
}

static void all_have_one_together(void **state)
{
	(void)state;
	fill_budgets();
	check_again(&roots_ask, 2, 100);
	check_again(&strangers_ask, 2, 100);
	check_again(&strangers_ask_refused, 2, 100);
	check_again(&roots_ask_refused, 2, 100);
}

static void records_have_two_sizes(void **state)
{
	static const size_t lens[] = {SKEP_ASK_SMALL, SKEP_ASK_SMALL + 1, SKEP_ASK_LARGE};
	struct row row = roots_ask;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = harness_longer(&roots_ask.in, lens[i]);
		set_farm(ROOT, USUAL);
		check_row(&row);
	}
	row.in = harness_longer(&roots_ask.in, SKEP_ASK_LARGE + 1);
	row.dark = NULL;
	row.verdict = SKEP_REFLECT_DROP_TOO_LONG;
	set_farm(ROOT, USUAL);
	check_row(&row);
}

/* But what any machine sends to all now and then. */
static void drops_are_told(void **state)
{
	static const struct row told = {
		"", NEAR, BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_LOOPBACK)),
		DROPPED(REFLECT_DROP_TARGET)};
	static const struct row untold = {
		"", NEAR, BYTES(IP_FRAME(MAC_GROUP, MAC_NEAR) IPV4(IP_NEAR, IP_GROUP)),
		DROPPED(REFLECT_DROP_TARGET)};
	struct skep_notice_key key = {.port = PORT, .verdict = SKEP_REFLECT_DROP_TARGET};
	const struct bpf_map *gates = skel->maps.notice_gates;
	struct skep_notice_gate gate;

	(void)state;
	set_farm(NEAR, told.state);
	harness_empty(gates);
	check_row(&untold);
	assert_false(harness_find(gates, &key, &gate));
	check_row(&told);
	harness_get(gates, &key, &gate);
}

static void a_full_ring_is_counted(void **state)
{
	const struct bytes *in = &roots_ask.in;
	static struct outcome outcome;
	__u64 before, full;

	(void)state;
	set_farm(ROOT, USUAL);
	before = harness_counter(skel->maps.counters, SKEP_REFLECT_DROP_RING_FULL);
	do {
		harness_run(skel->progs.port, in, &outcome);
		assert_int_equal(outcome.action, TC_ACT_SHOT);
		full = harness_counter(skel->maps.counters, SKEP_REFLECT_DROP_RING_FULL);
		set_settings(USUAL);
	} while (full == before);
	assert_int_equal(full, before + 1);
	verdict_seen[SKEP_REFLECT_DROP_RING_FULL] = true;
	assert_in_range(asks_read(), 1000, 10000);
}

static void every_verdict_was_seen(void **state)
{
	(void)state;
	harness_check_seen(of_asks, ARRAY_SIZE(of_asks));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_intruder_has_his_own_budget),
		cmocka_unit_test(all_have_one_together),
		cmocka_unit_test(records_have_two_sizes),
		cmocka_unit_test(drops_are_told),
		cmocka_unit_test(a_full_ring_is_counted),
		cmocka_unit_test(every_verdict_was_seen),
	};

	return cmocka_run_group_tests_name("reflect_asks", tests, reflect_setup, reflect_teardown);
}
