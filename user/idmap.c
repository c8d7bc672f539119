// SPDX-License-Identifier: GPL-2.0
/* Idmapped mounts; see idmap.h. Holds nothing: what it makes is the caller's. */
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "config.h"

#define STACK_LEN 4096
#define ANY_ID 1000000U

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

static int write_map(pid_t pid, const char *file, __u32 first)
{
	char path[64], map[64];
	cleanup_close int fd = -EBADF;
	int n = snprintf(map, sizeof(map), "0 %u %u", first, CONFIG_IDS);

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd < 0 || write(fd, map, (size_t)n) != n ? -errno : 0;
}

static int open_userns(pid_t pid, __u32 first)
{
	char path[64];
	int err = write_map(pid, "uid_map", first);
	int fd;

	if (!err)
		err = write_map(pid, "gid_map", first);
	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Not for longer than whoever needs it: it has his descriptors, and with them his locks. */
static int hold(void *parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != *(const pid_t *)parent)
		return 1;
	while (pause()) /* it has no other end than SIGKILL */
		;
	return 0;
}

/*
 * A namespace needs a process while its maps are written. This one shares our memory, for a copy of
 * the page tables would be most of what a mount costs.
 */
int idmap_userns(__u32 first)
{
	_Alignas(16) char stack[STACK_LEN];
	pid_t self = getpid();
	pid_t pid = clone(hold, stack + sizeof(stack), CLONE_NEWUSER | CLONE_VM | SIGCHLD, &self);
	int fd;

	if (pid < 0)
		return -errno;
	fd = open_userns(pid, first);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

/* A copy of a mount that is nowhere yet. */
static int clone_tree(const char *source, int userns)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	cleanup_close int tree = sys_open_tree(source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (userns >= 0) {
		attr.attr_set |= MOUNT_ATTR_IDMAP;
		attr.userns_fd = (__u64)userns;
	}
	return tree < 0 || sys_mount_setattr(tree, &attr) ? -errno : move_fd(&tree);
}

int idmap_mount(const char *source, const char *target, int userns)
{
	cleanup_close int tree = clone_tree(source, userns);

	if (tree < 0)
		return tree;
	return sys_move_mount(tree, target) ? -errno : 0;
}

int idmap_try(const char *source)
{
	cleanup_close int userns = idmap_userns(ANY_ID);
	cleanup_close int tree = userns < 0 ? userns : clone_tree(source, userns);

	return tree < 0 ? tree : 0;
}
