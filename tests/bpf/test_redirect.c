// SPDX-License-Identifier: GPL-2.0
/*
 * Rules that send elsewhere what a container begins: to a sinkhole, with all checksums right, and
 * its answers come back as if from the one that was meant.
 */
#include "rules.h"

#include <arpa/inet.h>

#define SINK_PORT "\x1f\x90" /* 8080 */

static struct skep_rule to_sink(__be16 port)
{
	struct skep_rule rule = any(SKEP_RULE_REDIRECT);

	rule.redirect = harness_ip(IP_SINK);
	rule.redirect_port = port;
	return rule;
}

static __be16 sink_port(void)
{
	__be16 port;

	memcpy(&port, SINK_PORT, sizeof(port));
	return port;
}

/* What is wanted has right checksums: the frames here do, before and after. */
#define SUMMED_UDP(sum, src, dst, source, dest, udp_sum) \
	IP_OF("\x00\x20", ID, WHOLE, UDP, sum, src, dst) source dest "\x00\x0c" udp_sum "data"

static __u32 add_words(__u32 sum, const __u8 *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (__u32)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Of an IPv4 packet without options in a frame: 0xffff when both checksums are right. */
static void check_sums(const struct outcome *frame)
{
	const __u8 *ip = frame->frame + 14;
	__u32 len = (__u32)ip[2] << 8 | ip[3];

	assert_int_equal(add_words(0, ip, 20), 0xffff);
	assert_int_equal(add_words(add_words(ip[9] + len - 20, ip + 12, 8), ip + 20, len - 20),
			 0xffff);
}

static void fix_sums(__u8 *frame, size_t sum_at)
{
	__u8 *ip = frame + 14;
	__u32 len = (__u32)ip[2] << 8 | ip[3], sum;

	ip[10] = ip[11] = ip[20 + sum_at] = ip[21 + sum_at] = 0;
	sum = ~add_words(0, ip, 20);
	ip[10] = (__u8)(sum >> 8);
	ip[11] = (__u8)sum;
	sum = ~add_words(add_words(ip[9] + len - 20, ip + 12, 8), ip + 20, len - 20);
	ip[20 + sum_at] = (__u8)(sum >> 8);
	ip[21 + sum_at] = (__u8)sum;
}

/* A frame of the container's, and as it has to leave; both get their checksums here. */
static void redirected(const struct bytes *frame, const struct bytes *wire, size_t sum_at,
		       enum gate_way way)
{
	const enum skep_verdict verdict =
		way == GATE_OUT ? SKEP_PORT_OUT_REDIRECTED : SKEP_LEASED_IP;
	__u8 a[128], b[128];
	static struct outcome outcome;

	memcpy(a, frame->at, frame->len);
	memcpy(b, wire->at, wire->len);
	fix_sums(a, sum_at);
	fix_sums(b, sum_at);
	gate_frame(way, &(struct bytes){a, frame->len}, verdict, &outcome);
	assert_int_equal(outcome.action, gate_action(way, verdict));
	check_sums(&outcome);
	harness_check_frame(&outcome, &(struct bytes){b, wire->len});
}

#define TCP_SUM_AT 16
#define UDP_SUM_AT 6

static void tcp_is_redirected_and_its_answers_translated(void **state)
{
	static const struct bytes wire =
		BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_SINK, PORT_X, SINK_PORT, SYN));
	static const struct bytes answer =
		BYTES(ETH_IN TCP_PACKET(IP_SINK, IP_LEASED, SINK_PORT, PORT_X, SYN_ACK));
	static const struct bytes known =
		BYTES(ETH_IN TCP_PACKET(IP_CLIENT, IP_LEASED, PORT_80, PORT_X, SYN_ACK));
	const struct skep_rule rule = to_sink(sink_port());

	(void)state;
	begin_with(&rule);
	redirected(&syn, &wire, TCP_SUM_AT, GATE_OUT);
	redirected(&answer, &known, TCP_SUM_AT, GATE_IN);
	redirected(&syn, &wire, TCP_SUM_AT, GATE_OUT);
}

static void udp_is_redirected_and_its_answers_translated(void **state)
{
	static const struct bytes wire =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_SINK, PORT_X, PORT_53));
	static const struct bytes answer =
		BYTES(ETH_IN UDP_PACKET(IP_SINK, IP_LEASED, PORT_53, PORT_X));
	static const struct bytes known =
		BYTES(ETH_IN UDP_PACKET(IP_CLIENT, IP_LEASED, PORT_53, PORT_X));
	const struct skep_rule rule = to_sink(0);

	(void)state;
	begin_with(&rule);
	redirected(&ask, &wire, UDP_SUM_AT, GATE_OUT);
	redirected(&answer, &known, UDP_SUM_AT, GATE_IN);
}

static void udp_without_a_checksum_stays_without(void **state)
{
	static const struct bytes wire =
		BYTES(ETH_OUT SUMMED_UDP("\x6f\x5a", IP_LEASED, IP_SINK, PORT_X, PORT_53, NO_SUM));
	const struct bytes *frame = &ask;
	const struct skep_rule rule = to_sink(0);
	static struct outcome outcome;

	(void)state;
	begin_with(&rule);
	gate_frame(GATE_OUT, frame, SKEP_PORT_OUT_REDIRECTED, &outcome);
	assert_int_equal(outcome.len, wire.len);
	assert_memory_equal(outcome.frame + 26, wire.at + 26, wire.len - 26);
}

/* Two flows of one port of the container's, to the same place on the wire: they are told apart. */
static void two_flows_to_the_sinkhole_do_not_meet(void **state)
{
	static const struct bytes second =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_OTHER, PORT_X, PORT_53));
	static struct outcome first_out, second_out, in_out;
	const struct skep_rule rule = to_sink(0);
	__u8 answer[46];
	const struct bytes back = {answer, sizeof(answer)};

	(void)state;
	begin_with(&rule);
	gate_frame(GATE_OUT, &ask, SKEP_PORT_OUT_REDIRECTED, &first_out);
	gate_frame(GATE_OUT, &second, SKEP_PORT_OUT_REDIRECTED, &second_out);
	assert_memory_equal(first_out.frame + 30, IP_SINK, 4);
	assert_memory_equal(second_out.frame + 30, IP_SINK, 4);
	assert_memory_equal(first_out.frame + 34, PORT_X, 2);
	assert_memory_not_equal(second_out.frame + 34, PORT_X, 2);

	memcpy(answer, second_out.frame, sizeof(answer));
	memcpy(answer, ETH_IN, 14);
	memcpy(answer + 26, IP_SINK IP_LEASED, 8);
	memcpy(answer + 34, second_out.frame + 36, 2);
	memcpy(answer + 36, second_out.frame + 34, 2);
	gate_frame(GATE_IN, &back, SKEP_LEASED_IP, &in_out);
	assert_memory_equal(in_out.frame + 26, IP_OTHER IP_LEASED PORT_53 PORT_X, 12);
}

/* Another flow, to somebody else, has this port at the sinkhole already. */
static void occupy(__u16 port, struct skep_flow_key *flow_key, const struct skep_flow *flow)
{
	struct skep_flow_key wire = *flow_key;
	struct skep_redirect back = {
		.remote = flow_key->remote,
		.remote_port = flow_key->remote_port,
		.local_port = htons(port),
		.lease = GATE_LEASE,
	};

	flow_key->local_port = wire.local_port = htons(port);
	wire.remote = harness_ip(IP_SINK);
	harness_put(gate_port->maps.redirects, &wire, &back);
	harness_put(gate_port->maps.flows, flow_key, flow);
}

static void without_a_free_port_nothing_is_redirected(void **state)
{
	const struct skep_rule rule = to_sink(0);
	struct skep_flow flow = {.lease = GATE_LEASE, .origin = SKEP_FLOW_INSIDE};
	struct skep_flow_key key = {
		.local = lease_key(&gate_lease),
		.remote = harness_ip(IP_OTHER),
		.remote_port = htons(53),
		.protocol = 17,
	};

	(void)state;
	begin_with(&rule);
	flow.last_ns = harness_clock(CLOCK_MONOTONIC);
	for (__u32 port = 32768; port <= 65535; port++)
		occupy((__u16)port, &key, &flow);
	out(&ask, SKEP_PORT_DROP_NO_FLOW);
}

static void a_sinkhole_in_the_farm_is_none(void **state)
{
	struct skep_rule rule = to_sink(0);

	(void)state;
	rule.redirect = harness_ip(IP_DARK);
	begin_with(&rule);
	out(&ask, SKEP_PORT_DROP_FARM);
	rule.redirect = harness_ip(IP_BOX);
	begin_with(&rule);
	out(&ask, SKEP_PORT_DROP_BOX);
}

static void ping_is_not_redirected(void **state)
{
	const struct skep_rule rule = to_sink(0);

	(void)state;
	begin_with(&rule);
	out(&ping, SKEP_PORT_DROP_RULE);
}

static void fragments_are_redirected(void **state)
{
	static const struct bytes first =
		BYTES(ETH_OUT UDP_FIRST(IP_LEASED, IP_CLIENT, PORT_X, PORT_53));
	static const struct bytes last = BYTES(ETH_OUT UDP_LAST(IP_LEASED, IP_CLIENT));
	const struct skep_rule rule = to_sink(0);
	static struct outcome outcome;

	(void)state;
	begin_with(&rule);
	gate_frame(GATE_OUT, &first, SKEP_PORT_OUT_REDIRECTED, &outcome);
	assert_memory_equal(outcome.frame + 30, IP_SINK, 4);
	gate_frame(GATE_OUT, &last, SKEP_PORT_OUT_REDIRECTED, &outcome);
	assert_memory_equal(outcome.frame + 30, IP_SINK, 4);
	assert_memory_equal(outcome.frame + 34, last.at + 34, last.len - 34);
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_PORT_OUT_REDIRECTED, SKEP_PORT_DROP_FARM,
						     SKEP_PORT_DROP_BOX, SKEP_PORT_DROP_NO_FLOW};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_is_redirected_and_its_answers_translated),
		cmocka_unit_test(udp_is_redirected_and_its_answers_translated),
		cmocka_unit_test(udp_without_a_checksum_stays_without),
		cmocka_unit_test(two_flows_to_the_sinkhole_do_not_meet),
		cmocka_unit_test(without_a_free_port_nothing_is_redirected),
		cmocka_unit_test(a_sinkhole_in_the_farm_is_none),
		cmocka_unit_test(ping_is_not_redirected),
		cmocka_unit_test(fragments_are_redirected),
		cmocka_unit_test(every_verdict_was_seen),
	};

	return cmocka_run_group_tests_name("redirect", tests, gate_setup, gate_teardown);
}
