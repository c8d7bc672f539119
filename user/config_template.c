// SPDX-License-Identifier: GPL-2.0
/* Template sections of a configuration; see config_read.h. Never looks at the root file systems. */
#include "config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config_value.h"
#include "skep/maps.h"

#define MEMORY_MIN_MIB 4
#define DISK_MIN_MIB 1
#define INODES_MIN 256
#define INODES_MAX (1U << 24)
#define PROCESSES_MAX 4194304 /* PID_MAX_LIMIT of a 64-bit kernel */
#define FILES_MIN 64
#define FILES_MAX (1U << 20) /* what fs.nr_open is by default */
#define CPU_MAX 100000	     /* a thousand cores */

static const struct value_bounds port_bounds = {"listens", 1, 65535, 0};
static const struct value_bounds cpu_bounds = {"cpu", 0, CPU_MAX, 0};

struct template_config *config_find_template(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_templates; i++) {
		const char *have = config->templates[i].name;

		if (have && !config->templates[i].gone && !strcmp(have, name))
			return &config->templates[i];
	}
	return NULL;
}

static int read_rootfs(const struct text_source *source, cfg_t *section,
		       const struct config *config, struct template_config *template)
{
	const char *text = value_text(section, "rootfs", "");
	int n;

	if (!text[0])
		return text_fail(source, value_line(section, "rootfs"),
				 "template \"%s\" has no rootfs; name the directory of its root "
				 "file system",
				 template->name);
	if (text[0] == '/')
		n = asprintf(&template->rootfs, "%s", text);
	else
		n = asprintf(&template->rootfs, "%s/%s", config->state_dir, text);
	if (n >= 0)
		return 0;
	template->rootfs = NULL;
	return value_no_memory(source);
}

static bool listens_at(const struct template_config *template, unsigned int port)
{
	for (size_t i = 0; i < template->n_listens; i++) {
		if (template->listens[i] == port)
			return true;
	}
	return false;
}

static int read_port(const struct text_source *source, const struct text_value *value,
		     struct template_config *template)
{
	unsigned int port = 0;
	int err = value_bounded(source, value, &port_bounds, &port);

	if (err < 0)
		return err;
	if (listens_at(template, port))
		return text_fail(source, value->line, "listens has %u twice; remove one of them",
				 port);
	template->listens[template->n_listens++] = (__u16)port;
	return 0;
}

static int read_listens(const struct text_source *source, cfg_t *section,
			struct template_config *template)
{
	size_t n = text_count(section, "listens");
	int err = 0;

	if (n > CONFIG_LISTENS_MAX)
		return text_fail(source, text_value(section, "listens", CONFIG_LISTENS_MAX)->line,
				 "listens has more than %d ports; remove some", CONFIG_LISTENS_MAX);
	for (size_t i = 0; i < n && !err; i++)
		err = read_port(source, text_value(section, "listens", i), template);
	return err;
}

static int read_limits(const struct text_source *source, cfg_t *section,
		       struct template_config *template)
{
	const struct value_number numbers[] = {
		{{"inodes", INODES_MIN, INODES_MAX, 16384}, &template->inodes},
		{{"processes", 1, PROCESSES_MAX, 128}, &template->processes},
		{{"files", FILES_MIN, FILES_MAX, 1024}, &template->files},
	};
	int err = value_size(source, section, "memory", "64M", MEMORY_MIN_MIB, &template->memory);

	if (!err)
		err = value_size(source, section, "disk", "64M", DISK_MIN_MIB, &template->disk);
	if (!err)
		err = value_numbers(source, section, numbers, ARRAY_SIZE(numbers));
	return err ? err : value_percent(source, section, &cpu_bounds, &template->cpu);
}

static int read_switch(const struct text_source *source, cfg_t *section, const char *key, bool *ret)
{
	static const char *const ways[] = {"off", "on"};
	unsigned int way = 0;
	int err = value_choice(source, section, key, ways, ARRAY_SIZE(ways), &way);

	*ret = way;
	return err;
}

static int read_sysfs(const struct text_source *source, cfg_t *section,
		      struct template_config *template)
{
	static const char *const choices[] = {"none", "read-only"};
	unsigned int choice;
	int err = value_choice(source, section, "sysfs", choices, ARRAY_SIZE(choices), &choice);

	if (!err)
		template->sysfs = choice == 1;
	return err;
}

static int read_template_keys(const struct text_source *source, cfg_t *section,
			      const struct config *config, struct template_config *template)
{
	int err = read_rootfs(source, section, config, template);

	if (!err)
		err = value_path(source, section, "init", "/sbin/init", &template->init);
	if (!err)
		err = read_limits(source, section, template);
	if (!err)
		err = read_sysfs(source, section, template);
	if (!err)
		err = config_find_policy(source, section, config, 0, &template->policy);
	if (!err)
		err = read_switch(source, section, "no_new_privs", &template->no_new_privs);
	return err ? err : read_listens(source, section, template);
}

static int read_template(const struct text_source *source, cfg_t *section, struct config *config)
{
	const char *name = cfg_title(section);
	const struct template_config *other = config_find_template(config, name);
	struct template_config *template = &config->templates[config->n_templates];
	int line = text_line(section), err;

	if (other)
		return text_fail(source, line,
				 "template \"%s\" is already defined in line %d; rename or remove "
				 "one of them",
				 name, other->line);
	err = value_name(source, line, "template", name);
	if (err < 0)
		return err;
	config->n_templates++;
	template->line = line;
	template->name = strdup(name);
	if (!template->name)
		return value_no_memory(source);
	return read_template_keys(source, section, config, template);
}

int config_read_templates(const struct text_source *source, cfg_t *top, struct config *config)
{
	size_t n = text_sections(top, "template");
	int err = 0;

	if (!n)
		return text_fail(source, 1,
				 "no template is defined; add template \"basic\" { rootfs = "
				 "\"templates/basic\" }");
	if (n > SKEP_TEMPLATES_MAX)
		return text_fail(source,
				 text_line(text_section(top, "template", SKEP_TEMPLATES_MAX)),
				 "more than %d templates; remove some", SKEP_TEMPLATES_MAX);
	config->templates = calloc(n, sizeof(*config->templates));
	if (!config->templates)
		return value_no_memory(source);
	for (size_t i = 0; i < n && !err; i++)
		err = read_template(source, text_section(top, "template", i), config);
	return err;
}
