// SPDX-License-Identifier: GPL-2.0
/*
 * Policy sections of a configuration, and the servers that containers may ask without one; see
 * config_read.h. A rule with several protocols, ports and destinations becomes several in
 * struct skep_policy, as the port program reads it: one for each combination.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "config_read.h"
#include "config_value.h"

#define LIST_MAX SKEP_RULES_MAX
#define RATE_MAX 10000000U
#define BYTES_MIN 2048U /* a packet has to fit */
#define BYTES_MAX (1ULL << 40)
#define DNS_PORT 53
#define NTP_PORT 123

static const char *const verdicts[] = {
	[SKEP_RULE_DROP] = "drop",	 [SKEP_RULE_REJECT] = "reject",
	[SKEP_RULE_LIMIT] = "limit",	 [SKEP_RULE_REDIRECT] = "redirect",
	[SKEP_RULE_REFLECT] = "reflect", [SKEP_RULE_ALLOW] = "allow",
};

const char *config_verdict_word(unsigned int verdict)
{
	return verdict < ARRAY_SIZE(verdicts) ? verdicts[verdict] : "unknown";
}

/**
 * struct lists - what a rule is for; each has at least one member
 * @to_key: the key that @to comes from
 * @ports: first and last, host order
 */
struct lists {
	__u8 protocols[3];
	size_t n_protocols;
	__u16 ports[LIST_MAX][2];
	size_t n_ports;
	const char *to_key;
	struct prefix to[LIST_MAX];
	size_t n_to;
};

/* ---- single values ---------------------------------------------------------- */

static int read_protocol(const struct text_source *source, const struct text_value *value,
			 struct lists *lists)
{
	static const struct {
		const char *name;
		__u8 number;
	} known[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(value->text, known[i].name))
			continue;
		for (size_t j = 0; j < lists->n_protocols; j++) {
			if (lists->protocols[j] == known[i].number)
				return text_fail(source, value->line,
						 "protocol has %s twice; remove one of them",
						 value->text);
		}
		lists->protocols[lists->n_protocols++] = known[i].number;
		return 0;
	}
	return text_fail(source, value->line, "protocol cannot be \"%s\"; write tcp, udp or icmp",
			 value->text);
}

/* Up to five digits of a port; NULL when there is none. */
static const char *parse_port(const char *text, __u16 *ret)
{
	char *end;
	unsigned long port = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0;

	if (!port || port > 65535)
		return NULL;
	*ret = (__u16)port;
	return end;
}

static int read_ports(const struct text_source *source, const struct text_value *value,
		      struct lists *lists)
{
	__u16 *range = lists->ports[lists->n_ports];
	const char *end = parse_port(value->text, &range[0]);

	range[1] = range[0];
	if (end && *end == '-')
		end = parse_port(end + 1, &range[1]);
	if (!end || *end || range[1] < range[0])
		return text_fail(source, value->line,
				 "ports cannot have \"%s\"; write one from 1 to 65535, or two like "
				 "8000-8080",
				 value->text);
	lists->n_ports++;
	return 0;
}

static int read_to(const struct text_source *source, const struct text_value *value,
		   struct lists *lists)
{
	return value_prefix(source, value->line, lists->to_key, value->text,
			    &lists->to[lists->n_to++]);
}

static int read_list(const struct text_source *source, cfg_t *section, const char *key, size_t max,
		     int (*read)(const struct text_source *, const struct text_value *,
				 struct lists *),
		     struct lists *lists)
{
	size_t n = text_count(section, key);
	int err = 0;

	if (n > max)
		return text_fail(source, text_value(section, key, max)->line,
				 "%s has more than %zu members; make it two rules", key, max);
	for (size_t i = 0; i < n && !err; i++)
		err = read(source, text_value(section, key, i), lists);
	return err;
}

static bool has_icmp(const struct lists *lists)
{
	for (size_t i = 0; i < lists->n_protocols; i++) {
		if (lists->protocols[i] == IPPROTO_ICMP)
			return true;
	}
	return false;
}

static void add_protocols(struct lists *lists)
{
	lists->protocols[0] = IPPROTO_TCP;
	lists->protocols[1] = IPPROTO_UDP;
	lists->n_protocols = 2;
}

/* What is not given is for all; where only TCP and UDP make sense, for these. */
static int complete_lists(const struct text_source *source, cfg_t *section, bool redirects,
			  struct lists *lists)
{
	if ((lists->n_ports || redirects) && has_icmp(lists))
		return text_fail(source, value_line(section, "protocol"),
				 "icmp has no ports and cannot be redirected; take it out, or make "
				 "it a rule of its own");
	if ((lists->n_ports || redirects) && !lists->n_protocols)
		add_protocols(lists);
	if (!lists->n_protocols)
		lists->n_protocols = 1; /* 0: any */
	if (!lists->n_ports) {
		lists->ports[0][0] = 0;
		lists->ports[0][1] = 65535;
		lists->n_ports = 1;
	}
	if (!lists->n_to)
		lists->n_to = 1; /* 0.0.0.0/0 */
	return 0;
}

static int read_lists(const struct text_source *source, cfg_t *section, bool redirects,
		      struct lists *ret)
{
	int err = read_list(source, section, "protocol", ARRAY_SIZE(ret->protocols), read_protocol,
			    ret);

	if (!err)
		err = read_list(source, section, "ports", LIST_MAX, read_ports, ret);
	if (!err)
		err = read_list(source, section, "to", LIST_MAX, read_to, ret);
	return err ? err : complete_lists(source, section, redirects, ret);
}

/* ---- what a verdict needs --------------------------------------------------- */

static const char *const limits[] = {"packets", "bytes", "flows", "destinations"};

static int check_limits_fit(const struct text_source *source, cfg_t *section, __u8 verdict)
{
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		if (!text_count(section, limits[i]))
			continue;
		if (verdict != SKEP_RULE_LIMIT)
			return text_fail(source, value_line(section, limits[i]),
					 "%s needs verdict = \"limit\"; write that or take it out",
					 limits[i]);
		any = true;
	}
	if (verdict == SKEP_RULE_LIMIT && !any)
		return text_fail(source, text_line(section),
				 "rule \"%s\" limits nothing; give packets, bytes, flows or "
				 "destinations",
				 cfg_title(section));
	return 0;
}

static __u64 interval_of(unsigned int per_second)
{
	return per_second ? NS_PER_SEC / per_second : 0;
}

static int read_bytes(const struct text_source *source, cfg_t *section, __u64 *ret_kib_interval)
{
	const struct value_scale scale = {"bytes", 1024, BYTES_MIN, BYTES_MAX, 0};
	__u64 bytes = 0;
	int err = value_scaled(source, section, &scale, &bytes);

	if (err < 0)
		return err;
	*ret_kib_interval = bytes ? 1024 * NS_PER_SEC / bytes : 0;
	if (bytes && !*ret_kib_interval)
		*ret_kib_interval = 1;
	return 0;
}

static int read_limits(const struct text_source *source, cfg_t *section, struct skep_rule *rule)
{
	unsigned int packets = 0, flows = 0;
	const struct value_number numbers[] = {
		{{"packets", 1, RATE_MAX, 0}, &packets},
		{{"flows", 1, RATE_MAX, 0}, &flows},
		{{"destinations", 1, SKEP_DESTINATIONS_MAX, 0}, &rule->destinations},
	};
	int err = check_limits_fit(source, section, rule->verdict);

	if (!err)
		err = value_numbers(source, section, numbers, ARRAY_SIZE(numbers));
	rule->packet_interval_ns = interval_of(packets);
	rule->flow_interval_ns = interval_of(flows);
	return err ? err : read_bytes(source, section, &rule->kib_interval_ns);
}

/* ADDR or ADDR:PORT */
static bool parse_place(const char *text, struct skep_rule *rule)
{
	char address[INET_ADDRSTRLEN] = "";
	const char *colon = strchr(text, ':'), *end = colon;
	size_t n = colon ? (size_t)(colon - text) : strlen(text);
	struct in_addr addr;
	__u16 port = 0;

	if (n >= sizeof(address))
		return false;
	snprintf(address, sizeof(address), "%.*s", (int)n, text);
	if (colon)
		end = parse_port(colon + 1, &port);
	if ((colon && (!end || *end)) || inet_pton(AF_INET, address, &addr) != 1)
		return false;
	rule->redirect.addr = addr.s_addr;
	rule->redirect_port = htons(port);
	return rule->redirect.octet[0] != 0 && rule->redirect.octet[0] != 127 &&
	       rule->redirect.octet[0] < 224;
}

static int read_redirect(const struct text_source *source, cfg_t *section, struct skep_rule *rule)
{
	const char *text = value_text(section, "redirect", NULL);
	const int line = value_line(section, "redirect");

	if (rule->verdict != SKEP_RULE_REDIRECT && text)
		return text_fail(source, line,
				 "redirect needs verdict = \"redirect\"; write that or take it "
				 "out");
	if (rule->verdict != SKEP_RULE_REDIRECT)
		return 0;
	if (!text || !parse_place(text, rule))
		return text_fail(source, line,
				 "redirect cannot be \"%s\"; write where to, like 192.0.2.9:80 or "
				 "192.0.2.9",
				 text ? text : "");
	return 0;
}

/* ---- rules ------------------------------------------------------------------ */

/* @named is what all of them have in common. */
static int add_rule(const struct text_source *source, int line, const struct skep_rule *named,
		    const struct lists *lists, struct skep_policy *policy)
{
	const size_t n = lists->n_protocols * lists->n_ports * lists->n_to;

	if (n > (size_t)SKEP_RULES_MAX - policy->n_rules)
		return text_fail(source, line,
				 "policy \"%s\" has more than %d combinations of protocol, ports "
				 "and to up to here; use ranges of ports and shorter prefixes",
				 policy->name, SKEP_RULES_MAX);
	for (size_t i = 0; i < n; i++) {
		struct skep_rule *rule = &policy->rules[policy->n_rules++];
		const __u16 *ports = lists->ports[i / lists->n_protocols % lists->n_ports];
		const struct prefix *to = &lists->to[i / lists->n_protocols / lists->n_ports];

		*rule = *named;
		rule->protocol = lists->protocols[i % lists->n_protocols];
		rule->first = ports[0];
		rule->last = ports[1];
		rule->to.addr = to->addr;
		rule->mask = to->len ? htonl(~0U << (32 - to->len)) : 0;
	}
	if (named->verdict == SKEP_RULE_REFLECT)
		policy->flags |= SKEP_POLICY_REFLECTS;
	return 0;
}

static int name_rule(const struct text_source *source, int line, const char *name,
		     struct skep_policy *policy, size_t hits)
{
	int err = value_name(source, line, "rule", name);

	if (err < 0)
		return err;
	if (strlen(name) >= sizeof(policy->names[0]))
		return text_fail(source, line, "rule \"%s\" is longer than %zu characters", name,
				 sizeof(policy->names[0]) - 1);
	for (size_t i = 0; i < hits; i++) {
		if (!strcmp(policy->names[i], name))
			return text_fail(source, line,
					 "rule \"%s\" is there twice in policy \"%s\"; rename one "
					 "of them",
					 name, policy->name);
	}
	memcpy(policy->names[hits], name, strlen(name) + 1);
	return 0;
}

static int read_rule(const struct text_source *source, cfg_t *section, size_t hits,
		     struct skep_policy *policy)
{
	struct skep_rule rule = {.hits = (__u8)hits};
	unsigned int verdict = SKEP_RULE_DROP;
	struct lists lists = {.to_key = "to"};
	int line = text_line(section);
	int err = name_rule(source, line, cfg_title(section), policy, hits);

	if (!err && !text_count(section, "verdict"))
		err = text_fail(source, line,
				"rule \"%s\" has no verdict; write drop, reject, limit, redirect, "
				"reflect or allow",
				cfg_title(section));
	if (!err)
		err = value_choice(source, section, "verdict", verdicts, ARRAY_SIZE(verdicts),
				   &verdict);
	rule.verdict = (__u8)verdict;
	if (!err)
		err = read_limits(source, section, &rule);
	if (!err)
		err = read_redirect(source, section, &rule);
	if (!err)
		err = read_lists(source, section, verdict == SKEP_RULE_REDIRECT, &lists);
	return err ? err : add_rule(source, line, &rule, &lists, policy);
}

static int read_rules(const struct text_source *source, cfg_t *section, struct skep_policy *policy)
{
	size_t n = text_sections(section, "rule");
	int err = 0;

	if (n > SKEP_RULE_NAMES_MAX)
		return text_fail(source,
				 text_line(text_section(section, "rule", SKEP_RULE_NAMES_MAX)),
				 "more than %d rules in policy \"%s\"; join some",
				 SKEP_RULE_NAMES_MAX, policy->name);
	for (size_t i = 0; i < n && !err; i++)
		err = read_rule(source, text_section(section, "rule", i), i, policy);
	return err;
}

/* ---- policies --------------------------------------------------------------- */

static int read_last_word(const struct text_source *source, cfg_t *section,
			  struct skep_policy *policy)
{
	unsigned int verdict = SKEP_RULE_DROP;
	int err =
		value_choice(source, section, "verdict", verdicts, ARRAY_SIZE(verdicts), &verdict);

	if (err < 0)
		return err;
	if (verdict == SKEP_RULE_LIMIT || verdict == SKEP_RULE_REDIRECT)
		return text_fail(source, value_line(section, "verdict"),
				 "the verdict of a policy cannot be %s; make it a last rule",
				 verdicts[verdict]);
	policy->verdict = (__u8)verdict;
	if (verdict == SKEP_RULE_REFLECT)
		policy->flags |= SKEP_POLICY_REFLECTS;
	return 0;
}

static int read_policy(const struct text_source *source, cfg_t *section, struct config *config)
{
	struct policy_config *policy = &config->policies[config->n_policies];
	const char *name = cfg_title(section);
	int line = text_line(section), err = value_name(source, line, "policy", name);

	if (err < 0)
		return err;
	for (size_t i = 0; i < config->n_policies; i++) {
		if (!strcmp(config->policies[i].rules.name, name))
			return text_fail(source, line, "policy \"%s\" is %s; rename it", name,
					 i ? "there twice" : "what holds without one");
	}
	config->n_policies++;
	policy->line = line;
	memcpy(policy->rules.name, name, strlen(name) + 1);
	err = read_last_word(source, section, &policy->rules);
	return err ? err : read_rules(source, section, &policy->rules);
}

/* Servers that containers may ask when no policy says otherwise. */
static int add_servers(const struct text_source *source, cfg_t *top, const char *key, __u16 port,
		       bool tcp, struct config *config)
{
	struct skep_policy *policy = &config->policies[0].rules;
	size_t n = text_count(top, key), hits = 0;
	struct skep_rule rule = {.verdict = SKEP_RULE_ALLOW};
	struct lists lists = {.ports = {{port, port}}, .n_ports = 1, .to_key = key};
	int err = read_list(source, top, key, LIST_MAX / 4, read_to, &lists);

	if (err || !n)
		return err;
	config->policies[0].line = value_line(top, key);
	while (policy->names[hits][0])
		hits++;
	rule.hits = (__u8)hits;
	strncpy(policy->names[hits], key, sizeof(policy->names[hits]) - 1);
	add_protocols(&lists);
	if (!tcp) {
		lists.protocols[0] = IPPROTO_UDP;
		lists.n_protocols = 1;
	}
	return add_rule(source, value_line(top, key), &rule, &lists, policy);
}

static int make_default(const struct text_source *source, cfg_t *top, struct config *config)
{
	struct skep_policy *policy = &config->policies[0].rules;
	int err;

	config->n_policies = 1;
	strncpy(policy->name, CONFIG_POLICY_DEFAULT, sizeof(policy->name) - 1);
	err = add_servers(source, top, "dns", DNS_PORT, true, config);
	return err ? err : add_servers(source, top, "ntp", NTP_PORT, false, config);
}

int config_read_policies(const struct text_source *source, cfg_t *top, struct config *config)
{
	size_t n = text_sections(top, "policy");
	int err;

	if (n >= SKEP_POLICIES_MAX)
		return text_fail(source,
				 text_line(text_section(top, "policy", SKEP_POLICIES_MAX - 1)),
				 "more than %d policies; remove some", SKEP_POLICIES_MAX - 1);
	config->policies = calloc(n + 1, sizeof(*config->policies));
	if (!config->policies)
		return value_no_memory(source);
	err = make_default(source, top, config);
	for (size_t i = 0; i < n && !err; i++)
		err = read_policy(source, text_section(top, "policy", i), config);
	return err;
}

int config_find_policy(const struct text_source *source, cfg_t *section,
		       const struct config *config, size_t fallback, size_t *ret)
{
	const char *name = value_text(section, "policy", NULL);

	*ret = fallback;
	if (!name)
		return 0;
	for (size_t i = 0; i < config->n_policies; i++) {
		if (!strcmp(config->policies[i].rules.name, name)) {
			*ret = i;
			return 0;
		}
	}
	return text_fail(source, value_line(section, "policy"),
			 "unknown policy \"%s\"; define it or take it out", name);
}

/* ---- against the ranges ----------------------------------------------------- */

static bool is_excluded(const struct range_config *range, __be32 addr)
{
	for (size_t i = 0; i < range->n_excludes; i++) {
		if (prefix_contains(&range->excludes[i], addr))
			return true;
	}
	return false;
}

static const struct range_config *range_with(const struct config *config, __be32 addr)
{
	for (size_t u = 0; u < config->n_uplinks; u++) {
		const struct uplink_config *uplink = &config->uplinks[u];

		for (size_t r = 0; r < uplink->n_ranges; r++) {
			const struct range_config *range = &uplink->ranges[r];

			if (prefix_contains(&range->prefix, addr) && addr != uplink->gateway &&
			    !is_excluded(range, addr))
				return range;
		}
	}
	return NULL;
}

static bool excludes_some_of(const struct range_config *range, const struct prefix *prefix)
{
	for (size_t i = 0; i < range->n_excludes; i++) {
		if (prefix_overlaps(&range->excludes[i], prefix))
			return true;
	}
	return false;
}

/* The range that has all of these addresses, and each for containers. */
static const struct range_config *range_around(const struct config *config,
					       const struct prefix *prefix)
{
	for (size_t u = 0; u < config->n_uplinks; u++) {
		const struct uplink_config *uplink = &config->uplinks[u];

		for (size_t r = 0; r < uplink->n_ranges; r++) {
			const struct range_config *range = &uplink->ranges[r];

			if (prefix->len >= range->prefix.len &&
			    prefix_contains(&range->prefix, prefix->addr) &&
			    !(uplink->gateway && prefix_contains(prefix, uplink->gateway)) &&
			    !excludes_some_of(range, prefix))
				return range;
		}
	}
	return NULL;
}

static int check_redirect(const struct text_source *source, const struct config *config,
			  const struct policy_config *policy, const struct skep_rule *rule)
{
	const struct range_config *range = range_with(config, rule->redirect.addr);
	char prefix[PREFIX_STRLEN];

	if (!range)
		return 0;
	return text_fail(source, policy->line,
			 "rule \"%s\" redirects into range %s of line %d, and nothing goes from "
			 "container to container; exclude that address",
			 policy->rules.names[rule->hits], prefix_format(&range->prefix, prefix),
			 range->line);
}

static int check_to(const struct text_source *source, const struct config *config,
		    const struct policy_config *policy, const struct skep_rule *rule)
{
	const struct prefix to = {
		.addr = rule->to.addr,
		.len = (unsigned int)__builtin_popcount(rule->mask),
	};
	const struct range_config *range = range_around(config, &to);
	char prefix[PREFIX_STRLEN], of[PREFIX_STRLEN];

	if (!range)
		return 0;
	return text_fail(source, policy->line,
			 "rule \"%s\" is for %s in range %s of line %d, and nothing goes from "
			 "container to container; exclude what is somebody else's, or take it out",
			 policy->rules.names[rule->hits], prefix_format(&to, prefix),
			 prefix_format(&range->prefix, of), range->line);
}

int config_check_policies(const struct text_source *source, const struct config *config)
{
	int err = 0;

	for (size_t i = 0; i < config->n_policies; i++) {
		const struct policy_config *policy = &config->policies[i];

		for (unsigned int r = 0; r < policy->rules.n_rules && !err; r++) {
			const struct skep_rule *rule = &policy->rules.rules[r];

			if (rule->verdict == SKEP_RULE_REDIRECT)
				err = check_redirect(source, config, policy, rule);
			else if (rule->verdict == SKEP_RULE_ALLOW ||
				 rule->verdict == SKEP_RULE_LIMIT)
				err = check_to(source, config, policy, rule);
		}
	}
	return err;
}
