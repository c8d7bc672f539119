// SPDX-License-Identifier: GPL-2.0
/* Showing; see show.h. Knows the keys of the answers, and asks nobody. */
#include "show.h"

#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "table.h"

static void show_budget(const json_t *budgets, const char *key, const char *whose)
{
	json_int_t binds = json_integer_value(json_object_get(budgets, key));

	if (binds)
		printf("budget  %" JSON_INTEGER_FORMAT " binds/s %s\n", binds, whose);
	else
		printf("budget  no limit %s\n", whose);
}

/* What was refused, if anything was: most reasons never occur. */
static void show_budgets(const json_t *status)
{
	json_t *budgets = json_object_get(status, "budgets"), *value;
	const char *reason;

	show_budget(budgets, "binds_per_second", "in all");
	show_budget(budgets, "binds_per_requester", "for each requester");
	json_object_foreach (json_object_get(status, "refused"), reason, value)
		if (json_integer_value(value))
			printf("refused %" JSON_INTEGER_FORMAT " first contacts: %s\n",
			       json_integer_value(value), reason);
}

static void show_reflections(const json_t *reflections)
{
	printf("reflect %" JSON_INTEGER_FORMAT " containers in %" JSON_INTEGER_FORMAT
	       " worlds; up to %" JSON_INTEGER_FORMAT " in one, %" JSON_INTEGER_FORMAT " in all\n",
	       json_integer_value(json_object_get(reflections, "containers")),
	       json_integer_value(json_object_get(reflections, "worlds")),
	       json_integer_value(json_object_get(reflections, "per_container")),
	       json_integer_value(json_object_get(reflections, "max")));
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void show_verification(const json_t *verification)
{
	static const struct column ranges[] = {
		{"range", "VERIFIED", ""},	{"uplink", "UPLINK", ""},   {"vlan", "VLAN", ""},
		{"claimable", "CLAIMABLE", ""}, {"waiting", "WAITING", ""}, {"hosts", "HOSTS", ""},
		{"left_out", "LEFT OUT", ""},
	};

	if (!json_array_size(json_object_get(verification, "ranges")))
		return;
	printf("sweep   round %" JSON_INTEGER_FORMAT ", %" JSON_INTEGER_FORMAT
	       " of %" JSON_INTEGER_FORMAT " addresses, %.1f probes/s of %" JSON_INTEGER_FORMAT
	       "; %" JSON_INTEGER_FORMAT " sent, %" JSON_INTEGER_FORMAT " answered\n\n",
	       number(verification, "round"), number(verification, "at"),
	       number(verification, "of"),
	       json_real_value(json_object_get(verification, "probes_per_s")),
	       number(verification, "verify_rate"), number(verification, "probes"),
	       number(verification, "answered"));
	table_print(stdout, json_object_get(verification, "ranges"), ranges, ARRAY_SIZE(ranges));
}

/* What nobody may overlook. */
static void show_switches(const json_t *status)
{
	if (json_is_true(json_object_get(status, "panic")))
		puts("*** PANIC: nothing is answered and nothing gets out. "
		     "'skepctl resume' ends it. ***\n");
	if (json_is_true(json_object_get(status, "dry_run")))
		puts("DRY RUN: nothing is answered. 'skepctl would' shows what would be.\n");
}

static void show_lease_counts(const json_t *status)
{
	printf("leases  %" JSON_INTEGER_FORMAT, number(status, "leases"));
	if (number(status, "unsettled"))
		printf(", %" JSON_INTEGER_FORMAT " of them not settled yet",
		       number(status, "unsettled"));
	printf("\n\n");
}

void show_status(const json_t *status)
{
	static const struct column pool[] = {
		{"idle", "IDLE", ""},	      {"bound", "BOUND", ""},
		{"starting", "STARTING", ""}, {"recycling", "RECYCLING", ""},
		{"failed", "FAILED", ""},     {"warm", "WARM", ""},
		{"max", "MAX", ""},
	};
	static const struct column templates[] = {
		{"name", "TEMPLATE", ""},     {"state", "STATE", ""},
		{"idle", "IDLE", ""},	      {"bound", "BOUND", ""},
		{"starting", "STARTING", ""}, {"recycling", "RECYCLING", ""},
		{"failed", "FAILED", ""},
	};
	static const struct column uplinks[] = {
		{"name", "UPLINK", ""},
		{"xdp", "XDP", ""},
		{"gateway", "GATEWAY", ""},
	};
	json_t *row = json_pack("[O]", json_object_get(status, "pool"));

	show_switches(status);
	printf("state   %s\n", json_string_value(json_object_get(status, "state")));
	printf("uptime  %" JSON_INTEGER_FORMAT " s\n",
	       json_integer_value(json_object_get(status, "uptime_s")));
	printf("bind    %s\n", json_string_value(json_object_get(status, "bind")));
	show_lease_counts(status);
	table_print(stdout, row, pool, ARRAY_SIZE(pool));
	putchar('\n');
	table_print(stdout, json_object_get(status, "templates"), templates, ARRAY_SIZE(templates));
	putchar('\n');
	table_print(stdout, json_object_get(status, "uplinks"), uplinks, ARRAY_SIZE(uplinks));
	putchar('\n');
	show_reflections(json_object_get(status, "reflections"));
	show_budgets(status);
	putchar('\n');
	show_verification(json_object_get(status, "verification"));
	json_decref(row);
}

void show_leases(const json_t *answer)
{
	static const struct column columns[] = {
		{"address", "ADDRESS", ""},	{"uplink", "UPLINK", ""},
		{"vlan", "VLAN", ""},		{"mac", "MAC", ""},
		{"container", "CONTAINER", ""}, {"pid", "PID", ""},
		{"state", "STATE", ""},		{"bind_us", "BIND", " us"},
		{"settle_us", "SETTLE", " us"}, {"packets_in", "IN", ""},
		{"packets_out", "OUT", ""},	{"bound_at", "BOUND AT", ""},
		{"last_seen", "LAST SEEN", ""},
	};

	table_print(stdout, json_object_get(answer, "leases"), columns, ARRAY_SIZE(columns));
}

void show_containers(const json_t *answer)
{
	static const struct column columns[] = {
		{"container", "CONTAINER", ""}, {"state", "STATE", ""},
		{"template", "TEMPLATE", ""},	{"pid", "PID", ""},
		{"address", "ADDRESS", ""},	{"uplink", "UPLINK", ""},
		{"leases", "LEASES", ""},	{"since", "SINCE", ""},
		{"reason", "REASON", ""},
	};

	table_print(stdout, json_object_get(answer, "containers"), columns, ARRAY_SIZE(columns));
}

void show_hosts(const json_t *answer)
{
	static const struct column columns[] = {
		{"address", "ADDRESS", ""},
		{"uplink", "UPLINK", ""},
		{"vlan", "VLAN", ""},
		{"mac", "MAC", ""},
		{"first_seen", "FIRST SEEN", ""},
		{"last_seen", "LAST SEEN", ""},
		{"conflicts", "CONFLICTS", ""},
		{"handed_on_until", "HANDED ON UNTIL", ""},
	};

	table_print(stdout, json_object_get(answer, "hosts"), columns, ARRAY_SIZE(columns));
}

/* A line without a requester is the sum of an address. */
void show_would(const json_t *answer)
{
	static const struct column columns[] = {
		{"address", "ADDRESS", ""}, {"uplink", "UPLINK", ""},	    {"vlan", "VLAN", ""},
		{"requester", "FOR", ""},   {"times", "TIMES", ""},	    {"first", "FIRST", ""},
		{"last", "LAST", ""},	    {"conflicts", "CONFLICTS", ""},
	};

	table_print(stdout, json_object_get(answer, "would"), columns, ARRAY_SIZE(columns));
}

void show_flows(const json_t *answer)
{
	static const struct column columns[] = {
		{"protocol", "PROTOCOL", ""},	  {"address", "ADDRESS", ""},
		{"uplink", "UPLINK", ""},	  {"vlan", "VLAN", ""},
		{"local_port", "PORT", ""},	  {"remote", "REMOTE", ""},
		{"remote_port", "PORT", ""},	  {"origin", "FROM", ""},
		{"state", "STATE", ""},		  {"rule", "RULE", ""},
		{"redirected", "REDIRECTED", ""}, {"packets_in", "IN", ""},
		{"packets_out", "OUT", ""},	  {"last_seen", "LAST SEEN", ""},
	};

	table_print(stdout, json_object_get(answer, "flows"), columns, ARRAY_SIZE(columns));
}

/* A line without a rule is for what none matched. */
void show_policy(const json_t *answer)
{
	static const struct column columns[] = {
		{"policy", "POLICY", ""},   {"rule", "RULE", ""},   {"verdict", "VERDICT", ""},
		{"packets", "PACKETS", ""}, {"bytes", "BYTES", ""}, {"flows", "FLOWS", ""},
	};

	table_print(stdout, json_object_get(answer, "rules"), columns, ARRAY_SIZE(columns));
}

void show_counters(const json_t *answer)
{
	static const struct column columns[] = {{"verdict", "VERDICT", ""}, {"count", "COUNT", ""}};
	json_t *rows = json_array(), *value;
	const char *key;

	json_object_foreach (json_object_get(answer, "counters"), key, value)
		json_array_append_new(rows, json_pack("{ss sO}", "verdict", key, "count", value));
	table_print(stdout, rows, columns, ARRAY_SIZE(columns));
	json_decref(rows);
}

static json_t *nonempty_buckets(const json_t *answer)
{
	json_t *rows = json_array(), *bucket;
	size_t i;

	json_array_foreach (json_object_get(answer, "buckets"), i, bucket)
		if (json_integer_value(json_object_get(bucket, "count")))
			json_array_append(rows, bucket);
	return rows;
}

void show_latency(const json_t *answer)
{
	static const struct column columns[] = {{"up_to_us", "UP TO", " us"},
						{"count", "BINDS", ""}};
	json_t *rows = nonempty_buckets(answer);
	char buf[64];

	printf("binds   %" JSON_INTEGER_FORMAT "\n",
	       json_integer_value(json_object_get(answer, "binds")));
	printf("p50     %s\n",
	       table_value(json_object_get(answer, "p50_us"), " us", buf, sizeof(buf)));
	printf("p99     %s\n\n",
	       table_value(json_object_get(answer, "p99_us"), " us", buf, sizeof(buf)));
	table_print(stdout, rows, columns, ARRAY_SIZE(columns));
	json_decref(rows);
}

/* What a container tried, or all of them together. */
static void show_refusal(const json_t *event)
{
	static const char *const keys[] = {"at",       "event",	 "address",    "uplink",
					   "protocol", "remote", "remote_port"};
	char buf[128];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (json_object_get(event, keys[i]))
			printf("%s  ",
			       table_value(json_object_get(event, keys[i]), "", buf, sizeof(buf)));
	printf("%s, %" JSON_INTEGER_FORMAT " packets\n",
	       json_string_value(json_object_get(event, "reason")), number(event, "count"));
	fflush(stdout);
}

static void show_bind(const json_t *event, const json_t *bind_us)
{
	const json_t *settle_us = json_object_get(event, "settle_us");
	char buf[128];

	printf("for %s in %s", json_string_value(json_object_get(event, "requester")),
	       table_value(bind_us, " us", buf, sizeof(buf)));
	if (json_is_number(settle_us))
		printf(", settled in %s", table_value(settle_us, " us", buf, sizeof(buf)));
	puts(json_is_true(json_object_get(event, "shared")) ? ", shared" : "");
}

void show_event(const json_t *event)
{
	static const char *const keys[] = {"at", "event", "address", "uplink", "mac", "container"};
	const json_t *bind_us = json_object_get(event, "bind_us");
	const char *what = json_string_value(json_object_get(event, "event"));
	const char *host = json_string_value(json_object_get(event, "host"));
	char buf[128];

	if (what && (!strcmp(what, "panic") || !strcmp(what, "resume"))) {
		printf("%s  %s\n", json_string_value(json_object_get(event, "at")), what);
		fflush(stdout);
		return;
	}
	if (what && (!strcmp(what, "refused") || !strcmp(what, "brake")))
		return show_refusal(event);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		printf("%s  ", table_value(json_object_get(event, keys[i]), "", buf, sizeof(buf)));
	if (bind_us)
		show_bind(event, bind_us);
	else
		printf("%s%s%s\n", json_string_value(json_object_get(event, "reason")),
		       host ? " with " : "", host ? host : "");
	fflush(stdout);
}
