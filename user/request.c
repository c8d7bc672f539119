// SPDX-License-Identifier: GPL-2.0
/* Requests; see request.h. Trusts nothing it reads and keeps nothing. */
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

static const char *const names[] = {
	[COMMAND_STATUS] = "status",	     [COMMAND_LEASES] = "leases",
	[COMMAND_CONTAINERS] = "containers", [COMMAND_COUNTERS] = "counters",
	[COMMAND_RELEASE] = "release",	     [COMMAND_WATCH] = "watch",
};

const char *command_name(enum command command)
{
	return names[command];
}

static const char *parse_command(const json_t *object, struct request *request)
{
	const char *name = json_string_value(json_object_get(object, "command"));

	for (int i = 0; name && i < COMMAND_MAX; i++)
		if (!strcmp(name, names[i])) {
			request->command = (enum command)i;
			return NULL;
		}
	return name ? "no such command" : "no \"command\" given";
}

static const char *parse_uplink(const json_t *object, struct request *request)
{
	const json_t *value = json_object_get(object, "uplink");
	const char *name = json_string_value(value);

	if (!value)
		return NULL;
	if (!name || !*name || strlen(name) >= sizeof(request->uplink))
		return "\"uplink\" is no interface name";
	strcpy(request->uplink, name);
	return NULL;
}

static const char *parse_vlan(const json_t *object, struct request *request)
{
	const json_t *value = json_object_get(object, "vlan");

	request->vlan = -1;
	if (!value)
		return NULL;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > 4094)
		return "\"vlan\" is no VLAN id (0 to 4094)";
	request->vlan = (int)json_integer_value(value);
	return NULL;
}

static const char *parse_release(const json_t *object, struct request *request)
{
	const char *address = json_string_value(json_object_get(object, "address"));
	const char *error;

	if (!address || inet_pton(AF_INET, address, &request->address) != 1)
		return "\"address\" is no IPv4 address";
	error = parse_uplink(object, request);
	return error ? error : parse_vlan(object, request);
}

int request_parse(const char *line, size_t len, struct request *ret, const char **ret_error)
{
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct request request = {};
	const char *error = "not a JSON object";

	if (json_is_object(object))
		error = parse_command(object, &request);
	if (!error && request.command == COMMAND_RELEASE)
		error = parse_release(object, &request);
	json_decref(object);
	if (error) {
		*ret_error = error;
		return -EINVAL;
	}
	*ret = request;
	return 0;
}
