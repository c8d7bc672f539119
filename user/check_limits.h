/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The limits of the machine against what pool.max containers need: sysctls, memory, control groups.
 * The figures are those of template `basic`, measured and rounded up; skep.conf(5) lists them.
 */
#ifndef SKEP_USER_CHECK_LIMITS_H
#define SKEP_USER_CHECK_LIMITS_H

#include "config.h"

/**
 * struct limit - a sysctl that may be too low
 * @name:     as sysctl(8) has it; dots stand for the slashes of its path below /proc/sys
 * @why:      what it is needed for, in brackets behind the number
 * @at_least: or NULL: what is needed of it for another reason
 * @base:     what the rest of the machine needs of it
 * @each:     what every @of containers need
 * @of:       likewise
 * @fatal:    the pool cannot reach pool.max without it; else what it costs comes later
 */
struct limit {
	const char *name;
	const char *why;
	__u64 (*at_least)(const struct config *config);
	unsigned int base;
	unsigned int each;
	unsigned int of;
	bool fatal;
};

/** limits_sysctls() - all of them, @n */
const struct limit *limits_sysctls(size_t *n);

/** limits_need() - the least value of a limit that is enough. Pure. */
__u64 limits_need(const struct limit *limit, const struct config *config);

/** limits_need_memory() - bytes that the farm has in use when all of pool.max is idle, and every
 * address bound that may share a container. Pure. */
__u64 limits_need_memory(const struct config *config);

/**
 * limits_tell - takes one line "FILE:LINE: what is too low; what to do"
 * @fatal: see struct limit
 */
typedef void (*limits_tell)(void *data, bool fatal, const char *line);

/**
 * check_limits() - tells of every limit that is too low
 * @root: directory that stands for /, so that /proc and /sys are found in it
 *
 * What cannot be read is no limit. Return: how many lines were fatal.
 */
unsigned int check_limits(const struct config *config, int root, limits_tell tell, void *data);

#endif
