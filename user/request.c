// SPDX-License-Identifier: GPL-2.0
/* Requests; see request.h. Trusts nothing it reads and keeps nothing. */
#include "request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "world.h"

static const char *const names[] = {
	[COMMAND_STATUS] = "status",	     [COMMAND_LEASES] = "leases",
	[COMMAND_CONTAINERS] = "containers", [COMMAND_COUNTERS] = "counters",
	[COMMAND_LATENCY] = "latency",	     [COMMAND_WATCH] = "watch",
	[COMMAND_RELEASE] = "release",	     [COMMAND_RESIZE] = "resize",
	[COMMAND_DRAIN] = "drain",	     [COMMAND_RELOAD] = "reload",
	[COMMAND_HANDOVER] = "handover",     [COMMAND_HOSTS] = "hosts",
	[COMMAND_WOULD] = "would",	     [COMMAND_PANIC] = "panic",
	[COMMAND_FLOWS] = "flows",	     [COMMAND_POLICY] = "policy",
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

/* In a world it is the slot of the container whose world that is. */
static const char *parse_vlan(const json_t *object, struct request *request)
{
	const json_t *value = json_object_get(object, "vlan");
	const bool is_world = !strcmp(request->uplink, WORLD_NAME);

	request->vlan = -1;
	if (!value)
		return NULL;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > (is_world ? SKEP_CONTAINERS_MAX - 1 : 4094))
		return is_world ? "\"vlan\" is no container (0 to 65535)"
				: "\"vlan\" is no VLAN id (0 to 4094)";
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

/* All flows, or those of an address. */
static const char *parse_flows(const json_t *object, struct request *request)
{
	const json_t *value = json_object_get(object, "address");
	const char *address = json_string_value(value);

	if (value && (!address || inet_pton(AF_INET, address, &request->address) != 1))
		return "\"address\" is no IPv4 address";
	return NULL;
}

/* Whether @key is a number of containers that there can be. */
static bool parse_number(const json_t *object, const char *key, unsigned int *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 1 ||
	    json_integer_value(value) > SKEP_CONTAINERS_MAX)
		return false;
	*ret = (unsigned int)json_integer_value(value);
	return true;
}

static const char *parse_resize(const json_t *object, struct request *request)
{
	if (!parse_number(object, "warm", &request->warm))
		return "\"warm\" is no number of containers (1 to 65536)";
	if (!parse_number(object, "max", &request->max))
		return "\"max\" is no number of containers (1 to 65536)";
	return request->warm > request->max ? "\"warm\" is more than \"max\"" : NULL;
}

static const char *parse_on(const json_t *object, struct request *request)
{
	const json_t *value = json_object_get(object, "on");

	request->on = json_is_true(value);
	return json_is_boolean(value) ? NULL : "\"on\" is neither true nor false";
}

static const char *parse_more(const json_t *object, struct request *request)
{
	switch (request->command) {
	case COMMAND_RELEASE:
		return parse_release(object, request);
	case COMMAND_FLOWS:
		return parse_flows(object, request);
	case COMMAND_RESIZE:
		return parse_resize(object, request);
	case COMMAND_DRAIN:
	case COMMAND_PANIC:
		return parse_on(object, request);
	default:
		return NULL;
	}
}

int request_parse(const char *line, size_t len, struct request *ret, const char **ret_error)
{
	json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	struct request request = {};
	const char *error = "not a JSON object";

	if (json_is_object(object))
		error = parse_command(object, &request);
	if (!error)
		error = parse_more(object, &request);
	json_decref(object);
	if (error) {
		*ret_error = error;
		return -EINVAL;
	}
	*ret = request;
	return 0;
}
