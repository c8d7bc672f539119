// SPDX-License-Identifier: GPL-2.0
/*
 * The stage; see stage.h. Owns a small tmpfs at run_dir/stage that only this process and the
 * containers' monitors see: a link to each template, and CURRENT, where the container in hand gets
 * a tmpfs with overlay's upper and work directory and its root.
 *
 * Paths in mount options are relative to the stage: they stand in the container's mountinfo.
 */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cgroup.h"
#include "cleanup.h"
#include "farm_paths.h"
#include "idmap.h"

#define CURRENT "c"
#define UPPER CURRENT "/u"
#define WORK CURRENT "/w"
#define ROOT CURRENT "/r"
#define DEV CURRENT "/dev"
#define TEMPLATE CURRENT "/t"
#define CGROUPS "cgroups"
#define OPTIONS_LEN 128
#define MOUNT_LINE_LEN 8192
#define DROP_ROUNDS_MAX 64
#define NODE_MODE (S_IFCHR | 0666)

static const struct {
	const char *path;
	unsigned int major, minor;
} nodes[] = {
	{DEV "/null", 1, 3},   {DEV "/zero", 1, 5},    {DEV "/full", 1, 7},
	{DEV "/random", 1, 8}, {DEV "/urandom", 1, 9}, {DEV "/tty", 5, 0},
};

/*
 * The namespace of whoever forked us, where templates are mounted. It is opened once: later we may
 * have less privileges than that process, and could not.
 */
static int enter_parents_namespace(void)
{
	static int fd = -EBADF;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", getppid());
	if (fd < 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || setns(fd, CLONE_NEWNS) ? -errno : 0;
}

static bool is_beneath(const char *path, const char *dir)
{
	const size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (!path[len] || path[len] == '/' || len == 1);
}

/* On the way to @path, or there. */
static bool leads_to(const char *mount_point, const char *path)
{
	return is_beneath(path, mount_point);
}

/*
 * What liblxc works with, and we. The hierarchies of cgroups are moved where liblxc does not look:
 * it would make groups in each, for the monitor too, and each costs time and memory.
 */
static bool is_needed(const struct config *config, const char *mount_point)
{
	char templates[FARM_PATH_LEN], stage[FARM_PATH_LEN], cgroups[FARM_PATH_LEN];

	farm_path(cgroups, "%s/" CGROUPS, farm_stage_dir(config, stage));
	if (strcmp(mount_point, cgroups) && is_beneath(mount_point, cgroups))
		return cgroup_is_at(mount_point);
	farm_path(templates, "%s/templates", config->run_dir);
	return leads_to(mount_point, "/sys") || leads_to(mount_point, "/proc") ||
	       leads_to(mount_point, "/dev/pts") || is_beneath(mount_point, "/usr") ||
	       leads_to(mount_point, templates) || is_beneath(mount_point, templates) ||
	       is_beneath(mount_point, stage) || leads_to(mount_point, config->state_dir) ||
	       leads_to(mount_point, LXC_LOCKS);
}

/* proc(5) writes a space and the like as a backslash and three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		unsigned int value;

		if (*from == '\\' && sscanf(from + 1, "%3o", &value) == 1) {
			*to = (char)value;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = '\0';
}

/* Whether there was something to drop: what was mounted beneath it may show only then. */
static bool drop_visible(const struct config *config)
{
	cleanup_fclose FILE *list = fopen("/proc/self/mountinfo", "re");
	char line[MOUNT_LINE_LEN], mount_point[MOUNT_LINE_LEN];
	bool dropped = false;

	while (list && fgets(line, sizeof(line), list)) {
		if (sscanf(line, "%*s %*s %*s %*s %s", mount_point) != 1)
			continue;
		unescape(mount_point);
		dropped |= !is_needed(config, mount_point) &&
			   !umount2(mount_point, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	return dropped;
}

/*
 * The rest goes: it would be copied for every container, and a disk that was unmounted elsewhere
 * must not stay in use here.
 */
static void drop_mounts(const struct config *config)
{
	for (int i = 0; i < DROP_ROUNDS_MAX && drop_visible(config); i++)
		;
}

static int make_namespace(void)
{
	/* What is unmounted there is to go here, too; nothing of ours is to be seen there. */
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) ? -errno : 0;
}

static int make_stage(const struct config *config)
{
	char dir[FARM_PATH_LEN], cgroups[FARM_PATH_LEN];

	farm_stage_dir(config, dir);
	if (mount("tmpfs", dir, "tmpfs", MS_NOSUID, "mode=0711,size=64k") || chdir(dir) ||
	    mkdir(CURRENT, 0711) || mkdir(CGROUPS, 0700) ||
	    mount(CGROUP_ROOT, CGROUPS, NULL, MS_MOVE, NULL))
		return -errno;
	cgroup_look_at(farm_path(cgroups, "%s/" CGROUPS, dir));
	return 0;
}

static int link_templates(const struct config *config)
{
	char target[FARM_PATH_LEN], name[32];

	for (size_t i = 0; i < config->n_templates; i++) {
		if (!config_template_used(config, i))
			continue;
		snprintf(name, sizeof(name), "%zu", i);
		if (symlink(farm_template_dir(config, i, target), name))
			return -errno;
	}
	return 0;
}

int stage_enter(const struct config *config)
{
	int err = enter_parents_namespace();

	if (!err)
		err = make_namespace();
	if (!err)
		err = make_stage(config);
	if (err)
		return err;
	drop_mounts(config);
	return link_templates(config);
}

/* @owner: the container's root */
static int make_dir(__u32 owner, const char *path)
{
	return mkdir(path, 0755) || chown(path, owner, owner) ? -errno : 0;
}

/* As "udev", for its name shows where a part of it becomes /dev. */
static int mount_layer(const struct template_config *t, __u32 owner)
{
	char options[OPTIONS_LEN];
	int err = 0;

	snprintf(options, sizeof(options), "mode=0755,size=%llu,nr_inodes=%u", t->disk, t->inodes);
	if (mount("udev", CURRENT, "tmpfs", 0, options) || mkdir(WORK, 0700) || mkdir(ROOT, 0755))
		err = -errno;
	if (!err)
		err = make_dir(owner, UPPER);
	return err ? err : make_dir(owner, DEV);
}

/* With the owners of this container alone; it goes with the layer that it is mounted in. */
static int mount_template(size_t template, __u32 owner)
{
	cleanup_close int userns = idmap_userns(owner);
	char name[32];

	if (userns < 0)
		return userns;
	snprintf(name, sizeof(name), "%zu", template);
	return mkdir(TEMPLATE, 0700) ? -errno : idmap_mount(name, TEMPLATE, userns);
}

static int mount_root(size_t template, __u32 owner)
{
	static const char options[] = "lowerdir=" TEMPLATE ",upperdir=" UPPER ",workdir=" WORK;
	int err = mount_template(template, owner);

	if (!err && mount("overlay", ROOT, "overlay", 0, options))
		err = -errno;
	return err;
}

/* In the template it may be missing, but must not be a link that leads out of the stage. */
static int make_mount_point(__u32 owner)
{
	struct stat st;

	if (lstat(ROOT "/dev", &st))
		return make_dir(owner, ROOT "/dev");
	return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/*
 * The few nodes that a service needs, with the mapped root for owner. A file system of its own for
 * /dev would be one more for each container, and each is felt by all (bench/README.md); so it is a
 * directory of the writable layer.
 */
static int mount_dev(__u32 owner)
{
	int err = make_mount_point(owner);

	for (size_t i = 0; !err && i < ARRAY_SIZE(nodes); i++)
		if (mknod(nodes[i].path, NODE_MODE, makedev(nodes[i].major, nodes[i].minor)) ||
		    chown(nodes[i].path, owner, owner) || chmod(nodes[i].path, 0666))
			err = -errno;
	if (!err &&
	    (mount(DEV, ROOT "/dev", NULL, MS_BIND, NULL) ||
	     mount(NULL, ROOT "/dev", NULL, MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NOEXEC, NULL)))
		err = -errno;
	return err;
}

int stage_set(const struct config *config, __u32 slot, size_t template, char *ret_root)
{
	const __u32 owner = config_first_id(config, slot);
	char dir[FARM_PATH_LEN];
	int err = mount_layer(&config->templates[template], owner);

	if (!err)
		err = mount_root(template, owner);
	if (!err)
		err = mount_dev(owner);
	if (!err)
		farm_path(ret_root, "%s/" ROOT, farm_stage_dir(config, dir));
	return err;
}

void stage_clear(void)
{
	umount2(CURRENT, MNT_DETACH);
}
