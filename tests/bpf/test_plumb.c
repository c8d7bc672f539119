// SPDX-License-Identifier: GPL-2.0
/*
 * plumb.h: a container's network is opened, bound and closed for real, with somebody outside who
 * asks who has what, pings and talks TCP meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "plumb.h"
#include "plumb_lab.h"

#define PORT 7
#define ROUNDS 300
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
static void lay_out(void)
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

static int set_up(void **state)
{
	if (make_lab(state))
		return -1;
	lay_out();
	return 0;
}

static int tear_down(void **state)
{
	return remove_lab(state);
}

static void start_again(void)
{
	assert_int_equal(tear_down(NULL), 0);
	assert_int_equal(set_up(NULL), 0);
}

static void send_both_ways(const struct talk *t)
{
	talk(t);
	talk(t);
}

/* Over more than one /8; see plumb_bind(). */
static bool is_spread(void)
{
	const __be32 mask = htonl(0xff000000);

	for (size_t i = 0; i < PLUMB_SEGMENTS_MAX && layout->segments[i]; i++)
		if ((segments[i].addr ^ ip_of(layout->addr)) & mask)
			return true;
	return false;
}

static char *look(void)
{
	char *text = look_inside(), *trie = strstr(text, "\nMain:\n");

	assert_non_null(trie);
	if (is_spread())
		*trie = '\0';
	return text;
}

static void open_it(void)
{
	assert_int_equal(plumb_open(lab.nl, lab.eth0, &wide), 0);
}

static void bind_it(void)
{
	assert_int_equal(plumb_bind(lab.nl, &bound), 0);
}

/* As in a farm whose programs translate no more. */
static void tell_outside(const char *ip, const char *mac)
{
	assert_int_equal(run_in(lab.outside, "ip neigh replace %s lladdr %s dev wire nud reachable",
				ip, mac),
			 0);
}

static void assert_same(const char *got, const char *expected)
{
	size_t same = 0;

	while (got[same] && got[same] == expected[same])
		same++;
	while (same && got[same - 1] != '\n')
		same--;
	if (strcmp(got, expected) != 0)
		fail_msg("expected: %.200s\ngot: %.200s", expected + same, got + same);
}

static void assert_looks_like(const char *expected)
{
	cleanup_free char *got = look();

	assert_same(got, expected);
}

/* --- open --- */

static void assert_is_at(const char *ip, const char *from)
{
	send_who_has(ip, from);
	assert_int_equal(next_is_at(), ip_of(ip));
}

static void assert_pongs(const char *ip, const char *mac, const char *from)
{
	unsigned int asked;

	send_ping(ip, mac, from);
	assert_int_equal(next_pong(&asked), ip_of(ip));
}

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

/* The daemon's way, which is any machine's. */
static char *look_of_plain(void)
{
	char *plain;

	bound.open = NULL;
	bind_it();
	plain = look();
	start_again();
	return plain;
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

static void a_connection_goes_on(const char *from)
{
	cleanup_close int listener = listen_inside(PORT);
	struct talk t;

	open_it();
	t = connect_from(lab.outside, listener, from, "10.66.4.2", PORT);
	talk(&t);
	bind_it();
	tell_outside("10.66.4.2", BOUND_MAC);
	send_both_ways(&t);
	bind_it();
	send_both_ways(&t);
	end_talk(&t);
}

static void a_connection_on_link_goes_on(void **state)
{
	(void)state;
	a_connection_goes_on(GATEWAY);
}

static void a_connection_off_link_goes_on(void **state)
{
	(void)state;
	a_connection_goes_on(OFF_LINK);
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

/* --- half done --- */

#define STEPS_MAX 160

struct steps {
	char bytes[16384];
	size_t n;
	const char *end[STEPS_MAX];
};

/* What plumb_bind() or plumb_open() would send. To the latter: there are no routes. */
static struct steps *steps_of(bool bind)
{
	struct steps *s = calloc(1, sizeof(*s));
	char done[NLMSG_HDRLEN + 4] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(done);
	int pair[2], len;

	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_flags = NLM_F_MULTI;
	nlh->nlmsg_len = sizeof(done);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	if (bind) {
		assert_int_equal(plumb_bind(pair[0], &bound), -EIO);
	} else {
		assert_int_equal(send(pair[1], done, sizeof(done), 0), sizeof(done));
		assert_int_equal(plumb_open(pair[0], lab.eth0, &wide), -EIO);
		assert_true(recv(pair[1], s->bytes, sizeof(s->bytes), 0) > 0); /* the dump */
	}
	len = (int)recv(pair[1], s->bytes, sizeof(s->bytes), 0);
	for (nlh = (void *)s->bytes; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		assert_true(s->n < STEPS_MAX);
		s->end[s->n++] = (const char *)nlh + nlh->nlmsg_len;
	}
	close(pair[0]);
	close(pair[1]);
	return s;
}

/* As somebody who is killed after it. */
static void do_steps(const struct steps *s, size_t n)
{
	cleanup_close int nl = netlink_inside();

	if (n)
		assert_true(send(nl, s->bytes, (size_t)(s->end[n - 1] - s->bytes), 0) > 0);
}

static void bound_over_a_half_done_one_it_is_whole(void)
{
	cleanup_free char *plain = look_of_plain();
	cleanup_free struct steps *s = steps_of(true);

	assert_true(s->n > wide.n_segments + 2);
	for (size_t i = 0; i <= s->n; i++) {
		open_it();
		do_steps(s, i);
		bind_it();
		assert_looks_like(plain);
		start_again();
	}
}

/* Those of a skepd that has not opened it: it knows no segments. */
static void closed_and_bound_over_a_half_done_one_too(void)
{
	cleanup_free char *plain = look_of_plain();
	cleanup_free struct steps *s = steps_of(true);
	static const struct plumb_open nothing;

	for (size_t i = 0; i <= s->n; i++) {
		open_it();
		do_steps(s, i);
		assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
		bound.open = &nothing;
		bind_it();
		assert_looks_like(plain);
		start_again();
	}
}

static void closed_over_a_half_done_one_nothing_is_left(void)
{
	cleanup_free char *fresh = look();
	cleanup_free struct steps *s = steps_of(false);

	assert_true(s->n > 1);
	for (size_t i = 0; i <= s->n; i++) {
		do_steps(s, i);
		assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
		assert_looks_like(fresh);
		start_again();
	}
}

static void opened_over_a_half_done_one_it_is_whole(void)
{
	cleanup_free struct steps *s = steps_of(false);
	cleanup_free char *opened = NULL;

	open_it();
	opened = look();
	for (size_t i = 0; i <= s->n; i++) {
		start_again();
		do_steps(s, i);
		open_it();
		assert_looks_like(opened);
	}
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

/* --- meanwhile --- */

static volatile sig_atomic_t ended;

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

static int udp_inside(const char *ip, __u16 port)
{
	struct sockaddr_in here = at(ip, port);
	int fd;

	enter(lab.inside);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	enter(lab.outside);
	return bind(fd, (struct sockaddr *)&here, sizeof(here)) ? -1 : fd;
}

/* Sends to itself until it is ended. Status: whether all of it came. */
static int send_to_itself(int fd)
{
	const struct sockaddr_in self = at("127.0.0.1", 9);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char c;

	while (!ended) {
		if (sendto(fd, "x", 1, 0, (const struct sockaddr *)&self, sizeof(self)) != 1)
			return 1;
		if (poll(&wait, 1, ANSWER_MS) != 1)
			return !ended;
		if (recv(fd, &c, 1, 0) != 1)
			return 2;
	}
	return 0;
}

/* One that came back to it would find nobody, and it would be told. */
static int send_outside(int fd)
{
	const struct sockaddr_in other = at(GATEWAY, 9);

	if (connect(fd, (const struct sockaddr *)&other, sizeof(other)))
		return 1;
	while (!ended)
		if (send(fd, "x", 1, 0) != 1 && errno != ENOBUFS)
			return errno;
	return 0;
}

/* Where there is one CPU only, work takes turns. */
static void run_on(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static pid_t begin(int (*work)(int fd), int fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	signal(SIGTERM, on_end);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	run_on(1);
	_exit(work(fd));
}

static void assert_ends_well(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void loopback_works_throughout(void **state)
{
	cleanup_close int fd = udp_inside("127.0.0.1", 9);
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	pid = begin(send_to_itself, fd);
	for (int i = 0; i < ROUNDS; i++) {
		open_it();
		if (i % 2) {
			bind_it();
			assert_int_equal(plumb_unbind(lab.nl, &bound), 0);
		}
		assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
	}
	assert_ends_well(pid);
}

/* Outside somebody takes it all, so that nothing else is told. */
static void what_it_sends_goes_out_throughout(void **state)
{
	const struct sockaddr_in here = at(GATEWAY, 9);
	cleanup_close int sink = socket(AF_INET, SOCK_DGRAM, 0), fd = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(bind(sink, (const struct sockaddr *)&here, sizeof(here)), 0);
	open_it();
	fd = udp_inside("10.66.4.2", 9);
	assert_true(fd >= 0);
	pid = begin(send_outside, fd);
	for (int i = 0; i < ROUNDS; i++) {
		bind_it();
		open_it();
	}
	assert_ends_well(pid);
}

/* Also after a test that failed in another. */
static int set_up_usual(void **state)
{
	layout = &usual;
	return set_up(state);
}

struct in_each {
	void (*test)(void);
	size_t n_layouts;
};

static void in_layouts(void **state)
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
		.teardown_func = tear_down, .initial_state = &(struct in_each)        \
		{                                                                     \
			(test), (n)                                                   \
		}                                                                     \
	}
#define IN_ALL(test) IN_SOME(test, ARRAY_SIZE(layouts))
#define IN_FIRST(test) IN_SOME(test, FIRST)
#define IN_LAB(test) cmocka_unit_test_setup_teardown(test, set_up_usual, tear_down)

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
		IN_LAB(a_connection_on_link_goes_on),
		IN_LAB(a_connection_off_link_goes_on),
		IN_LAB(the_gateway_is_awaited),
		IN_LAB(who_asked_is_still_known),
		IN_ALL(an_answer_that_waits_for_the_gateway_is_not_lost),
		IN_LAB(a_neighbour_that_cannot_be_is_left_out),
		IN_FIRST(bound_over_a_half_done_one_it_is_whole),
		IN_FIRST(closed_and_bound_over_a_half_done_one_too),
		IN_FIRST(closed_over_a_half_done_one_nothing_is_left),
		IN_FIRST(opened_over_a_half_done_one_it_is_whole),
		IN_LAB(bound_twice_it_is_as_bound_once),
		IN_ALL(closed_it_looks_as_if_never_opened),
		IN_LAB(others_routes_and_rules_stay),
		IN_LAB(as_many_segments_as_can_be),
		IN_LAB(many_addresses_leave_no_shape_behind),
		IN_LAB(more_are_refused),
		IN_LAB(real_failures_are_told),
		IN_LAB(never_opened_a_second_bind_is_a_failure),
		IN_LAB(loopback_works_throughout),
		IN_LAB(what_it_sends_goes_out_throughout),
	};
	/* Frames of one CPU come in the order in which they were sent. */
	run_on(0);
	if (unshare(CLONE_NEWNET)) {
		perror("test_plumb: needs root");
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
