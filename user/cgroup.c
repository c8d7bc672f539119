// SPDX-License-Identifier: GPL-2.0
/* Control groups; see cgroup.h. Keeps nothing. */
#include "cgroup.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "cleanup.h"

#define ROOT "/sys/fs/cgroup"
#define TRIES 250
#define PAUSE_NS 20000000L
#define PATH_LEN 1024

bool cgroup_is_v2(void)
{
	struct statfs fs;

	return !statfs(ROOT, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static void kill_members(const char *dir)
{
	char path[PATH_LEN];
	cleanup_fclose FILE *procs = NULL;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	procs = fopen(path, "re");
	while (procs && fscanf(procs, "%d", &pid) == 1)
		if (pid > 1)
			kill(pid, SIGKILL);
}

/* Children first; a group that still has members is killed and left for the next try. */
static int remove_group(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	const struct dirent *entry;
	char child[PATH_LEN];

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
			snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
			remove_group(child);
		}
	if (!rmdir(path) || errno == ENOENT)
		return 0;
	kill_members(path);
	return -errno;
}

static int remove_patiently(const char *path)
{
	const struct timespec pause = {0, PAUSE_NS};
	int err = remove_group(path);

	for (int i = 0; err == -EBUSY && i < TRIES; i++) {
		nanosleep(&pause, NULL);
		err = remove_group(path);
	}
	return err;
}

int cgroup_remove(const char *group)
{
	char path[PATH_LEN];
	cleanup_closedir DIR *dir = NULL;
	const struct dirent *entry;
	int err = 0;

	snprintf(path, sizeof(path), ROOT "/%s", group);
	if (cgroup_is_v2())
		return remove_patiently(path);
	dir = opendir(ROOT);
	while (dir && (entry = readdir(dir))) {
		int one;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), ROOT "/%s/%s", entry->d_name, group);
		one = remove_patiently(path);
		err = err ? err : one;
	}
	return err;
}
