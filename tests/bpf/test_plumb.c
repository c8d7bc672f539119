// SPDX-License-Identifier: GPL-2.0
/*
 * plumb.h: a container's network is opened, bound and closed for real, with somebody outside who
 * asks who has what, pings and talks TCP. When all of it is done: what shows half-way is for
 * test_plumb_half.c, and what goes on meanwhile for test_plumb_meanwhile.c.
 */
#include "plumb_farm.h"

/* --- open --- */

static void opened_it_answers_for_any_address(void **state)
{
	static const char *const any[] = {"10.66.4.2", "10.66.255.254", "10.66.0.2"};
	static const char *const from[] = {GATEWAY, OFF_LINK, ON_LINK, "10.66.4.3"};

	(void)state;
	open_it();
	for (size_t i = 0; i < ARRAY_SIZE(any); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(from); k++)
			assert_is_at(any[i], from[k]);
		assert_pongs(any[i], OPEN_MAC, GATEWAY);
		assert_pongs(any[i], OPEN_MAC, OFF_LINK);
	}
}

/* What comes is the answer to the last question. */
static void opened_it_answers_for_none_outside(void **state)
{
	static const char *const others[] = {GATEWAY, "10.67.0.1", "192.0.2.7", "127.0.0.1"};
	unsigned int asked;

	(void)state;
	open_it();
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		send_who_has(others[i], ON_LINK);
		assert_is_at("10.66.4.2", ON_LINK);
		send_ping(others[i], OPEN_MAC, OFF_LINK);
		send_ping("10.66.4.2", OPEN_MAC, OFF_LINK);
		assert_int_equal(next_pong(&asked), ip_of("10.66.4.2"));
	}
}

static void opened_it_talks_at_any_address(void **state)
{
	cleanup_close int listener = listen_inside(PORT);
	static const char *const any[] = {"10.66.4.2", "10.66.200.1"};
	static const char *const from[] = {GATEWAY, OFF_LINK};

	(void)state;
	open_it();
	for (size_t i = 0; i < ARRAY_SIZE(any) * ARRAY_SIZE(from); i++) {
		struct talk t = connect_from(lab.outside, listener, from[i % 2], any[i / 2], PORT);

		talk(&t);
		end_talk(&t);
	}
}

static void never_opened_it_answers_for_none(void **state)
{
	(void)state;
	send_who_has("10.66.4.2", GATEWAY);
	bound.open = NULL;
	bind_it();
	assert_is_at("10.66.4.2", GATEWAY);
}

static void a_gateway_may_be_outside_all_segments(void **state)
{
	(void)state;
	assert_int_equal(prefix_parse("192.0.2.0/24", &segments[0]), 0);
	open_it();
	assert_pongs("192.0.2.7", OPEN_MAC, OFF_LINK);
	wide.gateway = 0;
	open_it();
	assert_is_at("192.0.2.8", GATEWAY);
}

static void an_unknown_gateway_is_asked(void **state)
{
	unsigned int asked;

	(void)state;
	open_it();
	send_ping("10.66.4.2", OPEN_MAC, OFF_LINK);
	assert_int_equal(next_pong(&asked), ip_of("10.66.4.2"));
	assert_int_equal(asked, 1);
}

static void opened_again_it_is_as_opened_once(void)
{
	struct prefix others[] = {{ip_of("10.66.0.0"), 17}, {ip_of("192.168.2.0"), 24}};
	cleanup_free char *once = NULL;

	open_it();
	once = look();
	start_again();
	wide.segments = others;
	wide.n_segments = ARRAY_SIZE(others);
	wide.gateway = ip_of("192.168.2.1");
	mac_of(BOUND_MAC, wide.mac);
	open_it();
	lay_out();
	open_it();
	assert_looks_like(once);
	open_it();
	assert_looks_like(once);
}

/* --- bind --- */

static bool is_own(__be32 addr)
{
	for (size_t i = 0; i < wide.n_segments; i++)
		if (prefix_contains(&segments[i], addr))
			return true;
	return false;
}

static bool can_answer(const char *from)
{
	const __be32 to = ip_of(from);

	return to == wide.gateway || (wide.gateway && !is_own(to));
}

static void bound_it_looks_as_if_never_opened(void)
{
	cleanup_free char *plain = look_of_plain();

	assert_non_null(strstr(plain, "0:\tfrom all lookup local"));
	assert_non_null(strstr(plain, "net.ipv4.conf.eth0.accept_local = 0"));
	assert_non_null(strstr(plain, layout->addr));
	if (layout->gateway)
		assert_non_null(strstr(plain, GATEWAY " dev eth0 lladdr " WIRE_MAC " STALE"));
	open_it();
	assert_is_at(layout->addr, ON_LINK);
	if (can_answer(GATEWAY))
		assert_pongs(layout->addr, OPEN_MAC, GATEWAY);
	if (can_answer(OFF_LINK))
		assert_pongs(layout->addr, OPEN_MAC, OFF_LINK);
	bind_it();
	assert_looks_like(plain);
	bind_it();
	assert_looks_like(plain);
	assert_is_at(layout->addr, ON_LINK);
	if (layout->gateway)
		assert_pongs(layout->addr, BOUND_MAC, OFF_LINK);
}

static void so_it_does_in_another_segment_without_gateway(void **state)
{
	cleanup_free char *plain = NULL;

	(void)state;
	bound.gateway = 0;
	bound.prefixlen = 24;
	bound.known.addr = 0;
	plain = look_of_plain();
	bound.gateway = 0;
	bound.prefixlen = 24;
	bound.known.addr = 0;
	open_it();
	bind_it();
	assert_looks_like(plain);
}

/* On the wire, too. */
static void bound_it_answers_for_no_other(void **state)
{
	static const char *const from[] = {GATEWAY, OFF_LINK, ON_LINK};
	unsigned int asked;

	(void)state;
	assert_int_equal(run_in(lab.outside, "ip addr add " ON_LINK "/16 dev wire"), 0);
	open_it();
	assert_is_at("10.66.4.3", GATEWAY);
	bind_it();
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		send_who_has("10.66.4.3", from[i]);
		assert_is_at("10.66.4.2", from[i]);
		send_ping("10.66.4.3", BOUND_MAC, from[i]);
		send_ping("10.66.4.2", BOUND_MAC, from[i]);
		assert_int_equal(next_pong(&asked), ip_of("10.66.4.2"));
	}
}

static void assert_neighbour(const char *expected)
{
	cleanup_free char *got = read_inside("ip neigh show to " GATEWAY);

	assert_same(got, expected);
}

static void who_asked_is_still_known(void **state)
{
	(void)state;
	open_it();
	assert_pongs("10.66.4.2", OPEN_MAC, GATEWAY);
	bind_it();
	assert_neighbour(GATEWAY " dev eth0 lladdr " WIRE_MAC " STALE \n");
	bound.known.addr = 0;
	bind_it();
	assert_neighbour("");
}

/* While nobody has asked: any machine knows its gateway. */
static void the_gateway_is_awaited(void **state)
{
	(void)state;
	open_it();
	assert_neighbour(GATEWAY " dev eth0 extern_learn \n");
	mac_of(WIRE_MAC, wide.gateway_mac);
	assert_int_equal(plumb_know_gateway(lab.nl, lab.eth0, &wide), 0);
	assert_neighbour(GATEWAY " dev eth0 lladdr " WIRE_MAC " extern_learn STALE \n");
	open_it();
	assert_neighbour(GATEWAY " dev eth0 lladdr " WIRE_MAC " extern_learn STALE \n");
	assert_pongs("10.66.4.2", OPEN_MAC, GATEWAY);
	bind_it();
	assert_neighbour(GATEWAY " dev eth0 lladdr " WIRE_MAC " STALE \n");
}

/* A gateway that answers nobody. It goes out before the link address changes: with the former one.
 */
static void an_answer_that_waits_for_the_gateway_is_not_lost(void)
{
	static const __u8 him[6] = {2, 0, 0, 0, 9, 9};
	cleanup_close int listener = listen_inside(PORT);
	char buf[2048];
	const struct ip_frame *f = (void *)buf;

	assert_true(listener >= 0);
	if (!can_answer("203.0.113.5"))
		return;
	assert_int_equal(run_in(lab.outside, "ip link set wire arp off"), 0);
	open_it();
	send_syn(layout->addr, OPEN_MAC, "203.0.113.5", PORT);
	do
		assert_true(receive_on_wire(buf, sizeof(buf)) > 0);
	while (f->eth.h_proto != htons(ETH_P_ARP));
	assert_memory_equal(((struct arp_frame *)buf)->arp.arp_tpa, &wide.gateway, 4);
	memcpy(bound.known.mac, him, sizeof(him));
	bind_it();
	do
		assert_true(receive_on_wire(buf, sizeof(buf)) > 0);
	while (f->eth.h_proto != htons(ETH_P_IP) || f->ip.protocol != IPPROTO_TCP);
	assert_memory_equal(f->eth.h_dest, him, sizeof(him));
	assert_memory_equal(f->eth.h_source, wide.mac, sizeof(wide.mac));
	assert_true(f->tcp.syn && f->tcp.ack);
}

static void a_neighbour_that_cannot_be_is_left_out(void **state)
{
	(void)state;
	open_it();
	bound.known.addr = ip_of("255.255.255.255");
	bind_it();
	bound.known.addr = ip_of("127.0.0.1");
	bind_it();
	assert_is_at("10.66.4.2", GATEWAY);
}

static void bound_twice_it_is_as_bound_once(void **state)
{
	cleanup_free char *once = NULL;

	(void)state;
	open_it();
	bind_it();
	once = look();
	bind_it();
	assert_looks_like(once);
}

/* --- close --- */

static void closed_it_looks_as_if_never_opened(void)
{
	cleanup_free char *fresh = look();

	assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
	assert_looks_like(fresh);
	open_it();
	assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
	assert_looks_like(fresh);
}

static void others_routes_and_rules_stay(void **state)
{
	cleanup_free char *fresh = NULL;

	(void)state;
	assert_int_equal(
		run_in(lab.inside,
		       "ip route add 203.0.113.0/24 dev lo && "
		       "ip route add 203.0.114.0/24 dev eth0 proto static && "
		       "ip route add 203.0.115.0/24 dev eth0 table 7 && "
		       "ip rule add pref 1 lookup 7 && ip rule add pref 5 iif eth0 lookup 7"),
		0);
	fresh = look();
	open_it();
	assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
	assert_looks_like(fresh);
}

/* --- the greatest number --- */

static struct prefix *many_segments(size_t n)
{
	struct prefix *many = calloc(n, sizeof(*many));

	for (size_t i = 0; i < n; i++)
		many[i] = (struct prefix){htonl(0x0a640000 + ((__u32)i << 8)), 24};
	return many;
}

static void count_own(const char *expected)
{
	cleanup_free char *n = read_inside("ip route show dev eth0 proto boot table local | wc -l");

	assert_same(n, expected);
}

static void as_many_segments_as_can_be(void **state)
{
	cleanup_free struct prefix *many = many_segments(PLUMB_SEGMENTS_MAX);
	cleanup_free char *fresh = look(), *plain = look_of_plain();

	(void)state;
	wide.segments = many;
	wide.n_segments = PLUMB_SEGMENTS_MAX;
	open_it();
	count_own("64\n");
	for (size_t i = 0; i < wide.n_segments; i++)
		many[i].addr |= htonl(0x00800000);
	open_it();
	count_own("64\n");
	assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
	assert_looks_like(fresh);
	open_it();
	bind_it();
	assert_looks_like(plain);
	bind_it();
	assert_looks_like(plain);
}

/* The kernel's trie grows and shrinks at different fillings. */
static void many_addresses_leave_no_shape_behind(void **state)
{
	cleanup_free char *plain = look_of_plain();
	struct prefix many[PLUMB_SEGMENTS_MAX];

	(void)state;
	wide.segments = many;
	for (size_t n = 1; n <= PLUMB_SEGMENTS_MAX; n += 3) {
		for (size_t i = 0; i < n; i++)
			many[i] = (struct prefix){htonl(0x0a420402 - 21 + (__u32)i), 32};
		wide.n_segments = n;
		open_it();
		bind_it();
		assert_looks_like(plain);
		start_again();
		wide.segments = many;
	}
}

static void more_are_refused(void **state)
{
	cleanup_free struct prefix *many = many_segments(PLUMB_SEGMENTS_MAX + 1);
	cleanup_free char *fresh = look();

	(void)state;
	wide.segments = many;
	wide.n_segments = PLUMB_SEGMENTS_MAX + 1;
	assert_int_equal(plumb_open(lab.nl, lab.eth0, &wide), -E2BIG);
	assert_int_equal(plumb_bind(lab.nl, &bound), -E2BIG);
	assert_looks_like(fresh);
}

/* --- failures --- */

static void real_failures_are_told(void **state)
{
	(void)state;
	open_it();
	bound.gateway = ip_of("224.0.0.1");
	assert_int_equal(plumb_bind(lab.nl, &bound), -EINVAL);
	bound.gateway = ip_of(GATEWAY);
	memset(bound.mac, 0xff, sizeof(bound.mac));
	assert_int_equal(plumb_bind(lab.nl, &bound), -EADDRNOTAVAIL);
	mac_of(BOUND_MAC, bound.mac);
	assert_int_equal(run_in(lab.inside, "ip link delete eth0"), 0);
	assert_int_equal(plumb_bind(lab.nl, &bound), -ENODEV);
	assert_int_equal(plumb_open(lab.nl, lab.eth0, &wide), -ENODEV);
	assert_int_equal(plumb_close(lab.nl, lab.eth0), -ENODEV);
	bound.open = NULL;
	assert_int_equal(plumb_bind(lab.nl, &bound), -ENODEV);
}

static void never_opened_a_second_bind_is_a_failure(void **state)
{
	(void)state;
	bound.open = NULL;
	bind_it();
	assert_int_equal(plumb_bind(lab.nl, &bound), -EEXIST);
	assert_int_equal(plumb_unbind(lab.nl, &bound), 0);
	bind_it();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(opened_it_answers_for_any_address),
		IN_LAB(opened_it_answers_for_none_outside),
		IN_LAB(opened_it_talks_at_any_address),
		IN_LAB(never_opened_it_answers_for_none),
		IN_LAB(a_gateway_may_be_outside_all_segments),
		IN_LAB(an_unknown_gateway_is_asked),
		IN_ALL(opened_again_it_is_as_opened_once),
		IN_ALL(bound_it_looks_as_if_never_opened),
		IN_LAB(so_it_does_in_another_segment_without_gateway),
		IN_LAB(bound_it_answers_for_no_other),
		IN_LAB(the_gateway_is_awaited),
		IN_LAB(who_asked_is_still_known),
		IN_ALL(an_answer_that_waits_for_the_gateway_is_not_lost),
		IN_LAB(a_neighbour_that_cannot_be_is_left_out),
		IN_LAB(bound_twice_it_is_as_bound_once),
		IN_ALL(closed_it_looks_as_if_never_opened),
		IN_LAB(others_routes_and_rules_stay),
		IN_LAB(as_many_segments_as_can_be),
		IN_LAB(many_addresses_leave_no_shape_behind),
		IN_LAB(more_are_refused),
		IN_LAB(real_failures_are_told),
		IN_LAB(never_opened_a_second_bind_is_a_failure),
	};

	return run_in_farms("plumb", tests, ARRAY_SIZE(tests));
}
