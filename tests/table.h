/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables of tests: one cmocka test for each row, so that a failure names its row. Owns no rows.
 * Included after cmocka.h.
 */
#ifndef SKEP_TESTS_TABLE_H
#define SKEP_TESTS_TABLE_H

#define TABLE_MAX 256

struct table {
	struct CMUnitTest tests[TABLE_MAX];
	size_t n;
};

static inline void table_add_test(struct table *table, struct CMUnitTest test)
{
	assert_true(table->n < TABLE_MAX);
	table->tests[table->n++] = test;
}

/* Rows begin with their name; @run finds its row in *state. */
static inline void table_add_rows(struct table *table, const void *rows, size_t n, size_t size,
				  CMUnitTestFunction run)
{
	for (size_t i = 0; i < n; i++) {
		const char *row = (const char *)rows + i * size;

		table_add_test(table, (struct CMUnitTest){
					      .name = *(const char *const *)row,
					      .test_func = run,
					      .initial_state = (void *)row,
				      });
	}
}

#define table_add(table, rows, run) \
	table_add_rows(table, rows, sizeof(rows) / sizeof((rows)[0]), sizeof((rows)[0]), run)

/* The number of failures. */
static inline int table_run(const struct table *table, const char *name, CMFixtureFunction setup,
			    CMFixtureFunction teardown)
{
	return _cmocka_run_group_tests(name, table->tests, table->n, setup, teardown);
}

#endif
