// SPDX-License-Identifier: GPL-2.0
/*
 * Log lines: how they look on stderr and in the journal, where a sink takes them, and how seldom
 * one reason may be told. What is written to stderr is caught in a pipe.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "cleanup.h"
#include "clock.h"
#include "log.h"

/* ---- the limit ------------------------------------------------------------- */

#define T0 (5 * NS_PER_SEC)

static void one_line_a_second(void **state)
{
	struct log_limit limit = {};
	unsigned long suppressed = 99;

	(void)state;
	assert_true(log_limit_pass(&limit, T0, &suppressed));
	assert_int_equal(suppressed, 0);
	suppressed = 99;
	assert_false(log_limit_pass(&limit, T0, &suppressed));
	assert_false(log_limit_pass(&limit, T0 + NS_PER_SEC - 1, &suppressed));
	assert_int_equal(suppressed, 99); /* told only with the next line */
	assert_true(log_limit_pass(&limit, T0 + NS_PER_SEC, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_false(log_limit_pass(&limit, T0 + 2 * NS_PER_SEC - 1, &suppressed));
	assert_true(log_limit_pass(&limit, T0 + 2 * NS_PER_SEC, &suppressed));
	assert_int_equal(suppressed, 1);
}

static void a_quiet_time_earns_no_second_line(void **state)
{
	struct log_limit limit = {};
	unsigned long suppressed;

	(void)state;
	assert_true(log_limit_pass(&limit, T0, &suppressed));
	assert_true(log_limit_pass(&limit, T0 + 100 * NS_PER_SEC, &suppressed));
	assert_int_equal(suppressed, 0);
	assert_false(log_limit_pass(&limit, T0 + 100 * NS_PER_SEC, &suppressed));
}

static void the_clock_may_begin_at_zero(void **state)
{
	struct log_limit limit = {};
	unsigned long suppressed;

	(void)state;
	assert_true(log_limit_pass(&limit, 0, &suppressed));
	assert_false(log_limit_pass(&limit, 1, &suppressed));
}

static void a_flood(void **state)
{
	struct log_limit limit = {};
	unsigned long suppressed, passed = 0, left_out = 0;

	(void)state;
	for (__u64 now = T0; now < T0 + 10 * NS_PER_SEC; now += NS_PER_MS)
		if (log_limit_pass(&limit, now, &suppressed)) {
			passed++;
			left_out += suppressed;
		}
	assert_int_equal(passed, 10);
	assert_int_equal(left_out + limit.suppressed + passed, 10000);
}

/* ---- the sink -------------------------------------------------------------- */

struct caught {
	int n;
	int priority;
	char line[LOG_LINE_MAX + 8];
};

static void sink(void *data, int priority, const char *line)
{
	struct caught *caught = data;

	caught->n++;
	caught->priority = priority;
	strncpy(caught->line, line, sizeof(caught->line) - 1);
	errno = ENOTTY;
}

static int remove_sink(void **state)
{
	(void)state;
	log_set_sink(NULL, NULL);
	log_init(false);
	return 0;
}

static void a_sink_takes_the_lines(void **state)
{
	struct caught caught = {};

	(void)state;
	log_set_sink(sink, &caught);
	log_error("%s: %d", "eth0", 7);
	assert_int_equal(caught.n, 1);
	assert_int_equal(caught.priority, LOG_ERR);
	assert_string_equal(caught.line, "eth0: 7");
	log_warn("w");
	assert_int_equal(caught.priority, LOG_WARNING);
	log_info("i");
	assert_int_equal(caught.priority, LOG_INFO);
	assert_int_equal(caught.n, 3);
}

static void errno_is_as_it_was(void **state)
{
	struct caught caught = {};

	(void)state;
	log_set_sink(sink, &caught);
	errno = ENODEV;
	log_error("%m");
	assert_int_equal(errno, ENODEV);
	assert_string_equal(caught.line, strerror(ENODEV));
}

static void debug_lines_are_for_those_who_ask(void **state)
{
	struct caught caught = {};

	(void)state;
	log_set_sink(sink, &caught);
	log_init(false);
	log_debug("d");
	assert_int_equal(caught.n, 0);
	log_init(true);
	log_debug("d");
	assert_int_equal(caught.n, 1);
	assert_int_equal(caught.priority, LOG_DEBUG);
}

static void long_lines_are_cut(void **state)
{
	struct caught caught = {};
	char text[2 * LOG_LINE_MAX];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_set_sink(sink, &caught);
	log_info("%s", text);
	assert_int_equal(strlen(caught.line), LOG_LINE_MAX - 1);
	assert_memory_equal(caught.line, text, LOG_LINE_MAX - 1);
}

/* ---- stderr ---------------------------------------------------------------- */

enum stream { NONE, STDERR, ANOTHER };

static void set_journal(enum stream stream)
{
	struct stat st;
	char own[64];

	unsetenv("JOURNAL_STREAM");
	if (stream == NONE)
		return;
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + (stream == ANOTHER));
	setenv("JOURNAL_STREAM", own, 1);
}

/* What log_line() writes to stderr, and which stream is the journal's. */
static void check_written(enum stream journal, int priority, const char *line, const char *expected)
{
	char buf[2 * LOG_LINE_MAX] = "";
	int ends[2], saved = dup(STDERR_FILENO);
	ssize_t n;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	set_journal(journal);
	log_init(true);
	log_line(priority, "%s", line);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(ends[0], buf, sizeof(buf) - 1);
	close(ends[0]);
	unsetenv("JOURNAL_STREAM");
	assert_true(n >= 0);
	assert_string_equal(buf, expected);
}

static void lines_for_people(void **state)
{
	(void)state;
	check_written(NONE, LOG_ERR, "no such NIC", "skepd: error: no such NIC\n");
	check_written(NONE, LOG_WARNING, "generic XDP", "skepd: warning: generic XDP\n");
	check_written(NONE, LOG_INFO, "running", "skepd: running\n");
	check_written(NONE, LOG_DEBUG, "detail", "skepd: detail\n");
	check_written(NONE, LOG_INFO, "100%s", "skepd: 100%s\n");
	check_written(ANOTHER, LOG_ERR, "no such NIC", "skepd: error: no such NIC\n");
}

/* sd-daemon(3) */
static void lines_for_the_journal(void **state)
{
	(void)state;
	check_written(STDERR, LOG_ERR, "no such NIC", "<3>no such NIC\n");
	check_written(STDERR, LOG_WARNING, "generic XDP", "<4>generic XDP\n");
	check_written(STDERR, LOG_INFO, "running", "<6>running\n");
	check_written(STDERR, LOG_DEBUG, "detail", "<7>detail\n");
}

static void the_longest_line_ends(void **state)
{
	char text[2 * LOG_LINE_MAX], expected[LOG_LINE_MAX + 32];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	snprintf(expected, sizeof(expected), "skepd: warning: %.*s\n", LOG_LINE_MAX - 1, text);
	check_written(NONE, LOG_WARNING, text, expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_line_a_second),
		cmocka_unit_test(a_quiet_time_earns_no_second_line),
		cmocka_unit_test(the_clock_may_begin_at_zero),
		cmocka_unit_test(a_flood),
		cmocka_unit_test_teardown(a_sink_takes_the_lines, remove_sink),
		cmocka_unit_test_teardown(errno_is_as_it_was, remove_sink),
		cmocka_unit_test_teardown(debug_lines_are_for_those_who_ask, remove_sink),
		cmocka_unit_test_teardown(long_lines_are_cut, remove_sink),
		cmocka_unit_test(lines_for_people),
		cmocka_unit_test(lines_for_the_journal),
		cmocka_unit_test(the_longest_line_ends),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
