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
#define YEAR_S 31536000

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
	check(range->idle_timeout <= YEAR_S && range->max_lifetime <= YEAR_S);
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

static void check_listens(const struct template_config *template)
{
	check(template->n_listens <= CONFIG_LISTENS_MAX);
	for (size_t i = 0; i < template->n_listens; i++) {
		check(template->listens[i] > 0);
		for (size_t j = 0; j < i; j++)
			check(template->listens[i] != template->listens[j]);
	}
}

static void check_template(const struct template_config *template)
{
	check(template->rootfs[0] == '/' && template->init[0] == '/' && !template->gone);
	check(template->memory >= 4 << 20 && template->disk >= 1 << 20);
	check(template->memory + template->disk > template->memory);
	check(template->inodes >= 256 && template->files >= 64);
	check(template->processes > 0 && template->cpu <= 100000);
	check_listens(template);
}

static void check_pool(const struct config *config)
{
	check(config->warm > 0 && config->max >= config->warm);
	check(config->max <= SKEP_CONTAINERS_MAX && config->min_idle_warm <= config->warm);
	check(config->bind <= BIND_DAEMON);
	check(config->when_exhausted <= EXHAUSTED_SHARE && config->evict_after <= YEAR_S);
	check(config->addresses_per_container > 0 && config->addresses_per_container <= 4096);
	check(config->binds_per_second <= 10000000 && config->binds_per_requester <= 10000000);
	check(config->reflections_per_container <= 4096 && config->reflections_per_second > 0);
	check(config->reflections_max <= SKEP_CONTAINERS_MAX);
	check(config->farm_memory >= 5 && config->farm_memory <= 100);
	check(config->verify_rate > 0 && config->verify_rate <= 2000);
}

static size_t count_ranges_of(const struct config *config, const char *template)
{
	size_t n = 0;

	for (size_t u = 0; u < config->n_uplinks; u++) {
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			n += !strcmp(config->templates[config->uplinks[u].ranges[r].template].name,
				     template);
	}
	return n;
}

/* Names that the corpus uses, in places where no file has them first. */
static const char uplinks[][IFNAMSIZ] = {"eth1", "", "vanished", "eth0"};
static const char templates[][64] = {"vanished", "debian", "", "basic"};

/* Whatever the ordinals become, ranges keep their templates, and a configuration replaces itself.
 */
static void check_alignment(struct config *config, const struct config *same)
{
	const size_t before = count_ranges_of(config, config->templates[0].name);
	cleanup_free char *first = strdup(config->templates[0].name);
	char error[CONFIG_ERROR_MAX];
	int err = config_align(config, uplinks, ARRAY_SIZE(uplinks), templates,
			       ARRAY_SIZE(templates));

	check(first && (err == 0 || err == -ENOSPC));
	check(count_ranges_of(config, first) == before);
	check(config_may_replace(same, config, error) && config_may_replace(config, same, error));
	if (err)
		return;
	check(config->n_uplinks >= ARRAY_SIZE(uplinks) && config->n_uplinks <= SKEP_UPLINKS_MAX);
	check(config->n_templates >= ARRAY_SIZE(templates) &&
	      config->n_templates <= SKEP_TEMPLATES_MAX);
	check(config->templates[0].gone == !config->templates[0].rootfs);
}

static void check_config(const struct config *config)
{
	check(config->n_ouis > 0 && config->n_templates > 0);
	check(config->n_templates <= SKEP_TEMPLATES_MAX);
	check(config->n_uplinks > 0 && config->n_uplinks <= SKEP_UPLINKS_MAX);
	check_pool(config);
	check(config->id_base >= 65536 && config->id_base + 65535 > config->id_base);
	check(config->state_dir[0] == '/' && config->run_dir[0] == '/' &&
	      config->bpf_dir[0] == '/');
	for (size_t i = 0; i < config->n_templates; i++)
		check_template(&config->templates[i]);
	for (size_t i = 0; i < config->n_uplinks; i++)
		check_uplink(config, &config->uplinks[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct config *config = NULL, *again = NULL;
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
	if (config) {
		check_config(config);
		check(config_parse("fuzz.conf", text, &again, error) == 0);
		check_alignment(config, again);
	} else {
		check_error(error);
	}
	config_free(config);
	config_free(again);
	return 0;
}
