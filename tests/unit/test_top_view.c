// SPDX-License-Identifier: GPL-2.0
/* What `skepctl top` shows: the exact lines, and on any size of screen nothing beyond it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdio.h>

#include "cleanup.h"
#include "top_view.h"

#define LINES_MAX 128
#define WIDE 600

struct screen {
	unsigned int n;
	bool heading[LINES_MAX];
	char lines[LINES_MAX][WIDE];
};

static void take_line(void *data, bool heading, const char *text)
{
	struct screen *screen = data;

	assert_in_range(screen->n, 0, LINES_MAX - 1);
	assert_in_range(strlen(text), 0, WIDE - 1);
	for (const char *c = text; *c; c++)
		assert_in_range(*c, ' ', '~');
	screen->heading[screen->n] = heading;
	strcpy(screen->lines[screen->n++], text);
}

static json_t *json(const char *text)
{
	json_error_t error;
	json_t *value = json_loads(text, 0, &error);

	if (!value)
		fail_msg("%s", error.text);
	return value;
}

static void draw(struct screen *screen, const char *status, const char *latency, const char *newest,
		 unsigned int width, unsigned int height)
{
	json_t *answers[] = {json(status), json(latency), json(newest)};
	const struct top_view view = {.status = answers[0],
				      .latency = answers[1],
				      .newest = answers[2],
				      .has_rates = true,
				      .binds = 12.34,
				      .releases = 0.5,
				      .refused = 100000};

	memset(screen, 0, sizeof(*screen));
	top_view_lines(&view, width, height, take_line, screen);
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		json_decref(answers[i]);
}

#define STATUS                                                                              \
	"{\"state\": \"running\", \"uptime_s\": 3725, \"leases\": 9, \"pool\": {\"idle\": " \
	"20, \"bound\": 10, \"starting\": 1, \"recycling\": 1, \"failed\": 0, \"warm\": "   \
	"20, \"max\": 40}, \"templates\": [{\"name\": \"basic\", \"state\": \"on\", "       \
	"\"idle\": 20, \"bound\": 10, \"starting\": 1, \"recycling\": 1, \"failed\": 0}, "  \
	"{\"name\": \"a-name-longer-than-its-column\", \"state\": \"off\", \"idle\": 0, "   \
	"\"bound\": 0, \"starting\": 0, \"recycling\": 0, \"failed\": 5}]}"
#define LATENCY                                                                            \
	"{\"binds\": 21, \"p50_us\": 3.1, \"p99_us\": 9000.5, \"buckets\": ["              \
	"{\"up_to_us\": 1.0, \"count\": 0}, {\"up_to_us\": 2.0, \"count\": 1}, "           \
	"{\"up_to_us\": 4.0, \"count\": 18}, {\"up_to_us\": 8000.0, \"count\": 0}, "       \
	"{\"up_to_us\": 16000.0, \"count\": 1}, {\"up_to_us\": 2000000.0, \"count\": 1}, " \
	"{\"up_to_us\": 4000000.0, \"count\": 0}]}"
#define NEWEST                                                                                 \
	"[{\"bound_at\": \"2026-11-22T03:56:49.836547Z\", \"address\": \"10.66.4.2\", "        \
	"\"uplink\": \"eth0\", \"vlan\": 0, \"container\": \"c7\", \"bind_us\": 214.5, "       \
	"\"requester\": \"10.66.0.1\"}, {\"bound_at\": \"2026-11-22T03:56:48.836547Z\", "      \
	"\"address\": \"10.66.200.254\", \"uplink\": \"eth0\", \"vlan\": 7, \"container\": \"" \
	"c65535\", \"bind_us\": 1.5}]"

static const char *const whole[] = {
	"skep  running for 1:02:05, 9 leases",
	"binds 12.3/s   releases 0.5/s   refused 100000.0/s",
	"",
	"POOL  32 of 40, warm 20   #bound =idle +starting -recycling !failed",
	"basic            [##########====================+-        ] 10 bound 20 idle",
	"a-name-longer-th [!!!!!                                   ] 0 bound 0 idle, off",
	"",
	"LATENCY  p50 3.1 us   p99 9000.5 us   of 21 binds",
	"up to   2.0 us  ###                                                     1",
	"up to   4.0 us  ####################################################### 18",
	"up to   8.0 ms                                                          0",
	"up to  16.0 ms  ###                                                     1",
	"up to    2.0 s  ###                                                     1",
	"",
	"NEWEST    ADDRESS          UPLINK      CONTAINER          BIND  FOR",
	"03:56:49  10.66.4.2        eth0        c7             214.5 us  10.66.0.1",
	"03:56:48  10.66.200.254    eth0.7      c65535           1.5 us  -",
};

static void the_whole(void **state)
{
	struct screen screen;

	(void)state;
	draw(&screen, STATUS, LATENCY, NEWEST, 83, 30);
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		assert_string_equal(screen.lines[i], whole[i]);
	assert_int_equal(screen.n, ARRAY_SIZE(whole));
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		assert_int_equal(screen.heading[i], i == 0 || i == 3 || i == 7 || i == 14);
}

/* Every size: no line too many, none too long, and what fits is there. */
static void any_size(void **state)
{
	struct screen screen;

	(void)state;
	for (unsigned int width = 1; width < WIDE + 50; width += 1 + width / 10)
		for (unsigned int height = 0; height < 50; height++) {
			draw(&screen, STATUS, LATENCY, NEWEST, width, height);
			assert_in_range(screen.n, height < 10 ? height : 10, height);
			for (unsigned int i = 0; i < screen.n; i++)
				assert_in_range(strlen(screen.lines[i]), 0, width);
			if (height)
				assert_memory_equal(screen.lines[0], whole[0],
						    width < 35 ? width : 35);
		}
}

/* On few lines the fastest binds share one, and the templates left out are counted. */
static void few_lines(void **state)
{
	struct screen screen;

	(void)state;
	draw(&screen, STATUS, LATENCY, "[]", 83, 7);
	assert_string_equal(screen.lines[4], "and 2 more templates");
	draw(&screen, STATUS, LATENCY, "[]", 83, 12);
	assert_string_equal(screen.lines[4], whole[4]);
	assert_string_equal(screen.lines[5], whole[5]);
	draw(&screen, STATUS, LATENCY, "[]", 83, 14);
	assert_memory_equal(screen.lines[8], "up to   4.0 us", 14);
	assert_string_equal(strrchr(screen.lines[8], ' '), " 19");
	assert_string_equal(screen.lines[11],
			    "up to    2.0 s  ##"
			    "                                                      1");
}

/* What an answer has not, or of another type, or with signs for the terminal in it. */
static void odd_answers(void **state)
{
	static const char *const odd[] = {"{}",
					  "[]",
					  "[7]",
					  "{\"pool\": 7, \"templates\": {}}",
					  "{\"templates\": [7, null, {\"name\": []}]}",
					  "{\"buckets\": [7, {\"count\": 7}, {\"up_to_us\": []}]}",
					  "{\"state\": \"\\u001b[2J\\n\\t\\u00e9\\u007f\"}"};
	struct screen screen;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		char newest[256];

		snprintf(newest, sizeof(newest), "[%s]", odd[i]);
		draw(&screen, odd[i], odd[i], newest, 80, 24);
		assert_in_range(screen.n, 9, 24);
	}
	assert_string_equal(screen.lines[0], "skep  ?[2J?????"
					     " for 0:00:00, 0 leases");
}

/* Where nobody can overlook it: in the third line, emphasized, also on the smallest screen. */
static void a_panic_is_loud(void **state)
{
	struct screen screen;

	(void)state;
	draw(&screen, "{\"state\": \"panic\", \"panic\": true, \"dry_run\": false}", LATENCY, "[]",
	     80, 3);
	assert_memory_equal(screen.lines[0], "skep  panic for", 15);
	assert_string_equal(screen.lines[2], "*** PANIC: nothing is answered and nothing gets out; "
					     "'skepctl resume' ends it **");
	assert_true(screen.heading[2]);
	draw(&screen, "{\"state\": \"running\", \"panic\": false, \"dry_run\": true}", LATENCY,
	     "[]", 80, 3);
	assert_string_equal(screen.lines[2], "DRY RUN: nothing is answered; see 'skepctl would'");
	assert_true(screen.heading[2]);
}

/* As long as skepd has not caught up with the uplink program. */
static void not_settled(void **state)
{
	struct screen screen;

	(void)state;
	draw(&screen, "{\"state\": \"running\", \"leases\": 12, \"unsettled\": 3}", LATENCY, "[]",
	     80, 3);
	assert_string_equal(screen.lines[0], "skep  running for 0:00:00, 12 leases, 3 not settled");
	draw(&screen, "{\"state\": \"running\", \"leases\": 12, \"unsettled\": 0}", LATENCY, "[]",
	     80, 3);
	assert_string_equal(screen.lines[0], "skep  running for 0:00:00, 12 leases");
}

static void no_rates_yet(void **state)
{
	json_t *nothing = json_object();
	const struct top_view view = {.status = nothing, .latency = nothing, .newest = nothing};
	struct screen screen = {};

	(void)state;
	top_view_lines(&view, 80, 24, take_line, &screen);
	assert_string_equal(screen.lines[1], "binds -   releases -   refused -");
	json_decref(nothing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_whole),	cmocka_unit_test(any_size),
		cmocka_unit_test(few_lines),	cmocka_unit_test(odd_answers),
		cmocka_unit_test(no_rates_yet), cmocka_unit_test(a_panic_is_loud),
		cmocka_unit_test(not_settled),
	};

	return cmocka_run_group_tests_name("top_view", tests, NULL, NULL);
}
