// SPDX-License-Identifier: GPL-2.0
/* The pool section of a configuration; see config_read.h. Never counts containers. */
#include <string.h>

#include "cleanup.h"
#include "config_read.h"
#include "config_value.h"
#include "skep/flow.h"
#include "skep/maps.h"

#define ADDRESSES_MAX 4096
#define BINDS_MAX 10000000
#define REFLECTIONS_MAX 4096
#define FLOWS_MIN 1024
#define FLOWS_MAX (1U << 23)
#define BITS_MIN 100000ULL
#define BITS_MAX 1000000000000ULL
#define DAY_S (24 * 60 * 60)
#define VERIFY_RATE_MAX 2000 /* probes a second */

static const struct value_bounds memory_bounds = {"memory", 5, 100, 80};

static int read_numbers(const struct text_source *source, cfg_t *pool, struct config *config)
{
	const struct value_number numbers[] = {
		{{"warm", 1, SKEP_CONTAINERS_MAX, 32}, &config->warm},
		{{"max", 1, SKEP_CONTAINERS_MAX, 256}, &config->max},
		{{"min_idle_warm", 0, SKEP_CONTAINERS_MAX, 0}, &config->min_idle_warm},
		{{"evict_after", 0, VALUE_YEAR_S, 60}, &config->evict_after},
		{{"addresses_per_container", 1, ADDRESSES_MAX, 16},
		 &config->addresses_per_container},
		{{"binds_per_second", 0, BINDS_MAX, 2000}, &config->binds_per_second},
		{{"binds_per_requester", 0, BINDS_MAX, 1000}, &config->binds_per_requester},
		{{"reflections_per_container", 0, REFLECTIONS_MAX, 8},
		 &config->reflections_per_container},
		{{"reflections_max", 0, SKEP_CONTAINERS_MAX, 64}, &config->reflections_max},
		{{"reflections_per_second", 1, BINDS_MAX, 100}, &config->reflections_per_second},
		{{"host_memory", 1, DAY_S, 2400}, &config->host_memory},
		{{"flows", FLOWS_MIN, FLOWS_MAX, SKEP_FLOWS_DEFAULT}, &config->flows},
		{{"egress_max_packets", 0, BINDS_MAX, 100000}, &config->egress_max_packets},
		{{"verify_rate", 1, VERIFY_RATE_MAX, 100}, &config->verify_rate},
	};

	return value_numbers(source, pool, numbers, ARRAY_SIZE(numbers));
}

static int read_bind(const struct text_source *source, cfg_t *pool, enum bind_mode *ret)
{
	static const char *const modes[] = {
		[BIND_KERNEL] = "kernel",
		[BIND_DAEMON] = "daemon",
	};
	unsigned int mode = BIND_KERNEL;
	int err = value_choice(source, pool, "bind", modes, ARRAY_SIZE(modes), &mode);

	*ret = (enum bind_mode)mode;
	return err;
}

static int read_when_exhausted(const struct text_source *source, cfg_t *pool,
			       enum when_exhausted *ret)
{
	static const char *const ways[] = {
		[EXHAUSTED_EVICT] = "evict",
		[EXHAUSTED_SILENT] = "silent",
		[EXHAUSTED_SHARE] = "share",
	};
	unsigned int way = EXHAUSTED_EVICT;
	int err = value_choice(source, pool, "when_exhausted", ways, ARRAY_SIZE(ways), &way);

	*ret = (enum when_exhausted)way;
	return err;
}

/* 0 is no limit; anything below a few large packets a second would be none that they fit in. */
static int read_egress_bits(const struct text_source *source, cfg_t *pool, __u64 *ret)
{
	const struct value_scale scale = {"egress_max_bits", 1000, 0, BITS_MAX, 1000000000};
	int err = value_scaled(source, pool, &scale, ret);

	if (err || !*ret || *ret >= BITS_MIN)
		return err;
	return text_fail(source, value_line(pool, "egress_max_bits"),
			 "egress_max_bits is less than %llu; raise it, or write 0 for no limit",
			 BITS_MIN);
}

int config_read_pool(const struct text_source *source, cfg_t *top, struct config *config)
{
	cfg_t *pool = text_section(top, "pool", 0), *second = text_section(top, "pool", 1);
	int err;

	if (second)
		return text_fail(source, text_line(second),
				 "pool is given twice, first in line %d; make one of both",
				 text_line(pool));
	if (pool)
		config->pool_line = text_line(pool);
	err = read_numbers(source, pool, config);
	if (!err)
		err = read_bind(source, pool, &config->bind);
	if (!err)
		err = read_when_exhausted(source, pool, &config->when_exhausted);
	if (!err)
		err = read_egress_bits(source, pool, &config->egress_max_bits);
	return err ? err : value_percent(source, pool, &memory_bounds, &config->farm_memory);
}

static int pool_line(cfg_t *pool)
{
	return value_line(pool, text_count(pool, "max") ? "max" : "warm");
}

int config_check_pool(const struct text_source *source, cfg_t *top, const struct config *config)
{
	cfg_t *pool = text_section(top, "pool", 0);
	const unsigned long long used = config_templates_used(config);
	const unsigned long long needed = used * config->warm;

	if (config->min_idle_warm > config->warm)
		return text_fail(source, value_line(pool, "min_idle_warm"),
				 "min_idle_warm %u is more than warm %u, which is all that are "
				 "kept idle; lower it or raise warm",
				 config->min_idle_warm, config->warm);
	if (config->max >= needed)
		return 0;
	return text_fail(
		source, pool_line(pool),
		"max %u leaves no room for warm %u of each of the templates in use (%llu); "
		"raise max to at least %llu or lower warm",
		config->max, config->warm, used, needed);
}
