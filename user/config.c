// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration; see config.h. Owns struct config and the keys outside of sections. Leaves the
 * grammar to config_text.c and single values to config_value.c, and never asks the machine: that is
 * check.c.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "config_read.h"
#include "config_value.h"
#include "plumb.h"
#include "skep/maps.h"

#define ID_INVALID 0xffffffffU /* (uid_t)-1 */

static const struct value_bounds id_base_bounds = {"id_base", 65536, ID_INVALID - CONFIG_IDS,
						   1000000};

/* What is found in server rooms; all are in the IEEE registry. */
static const __u8 default_ouis[][3] = {
	{0x00, 0x1b, 0x21}, /* Intel */
	{0xa0, 0x36, 0x9f}, /* Intel */
	{0x3c, 0xfd, 0xfe}, /* Intel */
	{0xb8, 0xca, 0x3a}, /* Dell */
	{0x14, 0x18, 0x77}, /* Dell */
	{0x3c, 0xd9, 0x2b}, /* Hewlett Packard */
	{0x94, 0x18, 0x82}, /* Hewlett Packard Enterprise */
	{0xac, 0x1f, 0x6b}, /* Super Micro */
};

/* Xen's and LXC's own: an intruder who sees one knows where he is. */
static const __u8 virtual_ouis[][3] = {{0x00, 0x16, 0x3e}, {0x10, 0x66, 0x6a}};

static bool oui_is_virtual(const __u8 oui[3])
{
	for (size_t i = 0; i < ARRAY_SIZE(virtual_ouis); i++) {
		if (!memcmp(virtual_ouis[i], oui, 3))
			return true;
	}
	return false;
}

static int read_oui(const struct text_source *source, const struct text_value *value, __u8 ret[3])
{
	if (oui_parse(value->text, ret) < 0)
		return text_fail(source, value->line,
				 "oui \"%s\" is not a vendor's prefix; write one like 00:1b:21",
				 value->text);
	if (oui_is_virtual(ret))
		return text_fail(source, value->line,
				 "oui \"%s\" gives a virtual machine away; write a NIC vendor's, "
				 "like 00:1b:21",
				 value->text);
	return 0;
}

static int read_ouis(const struct text_source *source, cfg_t *top, struct config *config)
{
	size_t n = text_count(top, "oui");
	int err = 0;

	if (n > SKEP_OUIS_MAX)
		return text_fail(source, text_value(top, "oui", SKEP_OUIS_MAX)->line,
				 "oui has more than %d prefixes; remove some", SKEP_OUIS_MAX);
	config->ouis = calloc(n ? n : ARRAY_SIZE(default_ouis), sizeof(*config->ouis));
	if (!config->ouis)
		return value_no_memory(source);
	if (!n) {
		memcpy(config->ouis, default_ouis, sizeof(default_ouis));
		config->n_ouis = ARRAY_SIZE(default_ouis);
	}
	for (size_t i = 0; i < n && !err; i++)
		err = read_oui(source, text_value(top, "oui", i), config->ouis[config->n_ouis++]);
	return err;
}

static int read_directories(const struct text_source *source, cfg_t *top, struct config *config)
{
	int err;

	if (text_count(top, "state_dir"))
		config->state_dir_line = value_line(top, "state_dir");
	if (text_count(top, "run_dir"))
		config->run_dir_line = value_line(top, "run_dir");
	err = value_path(source, top, "state_dir", "/var/lib/skep", &config->state_dir);
	if (!err)
		err = value_path(source, top, "run_dir", "/run/skep", &config->run_dir);
	if (!err)
		err = value_path(source, top, "bpf_dir", "/sys/fs/bpf/skep", &config->bpf_dir);
	return err;
}

static int read_group(const struct text_source *source, cfg_t *top, struct config *config)
{
	const char *name = value_text(top, "group", "skep");
	int err = value_name(source, value_line(top, "group"), "group", name);

	if (err < 0)
		return err;
	config->group = strdup(name);
	return config->group ? 0 : value_no_memory(source);
}

static int read_all(const struct text_source *source, cfg_t *top, struct config *config)
{
	static int (*const readers[])(const struct text_source *, cfg_t *, struct config *) = {
		read_directories,    read_group,	   read_ouis,
		config_read_pool,    config_read_policies, config_read_templates,
		config_read_uplinks,
	};
	int err = value_number(source, top, &id_base_bounds, &config->id_base);

	for (size_t i = 0; i < ARRAY_SIZE(readers) && !err; i++)
		err = readers[i](source, top, config);
	if (!err)
		err = config_check_policies(source, config);
	return err ? err : config_check_pool(source, top, config);
}

static void cleanup_config(struct config **config)
{
	config_free(*config);
}

static void cleanup_top(cfg_t **top)
{
	if (*top)
		cfg_free(*top);
}

int config_parse(const char *name, const char *text, struct config **ret, char *error)
{
	struct text_source source = {.name = name, .error = error};
	__attribute__((cleanup(cleanup_config))) struct config *config = NULL;
	__attribute__((cleanup(cleanup_top))) cfg_t *top = NULL;
	int err;

	config = calloc(1, sizeof(*config));
	if (config)
		config->file = strdup(name);
	if (!config || !config->file)
		return value_no_memory(&source);
	err = text_parse(&source, text, &top);
	if (!err)
		err = read_all(&source, top, config);
	if (err < 0)
		return err;
	*ret = config;
	config = NULL;
	return 0;
}

/* Reads up to the first NUL byte, which no text has. */
static int read_file(const char *path, char **ret, bool *ret_nul)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	size_t size = 0;
	ssize_t n;

	if (!f)
		return -errno;
	errno = 0;
	n = getdelim(ret, &size, '\0', f);
	if (n < 0 && (ferror(f) || errno))
		return errno ? -errno : -EIO;
	if (n < 0)
		(*ret)[0] = '\0';
	*ret_nul = n > 0 && (*ret)[n - 1] == '\0';
	return 0;
}

int config_load(const char *path, struct config **ret, char *error)
{
	struct text_source source = {.name = path, .error = error};
	cleanup_free char *text = NULL;
	bool nul = false;
	int err = read_file(path, &text, &nul);

	if (err < 0) {
		text_fail(&source, 0, "%s; name a file that can be read", strerror(-err));
		return err;
	}
	if (nul)
		return text_fail(&source, 1, "holds a NUL byte; give a text file");
	return config_parse(path, text, ret, error);
}

static void free_uplink(struct uplink_config *uplink)
{
	for (size_t i = 0; i < uplink->n_ranges; i++)
		free(uplink->ranges[i].excludes);
	free(uplink->ranges);
}

static void free_template(struct template_config *template)
{
	free(template->name);
	free(template->rootfs);
	free(template->init);
}

struct config *config_free(struct config *config)
{
	if (!config)
		return NULL;
	for (size_t i = 0; i < config->n_uplinks; i++)
		free_uplink(&config->uplinks[i]);
	for (size_t i = 0; i < config->n_templates; i++)
		free_template(&config->templates[i]);
	free(config->uplinks);
	free(config->templates);
	free(config->policies);
	free(config->ouis);
	free(config->file);
	free(config->state_dir);
	free(config->run_dir);
	free(config->bpf_dir);
	free(config->group);
	free(config);
	return NULL;
}

__u32 config_first_id(const struct config *config, __u32 slot)
{
	return config->id_base + slot * CONFIG_IDS;
}

unsigned int config_slots(const struct config *config)
{
	const unsigned int fit = (ID_INVALID - config->id_base) / CONFIG_IDS;

	return fit < SKEP_CONTAINERS_MAX ? fit : SKEP_CONTAINERS_MAX;
}

const struct range_config *config_first_range(const struct config *config, size_t template,
					      size_t *ret_uplink)
{
	const struct range_config *first = NULL;

	for (size_t u = 0; u < config->n_uplinks; u++) {
		const struct uplink_config *uplink = &config->uplinks[u];

		for (size_t r = 0; r < uplink->n_ranges; r++) {
			const struct range_config *range = &uplink->ranges[r];

			if (range->template != template || (first && first->line <= range->line))
				continue;
			first = range;
			*ret_uplink = u;
		}
	}
	return first;
}

bool config_template_used(const struct config *config, size_t template)
{
	size_t uplink;

	return !config->templates[template].gone && config_first_range(config, template, &uplink);
}

unsigned int config_templates_used(const struct config *config)
{
	unsigned int used = 0;

	for (size_t i = 0; i < config->n_templates; i++)
		used += config_template_used(config, i);
	return used;
}

const struct range_config *config_range_of(const struct config *config, size_t uplink, __u16 vlan,
					   __be32 addr)
{
	const struct uplink_config *u = &config->uplinks[uplink];

	for (size_t r = 0; r < u->n_ranges; r++) {
		if (u->ranges[r].vlan == vlan && prefix_contains(&u->ranges[r].prefix, addr))
			return &u->ranges[r];
	}
	return NULL;
}

static unsigned int ranges_of(const struct config *config, size_t template)
{
	unsigned int n = 0;

	for (size_t u = 0; u < config->n_uplinks; u++) {
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			n += config->uplinks[u].ranges[r].template == template;
	}
	return n;
}

enum bind_by config_bind_by(const struct config *config, size_t uplink,
			    const struct range_config *range)
{
	size_t first = uplink;

	if (config->bind == BIND_DAEMON)
		return BIND_BY_KEY;
	if (ranges_of(config, range->template) > PLUMB_SEGMENTS_MAX)
		return BIND_BY_SEGMENTS;
	config_first_range(config, range->template, &first);
	if (config->uplinks[uplink].gateway != config->uplinks[first].gateway)
		return BIND_BY_GATEWAY;
	return BIND_BY_PROGRAM;
}

bool config_binds_in_kernel(const struct config *config, size_t uplink,
			    const struct range_config *range)
{
	return config_bind_by(config, uplink, range) == BIND_BY_PROGRAM;
}
