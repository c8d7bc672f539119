/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The configuration: what the file says, checked as far as the file alone allows. config.c reads
 * text and touches nothing else; check.c compares the result with the machine it is to run on.
 */
#ifndef SKEP_USER_CONFIG_H
#define SKEP_USER_CONFIG_H

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "prefix.h"
#include "skep/policy.h"

#define CONFIG_DEFAULT_PATH "/etc/skep/skep.conf"
#define CONFIG_ERROR_MAX 512

#define CONFIG_LISTENS_MAX 16
#define CONFIG_IDS 65536U /* user and group ids of one container */

enum xdp_mode { XDP_AUTO, XDP_NATIVE, XDP_GENERIC };

/* What becomes of a first contact when no container is idle. */
enum when_exhausted { EXHAUSTED_EVICT, EXHAUSTED_SILENT, EXHAUSTED_SHARE };

/* Who gives an address to a container: the uplink program, as long as it can, or always skepd. */
enum bind_mode { BIND_KERNEL, BIND_DAEMON };

#define CONFIG_POLICY_DEFAULT "default"

/**
 * struct policy_config - policy "NAME" { ... }
 * @rules: as the port program reads them; without a serial
 */
struct policy_config {
	struct skep_policy rules;
	int line;
};

/**
 * struct template_config - template "NAME" { ... }
 * @name:      letters, digits, '-', '_', '.'
 * @rootfs:    absolute path of the root file system
 * @init:      absolute path of the first process inside
 * @memory:    limit of one container in bytes, without its writable layer
 * @disk:      size of one container's writable layer in bytes
 * @inodes:    files and directories that one writable layer may have
 * @processes: limit of one container
 * @files:     descriptors that one process may have open
 * @cpu:       limit of one container in percent of one core, 0 for none of its own
 * @sysfs:     /sys is there, read-only
 * @listens:   TCP ports (host order) that must be listened at inside before a container counts as
 *             warm
 * @policy:    what the containers may send, index into config.policies
 * @no_new_privs: nothing that is executed inside gets more privileges by set-user-ID or file
 *             capabilities
 * @line:      where it stands in the file
 *
 * A template that was taken out by a new configuration, but whose containers still live, stays in
 * its place with @gone set.
 */
struct template_config {
	char *name;
	char *rootfs;
	char *init;
	__u64 memory;
	__u64 disk;
	unsigned int inodes;
	unsigned int processes;
	unsigned int files;
	unsigned int cpu;
	bool sysfs;
	__u16 listens[CONFIG_LISTENS_MAX];
	size_t n_listens;
	size_t policy;
	bool no_new_privs;
	int line;
	bool gone;
};

/**
 * struct range_config - range "PREFIX" { ... }
 * @prefix:       the addresses
 * @template:     index into config.templates
 * @policy:       index into config.policies: its own, or else that of the template
 * @vlan:         802.1Q id, 0 for untagged
 * @idle_timeout: seconds without a frame either way until release, 0 for never
 * @max_lifetime: seconds from bind to release, whatever happens meanwhile, 0 for no limit
 * @density:      percent of the addresses that ever live
 * @answer_after: seconds after which a requester has to ask again, 0 for none
 * @verify:       an address is bound only when nobody answered @verify_quiet probes
 * @excludes:     prefixes inside @prefix that are never bound
 */
struct range_config {
	struct prefix prefix;
	size_t template;
	size_t policy;
	__u16 vlan;
	unsigned int idle_timeout;
	unsigned int max_lifetime;
	unsigned int density;
	unsigned int answer_after;
	bool verify;
	unsigned int verify_quiet;
	struct prefix *excludes;
	size_t n_excludes;
	int line;
};

/**
 * struct uplink_config - uplink "IFNAME" { ... }
 * @gateway: default gateway of the containers, network byte order; 0 when none is given
 * @network: that of the segment; nobody from elsewhere asks who-has on it; 0.0.0.0/0 when none is
 *           given
 */
struct uplink_config {
	char name[IFNAMSIZ];
	enum xdp_mode xdp;
	__be32 gateway;
	struct prefix network;
	struct range_config *ranges;
	size_t n_ranges;
	int line;
};

/**
 * struct config - the whole file
 * @id_base: first host user and group id of the container in slot 0; each has CONFIG_IDS of its own
 * @group:   group of the control socket
 * @ouis:    vendor prefixes of the link addresses, at least one
 * @warm:    idle containers kept ready for each template that a range names
 * @max:     containers in all, of every state
 * @min_idle_warm:          fewer idle containers of a template, with all @max in use, and leases
 * are evicted beforehand; 0 for never
 * @bind:                   who binds
 * @when_exhausted:         for a first contact that finds no idle container
 * @evict_after:            seconds a lease must have been idle before it may be evicted
 * @addresses_per_container: that a container may get by sharing
 * @binds_per_second:       budget of the farm, 0 for no limit
 * @binds_per_requester:    a second, of each requester, 0 for no limit
 * @reflections_per_container: containers that one intruder may meet at a time, 0 for none
 * @reflections_max:        the same for all intruders together
 * @reflections_per_second: how often all intruders together may ask for another one
 * @farm_memory:            limit of all containers together, in percent of the machine's memory
 * @host_memory:            seconds that an address is a host's after its last sign of life
 * @flows:                  that are remembered; as it was when the maps were made
 * @egress_max_packets:     that the farm sends a second, 0 for no limit
 * @egress_max_bits:        likewise
 * @policies:               the first holds where none is named
 * @verify_rate:            probes that are sent a second, at most
 *
 * The lines are those in the file, 0 for what is not given there.
 */
struct config {
	char *file;
	char *state_dir;
	char *run_dir;
	char *bpf_dir;
	char *group;
	__u32 id_base;
	unsigned int warm;
	unsigned int max;
	unsigned int min_idle_warm;
	enum bind_mode bind;
	enum when_exhausted when_exhausted;
	unsigned int evict_after;
	unsigned int addresses_per_container;
	unsigned int binds_per_second;
	unsigned int binds_per_requester;
	unsigned int reflections_per_container;
	unsigned int reflections_max;
	unsigned int reflections_per_second;
	unsigned int farm_memory;
	unsigned int host_memory;
	unsigned int verify_rate;
	unsigned int flows;
	unsigned int egress_max_packets;
	__u64 egress_max_bits;
	struct policy_config *policies;
	size_t n_policies;
	__u8 (*ouis)[3];
	size_t n_ouis;
	struct template_config *templates;
	size_t n_templates;
	struct uplink_config *uplinks;
	size_t n_uplinks;
	int pool_line;
	int state_dir_line;
	int run_dir_line;
};

/**
 * config_load() - reads a configuration file
 * @path:  of the file
 * @ret:   set on success; the caller frees it with config_free()
 * @error: CONFIG_ERROR_MAX bytes; on failure one line "FILE:LINE: what is wrong; what to do"
 *
 * Return: 0, -EINVAL when the text is wrong, or the errno of opening the file, or -ENOMEM.
 */
int config_load(const char *path, struct config **ret, char *error);

/** config_parse() - the same from text in memory; @name stands for the file in errors. */
int config_parse(const char *name, const char *text, struct config **ret, char *error);

/** config_free() - accepts NULL, returns NULL. */
struct config *config_free(struct config *config);

/**
 * config_align() - gives uplinks and templates the ordinals that earlier ones of the same name had
 * @uplinks:     names by ordinal, "" for an ordinal not in use
 * @templates:   likewise
 *
 * Ordinals are indices into @config->uplinks and @config->templates, and stand in the pinned maps.
 * A name that is not in @config any more leaves a hole: an uplink without name and ranges, a
 * template that is @gone. New names take free ordinals.
 *
 * Return: 0; -ENOSPC when more uplinks or templates would be needed than there are ordinals;
 * -ENOMEM.
 */
int config_align(struct config *config, const char (*uplinks)[IFNAMSIZ], size_t n_uplinks,
		 const char (*templates)[64], size_t n_templates);

/**
 * config_may_replace() - whether a running skepd can go over from @old to @new
 * @error: CONFIG_ERROR_MAX bytes; on failure the key that must not change, and what to do
 *
 * Directories, group, id_base, oui and the set of uplinks (name, xdp) must be the same; everything
 * else may change.
 */
bool config_may_replace(const struct config *old, const struct config *new, char *error);

/**
 * config_may_take_over() - whether a skepd started with @new would find the farm of @old, and could
 * take it over: the directories and id_base are the same
 * @error: as for config_may_replace()
 */
bool config_may_take_over(const struct config *old, const struct config *new, char *error);

/** config_first_id() - the host's id that is 0 in the container of this slot */
__u32 config_first_id(const struct config *config, __u32 slot);

/** config_slots() - how many slots have ids of their own below 2^32 - 1 */
unsigned int config_slots(const struct config *config);

/** config_verdict_word() - of enum skep_rule_verdict, as in the file and in every output */
const char *config_verdict_word(unsigned int verdict);

/** config_template_used() - whether a range names the template; only such are kept warm. */
bool config_template_used(const struct config *config, size_t template);

/**
 * config_first_range() - the range of a template that comes first in the file
 * @ret_uplink: the ordinal of its uplink; left alone when there is none
 *
 * An idle container has the default route of this one's uplink. Return: NULL when no range names
 * the template.
 */
const struct range_config *config_first_range(const struct config *config, size_t template,
					      size_t *ret_uplink);

/** config_templates_used() - how many there are */
unsigned int config_templates_used(const struct config *config);

/** config_range_of() - the range that covers an address, or NULL; exclusions are not looked at. */
const struct range_config *config_range_of(const struct config *config, size_t uplink, __u16 vlan,
					   __be32 addr);

/**
 * enum bind_by - who binds the addresses of a range, and why
 * @BIND_BY_PROGRAM:  the uplink program, as long as containers of the template are idle
 * @BIND_BY_KEY:      skepd: the configuration says so
 * @BIND_BY_GATEWAY:  skepd: the uplink has another gateway than that of config_first_range(), and
 *                    an idle container has one default route
 * @BIND_BY_SEGMENTS: skepd: the template has more than PLUMB_SEGMENTS_MAX ranges
 */
enum bind_by { BIND_BY_PROGRAM, BIND_BY_KEY, BIND_BY_GATEWAY, BIND_BY_SEGMENTS };

/** config_bind_by() - of a range of the uplink with this ordinal */
enum bind_by config_bind_by(const struct config *config, size_t uplink,
			    const struct range_config *range);

/** config_binds_in_kernel() - whether that is BIND_BY_PROGRAM */
bool config_binds_in_kernel(const struct config *config, size_t uplink,
			    const struct range_config *range);

#endif
