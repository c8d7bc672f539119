/* SPDX-License-Identifier: GPL-2.0 */
/* Control groups as far as liblxc leaves them to us: v2 alone, or v1 and v2 mixed. */
#ifndef SKEP_USER_CGROUP_H
#define SKEP_USER_CGROUP_H

#include <stdbool.h>

/** cgroup_is_v2() - whether the unified hierarchy is the only one */
bool cgroup_is_v2(void);

/** struct cgroup_home - where a process belongs, in every hierarchy */
struct cgroup_home;

/** cgroup_home_new() - of the calling process; freed with it. Return: NULL when out of memory. */
struct cgroup_home *cgroup_home_new(void);

/** cgroup_go_home() - moves the calling process back there */
void cgroup_go_home(const struct cgroup_home *home);

/**
 * cgroup_remove() - kills what runs in a group and removes it with all below, in every hierarchy
 * @group: relative to the hierarchies' roots
 *
 * Return: 0, also when there is none; -EBUSY when processes would not end within five seconds.
 */
int cgroup_remove(const char *group);

#endif
