// SPDX-License-Identifier: GPL-2.0
/* Names; see farm_paths.h. Makes nothing. */
#include "farm_paths.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *farm_path(char *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(buf, FARM_PATH_LEN, format, args);
	va_end(args);
	return buf;
}

/* FNV-1a of state_dir. */
__u32 farm_tag(const struct config *config)
{
	__u32 hash = 2166136261U;

	if (!strcmp(config->state_dir, "/var/lib/skep"))
		return 0;
	for (const char *p = config->state_dir; *p; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619U;
	return hash;
}

const char *farm_cgroup(const struct config *config, char *buf)
{
	const __u32 tag = farm_tag(config);

	return tag ? farm_path(buf, "skep-%08x", tag) : farm_path(buf, "skep");
}

const char *farm_template_dir(const struct config *config, size_t template, char *buf)
{
	return farm_path(buf, "%s/templates/%s", config->run_dir, config->templates[template].name);
}

const char *farm_stage_dir(const struct config *config, char *buf)
{
	return farm_path(buf, "%s/stage", config->run_dir);
}

const char *farm_lxc_dir(const struct config *config, char *buf)
{
	return farm_path(buf, "%s/containers", config->state_dir);
}

const char *farm_seccomp_file(const struct config *config, char *buf)
{
	return farm_path(buf, "%s/seccomp", config->run_dir);
}
