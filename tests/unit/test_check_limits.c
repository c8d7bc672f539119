// SPDX-License-Identifier: GPL-2.0
/*
 * Limits against a machine that is a directory: files below proc and sys. What a farm needs is
 * written out here as numbers, so that nobody changes it without noticing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "check_limits.h"
#include "cleanup.h"
#include "files.h"

#define LINES_MAX 32

/**
 * struct machine - a temporary directory that stands for /
 * @fd:    of the directory
 * @lines: what was told, in order
 */
struct machine {
	char path[64];
	int fd;
	char lines[LINES_MAX][CONFIG_ERROR_MAX];
	bool fatal[LINES_MAX];
	size_t n;
};

static void put(struct machine *machine, const char *path, const char *text)
{
	char whole[512];
	char *slash;

	snprintf(whole, sizeof(whole), "%s/%s", machine->path, path);
	slash = strrchr(whole, '/');
	*slash = '\0';
	assert_int_equal(files_make_dirs(whole, 0755), 0);
	*slash = '/';
	assert_int_equal(files_write(whole, text, strlen(text), 0644), 0);
}

static void put_sysctl(struct machine *machine, const char *name, unsigned long long value)
{
	char path[256], text[32];

	snprintf(path, sizeof(path), "proc/sys/%s", name);
	for (char *p = path; *p; p++)
		*p = *p == '.' ? '/' : *p;
	snprintf(text, sizeof(text), "%llu\n", value);
	put(machine, path, text);
}

static int make_machine(void **state)
{
	struct machine *machine = calloc(1, sizeof(*machine));

	if (!machine)
		return -1;
	strcpy(machine->path, "/tmp/skep-test-XXXXXX");
	if (!mkdtemp(machine->path))
		return -1;
	machine->fd = open(machine->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*state = machine;
	return machine->fd < 0;
}

static int remove_machine(void **state)
{
	struct machine *machine = *state;
	int err = files_remove_tree(machine->path);

	close(machine->fd);
	free(machine);
	return err;
}

static void take(void *data, bool fatal, const char *line)
{
	struct machine *machine = data;

	assert_true(machine->n < LINES_MAX);
	machine->fatal[machine->n] = fatal;
	snprintf(machine->lines[machine->n++], CONFIG_ERROR_MAX, "%s", line);
}

/* @pool: its keys; @template: more of them. The pool stands in line 2. */
static struct config *configure(const char *pool, const char *template)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL;
	cleanup_free char *text = NULL;

	assert_true(asprintf(&text,
			     "\npool { %s }\n"
			     "template \"basic\" { rootfs = x %s }\n"
			     "template \"unused\" { rootfs = x files = 1048576 }\n"
			     "uplink \"lo\" { range \"192.0.2.0/24\" { template = \"basic\" } }\n",
			     pool, template) > 0);
	if (config_parse("t.conf", text, &config, error) < 0)
		fail_msg("%s", error);
	return config;
}

/* @max: pool.max. Return: how many lines were fatal. */
static unsigned int look(struct machine *machine, const char *pool)
{
	struct config *config = configure(pool, "");
	unsigned int fatal, counted = 0;

	machine->n = 0;
	fatal = check_limits(config, machine->fd, take, machine);
	config_free(config);
	for (size_t i = 0; i < machine->n; i++)
		counted += machine->fatal[i];
	assert_int_equal(fatal, counted);
	return fatal;
}

/* Exactly one line, and just this. */
static void tells(struct machine *machine, const char *pool, bool fatal, const char *expected)
{
	assert_int_equal(look(machine, pool), fatal);
	assert_int_equal(machine->n, 1);
	assert_string_equal(machine->lines[0], expected);
	assert_int_equal(machine->fatal[0], fatal);
}

static void tells_nothing(struct machine *machine, const char *pool)
{
	look(machine, pool);
	if (machine->n)
		fail_msg("%s", machine->lines[0]);
}

/** struct need - what 256, 4,000 and 10,000 containers need of a sysctl */
struct need {
	const char *name;
	unsigned int need[3];
	bool fatal;
};

static const char *const pools[3] = {"max = 256", "max = 4000", "max = 10000"};

static const struct need needs[] = {
	{"kernel.pid_max", {2816, 29024, 71024}, true},
	{"kernel.threads-max", {2816, 29024, 71024}, true},
	{"user.max_user_namespaces", {320, 4064, 10064}, true},
	{"user.max_mnt_namespaces", {320, 4064, 10064}, true},
	{"user.max_pid_namespaces", {320, 4064, 10064}, true},
	{"user.max_uts_namespaces", {320, 4064, 10064}, true},
	{"user.max_ipc_namespaces", {320, 4064, 10064}, true},
	{"user.max_net_namespaces", {320, 4064, 10064}, true},
	{"user.max_cgroup_namespaces", {320, 4064, 10064}, true},
	{"fs.nr_open", {1024, 8256, 20256}, true}, /* the first is template.files */
	{"fs.file-max", {24576, 264192, 648192}, true},
	{"fs.mount-max", {1000, 1000, 1000}, true},
	{"kernel.pty.max", {1280, 5024, 11024}, false},
	{"fs.inotify.max_user_instances", {128, 1064, 2564}, false},
	{"fs.inotify.max_user_watches", {5120, 20096, 44096}, false},
	{"net.ipv4.neigh.default.gc_thresh3", {768, 4512, 10512}, false},
};

static void the_table(void **state)
{
	size_t n;
	const struct limit *limits = limits_sysctls(&n);

	(void)state;
	assert_int_equal(n, ARRAY_SIZE(needs));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(limits[i].name, needs[i].name);
		assert_int_equal(limits[i].fatal, needs[i].fatal);
		for (size_t p = 0; p < ARRAY_SIZE(pools); p++) {
			struct config *config = configure(pools[p], "");

			assert_int_equal(limits_need(&limits[i], config), needs[i].need[p]);
			config_free(config);
		}
	}
}

/* One below what is needed is told, with the command that helps; what is needed is enough. */
static void each_sysctl(void **state)
{
	struct machine *machine = *state;

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		const struct need *need = &needs[i];
		char start[256], end[256];

		put_sysctl(machine, need->name, need->need[1] - 1);
		assert_int_equal(look(machine, pools[1]), need->fatal);
		assert_int_equal(machine->n, 1);
		snprintf(start, sizeof(start), "t.conf:2: %s is %u, pool.max = 4000 needs %u (",
			 need->name, need->need[1] - 1, need->need[1]);
		snprintf(end, sizeof(end), "); run 'sysctl -w %s=%u' and put it into /etc/sysctl.d",
			 need->name, need->need[1]);
		assert_memory_equal(machine->lines[0], start, strlen(start));
		assert_true(strlen(machine->lines[0]) > strlen(start) + strlen(end));
		assert_string_equal(machine->lines[0] + strlen(machine->lines[0]) - strlen(end),
				    end);
		put_sysctl(machine, need->name, need->need[1]);
		tells_nothing(machine, pools[1]);
	}
}

static void a_whole_line(void **state)
{
	struct machine *machine = *state;

	put_sysctl(machine, "kernel.pid_max", 32768);
	tells_nothing(machine, pools[1]);
	tells(machine, pools[2], true,
	      "t.conf:2: kernel.pid_max is 32768, pool.max = 10000 needs 71024 (6 processes a "
	      "container, an eighth for the box); run 'sysctl -w kernel.pid_max=71024' and put it "
	      "into /etc/sysctl.d");
}

/* All of them, not the first alone; what is fatal and what is not. */
static void all_are_told(void **state)
{
	struct machine *machine = *state;
	unsigned int fatal = 0;

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++) {
		put_sysctl(machine, needs[i].name, 1);
		fatal += needs[i].fatal;
	}
	assert_int_equal(look(machine, "max = 256"), fatal);
	assert_int_equal(machine->n, ARRAY_SIZE(needs));
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		assert_int_equal(machine->fatal[i], needs[i].fatal);
}

/* What a machine has when nobody changed anything: 24 GiB, 2 cores; its pid_max is systemd's. */
static void a_usual_machine(void **state)
{
	struct machine *machine = *state;

	put_sysctl(machine, "kernel.pid_max", 4194304);
	put_sysctl(machine, "kernel.threads-max", 192730);
	put_sysctl(machine, "fs.nr_open", 1048576);
	put_sysctl(machine, "fs.file-max", 9223372036854775807ULL);
	put_sysctl(machine, "fs.mount-max", 100000);
	put_sysctl(machine, "kernel.pty.max", 4096);
	put_sysctl(machine, "fs.inotify.max_user_instances", 128);
	put_sysctl(machine, "fs.inotify.max_user_watches", 192536);
	put_sysctl(machine, "net.ipv4.neigh.default.gc_thresh3", 1024);
	put(machine, "proc/meminfo", "MemTotal: 24683520 kB\nMemAvailable: 24178688 kB\n");
	put(machine, "proc/self/cgroup", "0::/system.slice/skepd.service\n");
	put(machine, "sys/fs/cgroup/system.slice/skepd.service/pids.max", "max\n");
	tells_nothing(machine, "max = 256");
	tells(machine, "max = 260", false,
	      "t.conf:2: fs.inotify.max_user_instances is 128, pool.max = 260 needs 129 (one in 4 "
	      "containers, and the box's root); run 'sysctl -w "
	      "fs.inotify.max_user_instances=129' and put it into /etc/sysctl.d");
	assert_int_equal(look(machine, "max = 10000"), 0);
	assert_int_equal(machine->n, 3); /* ptys, inotify instances, neighbours */
}

static void unreadable_is_no_limit(void **state)
{
	struct machine *machine = *state;

	tells_nothing(machine, "max = 20000");
	put(machine, "proc/sys/kernel/pid_max", "");
	put(machine, "proc/sys/kernel/threads-max", "many\n");
	put(machine, "proc/meminfo", "MemTotal: none\nMemAvailableToo: 1 kB\nMem\n");
	put(machine, "proc/self/cgroup", "\n0\n1:\n2:pids\n0::\n0::relative\n3:pids:\n");
	put(machine, "sys/fs/cgroup/pids.max", "1\n");
	put(machine, "sys/fs/cgroup/pids/pids.max", "1\n");
	tells_nothing(machine, "max = 20000");
}

/* Without a pool section there is no line to name. */
static void no_pool_section(void **state)
{
	struct machine *machine = *state;
	struct config *config = configure("", "");

	config->pool_line = 0;
	put_sysctl(machine, "fs.mount-max", 10);
	assert_int_equal(check_limits(config, machine->fd, take, machine), 1);
	assert_string_equal(
		machine->lines[0],
		"t.conf: fs.mount-max is 10, pool.max = 256 needs 1000 (the mounts of "
		"the box and those of one container); run 'sysctl -w fs.mount-max=1000' "
		"and put it into /etc/sysctl.d");
	config_free(config);
}

/* Of templates in use, and only where it is more than skepd's own need. */
static void files_of_templates(void **state)
{
	struct machine *machine = *state;
	struct config *config = configure("max = 1000", "files = 500000");

	put_sysctl(machine, "fs.nr_open", 499999);
	assert_int_equal(check_limits(config, machine->fd, take, machine), 1);
	assert_non_null(strstr(machine->lines[0], " needs 500000 "));
	config_free(config);
	put_sysctl(machine, "fs.nr_open", 2256);
	tells_nothing(machine, "max = 1000");
}

static void a_template_that_is_gone(void **state)
{
	struct machine *machine = *state;
	static const char templates[1][64] = {"former"};
	struct config *config = configure("max = 1000", "");

	assert_int_equal(config_align(config, NULL, 0, templates, 1), 0);
	assert_true(config->templates[0].gone);
	config->templates[0].files = 9999;
	put_sysctl(machine, "fs.nr_open", 2256);
	assert_int_equal(check_limits(config, machine->fd, take, machine), 0);
	assert_int_equal(machine->n, 0);
	config_free(config);
}

static __u64 memory_with(const char *pool, const char *template)
{
	struct config *config = configure(pool, template);
	__u64 need = limits_need_memory(config);

	config_free(config);
	return need >> 10;
}

static __u64 memory_of(const char *pool)
{
	return memory_with(pool, "");
}

/* What a container takes by itself, and what its cgroup takes for each other one. */
static void memory_needed(void **state)
{
	(void)state;
	assert_int_equal(memory_of("warm = 1 max = 10"), 10 * 832);
	assert_int_equal(memory_of("max = 1000"), 1000 * (832 + 78));
	assert_int_equal(memory_with("max = 1000", "sysfs = read-only"), 1000 * (832 + 93));
	assert_int_equal(memory_of("max = 10000"), 10000 * (832 + 781));
	assert_int_equal(memory_of("max = 4000"), 4000 * 1144);
	assert_int_equal(
		memory_of("max = 4000 when_exhausted = evict addresses_per_container = 16"),
		4000 * 1144);
	assert_int_equal(
		memory_of("max = 4000 when_exhausted = share addresses_per_container = 16"),
		4000 * 1144 + 64000 * 2);
	/* Not more addresses than there can be leases. */
	assert_int_equal(
		memory_of("max = 65536 when_exhausted = share addresses_per_container = 4096"),
		65536ULL * (832 + 5120) + 262144 * 2);
}

static void memory_is_only_a_warning(void **state)
{
	struct machine *machine = *state;

	put(machine, "proc/meminfo",
	    "MemTotal:       8000000 kB\nMemFree:        1000 kB\nMemAvailable:   4575999 kB\n");
	tells(machine, "max = 4000", false,
	      "t.conf:2: 4468M of memory are available, pool.max = 4000 needs about 4468M when all "
	      "are idle; lower max or add memory");
	put(machine, "proc/meminfo", "MemTotal: 8000000 kB\nMemAvailable: 4576000 kB\n");
	tells_nothing(machine, "max = 4000");
	tells(machine, "max = 4000 memory = 20%", false,
	      "t.conf:2: pool.memory = 20% of this machine's is 1562M, pool.max = 4000 needs about "
	      "1875M when all are idle; lower max, raise memory or add some");
}

/* Not a sysctl: the kernel's numbers of memory control groups have 16 bits. */
static void memory_groups(void **state)
{
	struct machine *machine = *state;

	tells_nothing(machine, "max = 64535");
	tells(machine, "max = 64536", true,
	      "t.conf:2: the kernel has 65535 memory control groups, pool.max = 64536 needs 65536 "
	      "(1 a container); lower max to at most 64535");
}

/* Each slot has 65536 of its own, up to the last id but one, and 16 may be in quarantine. */
static void ids(void **state)
{
	static const struct {
		const char *pool;
		__u32 id_base;
		const char *line;
	} cases[] = {
		{"max = 239", 0xff000000, NULL},
		{"max = 240", 0xff000000,
		 "t.conf:2: from id_base = 4278190080 on there are ids for 255 containers, "
		 "pool.max = 240 needs 256 ranges of 65536; lower id_base or lower max to at most "
		 "239"},
		{"max = 240", 0xfeffffff, NULL},
		{"max = 32", 4294901759U,
		 "t.conf:2: from id_base = 4294901759 on there are ids for 1 containers, pool.max "
		 "= "
		 "32 needs 48 ranges of 65536; lower id_base or lower max to at most 0"},
	};
	struct machine *machine = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config *config = configure(cases[i].pool, "");

		config->id_base = cases[i].id_base;
		machine->n = 0;
		assert_int_equal(check_limits(config, machine->fd, take, machine), !!cases[i].line);
		assert_int_equal(machine->n, !!cases[i].line);
		if (cases[i].line)
			assert_string_equal(machine->lines[0], cases[i].line);
		config_free(config);
	}
}

static void own_group_v2(void **state)
{
	struct machine *machine = *state;

	put(machine, "proc/self/cgroup", "0::/system.slice/skepd.service\n");
	put(machine, "sys/fs/cgroup/system.slice/skepd.service/pids.max", "512\n");
	put(machine, "sys/fs/cgroup/system.slice/pids.max", "max\n");
	tells_nothing(machine, "max = 4000");
	put(machine, "sys/fs/cgroup/system.slice/skepd.service/pids.max", "511\n");
	tells(machine, "max = 4000", true,
	      "t.conf:2: /sys/fs/cgroup/system.slice/skepd.service/pids.max is 511, skepd needs "
	      "512 "
	      "processes itself; set TasksMax=infinity in the unit that it is started by, or start "
	      "it elsewhere");
}

static void group_above(void **state)
{
	struct machine *machine = *state;

	put(machine, "proc/self/cgroup", "0::/a/b\n");
	put(machine, "sys/fs/cgroup/a/b/pids.max", "max\n");
	put(machine, "sys/fs/cgroup/a/pids.max", "100\n");
	tells(machine, "max = 4000", true,
	      "t.conf:2: /sys/fs/cgroup/a/pids.max is 100, skepd needs 512 processes itself; set "
	      "TasksMax=infinity in the unit that it is started by, or start it elsewhere");
}

/* Inside of another container, whose limit is for all of it. */
static void group_at_the_top(void **state)
{
	struct machine *machine = *state;

	put(machine, "proc/self/cgroup", "0::/\n");
	put(machine, "sys/fs/cgroup/pids.max", "25023\n");
	tells(machine, "max = 4000", true,
	      "t.conf:2: /sys/fs/cgroup/pids.max is 25023, pool.max = 4000 needs 25024 (6 "
	      "processes "
	      "a container); raise it where this machine is made, or lower max");
	put(machine, "sys/fs/cgroup/pids.max", "25024\n");
	tells_nothing(machine, "max = 4000");
	put(machine, "proc/self/cgroup", "0::/a\n"); /* the top is looked at from below, too */
	put(machine, "sys/fs/cgroup/pids.max", "25023\n");
	assert_int_equal(look(machine, "max = 4000"), 1);
}

/* Version 1, alone or beside version 2: the controller has a hierarchy of its own. */
static void own_group_v1(void **state)
{
	struct machine *machine = *state;

	put(machine, "proc/self/cgroup",
	    "9:name=systemd:/user\n8:net_cls,pids:/user/me\n4:rpids,pidsx:/x\n4:memory:/user\n0::/"
	    "user\n");
	put(machine, "sys/fs/cgroup/pids/user/me/pids.max", "100\n");
	put(machine, "sys/fs/cgroup/pids/x/pids.max", "1\n");
	put(machine, "sys/fs/cgroup/memory/user/pids.max", "1\n");
	tells(machine, "max = 256", true,
	      "t.conf:2: /sys/fs/cgroup/pids/user/me/pids.max is 100, skepd needs 512 processes "
	      "itself; set TasksMax=infinity in the unit that it is started by, or start it "
	      "elsewhere");
}

#define machine_test(f) cmocka_unit_test_setup_teardown(f, make_machine, remove_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table),
		machine_test(each_sysctl),
		machine_test(a_whole_line),
		machine_test(all_are_told),
		machine_test(a_usual_machine),
		machine_test(unreadable_is_no_limit),
		machine_test(no_pool_section),
		machine_test(files_of_templates),
		machine_test(a_template_that_is_gone),
		cmocka_unit_test(memory_needed),
		machine_test(memory_is_only_a_warning),
		machine_test(memory_groups),
		machine_test(ids),
		machine_test(own_group_v2),
		machine_test(group_above),
		machine_test(group_at_the_top),
		machine_test(own_group_v1),
	};

	return cmocka_run_group_tests_name("check_limits", tests, NULL, NULL);
}
