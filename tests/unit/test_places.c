// SPDX-License-Identifier: GPL-2.0
/* Slots of a table: nobody gets another's, gaps are used, and what does not fit is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "places.h"

#define SIZE 100
#define ROOM 64

static void taken_is_taken(void **state)
{
	struct place places[ROOM];
	size_t n = 0;

	(void)state;
	assert_true(places_take(places, &n, SIZE, 20, 10));
	assert_false(places_take(places, &n, SIZE, 20, 10));
	assert_false(places_take(places, &n, SIZE, 20, 1));
	assert_false(places_take(places, &n, SIZE, 29, 1));
	assert_false(places_take(places, &n, SIZE, 19, 2));
	assert_false(places_take(places, &n, SIZE, 0, SIZE));
	assert_int_equal(n, 1);
	assert_true(places_take(places, &n, SIZE, 30, 1));
	assert_true(places_take(places, &n, SIZE, 19, 1));
	assert_int_equal(n, 3);
}

static void the_table_ends(void **state)
{
	struct place places[ROOM];
	size_t n = 0;

	(void)state;
	assert_false(places_take(places, &n, SIZE, SIZE, 1));
	assert_false(places_take(places, &n, SIZE, SIZE - 1, 2));
	assert_false(places_take(places, &n, SIZE, ~0U, 2));
	assert_false(places_take(places, &n, SIZE, 1, ~0U));
	assert_true(places_take(places, &n, SIZE, SIZE - 1, 1));
	assert_int_equal(n, 1);
}

static void the_first_gap_that_is_large_enough(void **state)
{
	struct place places[ROOM];
	size_t n = 0;
	__u32 at;

	(void)state;
	assert_true(places_take(places, &n, SIZE, 50, 10));
	assert_true(places_take(places, &n, SIZE, 5, 10));
	assert_true(places_find(places, &n, SIZE, 6, &at));
	assert_int_equal(at, 15);
	assert_true(places_find(places, &n, SIZE, 5, &at));
	assert_int_equal(at, 0);
	assert_true(places_find(places, &n, SIZE, 30, &at));
	assert_int_equal(at, 60);
	assert_false(places_find(places, &n, SIZE, 30, &at));
	assert_true(places_find(places, &n, SIZE, 29, &at));
	assert_int_equal(at, 21);
	assert_true(places_find(places, &n, SIZE, 10, &at));
	assert_int_equal(at, 90);
	assert_false(places_find(places, &n, SIZE, 1, &at));
}

/* Whatever is asked for: sorted, apart, inside. */
static void no_two_overlap(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 1000; round++) {
		struct place places[ROOM];
		size_t n = 0;
		__u32 at;

		while (n < ROOM - 1 && places_find(places, &n, SIZE, 1 + (__u32)rand() % 9, &at))
			places_take(places, &n, SIZE, (__u32)rand() % SIZE, 1 + (__u32)rand() % 9);
		for (size_t i = 0; i < n; i++)
			assert_true(places[i].first + places[i].n <=
				    (i + 1 < n ? places[i + 1].first : SIZE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken_is_taken),
		cmocka_unit_test(the_table_ends),
		cmocka_unit_test(the_first_gap_that_is_large_enough),
		cmocka_unit_test(no_two_overlap),
	};

	return cmocka_run_group_tests_name("places", tests, NULL, NULL);
}
