// SPDX-License-Identifier: GPL-2.0
/* Control groups; see cgroup.h. Keeps nothing. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "cleanup.h"

#define ROOT "/sys/fs/cgroup"
#define HIERARCHIES_MAX 32
#define TRIES 250
#define PAUSE_NS 20000000L
#define PATH_LEN 1024

bool cgroup_is_v2(void)
{
	struct statfs fs;

	return !statfs(ROOT, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC;
}

struct cgroup_home {
	int n;
	int procs[HIERARCHIES_MAX]; /* cgroup.procs files, open for writing */
};

/* From a line of /proc/self/cgroup, "NUMBER:CONTROLLERS:PATH"; see cgroups(7). */
static int open_procs(char *line)
{
	char path[PATH_LEN];
	char *save = NULL;
	const char *number = strtok_r(line, ":", &save);
	const char *controllers =
		number && !strcmp(number, "0") ? "unified" : strtok_r(NULL, ":", &save);
	const char *group = strtok_r(NULL, "\n", &save);

	if (!controllers || !group)
		return -1;
	if (cgroup_is_v2())
		controllers = "";
	else if (!strncmp(controllers, "name=", strlen("name=")))
		controllers += strlen("name=");
	group += *group == ':'; /* the unified one names no controllers */
	snprintf(path, sizeof(path), ROOT "/%s%s/cgroup.procs", controllers, group);
	return open(path, O_WRONLY | O_CLOEXEC);
}

struct cgroup_home *cgroup_home_new(void)
{
	struct cgroup_home *home = calloc(1, sizeof(*home));
	cleanup_fclose FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_LEN];

	while (home && file && home->n < HIERARCHIES_MAX && fgets(line, sizeof(line), file)) {
		int fd = open_procs(line);

		if (fd >= 0)
			home->procs[home->n++] = fd;
	}
	return home;
}

void cgroup_go_home(const struct cgroup_home *home)
{
	for (int i = 0; i < home->n; i++)
		if (write(home->procs[i], "0", 1) < 0)
			continue; /* that hierarchy is gone, or we never left */
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
	int err;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
			snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
			remove_group(child);
		}
	if (!rmdir(path) || errno == ENOENT)
		return 0;
	err = -errno; /* reading the members changes errno */
	kill_members(path);
	return err;
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
