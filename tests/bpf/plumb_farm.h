/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a farm may look like from inside one of its containers, whose network is opened and bound by
 * plumb.h; and how it looks then. A test is run in one such farm, or in many.
 */
#ifndef SKEP_TESTS_PLUMB_FARM_H
#define SKEP_TESTS_PLUMB_FARM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpus.h"
#include "plumb.h"
#include "plumb_lab.h"

#define PORT 7
#define ON_LINK "10.66.9.9"

/** struct layout - what a farm may look like from inside one of its containers */
struct layout {
	const char *name;
	const char *gateway; /* NULL for none */
	const char *addr;
	unsigned int prefixlen;
	const char *segments[PLUMB_SEGMENTS_MAX];
};

static const struct layout usual = {"usual", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16"}};

/* The first ones are those with the most in them. */
static const struct layout layouts[] = {
	{"usual", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16"}},
	{"in the inner one", GATEWAY, "10.66.130.2", 17, {"10.66.0.0/16", "10.66.128.0/17"}},
	{"around it, too", GATEWAY, "10.66.4.2", 16, {"10.66.0.1/32", "10.66.0.0/16"}},
	{"no gateway", NULL, "10.66.4.2", 16, {"10.66.0.0/16"}},
	{"/32 in another", GATEWAY, "10.66.4.2", 32, {"10.66.4.2/32", "10.66.0.0/16"}},
	{"two", GATEWAY, "10.67.4.2", 16, {"10.66.0.0/16", "10.67.0.0/16"}},
	{"one in another", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16", "10.66.128.0/17"}},
	{"twice the same", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16", "10.66.0.0/16"}},
	{"of no use here", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16", "10.200.7.0/24"}},
	{"spread", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16", "192.168.7.0/24"}},
	{"who is far away, too", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16", "198.51.100.0/24"}},
	{"beside the gateway", GATEWAY, "10.66.4.2", 24, {"10.66.4.0/24"}},
	{"gateway in another", GATEWAY, "10.66.4.2", 24, {"10.66.4.0/24", "10.66.0.0/24"}},
	{"the gateway itself", GATEWAY, "10.66.4.2", 24, {"10.66.0.1/32", "10.66.4.0/24"}},
	{"far away", GATEWAY, "192.0.2.7", 24, {"192.0.2.0/24"}},
	{"/32", GATEWAY, "10.66.4.2", 32, {"10.66.4.2/32"}},
	{"another in a /32's", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16", "10.66.4.2/32"}},
	{"/32 without gateway", NULL, "10.66.4.2", 32, {"10.66.4.2/32", "10.66.4.3/32"}},
	{"/31", GATEWAY, "10.66.4.2", 31, {"10.66.4.2/31"}},
	{"/31 with the gateway", GATEWAY, "10.66.0.0", 31, {"10.66.0.0/31"}},
	{"the broadcast address", GATEWAY, "10.66.4.2", 16, {"10.66.0.0/16", "10.66.255.255/32"}},
	{"everything", GATEWAY, "10.66.4.2", 16, {"0.0.0.0/0"}},
};

#define FIRST 5

static const struct layout *layout = &usual;
static struct prefix segments[PLUMB_SEGMENTS_MAX];
static struct plumb_open wide;
static struct plumbing bound;

/* What the tests begin with; those that want something else change it. */
static inline void lay_out(void)
{
	size_t n = 0;

	for (; n < PLUMB_SEGMENTS_MAX && layout->segments[n]; n++)
		assert_int_equal(prefix_parse(layout->segments[n], &segments[n]), 0);
	wide = (struct plumb_open){
		.gateway = layout->gateway ? ip_of(layout->gateway) : 0,
		.segments = segments,
		.n_segments = n,
	};
	bound = (struct plumbing){
		.ifindex = lab.eth0,
		.addr = ip_of(layout->addr),
		.prefixlen = layout->prefixlen,
		.gateway = wide.gateway,
		.known.addr = wide.gateway,
		.open = &wide,
	};
	mac_of(OPEN_MAC, wide.mac);
	mac_of(BOUND_MAC, bound.mac);
	mac_of(WIRE_MAC, bound.known.mac);
}

static inline int set_up(void **state)
{
	if (make_lab(state))
		return -1;
	lay_out();
	return 0;
}

static inline void start_again(void)
{
	assert_int_equal(remove_lab(NULL), 0);
	assert_int_equal(set_up(NULL), 0);
}

/* Over more than one /8; see plumb_bind(). */
static inline bool is_spread(void)
{
	const __be32 mask = htonl(0xff000000);

	for (size_t i = 0; i < PLUMB_SEGMENTS_MAX && layout->segments[i]; i++)
		if ((segments[i].addr ^ ip_of(layout->addr)) & mask)
			return true;
	return false;
}

static inline char *look(void)
{
	char *text = look_inside(), *trie = strstr(text, "\nMain:\n");

	assert_non_null(trie);
	if (is_spread())
		*trie = '\0';
	return text;
}

static inline void open_it(void)
{
	assert_int_equal(plumb_open(lab.nl, lab.eth0, &wide), 0);
}

static inline void bind_it(void)
{
	assert_int_equal(plumb_bind(lab.nl, &bound), 0);
}

static inline void assert_same(const char *got, const char *expected)
{
	size_t same = 0;

	while (got[same] && got[same] == expected[same])
		same++;
	while (same && got[same - 1] != '\n')
		same--;
	if (strcmp(got, expected) != 0)
		fail_msg("expected: %.200s\ngot: %.200s", expected + same, got + same);
}

static inline void assert_looks_like(const char *expected)
{
	cleanup_free char *got = look();

	assert_same(got, expected);
}

/* The daemon's way, which is any machine's. */
static inline char *look_of_plain(void)
{
	char *plain;

	bound.open = NULL;
	bind_it();
	plain = look();
	start_again();
	return plain;
}

static inline void assert_is_at(const char *ip, const char *from)
{
	send_who_has(ip, from);
	assert_int_equal(next_is_at(), ip_of(ip));
}

static inline void assert_pongs(const char *ip, const char *mac, const char *from)
{
	unsigned int asked;

	send_ping(ip, mac, from);
	assert_int_equal(next_pong(&asked), ip_of(ip));
}

/* --- in one farm or in many --- */

/* Also after a test that failed in another. */
static inline int set_up_usual(void **state)
{
	layout = &usual;
	return set_up(state);
}

struct in_each {
	void (*test)(void);
	size_t n_layouts;
};

static inline void in_layouts(void **state)
{
	const struct in_each *each = *state;

	for (size_t i = 0; i < each->n_layouts; i++) {
		print_message("%s\n", layouts[i].name);
		layout = &layouts[i];
		start_again();
		each->test();
	}
}

#define IN_SOME(test, n)                                                              \
	{                                                                             \
		.name = (#test), .test_func = in_layouts, .setup_func = set_up_usual, \
		.teardown_func = remove_lab, .initial_state = &(struct in_each)       \
		{                                                                     \
			(test), (n)                                                   \
		}                                                                     \
	}
#define IN_ALL(test) IN_SOME(test, ARRAY_SIZE(layouts))
#define IN_FIRST(test) IN_SOME(test, FIRST)
#define IN_LAB(test) cmocka_unit_test_setup_teardown(test, set_up_usual, remove_lab)

static __u32 cpus[2];

/* Frames of one CPU come in the order in which they were sent. */
static int run_in_farms(const char *name, const struct CMUnitTest *tests, size_t n)
{
	cpus_find(cpus);
	cpus_go_to(cpus[0]);
	if (unshare(CLONE_NEWNET)) {
		fprintf(stderr, "%s needs root: %s\n", name, strerror(errno));
		return 1;
	}
	return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}

#endif
