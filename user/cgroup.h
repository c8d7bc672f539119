/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Control groups: v2 alone, or v1 and v2 mixed. A group is named relative to the hierarchies' roots
 * and is the same one in all that have a controller of ours (memory, cpu, pids), and in v2's.
 */
#ifndef SKEP_USER_CGROUP_H
#define SKEP_USER_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#define CGROUP_ROOT "/sys/fs/cgroup"
#define CGROUP_HIERARCHIES_MAX 4

/** cgroup_look_at() - the hierarchies are mounted at, or below, @root; for this process, from now
 * on */
void cgroup_look_at(const char *root);

/** cgroup_is_v2() - whether the unified hierarchy is the only one */
bool cgroup_is_v2(void);

/** cgroup_has() - whether a controller ("memory", "cpu", "pids") can be used */
bool cgroup_has(const char *controller);

/** cgroup_is_at() - whether a hierarchy of ours is mounted there */
bool cgroup_is_at(const char *mount_point);

/** cgroup_make() - makes a group in every hierarchy; 0, also when it is there, or negative errno */
int cgroup_make(const char *group);

/** cgroup_delegate() - lets a group have groups with controllers of their own (v2) */
void cgroup_delegate(const char *group);

/** cgroup_set() - writes a file of a group, in the hierarchy of a controller; 0 or negative errno
 */
int cgroup_set(const char *controller, const char *group, const char *file, const char *value);

/**
 * cgroup_open() - what a process enters a group by
 * @ret_fds: writing "0" to each of these moves the caller; the caller closes them
 *
 * Return: how many, or negative errno.
 */
int cgroup_open(const char *group, int ret_fds[CGROUP_HIERARCHIES_MAX]);

/** cgroup_exists() - in any hierarchy */
bool cgroup_exists(const char *group);

/** cgroup_kill() - kills all processes in a group and below */
void cgroup_kill(const char *group);

/**
 * cgroup_remove() - kills what runs in a group and removes it with all below, in every hierarchy
 *
 * Return: 0, also when there is none; -EBUSY when processes would not end within five seconds.
 */
int cgroup_remove(const char *group);

/** cgroup_children() - calls @visit with the name of each group below, for each hierarchy it is in
 */
void cgroup_children(const char *group, void (*visit)(void *data, const char *name), void *data);

#endif
