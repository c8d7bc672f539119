// SPDX-License-Identifier: GPL-2.0
/* Prefixes and link addresses: what is accepted, what is refused and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>

#include "cleanup.h"
#include "prefix.h"

struct parse_case {
	const char *text;
	int err;
	const char *addr; /* NULL when @ret must stay as it was */
	unsigned int len;
};

static const struct parse_case parse_cases[] = {
	{"10.66.0.0/16", 0, "10.66.0.0", 16},
	{"10.66.4.2", 0, "10.66.4.2", 32},
	{"10.66.4.2/32", 0, "10.66.4.2", 32},
	{"10.66.4.2/31", 0, "10.66.4.2", 31},
	{"0.0.0.0/0", 0, "0.0.0.0", 0},
	{"255.255.255.255", 0, "255.255.255.255", 32},
	{"10.66.4.2/16", -EDOM, "10.66.0.0", 16},
	{"10.66.4.3/31", -EDOM, "10.66.4.2", 31},
	{"0.0.0.1/0", -EDOM, "0.0.0.0", 0},
	{"", -EINVAL, NULL, 0},
	{"/", -EINVAL, NULL, 0},
	{"/16", -EINVAL, NULL, 0},
	{"10.66.0.0/", -EINVAL, NULL, 0},
	{"10.66.0.0/33", -EINVAL, NULL, 0},
	{"10.66.0.0/08", -EINVAL, NULL, 0},
	{"10.66.0.0/-1", -EINVAL, NULL, 0},
	{"10.66.0.0/+8", -EINVAL, NULL, 0},
	{"10.66.0.0/ 8", -EINVAL, NULL, 0},
	{"10.66.0.0/8 ", -EINVAL, NULL, 0},
	{"10.66.0.0/016", -EINVAL, NULL, 0},
	{"10.66.0.0/16/16", -EINVAL, NULL, 0},
	{"10.66.0.0/4294967304", -EINVAL, NULL, 0},
	{"10.66/16", -EINVAL, NULL, 0},
	{"10.66.0.256/16", -EINVAL, NULL, 0},
	{" 10.66.0.0/16", -EINVAL, NULL, 0},
	{"10.66.0.0.0/16", -EINVAL, NULL, 0},
	{"255.255.255.2555/32", -EINVAL, NULL, 0},
	{"fe80::/64", -EINVAL, NULL, 0},
};

static void check_parse(const struct parse_case *c)
{
	struct prefix p = {.addr = 0xaa, .len = 77};

	if (prefix_parse(c->text, &p) != c->err)
		fail_msg("\"%s\": not %d", c->text, c->err);
	if (p.addr != (c->addr ? inet_addr(c->addr) : 0xaa) || p.len != (c->addr ? c->len : 77))
		fail_msg("\"%s\": wrong prefix", c->text);
}

static void parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(parse_cases); i++)
		check_parse(&parse_cases[i]);
}

static struct prefix prefix(const char *text)
{
	struct prefix p;

	assert_int_equal(prefix_parse(text, &p), 0);
	return p;
}

static void format(void **state)
{
	static const char *const texts[] = {"0.0.0.0/0", "10.66.0.0/16", "255.255.255.255/32"};
	char buf[PREFIX_STRLEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct prefix p = prefix(texts[i]);

		memset(buf, '#', sizeof(buf));
		assert_ptr_equal(prefix_format(&p, buf), buf);
		assert_string_equal(buf, texts[i]);
		assert_int_equal(buf[PREFIX_STRLEN], '#');
	}
}

static void check_bounds(const char *text, const char *netmask, const char *broadcast)
{
	struct prefix p = prefix(text);

	assert_int_equal(prefix_netmask(&p), inet_addr(netmask));
	assert_int_equal(prefix_broadcast(&p), inet_addr(broadcast));
}

static void netmask_and_broadcast(void **state)
{
	(void)state;
	check_bounds("0.0.0.0/0", "0.0.0.0", "255.255.255.255");
	check_bounds("10.0.0.0/8", "255.0.0.0", "10.255.255.255");
	check_bounds("10.66.4.0/23", "255.255.254.0", "10.66.5.255");
	check_bounds("10.66.4.2/31", "255.255.255.254", "10.66.4.3");
	check_bounds("10.66.4.2", "255.255.255.255", "10.66.4.2");
}

static void contains(void **state)
{
	struct prefix p = prefix("10.66.4.0/23"), all = prefix("0.0.0.0/0"),
		      one = prefix("10.66.4.2");

	(void)state;
	assert_true(prefix_contains(&p, inet_addr("10.66.4.0")));
	assert_true(prefix_contains(&p, inet_addr("10.66.5.255")));
	assert_false(prefix_contains(&p, inet_addr("10.66.3.255")));
	assert_false(prefix_contains(&p, inet_addr("10.66.6.0")));
	assert_true(prefix_contains(&all, inet_addr("255.255.255.255")));
	assert_true(prefix_contains(&one, inet_addr("10.66.4.2")));
	assert_false(prefix_contains(&one, inet_addr("10.66.4.3")));
}

static void check_overlap(const char *a, const char *b, bool expected)
{
	struct prefix pa = prefix(a), pb = prefix(b);

	if (prefix_overlaps(&pa, &pb) != expected || prefix_overlaps(&pb, &pa) != expected)
		fail_msg("%s and %s: not %d", a, b, expected);
}

static void overlaps(void **state)
{
	(void)state;
	check_overlap("10.66.0.0/16", "10.66.0.0/16", true);
	check_overlap("10.66.0.0/16", "10.66.255.255", true);
	check_overlap("10.0.0.0/8", "10.66.0.0/16", true);
	check_overlap("0.0.0.0/0", "192.0.2.1", true);
	check_overlap("10.66.0.0/16", "10.67.0.0/16", false);
	check_overlap("10.66.0.0/25", "10.66.0.128/25", false);
	check_overlap("10.66.4.2", "10.66.4.3", false);
}

static void oui(void **state)
{
	static const char *const bad[] = {
		"",	    "00",	"00:1b",    "00:1b:2",	 "00:1b:211",
		"00-1b-21", "00-1b:21", "00:1b-21", "00:1b:2g",	 "00:1b: 1",
		"00:1b:+1", "0x:1b:21", "0:01b:21", "00:1b:21:", "01:00:5e", /* multicast */
		"02:00:00", /* locally administered */
		"ff:ff:ff",
	};
	__u8 ret[3] = {9, 9, 9};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (oui_parse(bad[i], ret) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_memory_equal(ret, ((__u8[]){9, 9, 9}), 3);
	assert_int_equal(oui_parse("AC:1f:6B", ret), 0);
	assert_memory_equal(ret, ((__u8[]){0xac, 0x1f, 0x6b}), 3);
}

static void mac(void **state)
{
	char buf[19];

	(void)state;
	memset(buf, '#', sizeof(buf));
	assert_ptr_equal(mac_format((const __u8[]){0x00, 0x1b, 0x21, 0xfe, 0x02, 0xff}, buf), buf);
	assert_string_equal(buf, "00:1b:21:fe:02:ff");
	assert_int_equal(buf[18], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse),    cmocka_unit_test(format),
		cmocka_unit_test(contains), cmocka_unit_test(netmask_and_broadcast),
		cmocka_unit_test(overlaps), cmocka_unit_test(oui),
		cmocka_unit_test(mac),
	};

	return cmocka_run_group_tests_name("prefix", tests, NULL, NULL);
}
