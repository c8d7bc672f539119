// SPDX-License-Identifier: GPL-2.0
/*
 * A new configuration on its way: read from a file, handed on in a sealed memfd, and read there by
 * several, each with the ordinals of the configuration that runs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "reload.h"

#define OLD                                                                  \
	"template \"first\" { rootfs = \"/first\" }\n"                       \
	"template \"second\" { rootfs = \"/second\" }\n"                     \
	"uplink \"eth0\" { range \"10.1.0.0/16\" { template = \"first\" }\n" \
	"range \"10.2.0.0/16\" { template = \"second\" } }\n"
#define NEW                                                                   \
	"template \"third\" { rootfs = \"/third\" }\n"                        \
	"template \"second\" { rootfs = \"/second\" }\n"                      \
	"uplink \"eth0\" { range \"10.2.0.0/16\" { template = \"second\" }\n" \
	"range \"10.3.0.0/16\" { template = \"third\" } }\n"

static struct config *parse(const char *text)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL;

	if (config_parse("old.conf", text, &config, error))
		fail_msg("%s", error);
	return config;
}

static int memfd_of(const char *text)
{
	int fd = reload_to_memfd(text, strlen(text));

	assert_true(fd >= 0);
	return fd;
}

static size_t template_at(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_templates; i++)
		if (!strcmp(config->templates[i].name, name))
			return i;
	fail_msg("no template %s", name);
	return 0;
}

static void same_names_keep_their_ordinals(void **state)
{
	struct config *old = parse(OLD), *new = NULL;
	cleanup_close int fd = memfd_of(NEW);

	(void)state;
	assert_int_equal(reload_read(fd, old, &new), 0);
	assert_string_equal(new->file, "old.conf");
	assert_int_equal(template_at(new, "second"), template_at(old, "second"));
	assert_true(new->templates[template_at(new, "first")].gone);
	assert_int_equal(template_at(new, "first"), template_at(old, "first"));
	assert_false(new->templates[template_at(new, "third")].gone);
	assert_int_equal(template_at(new, "third"), 2);
	assert_int_equal(new->uplinks[0].ranges[0].template, template_at(new, "second"));
	assert_int_equal(new->uplinks[0].ranges[1].template, 2);
	config_free(old);
	config_free(new);
}

/* A template that went comes back to the ordinal it had. */
static void what_went_comes_back(void **state)
{
	struct config *old = parse(OLD), *without = NULL, *again = NULL;
	cleanup_close int fd = memfd_of(NEW), back = memfd_of(OLD);

	(void)state;
	assert_int_equal(reload_read(fd, old, &without), 0);
	assert_int_equal(reload_read(back, without, &again), 0);
	assert_int_equal(template_at(again, "first"), template_at(old, "first"));
	assert_false(again->templates[template_at(again, "first")].gone);
	assert_true(again->templates[template_at(again, "third")].gone);
	config_free(old);
	config_free(without);
	config_free(again);
}

/* The processes share the descriptor, and so its offset: wherever it is, it stays there. */
static void the_offset_is_nobodys(void **state)
{
	static const off_t offsets[] = {0, 7, sizeof(NEW), 1 << 20};
	struct config *old = parse(OLD);
	cleanup_close int fd = memfd_of(NEW);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct config *new = NULL;

		assert_int_equal(lseek(fd, offsets[i], SEEK_SET), offsets[i]);
		assert_int_equal(reload_read(fd, old, &new), 0);
		assert_int_equal(lseek(fd, 0, SEEK_CUR), offsets[i]);
		config_free(new);
	}
	config_free(old);
}

static void nobody_can_change_it(void **state)
{
	cleanup_close int fd = memfd_of(NEW);

	(void)state;
	assert_int_equal(fcntl(fd, F_GET_SEALS),
			 F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static void a_wrong_text_is_refused(void **state)
{
	static const char text[] = "pool { warmth = 3 }\n";
	struct config *old = parse(OLD), *new = old;
	cleanup_close int fd = memfd_of(text), empty = memfd_of("");
	char error[CONFIG_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(reload_read(fd, old, &new), -EINVAL);
	assert_int_equal(reload_read(empty, old, &new), -EINVAL);
	assert_int_equal(reload_read(-1, old, &new), -EBADF);
	assert_ptr_equal(new, old);
	assert_int_equal(reload_parse(text, old, &new, error), -EINVAL);
	assert_memory_equal(error, "old.conf:1: ", strlen("old.conf:1: "));
	assert_ptr_equal(new, old);
	config_free(old);
}

/* More than a configuration can be: not even looked at. */
static void a_huge_one_is_refused(void **state)
{
	struct config *old = parse(OLD), *new = old;
	cleanup_close int fd = memfd_create("huge", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, (off_t)RELOAD_TEXT_MAX + 1), 0);
	assert_int_equal(reload_read(fd, old, &new), -EFBIG);
	assert_ptr_equal(new, old);
	config_free(old);
}

/* Templates that were taken out keep their ordinals, and there are not endlessly many. */
static void ordinals_run_out(void **state)
{
	struct config *now = parse(OLD);
	char text[256], error[CONFIG_ERROR_MAX] = "";
	int err = 0, reloads = 0;

	(void)state;
	while (!err && reloads < 1000) {
		struct config *next;

		snprintf(text, sizeof(text),
			 "template \"t%d\" { rootfs = \"/t\" }\n"
			 "uplink \"eth0\" { range \"10.1.0.0/16\" { template = \"t%d\" } }\n",
			 reloads, reloads);
		err = reload_parse(text, now, &next, error);
		if (err)
			break;
		config_free(now);
		now = next;
		reloads++;
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(reloads, 64 - 2);
	assert_non_null(strstr(error, "restart skepd"));
	config_free(now);
}

static const char *write_file(const char *data, size_t size)
{
	static char path[] = "/tmp/skep-reload.XXXXXX";
	int fd;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), size);
	close(fd);
	return path;
}

static void a_file_is_read_whole(void **state)
{
	const char *path = write_file(NEW, strlen(NEW));
	char error[CONFIG_ERROR_MAX] = "";
	cleanup_free char *text = NULL;

	(void)state;
	assert_int_equal(reload_load(path, &text, error), 0);
	assert_string_equal(text, NEW);
	unlink(path);
}

static void check_file_refused(const char *data, size_t size, int err, const char *why)
{
	const char *path = write_file(data, size);
	char error[CONFIG_ERROR_MAX] = "", expected[CONFIG_ERROR_MAX];
	char *text = NULL;

	snprintf(expected, sizeof(expected), "%s: %s", path, why);
	assert_int_equal(reload_load(path, &text, error), err);
	assert_string_equal(error, expected);
	assert_null(text);
	unlink(path);
}

static void files_that_are_no_text(void **state)
{
	const size_t size = RELOAD_TEXT_MAX + 1;
	cleanup_free char *huge = malloc(size);
	char error[CONFIG_ERROR_MAX] = "", *text = NULL;

	(void)state;
	memset(huge, ' ', size);
	check_file_refused("pool\0{ }", 8, -EINVAL, "holds a NUL byte; give a text file");
	check_file_refused(huge, size, -EFBIG, "is too long for a configuration");
	assert_int_equal(reload_load("/nowhere/skep.conf", &text, error), -ENOENT);
	assert_string_equal(error, "/nowhere/skep.conf: No such file or directory; name a file "
				   "that can be read");
	assert_int_equal(reload_load("/", &text, error), -EISDIR);
	assert_null(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_names_keep_their_ordinals),
		cmocka_unit_test(what_went_comes_back),
		cmocka_unit_test(the_offset_is_nobodys),
		cmocka_unit_test(nobody_can_change_it),
		cmocka_unit_test(a_wrong_text_is_refused),
		cmocka_unit_test(a_huge_one_is_refused),
		cmocka_unit_test(ordinals_run_out),
		cmocka_unit_test(a_file_is_read_whole),
		cmocka_unit_test(files_that_are_no_text),
	};

	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
