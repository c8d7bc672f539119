// SPDX-License-Identifier: GPL-2.0
/* Template sections of a configuration; see config_read.h. Never looks at the root file systems. */
#include "config_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_value.h"

#define MEMORY_MIN_MIB 4
#define PROCESSES_MAX 4194304 /* PID_MAX_LIMIT of a 64-bit kernel */

static const struct value_bounds processes_bounds = {"processes", 1, PROCESSES_MAX, 128};

struct template_config *config_find_template(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_templates; i++) {
		const char *have = config->templates[i].name;

		if (have && !strcmp(have, name))
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

static int read_template_keys(const struct text_source *source, cfg_t *section,
			      const struct config *config, struct template_config *template)
{
	int err = read_rootfs(source, section, config, template);

	if (!err)
		err = value_path(source, section, "init", "/sbin/init", &template->init);
	if (!err)
		err = value_size(source, section, "memory", "64M", MEMORY_MIN_MIB,
				 &template->memory);
	if (!err)
		err = value_number(source, section, &processes_bounds, &template->processes);
	return err;
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
	config->templates = calloc(n, sizeof(*config->templates));
	if (!config->templates)
		return value_no_memory(source);
	for (size_t i = 0; i < n && !err; i++)
		err = read_template(source, text_section(top, "template", i), config);
	return err;
}
