// SPDX-License-Identifier: GPL-2.0
/*
 * Rules: which one is for what a container begins, in which order they are asked, for whom they let
 * it ask by ARP, and what they count. What becomes of what they refuse is for test_refused.c, what
 * they send elsewhere for test_redirect.c, and limits are for test_limits.c.
 */
#include "rules.h"

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
	struct skep_port port = {.container = GATE_SLOT, .uplink = GATE_UPLINK};

	(void)state;
	gate_reset();
	gate_set_port(&port);
	out(&syn, SKEP_PORT_DROP_RULE);
	port.policy = SKEP_POLICY_SLOTS;
	gate_set_port(&port);
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

/* ---- counts ------------------------------------------------------------------------- */

static struct skep_hits hits_of(__u32 rule)
{
	__u32 index = GATE_POLICY * SKEP_POLICY_HITS + rule;
	int n_cpus = libbpf_num_possible_cpus();
	cleanup_free struct skep_hits *per_cpu = calloc((size_t)n_cpus, sizeof(*per_cpu));
	struct skep_hits sum = {};

	assert_non_null(per_cpu);
	harness_get(gate_port->maps.policy_hits, &index, per_cpu);
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

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_PORT_OUT_ARP, SKEP_PORT_OUT_ALLOWED,
						     SKEP_PORT_DROP_RULE};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
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
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, matches, meets);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "rules", gate_setup,
				 gate_teardown);
}
