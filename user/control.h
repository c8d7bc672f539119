/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: Control
 *
 * Clients of the control socket are served by a process of their own, forked at start-up: it reads
 * the maps itself and passes on only what changes something. So nothing a client does, or fails to
 * do, is felt by the allocator. The same process writes the allocator's log lines, since stderr may
 * block too.
 */
#ifndef SKEP_USER_CONTROL_H
#define SKEP_USER_CONTROL_H

#include "config.h"
#include "datapath.h"

#define CONTROL_SOCKET_NAME "skepd.sock"

/**
 * control_start() - makes the socket in run_dir and forks the process
 * @ret_channel: the allocator's end
 *
 * Logs what is wrong. The process ends when the parent does. Return: its pid or negative errno.
 */
int control_start(const struct config *config, const struct datapath *dp, int *ret_channel);

#endif
