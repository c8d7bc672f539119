// SPDX-License-Identifier: GPL-2.0
/*
 * Rules: what becomes of what a container begins. Each verdict by itself, frame by frame; the order
 * of rules; limits, redirects, the brake and panic; and what of it is counted and told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "gate.h"
#include "notices.h"

#define SECOND 1000000000ULL
#define SERIAL 7
#define SINK_PORT "\x1f\x90" /* 8080 */

static const struct bytes syn =
	BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_80, SYN));
static const struct bytes ask = BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_53));
static const struct bytes ping =
	BYTES(ETH_OUT ICMP_PACKET(IP_LEASED, IP_CLIENT, ASKS_ECHO, "\x00\x01"));

/* ---- policies ------------------------------------------------------------------- */

static struct skep_rule any(__u8 verdict)
{
	return (struct skep_rule){.verdict = verdict, .last = 65535};
}

static void set_rules(const struct skep_rule *rules, __u16 n, __u8 last_word)
{
	struct skep_policy policy = {.serial = SERIAL, .n_rules = n, .verdict = last_word};

	if (n)
		memcpy(policy.rules, rules, n * sizeof(*rules));
	gate_set_policy(&policy);
}

static void begin_with(const struct skep_rule *rule)
{
	gate_reset();
	set_rules(rule, 1, SKEP_RULE_DROP);
}

static void out(const struct bytes *frame, enum skep_verdict verdict)
{
	static struct outcome outcome;
	__u32 action;

	gate_frame(GATE_OUT, frame, verdict, &outcome);
	gate_passes(GATE_OUT, verdict, &action);
	assert_int_equal(outcome.action, action);
	harness_check_frame(&outcome, frame->at, frame->len);
}

static void in(const struct bytes *frame)
{
	static struct outcome outcome;

	gate_frame(GATE_IN, frame, SKEP_LEASED_IP, &outcome);
	harness_check_frame(&outcome, frame->at, frame->len);
}

/* ---- which rule ------------------------------------------------------------------- */

/**
 * struct match - one packet and one rule
 * @meets: the rule is for it
 */
struct match {
	const char *name;
	struct bytes frame;
	struct skep_rule rule;
	bool meets;
};

#define RULE(p, from, to_, ip, bits)                                                             \
	{                                                                                        \
		.verdict = SKEP_RULE_ALLOW, .protocol = p, .first = from, .last = to_, .to = ip, \
		.mask = bits                                                                     \
	}
#define ANY_IP            \
	{                 \
		.addr = 0 \
	}
#define CLIENT_IP                            \
	{                                    \
		.octet = { 198, 51, 100, 2 } \
	}
#define CLIENT_NET                           \
	{                                    \
		.octet = { 198, 51, 100, 0 } \
	}
#define OTHER_IP                             \
	{                                    \
		.octet = { 198, 51, 100, 3 } \
	}
#define BITS_24 0x00ffffff /* as it stands in memory */
#define SYN_FRAME BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_80, SYN))
#define ASK_FRAME BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_53))
#define PING_FRAME BYTES(ETH_OUT ICMP_PACKET(IP_LEASED, IP_CLIENT, ASKS_ECHO, "\x00\x01"))

static const struct match matches[] = {
	{"any protocol: TCP", SYN_FRAME, RULE(0, 0, 65535, ANY_IP, 0), true},
	{"any protocol: UDP", ASK_FRAME, RULE(0, 0, 65535, ANY_IP, 0), true},
	{"any protocol: ICMP", PING_FRAME, RULE(0, 0, 65535, ANY_IP, 0), true},
	{"TCP", SYN_FRAME, RULE(6, 0, 65535, ANY_IP, 0), true},
	{"TCP: UDP is not", ASK_FRAME, RULE(6, 0, 65535, ANY_IP, 0), false},
	{"UDP: ICMP is not", PING_FRAME, RULE(17, 0, 65535, ANY_IP, 0), false},
	{"ICMP", PING_FRAME, RULE(1, 0, 65535, ANY_IP, 0), true},
	{"port", SYN_FRAME, RULE(6, 80, 80, ANY_IP, 0), true},
	{"port: the one below", SYN_FRAME, RULE(6, 79, 79, ANY_IP, 0), false},
	{"port: the one above", SYN_FRAME, RULE(6, 81, 81, ANY_IP, 0), false},
	{"port: its own is not meant", SYN_FRAME, RULE(6, 40000, 40000, ANY_IP, 0), false},
	{"ports: the first", SYN_FRAME, RULE(6, 80, 90, ANY_IP, 0), true},
	{"ports: the last", SYN_FRAME, RULE(6, 70, 80, ANY_IP, 0), true},
	{"ports: ICMP has none", PING_FRAME, RULE(0, 1, 65535, ANY_IP, 0), false},
	{"address", SYN_FRAME, RULE(6, 0, 65535, CLIENT_IP, ~0U), true},
	{"address: another", SYN_FRAME, RULE(6, 0, 65535, OTHER_IP, ~0U), false},
	{"prefix", SYN_FRAME, RULE(6, 0, 65535, CLIENT_NET, BITS_24), true},
	{"prefix: another", BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_SINK, PORT_X, PORT_80, SYN)),
	 RULE(6, 0, 65535, CLIENT_NET, BITS_24), false},
};

static void meets(void **state)
{
	const struct match *match = *state;

	begin_with(&match->rule);
	out(&match->frame, match->meets ? SKEP_PORT_OUT_ALLOWED : SKEP_PORT_DROP_RULE);
}

static void the_first_rule_that_matches_decides(void **state)
{
	struct skep_rule rules[] = {any(SKEP_RULE_ALLOW), any(SKEP_RULE_DROP)};

	(void)state;
	gate_reset();
	rules[0].protocol = 17;
	set_rules(rules, 2, SKEP_RULE_ALLOW);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&syn, SKEP_PORT_DROP_RULE);
	rules[0].protocol = 6;
	gate_reset();
	set_rules(rules, 2, SKEP_RULE_ALLOW);
	out(&ask, SKEP_PORT_DROP_RULE);
	out(&syn, SKEP_PORT_OUT_ALLOWED);
}

static void the_last_of_all_rules_counts(void **state)
{
	struct skep_rule rules[SKEP_RULES_MAX];

	(void)state;
	for (size_t i = 0; i < SKEP_RULES_MAX; i++) {
		rules[i] = any(SKEP_RULE_DROP);
		rules[i].protocol = 17;
	}
	rules[SKEP_RULES_MAX - 1] = any(SKEP_RULE_ALLOW);
	gate_reset();
	set_rules(rules, SKEP_RULES_MAX, SKEP_RULE_DROP);
	out(&syn, SKEP_PORT_OUT_ALLOWED);
	gate_reset();
	set_rules(rules, SKEP_RULES_MAX - 1, SKEP_RULE_DROP);
	out(&syn, SKEP_PORT_DROP_RULE);
}

static void without_a_policy_nothing_goes(void **state)
{
	struct skep_port port = {.container = 5, .uplink = GATE_UPLINK};
	__u32 ifindex = GATE_PORT;

	(void)state;
	gate_reset();
	assert_int_equal(
		bpf_map_update_elem(gate_fd(gate_port->maps.ports), &ifindex, &port, BPF_ANY), 0);
	out(&syn, SKEP_PORT_DROP_RULE);
	port.policy = SKEP_POLICY_SLOTS;
	assert_int_equal(
		bpf_map_update_elem(gate_fd(gate_port->maps.ports), &ifindex, &port, BPF_ANY), 0);
	out(&syn, SKEP_PORT_DROP_RULE);
}

/* A rule lets answers in and out; when it is gone, so are its flows. */
static void flows_end_with_their_rule(void **state)
{
	static const struct bytes ack =
		BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_80, ACK));
	static const struct bytes back =
		BYTES(ETH_IN TCP_PACKET(IP_CLIENT, IP_LEASED, PORT_80, PORT_X, SYN_ACK));
	struct skep_rule rule = any(SKEP_RULE_ALLOW);

	(void)state;
	begin_with(&rule);
	out(&syn, SKEP_PORT_OUT_ALLOWED);
	in(&back);
	out(&ack, SKEP_PORT_OUT_ALLOWED);
	gate_set_policy(&(struct skep_policy){.serial = SERIAL + 1});
	out(&ack, SKEP_PORT_DROP_RULE);
	in(&back);
	out(&ack, SKEP_PORT_DROP_RULE);
}

/* ---- ARP for whom a rule lets a container send to --------------------------------- */

#define IP_RESOLVER "\x0a\x42\x00\x35" /* 10.66.0.53, excluded from the range */

static void asks_for(const char *ip, enum skep_verdict verdict)
{
	__u8 at[42] = MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, "\0\0\0");
	const struct bytes frame = {at, sizeof(at)};

	memcpy(at + 38, ip, 4);
	out(&frame, verdict);
}

static void arp_finds_whom_a_rule_allows(void **state)
{
	struct skep_rule rules[] = {any(SKEP_RULE_REJECT), any(SKEP_RULE_ALLOW)};

	(void)state;
	gate_reset();
	gate_set_farm(IP_RESOLVER, 32, SKEP_FARM_OUTSIDE);
	rules[0].protocol = 6;
	rules[1].protocol = 17;
	rules[1].first = rules[1].last = 53;
	rules[1].to = harness_ip(IP_RESOLVER);
	rules[1].mask = ~0U;
	set_rules(rules, 2, SKEP_RULE_DROP);
	asks_for(IP_RESOLVER, SKEP_PORT_OUT_ARP);
	asks_for(IP_OTHER, SKEP_PORT_DROP_ARP_TARGET);
	asks_for(IP_DARK, SKEP_PORT_DROP_ARP_TARGET);
	set_rules(rules, 1, SKEP_RULE_DROP);
	asks_for(IP_RESOLVER, SKEP_PORT_DROP_ARP_TARGET);
	set_rules(rules, 0, SKEP_RULE_REJECT);
	asks_for(IP_RESOLVER, SKEP_PORT_DROP_ARP_TARGET);
	rules[0] = any(SKEP_RULE_DROP); /* for all of it, before the other is looked at */
	set_rules(rules, 2, SKEP_RULE_ALLOW);
	asks_for(IP_RESOLVER, SKEP_PORT_DROP_ARP_TARGET);
}

static void arp_finds_nobody_of_the_farm(void **state)
{
	(void)state;
	gate_reset();
	gate_set_farm(IP_RESOLVER, 32, SKEP_FARM_OUTSIDE);
	set_rules(NULL, 0, SKEP_RULE_ALLOW);
	asks_for(IP_RESOLVER, SKEP_PORT_OUT_ARP);
	asks_for(IP_OTHER, SKEP_PORT_OUT_ARP);
	asks_for(IP_DARK, SKEP_PORT_DROP_ARP_TARGET);
	asks_for(IP_BOX, SKEP_PORT_DROP_ARP_TARGET);
	asks_for(IP_METADATA, SKEP_PORT_DROP_ARP_TARGET);
	asks_for("\x7f\x00\x00\x01", SKEP_PORT_DROP_ARP_TARGET);
	asks_for("\xe0\x00\x00\x01", SKEP_PORT_DROP_ARP_TARGET);
}

static void arp_is_within_the_limit(void **state)
{
	struct skep_rule rule = any(SKEP_RULE_LIMIT);

	(void)state;
	rule.destinations = 1;
	rule.packet_interval_ns = SECOND;
	begin_with(&rule);
	asks_for(IP_CLIENT, SKEP_PORT_OUT_ARP);
	asks_for(IP_CLIENT, SKEP_PORT_OUT_ARP);
	asks_for(IP_OTHER, SKEP_PORT_DROP_ARP_TARGET);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
}

/* ---- counts and notices -------------------------------------------------------------- */

static struct skep_hits hits_of(__u32 rule)
{
	__u32 index = GATE_POLICY * SKEP_POLICY_HITS + rule;
	int n_cpus = libbpf_num_possible_cpus();
	cleanup_free struct skep_hits *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
	struct skep_hits sum = {};

	assert_non_null(per_cpu);
	assert_int_equal(bpf_map_lookup_elem(gate_fd(gate_port->maps.policy_hits), &index, per_cpu),
			 0);
	for (int cpu = 0; cpu < n_cpus; cpu++) {
		sum.packets += per_cpu[cpu].packets;
		sum.bytes += per_cpu[cpu].bytes;
		sum.flows += per_cpu[cpu].flows;
	}
	return sum;
}

static void each_rule_counts(void **state)
{
	struct skep_rule rules[] = {any(SKEP_RULE_ALLOW), any(SKEP_RULE_REJECT)};
	const struct skep_hits was[] = {hits_of(3), hits_of(4), hits_of(SKEP_RULE_NAMES_MAX)};
	static struct outcome outcome;

	(void)state;
	rules[0].protocol = 17;
	rules[0].hits = 3;
	rules[1].protocol = 6;
	rules[1].hits = 4;
	gate_reset();
	set_rules(rules, 2, SKEP_RULE_DROP);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	gate_frame(GATE_OUT, &syn, SKEP_PORT_REJECTED, &outcome);
	out(&ping, SKEP_PORT_DROP_RULE);
	assert_int_equal(hits_of(3).packets - was[0].packets, 2);
	assert_int_equal(hits_of(3).bytes - was[0].bytes, 2 * 32);
	assert_int_equal(hits_of(3).flows - was[0].flows, 1);
	assert_int_equal(hits_of(4).packets - was[1].packets, 1);
	assert_int_equal(hits_of(4).bytes - was[1].bytes, 40);
	assert_int_equal(hits_of(SKEP_RULE_NAMES_MAX).packets - was[2].packets, 1);
}

static void a_refusal_is_told_once_a_second(void **state)
{
	struct skep_notice_key key = {.port = GATE_PORT, .verdict = SKEP_PORT_DROP_RULE};
	struct skep_notice_gate gate;
	int gates = gate_fd(gate_port->maps.notice_gates);
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

	assert_int_equal(bpf_map_lookup_elem(gates, &key, &gate), 0);
	gate.last_ns -= SECOND;
	assert_int_equal(bpf_map_update_elem(gates, &key, &gate, BPF_EXIST), 0);
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

static void set_container(void)
{
	const struct skep_container container = {
		.address = {.ip = harness_ip(IP_LEASED), .uplink = GATE_UPLINK},
		.leases = 1,
	};
	__u32 slot = 5;

	assert_int_equal(bpf_map_update_elem(gate_fd(gate_port->maps.containers), &slot, &container,
					     BPF_ANY),
			 0);
}

static void is_told(void **state)
{
	const struct refusal *refusal = *state;
	static struct outcome outcome;

	gate_reset();
	set_container();
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
		harness_check_frame(&outcome, answer->at, answer->len);
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

/* ---- redirect --------------------------------------------------------------------------- */

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
#define SUMMED_TCP(sum, src, dst, source, dest, flags, tcp_sum) \
	IP_OF("\x00\x28", ID, WHOLE, TCP, sum, src, dst)        \
	source dest SEQ ACK_SEQ "\x50" flags "\x20\x00" tcp_sum NO_SUM
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
	__u8 a[128], b[128];
	struct bytes summed = {a, frame->len};
	static struct outcome outcome;
	__u32 action;

	memcpy(a, frame->at, frame->len);
	memcpy(b, wire->at, wire->len);
	fix_sums(a, sum_at);
	fix_sums(b, sum_at);
	gate_frame(way, &summed, way == GATE_OUT ? SKEP_PORT_OUT_REDIRECTED : SKEP_LEASED_IP,
		   &outcome);
	gate_passes(way, SKEP_PORT_OUT_REDIRECTED, &action);
	assert_int_equal(outcome.action, action);
	check_sums(&outcome);
	harness_check_frame(&outcome, b, wire->len);
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
	assert_int_equal(
		bpf_map_update_elem(gate_fd(gate_port->maps.redirects), &wire, &back, BPF_ANY), 0);
	assert_int_equal(
		bpf_map_update_elem(gate_fd(gate_port->maps.flows), flow_key, flow, BPF_ANY), 0);
}

static void without_a_free_port_nothing_is_redirected(void **state)
{
	const struct skep_rule rule = to_sink(0);
	struct skep_flow flow = {.lease = GATE_LEASE, .origin = SKEP_FLOW_INSIDE};
	struct skep_flow_key key = {
		.local = harness_lease_key(&gate_leases[1]),
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
		BYTES(ETH_OUT IP_OF("\x00\x20", ID, FIRST, UDP, NO_SUM, IP_LEASED, IP_CLIENT)
			      PORT_X PORT_53 "\x00\x14" NO_SUM "data");
	static const struct bytes last =
		BYTES(ETH_OUT IP_OF("\x00\x1c", ID, "\x00\x02", UDP, NO_SUM, IP_LEASED,
				    IP_CLIENT) "\x00\x00\x00\x00\x00\x00\x00\x00");
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
	int limits = gate_fd(gate_port->maps.limits);
	struct skep_rule rule = any(SKEP_RULE_LIMIT);
	struct skep_limit limit;

	(void)state;
	rule.destinations = 2;
	begin_with(&rule);
	out(&ask, SKEP_PORT_OUT_ALLOWED);
	out(&other, SKEP_PORT_OUT_ALLOWED);
	out(&third, SKEP_PORT_DROP_LIMIT);
	out(&again, SKEP_PORT_OUT_ALLOWED);
	assert_int_equal(bpf_map_lookup_elem(limits, &key, &limit), 0);
	assert_int_equal(limit.destinations, 2);
	limit.minute--; /* the next one begins */
	assert_int_equal(bpf_map_update_elem(limits, &key, &limit, BPF_EXIST), 0);
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

	harness_mark(gate_fd(gate_port->maps.counters));
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(gate_port->progs.port), &opts), 0);
	harness_check_counted(gate_fd(gate_port->maps.counters), verdict);
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
	static const enum skep_verdict verdicts[] = {
		SKEP_PORT_OUT_IP,	  SKEP_PORT_OUT_ARP,	SKEP_PORT_OUT_ALLOWED,
		SKEP_PORT_OUT_REDIRECTED, SKEP_PORT_REJECTED,	SKEP_PORT_DROP_RULE,
		SKEP_PORT_DROP_LIMIT,	  SKEP_PORT_DROP_FARM,	SKEP_PORT_DROP_BOX,
		SKEP_PORT_DROP_NO_FLOW,	  SKEP_PORT_DROP_BRAKE, SKEP_PORT_DROP_PANIC,
	};

	(void)state;
	harness_check_seen(verdicts, sizeof(verdicts) / sizeof(verdicts[0]));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(the_last_of_all_rules_counts),
		cmocka_unit_test(without_a_policy_nothing_goes),
		cmocka_unit_test(flows_end_with_their_rule),
		cmocka_unit_test(arp_finds_whom_a_rule_allows),
		cmocka_unit_test(arp_finds_nobody_of_the_farm),
		cmocka_unit_test(arp_is_within_the_limit),
		cmocka_unit_test(each_rule_counts),
		cmocka_unit_test(a_refusal_is_told_once_a_second),
		cmocka_unit_test(tcp_is_rejected_with_a_reset),
		cmocka_unit_test(tcp_with_an_ack_is_rejected_at_that_number),
		cmocka_unit_test(resets_are_not_answered),
		cmocka_unit_test(udp_is_rejected_by_port_unreachable),
		cmocka_unit_test(ping_is_rejected_by_the_gateway),
		cmocka_unit_test(tcp_is_redirected_and_its_answers_translated),
		cmocka_unit_test(udp_is_redirected_and_its_answers_translated),
		cmocka_unit_test(udp_without_a_checksum_stays_without),
		cmocka_unit_test(two_flows_to_the_sinkhole_do_not_meet),
		cmocka_unit_test(without_a_free_port_nothing_is_redirected),
		cmocka_unit_test(a_sinkhole_in_the_farm_is_none),
		cmocka_unit_test(ping_is_not_redirected),
		cmocka_unit_test(fragments_are_redirected),
		cmocka_unit_test(packets_are_limited),
		cmocka_unit_test(bytes_are_limited),
		cmocka_unit_test(new_flows_are_limited),
		cmocka_unit_test(destinations_are_limited),
		cmocka_unit_test(the_brake_holds_whatever_the_rules_say),
		cmocka_unit_test(the_brake_counts_bytes),
		cmocka_unit_test(segments_are_limited_as_on_the_wire),
		cmocka_unit_test(in_a_panic_nothing_gets_out),
	};
	static struct table table;

	table_add(&table, matches, meets);
	table_add(&table, cuts, segments_are_braked_as_on_the_wire);
	table_add(&table, refusals, is_told);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		table_add_test(&table, others[i]);
	table_add_test(&table, (struct CMUnitTest)cmocka_unit_test(every_verdict_was_seen));
	return table_run(&table, "rules", gate_setup, gate_teardown);
}
