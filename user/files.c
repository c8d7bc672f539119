// SPDX-License-Identifier: GPL-2.0
/* Files and directories; see files.h. Logs nothing: the caller knows what it means. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"

int files_make_dirs(const char *path, mode_t mode)
{
	cleanup_free char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(copy, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(copy, mode) && errno != EEXIST ? -errno : 0;
}

int files_remove_tree(const char *path)
{
	char *paths[] = {(char *)path, NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *entry;
	int err = 0;

	if (!fts)
		return -errno;
	while ((entry = fts_read(fts))) {
		int flags = entry->fts_info == FTS_DP ? AT_REMOVEDIR : 0;

		if (entry->fts_info == FTS_D || entry->fts_info == FTS_DOT)
			continue;
		if (unlinkat(AT_FDCWD, entry->fts_accpath, flags) && errno != ENOENT)
			err = -errno;
	}
	fts_close(fts);
	return err;
}

int files_write(const char *path, const void *data, size_t size, mode_t mode)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, data, size);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOSPC;
}

ssize_t files_read(const char *path, void *data, size_t size)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, data, size);

	return n < 0 ? -errno : n;
}

int files_lock(const char *dir)
{
	cleanup_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	return move_fd(&fd);
}

static bool is_kept(const int *keep, size_t n, int fd)
{
	for (size_t i = 0; i < n; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

void files_close_all_but(const int *keep, size_t n)
{
	int highest = 2;

	for (size_t i = 0; i < n; i++)
		highest = keep[i] > highest ? keep[i] : highest;
	for (int fd = 3; fd < highest; fd++)
		if (!is_kept(keep, n, fd))
			close(fd);
	close_range((unsigned int)highest + 1, ~0U, 0);
}
