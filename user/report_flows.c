// SPDX-License-Identifier: GPL-2.0
/* Reports of flows, policies and of what was refused; see report.h. Changes nothing. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "report_private.h"

static const char *const origins[] = {
	[SKEP_FLOW_OUTSIDE] = "outside",
	[SKEP_FLOW_INSIDE] = "inside",
	[SKEP_FLOW_REFLECTED] = "reflected",
};

static const char *const states[] = {
	[SKEP_FLOW_OPENING] = "opening",
	[SKEP_FLOW_OPEN] = "open",
	[SKEP_FLOW_CLOSING] = "closing",
};

static json_t *json_protocol(__u8 protocol)
{
	char number[4];

	switch (protocol) {
	case IPPROTO_TCP:
		return json_string("tcp");
	case IPPROTO_UDP:
		return json_string("udp");
	case IPPROTO_ICMP:
		return json_string("icmp");
	}
	snprintf(number, sizeof(number), "%u", protocol);
	return json_string(number);
}

static json_t *json_port(__u8 protocol, __be16 port)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ? json_integer(ntohs(port))
								  : json_null();
}

/* ADDR:PORT, as in the configuration */
static json_t *json_place(union skep_ipv4 ip, __be16 port)
{
	char address[INET_ADDRSTRLEN], place[INET_ADDRSTRLEN + 8];

	snprintf(place, sizeof(place), "%s:%u",
		 inet_ntop(AF_INET, &ip.addr, address, sizeof(address)), ntohs(port));
	return json_string(place);
}

static json_t *json_name(const char *name, size_t size)
{
	return *name ? json_stringn(name, strnlen(name, size)) : json_null();
}

/* The policy that a flow was let out by, if it holds still. */
static bool policy_of(const struct datapath *dp, __u32 serial, struct skep_policy *ret)
{
	for (__u32 slot = 1; serial && slot < SKEP_POLICY_SLOTS; slot++)
		if (!datapath_policy(dp, slot, ret) && ret->serial == serial)
			return true;
	return false;
}

/* POLICY/RULE; POLICY alone when it was the last word of it */
static json_t *json_rule(const struct datapath *dp, const struct skep_flow *flow)
{
	struct skep_policy policy;
	const char *rule = "";
	char text[sizeof(policy.name) + sizeof(policy.names[0]) + 1];

	if (flow->origin == SKEP_FLOW_OUTSIDE || !policy_of(dp, flow->serial, &policy))
		return json_null();
	if (flow->rule < policy.n_rules && flow->rule < SKEP_RULES_MAX)
		rule = policy.names[policy.rules[flow->rule].hits % SKEP_POLICY_HITS];
	snprintf(text, sizeof(text), "%.63s%s%.31s", policy.name, *rule ? "/" : "", rule);
	return json_string(text);
}

json_t *report_flow(const struct config *config, const struct datapath *dp,
		    const struct skep_flow_key *key, const struct skep_flow *flow)
{
	const bool redirected = flow->flags & SKEP_FLOW_REDIRECTED;

	return json_pack(
		"{so ss si so so so so ss ss so so sI sI sI sI so so}", "address",
		json_ipv4(key->local.ip), "uplink", uplink_name(config, key->local.uplink), "vlan",
		key->local.vlan, "local_port", json_port(key->protocol, key->local_port), "remote",
		json_ipv4(key->remote), "remote_port", json_port(key->protocol, key->remote_port),
		"protocol", json_protocol(key->protocol), "origin",
		flow->origin < ARRAY_SIZE(origins) ? origins[flow->origin] : "?", "state",
		flow->state < ARRAY_SIZE(states) ? states[flow->state] : "?", "rule",
		json_rule(dp, flow), "redirected",
		redirected ? json_place(flow->wire, flow->wire_port) : json_null(), "packets_in",
		(json_int_t)flow->packets_in, "bytes_in", (json_int_t)flow->bytes_in, "packets_out",
		(json_int_t)flow->packets_out, "bytes_out", (json_int_t)flow->bytes_out,
		"first_seen", json_moment(flow->first_ns), "last_seen", json_moment(flow->last_ns));
}

/* ---- policies ------------------------------------------------------------------- */

static void add_row(json_t *rows, const struct skep_policy *policy, json_t *rule, __u8 verdict,
		    const struct skep_hits *hits)
{
	json_array_append_new(rows,
			      json_pack("{so so ss sI sI sI}", "policy",
					json_name(policy->name, sizeof(policy->name)), "rule", rule,
					"verdict", config_verdict_word(verdict), "packets",
					(json_int_t)hits->packets, "bytes", (json_int_t)hits->bytes,
					"flows", (json_int_t)hits->flows));
}

/* Of the rules that one in the configuration became, any will do. */
static __u8 verdict_of(const struct skep_policy *policy, __u32 hits)
{
	for (__u32 i = 0; i < policy->n_rules && i < SKEP_RULES_MAX; i++)
		if (policy->rules[i].hits == hits)
			return policy->rules[i].verdict;
	return SKEP_RULE_DROP;
}

static void add_policy(json_t *rows, const struct datapath *dp, __u32 slot,
		       const struct skep_policy *policy)
{
	struct skep_hits hits[SKEP_POLICY_HITS];

	if (datapath_policy_hits(dp, slot, hits))
		return;
	for (__u32 i = 0; i < SKEP_RULE_NAMES_MAX && policy->names[i][0]; i++)
		add_row(rows, policy, json_name(policy->names[i], sizeof(policy->names[i])),
			verdict_of(policy, i), &hits[i]);
	add_row(rows, policy, json_null(), policy->verdict, &hits[SKEP_RULE_NAMES_MAX]);
}

json_t *report_policies(const struct datapath *dp)
{
	struct skep_policy policy;
	json_t *rows = json_array();

	for (__u32 slot = 1; slot < SKEP_POLICY_SLOTS; slot++)
		if (!datapath_policy(dp, slot, &policy))
			add_policy(rows, dp, slot, &policy);
	return json_pack("{so}", "rules", rows);
}

/* ---- refusals --------------------------------------------------------------------- */

json_t *report_notice(const struct config *config, const struct datapath *dp,
		      const struct skep_notice *notice)
{
	struct skep_policy policy = {};
	const bool known = !datapath_policy(dp, notice->policy, &policy);
	const bool ruled = known && notice->hits < SKEP_RULE_NAMES_MAX;

	if (notice->verdict == SKEP_PORT_DROP_BRAKE)
		return json_pack("{ss so ss sI}", "event", "brake", "at",
				 json_moment(notice->seen_ns), "reason",
				 verdict_label(notice->verdict), "count",
				 (json_int_t)notice->count);
	return json_pack("{ss so so ss si so so so ss so so sI}", "event", "refused", "at",
			 json_moment(notice->seen_ns), "address", json_ipv4(notice->address.ip),
			 "uplink", uplink_name(config, notice->address.uplink), "vlan",
			 notice->address.vlan, "remote",
			 notice->remote.addr ? json_ipv4(notice->remote) : json_null(),
			 "remote_port", json_port(notice->protocol, notice->remote_port),
			 "protocol",
			 notice->protocol ? json_protocol(notice->protocol) : json_null(), "reason",
			 verdict_label(notice->verdict), "policy",
			 known ? json_name(policy.name, sizeof(policy.name)) : json_null(), "rule",
			 ruled ? json_name(policy.names[notice->hits], sizeof(policy.names[0]))
			       : json_null(),
			 "count", (json_int_t)notice->count);
}
