/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A new configuration on its way through skepd's processes: the text travels in a sealed memfd, and
 * each process makes its own struct config of it. The descriptor is shared, so its offset is never
 * used.
 */
#ifndef SKEP_USER_RELOAD_H
#define SKEP_USER_RELOAD_H

#include <stddef.h>

#include "config.h"

#define RELOAD_TEXT_MAX (4U << 20)

/**
 * reload_load() - reads a configuration file
 * @ret:   NUL-terminated text; the caller frees it
 * @error: CONFIG_ERROR_MAX bytes; on failure one line "FILE: what is wrong; what to do"
 *
 * Return: 0 or negative errno.
 */
int reload_load(const char *path, char **ret, char *error);

/**
 * reload_parse() - makes a configuration of the text, with the ordinals that @old has
 * @old:   of the running skepd; its @file stands for the text in errors
 * @ret:   the caller frees it with config_free()
 * @error: CONFIG_ERROR_MAX bytes; on failure one line that says what is wrong
 *
 * Return: 0 or negative errno.
 */
int reload_parse(const char *text, const struct config *old, struct config **ret, char *error);

/** reload_to_memfd() - puts the text where other processes can read it, and nobody can change it.
 * Return: a descriptor, the caller's, or negative errno. */
int reload_to_memfd(const char *text, size_t size);

/**
 * reload_read() - reload_parse() of what reload_to_memfd() was given
 * @fd: stays open, and its offset where it is
 *
 * Return: 0 or negative errno.
 */
int reload_read(int fd, const struct config *old, struct config **ret);

#endif
