// SPDX-License-Identifier: GPL-2.0
/* Tables; see table.h. Reads the rows twice: once for the widths, once to print. */
#include "table.h"

#include <string.h>

#define VALUE_LEN 128
#define COLUMNS_MAX 16

const char *table_value(const json_t *value, const char *suffix, char *buf, size_t size)
{
	if (json_is_string(value))
		snprintf(buf, size, "%s%s", json_string_value(value), suffix);
	else if (json_is_integer(value))
		snprintf(buf, size, "%" JSON_INTEGER_FORMAT "%s", json_integer_value(value),
			 suffix);
	else if (json_is_real(value))
		snprintf(buf, size, "%.1f%s", json_real_value(value), suffix);
	else
		snprintf(buf, size, "-");
	return buf;
}

static size_t width_of(const json_t *rows, const struct column *column)
{
	size_t width = strlen(column->title);
	char buf[VALUE_LEN];
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		size_t len = strlen(table_value(json_object_get(row, column->key), column->suffix,
						buf, sizeof(buf)));

		width = len > width ? len : width;
	}
	return width;
}

static void print_cell(FILE *out, const char *text, size_t width, bool right, bool last)
{
	if (right)
		fprintf(out, "%*s%s", (int)width, text, last ? "\n" : "  ");
	else
		fprintf(out, "%-*s%s", last ? 0 : (int)width, text, last ? "\n" : "  ");
}

void table_print(FILE *out, const json_t *rows, const struct column *columns, size_t n)
{
	const json_t *first = json_array_get(rows, 0), *row;
	size_t widths[COLUMNS_MAX], i;
	char buf[VALUE_LEN];

	for (size_t c = 0; c < n; c++)
		widths[c] = width_of(rows, &columns[c]);
	for (size_t c = 0; c < n; c++)
		print_cell(out, columns[c].title, widths[c],
			   json_is_number(json_object_get(first, columns[c].key)), c + 1 == n);
	json_array_foreach (rows, i, row) {
		for (size_t c = 0; c < n; c++) {
			const json_t *value = json_object_get(row, columns[c].key);

			print_cell(out, table_value(value, columns[c].suffix, buf, sizeof(buf)),
				   widths[c], json_is_number(value), c + 1 == n);
		}
	}
}
