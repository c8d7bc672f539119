// SPDX-License-Identifier: GPL-2.0
/*
 * Limits of the machine; see check_limits.h. Reads them and never raises one: they are the whole
 * machine's.
 *
 * Most count over all containers, though each has namespaces of its own: a process has a number in
 * the host's namespace too, the neighbour table is one, inotify instances are charged to whoever
 * made the user namespace as well, which is the box's root for all of them.
 */
#include "check_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "config_text.h"
#include "pool.h"
#include "skep/maps.h"

#define NO_LIMIT (~0ULL)
#define PATH_LEN 512
#define LINE_LEN 1024
#define TASKS 6 /* of an idle container, 2 of `basic`, and those of a log-in */
#define BOX_TASKS 1024U
#define SKEPD_TASKS 512ULL    /* itself, keepers, and what liblxc forks for a moment */
#define CONTAINER_KIB 832ULL  /* of an idle container, kernel memory included, without: */
#define SUPERBLOCKS 5ULL      /* a container's: root, layer, proc, devpts, mqueue; and sysfs */
#define SUPERBLOCKS_KIB 64ULL /* for so many of the machine each memory cgroup has 1 KiB */
#define CHARGED_KIB 480ULL    /* of all that, what is charged to its cgroup */
#define ADDRESS_KIB 2ULL      /* of one more address: lease, interface address, routes */
#define GROUP_IDS 65535ULL    /* MEM_CGROUP_ID_MAX of the kernel */
#define BOX_GROUPS 1000ULL

/* skepd raises its own limit, two a container, and sets that of the containers' processes. */
static __u64 most_files(const struct config *config)
{
	__u64 most = 0;

	for (size_t i = 0; i < config->n_templates; i++) {
		if (config_template_used(config, i) && config->templates[i].files > most)
			most = config->templates[i].files;
	}
	return most;
}

/* Name, what for, at least, base, each, of so many, fatal. */
static const struct limit sysctls[] = {
	{"kernel.pid_max", "6 processes a container, an eighth for the box", NULL, BOX_TASKS,
	 TASKS + 1, 1, true},
	{"kernel.threads-max", "6 processes a container, an eighth for the box", NULL, BOX_TASKS,
	 TASKS + 1, 1, true},
	{"user.max_user_namespaces", "one a container", NULL, 64, 1, 1, true},
	{"user.max_mnt_namespaces", "one a container", NULL, 64, 1, 1, true},
	{"user.max_pid_namespaces", "one a container", NULL, 64, 1, 1, true},
	{"user.max_uts_namespaces", "one a container", NULL, 64, 1, 1, true},
	{"user.max_ipc_namespaces", "one a container", NULL, 64, 1, 1, true},
	{"user.max_net_namespaces", "one a container", NULL, 64, 1, 1, true},
	{"user.max_cgroup_namespaces", "one a container", NULL, 64, 1, 1, true},
	{"fs.nr_open", "2 descriptors a container in skepd, and files of templates", most_files,
	 256, 2, 1, true},
	{"fs.file-max", "64 open files a container", NULL, 8192, 64, 1, true},
	{"fs.mount-max", "the mounts of the box and those of one container", NULL, 1000, 0, 1,
	 true},
	{"kernel.pty.max", "a log-in each, and the reserve", NULL, 1024, 1, 1, false},
	{"fs.inotify.max_user_instances", "one in 4 containers, and the box's root", NULL, 64, 1, 4,
	 false},
	{"fs.inotify.max_user_watches", "4 a container, and the box's root", NULL, 4096, 4, 1,
	 false},
	{"net.ipv4.neigh.default.gc_thresh3", "the gateway in each container, and the box's own",
	 NULL, 512, 1, 1, false},
};

const struct limit *limits_sysctls(size_t *n)
{
	*n = ARRAY_SIZE(sysctls);
	return sysctls;
}

__u64 limits_need(const struct limit *limit, const struct config *config)
{
	__u64 need = (__u64)config->max * limit->each;
	__u64 least = limit->at_least ? limit->at_least(config) : 0;

	need = limit->base + (need + limit->of - 1) / limit->of;
	return need > least ? need : least;
}

/*
 * What shrinks caches has a record for each superblock in each memory cgroup, whether they have to
 * do with each other or not: this grows with the square of max.
 */
static __u64 container_kib(const struct config *config)
{
	__u64 superblocks = SUPERBLOCKS;

	for (size_t i = 0; i < config->n_templates; i++)
		if (config_template_used(config, i) && config->templates[i].sysfs)
			superblocks = SUPERBLOCKS + 1;
	return CONTAINER_KIB + config->max * superblocks / SUPERBLOCKS_KIB;
}

__u64 limits_need_memory(const struct config *config)
{
	__u64 addresses = 0;

	if (config->when_exhausted == EXHAUSTED_SHARE)
		addresses = (__u64)config->max * config->addresses_per_container;
	if (addresses > SKEP_LEASES_MAX)
		addresses = SKEP_LEASES_MAX;
	return (config->max * container_kib(config) + addresses * ADDRESS_KIB) << 10;
}

/** struct check - what all steps need */
struct check {
	const struct config *config;
	int root;
	limits_tell tell;
	void *data;
	unsigned int fatal;
};

__attribute__((format(printf, 3, 4))) static void report(struct check *c, bool fatal,
							 const char *format, ...)
{
	char line[CONFIG_ERROR_MAX], text[CONFIG_ERROR_MAX];
	const struct text_source source = {c->config->file, line};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_fail(&source, c->config->pool_line, "%s", text);
	c->tell(c->data, fatal, line);
	c->fatal += fatal;
}

static FILE *open_file(const struct check *c, const char *path)
{
	cleanup_close int fd = openat(c->root, path, O_RDONLY | O_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file)
		move_fd(&fd);
	return file;
}

/* "max" and everything else that is no number is no limit. */
static __u64 read_number(const struct check *c, const char *path)
{
	cleanup_fclose FILE *file = open_file(c, path);
	unsigned long long number;

	return file && fscanf(file, "%llu", &number) == 1 ? number : NO_LIMIT;
}

static __u64 read_sysctl(const struct check *c, const char *name)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "proc/sys/%s", name);
	for (char *p = path; *p; p++) {
		if (*p == '.')
			*p = '/';
	}
	return read_number(c, path);
}

static void check_sysctl(struct check *c, const struct limit *limit)
{
	const unsigned long long have = read_sysctl(c, limit->name);
	const unsigned long long need = limits_need(limit, c->config);

	if (have >= need)
		return;
	report(c, limit->fatal,
	       "%s is %llu, pool.max = %u needs %llu (%s); run 'sysctl -w %s=%llu' and put it into "
	       "/etc/sysctl.d",
	       limit->name, have, c->config->max, need, limit->why, limit->name, need);
}

/* From /proc/meminfo, in bytes. */
static __u64 read_memory(const struct check *c, const char *key)
{
	cleanup_fclose FILE *file = open_file(c, "proc/meminfo");
	const size_t n = strlen(key);
	unsigned long long kib;
	char line[LINE_LEN];

	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, key, n) && line[n] == ':' &&
		    sscanf(line + n + 1, "%llu", &kib) == 1)
			return kib << 10;
	}
	return NO_LIMIT;
}

static unsigned long long mib(__u64 bytes)
{
	return bytes >> 20;
}

static void check_memory(struct check *c)
{
	const __u64 need = limits_need_memory(c->config);
	const __u64 charged = (c->config->max * CHARGED_KIB) << 10;
	const __u64 available = read_memory(c, "MemAvailable"), total = read_memory(c, "MemTotal");
	const __u64 farm = total == NO_LIMIT ? NO_LIMIT : total / 100 * c->config->farm_memory;

	if (available < need)
		report(c, false,
		       "%lluM of memory are available, pool.max = %u needs about %lluM when all "
		       "are idle; lower max or add memory",
		       mib(available), c->config->max, mib(need));
	if (farm < charged)
		report(c, false,
		       "pool.memory = %u%% of this machine's is %lluM, pool.max = %u needs about "
		       "%lluM when all are idle; lower max, raise memory or add some",
		       c->config->farm_memory, mib(farm), c->config->max, mib(charged));
}

/* Kernel memory is charged to groups with 16-bit numbers, and no sysctl changes that. */
static void check_groups(struct check *c)
{
	const unsigned long long most = GROUP_IDS - BOX_GROUPS;

	if (c->config->max > most)
		report(c, true,
		       "the kernel has %llu memory control groups, pool.max = %u needs %llu (1 a "
		       "container); lower max to at most %llu",
		       GROUP_IDS, c->config->max, BOX_GROUPS + c->config->max, most);
}

/* Each slot has a range of its own, and those in quarantine hold theirs beside pool.max. */
static void check_ids(struct check *c)
{
	const unsigned int slots = config_slots(c->config);
	const unsigned int most = slots > POOL_QUARANTINE_MAX ? slots - POOL_QUARANTINE_MAX : 0;

	if (c->config->max > most)
		report(c, true,
		       "from id_base = %u on there are ids for %u containers, pool.max = %u needs "
		       "%u ranges of %u; lower id_base or lower max to at most %u",
		       c->config->id_base, slots, c->config->max,
		       c->config->max + POOL_QUARANTINE_MAX, CONFIG_IDS, most);
}

static bool has_controller(const char *controllers, const char *name)
{
	const size_t n = strlen(name);

	for (const char *at = controllers; (at = strstr(at, name)); at += n) {
		if ((at == controllers || at[-1] == ',') && (at[n] == ',' || at[n] == '\0'))
			return true;
	}
	return false;
}

/*
 * The directory of the group that skepd is in where processes are counted, from a line
 * "NUMBER:CONTROLLERS:PATH" (cgroups(7)). @ret_depth: bytes of it that are the hierarchy's own.
 */
static bool group_of_line(char *line, char *ret, size_t *ret_depth)
{
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	const char *dir;

	if (!path)
		return false;
	*controllers++ = '\0';
	*path++ = '\0';
	path[strcspn(path, "\n")] = '\0';
	if (*path != '/' || (*controllers && !has_controller(controllers, "pids")))
		return false;
	dir = *controllers ? "sys/fs/cgroup/pids" : "sys/fs/cgroup";
	*ret_depth = strlen(dir);
	return (size_t)snprintf(ret, PATH_LEN, "%s%s", dir, strcmp(path, "/") ? path : "") <
	       PATH_LEN;
}

/* Containers are at the top of the hierarchy, skepd wherever it was started. */
static void check_group(struct check *c, const char *group, bool is_top)
{
	const unsigned long long need =
		is_top ? BOX_TASKS + (__u64)TASKS * c->config->max : SKEPD_TASKS;
	unsigned long long have;
	char path[PATH_LEN + sizeof("/pids.max")];

	snprintf(path, sizeof(path), "%s/pids.max", group);
	have = read_number(c, path);
	if (have >= need)
		return;
	if (is_top)
		report(c, true,
		       "/%s is %llu, pool.max = %u needs %llu (6 processes a container); raise it "
		       "where this machine is made, or lower max",
		       path, have, c->config->max, need);
	else
		report(c, true,
		       "/%s is %llu, skepd needs %llu processes itself; set TasksMax=infinity in "
		       "the unit that it is started by, or start it elsewhere",
		       path, have, need);
}

static void check_group_and_above(struct check *c, char *group, size_t depth)
{
	while (strlen(group) > depth) {
		check_group(c, group, false);
		*strrchr(group, '/') = '\0';
	}
	check_group(c, group, true);
}

/* On a machine with both versions, only one has the controller: the other's files do not exist. */
static void check_own_groups(struct check *c)
{
	cleanup_fclose FILE *file = open_file(c, "proc/self/cgroup");
	char line[LINE_LEN], group[PATH_LEN];
	size_t depth;

	while (file && fgets(line, sizeof(line), file)) {
		if (group_of_line(line, group, &depth))
			check_group_and_above(c, group, depth);
	}
}

unsigned int check_limits(const struct config *config, int root, limits_tell tell, void *data)
{
	struct check c = {.config = config, .root = root, .tell = tell, .data = data};

	for (size_t i = 0; i < ARRAY_SIZE(sysctls); i++)
		check_sysctl(&c, &sysctls[i]);
	check_groups(&c);
	check_ids(&c);
	check_own_groups(&c);
	check_memory(&c);
	return c.fatal;
}
