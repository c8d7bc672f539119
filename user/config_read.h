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

/** config_check_pool() - whether the pool fits what the other sections ask of it; the last step. */
int config_check_pool(const struct text_source *source, cfg_t *top, const struct config *config);

/** config_find_template() - the template of a name, or NULL. */
struct template_config *config_find_template(const struct config *config, const char *name);

#endif
