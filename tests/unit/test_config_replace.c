// SPDX-License-Identifier: GPL-2.0
/* One configuration in place of another: ordinals stay with their names, and what may not change is
 * named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>

#include "cleanup.h"
#include "config.h"
#include "skep/maps.h"

typedef const char uplink_name[IFNAMSIZ];
typedef const char template_name[64];

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	char error[CONFIG_ERROR_MAX] = "";

	if (config_parse("t.conf", text, &config, error) < 0)
		fail_msg("%s", error);
	return config;
}

#define TEMPLATE(name) "template \"" name "\" { rootfs = \"/srv/" name "\" }\n"
#define UPLINK(name, prefix, template) \
	"uplink \"" name "\" { range \"" prefix "\" { template = \"" template "\" } }\n"

static const char two_of_each[] = TEMPLATE("one") TEMPLATE("two")
	UPLINK("eth0", "10.0.0.0/16", "two") UPLINK("eth1", "10.1.0.0/16", "one");

static void assert_used_in(const struct config *config, const char *uplink, const char *template)
{
	for (size_t u = 0; u < config->n_uplinks; u++) {
		const struct uplink_config *have = &config->uplinks[u];

		if (strcmp(have->name, uplink) != 0)
			continue;
		assert_int_equal(have->n_ranges, 1);
		assert_in_range(have->ranges[0].template, 0, config->n_templates - 1);
		assert_string_equal(config->templates[have->ranges[0].template].name, template);
		return;
	}
	fail_msg("no uplink %s", uplink);
}

static void assert_hole(const struct config *config, size_t ordinal)
{
	const struct uplink_config *uplink = &config->uplinks[ordinal];

	assert_string_equal(uplink->name, "");
	assert_int_equal(uplink->n_ranges, 0);
	assert_null(uplink->ranges);
}

static void assert_gone(const struct config *config, size_t ordinal, const char *name)
{
	const struct template_config *template = &config->templates[ordinal];

	assert_true(template->gone);
	assert_string_equal(template->name, name);
	assert_null(template->rootfs);
	assert_null(template->init);
	assert_int_equal(template->n_listens, 0);
	assert_false(config_template_used(config, ordinal));
}

/* Nothing was there before: the order of the file. */
static void nothing_before(void **state)
{
	struct config *config = parse(two_of_each);

	(void)state;
	assert_int_equal(config_align(config, NULL, 0, NULL, 0), 0);
	assert_int_equal(config->n_uplinks, 2);
	assert_int_equal(config->n_templates, 2);
	assert_string_equal(config->uplinks[0].name, "eth0");
	assert_string_equal(config->uplinks[1].name, "eth1");
	assert_string_equal(config->templates[0].name, "one");
	assert_string_equal(config->templates[1].name, "two");
	assert_used_in(config, "eth0", "two");
	assert_used_in(config, "eth1", "one");
	config_free(config);
}

static void empty_tables(void **state)
{
	static uplink_name uplinks[SKEP_UPLINKS_MAX] = {};
	static template_name templates[SKEP_TEMPLATES_MAX] = {};
	struct config *config = parse(two_of_each);

	(void)state;
	assert_int_equal(
		config_align(config, uplinks, SKEP_UPLINKS_MAX, templates, SKEP_TEMPLATES_MAX), 0);
	assert_int_equal(config->n_uplinks, 2);
	assert_int_equal(config->n_templates, 2);
	assert_string_equal(config->uplinks[0].name, "eth0");
	assert_string_equal(config->templates[1].name, "two");
	config_free(config);
}

/* The file names them in another order now. */
static void other_order(void **state)
{
	static uplink_name uplinks[] = {"eth1", "eth0"};
	static template_name templates[] = {"two", "one"};
	struct config *config = parse(two_of_each);

	(void)state;
	assert_int_equal(config_align(config, uplinks, 2, templates, 2), 0);
	assert_int_equal(config->n_uplinks, 2);
	assert_int_equal(config->n_templates, 2);
	assert_string_equal(config->uplinks[0].name, "eth1");
	assert_string_equal(config->uplinks[1].name, "eth0");
	assert_string_equal(config->templates[0].name, "two");
	assert_string_equal(config->templates[0].rootfs, "/srv/two");
	assert_string_equal(config->templates[1].name, "one");
	assert_int_equal(config->uplinks[1].ranges[0].template, 0);
	assert_int_equal(config->uplinks[0].ranges[0].template, 1);
	assert_false(config->templates[0].gone);
	config_free(config);
}

static void some_vanished(void **state)
{
	static uplink_name uplinks[] = {"eth9", "eth1", "eth0", "eth8"};
	static template_name templates[] = {"old", "two", "older", "one", "oldest"};
	struct config *config = parse(two_of_each);

	(void)state;
	assert_int_equal(config_align(config, uplinks, 4, templates, 5), 0);
	assert_int_equal(config->n_uplinks, 4);
	assert_hole(config, 0);
	assert_string_equal(config->uplinks[1].name, "eth1");
	assert_string_equal(config->uplinks[2].name, "eth0");
	assert_hole(config, 3);
	assert_int_equal(config->n_templates, 5);
	assert_gone(config, 0, "old");
	assert_gone(config, 2, "older");
	assert_gone(config, 4, "oldest");
	assert_used_in(config, "eth0", "two");
	assert_used_in(config, "eth1", "one");
	assert_true(config_template_used(config, 1));
	assert_true(config_template_used(config, 3));
	config_free(config);
}

/* New names take ordinals that nobody has, and never those of vanished ones. */
static void some_new(void **state)
{
	static uplink_name uplinks[] = {"eth9", "", "eth1"};
	static template_name templates[] = {"", "old", "two"};
	struct config *config = parse(TEMPLATE("new") TEMPLATE("two") TEMPLATE("newer")
					      UPLINK("eth5", "10.0.0.0/16", "newer")
						      UPLINK("eth6", "10.1.0.0/16", "new")
							      UPLINK("eth1", "10.2.0.0/16", "two"));

	(void)state;
	assert_int_equal(config_align(config, uplinks, 3, templates, 3), 0);
	assert_int_equal(config->n_uplinks, 4);
	assert_hole(config, 0);
	assert_string_equal(config->uplinks[1].name, "eth5");
	assert_string_equal(config->uplinks[2].name, "eth1");
	assert_string_equal(config->uplinks[3].name, "eth6");
	assert_int_equal(config->n_templates, 4);
	assert_string_equal(config->templates[0].name, "new");
	assert_gone(config, 1, "old");
	assert_string_equal(config->templates[2].name, "two");
	assert_string_equal(config->templates[3].name, "newer");
	assert_used_in(config, "eth5", "newer");
	assert_used_in(config, "eth6", "new");
	assert_used_in(config, "eth1", "two");
	config_free(config);
}

/* Whatever asks for a range or a template must get along with what is not there. */
static void holes_are_tolerated(void **state)
{
	static uplink_name uplinks[] = {"eth9", "eth0"};
	static template_name templates[] = {"old", "one"};
	struct config *config = parse(two_of_each);

	(void)state;
	assert_int_equal(config_align(config, uplinks, 2, templates, 2), 0);
	assert_null(config_range_of(config, 0, 0, inet_addr("10.0.0.1")));
	assert_ptr_equal(config_range_of(config, 1, 0, inet_addr("10.0.0.1")),
			 config->uplinks[1].ranges);
	assert_false(config_template_used(config, 0));
	assert_null(config_free(config));
}

/* A range that wrongly named the ordinal would not make it warm. */
static void gone_is_never_used(void **state)
{
	static template_name templates[] = {"old"};
	struct config *config = parse(two_of_each);

	(void)state;
	assert_int_equal(config_align(config, NULL, 0, templates, 1), 0);
	config->uplinks[0].ranges[0].template = 0;
	assert_false(config_template_used(config, 0));
	config_free(config);
}

/* What was aligned once is what the next one is aligned with: a template comes back. */
static void back_again(void **state)
{
	static template_name before[] = {"one", "two"};
	static template_name between[] = {"one", "two", "three"};
	struct config *config = parse(TEMPLATE("three") UPLINK("eth0", "10.0.0.0/16", "three"));

	(void)state;
	assert_int_equal(config_align(config, NULL, 0, before, 2), 0);
	assert_int_equal(config->n_templates, 3);
	assert_gone(config, 0, "one");
	assert_gone(config, 1, "two");
	assert_string_equal(config->templates[2].name, "three");
	config_free(config);

	config = parse(two_of_each);
	assert_int_equal(config_align(config, NULL, 0, between, 3), 0);
	assert_int_equal(config->n_templates, 3);
	assert_string_equal(config->templates[0].rootfs, "/srv/one");
	assert_false(config->templates[0].gone);
	assert_string_equal(config->templates[1].rootfs, "/srv/two");
	assert_gone(config, 2, "three");
	config_free(config);
}

/* A name is one with all its letters: 63 of them, of which tables hold no more. */
static void long_names(void **state)
{
	static const char name[] =
		"a23456789b23456789c23456789d23456789e23456789f23456789g23456789hij";
	char templates[3][64] = {}, text[512];
	struct config *config;

	(void)state;
	snprintf(templates[0], 64, "%.62s", name);
	memcpy(templates[1], name, 64); /* not a name that there can be, and without its NUL */
	snprintf(templates[2], 64, "%.63s", name);
	snprintf(text, sizeof(text),
		 "template \"%.63s\" { rootfs = \"x\" }\n"
		 "uplink \"fifteen-letters\" { range \"10.0.0.0/16\" { template = \"%.63s\" } }",
		 name, name);
	config = parse(text);
	assert_int_equal(config_align(config, (uplink_name[]){"fifteen-letter", "fifteen-letters"},
				      2, (template_name *)templates, 3),
			 0);
	assert_int_equal(config->n_uplinks, 2);
	assert_string_equal(config->uplinks[1].name, "fifteen-letters");
	assert_int_equal(config->n_templates, 3);
	assert_int_equal(config->uplinks[1].ranges[0].template, 2);
	assert_int_equal(strlen(config->templates[1].name), 64);
	config_free(config);
}

/* Makes no difference to the configuration when it fails. */
static void no_room(const char (*uplinks)[IFNAMSIZ], size_t n_uplinks, const char (*templates)[64],
		    size_t n_templates)
{
	struct config *config = parse(two_of_each);

	assert_int_equal(config_align(config, uplinks, n_uplinks, templates, n_templates), -ENOSPC);
	assert_int_equal(config->n_uplinks, 2);
	assert_int_equal(config->n_templates, 2);
	assert_string_equal(config->uplinks[0].name, "eth0");
	assert_string_equal(config->templates[0].name, "one");
	assert_used_in(config, "eth0", "two");
	assert_used_in(config, "eth1", "one");
	config_free(config);
}

static void no_room_for_uplinks(void **state)
{
	char uplinks[SKEP_UPLINKS_MAX][IFNAMSIZ];

	(void)state;
	for (size_t i = 0; i < SKEP_UPLINKS_MAX; i++)
		snprintf(uplinks[i], IFNAMSIZ, "old%zu", i);
	strcpy(uplinks[3], "eth1");
	no_room((uplink_name *)uplinks, SKEP_UPLINKS_MAX, NULL, 0);
	strcpy(uplinks[3], "");
	no_room((uplink_name *)uplinks, SKEP_UPLINKS_MAX, NULL, 0);
}

static void no_room_for_templates(void **state)
{
	char templates[SKEP_TEMPLATES_MAX][64];

	(void)state;
	for (size_t i = 0; i < SKEP_TEMPLATES_MAX; i++)
		snprintf(templates[i], 64, "old%zu", i);
	strcpy(templates[63], "two");
	no_room(NULL, 0, (template_name *)templates, SKEP_TEMPLATES_MAX);
}

static void just_enough_room(void **state)
{
	char uplinks[SKEP_UPLINKS_MAX][IFNAMSIZ], templates[SKEP_TEMPLATES_MAX][64];
	struct config *config = parse(two_of_each);

	(void)state;
	for (size_t i = 0; i < SKEP_UPLINKS_MAX; i++)
		snprintf(uplinks[i], IFNAMSIZ, "old%zu", i);
	for (size_t i = 0; i < SKEP_TEMPLATES_MAX; i++)
		snprintf(templates[i], 64, "old%zu", i);
	strcpy(uplinks[15], "");
	strcpy(uplinks[0], "eth0");
	strcpy(templates[63], "two");
	strcpy(templates[7], "");
	assert_int_equal(config_align(config, (uplink_name *)uplinks, SKEP_UPLINKS_MAX,
				      (template_name *)templates, SKEP_TEMPLATES_MAX),
			 0);
	assert_int_equal(config->n_uplinks, SKEP_UPLINKS_MAX);
	assert_int_equal(config->n_templates, SKEP_TEMPLATES_MAX);
	assert_string_equal(config->uplinks[0].name, "eth0");
	assert_hole(config, 1);
	assert_string_equal(config->uplinks[15].name, "eth1");
	assert_string_equal(config->templates[7].name, "one");
	assert_string_equal(config->templates[63].name, "two");
	assert_gone(config, 62, "old62");
	assert_used_in(config, "eth0", "two");
	assert_used_in(config, "eth1", "one");
	config_free(config);
}

/* More names than ordinals: those behind the last cannot be had. */
static void names_beyond_the_last(void **state)
{
	char uplinks[SKEP_UPLINKS_MAX + 4][IFNAMSIZ] = {};
	struct config *config = parse(two_of_each);

	(void)state;
	strcpy(uplinks[SKEP_UPLINKS_MAX + 2], "eth0");
	assert_int_equal(
		config_align(config, (uplink_name *)uplinks, SKEP_UPLINKS_MAX + 4, NULL, 0), 0);
	assert_int_equal(config->n_uplinks, 2);
	assert_string_equal(config->uplinks[0].name, "eth0");
	config_free(config);
}

/* The other side: may the one replace the other at all? */

static const char before_text[] =
	"state_dir = \"/s\"\n"
	"run_dir = \"/r\"\n"
	"bpf_dir = \"/b\" group = farm id_base = 100000\n"
	"oui = { \"00:1b:21\", \"ac:1f:6b\" }\n" TEMPLATE("one")
		UPLINK("eth0", "10.0.0.0/16", "one") UPLINK("eth1", "10.1.0.0/16", "one");

/* @from, @to: a piece of before_text and what it becomes */
static struct config *parse_changed(const char *from, const char *to)
{
	const char *at = strstr(before_text, from);
	cleanup_free char *text = NULL;

	assert_non_null(at);
	assert_true(asprintf(&text, "%.*s%s%s", (int)(at - before_text), before_text, to,
			     at + strlen(from)) > 0);
	return parse(text);
}

static void may(const char *from, const char *to)
{
	struct config *old = parse(before_text), *new = parse_changed(from, to);
	char error[CONFIG_ERROR_MAX] = "";

	assert_true(config_may_replace(old, new, error));
	assert_string_equal(error, "");
	config_free(old);
	config_free(new);
}

static void may_not(const char *from, const char *to, const char *expected)
{
	struct config *old = parse(before_text), *new = parse_changed(from, to);
	char error[CONFIG_ERROR_MAX] = "";

	assert_false(config_may_replace(old, new, error));
	assert_string_equal(error, expected);
	config_free(old);
	config_free(new);
}

static void the_same_may(void **state)
{
	(void)state;
	may("/s", "/s");
}

static void everything_else_may(void **state)
{
	(void)state;
	may("template \"one\"",
	    "pool { warm = 1 max = 9 min_idle_warm = 1 when_exhausted = share evict_after = 1 "
	    "addresses_per_container = 2 binds_per_second = 1 binds_per_requester = 1 memory = 50% "
	    "reflections_per_container = 1 reflections_max = 1 reflections_per_second = 1 "
	    "} template \"two\" { rootfs = x } template \"one\"");
	may("rootfs = \"/srv/one\"",
	    "rootfs = \"/srv/two\" init = \"/init\" memory = 8M disk = 2M "
	    "inodes = 300 processes = 9 files = 64 cpu = 5% listens = { 22 }");
	may("template = \"one\" }",
	    "template = \"one\" idle_timeout = 1 max_lifetime = 2 exclude = { "
	    "10.0.0.1 } }");
	may("range \"10.0.0.0/16\"", "gateway = 10.0.0.1 range \"10.9.0.0/16\"");
	may("range \"10.0.0.0/16\" {", "range \"10.9.0.0/16\" { template = one } range "
				       "\"10.0.0.0/16\" { vlan = 7");
	may("\"00:1b:21\"", "\"00:1B:21\""); /* the same written differently */
}

#define ADVICE "; put it back, or stop skepd and start it again"

static void directories_may_not(void **state)
{
	(void)state;
	may_not("/s", "/t",
		"t.conf:1: state_dir was \"/s\" and cannot change while skepd runs" ADVICE);
	may_not("/r", "/r/",
		"t.conf:2: run_dir was \"/r\" and cannot change while skepd runs" ADVICE);
	may_not("/b", "/bpf",
		"t.conf: bpf_dir was \"/b\" and cannot change while skepd runs" ADVICE);
	may_not("state_dir = \"/s\"", "",
		"t.conf: state_dir was \"/s\" and cannot change while skepd runs" ADVICE);
}

static void identities_may_not(void **state)
{
	(void)state;
	may_not("farm", "barn",
		"t.conf: group was \"farm\" and cannot change while skepd runs" ADVICE);
	may_not("100000", "100001",
		"t.conf: id_base was 100000 and cannot change while skepd runs" ADVICE);
}

static void ouis_may_not(void **state)
{
	static const char expected[] = "t.conf: oui is another list than before and cannot change "
				       "while skepd runs" ADVICE;

	(void)state;
	may_not("\"00:1b:21\", \"ac:1f:6b\"", "\"00:1b:21\"", expected);
	may_not("\"00:1b:21\", \"ac:1f:6b\"", "\"ac:1f:6b\", \"00:1b:21\"", expected);
	may_not("\"ac:1f:6b\"", "\"ac:1f:6c\"", expected);
	may_not("\"ac:1f:6b\"", "\"ac:1f:6b\", \"00:25:90\"", expected);
}

static void uplinks_may_not(void **state)
{
	(void)state;
	may_not("eth1", "eth2",
		"t.conf: uplink \"eth1\" is missing, and uplinks cannot change while skepd "
		"runs" ADVICE);
	may_not(UPLINK("eth0", "10.0.0.0/16", "one"), "",
		"t.conf: uplink \"eth0\" is missing, and uplinks cannot change while skepd "
		"runs" ADVICE);
	may_not(TEMPLATE("one"), TEMPLATE("one") UPLINK("eth2", "10.2.0.0/16", "one"),
		"t.conf:6: uplink \"eth2\" is new, and uplinks cannot change while skepd runs; "
		"take "
		"it out, or stop skepd and start it again");
	may_not("uplink \"eth1\" {", "\nuplink \"eth1\" { xdp = generic",
		"t.conf:8: xdp of uplink \"eth1\" cannot change while skepd runs" ADVICE);
}

/* Holes on either side are no uplinks, and ordinals do not matter. */
static void holes_do_not_matter(void **state)
{
	static uplink_name before[] = {"eth9", "eth1", "eth0"};
	static uplink_name after[] = {"eth0", "eth8", "eth7", "eth1"};
	struct config *old = parse(before_text), *new = parse(before_text);
	char error[CONFIG_ERROR_MAX] = "";

	(void)state;
	assert_int_equal(config_align(old, before, 3, NULL, 0), 0);
	assert_true(config_may_replace(old, new, error));
	assert_int_equal(config_align(new, after, 4, NULL, 0), 0);
	assert_true(config_may_replace(old, new, error));
	assert_true(config_may_replace(new, old, error));
	assert_string_equal(error, "");
	new->uplinks[3].xdp = XDP_GENERIC;
	assert_false(config_may_replace(old, new, error));
	config_free(old);
	config_free(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_before),
		cmocka_unit_test(empty_tables),
		cmocka_unit_test(other_order),
		cmocka_unit_test(some_vanished),
		cmocka_unit_test(some_new),
		cmocka_unit_test(holes_are_tolerated),
		cmocka_unit_test(gone_is_never_used),
		cmocka_unit_test(back_again),
		cmocka_unit_test(long_names),
		cmocka_unit_test(no_room_for_uplinks),
		cmocka_unit_test(no_room_for_templates),
		cmocka_unit_test(just_enough_room),
		cmocka_unit_test(names_beyond_the_last),
		cmocka_unit_test(the_same_may),
		cmocka_unit_test(everything_else_may),
		cmocka_unit_test(directories_may_not),
		cmocka_unit_test(identities_may_not),
		cmocka_unit_test(ouis_may_not),
		cmocka_unit_test(uplinks_may_not),
		cmocka_unit_test(holes_do_not_matter),
	};

	return cmocka_run_group_tests_name("config_replace", tests, NULL, NULL);
}
