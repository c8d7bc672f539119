// SPDX-License-Identifier: GPL-2.0
/*
 * What all containers share; see container.h. Owns the template mounts, the stage's directory and
 * the seccomp profile under run_dir, and the cgroup around all containers with its limits.
 */
#include <errno.h>
#include <linux/keyctl.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "cgroup.h"
#include "cleanup.h"
#include "clock.h"
#include "confine.h"
#include "container.h"
#include "farm_paths.h"
#include "files.h"
#include "idmap.h"
#include "link.h"
#include "log.h"
#include "stage.h"

#define PORTS_PATIENCE_MS 5000
#define PORTS_POLL_MS 20
/* Half of what everything else gets when all want the CPU. */
#define SHARES_V1 "512"
#define WEIGHT_V2 "50"
#define VALUE_LEN 32

static const char seccomp_policy[] =
#include "seccomp.inc"
	;

/* --- templates --- */

/* What is mounted there is this rootfs, and not one that stood at the same path before. */
static bool is_mounted(const char *rootfs, const char *target)
{
	struct stat there, here;

	return !stat(rootfs, &here) && !stat(target, &there) && here.st_dev == there.st_dev &&
	       here.st_ino == there.st_ino && there.st_uid == here.st_uid;
}

/*
 * As it is: each container gets its own copy of the mount, with its own owners. Running containers
 * keep what they have: overlay holds that copy.
 */
static int mount_template(const struct config *config, size_t template)
{
	const struct template_config *t = &config->templates[template];
	char target[FARM_PATH_LEN];
	int err = files_make_dirs(farm_template_dir(config, template, target), 0755);

	if (!err && is_mounted(t->rootfs, target))
		return 0;
	umount2(target, MNT_DETACH);
	if (!err)
		err = idmap_try(t->rootfs);
	if (!err)
		err = idmap_mount(t->rootfs, target, -EBADF);
	if (err)
		log_error("%s:%d: template \"%s\": cannot mount %s with mapped owners: %s%s",
			  config->file, t->line, t->name, t->rootfs, strerror(-err),
			  err == -EINVAL ? "; its file system must support idmapped mounts (ext4, "
					   "xfs, btrfs)"
					 : "");
	return err;
}

static int mount_templates(const struct config *config)
{
	int err = 0;

	for (size_t i = 0; !err && i < config->n_templates; i++)
		if (config_template_used(config, i))
			err = mount_template(config, i);
	return err;
}

static void unmount_all(const char *dir_path)
{
	cleanup_closedir DIR *dir = opendir(dir_path);
	const struct dirent *entry;
	char path[FARM_PATH_LEN];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		umount2(farm_path(path, "%s/%s", dir_path, entry->d_name), MNT_DETACH);
		rmdir(path);
	}
	rmdir(dir_path);
}

/* --- limits of all containers together --- */

static unsigned long long read_number(const char *path, const char *format)
{
	cleanup_fclose FILE *file = fopen(path, "re");
	unsigned long long number = 0;

	if (!file || fscanf(file, format, &number) != 1)
		return 0;
	return number;
}

/* For want of a controller containers run all the same, and the operator is told. */
static void limit(const char *controller, const char *group, const char *file, const char *value)
{
	int err = cgroup_set(controller, group, file, value);

	if (err)
		log_warn("no limit of %s for all containers together: cannot set %s: %s",
			 controller, file,
			 err == -ENOENT ? "the controller is not there" : strerror(-err));
}

static void limit_memory(const struct config *config, const char *group, bool v2)
{
	unsigned long long kib = read_number("/proc/meminfo", "MemTotal: %llu");
	char value[VALUE_LEN];

	if (!kib || !config->farm_memory)
		return;
	snprintf(value, sizeof(value), "%llu", kib * 1024 / 100 * config->farm_memory);
	if (!v2) /* or the limit would not be of what is below; fails where it is so anyway */
		cgroup_set("memory", group, "memory.use_hierarchy", "1");
	limit("memory", group, v2 ? "memory.max" : "memory.limit_in_bytes", value);
}

/* An eighth of all process numbers is left for the box. */
static void limit_processes(const char *group)
{
	unsigned long long pids = read_number("/proc/sys/kernel/pid_max", "%llu");
	unsigned long long threads = read_number("/proc/sys/kernel/threads-max", "%llu");
	char value[VALUE_LEN];

	pids = threads && threads < pids ? threads : pids;
	if (!pids)
		return;
	snprintf(value, sizeof(value), "%llu", pids - pids / 8);
	limit("pids", group, "pids.max", value);
}

static int prepare_cgroup(const struct config *config)
{
	const bool v2 = cgroup_is_v2();
	char group[FARM_PATH_LEN];
	int err = cgroup_make(farm_cgroup(config, group));

	if (err) {
		log_error("cannot make the cgroup %s: %s", group, strerror(-err));
		return err;
	}
	cgroup_delegate(group);
	limit_memory(config, group, v2);
	limit("cpu", group, v2 ? "cpu.weight" : "cpu.shares", v2 ? WEIGHT_V2 : SHARES_V1);
	limit_processes(group);
	return 0;
}

/* --- all of it --- */

/* A reload comes while keepers start containers, and liblxc reads the profile at each start: one
 * that is as it should be is not touched. */
static int write_profile(const char *path)
{
	const size_t size = sizeof(seccomp_policy) - 1;
	char there[sizeof(seccomp_policy)]; /* one more, to tell a longer one */

	if (files_read(path, there, sizeof(there)) == (ssize_t)size &&
	    !memcmp(there, seccomp_policy, size))
		return 0;
	return files_write(path, seccomp_policy, size, 0600);
}

static int prepare_files(const struct config *config)
{
	char path[FARM_PATH_LEN];
	int err = files_make_dirs(farm_stage_dir(config, path), 0711);

	if (!err) /* the mapped root must be able to enter it, though not to write */
		err = files_make_dirs(farm_lxc_dir(config, path), 0711);
	if (!err)
		err = write_profile(farm_seccomp_file(config, path));
	if (err)
		log_error("cannot make %s: %s", path, strerror(-err));
	return err;
}

static int check_kernel(void)
{
	int err = confine_check();

	if (err)
		log_error("this kernel cannot filter system calls: %s; it needs "
			  "CONFIG_SECCOMP_FILTER",
			  strerror(-err));
	return err;
}

int container_prepare(const struct config *config)
{
	int err = check_kernel();

	if (!err)
		err = prepare_files(config);
	if (!err)
		err = prepare_cgroup(config);
	return err ? err : mount_templates(config);
}

/* Containers have no calls for keyrings, so they share this one; none of the box's is handed on. */
static void leave_keyrings(void)
{
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
}

int container_stage(const struct config *config)
{
	leave_keyrings();
	return stage_enter(config);
}

/* liblxc makes one for every container it is asked about, in a directory of the same path. */
static void remove_lock_files(const struct config *config)
{
	const size_t above = strlen(LXC_LOCKS);
	char path[FARM_PATH_LEN + sizeof(LXC_LOCKS)] = LXC_LOCKS;

	farm_lxc_dir(config, path + above);
	files_remove_tree(path);
	for (char *end = strrchr(path, '/'); end > path + above; end = strrchr(path, '/')) {
		*end = '\0';
		if (rmdir(path))
			break; /* another's, or gone */
	}
}

static bool is_port(const struct config *config, const char *name)
{
	char first[CONTAINER_NAME_LEN];
	size_t len;

	container_port_name(config, 0, first);
	len = strlen(first) - 1; /* all but the slot */
	return !strncmp(name, first, len) && strspn(name + len, "0123456789") == strlen(name + len);
}

/* Return: how many there are; with @delete those that could not be deleted. */
static unsigned int count_ports(const struct config *config, bool delete)
{
	struct if_nameindex *list = if_nameindex();
	unsigned int n = 0;

	for (struct if_nameindex *i = list; i && i->if_name; i++)
		n += is_port(config, i->if_name) && !(delete &&!link_delete(i->if_name));
	if (list)
		if_freenameindex(list);
	return n;
}

/* They go with the containers' network namespaces, which the kernel takes down by and by. */
static void await_ports(const struct config *config)
{
	const struct timespec pause = {0, PORTS_POLL_MS * (long)NS_PER_MS};

	for (int ms = 0; count_ports(config, false); ms += PORTS_POLL_MS) {
		if (ms >= PORTS_PATIENCE_MS) {
			count_ports(config, true);
			return;
		}
		nanosleep(&pause, NULL);
	}
}

void container_unprepare(const struct config *config)
{
	char path[FARM_PATH_LEN];

	unmount_all(farm_path(path, "%s/templates", config->run_dir));
	rmdir(farm_stage_dir(config, path));
	rmdir(farm_lxc_dir(config, path));
	unlink(farm_seccomp_file(config, path));
	cgroup_remove(farm_cgroup(config, path));
	remove_lock_files(config);
	await_ports(config);
}
