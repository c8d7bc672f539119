/* SPDX-License-Identifier: GPL-2.0 */
/* Both programs around a container whose policy is a few rules, and what it begins. */
#ifndef SKEP_TESTS_BPF_RULES_H
#define SKEP_TESTS_BPF_RULES_H

#include "gate.h"

#define SERIAL 7

static const struct bytes syn =
	BYTES(ETH_OUT TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_80, SYN));
static const struct bytes ask = BYTES(ETH_OUT UDP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_53));
static const struct bytes ping =
	BYTES(ETH_OUT ICMP_PACKET(IP_LEASED, IP_CLIENT, ASKS_ECHO, "\x00\x01"));

static inline struct skep_rule any(__u8 verdict)
{
	return (struct skep_rule){.verdict = verdict, .last = 65535};
}

static inline void set_rules(const struct skep_rule *rules, __u16 n, __u8 last_word)
{
	struct skep_policy policy = {.serial = SERIAL, .n_rules = n, .verdict = last_word};

	if (n)
		memcpy(policy.rules, rules, n * sizeof(*rules));
	gate_set_policy(&policy);
}

/* In a new world; what the rule does not match is dropped. */
static inline void begin_with(const struct skep_rule *rule)
{
	gate_reset();
	set_rules(rule, 1, SKEP_RULE_DROP);
}

static inline void out(const struct bytes *frame, enum skep_verdict verdict)
{
	gate_check(GATE_OUT, frame, verdict, frame);
}

static inline void in(const struct bytes *frame)
{
	gate_check(GATE_IN, frame, SKEP_LEASED_IP, frame);
}

#endif
