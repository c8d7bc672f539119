/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The stage: where a keeper puts together a container's root file system, in a mount namespace of
 * its own. The container's namespace is copied from that; then the stage is cleared again. So what
 * is mounted for a container is nowhere but in the container, goes with it, and no other mount
 * namespace grows.
 */
#ifndef SKEP_USER_STAGE_H
#define SKEP_USER_STAGE_H

#include "config.h"

/**
 * stage_enter() - a mount namespace for the calling process, copied from its parent's
 *
 * May be called again: then the former one is left. The working directory becomes the stage.
 * Return: 0 or negative errno.
 */
int stage_enter(const struct config *config);

/**
 * stage_set() - a fresh root file system: a template, a writable layer over it, and /dev
 * @slot:     whose ids own what is in it
 * @ret_root: FARM_PATH_LEN bytes; its absolute path in this namespace
 *
 * Return: 0 or negative errno; stage_clear() is to be called in both cases.
 */
int stage_set(const struct config *config, __u32 slot, size_t template, char *ret_root);

/** stage_clear() - takes it out of this namespace again */
void stage_clear(void);

#endif
