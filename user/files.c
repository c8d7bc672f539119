// SPDX-License-Identifier: GPL-2.0
/* Files and directories; see files.h. Logs nothing: the caller knows what it means. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
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

/* A file, a link or an empty directory. */
static int remove_entry(int dir, const char *name)
{
	if (!unlinkat(dir, name, 0) || errno == ENOENT)
		return 0;
	if (errno != EISDIR &&
	    errno != EPERM) /* POSIX has the one for a directory, Linux the other */
		return -errno;
	return unlinkat(dir, name, AT_REMOVEDIR) ? -errno : 0;
}

/* A directory that has something in it is moved up to the top, under a name of its own. */
static int remove_or_lift(int dir, const char *name, int top, unsigned long *lifted)
{
	int err = remove_entry(dir, name);
	char lifted_name[32];

	if (err != -ENOTEMPTY)
		return err;
	for (;;) {
		snprintf(lifted_name, sizeof(lifted_name), ".lifted.%lu", (*lifted)++);
		if (!renameat2(dir, name, top, lifted_name, RENAME_NOREPLACE))
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
}

/* One level: its files go, its directories come up. */
static int flatten(int top, const char *name, unsigned long *lifted)
{
	int fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	if (!dir)
		return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -errno;
	while (!err && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			err = remove_or_lift(dirfd(dir), entry->d_name, top, lifted);
	return err;
}

/* Goes over the top once; *ret_left says whether another time is needed. */
static int flatten_all(int top, unsigned long *lifted, bool *ret_left)
{
	int fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int err = 0;

	*ret_left = false;
	while (!err && dir && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		*ret_left = true;
		err = flatten(top, entry->d_name, lifted);
		if (!err)
			err = remove_entry(top, entry->d_name);
	}
	return dir ? err : -errno;
}

/*
 * An intruder chooses the names and the depth of what is removed here: no path is put together, no
 * depth is walked, no link is followed.
 */
int files_remove_tree(const char *path)
{
	cleanup_close int top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	unsigned long lifted = 0;
	bool left = true;
	int err = 0;

	if (top < 0)
		return errno == ENOENT ? 0 : -errno;
	while (!err && left)
		err = flatten_all(top, &lifted, &left);
	if (err)
		return err;
	return rmdir(path) ? -errno : 0;
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

int files_set(const char *path, const char *value)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, value, strlen(value)) < 0 ? -errno : 0;
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

	struct stat locked, there;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	/* Whoever had it may have removed it meanwhile: a lock on what nobody finds is none. */
	if (fstat(fd, &locked) || stat(dir, &there) || locked.st_ino != there.st_ino)
		return -ENOENT;
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
