// SPDX-License-Identifier: GPL-2.0
/*
 * Changing a running farm: a new configuration, or other targets for the pool. Whatever can fail is
 * done before anything changes; a lease that is still covered is not touched.
 */
#include <errno.h>
#include <string.h>

#include "farm.h"
#include "reload.h"

static bool has_containers(const struct farm *farm, __u32 template)
{
	for (__u32 slot = 0; slot < farm->slots_end; slot++)
		if (pool_state(farm->pool, slot) != SKEP_STATE_NONE &&
		    pool_template(farm->pool, slot) == template)
			return true;
	return false;
}

void change_names(struct farm *farm)
{
	const struct config *config = farm->config;

	for (__u32 i = 0; i < SKEP_TEMPLATES_MAX; i++) {
		const bool lives = i < config->n_templates &&
				   (!config->templates[i].gone || has_containers(farm, i));

		datapath_name_template(farm->dp, i, lives ? config->templates[i].name : "");
	}
}

void change_targets(struct farm *farm, unsigned int warm, unsigned int max)
{
	const struct config *config = farm->config;

	if (datapath_is_dry_run(farm->dp))
		warm = 0;
	farm->warm_target = warm;
	farm->max = max;
	pool_set_max(farm->pool, max);
	for (__u32 i = 0; i < SKEP_TEMPLATES_MAX; i++)
		pool_set_warm(farm->pool, i,
			      i < config->n_templates && config_template_used(config, i) ? warm
											 : 0);
	refill_trim(farm);
	farm_wake_refill(farm, 0);
	farm_tell_state(farm);
}

int change_groups(struct farm *farm)
{
	const struct config *config = farm->config;
	size_t n = 0;
	int err;

	for (size_t u = 0; u < config->n_uplinks; u++)
		n += config->uplinks[u].n_ranges;
	err = pool_set_groups(farm->pool, (unsigned int)n, config->addresses_per_container);
	for (__u32 slot = 0; !err && slot < farm->slots_end; slot++) {
		const struct warm *warm = &farm->warm[slot];

		for (unsigned int i = 0; i < warm->n_addresses; i++)
			pool_add_lease(farm->pool, slot, bind_group(config, &warm->addresses[i]));
	}
	return err;
}

static int refuse(char *ret, int err, const char *why)
{
	snprintf(ret, RESULT_TEXT_LEN, "%s", why);
	return err;
}

/* From here on everything goes by the new configuration; leases that it does not cover end first.
 */
static int go_over(struct farm *farm, struct config *new, char *ret)
{
	struct config *old = farm->config;
	int err;

	settle_all(farm); /* with what they were given away by */
	farm->config = new;
	datapath_reconfigure(farm->dp, new);
	offer_configure(farm);
	datapath_set_policies(farm->dp); /* else what there was holds */
	err = datapath_set_ranges(farm->dp);
	if (err) { /* the kernel had no memory; what was there is put back as far as it goes */
		farm->config = old;
		datapath_reconfigure(farm->dp, old);
		offer_configure(farm);
		datapath_set_policies(farm->dp);
		datapath_set_ranges(farm->dp);
		offer_all_idle(farm);
		config_free(new);
		return refuse(ret, err, "the kernel refused the new ranges");
	}
	datapath_set_budgets(farm->dp);
	bind_release_uncovered(farm);
	config_free(old);
	return 0;
}

int change_config(struct farm *farm, int fd, char *ret)
{
	struct config *new;
	int err;

	if (datapath_is_panicked(farm->dp))
		return refuse(ret, -EBUSY, COMMANDS_IN_PANIC);
	err = reload_read(fd, farm->config, &new);
	if (err)
		return refuse(ret, err, "the new configuration could not be read again");
	if (!datapath_ranges_fit(farm->dp, new)) {
		config_free(new);
		return refuse(ret, -ENOSPC, "too many ranges and exclusions");
	}
	err = go_over(farm, new, ret);
	if (!err)
		err = change_groups(farm);
	if (err)
		return err;
	offer_all_idle(farm);
	change_names(farm);
	keepers_configure(farm->keepers, fd, farm->config);
	sweeper_configure(farm->sweeper, fd);
	for (__u32 i = 0; i < farm->config->n_templates; i++)
		pool_switch_on(farm->pool, i);
	change_targets(farm, farm->config->warm, farm->config->max);
	return 0;
}
