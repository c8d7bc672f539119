/* SPDX-License-Identifier: GPL-2.0 */
/* Idmapped mounts: a template's files keep their owners on disk and appear as the containers' own.
 */
#ifndef SKEP_USER_IDMAP_H
#define SKEP_USER_IDMAP_H

#include <linux/types.h>

#define IDMAP_SIZE 65536U

/**
 * idmap_mount() - mounts @source read-only at @target with ids 0.. shown as @id_base..
 * (mount_setattr(2))
 *
 * Return: 0; -EINVAL when the file system of @source cannot; another negative errno.
 */
int idmap_mount(const char *source, const char *target, __u32 id_base);

#endif
