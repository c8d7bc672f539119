/* SPDX-License-Identifier: GPL-2.0 */
/* Files and directories: the few steps that several modules need. */
#ifndef SKEP_USER_FILES_H
#define SKEP_USER_FILES_H

#include <stddef.h>
#include <sys/types.h>

/** files_make_dirs() - mkdir -p; 0 or negative errno */
int files_make_dirs(const char *path, mode_t mode);

/** files_remove_tree() - rm -rf of a directory of any depth; 0 also when there is nothing */
int files_remove_tree(const char *path);

/** files_write() - makes or replaces a small file; 0 or negative errno */
int files_write(const char *path, const void *data, size_t size, mode_t mode);

/** files_set() - writes to a file that exists, of the kernel's kind; 0 or negative errno */
int files_set(const char *path, const char *value);

/** files_read() - reads at most @size bytes. Return: how many, or negative errno. */
ssize_t files_read(const char *path, void *data, size_t size);

/**
 * files_lock() - takes the directory for this process and its children
 *
 * Return: a descriptor that holds the lock while any of them has it; -EWOULDBLOCK when another has
 * it.
 */
int files_lock(const char *dir);

/** files_close_all_but() - closes every descriptor from 3 up that is not among the @n in @keep */
void files_close_all_but(const int *keep, size_t n);

#endif
