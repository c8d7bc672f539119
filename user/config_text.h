/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The text of a configuration: which sections and keys it holds, and in which line each of them
 * stands, before anything is said about what they mean. Knows the grammar; libconfuse does the
 * reading. Opens no file.
 */
#ifndef SKEP_USER_CONFIG_TEXT_H
#define SKEP_USER_CONFIG_TEXT_H

#include <confuse.h>
#include <stddef.h>

/**
 * struct text_source - where a text comes from and where what is wrong with it goes
 * @name:  stands for the file in errors
 * @error: CONFIG_ERROR_MAX bytes
 */
struct text_source {
	const char *name;
	char *error;
};

/**
 * struct text_value - what stands behind a key
 * @line: counted from 1
 * @text: without quotes
 */
struct text_value {
	int line;
	char text[];
};

/**
 * text_parse() - reads a text
 * @ret: set on success; the caller frees it with cfg_free()
 *
 * Only one text is read at a time: libconfuse's lexer lives in globals.
 * Return: 0, -EINVAL when the text does not follow the grammar (@source->error is written), or
 * -ENOMEM.
 */
int text_parse(const struct text_source *source, const char *text, cfg_t **ret);

/**
 * text_fail() - writes the one line "NAME:LINE: ..." to @source->error, control characters replaced
 * @line: 0 when there is none to name
 *
 * Return: always -EINVAL.
 */
int text_fail(const struct text_source *source, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** text_line() - the line in which the braces of a section open; 1 for the whole text. */
int text_line(cfg_t *section);

/** text_count() - how many values a key has: 0 when it is absent. */
size_t text_count(cfg_t *section, const char *key);

/** text_value() - value @i of a key, or NULL; @section may be NULL. */
const struct text_value *text_value(cfg_t *section, const char *key, size_t i);

/** text_sections() - how many sections of a kind stand in @parent. */
size_t text_sections(cfg_t *parent, const char *kind);

/** text_section() - section @i of a kind, in the order of the text, or NULL. */
cfg_t *text_section(cfg_t *parent, const char *kind, size_t i);

#endif
