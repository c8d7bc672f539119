// SPDX-License-Identifier: GPL-2.0
/*
 * Sections, keys and lines of a configuration; see config_text.h. Owns the grammar and the dealings
 * with libconfuse 3.3, which counts a comment as three lines, takes comments only between settings,
 * forgives braces and comments that are never closed, lets a later section replace an earlier one
 * of the same title, and tells nobody where a section began. So the text is looked through first
 * (struct scan) and handed on without its comments, every value carries its line, and finished
 * sections are moved out of libconfuse's sight.
 */
#include "config_text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "cleanup.h"
#include "config.h"

#define BRACES_MAX 8
/* Set in an option's flags once it was assigned to; far above the flags of libconfuse. */
#define GIVEN (1 << 30)
/* A name with a bar in it cannot be reached from the text: libconfuse would look for a section
 * "line". */
#define LINE_KEY "line|"

int text_fail(const struct text_source *source, int line, const char *format, ...)
{
	char place[16] = "";
	va_list ap;
	size_t n;

	if (line > 0)
		snprintf(place, sizeof(place), ":%d", line);
	snprintf(source->error, CONFIG_ERROR_MAX, "%s%s: ", source->name, place);
	n = strlen(source->error);
	va_start(ap, format);
	vsnprintf(source->error + n, CONFIG_ERROR_MAX - n, format, ap);
	va_end(ap);
	for (char *c = source->error; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	}
	return -EINVAL;
}

/**
 * struct scan - one pass over the text that blanks comments and finds what libconfuse would not
 * report
 * @open: lines of the braces that are not closed yet
 * @word: @at stands inside an unquoted word, where "//" opens no comment
 */
struct scan {
	const struct text_source *source;
	char *at;
	int line;
	int open[BRACES_MAX];
	int depth;
	bool word;
};

static void scan_comment(struct scan *s)
{
	while (*s->at && *s->at != '\n')
		*s->at++ = ' ';
}

static int scan_block_comment(struct scan *s)
{
	char *end = strstr(s->at + 2, "*/");

	if (!end)
		return text_fail(s->source, s->line, "comment without an end; add '*/'");
	for (end += 2; s->at < end; s->at++) {
		if (*s->at == '\n')
			s->line++;
		else
			*s->at = ' ';
	}
	return 0;
}

static int scan_variable(const struct scan *s)
{
	return text_fail(
		s->source, s->line,
		"'${' would be an environment variable, and none is read; write the value");
}

static int scan_string(struct scan *s)
{
	char quote = *s->at++;

	for (; *s->at && *s->at != '\n' && *s->at != quote; s->at++) {
		if (quote == '"' && s->at[0] == '$' && s->at[1] == '{')
			return scan_variable(s);
		if (s->at[0] == '\\' && s->at[1] && s->at[1] != '\n')
			s->at++;
	}
	if (*s->at != quote)
		return text_fail(s->source, s->line,
				 "string without an end; add %c in the same line", quote);
	s->at++;
	return 0;
}

static int scan_brace(struct scan *s)
{
	if (*s->at++ == '}') {
		if (s->depth-- > 0)
			return 0;
		return text_fail(s->source, s->line, "closing brace too many; remove it");
	}
	if (s->depth == BRACES_MAX)
		return text_fail(s->source, s->line, "braces inside braces too deep; close some");
	s->open[s->depth++] = s->line;
	return 0;
}

/* libconfuse's lexer skips these without a word. */
static bool scan_is_stray(const struct scan *s)
{
	return s->at[0] == '*' || (s->at[0] == '+' && s->at[1] != '=');
}

static int scan_plain(struct scan *s)
{
	if (s->at[0] == '$' && s->at[1] == '{')
		return scan_variable(s);
	if (scan_is_stray(s))
		return text_fail(s->source, s->line,
				 "unexpected '%c'; remove it or put the value in quotes", *s->at);
	s->line += *s->at == '\n';
	s->word = !strchr(" \t\r\n=(),+", *s->at);
	s->at++;
	return 0;
}

static int scan_step(struct scan *s)
{
	bool word = s->word;

	s->word = false;
	switch (*s->at) {
	case '#':
		scan_comment(s);
		return 0;
	case '"':
	case '\'':
		return scan_string(s);
	case '{':
	case '}':
		return scan_brace(s);
	case '/':
		if (!word && s->at[1] == '*')
			return scan_block_comment(s);
		if (!word && s->at[1] == '/') {
			scan_comment(s);
			return 0;
		}
	}
	return scan_plain(s);
}

static int scan_text(const struct text_source *source, char *text)
{
	struct scan s = {.source = source, .at = text, .line = 1};
	int err = 0;

	while (!err && *s.at)
		err = scan_step(&s);
	if (!err && s.depth > 0)
		err = text_fail(source, s.open[s.depth - 1], "brace without an end; add '}'");
	if (!err && !text[strspn(text, " \t\r\n")])
		err = text_fail(source, 1, "nothing is configured; start from %s.example",
				CONFIG_DEFAULT_PATH);
	return err;
}

/* Every value is kept as text with its line; which are numbers is for config.c to say. */
static int keep_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *ret)
{
	size_t size = strlen(text) + 1;
	struct text_value *value;

	/* The values of an earlier assignment are gone by now: silently, were it not for the flag.
	 */
	if (opt->nvalues == 1 && (opt->flags & GIVEN)) {
		cfg_error(cfg, "%s is given twice; remove one of them", opt->name);
		return -1;
	}
	value = malloc(sizeof(*value) + size);
	if (!value)
		return -1;
	opt->flags |= GIVEN;
	value->line = cfg->line;
	memcpy(value->text, text, size);
	*(void **)ret = value;
	return 0;
}

/* "exclude = {}" after another exclude: keep_value() saw nothing of it. */
static int check_emptied(cfg_t *section)
{
	for (const cfg_opt_t *opt = section->opts; opt->name; opt++) {
		if (opt->nvalues || !(opt->flags & GIVEN))
			continue;
		cfg_error(section, "%s is given twice; remove one of them", opt->name);
		return -1;
	}
	return 0;
}

/* Moves a section that was just read to the next option, where no later title can replace it. */
static int keep_section(cfg_t *cfg, cfg_opt_t *opt)
{
	cfg_opt_t *kept = opt + 1;
	void *values = reallocarray(kept->values, kept->nvalues + 1, sizeof(*kept->values));

	(void)cfg;
	if (!values)
		return -1;
	kept->values = values;
	if (check_emptied(opt->values[0]->section) < 0)
		return -1;
	kept->values[kept->nvalues++] = opt->values[0];
	opt->nvalues = 0;
	return 0;
}

#define KEY(key, more)                                                             \
	{                                                                          \
		.name = (key), .type = CFGT_PTR, .flags = CFGF_NODEFAULT | (more), \
		.parsecb = keep_value, .freecb = free                              \
	}

/* Nobody gives it, so libconfuse reads its default where the section opens: the line it keeps. */
#define LINE                                                                          \
	{                                                                             \
		.name = LINE_KEY, .type = CFGT_PTR, .def = {.parsed = (char[]){"0"}}, \
		.parsecb = keep_value, .freecb = free                                 \
	}

#define SECTION(kind, keys, more)                                                                  \
	{                                                                                          \
		.name = (kind), .type = CFGT_SEC, .flags = CFGF_MULTI | (more), .subopts = (keys), \
		.validcb = keep_section                                                            \
	}

/* Stands after each SECTION(), for keep_section(). */
#define KEPT(kind, keys)                                                                   \
	{                                                                                  \
		.name = kind "|", .type = CFGT_SEC, .flags = CFGF_MULTI, .subopts = (keys) \
	}

static cfg_opt_t pool_keys[] = {
	LINE,
	KEY("warm", 0),
	KEY("max", 0),
	KEY("min_idle_warm", 0),
	KEY("bind", 0),
	KEY("when_exhausted", 0),
	KEY("evict_after", 0),
	KEY("addresses_per_container", 0),
	KEY("binds_per_second", 0),
	KEY("binds_per_requester", 0),
	KEY("reflections_per_container", 0),
	KEY("reflections_max", 0),
	KEY("reflections_per_second", 0),
	KEY("memory", 0),
	KEY("host_memory", 0),
	KEY("verify_rate", 0),
	KEY("flows", 0),
	KEY("egress_max_packets", 0),
	KEY("egress_max_bits", 0),
	CFG_END(),
};

static cfg_opt_t template_keys[] = {
	LINE,
	KEY("rootfs", 0),
	KEY("init", 0),
	KEY("memory", 0),
	KEY("disk", 0),
	KEY("inodes", 0),
	KEY("processes", 0),
	KEY("files", 0),
	KEY("cpu", 0),
	KEY("sysfs", 0),
	KEY("listens", CFGF_LIST),
	KEY("no_new_privs", 0),
	KEY("policy", 0),
	CFG_END(),
};

static cfg_opt_t rule_keys[] = {
	LINE,
	KEY("verdict", 0),
	KEY("protocol", CFGF_LIST),
	KEY("ports", CFGF_LIST),
	KEY("to", CFGF_LIST),
	KEY("packets", 0),
	KEY("bytes", 0),
	KEY("flows", 0),
	KEY("destinations", 0),
	KEY("redirect", 0),
	CFG_END(),
};

static cfg_opt_t policy_keys[] = {
	LINE,
	KEY("verdict", 0),
	SECTION("rule", rule_keys, CFGF_TITLE),
	KEPT("rule", rule_keys),
	CFG_END(),
};

static cfg_opt_t range_keys[] = {
	LINE,
	KEY("template", 0),
	KEY("policy", 0),
	KEY("exclude", CFGF_LIST),
	KEY("vlan", 0),
	KEY("idle_timeout", 0),
	KEY("max_lifetime", 0),
	KEY("density", 0),
	KEY("answer_after", 0),
	KEY("verify", 0),
	KEY("verify_quiet", 0),
	CFG_END(),
};

static cfg_opt_t uplink_keys[] = {
	LINE,
	KEY("xdp", 0),
	KEY("gateway", 0),
	KEY("network", 0),
	SECTION("range", range_keys, CFGF_TITLE),
	KEPT("range", range_keys),
	CFG_END(),
};

static cfg_opt_t top_keys[] = {
	KEY("state_dir", 0),
	KEY("run_dir", 0),
	KEY("bpf_dir", 0),
	KEY("group", 0),
	KEY("id_base", 0),
	KEY("oui", CFGF_LIST),
	SECTION("pool", pool_keys, 0),
	KEPT("pool", pool_keys),
	KEY("dns", CFGF_LIST),
	KEY("ntp", CFGF_LIST),
	SECTION("policy", policy_keys, CFGF_TITLE),
	KEPT("policy", policy_keys),
	SECTION("template", template_keys, CFGF_TITLE),
	KEPT("template", template_keys),
	SECTION("uplink", uplink_keys, CFGF_TITLE),
	KEPT("uplink", uplink_keys),
	CFG_END(),
};

/* libconfuse's messages, and what they are to an operator; both have one %s at most. */
static const struct {
	const char *theirs;
	const char *ours;
} wordings[] = {
	{"missing equal sign after option '%s'", "no '=' after %1$s; write %1$s = VALUE"},
	{"missing opening brace for section '%s'",
	 "no '{' after %1$s; write %1$s ... { KEY = VALUE }"},
	{"missing title for section '%s'", "%1$s without a name; write %1$s \"NAME\" { ... }"},
	{"attempt to append to non-list option '%s'", "'+=' after %1$s; write %1$s = VALUE"},
	{"unexpected token '%s'",
	 "unexpected '%s'; look before it for a key, value, comma or brace missing or too many"},
	{"premature end of file", "the text ends in the middle of a setting; write the value"},
};

static const char *wording_of(const char *theirs)
{
	for (size_t i = 0; i < ARRAY_SIZE(wordings); i++) {
		if (!strcmp(wordings[i].theirs, theirs))
			return wordings[i].ours;
	}
	return theirs;
}

static void describe_unknown(cfg_t *cfg, const char *key, FILE *f)
{
	const char *separator = "";

	fprintf(f, "unknown key %s; known here: ", key);
	for (const cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		if (strchr(opt->name, '|'))
			continue;
		fprintf(f, "%s%s", separator, opt->name);
		separator = ", ";
	}
}

/*
 * libconfuse hands its error function no argument of ours: the first complaint waits in the unused
 * comment of the section it is about, whose line stands still from then on. cfg_free() frees it.
 */
static void keep_complaint(cfg_t *cfg, const char *format, va_list ap)
{
	cleanup_fclose FILE *f = NULL;
	size_t size;

	if (cfg->comment)
		return;
	f = open_memstream(&cfg->comment, &size);
	if (!f)
		return;
	if (!strcmp(format, "no such option '%s'")) {
		describe_unknown(cfg, va_arg(ap, const char *), f);
		return;
	}
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	vfprintf(f, wording_of(format), ap);
#pragma GCC diagnostic pop
}

static cfg_t *find_complaint(cfg_t *cfg)
{
	cfg_t *found = cfg->comment ? cfg : NULL;

	for (cfg_opt_t *opt = cfg->opts; opt->name; opt++) {
		for (unsigned int i = 0; opt->type == CFGT_SEC && i < opt->nvalues && !found; i++)
			found = find_complaint(opt->values[i]->section);
	}
	return found;
}

static int report_complaint(const struct text_source *source, cfg_t *cfg)
{
	cfg_t *where = find_complaint(cfg);

	if (where)
		return text_fail(source, where->line, "%s%s", where->comment,
				 strchr(where->comment, ';') ? "" : "; see skep.conf(5)");
	/* An empty string in place of a key fails without a message. */
	if (errno != ENOMEM)
		return text_fail(source, cfg->line, "not understood; see skep.conf(5)");
	text_fail(source, 0, "no memory to read it; free some");
	return -ENOMEM;
}

static void cleanup_cfg(cfg_t **cfg)
{
	if (*cfg)
		cfg_free(*cfg);
}

int text_parse(const struct text_source *source, const char *text, cfg_t **ret)
{
	cleanup_free char *copy = strdup(text);
	__attribute__((cleanup(cleanup_cfg))) cfg_t *cfg = cfg_init(top_keys, CFGF_NONE);
	int err;

	if (!copy || !cfg) {
		text_fail(source, 0, "no memory to read it; free some");
		return -ENOMEM;
	}
	err = scan_text(source, copy);
	if (err < 0)
		return err;
	cfg_set_error_function(cfg, keep_complaint);
	errno = 0;
	if (cfg_parse_buf(cfg, copy) != CFG_SUCCESS)
		return report_complaint(source, cfg);
	*ret = cfg;
	cfg = NULL;
	return 0;
}

int text_line(cfg_t *section)
{
	const struct text_value *value = text_value(section, LINE_KEY, 0);

	return value ? value->line : 1;
}

/* cfg_getopt() would take the bar for a path. */
static cfg_opt_t *find_opt(cfg_t *section, const char *name)
{
	cfg_opt_t *opt = section ? section->opts : NULL;

	while (opt && opt->name && strcmp(opt->name, name))
		opt++;
	return opt && opt->name ? opt : NULL;
}

size_t text_count(cfg_t *section, const char *key)
{
	const cfg_opt_t *opt = find_opt(section, key);

	return opt ? opt->nvalues : 0;
}

const struct text_value *text_value(cfg_t *section, const char *key, size_t i)
{
	const cfg_opt_t *opt = find_opt(section, key);

	return opt && i < opt->nvalues ? opt->values[i]->ptr : NULL;
}

size_t text_sections(cfg_t *parent, const char *kind)
{
	const cfg_opt_t *opt = find_opt(parent, kind);

	return opt ? opt[1].nvalues : 0;
}

cfg_t *text_section(cfg_t *parent, const char *kind, size_t i)
{
	const cfg_opt_t *opt = find_opt(parent, kind);

	return opt && i < opt[1].nvalues ? opt[1].values[i]->section : NULL;
}
