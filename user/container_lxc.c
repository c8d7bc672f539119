// SPDX-License-Identifier: GPL-2.0
/*
 * Containers through liblxc; see container.h. Owns what lies under state_dir/containers, the
 * template mounts and device nodes under run_dir, and the containers' cgroups. Knows nothing of
 * addresses.
 *
 * What an intruder could know LXC by is kept out: autodev would leave /dev/.lxc-boot-id, so /dev is
 * put together from mount entries; PID 1 would see container=lxc, so env(1) starts it with a
 * machine's environment.
 */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "cgroup.h"
#include "cleanup.h"
#include "files.h"
#include "idmap.h"
#include "log.h"

#define PATH_LEN 512
#define MONITOR "monitor-" /* before the container's name: the cgroup of its monitor */
#define LXC_LOCKS "/run/lxc/lock"
#define NODE_MODE (S_IFCHR | 0666)

static const struct {
	const char *name;
	unsigned int major, minor;
} nodes[] = {
	{"null", 1, 3},	  {"zero", 1, 5},    {"full", 1, 7},
	{"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

static const char seccomp_policy[] =
#include "seccomp.inc"
	;

/* Root inside keeps what services and log-ins need, and nothing that configures the machine. */
#define CAPABILITIES                                                                            \
	"chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw " \
	"sys_chroot audit_write"

const char *container_name(__u32 slot, char *buf)
{
	snprintf(buf, CONTAINER_NAME_LEN, "c%u", slot);
	return buf;
}

/* 0 for the farm with the default state_dir; two farms on one machine must not meet (FNV-1a). */
static __u32 farm_tag(const struct config *config)
{
	__u32 hash = 2166136261U;

	if (!strcmp(config->state_dir, "/var/lib/skep"))
		return 0;
	for (const char *p = config->state_dir; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619U;
	return hash;
}

const char *container_port_name(const struct config *config, __u32 slot, char *buf)
{
	const __u32 tag = farm_tag(config);

	if (tag)
		snprintf(buf, CONTAINER_NAME_LEN, "s%08x.%u", tag, slot);
	else
		snprintf(buf, CONTAINER_NAME_LEN, "skep%u", slot);
	return buf;
}

__attribute__((format(printf, 2, 3))) static const char *path_of(char *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(buf, PATH_LEN, format, args);
	va_end(args);
	return buf;
}

static const char *containers_dir(const struct config *config, char *buf)
{
	return path_of(buf, "%s/containers", config->state_dir);
}

static const char *container_dir(const struct config *config, __u32 slot, char *buf)
{
	char name[CONTAINER_NAME_LEN];

	return path_of(buf, "%s/containers/%s", config->state_dir, container_name(slot, name));
}

static const char *template_mount(const struct config *config, __u32 template, char *buf)
{
	return path_of(buf, "%s/templates/%s", config->run_dir, config->templates[template].name);
}

static const char *cgroup_root(const struct config *config, char *buf)
{
	const __u32 tag = farm_tag(config);

	return tag ? path_of(buf, "skep-%08x", tag) : path_of(buf, "skep");
}

static int remove_cgroup(const struct config *config, const char *prefix, __u32 slot)
{
	char root[PATH_LEN], group[PATH_LEN], name[CONTAINER_NAME_LEN];

	cgroup_root(config, root);
	path_of(group, "%s/%s%s", root, prefix, container_name(slot, name));
	return cgroup_remove(group);
}

static int make_node(const struct config *config, const char *dir, size_t i)
{
	char path[PATH_LEN];

	path_of(path, "%s/%s", dir, nodes[i].name);
	if (mknod(path, NODE_MODE, makedev(nodes[i].major, nodes[i].minor)) ||
	    chown(path, config->id_base, config->id_base) || chmod(path, 0666))
		return -errno;
	return 0;
}

/* Nodes that belong to root inside; on a file system of their own, since /run is mounted nodev. */
static int make_nodes(const struct config *config)
{
	char dir[PATH_LEN];
	int err;

	err = files_make_dirs(path_of(dir, "%s/dev", config->run_dir), 0755);
	if (!err && mount("udev", dir, "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=0755,size=64k"))
		err = -errno;
	for (size_t i = 0; !err && i < ARRAY_SIZE(nodes); i++)
		err = make_node(config, dir, i);
	if (err)
		log_error("cannot make device nodes in %s: %s", dir, strerror(-err));
	return err;
}

static int mount_template(const struct config *config, __u32 template)
{
	const struct template_config *t = &config->templates[template];
	char target[PATH_LEN];
	int err = files_make_dirs(template_mount(config, template, target), 0755);

	if (!err)
		err = idmap_mount(t->rootfs, target, config->id_base);
	if (err)
		log_error("%s:%d: template \"%s\": cannot mount %s with mapped owners: %s%s",
			  config->file, t->line, t->name, t->rootfs, strerror(-err),
			  err == -EINVAL ? "; its file system must support idmapped mounts (ext4, "
					   "xfs, btrfs)"
					 : "");
	return err;
}

static int make_state(const struct config *config)
{
	char dir[PATH_LEN];
	int err = files_make_dirs(containers_dir(config, dir), 0711);

	if (err)
		log_error("cannot make %s: %s", dir, strerror(-err));
	return err;
}

int container_prepare(const struct config *config)
{
	char path[PATH_LEN];
	int err = make_state(config);

	if (!err)
		err = make_nodes(config);
	for (__u32 i = 0; !err && i < config->n_templates; i++)
		if (config_template_used(config, i))
			err = mount_template(config, i);
	if (err)
		return err;
	err = files_write(path_of(path, "%s/seccomp", config->run_dir), seccomp_policy,
			  sizeof(seccomp_policy) - 1, 0600);
	if (err)
		log_error("cannot write %s: %s", path, strerror(-err));
	return err;
}

static void unmount_all(const char *dir_path)
{
	cleanup_closedir DIR *dir = opendir(dir_path);
	const struct dirent *entry;
	char path[PATH_LEN];

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		umount2(path_of(path, "%s/%s", dir_path, entry->d_name), MNT_DETACH);
		rmdir(path);
	}
	rmdir(dir_path);
}

/* liblxc makes one for every container it is asked about, in a directory of the same path. */
static void remove_lock_files(const struct config *config)
{
	const size_t above = strlen(LXC_LOCKS);
	char path[PATH_LEN];

	path_of(path, LXC_LOCKS "%s/containers", config->state_dir);
	files_remove_tree(path);
	for (char *end = strrchr(path, '/'); end > path + above; end = strrchr(path, '/')) {
		*end = '\0';
		if (rmdir(path))
			break; /* another's, or gone */
	}
}

void container_unprepare(const struct config *config)
{
	char path[PATH_LEN], root[PATH_LEN];

	unmount_all(path_of(path, "%s/templates", config->run_dir));
	umount2(path_of(path, "%s/dev", config->run_dir), MNT_DETACH);
	rmdir(path);
	unlink(path_of(path, "%s/seccomp", config->run_dir));
	rmdir(containers_dir(config, path));
	cgroup_remove(cgroup_root(config, root));
	remove_lock_files(config);
}

static bool set_item(struct lxc_container *c, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool set_item(struct lxc_container *c, const char *key, const char *format, ...)
{
	char value[PATH_LEN * 3];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	return c->set_config_item(c, key, value);
}

static bool set_dev(struct lxc_container *c, const struct config *config)
{
	bool ok = set_item(c, "lxc.autodev", "0") &&
		  set_item(c, "lxc.mount.entry",
			   "tmpfs dev tmpfs rw,nosuid,mode=755,size=512k,create=dir 0 0");

	for (size_t i = 0; ok && i < ARRAY_SIZE(nodes); i++)
		ok = set_item(c, "lxc.mount.entry", "%s/dev/%s dev/%s none bind,create=file 0 0",
			      config->run_dir, nodes[i].name, nodes[i].name);
	return ok;
}

static bool set_limits(struct lxc_container *c, const struct config *config, __u32 template,
		       const char *name)
{
	const struct template_config *t = &config->templates[template];
	const char *memory = "lxc.cgroup.memory.limit_in_bytes", *pids = "lxc.cgroup.pids.max";
	char root[PATH_LEN];

	if (cgroup_is_v2()) {
		memory = "lxc.cgroup2.memory.max";
		pids = "lxc.cgroup2.pids.max";
	}
	cgroup_root(config, root);
	return set_item(c, "lxc.cgroup.dir.container", "%s/%s", root, name) &&
	       set_item(c, "lxc.cgroup.dir.monitor", "%s/" MONITOR "%s", root, name) &&
	       set_item(c, "lxc.cgroup.dir.monitor.pivot", "%s/pivot", root) &&
	       set_item(c, memory, "%llu", t->memory) && set_item(c, pids, "%u", t->processes) &&
	       set_item(c, "lxc.prlimit.core", "0") && set_item(c, "lxc.proc.oom_score_adj", "0");
}

/* A user namespace of one's own would give all capabilities back. */
static bool set_identity(struct lxc_container *c, const struct config *config,
			 const char *host_name)
{
	return set_item(c, "lxc.uts.name", "%s", host_name) &&
	       set_item(c, "lxc.idmap", "u 0 %u 65536", config->id_base) &&
	       set_item(c, "lxc.idmap", "g 0 %u 65536", config->id_base) &&
	       set_item(c, "lxc.cap.keep", "%s", CAPABILITIES) &&
	       set_item(c, "lxc.sysctl.user.max_user_namespaces", "0") &&
	       set_item(c, "lxc.seccomp.profile", "%s/seccomp", config->run_dir);
}

/* IPv6 is off inside: skep answers for IPv4 only, and a machine that asks for routers all day is
 * odd. */
static bool set_network(struct lxc_container *c)
{
	bool ok = set_item(c, "lxc.net.0.type", "empty");

	if (ok && !access("/proc/sys/net/ipv6", F_OK))
		ok = set_item(c, "lxc.sysctl.net.ipv6.conf.all.disable_ipv6", "1") &&
		     set_item(c, "lxc.sysctl.net.ipv6.conf.default.disable_ipv6", "1");
	return ok;
}

static bool set_root(struct lxc_container *c, const struct config *config, __u32 slot,
		     __u32 template)
{
	char lower[PATH_LEN], dir[PATH_LEN];

	template_mount(config, template, lower);
	container_dir(config, slot, dir);
	return set_item(c, "lxc.rootfs.path", "overlay:%s:%s/upper", lower, dir) &&
	       set_item(c, "lxc.mount.auto", "proc:rw sys:ro") &&
	       set_item(c, "lxc.console.path", "none") && set_item(c, "lxc.tty.max", "0") &&
	       set_item(c, "lxc.pty.max", "64") &&
	       set_item(c, "lxc.init.cmd",
			"/usr/bin/env -i HOME=/ TERM=linux "
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin %s",
			config->templates[template].init);
}

static bool configure(struct lxc_container *c, const struct config *config, __u32 slot,
		      __u32 template, const char *host_name)
{
	char name[CONTAINER_NAME_LEN];

	container_name(slot, name);
	return set_root(c, config, slot, template) && set_dev(c, config) &&
	       set_identity(c, config, host_name) && set_limits(c, config, template, name) &&
	       set_network(c) && c->want_daemonize(c, true) && c->want_close_all_fds(c, true);
}

/* The writable layer; LXC makes overlay's work directory beside it, so both belong to root inside.
 */
static int make_layer(const struct config *config, __u32 slot)
{
	char dir[PATH_LEN], upper[PATH_LEN];

	container_dir(config, slot, dir);
	path_of(upper, "%s/upper", dir);
	if (mkdir(dir, 0711) || chown(dir, config->id_base, config->id_base) ||
	    mkdir(upper, 0755) || chown(upper, config->id_base, config->id_base))
		return -errno;
	return 0;
}

/* liblxc writes "lxc NAME TIME ERROR  MODULE - FILE:FUNCTION:LINE - TEXT"; its first error is the
 * cause. */
static void read_reason(const char *log_file, char *reason)
{
	cleanup_fclose FILE *log = fopen(log_file, "re");
	char line[1024];

	snprintf(reason, CONTAINER_REASON_LEN, "liblxc gave no reason");
	while (log && fgets(line, sizeof(line), log)) {
		const char *text = strstr(line, " ERROR ");

		if (!text)
			continue;
		for (const char *dash = text; (dash = strstr(dash, " - ")); text = dash)
			dash += 3;
		line[strcspn(line, "\n")] = '\0';
		snprintf(reason, CONTAINER_REASON_LEN, "%s", text);
		return;
	}
}

static void open_log(const char *log_file)
{
	struct lxc_log log = {.name = "skep",
			      .file = log_file,
			      .level = "ERROR",
			      .prefix = "skep",
			      .quiet = true};

	lxc_log_close();
	unlink(log_file);
	lxc_log_init(&log);
}

static int fail(int err, const char *what, char *reason)
{
	snprintf(reason, CONTAINER_REASON_LEN, "%s: %s", what, strerror(-err));
	return err;
}

static struct lxc_container *new_container(const struct config *config, __u32 slot)
{
	char name[CONTAINER_NAME_LEN], dir[PATH_LEN];

	return lxc_container_new(container_name(slot, name), containers_dir(config, dir));
}

int container_start(const struct config *config, __u32 slot, __u32 template, const char *host_name,
		    const char *log_file, pid_t *ret_pid, char *reason)
{
	struct lxc_container *c;
	int err = make_layer(config, slot);

	if (err)
		return fail(err, "cannot make the writable layer", reason);
	open_log(log_file);
	c = new_container(config, slot);
	if (!c)
		return fail(-ENOMEM, "lxc_container_new", reason);
	if (!configure(c, config, slot, template, host_name) || !c->start(c, 0, NULL)) {
		read_reason(log_file, reason);
		err = -EIO;
	} else {
		*ret_pid = c->init_pid(c);
		err = *ret_pid > 0 ? 0 : fail(-ESRCH, "init ended at once", reason);
	}
	lxc_container_put(c);
	return err;
}

int container_destroy(const struct config *config, __u32 slot, char *reason)
{
	char dir[PATH_LEN];
	struct lxc_container *c;
	int err;

	if (access(container_dir(config, slot, dir), F_OK))
		return 0;
	c = new_container(config, slot);
	if (c && c->is_running(c))
		c->stop(c);
	if (c)
		lxc_container_put(c);
	/* Whatever outlived its monitor, or never had one. */
	err = remove_cgroup(config, "", slot);
	if (!err)
		err = remove_cgroup(config, MONITOR, slot);
	if (err)
		return fail(err, "its cgroup cannot be removed", reason);
	err = files_remove_tree(dir);
	return err ? fail(err, "its writable layer cannot be removed", reason) : 0;
}

int container_leftovers(const struct config *config, __u32 **ret)
{
	char path[PATH_LEN];
	cleanup_closedir DIR *dir = opendir(containers_dir(config, path));
	const struct dirent *entry;
	cleanup_free __u32 *slots = NULL;
	int n = 0;

	while (dir && (entry = readdir(dir))) {
		__u32 slot;
		char rest;
		__u32 *more;

		if (sscanf(entry->d_name, "c%u%c", &slot, &rest) != 1)
			continue;
		more = realloc(slots, (size_t)(n + 1) * sizeof(*slots));
		if (!more)
			return -ENOMEM;
		slots = more;
		slots[n++] = slot;
	}
	*ret = slots;
	slots = NULL;
	return n;
}
