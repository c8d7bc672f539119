// SPDX-License-Identifier: GPL-2.0
/*
 * The sweep's order, pace and frames: each address of the verified ranges once a round, in another
 * order each time, never faster than the bound. Sends nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "pace.h"
#include "parse.h"
#include "permutation.h"
#include "probe.h"
#include "sweep.h"

static const __u8 key_a[MAC_KEY_LEN] = "one key, 16 byte", key_b[MAC_KEY_LEN] = "another, 16 byte";

/* Marks what comes at each place; fails where a number comes twice. */
static void walk(const struct permutation *p, __u8 *seen)
{
	memset(seen, 0, p->n);
	for (__u64 i = 0; i < p->n; i++) {
		const __u64 number = permutation_at(p, i);

		assert_true(number < p->n);
		assert_false(seen[number]);
		seen[number] = 1;
	}
}

static void every_number_has_one_place(void **state)
{
	static const __u64 sizes[] = {1, 2, 3, 4, 5, 15, 16, 17, 254, 256, 257, 1000, 65536, 65537};
	struct permutation p;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_free __u8 *seen = malloc(sizes[i]);

		permutation_init(&p, key_a, sizes[i]);
		walk(&p, seen);
		permutation_init(&p, key_b, sizes[i]);
		walk(&p, seen);
	}
}

static void the_largest_has_places_too(void **state)
{
	struct permutation p;

	(void)state;
	permutation_init(&p, key_a, PERMUTATION_MAX);
	assert_true(permutation_at(&p, PERMUTATION_MAX - 1) < PERMUTATION_MAX);
	assert_int_not_equal(permutation_at(&p, 0), permutation_at(&p, PERMUTATION_MAX - 1));
}

/* How often a number of the one order stands where it stands in the other. */
static unsigned int in_common(const struct permutation *a, const struct permutation *b)
{
	unsigned int n = 0;

	for (__u64 i = 0; i < a->n; i++)
		n += permutation_at(a, i) == permutation_at(b, i);
	return n;
}

/* Of two random orders one place is in common on average, and more than 12 never. */
static void another_key_is_another_order(void **state)
{
	struct permutation a, b, same;

	(void)state;
	permutation_init(&a, key_a, 10000);
	permutation_init(&b, key_b, 10000);
	permutation_init(&same, key_a, 10000);
	assert_in_range(in_common(&a, &b), 0, 12);
	assert_int_equal(in_common(&a, &same), 10000);
}

/* Neighbours in the order are no neighbours on the wire: an order of chance has 2 such pairs. */
static void it_does_not_count_up(void **state)
{
	unsigned int neighbours = 0;
	struct permutation p;

	(void)state;
	permutation_init(&p, key_a, 4096);
	for (__u64 i = 0; i + 1 < p.n; i++) {
		const __u64 a = permutation_at(&p, i), b = permutation_at(&p, i + 1);

		neighbours += a + 1 == b || b + 1 == a;
	}
	assert_in_range(neighbours, 0, 20);
}

static void the_bound_holds_for_any_chance(void **state)
{
	static const unsigned int rates[] = {1, 3, 100, 2000};
	__u8 least = 0, most = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		const __u64 bound = pace_bound_ns(rates[i]);

		assert_true(bound * rates[i] >= NS_PER_SEC);
		assert_true((bound - 1) * rates[i] < NS_PER_SEC);
		for (__u64 n = 0; n < 10000; n++) {
			const __u64 random = siphash24(key_a, &n, sizeof(n));
			const __u64 gap = pace_next_ns(5, bound, 0, random) - 5;

			assert_in_range(gap, bound, bound + bound / 2);
			least |= gap < bound + bound / 10;
			most |= gap > bound + bound / 10 * 4;
		}
		assert_true(least && most);
	}
}

static void a_mean_is_met(void **state)
{
	const __u64 bound = pace_bound_ns(100), mean = 70 * NS_PER_MS;
	__u64 sum = 0;

	(void)state;
	for (__u64 n = 0; n < 10000; n++) {
		const __u64 random = siphash24(key_b, &n, sizeof(n));
		const __u64 gap = pace_next_ns(0, bound, mean, random);

		assert_in_range(gap, mean / 2, mean + mean / 2);
		sum += gap;
	}
	assert_in_range(sum / 10000, mean - mean / 50, mean + mean / 50);
}

/* Whatever the moment before was meant to be, the distance is counted from when it was. */
static void nothing_is_caught_up_with(void **state)
{
	const __u64 bound = pace_bound_ns(10), late = 3600 * NS_PER_SEC;

	(void)state;
	assert_true(pace_next_ns(late, bound, 0, 0) >= late + bound);
	assert_true(pace_next_ns(late, bound, 0, ~0ULL) >= late + bound);
}

/* 10.1.0.0/24, 10.2.0.0/30 on VLAN 7 and 10.3.0.0/16 without verification; 10.4.0.8/29 elsewhere.
 */
static struct sweep *two_uplinks(void)
{
	struct range_config first[] = {
		{.prefix = {htonl(0x0a010000), 24}, .verify = true},
		{.prefix = {htonl(0x0a020000), 30}, .verify = true, .vlan = 7},
		{.prefix = {htonl(0x0a030000), 16}},
	};
	struct range_config third[] = {{.prefix = {htonl(0x0a040008), 29}, .verify = true}};
	struct uplink_config uplinks[] = {
		{.ranges = first, .n_ranges = ARRAY_SIZE(first)},
		{},
		{.ranges = third, .n_ranges = ARRAY_SIZE(third)},
	};
	const struct config config = {.uplinks = uplinks, .n_uplinks = ARRAY_SIZE(uplinks)};
	struct sweep *sweep = NULL;

	assert_int_equal(sweep_new(&config, &sweep), 0);
	return sweep;
}

/* Which of the 268 it is; fails for any other. */
static size_t index_of(const struct skep_addr *address)
{
	const __u32 ip = ntohl(address->ip.addr);

	if (ip >> 8 == 0x0a0100) {
		assert_int_equal(address->uplink, 0);
		assert_int_equal(address->vlan, 0);
		return ip & 0xff;
	}
	if (ip >> 2 == 0x0a020000 >> 2) {
		assert_int_equal(address->uplink, 0);
		assert_int_equal(address->vlan, 7);
		return 256 + (ip & 3);
	}
	assert_int_equal(ip >> 3, 0x0a040008 >> 3);
	assert_int_equal(address->uplink, 2);
	assert_int_equal(address->vlan, 0);
	return 260 + (ip & 7);
}

/* Return: the first address. */
static struct skep_addr walk_round(struct sweep *sweep)
{
	struct skep_addr address, first = {};
	__u8 seen[268] = {};
	unsigned int n = 0;

	while (sweep_next(sweep, &address)) {
		const size_t i = index_of(&address);

		assert_false(seen[i]);
		seen[i] = 1;
		if (!n++)
			first = address;
		assert_int_equal(sweep_at(sweep), n);
	}
	assert_int_equal(n, ARRAY_SIZE(seen));
	return first;
}

static void each_address_once_a_round(void **state)
{
	struct sweep *sweep = two_uplinks();
	struct skep_addr address, first, second;

	(void)state;
	assert_int_equal(sweep_total(sweep), 268);
	assert_false(sweep_next(sweep, &address)); /* no round has begun */
	sweep_begin(sweep, key_a);
	first = walk_round(sweep);
	assert_false(sweep_next(sweep, &address));
	sweep_begin(sweep, key_b);
	second = walk_round(sweep);
	assert_memory_not_equal(&first, &second, sizeof(first));
	sweep_free(sweep);
}

static void a_farm_without_verified_ranges_has_no_rounds(void **state)
{
	const struct config config = {};
	struct skep_addr address;
	struct sweep *sweep;

	(void)state;
	assert_int_equal(sweep_new(&config, &sweep), 0);
	assert_int_equal(sweep_total(sweep), 0);
	sweep_begin(sweep, key_a);
	assert_false(sweep_next(sweep, &address));
	assert_int_equal(sweep_mean_ns(sweep, 2400, false), 0);
	sweep_free(sweep);
}

static void what_is_settled_rests(void **state)
{
	(void)state;
	assert_true(sweep_is_due(false, 0, 2400));
	assert_false(sweep_is_due(true, 0, 2400));
	assert_false(sweep_is_due(true, 799, 2400));
	assert_true(sweep_is_due(true, 800, 2400));
	assert_true(sweep_is_due(true, ~0U, 2400)); /* never probed */
}

/* Two rounds and the age at which an address is due are all that lies between two looks. */
static void host_memory_is_kept(void **state)
{
	struct sweep *sweep = two_uplinks();
	const __u64 mean = sweep_mean_ns(sweep, 2400, false);

	(void)state;
	assert_int_equal(sweep_mean_ns(sweep, 2400, true), 0);
	assert_in_range(mean * 268, 799 * NS_PER_SEC, 800 * NS_PER_SEC);
	assert_int_equal(sweep_round_s(sweep, 100), 3);
	assert_int_equal(sweep_round_s(sweep, 1), 335);
	sweep_free(sweep);
}

/* RFC 5227, 2.1.1, byte by byte. */
static void a_probe_is_a_probe(void **state)
{
	static const __u8 mac[6] = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
	static const __u8 want[PROBE_LEN] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55, 0x08, 0x06,
		0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x02, 0x11, 0x22, 0x33, 0x44, 0x55,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0,    0,    10,	  66,	4,    2,
	};
	static const __u8 tagged[] = {0x81, 0x00, 0x0f, 0xa1, 0x08, 0x06, 0x00, 0x01};
	__u8 frame[PROBE_LEN];
	struct frame f;

	(void)state;
	memset(frame, 0xaa, sizeof(frame));
	probe_fill(frame, mac, 0, htonl(0x0a420402));
	assert_memory_equal(frame, want, sizeof(want));
	probe_fill(frame, mac, 4001, htonl(0x0a420402));
	assert_memory_equal(frame, want, 12);
	assert_memory_equal(frame + 12, tagged, sizeof(tagged));
	assert_memory_equal(frame + 18, want + 14, 42);
	/* What the uplink program would take it for. */
	assert_int_equal(parse_frame(frame, frame + sizeof(frame), &f), SKEP_LEASED_ARP);
	assert_int_equal(f.kind, FRAME_PROBE);
	assert_int_equal(f.vlan, 4001);
	assert_int_equal(f.target.addr, htonl(0x0a420402));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_has_one_place),
		cmocka_unit_test(the_largest_has_places_too),
		cmocka_unit_test(another_key_is_another_order),
		cmocka_unit_test(it_does_not_count_up),
		cmocka_unit_test(the_bound_holds_for_any_chance),
		cmocka_unit_test(a_mean_is_met),
		cmocka_unit_test(nothing_is_caught_up_with),
		cmocka_unit_test(each_address_once_a_round),
		cmocka_unit_test(a_farm_without_verified_ranges_has_no_rounds),
		cmocka_unit_test(what_is_settled_rests),
		cmocka_unit_test(host_memory_is_kept),
		cmocka_unit_test(a_probe_is_a_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
