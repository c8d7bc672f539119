// SPDX-License-Identifier: GPL-2.0
/*
 * How much a container may send: limits of a rule, the brake of the farm as a whole, whatever the
 * rules say, and panic, in which nothing gets out. Packets that the kernel is still to cut count as
 * on the wire.
 */
#include "rules.h"

#include "notices.h"

/* ---- limit ------------------------------------------------------------------------------- */

static void packets_are_limited(void **state)
{
	struct skep_rule rule = any(SKEP_RULE_LIMIT);

	(void)state;
	rule.packet_interval_ns = SECOND / 5;
	begin_with(&rule);
	for (int i = 0; i < 5; i++)
		out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&ask, SKEP_PORT_DROP_LIMIT);
	out(&syn, SKEP_PORT_DROP_LIMIT);
}

static void bytes_are_limited(void **state)
{
	struct skep_rule rule = any(SKEP_RULE_LIMIT);

	(void)state;
	rule.kib_interval_ns = 3200 * SECOND; /* 32 bytes are 100 s; 72 KiB may come at once */
	begin_with(&rule);
	for (int i = 0; i < 72 * 1024 / 32; i++)
		out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&ask, SKEP_PORT_DROP_LIMIT);
}

static void new_flows_are_limited(void **state)
{
	static const struct bytes second =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_Y, PORT_53));
	struct skep_rule rule = any(SKEP_RULE_LIMIT);

	(void)state;
	rule.flow_interval_ns = SECOND;
	begin_with(&rule);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&second, SKEP_PORT_DROP_LIMIT);
	out(&ask, SKEP_PORT_OUT_ALLOWED); /* the flow that there is goes on */
}

static void destinations_are_limited(void **state)
{
	static const struct bytes other =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_OTHER, PORT_X, PORT_53));
	static const struct bytes third =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_SINK, PORT_X, PORT_53));
	static const struct bytes again =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_Y, PORT_53));
	struct skep_limit_key key = {.port = GATE_PORT, .serial = SERIAL};
	const struct bpf_map *limits = gate_port->maps.limits;
	struct skep_rule rule = any(SKEP_RULE_LIMIT);
	struct skep_limit limit;

	(void)state;
	rule.destinations = 2;
	begin_with(&rule);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&other, SKEP_PORT_OUT_ALLOWED);
	out(&third, SKEP_PORT_DROP_LIMIT);
	out(&again, SKEP_PORT_OUT_ALLOWED);
	harness_get(limits, &key, &limit);
	assert_int_equal(limit.destinations, 2);
	limit.minute--; /* the next one begins */
	harness_put(limits, &key, &limit);
	out(&third, SKEP_PORT_OUT_ALLOWED);
}

/* ---- the farm as a whole ------------------------------------------------------------------- */

static void the_brake_holds_whatever_the_rules_say(void **state)
{
	static const struct skep_settings settings = {
		.version = SKEP_MAPS_VERSION,
		.egress_packet_interval_ns = SECOND,
		.egress_packet_burst_ns = 3 * SECOND,
	};
	static const struct bytes asked =
		BYTES(ETH_IN UDP_PACKET(IP_CLIENT, IP_LEASED, PORT_53, PORT_80));
	static const struct bytes answer =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_80, PORT_53));
	static const struct bytes who =
		BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_ROUTER));
	const struct skep_rule rule = any(SKEP_RULE_ALLOW);

	(void)state;
	begin_with(&rule);
	gate_set_settings(&settings);
	listen_to_notices();
	in(&asked);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&answer, SKEP_PORT_OUT_IP);
	out(&who, SKEP_PORT_OUT_ARP);
	out(&ask, SKEP_PORT_DROP_BRAKE);
	out(&answer, SKEP_PORT_DROP_BRAKE);
	out(&who, SKEP_PORT_DROP_BRAKE);
	listen_to_notices();
	assert_int_equal(n_told, 1);
	assert_int_equal(told[0].verdict, SKEP_PORT_DROP_BRAKE);
	assert_int_equal(told[0].port, 0);
	in(&asked); /* what comes in is not braked */
}

static void the_brake_counts_bytes(void **state)
{
	static const struct skep_settings settings = {
		.version = SKEP_MAPS_VERSION,
		.egress_kib_interval_ns = 1024 * SECOND, /* a byte a second */
		.egress_kib_burst_ns = 120 * SECOND,
	};
	const struct skep_rule rule = any(SKEP_RULE_ALLOW);

	(void)state;
	begin_with(&rule);
	gate_set_settings(&settings);
	out(&ask, SKEP_PORT_OUT_ALLOWED); /* 46 bytes, 60 on the wire */
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&ask, SKEP_PORT_DROP_BRAKE);
}

/* What the kernel is left to cut, with @size bytes of payload in each of @n. */
static void out_in_segments(const struct bytes *frame, __u32 n, __u32 size,
			    enum skep_verdict verdict)
{
	struct __sk_buff ctx = {.gso_segs = n, .gso_size = size};
	__u8 data[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->at,
		    .data_size_in = (__u32)frame->len, .data_out = data,
		    .data_size_out = sizeof(data), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = 1);

	harness_mark(gate_port->maps.counters);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(gate_port->progs.port), &opts), 0);
	harness_check_counted(gate_port->maps.counters, verdict);
}

static const struct bytes large =
	BYTES(ETH_OUT IP_OF("\x00\x68", ID, WHOLE, TCP, NO_SUM, IP_LEASED, IP_CLIENT)
		      TCP_OF(PORT_X, PORT_80, SYN) /* and 64 bytes of payload */
	      "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");

/**
 * struct cut - a packet of 118 bytes that is cut
 * @bytes: on the wire
 */
struct cut {
	const char *name;
	__u32 n, size;
	__u64 bytes;
};

static const struct cut cuts[] = {
	{"not cut", 0, 0, 118},
	{"in two", 2, 32, 118 + 54},
	{"in four: each has headers of its own", 4, 16, 118 + 3 * 54},
	{"in 64: none is shorter than a frame can be", 64, 1, 118 + 63 * 54},
	{"the kernel has not counted yet", 0, 32, 118 + 3 * 54},
};

static void segments_are_braked_as_on_the_wire(void **state)
{
	const struct cut *cut = *state;
	const __u64 least = cut->n * 60ULL, bytes = cut->bytes > least ? cut->bytes : least;
	struct skep_settings settings = {
		.version = SKEP_MAPS_VERSION,
		.egress_kib_interval_ns = 1024 * SECOND, /* a byte a second */
	};
	const struct skep_rule rule = any(SKEP_RULE_ALLOW);

	begin_with(&rule);
	settings.egress_kib_burst_ns = (bytes - 1) * SECOND;
	gate_set_settings(&settings);
	out_in_segments(&large, cut->n, cut->size, SKEP_PORT_DROP_BRAKE);
	settings.egress_kib_burst_ns = bytes * SECOND;
	gate_set_settings(&settings);
	out_in_segments(&large, cut->n, cut->size, SKEP_PORT_OUT_ALLOWED);
}

static void segments_are_limited_as_on_the_wire(void **state)
{
	struct skep_rule rule = any(SKEP_RULE_LIMIT);

	(void)state;
	rule.kib_interval_ns = 3200 * SECOND;
	begin_with(&rule);
	for (int i = 0; i < 72 * 1024 / (104 + 63 * 40); i++)
		out_in_segments(&large, 64, 1, SKEP_PORT_OUT_ALLOWED);
	out_in_segments(&large, 64, 1, SKEP_PORT_DROP_LIMIT);
}

static void in_a_panic_nothing_gets_out(void **state)
{
	static const struct skep_settings settings = {
		.version = SKEP_MAPS_VERSION,
		.flags = SKEP_SETTING_PANIC,
	};
	static const struct bytes who =
		BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_ROUTER));
	const struct skep_rule rule = any(SKEP_RULE_ALLOW);

	(void)state;
	begin_with(&rule);
	out(&syn, SKEP_PORT_OUT_ALLOWED);
	gate_set_settings(&settings);
	out(&syn, SKEP_PORT_DROP_PANIC);
	out(&who, SKEP_PORT_DROP_PANIC);
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_PORT_OUT_IP, SKEP_PORT_DROP_LIMIT,
						     SKEP_PORT_DROP_BRAKE, SKEP_PORT_DROP_PANIC};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(packets_are_limited),
		cmocka_unit_test(bytes_are_limited),
		cmocka_unit_test(new_flows_are_limited),
		cmocka_unit_test(destinations_are_limited),
		cmocka_unit_test(the_brake_holds_whatever_the_rules_say),
		cmocka_unit_test(the_brake_counts_bytes),
		cmocka_unit_test(segments_are_limited_as_on_the_wire),
		cmocka_unit_test(in_a_panic_nothing_gets_out),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, cuts, segments_are_braked_as_on_the_wire);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "limits", gate_setup,
				 gate_teardown);
}
