// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: config_parse() on any text. Whatever comes out must hold what config.h promises: a
 * whole configuration, or one line of error. Opens no file: no include function is known to the
 * grammar.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"
#include "config.h"
#include "skep/maps.h"

#define TEXT_MAX 16384
#define NAME "fuzz.conf:"

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_error(const char *error)
{
	size_t n = strnlen(error, CONFIG_ERROR_MAX);

	check(n < CONFIG_ERROR_MAX && n > strlen(NAME));
	check(!strncmp(error, NAME, strlen(NAME)));
	check(!strpbrk(error, "\r\n"));
	/* Only what was cut off may lack its advice. */
	check(n == CONFIG_ERROR_MAX - 1 || strchr(error, ';'));
}

static void check_range(const struct config *config, const struct range_config *range)
{
	check(range->line > 0 && range->template <config->n_templates && range->vlan < 4095);
	check(range->prefix.len >= 8 && range->prefix.len <= 32);
	check((range->prefix.addr & ~prefix_netmask(&range->prefix)) == 0);
	for (size_t i = 0; i < range->n_excludes; i++)
		check(prefix_contains(&range->prefix, range->excludes[i].addr) &&
		      prefix_contains(&range->prefix, prefix_broadcast(&range->excludes[i])));
}

static void check_uplink(const struct config *config, const struct uplink_config *uplink)
{
	check(uplink->n_ranges > 0 && uplink->line > 0);
	check(strnlen(uplink->name, IFNAMSIZ) < IFNAMSIZ && uplink->name[0]);
	for (size_t i = 0; i < uplink->n_ranges; i++)
		check_range(config, &uplink->ranges[i]);
}

static void check_config(const struct config *config)
{
	check(config->n_ouis > 0 && config->n_templates > 0);
	check(config->n_uplinks > 0 && config->n_uplinks <= SKEP_UPLINKS_MAX);
	check(config->warm > 0 && config->max >= config->warm);
	check(config->id_base >= 65536 && config->id_base + 65535 > config->id_base);
	check(config->state_dir[0] == '/' && config->run_dir[0] == '/' &&
	      config->bpf_dir[0] == '/');
	for (size_t i = 0; i < config->n_templates; i++)
		check(config->templates[i].rootfs[0] == '/' && config->templates[i].init[0] == '/');
	for (size_t i = 0; i < config->n_uplinks; i++)
		check_uplink(config, &config->uplinks[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL;
	cleanup_free char *text = NULL;
	int err;

	if (size > TEXT_MAX)
		return 0;
	text = strndup((const char *)data, size);
	if (!text)
		return 0;
	err = config_parse("fuzz.conf", text, &config, error);
	check(err == 0 || err == -EINVAL);
	check((err == 0) == (config != NULL));
	if (config)
		check_config(config);
	else
		check_error(error);
	config_free(config);
	return 0;
}
