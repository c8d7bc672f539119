// SPDX-License-Identifier: GPL-2.0
/* Uplink and range sections of a configuration; see config_read.h. Never asks for an interface. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "config_read.h"
#include "config_value.h"
#include "skep/maps.h"
#include "world.h"

#define RANGE_LEN_MIN 8
#define VLAN_MAX 4094
#define ANSWER_AFTER_MAX 30 /* the second question comes within a minute of the first */
#define QUIET_MAX 16

static const struct value_bounds density_bounds = {"density", 1, 100, 100};

/* What a frame can be addressed to on a segment is none of these: RFC 1122, 3.2.1.3. */
static bool is_unicast(__be32 addr)
{
	unsigned int first = ntohl(addr) >> 24;

	return first > 0 && first < 224 && first != 127;
}

static int read_range_prefix(const struct text_source *source, int line, const char *title,
			     struct prefix *prefix)
{
	int err = value_prefix(source, line, "range", title, prefix);

	if (err < 0)
		return err;
	if (prefix->len < RANGE_LEN_MIN)
		return text_fail(source, line,
				 "range \"%s\" is too large; give a prefix of /%d or longer", title,
				 RANGE_LEN_MIN);
	if (!is_unicast(prefix->addr))
		return text_fail(source, line,
				 "range \"%s\" holds no unicast addresses; give one that the "
				 "router sends to this segment",
				 title);
	return 0;
}

static int read_range_template(const struct text_source *source, cfg_t *section,
			       const struct config *config, struct range_config *range)
{
	const char *name = value_text(section, "template", NULL);
	const struct template_config *template;

	if (!name)
		return text_fail(source, range->line,
				 "range \"%s\" has no template; add template = \"%s\"",
				 cfg_title(section), config->templates[0].name);
	template = config_find_template(config, name);
	if (!template)
		return text_fail(source, value_line(section, "template"),
				 "unknown template \"%s\"; define it or name another, like \"%s\"",
				 name, config->templates[0].name);
	range->template = (size_t)(template - config->templates);
	return 0;
}

static int read_exclude(const struct text_source *source, const struct text_value *value,
			struct range_config *range)
{
	struct prefix *exclude = &range->excludes[range->n_excludes++];
	char within[PREFIX_STRLEN];
	int err = value_prefix(source, value->line, "exclude", value->text, exclude);

	if (err < 0)
		return err;
	if (exclude->len < range->prefix.len || !prefix_contains(&range->prefix, exclude->addr))
		return text_fail(source, value->line,
				 "exclude \"%s\" is not inside range %s; correct or remove it",
				 value->text, prefix_format(&range->prefix, within));
	return 0;
}

static int read_excludes(const struct text_source *source, cfg_t *section,
			 struct range_config *range)
{
	size_t n = text_count(section, "exclude");
	int err = 0;

	range->excludes = n ? calloc(n, sizeof(*range->excludes)) : NULL;
	if (n && !range->excludes)
		return value_no_memory(source);
	for (size_t i = 0; i < n && !err; i++)
		err = read_exclude(source, text_value(section, "exclude", i), range);
	return err;
}

static int read_verify(const struct text_source *source, cfg_t *section, bool *ret)
{
	static const char *const ways[] = {"on", "off"};
	unsigned int way = 0;
	int err = value_choice(source, section, "verify", ways, ARRAY_SIZE(ways), &way);

	*ret = !way;
	return err;
}

static int read_range_keys(const struct text_source *source, cfg_t *section,
			   const struct config *config, struct range_config *range)
{
	unsigned int vlan = 0;
	const struct value_number numbers[] = {
		{{"vlan", 0, VLAN_MAX, 0}, &vlan},
		{{"idle_timeout", 0, VALUE_YEAR_S, 600}, &range->idle_timeout},
		{{"max_lifetime", 0, VALUE_YEAR_S, 0}, &range->max_lifetime},
		{{"answer_after", 0, ANSWER_AFTER_MAX, 0}, &range->answer_after},
		{{"verify_quiet", 1, QUIET_MAX, 2}, &range->verify_quiet},
	};
	int err = read_range_prefix(source, range->line, cfg_title(section), &range->prefix);

	if (!err)
		err = read_range_template(source, section, config, range);
	if (!err)
		err = config_find_policy(source, section, config,
					 config->templates[range->template].policy, &range->policy);
	if (!err)
		err = value_numbers(source, section, numbers, ARRAY_SIZE(numbers));
	if (!err)
		err = value_percent(source, section, &density_bounds, &range->density);
	if (!err)
		err = read_verify(source, section, &range->verify);
	range->vlan = (__u16)vlan;
	return err ? err : read_excludes(source, section, range);
}

/* Two ranges may share addresses on different VLANs: those are different segments. */
static int check_overlap(const struct text_source *source, const struct uplink_config *uplink,
			 const struct range_config *range)
{
	char mine[PREFIX_STRLEN], theirs[PREFIX_STRLEN];

	for (const struct range_config *other = uplink->ranges; other < range; other++) {
		if (other->vlan != range->vlan || !prefix_overlaps(&other->prefix, &range->prefix))
			continue;
		return text_fail(source, range->line,
				 "range %s overlaps range %s of line %d on the same uplink and "
				 "VLAN; shorten or remove one of them",
				 prefix_format(&range->prefix, mine),
				 prefix_format(&other->prefix, theirs), other->line);
	}
	return 0;
}

static int read_range(const struct text_source *source, cfg_t *section, const struct config *config,
		      struct uplink_config *uplink)
{
	struct range_config *range = &uplink->ranges[uplink->n_ranges++];
	int err;

	range->line = text_line(section);
	err = read_range_keys(source, section, config, range);
	return err ? err : check_overlap(source, uplink, range);
}

static int read_ranges(const struct text_source *source, cfg_t *section,
		       const struct config *config, struct uplink_config *uplink)
{
	size_t n = text_sections(section, "range");
	int err = 0;

	if (!n)
		return text_fail(source, uplink->line,
				 "uplink \"%s\" has no range; add range \"PREFIX\" { template = "
				 "\"%s\" }",
				 uplink->name, config->templates[0].name);
	uplink->ranges = calloc(n, sizeof(*uplink->ranges));
	if (!uplink->ranges)
		return value_no_memory(source);
	for (size_t i = 0; i < n && !err; i++)
		err = read_range(source, text_section(section, "range", i), config, uplink);
	return err;
}

/* The rules of dev_valid_name() in the kernel's net/core/dev.c. */
static bool is_interface_name(const char *name)
{
	if (!name[0] || !strcmp(name, ".") || !strcmp(name, ".."))
		return false;
	for (; *name; name++) {
		if (*name == '/' || *name == ':' || isspace((unsigned char)*name))
			return false;
	}
	return true;
}

static int read_uplink_name(const struct text_source *source, const char *name,
			    struct uplink_config *uplink)
{
	if (strlen(name) >= sizeof(uplink->name))
		return text_fail(source, uplink->line,
				 "uplink \"%s\" is longer than %zu characters; 'ip link' lists the "
				 "interfaces of this machine",
				 name, sizeof(uplink->name) - 1);
	if (!is_interface_name(name))
		return text_fail(source, uplink->line,
				 "uplink \"%s\" cannot be an interface; 'ip link' lists those of "
				 "this machine",
				 name);
	if (!strcmp(name, WORLD_NAME))
		return text_fail(source, uplink->line,
				 "uplink \"%s\" would be taken for a world of reflections; rename "
				 "the interface",
				 name);
	memcpy(uplink->name, name, strlen(name) + 1);
	return 0;
}

static int read_xdp(const struct text_source *source, cfg_t *section, enum xdp_mode *ret)
{
	static const char *const modes[] = {
		[XDP_AUTO] = "auto",
		[XDP_NATIVE] = "native",
		[XDP_GENERIC] = "generic",
	};
	unsigned int mode = XDP_AUTO;
	int err = value_choice(source, section, "xdp", modes, ARRAY_SIZE(modes), &mode);

	*ret = (enum xdp_mode)mode;
	return err;
}

static int read_gateway(const struct text_source *source, cfg_t *section, __be32 *ret)
{
	const char *text = value_text(section, "gateway", "");
	struct in_addr addr;

	if (!text[0])
		return 0;
	if (inet_pton(AF_INET, text, &addr) != 1 || !is_unicast(addr.s_addr))
		return text_fail(source, value_line(section, "gateway"),
				 "gateway \"%s\" is not a unicast address; write one like "
				 "10.66.0.1",
				 text);
	*ret = addr.s_addr;
	return 0;
}

static int read_network(const struct text_source *source, cfg_t *section,
			struct uplink_config *uplink)
{
	const char *text = value_text(section, "network", "");
	int line = value_line(section, "network");
	int err = text[0] ? value_prefix(source, line, "network", text, &uplink->network) : 0;

	if (err || !text[0])
		return err;
	if (uplink->network.len < RANGE_LEN_MIN || !is_unicast(uplink->network.addr))
		return text_fail(source, line,
				 "network \"%s\" is no segment's; write that of the addresses on "
				 "this wire, like 10.66.0.0/16",
				 text);
	if (uplink->gateway && !prefix_contains(&uplink->network, uplink->gateway))
		return text_fail(source, line,
				 "network \"%s\" does not hold the gateway; correct one of them",
				 text);
	return 0;
}

static int check_uplink_is_new(const struct text_source *source, const struct config *config,
			       const struct uplink_config *uplink)
{
	for (const struct uplink_config *other = config->uplinks; other < uplink; other++) {
		if (!strcmp(other->name, uplink->name))
			return text_fail(source, uplink->line,
					 "uplink \"%s\" is already defined in line %d; put all its "
					 "ranges there",
					 uplink->name, other->line);
	}
	return 0;
}

static int read_uplink(const struct text_source *source, cfg_t *section, struct config *config)
{
	struct uplink_config *uplink = &config->uplinks[config->n_uplinks++];
	int err;

	uplink->line = text_line(section);
	err = read_uplink_name(source, cfg_title(section), uplink);
	if (!err)
		err = check_uplink_is_new(source, config, uplink);
	if (!err)
		err = read_xdp(source, section, &uplink->xdp);
	if (!err)
		err = read_gateway(source, section, &uplink->gateway);
	if (!err)
		err = read_network(source, section, uplink);
	return err ? err : read_ranges(source, section, config, uplink);
}

/* There is a slot for each address that is verified; see SKEP_VERIFY_MAX. */
static int check_verified(const struct text_source *source, const struct config *config)
{
	__u64 n = 0;

	for (size_t u = 0; u < config->n_uplinks; u++) {
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++) {
			const struct range_config *range = &config->uplinks[u].ranges[r];

			n += range->verify ? 1ULL << (32 - range->prefix.len) : 0;
			if (n > SKEP_VERIFY_MAX)
				return text_fail(source, range->line,
						 "more than %u addresses are to be verified up to "
						 "here; set verify = \"off\" where nobody else can "
						 "be, or shorten a range",
						 SKEP_VERIFY_MAX);
		}
	}
	return 0;
}

int config_read_uplinks(const struct text_source *source, cfg_t *top, struct config *config)
{
	size_t n = text_sections(top, "uplink");
	int err = 0;

	if (!n)
		return text_fail(source, 1,
				 "no uplink is defined; add uplink \"IFNAME\" { range \"PREFIX\" { "
				 "... } }");
	if (n > SKEP_UPLINKS_MAX)
		return text_fail(source, text_line(text_section(top, "uplink", SKEP_UPLINKS_MAX)),
				 "more than %d uplinks; remove some", SKEP_UPLINKS_MAX);
	config->uplinks = calloc(n, sizeof(*config->uplinks));
	if (!config->uplinks)
		return value_no_memory(source);
	for (size_t i = 0; i < n && !err; i++)
		err = read_uplink(source, text_section(top, "uplink", i), config);
	return err ? err : check_verified(source, config);
}
