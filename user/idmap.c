// SPDX-License-Identifier: GPL-2.0
/* Idmapped mounts; see idmap.h. The user namespace that carries the mapping lives only during the
 * call. */
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"

/* glibc's <sys/mount.h> and <linux/mount.h> do not go together before 2.37, so: the system calls.
 */
static int sys_open_tree(const char *path, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
}

static int sys_mount_setattr(int fd, struct mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, attr, sizeof(*attr));
}

static int sys_move_mount(int fd, const char *target)
{
	return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH);
}

static int write_map(pid_t pid, const char *file, __u32 id_base)
{
	char path[64], map[64];
	cleanup_close int fd = -EBADF;
	int n = snprintf(map, sizeof(map), "0 %u %u", id_base, IDMAP_SIZE);

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, map, (size_t)n) != n ? -errno : 0;
}

static int open_userns(pid_t pid, __u32 id_base)
{
	char path[64];
	int err = write_map(pid, "uid_map", id_base);
	int fd;

	if (!err)
		err = write_map(pid, "gid_map", id_base);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* A child makes the namespace, says so, and stays until its maps are written. */
static int make_userns(__u32 id_base)
{
	cleanup_close int ready = eventfd(0, EFD_CLOEXEC);
	eventfd_t value;
	pid_t pid = ready < 0 ? -1 : fork();
	int fd = -ECHILD;

	if (pid < 0)
		return -errno;
	if (!pid) {
		eventfd_write(ready, unshare(CLONE_NEWUSER) ? 2 : 1);
		for (;;)
			pause();
	}
	if (!eventfd_read(ready, &value) && value == 1)
		fd = open_userns(pid, id_base);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

int idmap_mount(const char *source, const char *target, __u32 id_base)
{
	cleanup_close int userns = make_userns(id_base);
	cleanup_close int tree = -EBADF;
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_RDONLY};

	if (userns < 0)
		return userns;
	tree = sys_open_tree(source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	attr.userns_fd = (__u64)userns;
	if (tree < 0 || sys_mount_setattr(tree, &attr) || sys_move_mount(tree, target))
		return -errno;
	return 0;
}
