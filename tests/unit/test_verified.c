// SPDX-License-Identifier: GPL-2.0
/*
 * The sweep's file: what is saved is found again after a restart and after a reboot, unless it is
 * too old, of another range, or damaged. Touches one file in a directory of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "verified.h"

#define MEMORY_S 2400
#define QUIET 2
#define BOOTED_S 1000000 /* monotonic seconds at some moment */
#define WALL_S 1800000000
#define SLOT(when, n)                        \
	{                                    \
		.probed_s = when, .quiet = n \
	}

static const struct verified_now now = {BOOTED_S, WALL_S};
static char dir[] = "/tmp/skep-verified.XXXXXX";
static char path[64];

static struct verified range(const char *uplink, __u16 vlan, __u32 addr, unsigned int len,
			     struct skep_verify *slots)
{
	struct verified v = {
		.vlan = vlan, .prefix = {htonl(addr), len}, .quiet = QUIET, .slots = slots};

	snprintf(v.uplink, sizeof(v.uplink), "%s", uplink);
	return v;
}

/* 10.1.0.0/30 on eth0, and 10.2.0.0/31 on VLAN 7 of it. */
static void save_two(bool last)
{
	struct skep_verify a[4] = {
		SLOT(BOOTED_S - 10, 2), SLOT(BOOTED_S - 2400, 3), {}, SLOT(BOOTED_S, 255)};
	struct skep_verify b[2] = {SLOT(BOOTED_S - 1, 0), SLOT(BOOTED_S - 2, 1)};
	const struct verified ranges[] = {range("eth0", 0, 0x0a010000, 30, a),
					  range("eth0", 7, 0x0a020000, 31, b)};

	assert_int_equal(verified_save(path, ranges, 2, &now, last), 0);
}

static void assert_slot(const struct skep_verify *slot, __u32 probed_s, unsigned int quiet)
{
	assert_int_equal(slot->probed_s, probed_s);
	assert_int_equal(slot->quiet, quiet);
}

static void what_is_saved_is_found(void **state)
{
	const struct verified_now later = {BOOTED_S + 5, WALL_S + 5};
	struct skep_verify a[4] = {}, b[2] = {};
	const struct verified ranges[] = {range("eth0", 7, 0x0a020000, 31, b),
					  range("eth0", 0, 0x0a010000, 30, a)};

	(void)state;
	save_two(true);
	assert_int_equal(verified_load(path, ranges, 2, &later, MEMORY_S), 0);
	assert_slot(&a[0], BOOTED_S - 10, 2);
	assert_slot(&a[1], 0, 0); /* too old by now */
	assert_slot(&a[2], 0, 0);
	assert_slot(&a[3], BOOTED_S, 255);
	assert_slot(&b[0], BOOTED_S - 1, 0);
	assert_slot(&b[1], BOOTED_S - 2, 1);
}

/* The monotonic clock begins anew; what was probed before it began is due first. */
static void a_reboot_makes_no_difference(void **state)
{
	const struct verified_now booted = {20, WALL_S + 25};
	struct skep_verify a[4] = {};
	const struct verified ranges[] = {range("eth0", 0, 0x0a010000, 30, a)};

	(void)state;
	save_two(true);
	assert_int_equal(verified_load(path, ranges, 1, &booted, MEMORY_S), 0);
	assert_slot(&a[0], 0, 2);
	assert_slot(&a[3], 0, 255);
}

/* The farm went on after the file was written, and may have heard a host. */
static void after_a_crash_nothing_is_claimable(void **state)
{
	const struct verified_now booted = {20, WALL_S + 25};
	struct skep_verify a[4] = {}, b[2] = {};
	const struct verified ranges[] = {range("eth0", 0, 0x0a010000, 30, a),
					  range("eth0", 7, 0x0a020000, 31, b)};

	(void)state;
	save_two(false);
	assert_int_equal(verified_load(path, ranges, 2, &booted, MEMORY_S), 0);
	assert_slot(&a[0], 0, QUIET - 1);
	assert_slot(&a[3], 0, QUIET - 1);
	assert_slot(&b[0], 0, 0);
	assert_slot(&b[1], 0, 1);
}

static void what_is_too_old_is_forgotten(void **state)
{
	struct skep_verify a[4] = {};
	const struct verified ranges[] = {range("eth0", 0, 0x0a010000, 30, a)};
	struct verified_now later = {BOOTED_S + 2390, WALL_S + 2390};

	(void)state;
	save_two(true);
	assert_int_equal(verified_load(path, ranges, 1, &later, MEMORY_S), 0);
	assert_slot(&a[0], BOOTED_S - 10, 2);
	assert_slot(&a[3], BOOTED_S, 255);
	memset(a, 0, sizeof(a));
	later = (struct verified_now){BOOTED_S + 2391, WALL_S + 2391};
	assert_int_equal(verified_load(path, ranges, 1, &later, MEMORY_S), 0);
	assert_slot(&a[0], 0, 0);
	assert_slot(&a[3], BOOTED_S, 255);
}

/* Somebody has set the wall clock back: nothing is known of how old it is. */
static void what_will_be_is_left_out(void **state)
{
	const struct verified_now earlier = {BOOTED_S + 5, WALL_S - 5};
	struct skep_verify a[4] = {};
	const struct verified ranges[] = {range("eth0", 0, 0x0a010000, 30, a)};

	(void)state;
	save_two(true);
	assert_int_equal(verified_load(path, ranges, 1, &earlier, MEMORY_S), 0);
	assert_slot(&a[0], BOOTED_S + 5 - 5, 2);
	assert_slot(&a[3], 0, 0);
}

static void other_ranges_get_nothing(void **state)
{
	struct skep_verify slots[4][8] = {};
	const struct verified ranges[] = {
		range("eth1", 0, 0x0a010000, 30, slots[0]),
		range("eth0", 1, 0x0a010000, 30, slots[1]),
		range("eth0", 0, 0x0a010000, 29, slots[2]),
		range("eth0", 0, 0x0a010004, 30, slots[3]),
	};
	static const struct skep_verify none[4][8];

	(void)state;
	save_two(true);
	assert_int_equal(verified_load(path, ranges, 4, &now, MEMORY_S), 0);
	assert_memory_equal(slots, none, sizeof(none));
}

static void what_is_known_already_stays(void **state)
{
	struct skep_verify a[4] = {SLOT(BOOTED_S - 1, 0), {}, {}, SLOT(0, 1)};
	const struct verified ranges[] = {range("eth0", 0, 0x0a010000, 30, a)};

	(void)state;
	save_two(true);
	assert_int_equal(verified_load(path, ranges, 1, &now, MEMORY_S), 0);
	assert_slot(&a[0], BOOTED_S - 1, 0);
	assert_slot(&a[3], 0, 1);
}

static void a_file_that_is_none_is_refused(void **state)
{
	struct skep_verify a[4] = {};
	const struct verified ranges[] = {range("eth0", 0, 0x0a010000, 30, a)};
	FILE *f;

	(void)state;
	unlink(path);
	assert_int_equal(verified_load(path, ranges, 1, &now, MEMORY_S), -ENOENT);
	f = fopen(path, "w");
	fputs("something else", f);
	fclose(f);
	assert_int_equal(verified_load(path, ranges, 1, &now, MEMORY_S), -EBADMSG);
	for (long cut = 9; cut < 80; cut += 7) { /* wherever it was broken off */
		save_two(true);
		assert_int_equal(truncate(path, cut), 0);
		assert_int_equal(verified_load(path, ranges, 1, &now, MEMORY_S), -EBADMSG);
	}
}

static void a_file_that_cannot_be_made_is_told(void **state)
{
	(void)state;
	assert_int_equal(verified_save("/nowhere/verified", NULL, 0, &now, true), -ENOENT);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/verified", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir); /* nothing else may be left in it */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_saved_is_found),
		cmocka_unit_test(a_reboot_makes_no_difference),
		cmocka_unit_test(after_a_crash_nothing_is_claimable),
		cmocka_unit_test(what_is_too_old_is_forgotten),
		cmocka_unit_test(what_will_be_is_left_out),
		cmocka_unit_test(other_ranges_get_nothing),
		cmocka_unit_test(what_is_known_already_stays),
		cmocka_unit_test(a_file_that_is_none_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_made_is_told),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
