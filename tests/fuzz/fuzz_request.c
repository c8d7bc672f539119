// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: request_parse() on any line, alone in memory of exactly its size. What is taken must
 * be a request that says the same when it is written down again; what is refused must leave nothing
 * behind but one of the errors that there are.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "request.h"
#include "world.h"

static const char *const errors[] = {
	"not a JSON object",
	"no \"command\" given",
	"no such command",
	"\"address\" is no IPv4 address",
	"\"uplink\" is no interface name",
	"\"vlan\" is no VLAN id (0 to 4094)",
	"\"vlan\" is no container (0 to 65535)",
	"\"warm\" is no number of containers (1 to 65536)",
	"\"max\" is no number of containers (1 to 65536)",
	"\"warm\" is more than \"max\"",
	"\"on\" is neither true nor false",
};

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool is_known(const char *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (!strcmp(error, errors[i]))
			return true;
	return false;
}

static int parse(const void *data, size_t size, struct request *ret, const char **ret_error)
{
	cleanup_free char *line = malloc(size ? size : 1);

	check(line != NULL);
	if (size)
		memcpy(line, data, size);
	memset(ret, 0xa5, sizeof(*ret));
	*ret_error = NULL;
	return request_parse(line, size, ret, ret_error);
}

static void check_refused(const struct request *request, const char *error)
{
	struct request untouched;

	memset(&untouched, 0xa5, sizeof(untouched));
	check(error && is_known(error));
	check(!memcmp(request, &untouched, sizeof(untouched)));
}

static void add(json_t *object, const char *key, json_t *value)
{
	check(value && !json_object_set_new(object, key, value));
}

static void add_address(json_t *object, __be32 address)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &address, text, sizeof(text));
	add(object, "address", json_string(text));
}

static void add_release(json_t *object, const struct request *request)
{
	add_address(object, request->address);
	if (request->uplink[0])
		add(object, "uplink", json_string(request->uplink));
	if (request->vlan >= 0)
		add(object, "vlan", json_integer(request->vlan));
}

static char *write_down(const struct request *request)
{
	json_t *object = json_object();
	char *line;

	add(object, "command", json_string(command_name(request->command)));
	if (request->command == COMMAND_RELEASE)
		add_release(object, request);
	if (request->command == COMMAND_FLOWS && request->address)
		add_address(object, request->address);
	if (request->command == COMMAND_RESIZE) {
		add(object, "warm", json_integer(request->warm));
		add(object, "max", json_integer(request->max));
	}
	if (request->command == COMMAND_DRAIN || request->command == COMMAND_PANIC)
		add(object, "on", json_boolean(request->on));
	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	check(line != NULL);
	return line;
}

/* In a world it is the slot of a container. */
static int last_vlan(const struct request *request)
{
	return strcmp(request->uplink, WORLD_NAME) ? 4094 : SKEP_CONTAINERS_MAX - 1;
}

/* What a command does not take is zero. */
static void check_bounds(const struct request *request)
{
	check(request->command < COMMAND_MAX);
	check(strnlen(request->uplink, IFNAMSIZ) < IFNAMSIZ);
	check(request->vlan >= -1 && request->vlan <= last_vlan(request));
	if (request->command != COMMAND_RELEASE && request->command != COMMAND_FLOWS)
		check(!request->address);
	if (request->command != COMMAND_RELEASE)
		check(!request->uplink[0] && !request->vlan);
	if (request->command != COMMAND_RESIZE)
		check(!request->warm && !request->max);
	else
		check(request->warm && request->warm <= request->max &&
		      request->max <= SKEP_CONTAINERS_MAX);
	if (request->command != COMMAND_DRAIN && request->command != COMMAND_PANIC)
		check(!request->on);
}

static void check_taken(const struct request *request)
{
	struct request again;
	const char *error;
	cleanup_free char *line = NULL;

	check_bounds(request);
	line = write_down(request);
	check(!parse(line, strlen(line), &again, &error));
	check(again.command == request->command && again.address == request->address &&
	      again.vlan == request->vlan && !strcmp(again.uplink, request->uplink) &&
	      again.warm == request->warm && again.max == request->max && again.on == request->on);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request request;
	const char *error;
	int err;

	if (size > REQUEST_LINE_MAX)
		return 0;
	err = parse(data, size, &request, &error);
	check(err == 0 || err == -EINVAL);
	if (err)
		check_refused(&request, error);
	else
		check_taken(&request);
	return 0;
}
