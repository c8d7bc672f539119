// SPDX-License-Identifier: GPL-2.0
/*
 * Containers through liblxc; see container.h. Owns the containers' processes and cgroups; the root
 * file system comes from the stage. Knows nothing of addresses.
 *
 * What an intruder could know LXC by is kept out: autodev would leave /dev/.lxc-boot-id, so /dev is
 * made on the stage; PID 1 would see container=lxc, so env(1) starts it with a machine's
 * environment.
 */
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <lxc/lxccontainer.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "farm_paths.h"
#include "files.h"
#include "stage.h"

#define CPU_PERIOD_US 100000U

/* Root inside keeps what services and log-ins need, and nothing that configures the machine. */
#define CAPABILITIES                                                                            \
	"chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw " \
	"sys_chroot audit_write"

/* They count for the box's root as well, whose they all are: no container may have all of his. */
#define INOTIFY_INSTANCES "16"

const char *container_name(__u32 slot, char *buf)
{
	snprintf(buf, CONTAINER_NAME_LEN, "c%u", slot);
	return buf;
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

static const char *container_cgroup(const struct config *config, __u32 slot, char *buf)
{
	char root[FARM_PATH_LEN], name[CONTAINER_NAME_LEN];

	return farm_path(buf, "%s/%s", farm_cgroup(config, root), container_name(slot, name));
}

/* --- its cgroup --- */

struct limit {
	const char *controller;
	const char *v1;
	const char *v2;
};

/* A limit that this machine has no controller for is left out; container_prepare() has said so. */
static int set_limit(const char *group, const struct limit *limit, const char *value)
{
	if (!cgroup_has(limit->controller))
		return 0;
	return cgroup_set(limit->controller, group, cgroup_is_v2() ? limit->v2 : limit->v1, value);
}

/*
 * Only where it limits something: with each quota that is set the kernel walks all groups
 * (kernel/sched/core.c, __cfs_schedulable), half a microsecond each. Without one containers share
 * the CPUs evenly.
 */
static bool is_capped(const struct template_config *t)
{
	const long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return t->cpu && (cores < 1 || t->cpu < 100 * (unsigned long)cores);
}

/* The writable layer is memory of whoever writes to it. */
static int set_limits(const char *group, const struct template_config *t)
{
	static const struct limit memory = {"memory", "memory.limit_in_bytes", "memory.max"};
	static const struct limit pids = {"pids", "pids.max", "pids.max"};
	static const struct limit cpu = {"cpu", "cpu.cfs_quota_us", "cpu.max"};
	const unsigned int quota_us = CPU_PERIOD_US / 100 * t->cpu;
	char bytes[32], processes[16], time[32];
	int err;

	snprintf(bytes, sizeof(bytes), "%llu", t->memory + t->disk);
	snprintf(processes, sizeof(processes), "%u", t->processes);
	snprintf(time, sizeof(time), cgroup_is_v2() ? "%u %u" : "%u", quota_us, CPU_PERIOD_US);
	err = set_limit(group, &memory, bytes);
	if (!err)
		err = set_limit(group, &pids, processes);
	return err || !is_capped(t) ? err : set_limit(group, &cpu, time);
}

static int make_group(const char *group, const struct template_config *t)
{
	int err = cgroup_make(group);

	return err ? err : set_limits(group, t);
}

/*
 * liblxc's double fork begins with a fork(3), and there its child goes into the cgroup: so the
 * monitor and all that comes of it are in it from the first moment, the keeper never is, and no
 * process has to be moved any more. Whoever comes when the cgroup is being removed ends.
 */
static struct {
	int fds[CGROUP_HIERARCHIES_MAX];
	int n;
} entrance;

static void enter_group(void)
{
	for (int i = 0; i < entrance.n; i++)
		if (write(entrance.fds[i], "0", 1) != 1)
			_exit(EXIT_FAILURE);
	for (int i = 0; i < entrance.n; i++)
		close(entrance.fds[i]);
	entrance.n = 0;
}

static int open_entrance(const char *group)
{
	static bool registered;
	int n;

	if (!registered && pthread_atfork(NULL, NULL, enter_group))
		return -ENOMEM;
	registered = true;
	n = cgroup_open(group, entrance.fds);
	if (n < 0)
		return n;
	entrance.n = n;
	return 0;
}

static void close_entrance(void)
{
	for (int i = 0; i < entrance.n; i++)
		close(entrance.fds[i]);
	entrance.n = 0;
}

/* --- liblxc's configuration --- */

static bool set_item(struct lxc_container *c, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static bool set_item(struct lxc_container *c, const char *key, const char *format, ...)
{
	char value[FARM_PATH_LEN * 3];
	va_list args;

	va_start(args, format);
	vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	return c->set_config_item(c, key, value);
}

static bool set_process(struct lxc_container *c, const struct template_config *t)
{
	return (!t->files || set_item(c, "lxc.prlimit.nofile", "%u", t->files)) &&
	       (!t->no_new_privs || set_item(c, "lxc.no_new_privs", "1")) &&
	       set_item(c, "lxc.monitor.signal.pdeath", "0") &&
	       set_item(c, "lxc.proc.oom_score_adj", "0");
}

/* A user namespace of one's own would give all capabilities back. */
static bool set_identity(struct lxc_container *c, const struct config *config, __u32 slot,
			 const char *host_name)
{
	const __u32 first = config_first_id(config, slot);
	char seccomp[FARM_PATH_LEN];

	return set_item(c, "lxc.uts.name", "%s", host_name) &&
	       set_item(c, "lxc.keyring.session", "0") && /* the keeper's, which is empty */
	       set_item(c, "lxc.idmap", "u 0 %u %u", first, CONFIG_IDS) &&
	       set_item(c, "lxc.idmap", "g 0 %u %u", first, CONFIG_IDS) &&
	       set_item(c, "lxc.cap.keep", "%s", CAPABILITIES) &&
	       set_item(c, "lxc.apparmor.profile", "unchanged") && /* LXC's may be missing */
	       set_item(c, "lxc.sysctl.user.max_user_namespaces", "0") &&
	       set_item(c, "lxc.sysctl.user.max_inotify_instances", INOTIFY_INSTANCES) &&
	       set_item(c, "lxc.seccomp.allow_nesting", "1") && /* or the keeper's would be all */
	       set_item(c, "lxc.seccomp.profile", "%s", farm_seccomp_file(config, seccomp));
}

/* IPv6 is off inside: skep answers for IPv4 only, and a machine that asks for routers all day is
 * odd. */
static bool set_network(struct lxc_container *c)
{
	/* Answers whoever asks, whatever the box is set to. eth0 comes later, with the default. */
	bool ok = set_item(c, "lxc.net.0.type", "empty") &&
		  set_item(c, "lxc.sysctl.net.ipv4.conf.all.rp_filter", "0") &&
		  set_item(c, "lxc.sysctl.net.ipv4.conf.default.rp_filter", "0");

	if (ok && !access("/proc/sys/net/ipv6", F_OK))
		ok = set_item(c, "lxc.sysctl.net.ipv6.conf.all.disable_ipv6", "1") &&
		     set_item(c, "lxc.sysctl.net.ipv6.conf.default.disable_ipv6", "1");
	return ok;
}

static bool set_root(struct lxc_container *c, const struct template_config *t, const char *root)
{
	return set_item(c, "lxc.rootfs.path", "dir:%s", root) && set_item(c, "lxc.autodev", "0") &&
	       set_item(c, "lxc.mount.auto", t->sysfs ? "proc:rw sys:ro" : "proc:rw") &&
	       set_item(c, "lxc.console.path", "none") && set_item(c, "lxc.tty.max", "0") &&
	       set_item(c, "lxc.pty.max", "64") &&
	       set_item(c, "lxc.init.cmd",
			"/usr/bin/env -i HOME=/ TERM=linux "
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin %s",
			t->init);
}

static bool configure(struct lxc_container *c, const struct config *config, __u32 slot,
		      __u32 template, const char *host_name, const char *root)
{
	const struct template_config *t = &config->templates[template];

	return set_root(c, t, root) && set_identity(c, config, slot, host_name) &&
	       set_process(c, t) && set_network(c) && c->want_daemonize(c, true) &&
	       c->want_close_all_fds(c, true);
}

/* --- starting --- */

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
	char name[CONTAINER_NAME_LEN], dir[FARM_PATH_LEN];

	return lxc_container_new(container_name(slot, name), farm_lxc_dir(config, dir));
}

static bool is_in_cgroup(pid_t pid, const char *group)
{
	char path[FARM_PATH_LEN], line[FARM_PATH_LEN * 2];
	cleanup_fclose FILE *file = fopen(farm_path(path, "/proc/%d/cgroup", (int)pid), "re");
	const size_t len = strlen(group);

	while (file && fgets(line, sizeof(line), file)) {
		size_t n = strcspn(line, "\n");

		line[n] = '\0';
		if (n > len && line[n - len - 1] == '/' && !strcmp(line + n - len, group))
			return true;
	}
	return false;
}

static pid_t parent_of(pid_t pid)
{
	char path[FARM_PATH_LEN], line[256];
	cleanup_fclose FILE *status = fopen(farm_path(path, "/proc/%d/status", (int)pid), "re");
	int parent = 0;

	while (status && fgets(line, sizeof(line), status) &&
	       sscanf(line, "PPid: %d", &parent) != 1)
		;
	return parent;
}

/*
 * liblxc's monitor has nothing to do here: we hold a descriptor of init, the cgroup ends the rest,
 * and a container cannot reboot. It would cost a third of an idle container's memory. Init's
 * parent is then the machine's own init.
 */
static void dismiss_monitor(pid_t init, const char *group)
{
	pid_t monitor = parent_of(init);

	if (monitor > 1 && is_in_cgroup(monitor, group))
		kill(monitor, SIGKILL);
}

static int start_on(const struct config *config, __u32 slot, __u32 template, const char *host_name,
		    const char *group, const char *root, const char *log_file, pid_t *ret_pid,
		    char *reason)
{
	struct lxc_container *c = new_container(config, slot);
	int err;

	if (!c)
		return fail(-ENOMEM, "lxc_container_new", reason);
	if (!configure(c, config, slot, template, host_name, root) || !c->start(c, 0, NULL)) {
		read_reason(log_file, reason);
		err = -EIO;
	} else {
		*ret_pid = c->init_pid(c);
		err = *ret_pid > 0 ? 0 : fail(-ESRCH, "init ended at once", reason);
	}
	if (!err)
		dismiss_monitor(*ret_pid, group);
	lxc_container_put(c);
	return err;
}

static int start_in(const struct config *config, __u32 slot, __u32 template, const char *host_name,
		    const char *root, const char *log_file, pid_t *ret_pid, char *reason)
{
	char group[FARM_PATH_LEN];
	int err = make_group(container_cgroup(config, slot, group), &config->templates[template]);

	if (!err)
		err = open_entrance(group);
	if (err)
		return fail(err, "cannot make its cgroup", reason);
	open_log(log_file);
	err = start_on(config, slot, template, host_name, group, root, log_file, ret_pid, reason);
	lxc_log_close(); /* no keeper has a file open in run_dir while it waits */
	close_entrance();
	return err;
}

int container_start(const struct config *config, __u32 slot, __u32 template, const char *host_name,
		    const char *log_file, pid_t *ret_pid, char *reason)
{
	char root[FARM_PATH_LEN];
	int err = slot < config_slots(config) ? stage_set(config, slot, template, root) : -ERANGE;

	if (err)
		fail(err, "cannot make its root file system", reason);
	else
		err = start_in(config, slot, template, host_name, root, log_file, ret_pid, reason);
	stage_clear();
	return err;
}

/* --- ending --- */

/* liblxc's own stop would ask the monitor; the kernel needs no such help. */
int container_destroy(const struct config *config, __u32 slot, char *reason)
{
	char group[FARM_PATH_LEN];
	int err;

	cgroup_kill(container_cgroup(config, slot, group));
	err = cgroup_remove(group);
	return err ? fail(err, "its cgroup cannot be removed", reason) : 0;
}

/* --- what there is --- */

/* The last number after NSpid: is that in the innermost PID namespace; see proc(5). */
static bool is_init(pid_t pid)
{
	char path[FARM_PATH_LEN], line[256];
	cleanup_fclose FILE *status = fopen(farm_path(path, "/proc/%d/status", (int)pid), "re");

	while (status && fgets(line, sizeof(line), status)) {
		const char *last = strrchr(line, '\t');

		if (!strncmp(line, "NSpid:", strlen("NSpid:")))
			return last && last != strchr(line, '\t') && !strcmp(last, "\t1\n");
	}
	return false;
}

bool container_is_alive(const struct config *config, __u32 slot, pid_t pid)
{
	char group[FARM_PATH_LEN];

	return pid > 0 && is_init(pid) && is_in_cgroup(pid, container_cgroup(config, slot, group));
}

struct slots {
	__u32 *slots;
	size_t n;
	bool no_memory;
};

/* In several hierarchies, perhaps. */
static void note_slot(void *data, const char *name)
{
	struct slots *found = data;
	__u32 slot;
	char rest;
	__u32 *more;

	if (sscanf(name, "c%u%c", &slot, &rest) != 1)
		return;
	more = realloc(found->slots, (found->n + 1) * sizeof(*more));
	if (!more) {
		found->no_memory = true;
		return;
	}
	found->slots = more;
	found->slots[found->n++] = slot;
}

static int compare_slots(const void *a, const void *b)
{
	const __u32 *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static size_t unique(__u32 *slots, size_t n)
{
	size_t kept = 0;

	qsort(slots, n, sizeof(*slots), compare_slots);
	for (size_t i = 0; i < n; i++)
		if (!kept || slots[kept - 1] != slots[i])
			slots[kept++] = slots[i];
	return kept;
}

int container_leftovers(const struct config *config, __u32 **ret)
{
	struct slots found = {};
	char group[FARM_PATH_LEN];

	cgroup_children(farm_cgroup(config, group), note_slot, &found);
	if (found.no_memory) {
		free(found.slots);
		return -ENOMEM;
	}
	if (found.n)
		found.n = unique(found.slots, found.n);
	*ret = found.slots;
	return (int)found.n;
}
