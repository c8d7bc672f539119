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

/*
 * All of these return -EINVAL with @source->error written when a value is wrong. @section may be
 * NULL, which is a section without keys.
 */

/** value_line() - the line of a key; when it is absent that of its section, or 1. */
int value_line(cfg_t *section, const char *key);

/** value_text() - the text behind a key, or @fallback. */
const char *value_text(cfg_t *section, const char *key, const char *fallback);

/** value_number() - @ret is set also when the key is absent. */
int value_number(const struct text_source *source, cfg_t *section,
		 const struct value_bounds *bounds, unsigned int *ret);

/** value_size() - bytes, with a suffix K, M or G for powers of 1024; at least @min_mib MiB. */
int value_size(const struct text_source *source, cfg_t *section, const char *key,
	       const char *fallback, unsigned int min_mib, __u64 *ret);

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
