// SPDX-License-Identifier: GPL-2.0
/* Single values of a configuration; see config_value.h. Keeps no state and touches no file. */
#include "config_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_GIB (1U << 20)
#define CHOICES_LEN 64

int value_no_memory(const struct text_source *source)
{
	text_fail(source, 0, "no memory to read it; free some");
	return -ENOMEM;
}

int value_line(cfg_t *section, const char *key)
{
	const struct text_value *value = text_value(section, key, 0);

	return value ? value->line : text_line(section);
}

const char *value_text(cfg_t *section, const char *key, const char *fallback)
{
	const struct text_value *value = text_value(section, key, 0);

	return value ? value->text : fallback;
}

/* Digits only: strtoull() alone would take blanks, signs and wrap "-1". */
static bool digits_parse(const char *text, const char **end, unsigned long long *ret)
{
	char *rest;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*ret = strtoull(text, &rest, 10);
	*end = rest;
	return errno == 0;
}

int value_bounded(const struct text_source *source, const struct text_value *value,
		  const struct value_bounds *bounds, unsigned int *ret)
{
	unsigned long long number;
	const char *end;

	if (!value) {
		*ret = bounds->fallback;
		return 0;
	}
	if (!digits_parse(value->text, &end, &number) || *end || number < bounds->min ||
	    number > bounds->max)
		return text_fail(source, value->line,
				 "%s cannot be \"%s\"; give a number from %u to %u", bounds->key,
				 value->text, bounds->min, bounds->max);
	*ret = (unsigned int)number;
	return 0;
}

int value_number(const struct text_source *source, cfg_t *section,
		 const struct value_bounds *bounds, unsigned int *ret)
{
	return value_bounded(source, text_value(section, bounds->key, 0), bounds, ret);
}

int value_numbers(const struct text_source *source, cfg_t *section,
		  const struct value_number *numbers, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = value_number(source, section, &numbers[i].bounds, numbers[i].ret);
	return err;
}

int value_percent(const struct text_source *source, cfg_t *section,
		  const struct value_bounds *bounds, unsigned int *ret)
{
	const struct text_value *value = text_value(section, bounds->key, 0);
	unsigned long long number;
	const char *end;

	if (!value) {
		*ret = bounds->fallback;
		return 0;
	}
	if (!digits_parse(value->text, &end, &number) || strcmp(end, "%") != 0 ||
	    number < bounds->min || number > bounds->max)
		return text_fail(source, value->line,
				 "%s cannot be \"%s\"; give a percentage from \"%u%%\" to "
				 "\"%u%%\"",
				 bounds->key, value->text, bounds->min, bounds->max);
	*ret = (unsigned int)number;
	return 0;
}

/* "a, b or c", cut off when it does not fit. */
static void list_choices(const char *const *choices, size_t n, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n && used < size; i++) {
		const char *separator = i == 0 ? "" : i + 1 < n ? ", " : " or ";

		used += (size_t)snprintf(buf + used, size - used, "%s%s", separator, choices[i]);
	}
}

int value_choice(const struct text_source *source, cfg_t *section, const char *key,
		 const char *const *choices, size_t n, unsigned int *ret)
{
	const char *text = value_text(section, key, choices[0]);
	char known[CHOICES_LEN];

	for (size_t i = 0; i < n; i++) {
		if (!strcmp(choices[i], text)) {
			*ret = (unsigned int)i;
			return 0;
		}
	}
	list_choices(choices, n, known, sizeof(known));
	return text_fail(source, value_line(section, key), "%s cannot be \"%s\"; write %s", key,
			 text, known);
}

static int suffix_shift(const char *suffix)
{
	static const char suffixes[] = "KMG";
	const char *found = strchr(suffixes, toupper((unsigned char)suffix[0]));

	if (!suffix[0])
		return 0;
	return found && !suffix[1] ? 10 * (int)(found - suffixes + 1) : -EINVAL;
}

static bool size_parse(const char *text, __u64 *ret)
{
	unsigned long long number;
	const char *suffix;
	int shift;

	if (!digits_parse(text, &suffix, &number))
		return false;
	shift = suffix_shift(suffix);
	if (shift < 0 || number > ~0ULL >> shift)
		return false;
	*ret = number << shift;
	return true;
}

int value_size(const struct text_source *source, cfg_t *section, const char *key,
	       const char *fallback, unsigned int min_mib, __u64 *ret)
{
	const char *text = value_text(section, key, fallback);
	__u64 size;

	if (!size_parse(text, &size) || size < (__u64)min_mib << 20 ||
	    size > (__u64)SIZE_MAX_GIB << 30)
		return text_fail(
			source, value_line(section, key),
			"%s cannot be \"%s\"; give a number with K, M or G, from %uM to %uG", key,
			text, min_mib, SIZE_MAX_GIB);
	*ret = size;
	return 0;
}

static bool scaled_parse(const char *text, unsigned int base, __u64 max, __u64 *ret)
{
	unsigned long long number;
	const char *suffix;
	int steps;

	if (!digits_parse(text, &suffix, &number))
		return false;
	steps = suffix_shift(suffix);
	if (steps < 0)
		return false;
	for (; steps && number <= max; steps -= 10)
		number *= base;
	*ret = number;
	return !steps;
}

int value_scaled(const struct text_source *source, cfg_t *section, const struct value_scale *scale,
		 __u64 *ret)
{
	const struct text_value *value = text_value(section, scale->key, 0);
	__u64 number = scale->fallback;

	if (value && (!scaled_parse(value->text, scale->base, scale->max, &number) ||
		      number < scale->min || number > scale->max))
		return text_fail(
			source, value->line,
			"%s cannot be \"%s\"; give a number from %llu to %llu, or one with "
			"K, M or G",
			scale->key, value->text, (unsigned long long)scale->min,
			(unsigned long long)scale->max);
	*ret = number;
	return 0;
}

int value_path(const struct text_source *source, cfg_t *section, const char *key,
	       const char *fallback, char **ret)
{
	const char *text = value_text(section, key, fallback);

	if (text[0] != '/')
		return text_fail(source, value_line(section, key),
				 "%s \"%s\" is not an absolute path; begin it with /", key, text);
	*ret = strdup(text);
	return *ret ? 0 : value_no_memory(source);
}

int value_name(const struct text_source *source, int line, const char *kind, const char *name)
{
	size_t n = strlen(name);
	bool good = n >= 1 && n <= VALUE_NAME_MAX && isalnum((unsigned char)name[0]);

	for (size_t i = 0; good && i < n; i++)
		good = isalnum((unsigned char)name[i]) || strchr("-_.", name[i]);
	if (good)
		return 0;
	return text_fail(source, line,
			 "%s \"%s\" is not a name; use up to %d letters, digits, '-', '_' and '.', "
			 "a letter or digit first",
			 kind, name, VALUE_NAME_MAX);
}

int value_prefix(const struct text_source *source, int line, const char *kind, const char *text,
		 struct prefix *ret)
{
	char meant[PREFIX_STRLEN];
	struct prefix prefix;
	int err = prefix_parse(text, &prefix);

	if (err == -EDOM)
		return text_fail(source, line, "%s \"%s\" has bits set behind the prefix; write %s",
				 kind, text, prefix_format(&prefix, meant));
	if (err < 0)
		return text_fail(source, line,
				 "%s \"%s\" is not a prefix; write one like 10.66.0.0/16", kind,
				 text);
	*ret = prefix;
	return 0;
}
