/* SPDX-License-Identifier: GPL-2.0 */
/* What clients of the control socket may ask: one JSON object a line. Pure. */
#ifndef SKEP_USER_REQUEST_H
#define SKEP_USER_REQUEST_H

#include <net/if.h>
#include <stddef.h>

#include "skep/maps.h"

#define REQUEST_LINE_MAX 4096

enum command {
	COMMAND_STATUS,
	COMMAND_LEASES,
	COMMAND_CONTAINERS,
	COMMAND_COUNTERS,
	COMMAND_RELEASE,
	COMMAND_WATCH,
	COMMAND_MAX,
};

/**
 * struct request - {"command": "release", "address": "10.66.4.2", "uplink": "eth0", "vlan": 7}
 * @address: of `release`, network byte order
 * @uplink:  empty when the client does not say
 * @vlan:    -1 when the client does not say
 */
struct request {
	enum command command;
	__be32 address;
	char uplink[IFNAMSIZ];
	int vlan;
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
