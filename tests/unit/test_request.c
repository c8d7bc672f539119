// SPDX-License-Identifier: GPL-2.0
/*
 * Requests of the control socket: every command, and every way to be refused with the exact words.
 * Each line lies alone in its own piece of memory, without a NUL, as it lies in the socket's
 * buffer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>

#include "cleanup.h"
#include "request.h"

#define NO_OBJECT "not a JSON object"
#define NO_COMMAND "no \"command\" given"
#define UNKNOWN "no such command"
#define NO_ADDRESS "\"address\" is no IPv4 address"
#define NO_NAME "\"uplink\" is no interface name"
#define NO_VLAN "\"vlan\" is no VLAN id (0 to 4094)"
#define NO_ROOT "\"vlan\" is no container (0 to 65535)"

#define NO_WARM "\"warm\" is no number of containers (1 to 65536)"
#define NO_MAX "\"max\" is no number of containers (1 to 65536)"
#define WARM_OVER_MAX "\"warm\" is more than \"max\""
#define NO_SWITCH "\"on\" is neither true nor false"

#define RESIZE(warm, max) "{\"command\": \"resize\", \"warm\": " warm ", \"max\": " max "}"
#define DRAIN(on) "{\"command\": \"drain\", \"on\": " on "}"
#define PANIC(on) "{\"command\": \"panic\", \"on\": " on "}"
#define RELEASE(more) "{\"command\": \"release\", \"address\": \"10.66.4.2\"" more "}"
#define RELEASE_AT(address) "{\"command\": \"release\", \"address\": " address "}"

struct good {
	const char *line;
	enum command command;
	const char *address, *uplink;
	int vlan;
	unsigned int warm, max;
	bool on;
};

static const struct good good[] = {
	{"{\"command\": \"status\"}", .command = COMMAND_STATUS},
	{"{\"command\": \"leases\"}", .command = COMMAND_LEASES},
	{"{\"command\": \"containers\"}", .command = COMMAND_CONTAINERS},
	{"{\"command\": \"counters\"}", .command = COMMAND_COUNTERS},
	{"{\"command\": \"latency\"}", .command = COMMAND_LATENCY},
	{"{\"command\": \"watch\"}", .command = COMMAND_WATCH},
	{"{\"command\": \"reload\"}", .command = COMMAND_RELOAD},
	{"{\"command\": \"handover\"}", .command = COMMAND_HANDOVER},
	{"{\"command\": \"hosts\"}", .command = COMMAND_HOSTS},
	{"{\"command\": \"would\"}", .command = COMMAND_WOULD},
	{PANIC("true"), .command = COMMAND_PANIC, .on = true},
	{PANIC("false"), .command = COMMAND_PANIC, .on = false},
	{RESIZE("1", "1"), .command = COMMAND_RESIZE, .warm = 1, .max = 1},
	{RESIZE("32", "4000"), .command = COMMAND_RESIZE, .warm = 32, .max = 4000},
	{RESIZE("65536", "65536"), .command = COMMAND_RESIZE, .warm = 65536, .max = 65536},
	{DRAIN("true"), .command = COMMAND_DRAIN, .on = true},
	{DRAIN("false"), .command = COMMAND_DRAIN, .on = false},
	{RELEASE(""), .command = COMMAND_RELEASE, .address = "10.66.4.2", .vlan = -1},
	{RELEASE(", \"uplink\": \"eth0\""), .command = COMMAND_RELEASE, .address = "10.66.4.2",
	 .uplink = "eth0", .vlan = -1},
	{RELEASE(", \"uplink\": \"fifteen-letters\""), .command = COMMAND_RELEASE,
	 .address = "10.66.4.2", .uplink = "fifteen-letters", .vlan = -1},
	{RELEASE(", \"vlan\": 0"), .command = COMMAND_RELEASE, .address = "10.66.4.2"},
	{RELEASE(", \"vlan\": 7, \"uplink\": \"eth0\""), .command = COMMAND_RELEASE,
	 .address = "10.66.4.2", .uplink = "eth0", .vlan = 7},
	{RELEASE(", \"vlan\": 4094"), .command = COMMAND_RELEASE, .address = "10.66.4.2",
	 .vlan = 4094},
	{RELEASE(", \"uplink\": \"reflect\", \"vlan\": 65535"), .command = COMMAND_RELEASE,
	 .address = "10.66.4.2", .uplink = "reflect", .vlan = 65535},
	{RELEASE_AT("\"0.0.0.0\""), .command = COMMAND_RELEASE, .address = "0.0.0.0", .vlan = -1},
	{RELEASE_AT("\"255.255.255.255\""), .command = COMMAND_RELEASE,
	 .address = "255.255.255.255", .vlan = -1},
	{" \t{\"command\":\"status\"}\r\n", .command = COMMAND_STATUS},
	{"{\"command\": \"st\\u0061tus\"}", .command = COMMAND_STATUS},
	/* What is not known is not asked for; what a command does not take it does not look at. */
	{"{\"command\": \"status\", \"since\": [1, {\"a\": null}]}", .command = COMMAND_STATUS},
	{"{\"command\": \"leases\", \"address\": 7, \"uplink\": 7, \"vlan\": \"x\"}",
	 .command = COMMAND_LEASES},
	{"{\"command\": \"reload\", \"on\": 7, \"warm\": 0, \"max\": \"x\"}",
	 .command = COMMAND_RELOAD},
};

struct bad {
	const char *line;
	const char *error;
};

static const struct bad bad[] = {
	{"", NO_OBJECT},
	{"\n", NO_OBJECT},
	{"status", NO_OBJECT},
	{"{", NO_OBJECT},
	{"{}}", NO_OBJECT},
	{"[]", NO_OBJECT},
	{"[{\"command\": \"status\"}]", NO_OBJECT},
	{"null", NO_OBJECT},
	{"7", NO_OBJECT},
	{"\"status\"", NO_OBJECT},
	{"{\"command\": \"status\"", NO_OBJECT},
	{"{\"command\": \"status\",}", NO_OBJECT},
	{"{'command': 'status'}", NO_OBJECT},
	{"{\"command\": \"status\"} x", NO_OBJECT},
	{"{\"command\": \"status\"}{\"command\": \"status\"}", NO_OBJECT},
	{"{\"command\": \"status\", \"command\": \"leases\"}", NO_OBJECT},
	{"{\"command\": \"st\xff\"}", NO_OBJECT},
	{"{\"command\": \"status\\u0000\"}", NO_OBJECT},
	{"{\"command\": \"status\xc0\x80\"}", NO_OBJECT},
	{"{}", NO_COMMAND},
	{"{\"Command\": \"status\"}", NO_COMMAND},
	{"{\"command\": null}", NO_COMMAND},
	{"{\"command\": 0}", NO_COMMAND},
	{"{\"command\": [\"status\"]}", NO_COMMAND},
	{"{\"command\": \"\"}", UNKNOWN},
	{"{\"command\": \"Status\"}", UNKNOWN},
	{"{\"command\": \"status \"}", UNKNOWN},
	{"{\"command\": \"stat\"}", UNKNOWN},
	{"{\"command\": \"template\"}", UNKNOWN},
	{"{\"command\": \"release\"}", NO_ADDRESS},
	{RELEASE_AT("null"), NO_ADDRESS},
	{RELEASE_AT("168821762"), NO_ADDRESS},
	{RELEASE_AT("\"\""), NO_ADDRESS},
	{RELEASE_AT("\"10.66.4\""), NO_ADDRESS},
	{RELEASE_AT("\"10.66.4.2 \""), NO_ADDRESS},
	{RELEASE_AT("\"10.66.4.2/32\""), NO_ADDRESS},
	{RELEASE_AT("\"10.66.4.256\""), NO_ADDRESS},
	{RELEASE_AT("\"0x0a.66.4.2\""), NO_ADDRESS},
	{RELEASE_AT("\"::ffff:10.66.4.2\""), NO_ADDRESS},
	{RELEASE_AT("\"router\""), NO_ADDRESS},
	{RELEASE(", \"uplink\": \"\""), NO_NAME},
	{RELEASE(", \"uplink\": \"sixteen-letters!\""), NO_NAME},
	{RELEASE(", \"uplink\": 0"), NO_NAME},
	{RELEASE(", \"uplink\": null"), NO_NAME},
	{RELEASE(", \"uplink\": [\"eth0\"]"), NO_NAME},
	{RELEASE(", \"vlan\": -1"), NO_VLAN},
	{RELEASE(", \"vlan\": 4095"), NO_VLAN},
	{RELEASE(", \"vlan\": 65535, \"uplink\": \"eth0\""), NO_VLAN},
	{RELEASE(", \"vlan\": 65536, \"uplink\": \"reflect\""), NO_ROOT},
	{RELEASE(", \"vlan\": -1, \"uplink\": \"reflect\""), NO_ROOT},
	{RELEASE(", \"vlan\": 4294967303"), NO_VLAN},
	{RELEASE(", \"vlan\": -9223372036854775808"), NO_VLAN},
	{RELEASE(", \"vlan\": 7.0"), NO_VLAN},
	{RELEASE(", \"vlan\": \"7\""), NO_VLAN},
	{RELEASE(", \"vlan\": true"), NO_VLAN},
	{RELEASE(", \"vlan\": null"), NO_VLAN},
	{"{\"command\": \"resize\"}", NO_WARM},
	{"{\"command\": \"resize\", \"max\": 7}", NO_WARM},
	{"{\"command\": \"resize\", \"warm\": 7}", NO_MAX},
	{RESIZE("0", "7"), NO_WARM},
	{RESIZE("-1", "7"), NO_WARM},
	{RESIZE("65537", "65536"), NO_WARM},
	{RESIZE("4294967297", "7"), NO_WARM},
	{RESIZE("1.0", "7"), NO_WARM},
	{RESIZE("\"1\"", "7"), NO_WARM},
	{RESIZE("null", "7"), NO_WARM},
	{RESIZE("true", "7"), NO_WARM},
	{RESIZE("1", "0"), NO_MAX},
	{RESIZE("1", "-7"), NO_MAX},
	{RESIZE("1", "65537"), NO_MAX},
	{RESIZE("1", "18446744073709551617"), NO_OBJECT}, /* no integer of 64 bits */
	{RESIZE("1", "7e0"), NO_MAX},
	{RESIZE("1", "[7]"), NO_MAX},
	{RESIZE("8", "7"), WARM_OVER_MAX},
	{RESIZE("65536", "65535"), WARM_OVER_MAX},
	{"{\"command\": \"drain\"}", NO_SWITCH},
	{"{\"command\": \"panic\"}", NO_SWITCH},
	{PANIC("1"), NO_SWITCH},
	{DRAIN("null"), NO_SWITCH},
	{DRAIN("1"), NO_SWITCH},
	{DRAIN("0"), NO_SWITCH},
	{DRAIN("\"on\""), NO_SWITCH},
	{DRAIN("\"true\""), NO_SWITCH},
	{DRAIN("[true]"), NO_SWITCH},
	/* More than one: the first is told. */
	{"{\"command\": \"release\", \"address\": 1, \"uplink\": 1, \"vlan\": 9999}", NO_ADDRESS},
	{RELEASE(", \"vlan\": 9999, \"uplink\": 1"), NO_NAME},
};

static int parse(const char *line, size_t len, struct request *ret, const char **ret_error)
{
	cleanup_free char *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, line, len);
	memset(ret, 0xa5, sizeof(*ret));
	*ret_error = NULL;
	return request_parse(copy, len, ret, ret_error);
}

static void check_taken(const struct good *row)
{
	struct request request;
	const char *error;

	if (parse(row->line, strlen(row->line), &request, &error))
		fail_msg("%s: %s", row->line, error);
	assert_null(error);
	if (request.warm != row->warm || request.max != row->max || request.on != row->on)
		fail_msg("%s: warm %u, max %u, on %d", row->line, request.warm, request.max,
			 request.on);
	if (request.command != row->command ||
	    request.address != (row->address ? inet_addr(row->address) : 0) ||
	    strcmp(request.uplink, row->uplink ? row->uplink : "") || request.vlan != row->vlan)
		fail_msg("%s: command %d, address %08x, uplink '%s', vlan %d", row->line,
			 request.command, request.address, request.uplink, request.vlan);
}

static void taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		check_taken(&good[i]);
}

/* An error is one of the constants, and the only thing that is changed. */
static void check_refused(const char *line, size_t len, const char *expected)
{
	struct request request, before;
	const char *error;

	memset(&before, 0xa5, sizeof(before));
	if (parse(line, len, &request, &error) != -EINVAL || !error || strcmp(error, expected))
		fail_msg("%.*s: '%s', not '%s'", (int)len, line, error ? error : "", expected);
	assert_memory_equal(&request, &before, sizeof(request));
}

static void refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check_refused(bad[i].line, strlen(bad[i].line), bad[i].error);
}

/* Half-written, at any length. */
static void cut_off_anywhere(void **state)
{
	static const char *const lines[] = {RELEASE(", \"uplink\": \"eth0\", \"vlan\": 7"),
					    RESIZE("32", "256"), DRAIN("true")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		for (size_t len = 0; len < strlen(lines[i]); len++)
			check_refused(lines[i], len, NO_OBJECT);
}

static void a_nul_ends_nothing(void **state)
{
	static const char line[] = "{\"command\": \"status\"}\0{\"command\": \"status\"}";

	(void)state;
	check_refused(line, sizeof(line) - 1, NO_OBJECT);
	check_refused(line, sizeof("{\"command\": \"status\"}"), NO_OBJECT);
	check_refused("\0", 1, NO_OBJECT);
}

/* As deep and as long as a line can be. */
static void the_longest_line(void **state)
{
	char line[REQUEST_LINE_MAX];
	struct request request;
	const char *error;

	(void)state;
	memset(line, '[', sizeof(line));
	check_refused(line, sizeof(line), NO_OBJECT);
	memset(line, ' ', sizeof(line));
	memcpy(line + sizeof(line) - 20, "{\"command\":\"status\"}", 20);
	assert_int_equal(parse(line, sizeof(line), &request, &error), 0);
	assert_int_equal(request.command, COMMAND_STATUS);
}

static void names(void **state)
{
	static const char *const expected[] = {"status",  "leases", "containers", "counters",
					       "latency", "watch",  "release",	  "resize",
					       "drain",	  "reload", "handover",	  "hosts",
					       "would",	  "panic",  "flows",	  "policy"};

	(void)state;
	assert_int_equal(ARRAY_SIZE(expected), COMMAND_MAX);
	for (int i = 0; i < COMMAND_MAX; i++)
		assert_string_equal(command_name((enum command)i), expected[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(refused),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(a_nul_ends_nothing),
		cmocka_unit_test(the_longest_line),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests_name("request", tests, NULL, NULL);
}
