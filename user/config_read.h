/* SPDX-License-Identifier: GPL-2.0 */
/* The sections of a configuration, each read by a file of its own; for config.c alone. */
#ifndef SKEP_USER_CONFIG_READ_H
#define SKEP_USER_CONFIG_READ_H

#include "config.h"
#include "config_text.h"

/*
 * Both fill @config as far as they get, so that config_free() is right at any time, and return 0,
 * or -EINVAL or -ENOMEM with @source->error written. Uplinks come after templates, whose names they
 * use.
 */
int config_read_pool(const struct text_source *source, cfg_t *top, struct config *config);
int config_read_templates(const struct text_source *source, cfg_t *top, struct config *config);
int config_read_uplinks(const struct text_source *source, cfg_t *top, struct config *config);

/*
 * Policies come before templates, and these before uplinks: each names the former. The first policy
 * is the one that holds where none is named.
 */
int config_read_policies(const struct text_source *source, cfg_t *top, struct config *config);

/** config_find_policy() - index of the policy that a section names, @fallback when it names none */
int config_find_policy(const struct text_source *source, cfg_t *section,
		       const struct config *config, size_t fallback, size_t *ret);

/** config_check_policies() - whether no rule sends anything into a range */
int config_check_policies(const struct text_source *source, const struct config *config);

/** config_check_pool() - whether the pool fits what the other sections ask of it; the last step. */
int config_check_pool(const struct text_source *source, cfg_t *top, const struct config *config);

/** config_find_template() - the template of a name, or NULL. */
struct template_config *config_find_template(const struct config *config, const char *name);

#endif
