// SPDX-License-Identifier: GPL-2.0
/*
 * One configuration in place of another: which ordinals its sections get, and whether it may come
 * at all; see config.h. Pure.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config.h"
#include "config_text.h"
#include "skep/maps.h"

#define NO_ORDINAL SIZE_MAX

/**
 * struct names - names by ordinal, "" for an ordinal not in use
 * @at:   the first
 * @size: bytes from one to the next; the last of them need not be NUL
 * @n:    how many
 */
struct names {
	const char *at;
	size_t size;
	size_t n;
};

static const char *name_of(const struct names *names, size_t ordinal)
{
	return names->at + ordinal * names->size;
}

static bool is_in_use(const struct names *names, size_t ordinal)
{
	return ordinal < names->n && name_of(names, ordinal)[0];
}

/* Ordinals that were given, up to the last in use; those behind @max cannot be. */
static size_t count_ordinals(const struct names *names, size_t max)
{
	size_t n = names->n < max ? names->n : max;

	while (n > 0 && !is_in_use(names, n - 1))
		n--;
	return n;
}

static size_t find_name(const struct names *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (is_in_use(names, i) && !strncmp(name_of(names, i), name, names->size))
			return i;
	}
	return NO_ORDINAL;
}

static size_t find_free(const struct names *names, const bool *taken, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		if (!taken[i] && !is_in_use(names, i))
			return i;
	}
	return NO_ORDINAL;
}

/**
 * assign() - ordinals for @n_wanted names, first for those that had one
 * @taken: @max entries, all false; true afterwards for the ordinals that have a wanted name
 * @ret:   ordinal of each wanted name
 *
 * Return: how many ordinals there are then, or -ENOSPC.
 */
static int assign(const struct names *names, const char *const *wanted, size_t n_wanted, size_t max,
		  bool *taken, size_t *ret)
{
	size_t n = count_ordinals(names, max);
	const size_t n_old = n;

	for (size_t i = 0; i < n_wanted; i++) {
		ret[i] = find_name(names, n_old, wanted[i]);
		if (ret[i] != NO_ORDINAL)
			taken[ret[i]] = true;
	}
	for (size_t i = 0; i < n_wanted; i++) {
		if (ret[i] != NO_ORDINAL)
			continue;
		ret[i] = find_free(names, taken, max);
		if (ret[i] == NO_ORDINAL)
			return -ENOSPC;
		taken[ret[i]] = true;
		n = ret[i] >= n ? ret[i] + 1 : n;
	}
	return (int)n;
}

/**
 * struct alignment - new arrays, which a configuration gets when all of them are ready
 * @template_of: new ordinal of each template
 */
struct alignment {
	struct uplink_config *uplinks;
	size_t n_uplinks;
	struct template_config *templates;
	size_t n_templates;
	size_t template_of[SKEP_TEMPLATES_MAX];
};

static int align_uplinks(const struct config *config, const struct names *names,
			 struct alignment *ret)
{
	const char *wanted[SKEP_UPLINKS_MAX];
	bool taken[SKEP_UPLINKS_MAX] = {};
	size_t ordinals[SKEP_UPLINKS_MAX];
	int n;

	if (config->n_uplinks > SKEP_UPLINKS_MAX)
		return -ENOSPC;
	for (size_t i = 0; i < config->n_uplinks; i++)
		wanted[i] = config->uplinks[i].name;
	n = assign(names, wanted, config->n_uplinks, SKEP_UPLINKS_MAX, taken, ordinals);
	if (n < 0)
		return n;
	ret->uplinks = calloc(n > 0 ? (size_t)n : 1, sizeof(*ret->uplinks));
	if (!ret->uplinks)
		return -ENOMEM;
	ret->n_uplinks = (size_t)n;
	for (size_t i = 0; i < config->n_uplinks; i++)
		ret->uplinks[ordinals[i]] = config->uplinks[i];
	return 0;
}

/* The name alone: containers that still live are shown with it. */
static int keep_gone(const struct names *names, const bool *taken, struct alignment *ret)
{
	for (size_t i = 0; i < ret->n_templates; i++) {
		if (taken[i])
			continue;
		ret->templates[i].gone = true;
		ret->templates[i].name =
			strndup(is_in_use(names, i) ? name_of(names, i) : "", names->size);
		if (!ret->templates[i].name)
			return -ENOMEM;
	}
	return 0;
}

static int align_templates(const struct config *config, const struct names *names,
			   struct alignment *ret)
{
	const char *wanted[SKEP_TEMPLATES_MAX];
	bool taken[SKEP_TEMPLATES_MAX] = {};
	int n;

	if (config->n_templates > SKEP_TEMPLATES_MAX)
		return -ENOSPC;
	for (size_t i = 0; i < config->n_templates; i++)
		wanted[i] = config->templates[i].name;
	n = assign(names, wanted, config->n_templates, SKEP_TEMPLATES_MAX, taken, ret->template_of);
	if (n < 0)
		return n;
	ret->templates = calloc(n > 0 ? (size_t)n : 1, sizeof(*ret->templates));
	if (!ret->templates)
		return -ENOMEM;
	ret->n_templates = (size_t)n;
	for (size_t i = 0; i < config->n_templates; i++)
		ret->templates[ret->template_of[i]] = config->templates[i];
	return keep_gone(names, taken, ret);
}

/* What was given up on: of templates only the names of those gone are its own. */
static void drop(struct alignment *alignment)
{
	for (size_t i = 0; i < alignment->n_templates; i++) {
		if (alignment->templates[i].gone)
			free(alignment->templates[i].name);
	}
	free(alignment->templates);
	free(alignment->uplinks);
}

static void adopt(struct config *config, const struct alignment *alignment)
{
	free(config->uplinks);
	free(config->templates);
	config->uplinks = alignment->uplinks;
	config->n_uplinks = alignment->n_uplinks;
	config->templates = alignment->templates;
	config->n_templates = alignment->n_templates;
	for (size_t u = 0; u < config->n_uplinks; u++) {
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++) {
			struct range_config *range = &config->uplinks[u].ranges[r];

			range->template = alignment->template_of[range->template];
		}
	}
}

int config_align(struct config *config, const char (*uplinks)[IFNAMSIZ], size_t n_uplinks,
		 const char (*templates)[64], size_t n_templates)
{
	const struct names uplink_names = {(const char *)uplinks, IFNAMSIZ, n_uplinks};
	const struct names template_names = {(const char *)templates, 64, n_templates};
	struct alignment alignment = {};
	int err = align_uplinks(config, &uplink_names, &alignment);

	if (!err)
		err = align_templates(config, &template_names, &alignment);
	if (err)
		drop(&alignment);
	else
		adopt(config, &alignment);
	return err;
}

#define ADVICE "; put it back, or stop skepd and start it again"

static bool check_text(const struct text_source *source, int line, const char *key, const char *old,
		       const char *new)
{
	if (!strcmp(old, new))
		return true;
	text_fail(source, line, "%s was \"%s\" and cannot change while skepd runs" ADVICE, key,
		  old);
	return false;
}

static bool check_id_base(const struct text_source *source, const struct config *old,
			  const struct config *new)
{
	if (old->id_base == new->id_base)
		return true;
	text_fail(source, 0, "id_base was %u and cannot change while skepd runs" ADVICE,
		  old->id_base);
	return false;
}

/* Which of them an address has depends on their order, too. */
static bool check_ouis(const struct text_source *source, const struct config *old,
		       const struct config *new)
{
	if (old->n_ouis == new->n_ouis &&
	    !memcmp(old->ouis, new->ouis, old->n_ouis * sizeof(*old->ouis)))
		return true;
	text_fail(source, 0,
		  "oui is another list than before and cannot change while skepd runs" ADVICE);
	return false;
}

static const struct uplink_config *find_uplink(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->n_uplinks; i++) {
		if (!strcmp(config->uplinks[i].name, name))
			return &config->uplinks[i];
	}
	return NULL;
}

static bool check_old_uplink(const struct text_source *source, const struct uplink_config *old,
			     const struct config *new)
{
	const struct uplink_config *uplink = find_uplink(new, old->name);

	if (uplink && uplink->xdp == old->xdp)
		return true;
	if (uplink)
		text_fail(source, uplink->line,
			  "xdp of uplink \"%s\" cannot change while skepd runs" ADVICE, old->name);
	else
		text_fail(source, 0,
			  "uplink \"%s\" is missing, and uplinks cannot change while skepd "
			  "runs" ADVICE,
			  old->name);
	return false;
}

static bool check_new_uplink(const struct text_source *source, const struct uplink_config *uplink,
			     const struct config *old)
{
	if (find_uplink(old, uplink->name))
		return true;
	text_fail(source, uplink->line,
		  "uplink \"%s\" is new, and uplinks cannot change while skepd runs; take it out, "
		  "or stop skepd and start it again",
		  uplink->name);
	return false;
}

static bool check_uplinks(const struct text_source *source, const struct config *old,
			  const struct config *new)
{
	bool ok = true;

	for (size_t i = 0; i < old->n_uplinks && ok; i++)
		ok = !old->uplinks[i].name[0] || check_old_uplink(source, &old->uplinks[i], new);
	for (size_t i = 0; i < new->n_uplinks &&ok; i++)
		ok = !new->uplinks[i].name[0] || check_new_uplink(source, &new->uplinks[i], old);
	return ok;
}

bool config_may_take_over(const struct config *old, const struct config *new, char *error)
{
	const struct text_source source = {.name = new->file, .error = error};

	return check_text(&source, new->state_dir_line, "state_dir", old->state_dir,
			  new->state_dir) &&
	       check_text(&source, new->run_dir_line, "run_dir", old->run_dir, new->run_dir) &&
	       check_text(&source, 0, "bpf_dir", old->bpf_dir, new->bpf_dir) &&
	       check_id_base(&source, old, new);
}

bool config_may_replace(const struct config *old, const struct config *new, char *error)
{
	const struct text_source source = {.name = new->file, .error = error};

	return config_may_take_over(old, new, error) &&
	       check_text(&source, 0, "group", old->group, new->group) &&
	       check_ouis(&source, old, new) && check_uplinks(&source, old, new);
}
