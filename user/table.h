/* SPDX-License-Identifier: GPL-2.0 */
/* Aligned tables for people, from the same JSON that programs get. */
#ifndef SKEP_USER_TABLE_H
#define SKEP_USER_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/**
 * struct column - one column
 * @key:    of the objects in the array
 * @title:  at the top
 * @suffix: after each value, such as a unit; may be empty
 */
struct column {
	const char *key;
	const char *title;
	const char *suffix;
};

/** table_print() - numbers to the right, text to the left; null is "-" */
void table_print(FILE *out, const json_t *rows, const struct column *columns, size_t n);

/** table_value() - how a value looks in a table; writes at most @size bytes to @buf, returns @buf
 */
const char *table_value(const json_t *value, const char *suffix, char *buf, size_t size);

#endif
