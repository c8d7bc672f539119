/* SPDX-License-Identifier: GPL-2.0 */
/* Which rule of a policy a packet meets: the first that matches. Pure. */
#ifndef SKEP_BPF_RULES_H
#define SKEP_BPF_RULES_H

#include "packet.h"
#include "skep/policy.h"

PARSE_INLINE bool rule_matches(const struct skep_rule *rule, __u8 protocol, __u16 port,
			       union skep_ipv4 remote)
{
	return (!rule->protocol || rule->protocol == protocol) && port >= rule->first &&
	       port <= rule->last && (remote.addr & rule->mask) == rule->to.addr;
}

/**
 * rules_match() - the rule that decides about a packet
 * @port: its destination, host order; 0 when the protocol has none
 *
 * Return: index into @policy->rules, or SKEP_RULES_MAX: the policy's own verdict.
 */
PARSE_INLINE __u32 rules_match(const struct skep_policy *policy, __u8 protocol, __u16 port,
			       union skep_ipv4 remote)
{
	for (__u32 i = 0; i < SKEP_RULES_MAX && i < policy->n_rules; i++)
		if (rule_matches(&policy->rules[i], protocol, port, remote))
			return i;
	return SKEP_RULES_MAX;
}

PARSE_INLINE bool rule_decides(const struct skep_rule *rule)
{
	return rule->verdict == SKEP_RULE_ALLOW || rule->verdict == SKEP_RULE_LIMIT ||
	       (!rule->protocol && !rule->first && rule->last == 0xffff);
}

/**
 * rules_reach() - the rule that decides whether anything at all may be sent to an address itself:
 * the first one that lets some of it out, or is for all of it
 *
 * Return: as rules_match().
 */
PARSE_INLINE __u32 rules_reach(const struct skep_policy *policy, union skep_ipv4 remote)
{
	for (__u32 i = 0; i < SKEP_RULES_MAX && i < policy->n_rules; i++) {
		const struct skep_rule *rule = &policy->rules[i];

		if ((remote.addr & rule->mask) == rule->to.addr && rule_decides(rule))
			return i;
	}
	return SKEP_RULES_MAX;
}

/** rules_hits() - where it is counted, within the slots of the policy */
PARSE_INLINE __u32 rules_hits(const struct skep_policy *policy, __u32 rule)
{
	__u32 hits = rule < SKEP_RULES_MAX ? policy->rules[rule].hits : SKEP_RULE_NAMES_MAX;

	return hits < SKEP_RULE_NAMES_MAX ? hits : SKEP_RULE_NAMES_MAX;
}

#endif
