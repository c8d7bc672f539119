/* SPDX-License-Identifier: GPL-2.0 */
/* Idmapped mounts: a template's files keep their owners on disk and appear as a container's own. */
#ifndef SKEP_USER_IDMAP_H
#define SKEP_USER_IDMAP_H

#include <linux/types.h>

/**
 * idmap_userns() - a user namespace whose ids 0.. are CONFIG_IDS ids of the host
 * @first: of them
 *
 * Return: a descriptor, which the caller closes; or negative errno.
 */
int idmap_userns(__u32 first);

/**
 * idmap_mount() - mounts @source read-only at @target, as a mount of its own (mount_setattr(2))
 * @userns: its owners are those that this namespace has for them; negative: as they are
 *
 * Return: 0; -EINVAL when the file system of @source cannot; another negative errno.
 */
int idmap_mount(const char *source, const char *target, int userns);

/** idmap_try() - whether @source can be mounted with other owners: 0, or as idmap_mount() */
int idmap_try(const char *source);

#endif
