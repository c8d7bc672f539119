/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Single values of a configuration: from text to a number, size, path, name or prefix, and what to
 * tell the operator when the text is none. Pure.
 */
#ifndef SKEP_USER_CONFIG_VALUE_H
#define SKEP_USER_CONFIG_VALUE_H

#include "config_text.h"
#include "prefix.h"

#define VALUE_NAME_MAX 63
#define VALUE_YEAR_S (365U * 24 * 60 * 60)

/**
 * struct value_bounds - a key whose value is a number
 * @fallback: when the key is absent
 */
struct value_bounds {
	const char *key;
	unsigned int min;
	unsigned int max;
	unsigned int fallback;
};

/** struct value_number - where the number of a key goes */
struct value_number {
	struct value_bounds bounds;
	unsigned int *ret;
};

/*
 * All of these return -EINVAL with @source->error written when a value is wrong. @section may be
 * NULL, which is a section without keys.
 */

/** value_line() - the line of a key; when it is absent that of its section, or 1. */
int value_line(cfg_t *section, const char *key);

/** value_text() - the text behind a key, or @fallback. */
const char *value_text(cfg_t *section, const char *key, const char *fallback);

/** value_bounded() - one number, which may be one of a list; NULL is that of an absent key. */
int value_bounded(const struct text_source *source, const struct text_value *value,
		  const struct value_bounds *bounds, unsigned int *ret);

/** value_number() - @ret is set also when the key is absent. */
int value_number(const struct text_source *source, cfg_t *section,
		 const struct value_bounds *bounds, unsigned int *ret);

/** value_numbers() - @n keys of one section, up to the first that is wrong. */
int value_numbers(const struct text_source *source, cfg_t *section,
		  const struct value_number *numbers, size_t n);

/** value_percent() - a number with '%' behind it; @bounds are those of the number. */
int value_percent(const struct text_source *source, cfg_t *section,
		  const struct value_bounds *bounds, unsigned int *ret);

/**
 * value_choice() - one of a few words
 * @choices: the first stands for an absent key
 * @ret:     index into @choices
 */
int value_choice(const struct text_source *source, cfg_t *section, const char *key,
		 const char *const *choices, size_t n, unsigned int *ret);

/** value_size() - bytes, with a suffix K, M or G for powers of 1024; @min_mib MiB to 1 PiB. */
int value_size(const struct text_source *source, cfg_t *section, const char *key,
	       const char *fallback, unsigned int min_mib, __u64 *ret);

/**
 * struct value_scale - a key whose value is a number with a suffix K, M or G
 * @base:     what K stands for: 1024, or 1000 for what networks count
 * @fallback: when the key is absent
 */
struct value_scale {
	const char *key;
	unsigned int base;
	__u64 min;
	__u64 max;
	__u64 fallback;
};

/** value_scaled() - @ret is set also when the key is absent. */
int value_scaled(const struct text_source *source, cfg_t *section, const struct value_scale *scale,
		 __u64 *ret);

/** value_path() - an absolute path; the caller frees it. Also -ENOMEM. */
int value_path(const struct text_source *source, cfg_t *section, const char *key,
	       const char *fallback, char **ret);

/** value_name() - checks @name, which is that of a @kind: letters, digits, '-', '_', '.'. */
int value_name(const struct text_source *source, int line, const char *kind, const char *name);

/** value_prefix() - a prefix that is a @kind: @text without host bits. */
int value_prefix(const struct text_source *source, int line, const char *kind, const char *text,
		 struct prefix *ret);

/** value_no_memory() - writes that memory ran out; returns -ENOMEM. */
int value_no_memory(const struct text_source *source);

#endif
