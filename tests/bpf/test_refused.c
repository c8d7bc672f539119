// SPDX-License-Identifier: GPL-2.0
/*
 * What a container that is refused hears of it, when a rule rejects what it begins, and what skepd
 * is told: also of what is refused before a rule is asked.
 */
#include "rules.h"

#include "notices.h"

/* ---- notices ------------------------------------------------------------------------ */

static void a_refusal_is_told_once_a_second(void **state)
{
	struct skep_notice_key key = {.port = GATE_PORT, .verdict = SKEP_PORT_DROP_RULE};
	struct skep_notice_gate gate;
	const struct bpf_map *gates = gate_port->maps.notice_gates;
	struct skep_rule rule = any(SKEP_RULE_DROP);

	(void)state;
	listen_to_notices();
	rule.hits = 5;
	begin_with(&rule);
	for (int i = 0; i < 10; i++)
		out(&syn, SKEP_PORT_DROP_RULE);
	listen_to_notices();
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].count, 1);
	assert_int_equal(told[0].verdict, SKEP_PORT_DROP_RULE);
	assert_memory_equal(told[0].address.ip.octet, IP_LEASED, 4);
	assert_memory_equal(told[0].remote.octet, IP_CLIENT, 4);
	assert_memory_equal(&told[0].remote_port, PORT_80, 2);
	assert_int_equal(told[0].protocol, 6);
	assert_int_equal(told[0].port, GATE_PORT);
	assert_int_equal(told[0].policy, GATE_POLICY);
	assert_int_equal(told[0].hits, 5);

	harness_get(gates, &key, &gate);
	gate.last_ns -= SECOND;
	harness_put(gates, &key, &gate);
	out(&ask, SKEP_PORT_DROP_RULE);
	out(&ask, SKEP_PORT_DROP_RULE);
	listen_to_notices();
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].count, 10); /* nine before it, and itself */
	assert_int_equal(told[0].protocol, 17);
}

/**
 * struct refusal - a frame that is refused before a rule is asked
 * @untold: any machine sends such now and then
 */
struct refusal {
	const char *name;
	struct bytes frame;
	enum skep_verdict verdict;
	const char *remote;
	bool untold;
};

#define IPV6 "\x60" IPV4(IP_LEASED, IP_CLIENT) PADDING
#define MAC_IPV6_GROUP "\x33\x33\x00\x00\x00\x02"
#define UDP_FROM(src) UDP_PACKET(src, IP_CLIENT, PORT_X, PORT_53)

static const struct refusal refusals[] = {
	{"told: another source MAC", BYTES(MAC_ROUTER MAC_OTHER TYPE_IPV4 UDP_FROM(IP_LEASED)),
	 SKEP_PORT_DROP_MAC, IP_CLIENT, false},
	{"told: another source address", BYTES(ETH_OUT UDP_FROM(IP_OTHER)), SKEP_PORT_DROP_ADDR,
	 IP_CLIENT, false},
	{"told: another ARP sender",
	 BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_DARK, IP_ROUTER)),
	 SKEP_PORT_DROP_ARP, IP_ROUTER, false},
	{"told: a scan by ARP",
	 BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_DARK)),
	 SKEP_PORT_DROP_ARP_TARGET, IP_DARK, false},
	{"told: a tag", BYTES(MAC_ROUTER MAC_LEASE TAG_7 TYPE_IPV4 UDP_FROM(IP_LEASED)),
	 SKEP_PORT_DROP_TAGGED, NULL, false},
	{"told: IPv6", BYTES(MAC_ROUTER MAC_LEASE TYPE_IPV6 IPV6), SKEP_PORT_DROP_OTHER, IP_NONE,
	 false},
	{"told: lengths that contradict each other",
	 BYTES(ETH_OUT IP_OF("\x00\x40", ID, WHOLE, UDP, NO_SUM, IP_LEASED, IP_CLIENT)
		       UDP_OF(PORT_X, PORT_53)),
	 SKEP_PORT_DROP_MALFORMED, IP_CLIENT, false},
	{"not told: IPv6 to a group", BYTES(MAC_IPV6_GROUP MAC_LEASE TYPE_IPV6 IPV6),
	 SKEP_PORT_DROP_OTHER, NULL, true},
	{"not told: IPv4 to a group",
	 BYTES(MAC_GROUP MAC_LEASE TYPE_IPV4 UDP_PACKET(IP_LEASED, IP_GROUP, PORT_X, PORT_53)),
	 SKEP_PORT_DROP_GROUP, NULL, true},
};

static void is_told(void **state)
{
	const struct refusal *refusal = *state;
	static struct outcome outcome;

	gate_reset();
	gate_set_container(GATE_SLOT, IP_LEASED);
	listen_to_notices();
	for (int i = 0; i < 3; i++)
		gate_frame(GATE_OUT, &refusal->frame, refusal->verdict, &outcome);
	listen_to_notices();
	assert_int_equal(n_told, refusal->untold ? 0 : 1);
	if (refusal->untold)
		return;
	assert_int_equal(told[0].verdict, refusal->verdict);
	assert_int_equal(told[0].port, GATE_PORT);
	assert_int_equal(told[0].hits, SKEP_NOTICE_NO_RULE);
	assert_memory_equal(told[0].address.ip.octet, IP_LEASED, 4);
	if (refusal->remote)
		assert_memory_equal(told[0].remote.octet, refusal->remote, 4);
}

/* ---- reject ---------------------------------------------------------------------------- */

/* The frame goes back to where it came from, as this one. */
static void rejected(const struct bytes *frame, const struct bytes *answer)
{
	static struct outcome outcome;
	const struct skep_rule rule = any(SKEP_RULE_REJECT);

	begin_with(&rule);
	gate_frame(GATE_OUT, frame, SKEP_PORT_REJECTED, &outcome);
	assert_int_equal(outcome.action, answer->at ? TC_ACT_REDIRECT : TC_ACT_SHOT);
	if (answer->at)
		harness_check_frame(&outcome, answer);
}

#define ETH_BACK MAC_LEASE MAC_ROUTER TYPE_IPV4
#define TTL_OF_CLIENT "\x39" /* 60 - 3 */

static void tcp_is_rejected_with_a_reset(void **state)
{
	/* 40000 -> 80, SYN with sequence 0x1000: acknowledged are that and one more. */
	static const struct bytes answer =
		BYTES(ETH_BACK "\x45\x00\x00\x28\x00\x00\x40\x00" TTL_OF_CLIENT
			       "\x06\x09\x56" IP_CLIENT IP_LEASED PORT_80 PORT_X
			       "\x00\x00\x00\x00\x00\x00\x10\x01\x50\x14\x00\x00\xca\xc4\x00\x00");

	(void)state;
	rejected(&syn, &answer);
}

static void tcp_with_an_ack_is_rejected_at_that_number(void **state)
{
	static const struct bytes frame =
		BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_80, ACK));
	static const struct bytes answer =
		BYTES(ETH_BACK "\x45\x00\x00\x28\x00\x00\x40\x00" TTL_OF_CLIENT
			       "\x06\x09\x56" IP_CLIENT IP_LEASED PORT_80 PORT_X
			       "\x00\x00\x20\x00\x00\x00\x00\x00\x50\x04\x00\x00\xba\xd5\x00\x00");

	(void)state;
	rejected(&frame, &answer);
}

static void resets_are_not_answered(void **state)
{
	static const struct bytes frame =
		BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_80, RST));

	(void)state;
	rejected(&frame, &(struct bytes){});
}

static void udp_is_rejected_by_port_unreachable(void **state)
{
	static const struct bytes answer =
		BYTES(ETH_BACK "\x45\x00\x00\x38\x00\x00\x40\x00" TTL_OF_CLIENT
			       "\x01\x09\x4b" IP_CLIENT IP_LEASED
			       "\x03\x03\x50\x9a\x00\x00\x00\x00" UDP_PACKET(IP_LEASED, IP_CLIENT,
									     PORT_X, PORT_53));
	const struct bytes cut = {answer.at, answer.len - 4}; /* 8 bytes behind the header */

	(void)state;
	rejected(&ask, &cut);
}

static void ping_is_rejected_by_the_gateway(void **state)
{
	static const struct bytes answer = BYTES(
		ETH_BACK "\x45\x00\x00\x38\x00\x00\x40\x00\x3b\x01\x27\x3e" IP_ROUTER IP_LEASED
			 "\x03\x01\xe5\x2f\x00\x00\x00\x00" ICMP_PACKET(IP_LEASED, IP_CLIENT,
									ASKS_ECHO, "\x00\x01"));

	(void)state;
	rejected(&ping, &answer);
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_PORT_REJECTED};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(a_refusal_is_told_once_a_second),
		cmocka_unit_test(tcp_is_rejected_with_a_reset),
		cmocka_unit_test(tcp_with_an_ack_is_rejected_at_that_number),
		cmocka_unit_test(resets_are_not_answered),
		cmocka_unit_test(udp_is_rejected_by_port_unreachable),
		cmocka_unit_test(ping_is_rejected_by_the_gateway),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, refusals, is_told);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "refused", gate_setup,
				 gate_teardown);
}
