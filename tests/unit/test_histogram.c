// SPDX-License-Identifier: GPL-2.0
/* Quantiles of a histogram with buckets of powers of two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "histogram.h"

#define BUCKETS 32

static void empty(void **state)
{
	const __u64 counts[BUCKETS] = {};

	(void)state;
	assert_int_equal(histogram_total(counts, BUCKETS), 0);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 500), 0);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 1000), 0);
}

/* One value in [1024, 2048): every quantile is at the bucket's end, the most that it can be. */
static void a_single_value(void **state)
{
	const __u64 counts[BUCKETS] = {[10] = 1};

	(void)state;
	assert_int_equal(histogram_total(counts, BUCKETS), 1);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 1), 2048);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 500), 2048);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 1000), 2048);
}

static void inside_of_a_bucket(void **state)
{
	const __u64 counts[BUCKETS] = {[10] = 1000};

	(void)state;
	assert_int_equal(histogram_quantile(counts, BUCKETS, 1), 1024 + 1);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 250), 1024 + 256);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 500), 1024 + 512);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 1000), 2048);
}

/* 98 fast, one slower, one slowest: the 99th of 100 is the slower. */
static void over_several(void **state)
{
	const __u64 counts[BUCKETS] = {[3] = 98, [17] = 1, [20] = 1};

	(void)state;
	assert_int_equal(histogram_total(counts, BUCKETS), 100);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 490), 8 + 4);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 980), 16);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 981), 1 << 18);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 990), 1 << 18);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 991), 1 << 21);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 1000), 1 << 21);
}

/* A rank is rounded up: of three values the median is the second. */
static void ranks_are_whole(void **state)
{
	const __u64 counts[BUCKETS] = {[1] = 1, [2] = 1, [3] = 1};

	(void)state;
	assert_int_equal(histogram_quantile(counts, BUCKETS, 333), 4);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 334), 8);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 500), 8);
	assert_int_equal(histogram_quantile(counts, BUCKETS, 667), 16);
}

static void the_ends(void **state)
{
	const __u64 first[BUCKETS] = {[0] = 7}, last[BUCKETS] = {[31] = 7};
	const __u64 many[BUCKETS] = {[30] = 1ULL << 62, [31] = 1ULL << 62};

	(void)state;
	assert_int_equal(histogram_quantile(first, BUCKETS, 1000), 2);
	assert_int_equal(histogram_quantile(last, BUCKETS, 1000), 1ULL << 32);
	assert_int_equal(histogram_quantile(many, BUCKETS, 500), 1ULL << 31);
	assert_int_equal(histogram_quantile(many, BUCKETS, 1000), 1ULL << 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(empty),
		cmocka_unit_test(a_single_value),
		cmocka_unit_test(inside_of_a_bucket),
		cmocka_unit_test(over_several),
		cmocka_unit_test(ranks_are_whole),
		cmocka_unit_test(the_ends),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
