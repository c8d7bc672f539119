// SPDX-License-Identifier: GPL-2.0
/*
 * Link addresses and host names: the hash against its authors' own vectors, and what an address's
 * MAC and a container's name promise. How often MACs collide is held against chance, for fixed
 * keys.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "cleanup.h"
#include "mac.h"

static const __u8 key[MAC_KEY_LEN] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const __u8 other_key[MAC_KEY_LEN] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16};

/*
 * Aumasson, Bernstein: SipHash: a fast short-input PRF; the vectors of the reference implementation
 * for the key 00 01 ... 0f and the input 00 01 ... of length 0 to 63. The paper's appendix A works
 * out length 15.
 */
static const __u64 vectors[64] = {
	0x726fdb47dd0e0e31ULL, 0x74f839c593dc67fdULL, 0x0d6c8009d9a94f5aULL, 0x85676696d7fb7e2dULL,
	0xcf2794e0277187b7ULL, 0x18765564cd99a68dULL, 0xcbc9466e58fee3ceULL, 0xab0200f58b01d137ULL,
	0x93f5f5799a932462ULL, 0x9e0082df0ba9e4b0ULL, 0x7a5dbbc594ddb9f3ULL, 0xf4b32f46226bada7ULL,
	0x751e8fbc860ee5fbULL, 0x14ea5627c0843d90ULL, 0xf723ca908e7af2eeULL, 0xa129ca6149be45e5ULL,
	0x3f2acc7f57c29bdbULL, 0x699ae9f52cbe4794ULL, 0x4bc1b3f0968dd39cULL, 0xbb6dc91da77961bdULL,
	0xbed65cf21aa2ee98ULL, 0xd0f2cbb02e3b67c7ULL, 0x93536795e3a33e88ULL, 0xa80c038ccd5ccec8ULL,
	0xb8ad50c6f649af94ULL, 0xbce192de8a85b8eaULL, 0x17d835b85bbb15f3ULL, 0x2f2e6163076bcfadULL,
	0xde4daaaca71dc9a5ULL, 0xa6a2506687956571ULL, 0xad87a3535c49ef28ULL, 0x32d892fad841c342ULL,
	0x7127512f72f27cceULL, 0xa7f32346f95978e3ULL, 0x12e0b01abb051238ULL, 0x15e034d40fa197aeULL,
	0x314dffbe0815a3b4ULL, 0x027990f029623981ULL, 0xcadcd4e59ef40c4dULL, 0x9abfd8766a33735cULL,
	0x0e3ea96b5304a7d0ULL, 0xad0c42d6fc585992ULL, 0x187306c89bc215a9ULL, 0xd4a60abcf3792b95ULL,
	0xf935451de4f21df2ULL, 0xa9538f0419755787ULL, 0xdb9acddff56ca510ULL, 0xd06c98cd5c0975ebULL,
	0xe612a3cb9ecba951ULL, 0xc766e62cfcadaf96ULL, 0xee64435a9752fe72ULL, 0xa192d576b245165aULL,
	0x0a8787bf8ecb74b2ULL, 0x81b3e73d20b49b6fULL, 0x7fa8220ba3b2eceaULL, 0x245731c13ca42499ULL,
	0xb78dbfaf3a8d83bdULL, 0xea1ad565322a1a0bULL, 0x60e61c23a3795013ULL, 0x6606d7e446282b93ULL,
	0x6ca4ecb15c5f91e1ULL, 0x9f626da15c9625f3ULL, 0xe51b38608ef25f57ULL, 0x958a324ceb064572ULL,
};

static void siphash_vectors(void **state)
{
	(void)state;
	for (size_t len = 0; len < ARRAY_SIZE(vectors); len++) {
		cleanup_free __u8 *input = malloc(len + 1);

		assert_non_null(input);
		for (size_t i = 0; i <= len; i++)
			input[i] = (__u8)i;
		if (siphash24(key, input, len) != vectors[len])
			fail_msg("length %zu: %llx", len, siphash24(key, input, len));
		/* Not aligned either. */
		memmove(input + 1, input, len);
		assert_int_equal(siphash24(key, input + 1, len), vectors[len]);
	}
}

static void every_key_byte_counts(void **state)
{
	(void)state;
	for (size_t i = 0; i < MAC_KEY_LEN; i++) {
		__u8 changed[MAC_KEY_LEN];

		memcpy(changed, key, sizeof(changed));
		changed[i] ^= 0x80;
		assert_int_not_equal(siphash24(changed, "skep", 4), siphash24(key, "skep", 4));
	}
}

/* ---- link addresses -------------------------------------------------------- */

static const __u8 ouis[][3] = {{0x00, 0x1b, 0x21}, {0x00, 0x25, 0x90}, {0xac, 0x1f, 0x6b}};

struct mac {
	__u8 byte[6];
};

static struct mac mac(const __u8 *k, const char *addr, __u16 vlan, size_t n_ouis)
{
	struct mac ret = {{9, 9, 9, 9, 9, 9}};

	mac_of(k, inet_addr(addr), vlan, ouis, n_ouis, ret.byte);
	return ret;
}

static void check_same(struct mac a, struct mac b, bool same)
{
	assert_int_equal(!memcmp(a.byte, b.byte, 6), same);
}

static void the_same_each_time(void **state)
{
	(void)state;
	check_same(mac(key, "10.66.4.2", 0, 3), mac(key, "10.66.4.2", 0, 3), true);
	check_same(mac(key, "10.66.4.2", 7, 3), mac(key, "10.66.4.2", 7, 3), true);
}

static void another_for_another_segment(void **state)
{
	(void)state;
	check_same(mac(key, "10.66.4.2", 0, 1), mac(key, "10.66.4.2", 7, 1), false);
	check_same(mac(key, "10.66.4.2", 7, 1), mac(key, "10.66.4.2", 7 << 8, 1), false);
	check_same(mac(key, "10.66.4.2", 0, 1), mac(key, "10.66.4.3", 0, 1), false);
	check_same(mac(key, "10.66.4.2", 0, 1), mac(key, "2.4.66.10", 0, 1), false);
	check_same(mac(key, "10.66.4.2", 0, 1), mac(other_key, "10.66.4.2", 0, 1), false);
}

/*
 * A router may remember the address of an earlier skepd: the rule may not change between versions.
 * Worked out with another SipHash, for a little-endian machine.
 */
static void the_same_in_every_version(void **state)
{
	(void)state;
	check_same(mac(key, "10.66.4.2", 0, 3), (struct mac){{0x00, 0x25, 0x90, 0x0a, 0x89, 0xeb}},
		   true);
	check_same(mac(key, "10.66.4.2", 7, 3), (struct mac){{0xac, 0x1f, 0x6b, 0xc3, 0xe4, 0x38}},
		   true);
	check_same(mac(key, "192.0.2.255", 4094, 1),
		   (struct mac){{0x00, 0x1b, 0x21, 0x6b, 0x23, 0xa8}}, true);
}

static __be32 nth(unsigned int i)
{
	return htonl(0x0a420000U + i);
}

#define ADDRESSES 65536U

/* 5 standard deviations of a count that is Poisson's; more is no chance. */
static void check_near(double count, double expected, const char *what)
{
	double off = count - expected;

	if (off * off > 25 * expected)
		fail_msg("%s: %.0f where %.1f is to be expected", what, count, expected);
}

static void vendors_from_the_list_evenly(void **state)
{
	unsigned int n[ARRAY_SIZE(ouis)] = {};

	(void)state;
	for (unsigned int i = 0; i < ADDRESSES; i++) {
		struct mac m;
		size_t o = 0;

		mac_of(key, nth(i), 0, ouis, ARRAY_SIZE(ouis), m.byte);
		while (o < ARRAY_SIZE(ouis) && memcmp(m.byte, ouis[o], 3))
			o++;
		assert_true(o < ARRAY_SIZE(ouis));
		assert_int_equal(m.byte[0] & 3, 0); /* unicast, globally administered */
		n[o]++;
	}
	for (size_t o = 0; o < ARRAY_SIZE(ouis); o++)
		check_near(n[o], (double)ADDRESSES / ARRAY_SIZE(ouis), "addresses of a vendor");
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mac));
}

/* Pairs of neighbours in order that are equal; hardly differs from all pairs while triples are
 * rare. */
static unsigned int collisions(const __u8 *k, __u16 vlan, size_t n_ouis)
{
	cleanup_free struct mac *macs = calloc(ADDRESSES, sizeof(*macs));
	unsigned int n = 0;

	assert_non_null(macs);
	for (unsigned int i = 0; i < ADDRESSES; i++)
		mac_of(k, nth(i), vlan, ouis, n_ouis, macs[i].byte);
	qsort(macs, ADDRESSES, sizeof(*macs), compare);
	for (unsigned int i = 1; i < ADDRESSES; i++)
		n += !compare(&macs[i - 1], &macs[i]);
	return n;
}

/* 24 bits behind each prefix; 65536 addresses make 2^31 pairs. */
static void no_more_collisions_than_by_chance(void **state)
{
	double pairs = 2147450880.0;

	(void)state;
	check_near(collisions(key, 0, 1), pairs / (1 << 24), "collisions, one vendor");
	check_near(collisions(key, 7, 1), pairs / (1 << 24), "collisions, VLAN 7");
	check_near(collisions(other_key, 0, 1), pairs / (1 << 24), "collisions, another key");
	check_near(collisions(key, 0, 3), pairs / (1 << 24) / 3, "collisions, three vendors");
}

static void every_bit_of_the_hash_is_used(void **state)
{
	unsigned int ones[24] = {};

	(void)state;
	for (unsigned int i = 0; i < ADDRESSES; i++) {
		struct mac m;

		mac_of(key, nth(i), 0, ouis, 1, m.byte);
		for (unsigned int bit = 0; bit < 24; bit++)
			ones[bit] += m.byte[3 + bit / 8] >> (bit % 8) & 1;
	}
	for (unsigned int bit = 0; bit < 24; bit++)
		check_near(ones[bit], ADDRESSES / 2.0, "a bit is set");
}

/* ---- host names ------------------------------------------------------------ */

#define NAMES 10000U

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* RFC 1123 2.1, and lower case, as machines are named. */
static void check_label(const char *name)
{
	size_t len = strnlen(name, HOST_NAME_LEN);

	assert_true(len > 0 && len < HOST_NAME_LEN);
	assert_true(is_alnum(name[0]) && is_alnum(name[len - 1]));
	for (size_t i = 0; i < len; i++)
		assert_true(is_alnum(name[i]) || name[i] == '-');
	/* All digits, it could be taken for a piece of an address. */
	assert_true(strspn(name, "0123456789") < len);
}

static void names_are_labels(void **state)
{
	(void)state;
	for (__u64 serial = 0; serial < NAMES; serial++) {
		char name[HOST_NAME_LEN + 8], again[HOST_NAME_LEN];

		memset(name, '#', sizeof(name));
		host_name_of(key, serial, name);
		check_label(name);
		assert_memory_equal(name + HOST_NAME_LEN, "########", 8);
		host_name_of(key, serial, again);
		assert_string_equal(name, again);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* Lives follow each other: their names are to tell nothing of that, nor be the same all the time.
 */
static void names_vary(void **state)
{
	static char names[NAMES][HOST_NAME_LEN], other[HOST_NAME_LEN];
	unsigned int distinct = 1, as_before = 0, as_other = 0;

	(void)state;
	for (__u64 serial = 0; serial < NAMES; serial++) {
		host_name_of(key, serial, names[serial]);
		host_name_of(other_key, serial, other);
		as_other += !strcmp(names[serial], other);
		as_before += serial && !strcmp(names[serial], names[serial - 1]);
	}
	qsort(names, NAMES, HOST_NAME_LEN, compare_names);
	for (unsigned int i = 1; i < NAMES; i++)
		distinct += strcmp(names[i - 1], names[i]) != 0;
	assert_in_range(distinct, 500, NAMES);
	assert_in_range(as_before, 0, NAMES / 100);
	assert_in_range(as_other, 0, NAMES / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_vectors),
		cmocka_unit_test(every_key_byte_counts),
		cmocka_unit_test(the_same_each_time),
		cmocka_unit_test(another_for_another_segment),
		cmocka_unit_test(the_same_in_every_version),
		cmocka_unit_test(vendors_from_the_list_evenly),
		cmocka_unit_test(no_more_collisions_than_by_chance),
		cmocka_unit_test(every_bit_of_the_hash_is_used),
		cmocka_unit_test(names_are_labels),
		cmocka_unit_test(names_vary),
	};

	return cmocka_run_group_tests_name("mac", tests, NULL, NULL);
}
