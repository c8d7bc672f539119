/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The container driver: one life of a container, from nothing to a running init and back to
 * nothing. Every call may take milliseconds and forks, so only keepers make them. Implemented by
 * container_lxc.c.
 */
#ifndef SKEP_USER_CONTAINER_H
#define SKEP_USER_CONTAINER_H

#include <linux/types.h>
#include <sys/types.h>

#include "config.h"

#define CONTAINER_NAME_LEN 16
#define CONTAINER_REASON_LEN 200

/** container_name() - name of the container in a slot, to @buf of CONTAINER_NAME_LEN bytes; returns
 * @buf */
const char *container_name(__u32 slot, char *buf);

/**
 * container_port_name() - name of its port
 *
 * "skep17" in a farm whose state_dir is the default, else with a hash of state_dir: two farms may
 * share a network namespace.
 */
const char *container_port_name(const struct config *config, __u32 slot, char *buf);

/**
 * container_prepare() - what all containers share: directories, template mounts, device nodes,
 * seccomp profile
 *
 * Called once, before the keepers are forked. Logs what is wrong. Return: 0 or negative errno.
 */
int container_prepare(const struct config *config);

/** container_unprepare() - undoes container_prepare(), also that of a skepd that was killed */
void container_unprepare(const struct config *config);

/**
 * container_start() - makes a writable layer and starts init on it, without any network interface
 * @template:  index into config->templates
 * @host_name: what it calls itself
 * @log_file:  where liblxc may write; it is truncated
 * @ret_pid:   init, seen from the host
 * @reason:    CONTAINER_REASON_LEN bytes; on failure why, in the driver's own words
 *
 * Return: 0, or negative errno; container_destroy() is to be called in both cases.
 */
int container_start(const struct config *config, __u32 slot, __u32 template, const char *host_name,
		    const char *log_file, pid_t *ret_pid, char *reason);

/** container_destroy() - ends its processes and removes layer and cgroups; 0 also when there is
 * nothing */
int container_destroy(const struct config *config, __u32 slot, char *reason);

/**
 * container_leftovers() - slots that an earlier skepd left containers in
 * @ret: array; the caller frees it
 *
 * Return: how many, or negative errno.
 */
int container_leftovers(const struct config *config, __u32 **ret);

#endif
