// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration against a machine: trees in a temporary directory and the interface "lo", which
 * every machine has. Needs no privileges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "check.h"
#include "cleanup.h"
#include "log.h"
#include "plumb.h"

#define TREE_MAX 64

/**
 * struct tree - a temporary directory with a good root file system in "root"
 * @path: of the directory
 * @fd:   of the directory
 */
struct tree {
	char path[TREE_MAX];
	int fd;
};

static void make_directory(const struct tree *tree, const char *path)
{
	assert_int_equal(mkdirat(tree->fd, path, 0755), 0);
}

static void make_file(const struct tree *tree, const char *path, mode_t mode)
{
	int fd = openat(tree->fd, path, O_WRONLY | O_CREAT | O_EXCL, mode);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void make_link(const struct tree *tree, const char *target, const char *path)
{
	assert_int_equal(symlinkat(target, tree->fd, path), 0);
}

static void replace_with_link(const struct tree *tree, const char *target, const char *path)
{
	assert_int_equal(unlinkat(tree->fd, path, 0), 0);
	make_link(tree, target, path);
}

static void make_root(const struct tree *tree)
{
	make_directory(tree, "root");
	make_directory(tree, "root/sbin");
	make_directory(tree, "root/usr");
	make_directory(tree, "root/usr/bin");
	make_file(tree, "root/sbin/init", 0755);
	make_file(tree, "root/usr/bin/env", 0755);
}

static int make_tree(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	if (!tree)
		return -1;
	strcpy(tree->path, "/tmp/skep-test-XXXXXX");
	if (!mkdtemp(tree->path))
		return -1;
	tree->fd = open(tree->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	make_root(tree);
	*state = tree;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int remove_tree(void **state)
{
	struct tree *tree = *state;
	int err = seteuid(getuid()); /* a test that failed may have left it */

	if (!err)
		err = nftw(tree->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	close(tree->fd);
	free(tree);
	return err;
}

/**
 * struct setup - what goes into a configuration
 * @dirs:     lines in front of the template; it stands in line 2 when they are one
 * @uplink:   its name
 * @template: further keys
 * @max:      of the pool, which stands in line 4
 */
struct setup {
	const char *dirs;
	const char *uplink;
	const char *template;
	unsigned int max;
};

static const struct setup plain = {"\n", "lo", "", 1};

static struct config *configure(const struct tree *tree, const struct setup *setup)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL;
	cleanup_free char *text = NULL, *dirs = NULL;

	if (!strcmp(setup->dirs, "\n"))
		assert_true(asprintf(&dirs, "state_dir = \"%s/state\" run_dir = \"%s/run\"\n",
				     tree->path, tree->path) > 0);
	assert_true(asprintf(&text,
			     "%s"
			     "template \"basic\" { rootfs = \"%s/root\" %s }\n"
			     "uplink \"%s\" { range \"192.0.2.0/24\" { template = \"basic\" } }\n"
			     "pool { warm = 1 max = %u }\n",
			     dirs ? dirs : setup->dirs, tree->path, setup->template, setup->uplink,
			     setup->max) > 0);
	if (config_parse("t.conf", text, &config, error) < 0)
		fail_msg("%s", error);
	return config;
}

static void passes(const struct tree *tree, const struct setup *setup)
{
	struct config *config = configure(tree, setup);
	char error[CONFIG_ERROR_MAX] = "";
	int err = check_machine(config, error);

	config_free(config);
	assert_string_equal(error, "");
	assert_int_equal(err, 0);
}

/* @expected: its one %s, if any, is the path of the tree */
static void fails(const struct tree *tree, const struct setup *setup, int err, const char *expected)
{
	struct config *config = configure(tree, setup);
	char error[CONFIG_ERROR_MAX] = "";
	cleanup_free char *whole = NULL;
	int given = check_machine(config, error);

	config_free(config);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	assert_true(asprintf(&whole, expected, tree->path, tree->path) > 0);
#pragma GCC diagnostic pop
	assert_string_equal(error, whole);
	assert_int_equal(given, err);
}

static void everything_there(void **state)
{
	passes(*state, &plain);
}

static void no_interface(void **state)
{
	struct setup setup = plain;

	setup.uplink = "skep-nowhere";
	fails(*state, &setup, -ENODEV,
	      "t.conf:3: uplink \"skep-nowhere\": no such interface; 'ip link' lists those of this "
	      "machine");
}

static void no_root(void **state)
{
	struct tree *tree = *state;

	assert_int_equal(renameat(tree->fd, "root", tree->fd, "elsewhere"), 0);
	fails(tree, &plain, -ENOENT,
	      "t.conf:2: template \"basic\": no root file system at %s/root: No such file or "
	      "directory; run 'skepctl template build basic'");
}

static void root_is_file(void **state)
{
	struct tree *tree = *state;

	assert_int_equal(renameat(tree->fd, "root", tree->fd, "elsewhere"), 0);
	make_file(tree, "root", 0755);
	fails(tree, &plain, -ENOTDIR,
	      "t.conf:2: template \"basic\": no root file system at %s/root: Not a directory; run "
	      "'skepctl template build basic'");
}

static void unused_template_is_not_looked_at(void **state)
{
	struct setup setup = plain;

	setup.template = "} template \"other\" { rootfs = \"/nonexistent\"";
	passes(*state, &setup);
}

/* What an earlier configuration had, and this one has not. */
static void holes(void **state)
{
	static const char uplinks[3][IFNAMSIZ] = {"skep-nowhere", "lo", "skep-gone"};
	static const char templates[3][64] = {"former", "basic", ""};
	struct config *config = configure(*state, &plain);
	char error[CONFIG_ERROR_MAX] = "";

	assert_int_equal(config_align(config, uplinks, 3, templates, 3), 0);
	assert_string_equal(config->uplinks[0].name, "");
	assert_true(config->templates[0].gone);
	assert_int_equal(check_machine(config, error), 0);
	assert_string_equal(error, "");
	config_free(config);
}

/** struct logged - lines of the log: how many, and of which priorities a bit each */
struct logged {
	unsigned int n;
	unsigned int priorities;
};

static void take_line(void *data, int priority, const char *line)
{
	struct logged *logged = data;

	logged->n++;
	logged->priorities |= 1U << priority;
	assert_true(!strncmp(line, "t.conf:4: ", strlen("t.conf:4: ")));
}

/* struct told - the first line that is for information, and how many there are */
struct told {
	unsigned int n;
	char line[LOG_LINE_MAX];
};

static void take_told(void *data, int priority, const char *line)
{
	struct told *told = data;

	if (priority != LOG_INFO || told->n++)
		return;
	snprintf(told->line, sizeof(told->line), "%s", line);
}

/* @n ranges on "lo", and one on another uplink, all of one template; it is in line 1, they follow.
 */
static struct config *configure_ranges(const struct tree *tree, unsigned int n, const char *pool)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL;
	cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fprintf(f, "template \"basic\" { rootfs = \"%s/root\" }\n", tree->path);
	fputs("uplink \"lo\" { gateway = \"10.0.0.1\"\n", f);
	for (unsigned int i = 0; i < n; i++)
		fprintf(f, "range \"10.0.%u.0/24\" { template = \"basic\" }\n", i);
	fputs("} uplink \"second\" { range \"10.1.0.0/24\" { template = \"basic\" } }\n", f);
	fprintf(f, "pool { warm = 1 max = 1 %s } state_dir = \"%s/s\" run_dir = \"%s/r\"\n", pool,
		tree->path, tree->path);
	fclose(f);
	if (config_parse("t.conf", text, &config, error) < 0)
		fail_msg("%s", error);
	strcpy(config->uplinks[1].name, "lo"); /* no other one is everywhere */
	return config;
}

/* @expected: NULL when nothing is to be told */
static void tells(struct config *config, const char *expected)
{
	struct told told = {};
	char error[CONFIG_ERROR_MAX] = "";
	int err;

	log_set_sink(take_told, &told);
	err = check_machine(config, error);
	log_set_sink(NULL, NULL);
	config_free(config);
	assert_string_equal(error, "");
	assert_int_equal(err, 0);
	assert_string_equal(told.line, expected ? expected : "");
	assert_int_equal(told.n, expected ? 1 : 0);
}

static void another_gateway(void **state)
{
	tells(configure_ranges(*state, 1, ""),
	      "t.conf:4: range 10.1.0.0/24 has another gateway than the first one of template "
	      "\"basic\", in line 3: its addresses are bound by skepd, not by the uplink program; "
	      "a "
	      "template of its own changes that");
}

/* That there is another gateway, too, does not matter any more. */
static void more_ranges_than_segments(void **state)
{
	tells(configure_ranges(*state, PLUMB_SEGMENTS_MAX, ""),
	      "t.conf:1: template \"basic\" has more than 64 ranges: their addresses are bound by "
	      "skepd, not by the uplink program; several templates of fewer ranges change that");
}

static void daemon_by_choice(void **state)
{
	tells(configure_ranges(*state, PLUMB_SEGMENTS_MAX, "bind = \"daemon\""), NULL);
}

/* No machine has groups for so many, whatever else it has. */
static void more_than_any_machine(void **state)
{
	struct setup setup = plain;
	struct logged logged = {};
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config;
	int err;

	setup.max = 65536;
	config = configure(*state, &setup);
	log_set_sink(take_line, &logged);
	err = check_machine(config, error);
	log_set_sink(NULL, NULL);
	config_free(config);
	assert_int_equal(err, -ENOSPC);
	assert_true(!strncmp(error, "t.conf:4: ", strlen("t.conf:4: ")));
	assert_non_null(strstr(error, " pool.max = 65536 needs "));
	assert_int_equal(logged.priorities & ~(1U << LOG_WARNING | 1U << LOG_ERR), 0);
}

static void no_init(void **state)
{
	struct setup setup = plain;

	setup.template = "init = \"/lib/systemd/systemd\"";
	fails(*state, &setup, -ENOENT,
	      "t.conf:2: template \"basic\": no /lib/systemd/systemd in %s/root: No such file or "
	      "directory; put it there or set init");
}

static void init_not_executable(void **state)
{
	const struct tree *tree = *state;

	assert_int_equal(fchmodat(tree->fd, "root/sbin/init", 0644, 0), 0);
	fails(tree, &plain, -ENOEXEC,
	      "t.conf:2: template \"basic\": /sbin/init in %s/root is not an executable file; make "
	      "it one or set init");
}

static void init_is_directory(void **state)
{
	struct setup setup = plain;

	setup.template = "init = \"/sbin\"";
	fails(*state, &setup, -ENOEXEC,
	      "t.conf:2: template \"basic\": /sbin in %s/root is not an executable file; make it "
	      "one or set init");
}

static void init_is_link(void **state)
{
	const struct tree *tree = *state;

	make_file(tree, "root/usr/bin/busybox-of-the-test", 0755);
	replace_with_link(tree, "../usr/bin/busybox-of-the-test", "root/sbin/init");
	passes(tree, &plain);
}

/* "/usr/bin/..." is the container's: the host has no such file. */
static void init_is_absolute_link(void **state)
{
	const struct tree *tree = *state;

	make_file(tree, "root/usr/bin/busybox-of-the-test", 0755);
	replace_with_link(tree, "/usr/bin/busybox-of-the-test", "root/sbin/init");
	passes(tree, &plain);
}

/* /bin/sh is on the host, but not in the root file system. */
static void link_to_the_host(void **state)
{
	const struct tree *tree = *state;

	replace_with_link(tree, "/bin/sh", "root/sbin/init");
	fails(tree, &plain, -ENOENT,
	      "t.conf:2: template \"basic\": no /sbin/init in %s/root: No such file or directory; "
	      "put it there or set init");
}

static void link_out_of_the_root(void **state)
{
	const struct tree *tree = *state;

	make_file(tree, "init-outside", 0755);
	replace_with_link(tree, "../../init-outside", "root/sbin/init");
	fails(tree, &plain, -ENOENT,
	      "t.conf:2: template \"basic\": no /sbin/init in %s/root: No such file or directory; "
	      "put it there or set init");
}

static void link_to_itself(void **state)
{
	const struct tree *tree = *state;

	replace_with_link(tree, "init", "root/sbin/init");
	fails(tree, &plain, -ELOOP,
	      "t.conf:2: template \"basic\": no /sbin/init in %s/root: Too many levels of symbolic "
	      "links; put it there or set init");
}

static void no_env(void **state)
{
	const struct tree *tree = *state;

	assert_int_equal(unlinkat(tree->fd, "root/usr/bin/env", 0), 0);
	fails(tree, &plain, -ENOENT,
	      "t.conf:2: template \"basic\": no executable /usr/bin/env in %s/root; put one there, "
	      "skepd starts init with it");
}

static void env_not_executable(void **state)
{
	const struct tree *tree = *state;

	assert_int_equal(fchmodat(tree->fd, "root/usr/bin/env", 0600, 0), 0);
	fails(tree, &plain, -ENOEXEC,
	      "t.conf:2: template \"basic\": no executable /usr/bin/env in %s/root; put one there, "
	      "skepd starts init with it");
}

static void directories_exist(void **state)
{
	const struct tree *tree = *state;

	make_directory(tree, "state");
	make_directory(tree, "run");
	passes(tree, &plain);
}

static void state_dir_is_file(void **state)
{
	const struct tree *tree = *state;

	make_file(tree, "state", 0644);
	fails(tree, &plain, -ENOTDIR,
	      "t.conf:1: state_dir \"%s/state\" cannot be made: %s/state: Not a directory; correct "
	      "that or set state_dir");
}

static void run_dir_below_file(void **state)
{
	const struct tree *tree = *state;
	cleanup_free char *dirs = NULL;
	struct setup setup = plain;

	make_file(tree, "state-file", 0644);
	assert_true(asprintf(&dirs, "state_dir = \"%s/a/b/c\"\nrun_dir = \"%s/state-file/run\"\n",
			     tree->path, tree->path) > 0);
	setup.dirs = dirs;
	fails(tree, &setup, -ENOTDIR,
	      "t.conf:2: run_dir \"%s/state-file/run\" cannot be made: %s/state-file/run: Not a "
	      "directory; correct that or set run_dir");
}

static void looking_makes_nothing(void **state)
{
	const struct tree *tree = *state;

	passes(tree, &plain);
	assert_int_equal(faccessat(tree->fd, "state", F_OK, 0), -1);
	assert_int_equal(faccessat(tree->fd, "run", F_OK, 0), -1);
}

static void no_permission(void **state)
{
	const struct tree *tree = *state;
	cleanup_free char *dirs = NULL;
	struct setup setup = plain;
	uid_t me = geteuid();

	make_directory(tree, "locked");
	assert_int_equal(fchmodat(tree->fd, "locked", 0555, 0), 0);
	assert_int_equal(chmod(tree->path, 0755), 0);
	assert_true(asprintf(&dirs, "state_dir = \"%s/locked/a/b\"\n", tree->path) > 0);
	setup.dirs = dirs;
	if (me == 0)
		assert_int_equal(seteuid(65534), 0);
	fails(tree, &setup, -EACCES,
	      "t.conf:1: state_dir \"%s/locked/a/b\" cannot be made: %s/locked: Permission denied; "
	      "correct that or set state_dir");
	assert_int_equal(seteuid(me), 0);
}

/* The kernel's older way to ask for the same: one entry for each IPv4 address. */
static size_t ask_by_ioctl(struct ifreq *entries, size_t max)
{
	struct ifconf ifc = {.ifc_len = (int)(max * sizeof(*entries)), .ifc_req = entries};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCGIFCONF, &ifc), 0);
	close(fd);
	return (size_t)ifc.ifc_len / sizeof(*entries);
}

static bool contains(const __be32 *addrs, size_t n, const struct sockaddr *wanted)
{
	for (size_t i = 0; i < n; i++) {
		if (addrs[i] == ((const struct sockaddr_in *)wanted)->sin_addr.s_addr)
			return true;
	}
	return false;
}

static void own_addresses(void **state)
{
	struct ifreq expected[256];
	size_t n = 0, n_expected = ask_by_ioctl(expected, ARRAY_SIZE(expected));
	__be32 *addrs = NULL;

	(void)state;
	assert_int_equal(check_own_addresses(&addrs, &n), 0);
	assert_non_null(addrs);
	assert_int_equal(n, n_expected);
	for (size_t i = 0; i < n_expected; i++)
		assert_true(contains(addrs, n, &expected[i].ifr_addr));
	free(addrs);
}

#define tree_test(f) cmocka_unit_test_setup_teardown(f, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		tree_test(everything_there),
		tree_test(no_interface),
		tree_test(no_root),
		tree_test(root_is_file),
		tree_test(unused_template_is_not_looked_at),
		tree_test(holes),
		tree_test(another_gateway),
		tree_test(more_ranges_than_segments),
		tree_test(daemon_by_choice),
		tree_test(more_than_any_machine),
		tree_test(no_init),
		tree_test(init_not_executable),
		tree_test(init_is_directory),
		tree_test(init_is_link),
		tree_test(init_is_absolute_link),
		tree_test(link_to_the_host),
		tree_test(link_out_of_the_root),
		tree_test(link_to_itself),
		tree_test(no_env),
		tree_test(env_not_executable),
		tree_test(directories_exist),
		tree_test(state_dir_is_file),
		tree_test(run_dir_below_file),
		tree_test(looking_makes_nothing),
		tree_test(no_permission),
		cmocka_unit_test(own_addresses),
	};

	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
