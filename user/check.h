/* SPDX-License-Identifier: GPL-2.0 */
/* The configuration against the machine: what `skepd -t` tells before a start would fail. */
#ifndef SKEP_USER_CHECK_H
#define SKEP_USER_CHECK_H

#include "config.h"

/**
 * check_machine() - NICs exist, templates are there and have their init, directories can be made,
 * and the machine's limits are high enough for pool.max containers
 * @error: CONFIG_ERROR_MAX bytes; "FILE:LINE: what is wrong; what to do"
 *
 * Of limits that are too low the first is the error, further ones are logged, so that all of them
 * can be raised at once; those that matter only later are logged as warnings. Ranges that the
 * uplink program cannot bind, though it is to, are logged for information.
 *
 * Return: 0, or the negative errno of the first thing that is wrong; -ENOSPC for a limit.
 */
int check_machine(const struct config *config, char *error);

/**
 * check_own_addresses() - the IPv4 addresses of this machine's own interfaces
 * @ret: array in network byte order; the caller frees it
 * @n:   its length
 *
 * They are excluded from every range. Return: 0 or negative errno.
 */
int check_own_addresses(__be32 **ret, size_t *n);

#endif
