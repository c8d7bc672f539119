// SPDX-License-Identifier: GPL-2.0
/* Who binds the addresses of a range: what the configuration alone decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "config.h"
#include "plumb.h"

#define TEMPLATE(name) "template \"" name "\" { rootfs = \"x\" }\n"
#define UPLINK(name, keys) "uplink \"" name "\" { " keys "\n"
#define RANGE(prefix, template) "range \"" prefix "\" { template = \"" template "\" }\n"
#define END "}\n"

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	if (config_parse("t.conf", text, &config, error) < 0)
		fail_msg("%s", error);
	return config;
}

static enum bind_by bind_by(const struct config *config, size_t uplink, size_t range)
{
	const struct range_config *of = &config->uplinks[uplink].ranges[range];
	enum bind_by by = config_bind_by(config, uplink, of);

	assert_int_equal(config_binds_in_kernel(config, uplink, of), by == BIND_BY_PROGRAM);
	return by;
}

static const char three_gateways[] = TEMPLATE("one") TEMPLATE("two")
	UPLINK("eth0", "gateway = 10.0.0.1") RANGE("10.0.0.0/24", "one") RANGE("10.1.0.0/24", "one")
		RANGE("10.2.0.0/24", "two") END UPLINK("eth1", "") RANGE("10.3.0.0/24", "one")
			RANGE("10.4.0.0/24", "two") END UPLINK("eth2", "gateway = 10.0.0.1")
				RANGE("10.0.0.0/24", "one") END UPLINK("eth3", "gateway = 10.9.0.1")
					RANGE("10.9.0.0/24", "two") END;

static void the_gateway_of_the_first_range(void **state)
{
	struct config *config = parse(three_gateways);

	(void)state;
	assert_int_equal(bind_by(config, 0, 0), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 0, 1), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 0, 2), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 1, 0), BIND_BY_GATEWAY);
	assert_int_equal(bind_by(config, 1, 1), BIND_BY_GATEWAY);
	assert_int_equal(bind_by(config, 2, 0), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 3, 0), BIND_BY_GATEWAY);
	config_free(config);
}

static void no_gateway_at_all(void **state)
{
	struct config *config =
		parse(TEMPLATE("one") UPLINK("eth0", "") RANGE("10.0.0.0/24", "one")
			      END UPLINK("eth1", "") RANGE("10.1.0.0/24", "one") END);

	(void)state;
	assert_int_equal(bind_by(config, 0, 0), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 1, 0), BIND_BY_PROGRAM);
	config_free(config);
}

static void nothing_with_daemon(void **state)
{
	struct config *config = parse(TEMPLATE("one") UPLINK("eth0", "") RANGE("10.0.0.0/24", "one")
					      END "pool { bind = \"daemon\" }");

	(void)state;
	assert_int_equal(bind_by(config, 0, 0), BIND_BY_KEY);
	config_free(config);
}

/* Ordinals of an earlier farm may turn the order round; what counts is the file. */
static void first_in_the_file(void **state)
{
	static const char uplinks[4][IFNAMSIZ] = {"eth3", "eth1", "gone", "eth2"};
	struct config *config = parse(three_gateways);
	size_t uplink = 99;

	(void)state;
	assert_int_equal(config_align(config, uplinks, 4, NULL, 0), 0);
	assert_string_equal(config->uplinks[0].name, "eth3");
	assert_string_equal(config->uplinks[4].name, "eth0");
	assert_ptr_equal(config_first_range(config, 0, &uplink), &config->uplinks[4].ranges[0]);
	assert_int_equal(uplink, 4);
	assert_ptr_equal(config_first_range(config, 1, &uplink), &config->uplinks[4].ranges[2]);
	assert_int_equal(bind_by(config, 0, 0), BIND_BY_GATEWAY);
	assert_int_equal(bind_by(config, 1, 0), BIND_BY_GATEWAY);
	assert_int_equal(bind_by(config, 3, 0), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 4, 2), BIND_BY_PROGRAM);
	config_free(config);
}

static void no_first_range(void **state)
{
	struct config *config = parse(TEMPLATE("one") TEMPLATE("two") UPLINK("eth0", "")
					      RANGE("10.0.0.0/24", "one") END);
	size_t uplink = 99;

	(void)state;
	assert_null(config_first_range(config, 1, &uplink));
	assert_int_equal(uplink, 99);
	config_free(config);
}

/* The last one is on an uplink of its own; @others of them belong to another template. */
static struct config *many_ranges(unsigned int n, unsigned int others)
{
	cleanup_free char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	fputs(TEMPLATE("one") TEMPLATE("two") UPLINK("eth0", ""), f);
	for (unsigned int i = 0; i < n - 1 + others; i++)
		fprintf(f, "range \"10.0.%u.0/24\" { template = \"%s\" }\n", i,
			i < others ? "two" : "one");
	fputs(END UPLINK("eth1", "") RANGE("10.1.0.0/24", "one") END, f);
	fclose(f);
	return parse(text);
}

static void as_many_as_fit(void **state)
{
	struct config *config = many_ranges(PLUMB_SEGMENTS_MAX, 9);

	(void)state;
	assert_int_equal(bind_by(config, 0, 0), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 0, 9), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 1, 0), BIND_BY_PROGRAM);
	config_free(config);
}

static void one_more_than_fit(void **state)
{
	struct config *config = many_ranges(PLUMB_SEGMENTS_MAX + 1, 1);

	(void)state;
	assert_int_equal(bind_by(config, 0, 0), BIND_BY_PROGRAM);
	assert_int_equal(bind_by(config, 0, 1), BIND_BY_SEGMENTS);
	assert_int_equal(bind_by(config, 1, 0), BIND_BY_SEGMENTS);
	config_free(config);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_gateway_of_the_first_range),
		cmocka_unit_test(no_gateway_at_all),
		cmocka_unit_test(nothing_with_daemon),
		cmocka_unit_test(first_in_the_file),
		cmocka_unit_test(no_first_range),
		cmocka_unit_test(as_many_as_fit),
		cmocka_unit_test(one_more_than_fit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
