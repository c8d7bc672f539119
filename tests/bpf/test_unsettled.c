// SPDX-License-Identifier: GPL-2.0
/*
 * A lease that is not settled: what goes to its container and what has to wait, and what the
 * container may send meanwhile. Both programs on the same maps; how the lease came about is for
 * test_bind.c.
 */

#include "gate.h"

#include "asks.h"
#include "notices.h"

#define ETH0 "\x02\x00\x5e\x00\x00\x29"	      /* that the container waited with */
#define ETH0_OTHER "\x02\x00\x5e\x00\x00\x30" /* that another one waited with */
#define MAC_SHARED "\x00\x25\x90\x09\x08\x07" /* that a shared container has */
#define SLOT 1
#define SLOT_OTHER 2
#define IP_NEIGHBOUR "\x0a\x42\x09\x09" /* 10.66.9.9, inside the farm's ranges */
#define MAC_7 MAC_TAGGED		/* of the same address on VLAN 7 */

/* ---- the world ----------------------------------------------------------------- */

/* How far a lease has come; that of a further address is settled, and translated nevertheless. */
enum stage { CLAIMED, SETTLING, SETTLED, SHARED };

static const struct lease_spec apart = {IP_LEASED, MAC_LEASE, ETH0, 0, GATE_UPLINK, GATE_PORT};
static const struct lease_spec on_7 = {IP_LEASED, MAC_7, ETH0, 7, GATE_UPLINK, GATE_PORT};

static struct skep_lease lease_in(enum stage stage, const struct lease_spec *of)
{
	static const __u32 states[] = {
		[CLAIMED] = SKEP_LEASE_CLAIMED,
		[SETTLING] = SKEP_LEASE_SETTLING,
		[SETTLED] = SKEP_LEASE_SETTLED,
		[SHARED] = SKEP_LEASE_SETTLED,
	};
	struct skep_lease lease = lease_value(of, SLOT);

	lease.state = states[stage];
	if (stage == SETTLED)
		memcpy(lease.eth0, lease.mac, sizeof(lease.eth0));
	if (stage == SHARED)
		memcpy(lease.eth0, MAC_SHARED, sizeof(lease.eth0));
	return lease;
}

static void set_stage(enum stage stage, const struct lease_spec *of)
{
	const struct skep_addr key = lease_key(of);
	const struct skep_lease value = lease_in(stage, of);

	harness_put(gate_port->maps.leases, &key, &value);
}

static void set_offer(__u32 slot, const char *eth0)
{
	struct skep_offer offer = {
		.port = GATE_PORT,
		.address = {.ip = harness_ip(IP_LEASED), .uplink = GATE_UPLINK},
	};

	memcpy(offer.eth0, eth0, sizeof(offer.eth0));
	harness_put(gate_port->maps.offers, &slot, &offer);
}

static void set_world(enum stage stage)
{
	const struct skep_port port = {
		.container = SLOT, .uplink = GATE_UPLINK, .policy = GATE_POLICY};

	gate_reset();
	gate_set_port(&port);
	set_offer(SLOT, ETH0);
	set_offer(SLOT_OTHER, ETH0_OTHER);
	gate_set_container(SLOT, NULL);
	set_stage(stage, &apart);
	set_stage(stage, &on_7);
	asks_read();
}

/* ---- what comes in ---------------------------------------------------------------- */

/**
 * struct arrival - a frame to the address
 * @out: as it reaches the container, where that is not how it came
 */
struct arrival {
	const char *name;
	enum stage stage;
	struct bytes in;
	enum skep_verdict verdict;
	struct bytes out;
	__u16 vlan;
	const char *requester;
};

/* A whole frame, as it came in. */
static void check_held(const struct arrival *a, __u64 since_ns)
{
	const struct skep_ask head = {
		.address = {harness_ip(IP_LEASED), a->vlan, GATE_UPLINK},
		.requester = harness_ip(a->requester),
		.verdict = SKEP_HELD_SETTLING,
		.frame_len = (__u16)a->in.len,
	};

	assert_int_equal(asks_read(), 1);
	asks_check(&asks.records[0], &head, &a->in, since_ns);
}

/* Of what is held, the lease knows nothing. */
static void check_lease(const struct arrival *a, bool went, __u64 coarse_ns)
{
	const struct lease_spec *of = a->vlan ? &on_7 : &apart;
	struct skep_lease value, expected = lease_in(a->stage, of);
	const struct skep_addr key = lease_key(of);

	harness_get(gate_port->maps.leases, &key, &value);
	if (went)
		lease_expect_frame(&expected, &value, IN, coarse_ns);
	assert_memory_equal(&value, &expected, sizeof(value));
}

static void check_arrival(const struct arrival *a)
{
	const __u64 now_ns = harness_clock(CLOCK_MONOTONIC);
	const __u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);

	set_world(a->stage);
	gate_check(GATE_IN, &a->in, a->verdict, a->out.at ? &a->out : &a->in);
	check_lease(a, harness_xdp_action(a->verdict) == XDP_REDIRECT, coarse_ns);
	if (a->verdict == SKEP_HELD_SETTLING)
		check_held(a, now_ns);
	else
		assert_int_equal(asks_read(), 0);
}

static void arrives(void **state)
{
	check_arrival(*state);
}

#define TO_ALL MAC_ALL MAC_ROUTER
#define TO_LEASE MAC_LEASE MAC_ROUTER
#define TO_LEASE_7 MAC_7 MAC_ROUTER
#define TO_ETH0 ETH0 MAC_ROUTER
#define TO_SHARED MAC_SHARED MAC_ROUTER
#define ASK WHO_HAS(MAC_ROUTER, IP_ROUTER, IP_LEASED)
#define ASK_NAMING(mac) ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, mac, IP_LEASED)
#define SYN_IN TCP_PACKET(IP_CLIENT, IP_LEASED, PORT_X, PORT_80, SYN)
#define PING_IN ICMP_PACKET(IP_CLIENT, IP_LEASED, ASKS_ECHO, "\x00\x07")
#define ERROR_IN                                         \
	ICMP_ERROR(IP_CLIENT, IP_LEASED, "\x03", "\x01", \
		   QUOTE(TCP, IP_LEASED, IP_CLIENT, PORT_80 PORT_X SEQ))
#define UDP_IN UDP_PACKET(IP_CLIENT, IP_LEASED, PORT_X, PORT_53)
#define UDP_LATER_IN IP_OF("\x00\x20", ID, "\x00\xb9", UDP, NO_SUM, IP_CLIENT, IP_LEASED) "fragment"
#define SCTP_IN IP_OF("\x00\x20", ID, WHOLE, "\x84", NO_SUM, IP_CLIENT, IP_LEASED) "whatever...."
#define SYN_OF(src) TCP_PACKET(src, IP_LEASED, PORT_X, PORT_80, SYN)
#define PING_OF(src) ICMP_PACKET(src, IP_LEASED, ASKS_ECHO, "\x00\x07")
#define GOES(what) .verdict = SKEP_LEASED_##what
#define WAITS_ARP .verdict = SKEP_HELD_SETTLING, .requester = IP_ROUTER
#define WAITS_IP .verdict = SKEP_HELD_SETTLING, .requester = IP_CLIENT
#define WAITS_IP_OF(who) .verdict = SKEP_HELD_SETTLING, .requester = (who)
#define WRONG_MAC .verdict = SKEP_DROP_WRONG_MAC

static const struct arrival arrivals[] = {
	/* The container answers for any address, so it needs not know yet that this one is its. */
	{"claimed: who-has", CLAIMED, BYTES(TO_ALL TYPE_ARP ASK PADDING), GOES(ARP)},
	{"claimed: who-has, sent to it", CLAIMED, BYTES(TO_LEASE TYPE_ARP ASK_NAMING(MAC_LEASE)),
	 GOES(ARP), .out = BYTES(TO_ETH0 TYPE_ARP ASK_NAMING(ETH0))},
	{"claimed: is-at", CLAIMED,
	 BYTES(TO_LEASE TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_LEASED)), GOES(ARP),
	 .out = BYTES(TO_ETH0 TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, ETH0, IP_LEASED))},
	{"claimed: who-has on a VLAN", CLAIMED, BYTES(TO_ALL TAG_7 TYPE_ARP ASK), GOES(ARP),
	 .out = BYTES(TO_ALL TYPE_ARP ASK), .vlan = 7},
	{"claimed: SYN", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 SYN_IN), GOES(IP),
	 .out = BYTES(TO_ETH0 TYPE_IPV4 SYN_IN)},
	{"claimed: SYN on a VLAN", CLAIMED, BYTES(TO_LEASE_7 TAG_7 TYPE_IPV4 SYN_IN), GOES(IP),
	 .out = BYTES(TO_ETH0 TYPE_IPV4 SYN_IN), .vlan = 7},
	{"claimed: ping", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 PING_IN), GOES(IP),
	 .out = BYTES(TO_ETH0 TYPE_IPV4 PING_IN)},
	{"claimed: ICMP error", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 ERROR_IN), GOES(IP),
	 .out = BYTES(TO_ETH0 TYPE_IPV4 ERROR_IN)},
	{"claimed: UDP", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 UDP_IN), WAITS_IP},
	{"claimed: UDP on a VLAN", CLAIMED, BYTES(TO_LEASE_7 TAG_7 TYPE_IPV4 UDP_IN), WAITS_IP,
	 .vlan = 7},
	{"claimed: a later fragment of UDP", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 UDP_LATER_IN),
	 WAITS_IP},
	{"claimed: SCTP", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 SCTP_IN), WAITS_IP},
	/* What it would answer to inside the farm's ranges, it would keep for itself. */
	{"claimed: SYN of a neighbour", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 SYN_OF(IP_NEIGHBOUR)),
	 WAITS_IP_OF(IP_NEIGHBOUR)},
	{"claimed: ping of the box, on a VLAN", CLAIMED,
	 BYTES(TO_LEASE_7 TAG_7 TYPE_IPV4 PING_OF(IP_BOX)), WAITS_IP_OF(IP_BOX), .vlan = 7},
	{"claimed: ping of the gateway", CLAIMED, BYTES(TO_LEASE TYPE_IPV4 PING_OF(IP_ROUTER)),
	 GOES(IP), .out = BYTES(TO_ETH0 TYPE_IPV4 PING_OF(IP_ROUTER))},
	{"claimed: UDP of the gateway", CLAIMED,
	 BYTES(TO_LEASE TYPE_IPV4 UDP_PACKET(IP_ROUTER, IP_LEASED, PORT_X, PORT_53)),
	 WAITS_IP_OF(IP_ROUTER)},
	{"claimed: who-has of a neighbour", CLAIMED,
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_NEIGHBOUR, IP_LEASED)), GOES(ARP)},
	{"settled: SYN of a neighbour", SETTLED, BYTES(TO_LEASE TYPE_IPV4 SYN_OF(IP_NEIGHBOUR)),
	 GOES(IP)},
	{"shared: SYN of a neighbour", SHARED, BYTES(TO_LEASE TYPE_IPV4 SYN_OF(IP_NEIGHBOUR)),
	 GOES(IP), .out = BYTES(TO_SHARED TYPE_IPV4 SYN_OF(IP_NEIGHBOUR))},
	{"claimed: UDP to another MAC", CLAIMED, BYTES(MAC_OTHER MAC_ROUTER TYPE_IPV4 UDP_IN),
	 WRONG_MAC},
	{"claimed: SYN to the container's own MAC", CLAIMED, BYTES(TO_ETH0 TYPE_IPV4 SYN_IN),
	 WRONG_MAC},
	{"claimed: UDP, broadcast", CLAIMED, BYTES(TO_ALL TYPE_IPV4 UDP_IN),
	 .verdict = SKEP_PASS_IP_GROUP},

	/* Its link address, its addresses and its routes are being changed. */
	{"settling: who-has", SETTLING, BYTES(TO_ALL TYPE_ARP ASK PADDING), WAITS_ARP},
	{"settling: who-has on a VLAN", SETTLING, BYTES(TO_ALL TAG_7 TYPE_ARP ASK), WAITS_ARP,
	 .vlan = 7},
	{"settling: who-has, sent to it", SETTLING, BYTES(TO_LEASE TYPE_ARP ASK), WAITS_ARP},
	{"settling: is-at", SETTLING,
	 BYTES(TO_LEASE TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_LEASED)), WAITS_ARP},
	{"settling: SYN", SETTLING, BYTES(TO_LEASE TYPE_IPV4 SYN_IN), WAITS_IP},
	{"settling: ping", SETTLING, BYTES(TO_LEASE TYPE_IPV4 PING_IN), WAITS_IP},
	{"settling: UDP", SETTLING, BYTES(TO_LEASE TYPE_IPV4 UDP_IN), WAITS_IP},
	{"settling: SYN to another MAC", SETTLING, BYTES(MAC_OTHER MAC_ROUTER TYPE_IPV4 SYN_IN),
	 WRONG_MAC},
	{"settling: UDP, broadcast", SETTLING, BYTES(TO_ALL TYPE_IPV4 UDP_IN),
	 .verdict = SKEP_PASS_IP_GROUP},

	{"settled: UDP", SETTLED, BYTES(TO_LEASE TYPE_IPV4 UDP_IN), GOES(IP)},
	{"settled: SYN", SETTLED, BYTES(TO_LEASE TYPE_IPV4 SYN_IN), GOES(IP)},
	{"settled: who-has", SETTLED, BYTES(TO_ALL TYPE_ARP ASK), GOES(ARP)},
	{"shared: UDP", SHARED, BYTES(TO_LEASE TYPE_IPV4 UDP_IN), GOES(IP),
	 .out = BYTES(TO_SHARED TYPE_IPV4 UDP_IN)},
};

static const struct bytes udp_in = BYTES(TO_LEASE TYPE_IPV4 UDP_IN);

static void frames_are_held_up_to_a_length(void **state)
{
	static const size_t lens[] = {128, 129, 1514, 2048};
	struct arrival a = {"", SETTLING, .vlan = 0, WAITS_IP};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		a.in = harness_longer(&udp_in, lens[i]);
		check_arrival(&a);
	}
	a.in = harness_longer(&udp_in, SKEP_ASK_LARGE + 1);
	a.verdict = SKEP_DROP_ASK_TOO_LONG;
	check_arrival(&a);
}

static void the_ring_is_full(void **state)
{
	const struct skep_addr key = lease_key(&apart);
	static struct outcome outcome;
	struct skep_lease value;

	(void)state;
	set_world(SETTLING);
	for (size_t i = 0; i < ASKS_ROOM(1 << 20, ASKS_SMALL_TAKES); i++)
		harness_run(gate_uplink->progs.uplink, &udp_in, &outcome);
	gate_check(GATE_IN, &udp_in, SKEP_DROP_ASK_RING_FULL, &udp_in);
	harness_get(gate_port->maps.leases, &key, &value);
	assert_int_equal(value.packets_in, 10);
	asks_read();
}

static void panic_holds_nothing(void **state)
{
	static const struct skep_settings panic = {.flags = SKEP_SETTING_PANIC};

	(void)state;
	for (enum stage stage = CLAIMED; stage <= SETTLING; stage++) {
		set_world(stage);
		gate_set_settings(&panic);
		gate_check(GATE_IN, &udp_in, SKEP_DROP_PANIC, &udp_in);
		assert_int_equal(asks_read(), 0);
	}
}

/* ---- what goes out ------------------------------------------------------------------ */

/**
 * struct departure - a frame of the container, after somebody has sent it a SYN
 * @out: as it leaves, where that is not how the container sent it
 * @never_waited: the container was bound by skepd, and never offered
 */
struct departure {
	const char *name;
	enum stage stage;
	struct bytes in;
	enum skep_verdict verdict;
	struct bytes out;
	bool never_waited;
};

static void departs(void **state)
{
	static const struct bytes syn = BYTES(TO_LEASE TYPE_IPV4 SYN_IN);
	const struct departure *d = *state;
	static struct outcome outcome;

	set_world(CLAIMED);
	gate_frame(GATE_IN, &syn, SKEP_LEASED_IP, &outcome);
	set_stage(d->stage, &apart);
	if (d->never_waited)
		set_offer(SLOT, MAC_NONE);
	gate_check(GATE_OUT, &d->in, d->verdict, d->out.at ? &d->out : &d->in);
}

#define FROM_ETH0 MAC_ROUTER ETH0
#define FROM_LEASE MAC_ROUTER MAC_LEASE
#define FROM_SHARED MAC_ROUTER MAC_SHARED
#define FROM_OTHER MAC_ROUTER ETH0_OTHER
#define FROM_ZERO MAC_ROUTER MAC_NONE
#define FROM_ETH0_TO_ALL MAC_ALL ETH0
#define FROM_LEASE_TO_ALL MAC_ALL MAC_LEASE
#define ANSWER_BY(mac) IS_AT(mac, IP_LEASED, MAC_ROUTER, IP_ROUTER)
#define ASK_BY(mac) WHO_HAS(mac, IP_LEASED, IP_ROUTER)
#define TELL_BY(sha, tha) IS_AT(sha, IP_LEASED, tha, IP_LEASED)
#define SYN_ACK_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_80, PORT_X, SYN_ACK)
#define SYN_ACK_FROM(ip) TCP_PACKET(ip, IP_CLIENT, PORT_80, PORT_X, SYN_ACK)
#define OWN_SYN_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_Y, PORT_80, SYN)
#define OUT_AS(what) .verdict = SKEP_PORT_OUT_##what
#define DROPPED(why) .verdict = SKEP_PORT_DROP_##why

static const struct departure departures[] = {
	{"claimed: is-at", CLAIMED, BYTES(FROM_ETH0 TYPE_ARP ANSWER_BY(ETH0)), OUT_AS(ARP),
	 .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"claimed: who-has for its gateway", CLAIMED, BYTES(FROM_ETH0_TO_ALL TYPE_ARP ASK_BY(ETH0)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK_BY(MAC_LEASE))},
	{"claimed: an answer", CLAIMED, BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_OUT), OUT_AS(IP),
	 .out = BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT)},
	{"claimed: an answer from the link address that it will have", CLAIMED,
	 BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT), DROPPED(MAC)},
	{"claimed: is-at that tells the link address that it will have", CLAIMED,
	 BYTES(FROM_ETH0 TYPE_ARP ANSWER_BY(MAC_LEASE)), DROPPED(ARP)},

	/* It would answer for any address, but for this one only it may. */
	{"claimed: an answer from another address", CLAIMED,
	 BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_FROM(IP_DARK)), DROPPED(ADDR)},
	{"claimed: an answer from loopback", CLAIMED,
	 BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_FROM(IP_LOOPBACK)), DROPPED(ADDR)},
	{"claimed: an answer from whom it answers", CLAIMED,
	 BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_FROM(IP_CLIENT)), DROPPED(ADDR)},
	{"claimed: is-at for another address", CLAIMED,
	 BYTES(FROM_ETH0 TYPE_ARP IS_AT(ETH0, IP_DARK, MAC_ROUTER, IP_ROUTER)), DROPPED(ARP)},
	{"claimed: what it begins by itself", CLAIMED, BYTES(FROM_ETH0 TYPE_IPV4 OWN_SYN_OUT),
	 DROPPED(RULE)},
	{"claimed: IPv6", CLAIMED, BYTES(FROM_ETH0 TYPE_IPV6 "\x60" PING_IN PADDING),
	 DROPPED(OTHER)},

	{"settling: is-at before the change", SETTLING, BYTES(FROM_ETH0 TYPE_ARP ANSWER_BY(ETH0)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"settling: is-at after the change", SETTLING,
	 BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE)), OUT_AS(ARP)},
	{"settling: is-at in between", SETTLING, BYTES(FROM_ETH0 TYPE_ARP ANSWER_BY(MAC_LEASE)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"settling: is-at, the other way round", SETTLING,
	 BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(ETH0)), OUT_AS(ARP),
	 .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"settling: an answer before the change", SETTLING, BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_OUT),
	 OUT_AS(IP), .out = BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT)},
	{"settling: an answer after the change", SETTLING, BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT),
	 OUT_AS(IP)},
	{"settling: an answer from another link address", SETTLING,
	 BYTES(MAC_ROUTER MAC_OTHER TYPE_IPV4 SYN_ACK_OUT), DROPPED(MAC)},
	{"settling: is-at that tells another link address", SETTLING,
	 BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_OTHER)), DROPPED(ARP)},
	{"settling: an answer from another address", SETTLING,
	 BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_FROM(IP_DARK)), DROPPED(ADDR)},
	{"settling: what it begins by itself", SETTLING, BYTES(FROM_LEASE TYPE_IPV4 OWN_SYN_OUT),
	 DROPPED(RULE)},

	{"settled: an answer", SETTLED, BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT), OUT_AS(IP)},

	/* What was on its way while the lease was settled; outside it has one link address. */
	{"settled: an answer from the link address that it waited with", SETTLED,
	 BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_OUT), OUT_AS(IP),
	 .out = BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT)},
	{"settled: is-at from there", SETTLED, BYTES(FROM_ETH0 TYPE_ARP ANSWER_BY(ETH0)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"settled: who-has from there", SETTLED, BYTES(FROM_ETH0_TO_ALL TYPE_ARP ASK_BY(ETH0)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE_TO_ALL TYPE_ARP ASK_BY(MAC_LEASE))},
	{"settled: is-at in between", SETTLED, BYTES(FROM_ETH0 TYPE_ARP ANSWER_BY(MAC_LEASE)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"settled: is-at, the other way round", SETTLED, BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(ETH0)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"settled: is-at for itself", SETTLED, BYTES(FROM_ETH0 TYPE_ARP TELL_BY(ETH0, ETH0)),
	 OUT_AS(ARP), .out = BYTES(FROM_LEASE TYPE_ARP TELL_BY(MAC_LEASE, MAC_LEASE))},
	{"settled: is-at for itself in between", SETTLED,
	 BYTES(FROM_ETH0 TYPE_ARP TELL_BY(MAC_LEASE, ETH0)), OUT_AS(ARP),
	 .out = BYTES(FROM_LEASE TYPE_ARP TELL_BY(MAC_LEASE, MAC_LEASE))},
	{"settled: is-at for somebody else", SETTLED,
	 BYTES(FROM_ETH0 TYPE_ARP TELL_BY(ETH0, ETH0_OTHER)), OUT_AS(ARP),
	 .out = BYTES(FROM_LEASE TYPE_ARP TELL_BY(MAC_LEASE, ETH0_OTHER))},
	{"settled: an answer from there, from another address", SETTLED,
	 BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_FROM(IP_DARK)), DROPPED(ADDR)},
	{"settled: what it begins by itself, from there", SETTLED,
	 BYTES(FROM_ETH0 TYPE_IPV4 OWN_SYN_OUT), DROPPED(RULE)},

	/* Every container has its own. */
	{"settled: an answer from where another one waited", SETTLED,
	 BYTES(FROM_OTHER TYPE_IPV4 SYN_ACK_OUT), DROPPED(MAC)},
	{"settled: is-at from where another one waited", SETTLED,
	 BYTES(FROM_OTHER TYPE_ARP ANSWER_BY(ETH0_OTHER)), DROPPED(MAC)},
	{"settled: is-at that tells of where another one waited", SETTLED,
	 BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(ETH0_OTHER)), DROPPED(ARP)},
	{"claimed: an answer from where another one waited", CLAIMED,
	 BYTES(FROM_OTHER TYPE_IPV4 SYN_ACK_OUT), DROPPED(MAC)},
	{"never offered: an answer", SETTLED, BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT), OUT_AS(IP),
	 .never_waited = true},
	{"never offered: an answer from no link address", SETTLED,
	 BYTES(FROM_ZERO TYPE_IPV4 SYN_ACK_OUT), DROPPED(MAC), .never_waited = true},
	{"never offered: is-at from no link address", SETTLED,
	 BYTES(FROM_ZERO TYPE_ARP ANSWER_BY(MAC_LEASE)), DROPPED(MAC), .never_waited = true},
	{"never offered: an answer from where it would have waited", SETTLED,
	 BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_OUT), DROPPED(MAC), .never_waited = true},

	{"shared: an answer", SHARED, BYTES(FROM_SHARED TYPE_IPV4 SYN_ACK_OUT), OUT_AS(IP),
	 .out = BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT)},
	{"shared: is-at", SHARED, BYTES(FROM_SHARED TYPE_ARP ANSWER_BY(MAC_SHARED)), OUT_AS(ARP),
	 .out = BYTES(FROM_LEASE TYPE_ARP ANSWER_BY(MAC_LEASE))},
	{"shared: an answer from the link address that it waited with", SHARED,
	 BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_OUT), OUT_AS(IP),
	 .out = BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT)},
	{"shared: an answer from the link address seen outside", SHARED,
	 BYTES(FROM_LEASE TYPE_IPV4 SYN_ACK_OUT), DROPPED(MAC)},
	{"shared: is-at that tells the link address seen outside", SHARED,
	 BYTES(FROM_SHARED TYPE_ARP ANSWER_BY(MAC_LEASE)), DROPPED(ARP)},
};

/* ---- what is told of it ------------------------------------------------------------- */

/* One that is nobody's address: what a frame says of itself is not what is told. */
static void check_told_of(const char *ip)
{
	static const struct bytes ipv6 = BYTES(FROM_ETH0 TYPE_IPV6 "\x60" PING_IN PADDING);
	static const struct bytes stolen = BYTES(FROM_ETH0 TYPE_IPV4 SYN_ACK_FROM(IP_DARK));
	static struct outcome outcome;

	gate_frame(GATE_OUT, &ipv6, SKEP_PORT_DROP_OTHER, &outcome);
	gate_frame(GATE_OUT, &stolen, SKEP_PORT_DROP_ADDR, &outcome);
	listen_to_notices();
	assert_int_equal(n_told, 2);
	for (size_t i = 0; i < n_told; i++) {
		assert_memory_equal(told[i].address.ip.octet, ip, 4);
		assert_int_equal(told[i].address.uplink, GATE_UPLINK);
		assert_int_equal(told[i].port, GATE_PORT);
	}
}

static void skepd_is_told_of_one_it_does_not_know_yet(void **state)
{
	(void)state;
	for (enum stage stage = CLAIMED; stage <= SETTLING; stage++) {
		set_world(stage);
		listen_to_notices();
		check_told_of(IP_LEASED);
	}
}

/* Of several leases, the container's first one, whatever it was claimed for. */
static void skepd_is_told_of_what_it_knows(void **state)
{
	(void)state;
	set_world(SETTLED);
	gate_set_container(SLOT, IP_NEIGHBOUR);
	listen_to_notices();
	check_told_of(IP_NEIGHBOUR);
}

static int setup(void **state)
{
	return gate_setup(state) ? -1 : asks_open(gate_uplink->maps.asks);
}

static int teardown(void **state)
{
	asks_close();
	return gate_teardown(state);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(frames_are_held_up_to_a_length),
		cmocka_unit_test(the_ring_is_full),
		cmocka_unit_test(panic_holds_nothing),
		cmocka_unit_test(skepd_is_told_of_one_it_does_not_know_yet),
		cmocka_unit_test(skepd_is_told_of_what_it_knows),
	};
	static struct table table;

	table_add(&table, arrivals, arrives);
	table_add(&table, departures, departs);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "unsettled", setup, teardown);
}
