// SPDX-License-Identifier: GPL-2.0
/* Policies in the configuration: what each becomes for the port program, and each mistake's one
 * line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>

#include "../table.h"
#include "cleanup.h"
#include "config.h"

#define REST                                                                                       \
	"template \"basic\" { rootfs = \"templates/basic\" }\n"                                    \
	"uplink \"eth0\" { gateway = \"10.66.0.1\" range \"10.66.0.0/16\" { template = \"basic\" " \
	"exclude = { \"10.66.0.0/24\" } } }\n"
#define RULE(keys) "\npolicy \"p\" { rule \"r\" { " keys " } }\n" REST
#define POLICY(keys) "\npolicy \"p\" { " keys " }\n" REST

/* ---- mistakes ------------------------------------------------------------------- */

struct mistake {
	const char *name;
	const char *text;
	const char *error;
};

#define RULE_KEYS "verdict, protocol, ports, to, packets, bytes, flows, destinations, redirect"

static const struct mistake mistakes[] = {
	{"no verdict", RULE("protocol = { \"tcp\" }"),
	 "t:2: rule \"r\" has no verdict; write drop, reject, limit, redirect, reflect or allow"},
	{"unknown verdict", RULE("verdict = \"pass\""),
	 "t:2: verdict cannot be \"pass\"; write drop, reject, limit, redirect, reflect or allow"},
	{"unknown protocol", RULE("verdict = \"drop\" protocol = { \"sctp\" }"),
	 "t:2: protocol cannot be \"sctp\"; write tcp, udp or icmp"},
	{"protocol twice", RULE("verdict = \"drop\" protocol = { \"tcp\", \"tcp\" }"),
	 "t:2: protocol has tcp twice; remove one of them"},
	{"four protocols", RULE("verdict = \"drop\" protocol = { tcp, udp, icmp, tcp }"),
	 "t:2: protocol has more than 3 members; make it two rules"},
	{"port 0", RULE("verdict = \"drop\" ports = { \"0\" }"),
	 "t:2: ports cannot have \"0\"; write one from 1 to 65535, or two like 8000-8080"},
	{"port 65536", RULE("verdict = \"drop\" ports = { \"65536\" }"),
	 "t:2: ports cannot have \"65536\"; write one from 1 to 65535, or two like 8000-8080"},
	{"port with a name", RULE("verdict = \"drop\" ports = { \"http\" }"),
	 "t:2: ports cannot have \"http\"; write one from 1 to 65535, or two like 8000-8080"},
	{"ports backwards", RULE("verdict = \"drop\" ports = { \"90-80\" }"),
	 "t:2: ports cannot have \"90-80\"; write one from 1 to 65535, or two like 8000-8080"},
	{"ports without an end", RULE("verdict = \"drop\" ports = { \"80-\" }"),
	 "t:2: ports cannot have \"80-\"; write one from 1 to 65535, or two like 8000-8080"},
	{"ports with more behind", RULE("verdict = \"drop\" ports = { \"80-90x\" }"),
	 "t:2: ports cannot have \"80-90x\"; write one from 1 to 65535, or two like 8000-8080"},
	{"ports of icmp", RULE("verdict = \"drop\" protocol = { icmp } ports = { \"80\" }"),
	 "t:2: icmp has no ports and cannot be redirected; take it out, or make it a rule of its "
	 "own"},
	{"to is no prefix", RULE("verdict = \"drop\" to = { \"host\" }"),
	 "t:2: to \"host\" is not a prefix; write one like 10.66.0.0/16"},
	{"to has host bits", RULE("verdict = \"drop\" to = { \"192.0.2.1/24\" }"),
	 "t:2: to \"192.0.2.1/24\" has bits set behind the prefix; write 192.0.2.0/24"},
	{"limits nothing", RULE("verdict = \"limit\""),
	 "t:2: rule \"r\" limits nothing; give packets, bytes, flows or destinations"},
	{"packets without limit", RULE("verdict = \"allow\" packets = 5"),
	 "t:2: packets needs verdict = \"limit\"; write that or take it out"},
	{"no packets", RULE("verdict = \"limit\" packets = 0"),
	 "t:2: packets cannot be \"0\"; give a number from 1 to 10000000"},
	{"too few bytes", RULE("verdict = \"limit\" bytes = 1K"),
	 "t:2: bytes cannot be \"1K\"; give a number from 2048 to 1099511627776, or one with K, M "
	 "or G"},
	{"redirect to nowhere", RULE("verdict = \"redirect\""),
	 "t:2: redirect cannot be \"\"; write where to, like 192.0.2.9:80 or 192.0.2.9"},
	{"redirect to a name", RULE("verdict = \"redirect\" redirect = \"sink:80\""),
	 "t:2: redirect cannot be \"sink:80\"; write where to, like 192.0.2.9:80 or 192.0.2.9"},
	{"redirect to port 0", RULE("verdict = \"redirect\" redirect = \"192.0.2.9:0\""),
	 "t:2: redirect cannot be \"192.0.2.9:0\"; write where to, like 192.0.2.9:80 or 192.0.2.9"},
	{"redirect to loopback", RULE("verdict = \"redirect\" redirect = \"127.0.0.1:80\""),
	 "t:2: redirect cannot be \"127.0.0.1:80\"; write where to, like 192.0.2.9:80 or "
	 "192.0.2.9"},
	{"redirect of another verdict", RULE("verdict = \"allow\" redirect = \"192.0.2.9\""),
	 "t:2: redirect needs verdict = \"redirect\"; write that or take it out"},
	{"redirect of icmp",
	 RULE("verdict = \"redirect\" redirect = \"192.0.2.9\" protocol = { icmp }"),
	 "t:2: icmp has no ports and cannot be redirected; take it out, or make it a rule of its "
	 "own"},
	{"redirect into a range", RULE("verdict = \"redirect\" redirect = \"10.66.4.2\""),
	 "t:2: rule \"r\" redirects into range 10.66.0.0/16 of line 4, and nothing goes from "
	 "container to container; exclude that address"},
	{"allow, all of it in a range",
	 RULE("verdict = \"allow\" to = { 192.0.2.1, 10.66.4.0/24 }"),
	 "t:2: rule \"r\" is for 10.66.4.0/24 in range 10.66.0.0/16 of line 4, and nothing goes "
	 "from "
	 "container to container; exclude what is somebody else's, or take it out"},
	{"limit, the same", RULE("verdict = \"limit\" packets = 1 to = { 10.66.4.2 }"),
	 "t:2: rule \"r\" is for 10.66.4.2/32 in range 10.66.0.0/16 of line 4, and nothing goes "
	 "from "
	 "container to container; exclude what is somebody else's, or take it out"},
	{"dns in a range", "\ndns = { 192.0.2.53, 10.66.4.2 }\n" REST,
	 "t:2: rule \"dns\" is for 10.66.4.2/32 in range 10.66.0.0/16 of line 4, and nothing goes "
	 "from container to container; exclude what is somebody else's, or take it out"},
	{"unknown key in a rule", RULE("verdict = \"allow\" port = 80"),
	 "t:2: unknown key port; known here: " RULE_KEYS},
	{"unknown key in a policy", POLICY("default = \"drop\""),
	 "t:2: unknown key default; known here: verdict, rule"},
	{"a policy that limits", POLICY("verdict = \"limit\""),
	 "t:2: the verdict of a policy cannot be limit; make it a last rule"},
	{"a policy that redirects", POLICY("verdict = \"redirect\""),
	 "t:2: the verdict of a policy cannot be redirect; make it a last rule"},
	{"a rule twice",
	 POLICY("rule \"r\" { verdict = \"drop\" } rule \"r\" { verdict = \"drop\" }"),
	 "t:2: rule \"r\" is there twice in policy \"p\"; rename one of them"},
	{"a rule without a good name", POLICY("rule \"no way\" { verdict = \"drop\" }"),
	 "t:2: rule \"no way\" is not a name; use up to 63 letters, digits, '-', '_' and '.', a "
	 "letter or digit first"},
	{"a rule with a long name",
	 POLICY("rule \"abcdefghijklmnopqrstuvwxyz-012345\" { verdict = \"drop\" }"),
	 "t:2: rule \"abcdefghijklmnopqrstuvwxyz-012345\" is longer than 31 characters"},
	{"a policy twice", "policy \"p\" { }\npolicy \"p\" { }\n" REST,
	 "t:2: policy \"p\" is there twice; rename it"},
	{"a policy named default", "\npolicy \"default\" { }\n" REST,
	 "t:2: policy \"default\" is what holds without one; rename it"},
	{"more combinations than there is room for",
	 RULE("verdict = \"allow\" protocol = { tcp, udp, icmp } to = { 10.0.0.1, 10.0.0.2, "
	      "10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, 10.0.0.9, 10.0.0.10, "
	      "10.0.0.11, 10.0.0.12, 10.0.0.13, 10.0.0.14, 10.0.0.15, 10.0.0.16, 10.0.0.17, "
	      "10.0.0.18, 10.0.0.19, 10.0.0.20, 10.0.0.21, 10.0.0.22 }"),
	 "t:2: policy \"p\" has more than 64 combinations of protocol, ports and to up to here; "
	 "use "
	 "ranges of ports and shorter prefixes"},
	{"dns is no address", "\ndns = { \"resolver\" }\n" REST,
	 "t:2: dns \"resolver\" is not a prefix; write one like 10.66.0.0/16"},
	{"a template of an unknown policy",
	 "\ntemplate \"basic\" { rootfs = \"b\" policy = \"q\" }\n"
	 "uplink \"eth0\" { range \"10.66.0.0/16\" { template = \"basic\" } }\n",
	 "t:2: unknown policy \"q\"; define it or take it out"},
	{"a range of an unknown policy",
	 "template \"basic\" { rootfs = \"b\" }\n"
	 "uplink \"eth0\" { range \"10.66.0.0/16\" { template = \"basic\" policy = \"q\" } }\n",
	 "t:2: unknown policy \"q\"; define it or take it out"},
	{"few flows", "\npool { flows = 1000 }\n" REST,
	 "t:2: flows cannot be \"1000\"; give a number from 1024 to 8388608"},
	{"few bits", "\npool { egress_max_bits = 99K }\n" REST,
	 "t:2: egress_max_bits is less than 100000; raise it, or write 0 for no limit"},
};

static void is_told(void **state)
{
	const struct mistake *mistake = *state;
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	assert_int_equal(config_parse("t", mistake->text, &config, error), -EINVAL);
	assert_string_equal(error, mistake->error);
	assert_null(config);
}

/* ---- what a policy becomes --------------------------------------------------------- */

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	if (config_parse("t", text, &config, error))
		fail_msg("%s", error);
	return config;
}

static __be32 ip(const char *text)
{
	return inet_addr(text);
}

static void check_rule(const struct skep_rule *rule, __u8 protocol, __u16 first, __u16 last,
		       const char *to, __u32 mask)
{
	assert_int_equal(rule->protocol, protocol);
	assert_int_equal(rule->first, first);
	assert_int_equal(rule->last, last);
	assert_int_equal(rule->to.addr, ip(to));
	assert_int_equal(rule->mask, htonl(mask));
}

static void without_any_nothing_is_let_out(void **state)
{
	struct config *config = parse(REST);

	(void)state;
	assert_int_equal(config->n_policies, 1);
	assert_string_equal(config->policies[0].rules.name, "default");
	assert_int_equal(config->policies[0].rules.n_rules, 0);
	assert_int_equal(config->policies[0].rules.verdict, SKEP_RULE_DROP);
	assert_int_equal(config->policies[0].rules.flags, 0);
	assert_int_equal(config->uplinks[0].ranges[0].policy, 0);
	assert_int_equal(config->egress_max_packets, 100000);
	assert_int_equal(config->egress_max_bits, 1000000000);
	assert_int_equal(config->flows, 131072);
	config_free(config);
}

static void servers_are_in_the_default_policy(void **state)
{
	struct config *config =
		parse("dns = { 192.0.2.53, 192.0.2.54 }\nntp = { 192.0.2.123 }\n" REST);
	const struct skep_policy *policy = &config->policies[0].rules;

	(void)state;
	assert_int_equal(policy->n_rules, 5);
	check_rule(&policy->rules[0], IPPROTO_TCP, 53, 53, "192.0.2.53", ~0U);
	check_rule(&policy->rules[1], IPPROTO_UDP, 53, 53, "192.0.2.53", ~0U);
	check_rule(&policy->rules[2], IPPROTO_TCP, 53, 53, "192.0.2.54", ~0U);
	check_rule(&policy->rules[3], IPPROTO_UDP, 53, 53, "192.0.2.54", ~0U);
	check_rule(&policy->rules[4], IPPROTO_UDP, 123, 123, "192.0.2.123", ~0U);
	for (int i = 0; i < 5; i++)
		assert_int_equal(policy->rules[i].verdict, SKEP_RULE_ALLOW);
	assert_string_equal(policy->names[0], "dns");
	assert_string_equal(policy->names[1], "ntp");
	assert_int_equal(policy->rules[3].hits, 0);
	assert_int_equal(policy->rules[4].hits, 1);
	assert_int_equal(policy->verdict, SKEP_RULE_DROP);
	config_free(config);
}

static void lists_become_one_rule_each(void **state)
{
	struct config *config = parse(POLICY(
		"verdict = \"reject\" rule \"a\" { verdict = \"allow\" protocol = { tcp, udp } "
		"ports = { \"53\", \"8000-8080\" } to = { 192.0.2.0/24, 198.51.100.7 } } "
		"rule \"b\" { verdict = \"drop\" }"));
	const struct skep_policy *policy = &config->policies[1].rules;

	(void)state;
	assert_string_equal(policy->name, "p");
	assert_int_equal(policy->verdict, SKEP_RULE_REJECT);
	assert_int_equal(policy->n_rules, 9);
	check_rule(&policy->rules[0], IPPROTO_TCP, 53, 53, "192.0.2.0", 0xffffff00);
	check_rule(&policy->rules[1], IPPROTO_UDP, 53, 53, "192.0.2.0", 0xffffff00);
	check_rule(&policy->rules[2], IPPROTO_TCP, 8000, 8080, "192.0.2.0", 0xffffff00);
	check_rule(&policy->rules[7], IPPROTO_UDP, 8000, 8080, "198.51.100.7", ~0U);
	check_rule(&policy->rules[8], 0, 0, 65535, "0.0.0.0", 0);
	assert_int_equal(policy->rules[7].hits, 0);
	assert_int_equal(policy->rules[8].hits, 1);
	config_free(config);
}

static void ports_alone_are_those_of_tcp_and_udp(void **state)
{
	struct config *config = parse(RULE("verdict = \"drop\" ports = { \"25\" }"));
	const struct skep_policy *policy = &config->policies[1].rules;

	(void)state;
	assert_int_equal(policy->n_rules, 2);
	check_rule(&policy->rules[0], IPPROTO_TCP, 25, 25, "0.0.0.0", 0);
	check_rule(&policy->rules[1], IPPROTO_UDP, 25, 25, "0.0.0.0", 0);
	config_free(config);
}

static void a_limit_has_its_budgets(void **state)
{
	struct config *config = parse(RULE("verdict = \"limit\" packets = 10 bytes = 64K flows = 2 "
					   "destinations = 20"));
	const struct skep_rule *rule = &config->policies[1].rules.rules[0];

	(void)state;
	assert_int_equal(rule->verdict, SKEP_RULE_LIMIT);
	assert_int_equal(rule->packet_interval_ns, 100000000);
	assert_int_equal(rule->kib_interval_ns, 15625000);
	assert_int_equal(rule->flow_interval_ns, 500000000);
	assert_int_equal(rule->destinations, 20);
	config_free(config);
}

static void a_redirect_knows_its_place(void **state)
{
	struct config *config = parse(POLICY(
		"rule \"a\" { verdict = \"redirect\" redirect = \"192.0.2.9:8080\" protocol = "
		"{ tcp } ports = { \"80\" } } "
		"rule \"b\" { verdict = \"redirect\" redirect = \"10.66.0.9\" }"));
	const struct skep_policy *policy = &config->policies[1].rules;

	(void)state;
	assert_int_equal(policy->n_rules, 3);
	assert_int_equal(policy->rules[0].redirect.addr, ip("192.0.2.9"));
	assert_int_equal(policy->rules[0].redirect_port, htons(8080));
	assert_int_equal(policy->rules[1].redirect.addr, ip("10.66.0.9"));
	assert_int_equal(policy->rules[1].redirect_port, 0);
	assert_int_equal(policy->rules[1].protocol, IPPROTO_TCP);
	assert_int_equal(policy->rules[2].protocol, IPPROTO_UDP);
	config_free(config);
}

/* Excluded, the gateway, or more than the range has: somebody else may be meant. */
static void a_rule_may_name_who_is_no_container(void **state)
{
	struct config *config =
		parse("dns = { 10.66.0.1, 10.66.0.53 }\n"
		      "policy \"p\" { rule \"r\" { verdict = \"allow\" to = { 10.66.0.0/24, "
		      "10.0.0.0/8 } } }\n"
		      "policy \"q\" { rule \"r\" { verdict = \"drop\" to = { 10.66.0.7 } } }\n"
		      "template \"basic\" { rootfs = \"basic\" }\n"
		      "uplink \"eth0\" { gateway = \"10.66.0.1\" range \"10.66.0.0/24\" { template "
		      "= \"basic\" "
		      "exclude = { 10.66.0.53 } } }\n");

	(void)state;
	assert_int_equal(config->policies[0].rules.n_rules, 4);
	config_free(config);
}

static void reflecting_shows_in_the_policy(void **state)
{
	struct config *by_rule = parse(RULE("verdict = \"reflect\""));
	struct config *at_last = parse(POLICY("verdict = \"reflect\""));
	struct config *neither = parse(POLICY("verdict = \"allow\""));

	(void)state;
	assert_int_equal(by_rule->policies[1].rules.flags, SKEP_POLICY_REFLECTS);
	assert_int_equal(at_last->policies[1].rules.flags, SKEP_POLICY_REFLECTS);
	assert_int_equal(neither->policies[1].rules.flags, 0);
	config_free(by_rule);
	config_free(at_last);
	config_free(neither);
}

static void a_range_wins_over_its_template(void **state)
{
	struct config *config =
		parse("policy \"p\" { }\npolicy \"q\" { }\n"
		      "template \"a\" { rootfs = \"a\" policy = \"p\" }\n"
		      "template \"b\" { rootfs = \"b\" }\n"
		      "pool { max = 1000 }\n"
		      "uplink \"eth0\" {\n"
		      "range \"10.1.0.0/16\" { template = \"a\" }\n"
		      "range \"10.2.0.0/16\" { template = \"a\" policy = \"q\" }\n"
		      "range \"10.3.0.0/16\" { template = \"b\" }\n"
		      "range \"10.4.0.0/16\" { template = \"b\" policy = \"p\" }\n"
		      "range \"10.5.0.0/16\" { template = \"a\" policy = \"default\" }\n"
		      "}\n");
	static const size_t expected[] = {1, 2, 0, 1, 0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_int_equal(config->uplinks[0].ranges[i].policy, expected[i]);
	config_free(config);
}

static void rates_have_decimal_suffixes(void **state)
{
	struct config *config =
		parse("pool { egress_max_bits = 10M egress_max_packets = 0 }\n" REST);

	(void)state;
	assert_int_equal(config->egress_max_bits, 10000000);
	assert_int_equal(config->egress_max_packets, 0);
	config_free(config);
	config = parse("pool { egress_max_bits = 0 }\n" REST);
	assert_int_equal(config->egress_max_bits, 0);
	config_free(config);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(without_any_nothing_is_let_out),
		cmocka_unit_test(servers_are_in_the_default_policy),
		cmocka_unit_test(lists_become_one_rule_each),
		cmocka_unit_test(ports_alone_are_those_of_tcp_and_udp),
		cmocka_unit_test(a_limit_has_its_budgets),
		cmocka_unit_test(a_redirect_knows_its_place),
		cmocka_unit_test(a_rule_may_name_who_is_no_container),
		cmocka_unit_test(reflecting_shows_in_the_policy),
		cmocka_unit_test(a_range_wins_over_its_template),
		cmocka_unit_test(rates_have_decimal_suffixes),
	};
	static struct table table;

	table_add(&table, mistakes, is_told);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		table_add_test(&table, others[i]);
	return table_run(&table, "config_policy", NULL, NULL);
}
