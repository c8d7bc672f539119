// SPDX-License-Identifier: GPL-2.0
/*
 * Flows: what comes in lets a container answer, and nothing else. A table of scenes, each a few
 * frames in and out through both programs. The policy is the strictest: whatever is no answer is
 * dropped by its last word.
 */

#include "gate.h"

#define STEPS 8

/**
 * struct step - a frame in a scene
 * @wait_s: seconds that pass before it
 */
struct step {
	enum gate_way way;
	struct bytes frame;
	enum skep_verdict verdict;
	unsigned int wait_s;
};

struct scene {
	const char *name;
	struct step steps[STEPS];
};

static void check_step(const struct step *step)
{
	gate_age_flows(step->wait_s * SECOND);
	gate_check(step->way, &step->frame, step->verdict, &step->frame);
}

static void plays(void **state)
{
	const struct scene *scene = *state;

	gate_reset();
	for (size_t i = 0; i < STEPS && scene->steps[i].frame.at; i++) {
		print_message("# step %zu\n", i + 1);
		check_step(&scene->steps[i]);
	}
}

/* ---- the table ------------------------------------------------------------------ */

#define IN(packet) .way = GATE_IN, .frame = BYTES(ETH_IN packet), .verdict = SKEP_LEASED_IP
#define OUT_IS(what, packet) \
	.way = GATE_OUT, .frame = BYTES(ETH_OUT packet), .verdict = SKEP_PORT_##what
#define ASKS_FOR(ip, what)                                                            \
	.way = GATE_OUT,                                                              \
	.frame = BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, ip)), \
	.verdict = SKEP_PORT_##what
#define ANSWER(packet) OUT_IS(OUT_IP, packet)
#define DROPPED(packet) OUT_IS(DROP_RULE, packet)

#define TCP_IN(flags) TCP_PACKET(IP_CLIENT, IP_LEASED, PORT_X, PORT_80, flags)
#define TCP_BACK(flags) TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_80, PORT_X, flags)
#define UDP_IN UDP_PACKET(IP_CLIENT, IP_LEASED, PORT_X, PORT_53)
#define UDP_BACK UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_53, PORT_X)
#define PING_IN(id) ICMP_PACKET(IP_CLIENT, IP_LEASED, ASKS_ECHO, id)
#define PING_BACK(id) ICMP_PACKET(IP_LEASED, IP_CLIENT, ANSWERS_ECHO, id)
#define ID_1 "\x00\x01"
#define ID_2 "\x00\x02"
#define ERROR(type, code, quote) ICMP_ERROR(IP_LEASED, IP_CLIENT, type, code, quote)
#define UNREACHABLE "\x03"
#define BY_PORT "\x03"
#define QUOTE_UDP QUOTE(UDP, IP_CLIENT, IP_LEASED, PORT_X PORT_53 "\x00\x0c\x00\x00")
#define QUOTE_TCP QUOTE(TCP, IP_CLIENT, IP_LEASED, PORT_X PORT_80 SEQ)
#define QUOTE_PING QUOTE(ICMP, IP_CLIENT, IP_LEASED, "\x08\x00\x00\x00" ID_1 "\x00\x01")

static const struct scene scenes[] = {
	/* TCP */
	{"TCP: a handshake, data, the end",
	 {{IN(TCP_IN(SYN))},
	  {ANSWER(TCP_BACK(SYN_ACK))},
	  {IN(TCP_IN(ACK))},
	  {ANSWER(TCP_BACK(ACK))},
	  {IN(TCP_IN(FIN))},
	  {ANSWER(TCP_BACK(FIN))},
	  {IN(TCP_IN(ACK))}}},
	{"TCP: a closed port answers with a reset", {{IN(TCP_IN(SYN))}, {ANSWER(TCP_BACK(RST))}}},
	{"TCP: nothing was asked", {{DROPPED(TCP_BACK(SYN_ACK))}, {DROPPED(TCP_BACK(RST))}}},
	{"TCP: the container begins", {{DROPPED(TCP_BACK(SYN))}}},
	{"TCP: the container turns a flow round",
	 {{IN(TCP_IN(SYN))}, {DROPPED(TCP_BACK(SYN))}, {ANSWER(TCP_BACK(SYN_ACK))}}},
	{"TCP: another port of the container",
	 {{IN(TCP_IN(SYN))},
	  {DROPPED(TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_53, PORT_X, SYN_ACK))}}},
	{"TCP: another port of the client",
	 {{IN(TCP_IN(SYN))},
	  {DROPPED(TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_80, PORT_Y, SYN_ACK))}}},
	{"TCP: another client",
	 {{IN(TCP_IN(SYN))}, {DROPPED(TCP_PACKET(IP_LEASED, IP_OTHER, PORT_80, PORT_X, SYN_ACK))}}},
	{"TCP: another protocol",
	 {{IN(TCP_IN(SYN))}, {DROPPED(UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_80, PORT_X))}}},
	{"TCP: in the middle of a connection that was forgotten",
	 {{DROPPED(TCP_BACK(ACK))}, {IN(TCP_IN(ACK))}, {ANSWER(TCP_BACK(ACK))}}},
	{"TCP: a reset for nothing lets nothing out",
	 {{IN(TCP_IN(RST))}, {DROPPED(TCP_BACK(ACK))}}},
	{"TCP: half open for a minute",
	 {{IN(TCP_IN(SYN))},
	  {OUT_IS(OUT_IP, TCP_BACK(SYN_ACK)), .wait_s = 50},
	  {OUT_IS(DROP_RULE, TCP_BACK(SYN_ACK)), .wait_s = 61}}},
	{"TCP: open for two hours",
	 {{IN(TCP_IN(SYN))},
	  {ANSWER(TCP_BACK(SYN_ACK))},
	  {IN(TCP_IN(ACK))},
	  {OUT_IS(OUT_IP, TCP_BACK(ACK)), .wait_s = 7190},
	  {OUT_IS(DROP_RULE, TCP_BACK(ACK)), .wait_s = 7201}}},
	{"TCP: closed after two minutes",
	 {{IN(TCP_IN(SYN))},
	  {ANSWER(TCP_BACK(SYN_ACK))},
	  {IN(TCP_IN(ACK))},
	  {IN(TCP_IN(FIN))},
	  {OUT_IS(OUT_IP, TCP_BACK(ACK)), .wait_s = 110},
	  {OUT_IS(DROP_RULE, TCP_BACK(FIN)), .wait_s = 121}}},
	{"TCP: a client's SYN alone does not make it open",
	 {{IN(TCP_IN(SYN))}, {IN(TCP_IN(ACK))}, {OUT_IS(DROP_RULE, TCP_BACK(ACK)), .wait_s = 61}}},
	{"TCP: the same ports again, after the end",
	 {{IN(TCP_IN(SYN))},
	  {ANSWER(TCP_BACK(RST))},
	  {IN(TCP_IN(SYN))},
	  {ANSWER(TCP_BACK(SYN_ACK))},
	  {IN(TCP_IN(ACK))},
	  {OUT_IS(OUT_IP, TCP_BACK(ACK)), .wait_s = 3600}}},

	/* UDP */
	{"UDP: an answer", {{IN(UDP_IN)}, {ANSWER(UDP_BACK)}}},
	{"UDP: unasked", {{DROPPED(UDP_BACK)}}},
	{"UDP: from another port, as TFTP would",
	 {{IN(UDP_IN)}, {DROPPED(UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_Y, PORT_X))}}},
	{"UDP: for three minutes",
	 {{IN(UDP_IN)},
	  {OUT_IS(OUT_IP, UDP_BACK), .wait_s = 170},
	  {OUT_IS(DROP_RULE, UDP_BACK), .wait_s = 181}}},

	/* ICMP queries */
	{"ping: an answer", {{IN(PING_IN(ID_1))}, {ANSWER(PING_BACK(ID_1))}}},
	{"ping: unasked", {{OUT_IS(DROP_ICMP, PING_BACK(ID_1))}}},
	{"ping: another id", {{IN(PING_IN(ID_1))}, {OUT_IS(DROP_ICMP, PING_BACK(ID_2))}}},
	{"ping: the container asks back with the same id",
	 {{IN(PING_IN(ID_1))},
	  {DROPPED(ICMP_PACKET(IP_LEASED, IP_CLIENT, ASKS_ECHO, ID_1))},
	  {ANSWER(PING_BACK(ID_1))}}},
	{"ping: for a minute",
	 {{IN(PING_IN(ID_1))},
	  {OUT_IS(OUT_IP, PING_BACK(ID_1)), .wait_s = 50},
	  {OUT_IS(DROP_ICMP, PING_BACK(ID_1)), .wait_s = 61}}},
	{"timestamp: an answer",
	 {{IN(ICMP_PACKET(IP_CLIENT, IP_LEASED, ASKS_TIME, ID_1))},
	  {ANSWER(ICMP_PACKET(IP_LEASED, IP_CLIENT, ANSWERS_TIME, ID_1))}}},
	{"timestamp: a ping lets none out",
	 {{IN(PING_IN(ID_1))},
	  {OUT_IS(DROP_ICMP, ICMP_PACKET(IP_LEASED, IP_CLIENT, ANSWERS_TIME, ID_1))}}},
	{"ICMP: an answer from outside lets nothing out",
	 {{IN(ICMP_PACKET(IP_CLIENT, IP_LEASED, ANSWERS_ECHO, ID_1))},
	  {OUT_IS(DROP_ICMP, PING_BACK(ID_1))},
	  {DROPPED(ICMP_PACKET(IP_LEASED, IP_CLIENT, ASKS_ECHO, ID_1))}}},
	{"ICMP: address mask, redirect, source quench",
	 {{IN(UDP_IN)},
	  {OUT_IS(DROP_ICMP, ICMP_PACKET(IP_LEASED, IP_CLIENT, "\x12", ID_1))},
	  {OUT_IS(DROP_ICMP, ERROR("\x05", "\x01", QUOTE_UDP))},
	  {OUT_IS(DROP_ICMP, ERROR("\x04", "\x00", QUOTE_UDP))}}},

	/* ICMP errors */
	{"error: the port that was asked is closed",
	 {{IN(UDP_IN)}, {ANSWER(ERROR(UNREACHABLE, BY_PORT, QUOTE_UDP))}}},
	{"error: of a TCP packet, and of a ping",
	 {{IN(TCP_IN(SYN))},
	  {ANSWER(ERROR(UNREACHABLE, BY_PORT, QUOTE_TCP))},
	  {IN(PING_IN(ID_1))},
	  {ANSWER(ERROR("\x0c", "\x00", QUOTE_PING))}}},
	{"error: time exceeded in reassembly",
	 {{IN(UDP_IN)}, {ANSWER(ERROR("\x0b", "\x01", QUOTE_UDP))}}},
	{"error: nobody had asked", {{OUT_IS(DROP_ICMP, ERROR(UNREACHABLE, BY_PORT, QUOTE_UDP))}}},
	{"error: forged, of a packet to another port",
	 {{IN(UDP_IN)},
	  {OUT_IS(DROP_ICMP,
		  ERROR(UNREACHABLE, BY_PORT,
			QUOTE(UDP, IP_CLIENT, IP_LEASED, PORT_X PORT_80 "\x00\x0c\x00\x00")))}}},
	{"error: forged, of a packet to another machine",
	 {{IN(UDP_IN)},
	  {OUT_IS(DROP_ICMP,
		  ERROR(UNREACHABLE, BY_PORT,
			QUOTE(UDP, IP_CLIENT, IP_OTHER, PORT_X PORT_53 "\x00\x0c\x00\x00")))}}},
	{"error: forged, of a packet from another machine",
	 {{IN(UDP_IN)},
	  {OUT_IS(DROP_ICMP,
		  ERROR(UNREACHABLE, BY_PORT,
			QUOTE(UDP, IP_OTHER, IP_LEASED, PORT_X PORT_53 "\x00\x0c\x00\x00")))}}},
	{"error: of the container's own answer",
	 {{IN(UDP_IN)},
	  {ANSWER(UDP_BACK)},
	  {OUT_IS(DROP_ICMP,
		  ERROR(UNREACHABLE, BY_PORT,
			QUOTE(UDP, IP_LEASED, IP_CLIENT, PORT_53 PORT_X "\x00\x0c\x00\x00")))}}},
	{"error: told to somebody else",
	 {{IN(UDP_IN)},
	  {OUT_IS(DROP_ICMP, ICMP_ERROR(IP_LEASED, IP_OTHER, UNREACHABLE, BY_PORT, QUOTE_UDP))}}},
	{"error: of an error",
	 {{IN(UDP_IN)},
	  {OUT_IS(DROP_ICMP,
		  ERROR(UNREACHABLE, BY_PORT,
			QUOTE(ICMP, IP_CLIENT, IP_LEASED, "\x03\x03\x00\x00\x00\x00\x00\x00")))}}},
	{"error: quotes a later fragment",
	 {{IN(UDP_IN)},
	  {OUT_IS(DROP_ICMP, ERROR("\x0b", "\x01",
				   IP_OF("\x00\x28", ID, "\x00\xb9", UDP, NO_SUM, IP_CLIENT,
					 IP_LEASED) PORT_X PORT_53 "\x00\x0c\x00\x00"))}}},
	{"error: a protocol that nobody speaks",
	 {{IN(IP_OF("\x00\x1c", ID, WHOLE, "\x84", NO_SUM, IP_CLIENT,
		    IP_LEASED) "\x00\x00\x00\x00\x00\x00\x00\x00")},
	  {ANSWER(ERROR(UNREACHABLE, "\x02",
			QUOTE("\x84", IP_CLIENT, IP_LEASED,
			      "\x00\x00\x00\x00\x00\x00\x00\x00")))}}},
	{"error: does not keep its flow alive",
	 {{IN(UDP_IN)},
	  {OUT_IS(OUT_IP, ERROR(UNREACHABLE, BY_PORT, QUOTE_UDP)), .wait_s = 100},
	  {OUT_IS(DROP_RULE, UDP_BACK), .wait_s = 100}}},

	/* Forged callers: what seems to come from the farm or the box is not answered. */
	{"the caller is an address of the farm",
	 {{IN(UDP_PACKET(IP_DARK, IP_LEASED, PORT_X, PORT_53))},
	  {OUT_IS(DROP_FARM, UDP_PACKET(IP_LEASED, IP_DARK, PORT_53, PORT_X))}}},
	{"the caller is the box",
	 {{IN(UDP_PACKET(IP_BOX, IP_LEASED, PORT_X, PORT_53))},
	  {OUT_IS(DROP_BOX, UDP_PACKET(IP_LEASED, IP_BOX, PORT_53, PORT_X))}}},
	{"the caller is link-local",
	 {{IN(UDP_PACKET(IP_METADATA, IP_LEASED, PORT_X, PORT_53))},
	  {OUT_IS(DROP_LOCAL, UDP_PACKET(IP_LEASED, IP_METADATA, PORT_53, PORT_X))}}},
	{"the caller is the gateway",
	 {{IN(UDP_PACKET(IP_ROUTER, IP_LEASED, PORT_X, PORT_53))},
	  {ANSWER(UDP_PACKET(IP_LEASED, IP_ROUTER, PORT_53, PORT_X))}}},

	/* ARP: whoever has called may be asked for. */
	{"who-has: the gateway, and a stranger",
	 {{ASKS_FOR(IP_ROUTER, OUT_ARP)},
	  {ASKS_FOR(IP_CLIENT, DROP_ARP_TARGET)},
	  {ASKS_FOR(IP_BOX, DROP_ARP_TARGET)},
	  {ASKS_FOR(IP_DARK, DROP_ARP_TARGET)}}},
	{"who-has: somebody who has called",
	 {{IN(UDP_IN)}, {ASKS_FOR(IP_CLIENT, OUT_ARP)}, {ASKS_FOR(IP_OTHER, DROP_ARP_TARGET)}}},
	{"who-has: somebody who called by a forged address of the farm, or the box's",
	 {{IN(UDP_PACKET(IP_DARK, IP_LEASED, PORT_X, PORT_53))},
	  {ASKS_FOR(IP_DARK, DROP_ARP_TARGET)},
	  {IN(UDP_PACKET(IP_BOX, IP_LEASED, PORT_X, PORT_53))},
	  {ASKS_FOR(IP_BOX, DROP_ARP_TARGET)}}},
};

/* ---- more than a scene can say ------------------------------------------------------ */

static const struct bytes udp_in = BYTES(ETH_IN UDP_IN);
static const struct bytes udp_back = BYTES(ETH_OUT UDP_BACK);

/* The address is released, and bound to the next container. */
static void bind_again(void)
{
	const struct skep_addr key = lease_key(&gate_lease);
	struct skep_lease lease = lease_value(&gate_lease, 1);

	lease.id++;
	harness_put(gate_port->maps.leases, &key, &lease);
}

/* Its flows were the former container's. */
static void flows_end_with_their_lease(void **state)
{
	static const struct bytes asks =
		BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_CLIENT));
	static struct outcome outcome;

	(void)state;
	gate_reset();
	gate_frame(GATE_IN, &udp_in, SKEP_LEASED_IP, &outcome);
	bind_again();
	gate_frame(GATE_OUT, &udp_back, SKEP_PORT_DROP_RULE, &outcome);
	gate_frame(GATE_OUT, &asks, SKEP_PORT_DROP_ARP_TARGET, &outcome);
	gate_frame(GATE_IN, &udp_in, SKEP_LEASED_IP, &outcome);
	gate_frame(GATE_OUT, &udp_back, SKEP_PORT_OUT_IP, &outcome);
}

/* The next container of the address has sent nothing yet that could go on. */
static void fragments_end_with_their_lease(void **state)
{
	static const struct bytes first =
		BYTES(ETH_OUT UDP_FIRST(IP_LEASED, IP_CLIENT, PORT_53, PORT_X));
	static const struct bytes last = BYTES(ETH_OUT UDP_LAST(IP_LEASED, IP_CLIENT));
	static struct outcome outcome;

	(void)state;
	gate_reset();
	gate_frame(GATE_IN, &udp_in, SKEP_LEASED_IP, &outcome);
	gate_frame(GATE_OUT, &first, SKEP_PORT_OUT_IP, &outcome);
	gate_frame(GATE_OUT, &last, SKEP_PORT_OUT_IP, &outcome);
	bind_again();
	gate_frame(GATE_OUT, &last, SKEP_PORT_DROP_FRAGMENT, &outcome);
}

static void flows_count_both_ways(void **state)
{
	const struct bpf_map *flows = gate_port->maps.flows;
	struct skep_flow_key key;
	static struct outcome outcome;
	struct skep_flow flow;
	__u64 since = harness_clock(CLOCK_MONOTONIC_COARSE);

	(void)state;
	gate_reset();
	for (int i = 0; i < 3; i++)
		gate_frame(GATE_IN, &udp_in, SKEP_LEASED_IP, &outcome);
	for (int i = 0; i < 2; i++)
		gate_frame(GATE_OUT, &udp_back, SKEP_PORT_OUT_IP, &outcome);
	assert_int_equal(harness_size(flows), 1);
	assert_int_equal(bpf_map_get_next_key(bpf_map__fd(flows), NULL, &key), 0);
	harness_get(flows, &key, &flow);
	assert_memory_equal(key.local.ip.octet, IP_LEASED, 4);
	assert_memory_equal(key.remote.octet, IP_CLIENT, 4);
	assert_memory_equal(&key.local_port, PORT_53, 2);
	assert_memory_equal(&key.remote_port, PORT_X, 2);
	assert_int_equal(key.protocol, 17);
	assert_int_equal(flow.lease, GATE_LEASE);
	assert_int_equal(flow.origin, SKEP_FLOW_OUTSIDE);
	assert_int_equal(flow.state, SKEP_FLOW_OPEN);
	assert_int_equal(flow.packets_in, 3);
	assert_int_equal(flow.bytes_in, 3 * 32);
	assert_int_equal(flow.packets_out, 2);
	assert_int_equal(flow.bytes_out, 2 * 32);
	assert_in_range(flow.first_ns, since, flow.last_ns);
}

/* A host that lives in the range was heard by the uplink program, and is no container. */
static void hosts_in_the_range_are_answered(void **state)
{
	static const struct bytes in =
		BYTES(ETH_IN UDP_PACKET(IP_DARK, IP_LEASED, PORT_X, PORT_53));
	static const struct bytes back =
		BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_DARK, PORT_53, PORT_X));
	struct skep_addr key = {.ip = harness_ip(IP_DARK), .uplink = GATE_UPLINK};
	struct skep_host host = {.until_ns = harness_clock(CLOCK_MONOTONIC) + 60 * SECOND};
	static struct outcome outcome;

	(void)state;
	gate_reset();
	harness_put(gate_uplink->maps.hosts, &key, &host);
	gate_frame(GATE_IN, &in, SKEP_LEASED_IP, &outcome);
	gate_frame(GATE_OUT, &back, SKEP_PORT_OUT_IP, &outcome);
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {
		SKEP_PORT_OUT_IP,     SKEP_PORT_OUT_ARP,	 SKEP_PORT_DROP_RULE,
		SKEP_PORT_DROP_ICMP,  SKEP_PORT_DROP_FARM,	 SKEP_PORT_DROP_BOX,
		SKEP_PORT_DROP_LOCAL, SKEP_PORT_DROP_ARP_TARGET,
	};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(flows_end_with_their_lease),
		cmocka_unit_test(fragments_end_with_their_lease),
		cmocka_unit_test(flows_count_both_ways),
		cmocka_unit_test(hosts_in_the_range_are_answered),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, scenes, plays);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "flows", gate_setup,
				 gate_teardown);
}
