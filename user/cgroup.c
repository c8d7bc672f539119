// SPDX-License-Identifier: GPL-2.0
/* Control groups; see cgroup.h. Owns none; keeps where the hierarchies are, which never changes. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "cleanup.h"
#include "files.h"

#define PATIENCE_MS 5000
#define PAUSE_MAX_MS 20
#define PATH_LEN 1024
#define DIR_LEN 512

enum controller { MEMORY, CPU, PIDS, CONTROLLERS };

static const char *const controllers[] = {"memory", "cpu", "pids"};

struct hierarchy {
	char dir[DIR_LEN];
	bool has[CONTROLLERS];
};

static struct {
	bool known;
	bool v2;
	size_t n;
	struct hierarchy all[CGROUP_HIERARCHIES_MAX];
} found;

/* --- where they are --- */

static bool is_of_type(const char *dir, long magic)
{
	struct statfs fs;

	return !statfs(dir, &fs) && (long)fs.f_type == magic;
}

/* Whether a list like "cpu,cpuacct" or "cpuset cpu io memory" names a controller. */
static bool names(const char *list, const char *controller)
{
	const size_t len = strlen(controller);

	while (*list) {
		const size_t n = strcspn(list, ", \n");

		if (n == len && !strncmp(list, controller, len))
			return true;
		list += n + (list[n] != '\0');
	}
	return false;
}

static void add(const char *dir, const char *list)
{
	struct hierarchy *h = &found.all[found.n++];

	snprintf(h->dir, sizeof(h->dir), "%s", dir);
	for (size_t i = 0; i < CONTROLLERS; i++)
		h->has[i] = names(list, controllers[i]);
}

static void add_v2(const char *dir)
{
	char path[PATH_LEN], list[PATH_LEN];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
	n = files_read(path, list, sizeof(list) - 1);
	list[n < 0 ? 0 : n] = '\0';
	add(dir, list);
}

/* Symbolic links, as from "cpu" to "cpu,cpuacct", are no hierarchies of their own. */
static void add_mixed(const char *root)
{
	cleanup_closedir DIR *dir = opendir(root);
	const struct dirent *entry;
	char path[DIR_LEN];

	while (dir && (entry = readdir(dir)) && found.n < CGROUP_HIERARCHIES_MAX) {
		const char *name = entry->d_name;

		if (entry->d_type != DT_DIR || name[0] == '.' ||
		    (size_t)snprintf(path, sizeof(path), "%s/%s", root, name) >= sizeof(path))
			continue;
		if (is_of_type(path, CGROUP2_SUPER_MAGIC))
			add_v2(path);
		else if (is_of_type(path, CGROUP_SUPER_MAGIC) &&
			 (names(name, "memory") || names(name, "cpu") || names(name, "pids")))
			add(path, name);
	}
}

void cgroup_look_at(const char *root)
{
	memset(&found, 0, sizeof(found));
	found.known = true;
	found.v2 = is_of_type(root, CGROUP2_SUPER_MAGIC);
	if (found.v2)
		add_v2(root);
	else
		add_mixed(root);
}

static void look(void)
{
	if (!found.known)
		cgroup_look_at(CGROUP_ROOT);
}

bool cgroup_is_v2(void)
{
	look();
	return found.v2;
}

static const struct hierarchy *find(const char *controller)
{
	look();
	for (size_t i = 0; i < found.n; i++)
		for (size_t j = 0; j < CONTROLLERS; j++)
			if (found.all[i].has[j] && !strcmp(controllers[j], controller))
				return &found.all[i];
	return NULL;
}

bool cgroup_has(const char *controller)
{
	return find(controller) != NULL;
}

bool cgroup_is_at(const char *mount_point)
{
	look();
	for (size_t i = 0; i < found.n; i++)
		if (!strcmp(found.all[i].dir, mount_point))
			return true;
	return false;
}

static const char *path_of(char *buf, const struct hierarchy *h, const char *group,
			   const char *file)
{
	snprintf(buf, PATH_LEN, "%s/%s%s%s", h->dir, group, *file ? "/" : "", file);
	return buf;
}

/* --- making and setting --- */

int cgroup_make(const char *group)
{
	char path[PATH_LEN];

	look();
	for (size_t i = 0; i < found.n; i++)
		if (mkdir(path_of(path, &found.all[i], group, ""), 0755) && errno != EEXIST)
			return -errno;
	return 0;
}

/* Each by itself, and for the root as well; one that cannot be had is told when it is to be set. */
void cgroup_delegate(const char *group)
{
	char path[PATH_LEN], value[16];

	for (size_t i = 0; cgroup_is_v2() && i < CONTROLLERS; i++) {
		snprintf(value, sizeof(value), "+%s", controllers[i]);
		files_set(path_of(path, &found.all[0], "", "cgroup.subtree_control"), value);
		files_set(path_of(path, &found.all[0], group, "cgroup.subtree_control"), value);
	}
}

int cgroup_set(const char *controller, const char *group, const char *file, const char *value)
{
	const struct hierarchy *h = find(controller);
	char path[PATH_LEN];

	return h ? files_set(path_of(path, h, group, file), value) : -ENOENT;
}

int cgroup_open(const char *group, int ret_fds[CGROUP_HIERARCHIES_MAX])
{
	char path[PATH_LEN];

	look();
	for (size_t i = 0; i < found.n; i++) {
		ret_fds[i] = open(path_of(path, &found.all[i], group, "cgroup.procs"),
				  O_WRONLY | O_CLOEXEC);
		if (ret_fds[i] < 0) {
			const int err = -errno;

			while (i--)
				close(ret_fds[i]);
			return err;
		}
	}
	return (int)found.n;
}

bool cgroup_exists(const char *group)
{
	char path[PATH_LEN];

	look();
	for (size_t i = 0; i < found.n; i++)
		if (!access(path_of(path, &found.all[i], group, ""), F_OK))
			return true;
	return false;
}

/* --- ending and removing --- */

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

/* cgroup.kill gets all at once, and those that are being forked; v1 has no such thing. */
void cgroup_kill(const char *group)
{
	char path[PATH_LEN];

	look();
	for (size_t i = 0; i < found.n; i++)
		if (!files_set(path_of(path, &found.all[i], group, "cgroup.kill"), "1"))
			return;
	for (size_t i = 0; i < found.n; i++)
		kill_members(path_of(path, &found.all[i], group, ""));
}

static int remove_group(const char *path);

static void remove_below(const char *path)
{
	cleanup_closedir DIR *dir = opendir(path);
	const struct dirent *entry;
	char child[PATH_LEN];

	while (dir && (entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.') {
			snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
			remove_group(child);
		}
}

static int remove_dir(const char *path)
{
	return rmdir(path) && errno != ENOENT ? -errno : 0;
}

/* Most have nothing below. One that still has members is killed and left for the next try. */
static int remove_group(const char *path)
{
	int err = remove_dir(path);

	if (err != -EBUSY)
		return err;
	remove_below(path);
	err = remove_dir(path);
	if (err == -EBUSY)
		kill_members(path);
	return err;
}

/* Processes that were killed need a moment to end, seldom more than a few milliseconds. */
static int remove_patiently(const char *path)
{
	long pause_ms = 1;
	int err = remove_group(path);

	for (long ms = 0; err == -EBUSY && ms < PATIENCE_MS; ms += pause_ms) {
		const struct timespec pause = {0, pause_ms * 1000000L};

		nanosleep(&pause, NULL);
		err = remove_group(path);
		pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms + 1 : PAUSE_MAX_MS;
	}
	return err;
}

int cgroup_remove(const char *group)
{
	char path[PATH_LEN];
	int err = 0;

	look();
	for (size_t i = 0; i < found.n; i++) {
		int one = remove_patiently(path_of(path, &found.all[i], group, ""));

		err = err ? err : one;
	}
	return err;
}

/* --- listing --- */

void cgroup_children(const char *group, void (*visit)(void *data, const char *name), void *data)
{
	char path[PATH_LEN];

	look();
	for (size_t i = 0; i < found.n; i++) {
		cleanup_closedir DIR *dir = opendir(path_of(path, &found.all[i], group, ""));
		const struct dirent *entry;

		while (dir && (entry = readdir(dir)))
			if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
				visit(data, entry->d_name);
	}
}
