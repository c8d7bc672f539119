/* SPDX-License-Identifier: GPL-2.0 */
/* What clients of the control socket may ask: one JSON object a line. Pure. */
#ifndef SKEP_USER_REQUEST_H
#define SKEP_USER_REQUEST_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "skep/maps.h"

#define REQUEST_LINE_MAX 4096

enum command {
	COMMAND_STATUS,
	COMMAND_LEASES,
	COMMAND_CONTAINERS,
	COMMAND_COUNTERS,
	COMMAND_LATENCY,
	COMMAND_WATCH,
	COMMAND_RELEASE,
	COMMAND_RESIZE,
	COMMAND_DRAIN,
	COMMAND_RELOAD,
	COMMAND_HANDOVER,
	COMMAND_HOSTS,
	COMMAND_WOULD,
	COMMAND_PANIC,
	COMMAND_FLOWS,
	COMMAND_POLICY,
	COMMAND_MAX,
};

/**
 * struct request - {"command": "release", "address": "10.66.4.2", "uplink": "eth0", "vlan": 7}
 * @address: of `release` and `flows`, network byte order; 0 for all flows
 * @uplink:  of `release`, empty when the client does not say
 * @vlan:    of `release`, -1 when the client does not say; in a world, number of the container
 *           whose world it is
 * @warm:    of `resize`, 1 to @max
 * @max:     of `resize`, 1 to SKEP_CONTAINERS_MAX
 * @on:      of `drain` and `panic`
 */
struct request {
	enum command command;
	__be32 address;
	char uplink[IFNAMSIZ];
	int vlan;
	unsigned int warm;
	unsigned int max;
	bool on;
};

/**
 * request_parse() - reads one line
 * @ret_error: on failure what is wrong, a constant string
 *
 * Return: 0 or -EINVAL.
 */
int request_parse(const char *line, size_t len, struct request *ret, const char **ret_error);

/** command_name() - as in the request */
const char *command_name(enum command command);

#endif
