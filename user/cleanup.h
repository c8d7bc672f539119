/* SPDX-License-Identifier: GPL-2.0 */
/* Cleanup attributes: a resource is released on every way out of its scope. */
#ifndef SKEP_USER_CLEANUP_H
#define SKEP_USER_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_file(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define cleanup_free __attribute__((cleanup(cleanup_free_ptr)))
#define cleanup_close __attribute__((cleanup(cleanup_close_fd)))
#define cleanup_fclose __attribute__((cleanup(cleanup_close_file)))
#define cleanup_closedir __attribute__((cleanup(cleanup_close_dir)))

/* move_fd() - hands a descriptor on; the cleanup of @fd then does nothing. */
static inline int move_fd(int *fd)
{
	int moved = *fd;

	*fd = -EBADF;
	return moved;
}

/* close_fd() - closes if open; always returns -EBADF, for the variable to hold. */
static inline int close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
	return -EBADF;
}

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
