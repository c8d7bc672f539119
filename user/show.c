// SPDX-License-Identifier: GPL-2.0
/* Showing; see show.h. Knows the keys of the answers, and asks nobody. */
#include "show.h"

#include <stdio.h>

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

	printf("state   %s\n", json_string_value(json_object_get(status, "state")));
	printf("uptime  %" JSON_INTEGER_FORMAT " s\n",
	       json_integer_value(json_object_get(status, "uptime_s")));
	printf("leases  %" JSON_INTEGER_FORMAT "\n\n",
	       json_integer_value(json_object_get(status, "leases")));
	table_print(stdout, row, pool, ARRAY_SIZE(pool));
	putchar('\n');
	table_print(stdout, json_object_get(status, "templates"), templates, ARRAY_SIZE(templates));
	putchar('\n');
	table_print(stdout, json_object_get(status, "uplinks"), uplinks, ARRAY_SIZE(uplinks));
	putchar('\n');
	show_budgets(status);
	json_decref(row);
}

void show_leases(const json_t *answer)
{
	static const struct column columns[] = {
		{"address", "ADDRESS", ""},	{"uplink", "UPLINK", ""},
		{"vlan", "VLAN", ""},		{"mac", "MAC", ""},
		{"container", "CONTAINER", ""}, {"pid", "PID", ""},
		{"bind_us", "BIND", " us"},	{"packets_in", "IN", ""},
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

void show_event(const json_t *event)
{
	static const char *const keys[] = {"at", "event", "address", "uplink", "mac", "container"};
	const json_t *bind_us = json_object_get(event, "bind_us");
	char buf[128];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		printf("%s  ", table_value(json_object_get(event, keys[i]), "", buf, sizeof(buf)));
	if (bind_us)
		printf("for %s in %s%s\n", json_string_value(json_object_get(event, "requester")),
		       table_value(bind_us, " us", buf, sizeof(buf)),
		       json_is_true(json_object_get(event, "shared")) ? ", shared" : "");
	else
		printf("%s\n", json_string_value(json_object_get(event, "reason")));
	fflush(stdout);
}
