/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The preparer: control reads a changed configuration, but may not mount what it needs. A process
 * that nobody else can talk to does that for it.
 */
#ifndef SKEP_USER_PREPARER_H
#define SKEP_USER_PREPARER_H

#include <sys/types.h>

#include "config.h"

/**
 * preparer_start() - forks it
 * @running: the configuration that holds; must outlive it
 * @ret_pid: it ends when its channel is closed
 *
 * Return: a channel to it, or negative errno.
 */
int preparer_start(const struct config *running, pid_t *ret_pid);

/** preparer_prepare() - container_prepare() of this text. Return: what that returned, or -EPIPE. */
int preparer_prepare(int channel, const char *text);

#endif
