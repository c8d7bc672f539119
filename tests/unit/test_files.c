// SPDX-License-Identifier: GPL-2.0
/* files.h: above all, that no tree an intruder can make is too much for the removal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

#define DEPTH 40
#define NAME_LEN 250 /* 40 of them are more than twice PATH_MAX */

static char top[] = "/tmp/test_files.XXXXXX";

static int make_top(void **state)
{
	(void)state;
	strcpy(top + strlen(top) - 6, "XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_top(void **state)
{
	(void)state;
	return files_remove_tree(top);
}

static void touch(int dir, const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void nothing_is_no_error(void **state)
{
	(void)state;
	assert_int_equal(files_remove_tree("/tmp/no/such/tree"), 0);
}

static void a_wide_tree_goes(void **state)
{
	int dir = open(top, O_RDONLY | O_DIRECTORY);
	char name[64];

	(void)state;
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(mkdirat(dir, name, 0700), 0);
		snprintf(name, sizeof(name), "d%d/full", i);
		assert_int_equal(mkdirat(dir, name, 0700), 0);
		snprintf(name, sizeof(name), "d%d/full/f", i);
		touch(dir, name);
		snprintf(name, sizeof(name), ".lifted.%d",
			 i); /* the names the removal itself would take */
		touch(dir, name);
	}
	close(dir);
	assert_int_equal(files_remove_tree(top), 0);
	assert_int_equal(access(top, F_OK), -1);
	assert_int_equal(errno, ENOENT);
}

static void a_deep_tree_goes(void **state)
{
	char name[NAME_LEN + 1];
	int dir = open(top, O_RDONLY | O_DIRECTORY);

	(void)state;
	memset(name, 'd', NAME_LEN);
	name[NAME_LEN] = '\0';
	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(dir, name, 0700), 0);
		touch(dir, "f");
		next = openat(dir, name, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		close(dir);
		dir = next;
	}
	close(dir);
	assert_int_equal(files_remove_tree(top), 0);
	assert_int_equal(access(top, F_OK), -1);
}

static void links_are_not_followed(void **state)
{
	char outside[] = "/tmp/test_files.XXXXXX", path[128];
	int dir;

	(void)state;
	assert_non_null(mkdtemp(outside));
	dir = open(outside, O_RDONLY | O_DIRECTORY);
	touch(dir, "precious");
	snprintf(path, sizeof(path), "%s/link", top);
	assert_int_equal(symlink(outside, path), 0);
	snprintf(path, sizeof(path), "%s/d", top);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/d/link", top);
	assert_int_equal(symlink(outside, path), 0);
	assert_int_equal(files_remove_tree(top), 0);
	assert_int_equal(faccessat(dir, "precious", F_OK, 0), 0);
	close(dir);
	assert_int_equal(files_remove_tree(outside), 0);
}

static void a_lock_is_held_once(void **state)
{
	int first = files_lock(top);

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(files_lock(top), -EWOULDBLOCK);
	close(first);
	first = files_lock(top);
	assert_true(first >= 0);
	close(first);
}

static void what_is_written_is_read(void **state)
{
	char path[128], buf[8];

	(void)state;
	snprintf(path, sizeof(path), "%s/file", top);
	assert_int_equal(files_write(path, "12345", 5, 0600), 0);
	assert_int_equal(files_read(path, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "12345", 5);
	assert_int_equal(files_read(path, buf, 2), 2);
}

static void what_is_set_must_be_there(void **state)
{
	char path[128], buf[8];

	(void)state;
	snprintf(path, sizeof(path), "%s/file", top);
	assert_int_equal(files_set(path, "1"), -ENOENT);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(files_write(path, "ab", 2, 0600), 0);
	assert_int_equal(files_set(path, "1"), 0);
	assert_int_equal(files_read(path, buf, sizeof(buf)), 2);
	assert_memory_equal(buf, "1b", 2); /* nothing is cut off: a kernel's file has no length */
}

#define WITH_TOP(test) cmocka_unit_test_setup_teardown(test, make_top, remove_top)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_no_error),
		WITH_TOP(a_wide_tree_goes),
		WITH_TOP(a_deep_tree_goes),
		WITH_TOP(links_are_not_followed),
		WITH_TOP(a_lock_is_held_once),
		WITH_TOP(what_is_written_is_read),
		WITH_TOP(what_is_set_must_be_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
