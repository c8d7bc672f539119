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
 * container_prepare() - what all containers share: template mounts, device nodes, seccomp profile,
 * cgroup with the farm's limits
 *
 * Called before the keepers are forked, also while containers of an earlier skepd run, and again
 * with each new configuration: what is right stays, what is missing is added, a template whose
 * rootfs is another one by now is mounted anew. Running containers notice nothing. Logs what is
 * wrong. Return: 0 or negative errno.
 */
int container_prepare(const struct config *config);

/**
 * container_unprepare() - undoes container_prepare(), also that of a skepd that was killed
 *
 * Waits, for a bounded time, until the ports of destroyed containers are gone.
 */
void container_unprepare(const struct config *config);

/**
 * container_stage() - gives the calling process a mount namespace to make containers in
 *
 * For keepers: at their start, and again with each new configuration; what is mounted in the
 * parent's namespace by then is seen. The parent's own mounts are never touched. Return: 0 or
 * negative errno.
 */
int container_stage(const struct config *config);

/**
 * container_start() - makes a writable layer and starts init on it, without any network interface
 *
 * The layer is a file system in memory of the template's `disk` and `inodes`. It is mounted in the
 * container only and goes with it. Only after container_stage().
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

/**
 * container_destroy() - ends its processes and removes its cgroups; its port goes with the network
 * namespace, a little later
 *
 * Return: 0 also when there is nothing; negative errno with a @reason.
 */
int container_destroy(const struct config *config, __u32 slot, char *reason);

/** container_is_alive() - whether @pid is the init of the container in this slot */
bool container_is_alive(const struct config *config, __u32 slot, pid_t pid);

/**
 * container_leftovers() - slots that anything is left in, running or not
 * @ret: array, each slot once, in no order; the caller frees it
 *
 * Return: how many, or negative errno.
 */
int container_leftovers(const struct config *config, __u32 **ret);

#endif
