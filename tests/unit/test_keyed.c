// SPDX-License-Identifier: GPL-2.0
/*
 * Keyed choices and patience: pure headers that the kernel side uses as well. Which addresses live
 * is the same each time, independent of the link addresses, and as many as were asked for; SipHash
 * itself and the link addresses are test_mac.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "keyed.h"
#include "mac.h"
#include "patience.h"

#define ADDRESSES 65536U
#define ALL (~0U)
#define PERCENT(n) ((__u32)((n) * (1ULL << 32) / 100))

static const __u8 key[SKEP_KEY_LEN] = "0123456789abcdef";
static const __u8 other_key[SKEP_KEY_LEN] = "0123456789abcdeg";

static union skep_ipv4 nth(__u32 i)
{
	return (union skep_ipv4){.addr = htonl(0x0a420000U + i)};
}

static unsigned int count_alive(const __u8 *k, __u16 vlan, __u32 density)
{
	unsigned int n = 0;

	for (__u32 i = 0; i < ADDRESSES; i++)
		n += keyed_lives(k, nth(i), vlan, density);
	return n;
}

/* As siphash24() has it, whose vectors are in test_mac.c. */
static void the_hash_is_that_of_eight_bytes(void **state)
{
	const __u8 bytes[8] = {10, 66, 4, 2, 7, 0, 'l', 'i'};
	const union skep_ipv4 ip = {.octet = {10, 66, 4, 2}};

	(void)state;
	assert_true(keyed_hash(key, ip, 7, KEYED_FOR_LIVES) ==
		    siphash24(key, bytes, sizeof(bytes)));
	assert_true(keyed_hash(key, ip, 7, KEYED_FOR_LIVES) !=
		    keyed_hash(key, ip, 7, KEYED_FOR_MAC));
	assert_true(keyed_hash(key, ip, 7, KEYED_FOR_LIVES) !=
		    keyed_hash(other_key, ip, 7, KEYED_FOR_LIVES));
	assert_true(keyed_hash(key, ip, 7, KEYED_FOR_LIVES) !=
		    keyed_hash(key, ip, 8, KEYED_FOR_LIVES));
}

static void as_many_live_as_shall(void **state)
{
	(void)state;
	assert_int_equal(count_alive(key, 0, ALL), ADDRESSES);
	/* Five standard deviations of a binomial count: at most 640 of 65,536. */
	assert_in_range(count_alive(key, 0, PERCENT(35)), 22938 - 640, 22938 + 640);
	assert_in_range(count_alive(key, 7, PERCENT(35)), 22938 - 640, 22938 + 640);
	assert_in_range(count_alive(other_key, 0, PERCENT(1)), 655 - 128, 655 + 128);
	assert_in_range(count_alive(key, 0, PERCENT(99)), 64881 - 128, 64881 + 128);
}

/* An address that lives at 10 % does at 35 %, too. */
static void more_live_with_a_higher_density(void **state)
{
	(void)state;
	for (__u32 i = 0; i < ADDRESSES; i++)
		if (keyed_lives(key, nth(i), 0, PERCENT(10)))
			assert_true(keyed_lives(key, nth(i), 0, PERCENT(35)));
}

/* Of a half on one VLAN a half lives on another: the choices have nothing to do with each other. */
static void each_vlan_has_its_own_choice(void **state)
{
	unsigned int both = 0;

	(void)state;
	for (__u32 i = 0; i < ADDRESSES; i++)
		both += keyed_lives(key, nth(i), 0, PERCENT(50)) &&
			keyed_lives(key, nth(i), 7, PERCENT(50));
	assert_in_range(both, 16384 - 560, 16384 + 560);
}

static void the_edge_of_a_density(void **state)
{
	const union skep_ipv4 ip = nth(2);
	const __u32 hash = (__u32)keyed_hash(key, ip, 0, KEYED_FOR_LIVES);

	(void)state;
	assert_true(keyed_lives(key, ip, 0, hash));
	assert_false(keyed_lives(key, ip, 0, hash - 1));
	assert_true(mac_lives(key, ip.addr, 0, hash));
	assert_false(mac_lives(key, ip.addr, 0, hash - 1));
}

/* Without prefixes there is no division by zero, and the first is taken. */
static void no_prefixes(void **state)
{
	static const __u8 ouis[1][3] = {{1, 2, 3}};
	__u8 mac[6];

	(void)state;
	keyed_mac(key, ouis, 0, nth(2), 0, mac);
	assert_memory_equal(mac, ouis[0], 3);
}

#define MS PATIENCE_NS_PER_MS
#define T0 1000000ULL

static void patience(void **state)
{
	struct skep_patience p = {.first_ns = T0, .last_ns = T0};

	(void)state;
	assert_false(patience_is_over(&p, T0, 1000));
	assert_false(patience_is_over(&p, T0 + 1000 * MS - 1, 1000));
	assert_true(patience_is_over(&p, T0 + 1000 * MS, 1000));
	assert_true(p.first_ns == T0 && p.last_ns == T0 + 1000 * MS);
	assert_true(patience_is_over(&p, T0 + 60000 * MS, 1000));
	assert_false(patience_is_over(&p, T0 + 60000 * MS + 1, 1000));
	assert_true(p.first_ns == T0 + 60000 * MS + 1);
	assert_true(patience_is_over(&p, p.first_ns + 1000 * MS, 1000));
}

/* Another CPU may have been there a moment later. */
static void patience_and_a_clock_that_is_behind(void **state)
{
	struct skep_patience p = {.first_ns = T0, .last_ns = T0};

	(void)state;
	assert_false(patience_is_over(&p, T0 - 1, 1));
	assert_true(p.first_ns == T0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hash_is_that_of_eight_bytes),
		cmocka_unit_test(as_many_live_as_shall),
		cmocka_unit_test(more_live_with_a_higher_density),
		cmocka_unit_test(each_vlan_has_its_own_choice),
		cmocka_unit_test(the_edge_of_a_density),
		cmocka_unit_test(no_prefixes),
		cmocka_unit_test(patience),
		cmocka_unit_test(patience_and_a_clock_that_is_behind),
	};

	return cmocka_run_group_tests_name("keyed", tests, NULL, NULL);
}
