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

#define CONFIG_DEFAULT_PATH "/etc/skep/skep.conf"
#define CONFIG_ERROR_MAX 512

enum xdp_mode { XDP_AUTO, XDP_NATIVE, XDP_GENERIC };

/**
 * struct template_config - template "NAME" { ... }
 * @name:      letters, digits, '-', '_', '.'
 * @rootfs:    absolute path of the root file system
 * @init:      absolute path of the first process inside
 * @memory:    limit of one container in bytes
 * @processes: limit of one container
 * @line:      where it stands in the file
 */
struct template_config {
	char *name;
	char *rootfs;
	char *init;
	__u64 memory;
	unsigned int processes;
	int line;
};

/**
 * struct range_config - range "PREFIX" { ... }
 * @prefix:       the addresses
 * @template:     index into config.templates
 * @vlan:         802.1Q id, 0 for untagged
 * @idle_timeout: seconds without a frame either way until release, 0 for never
 * @excludes:     prefixes inside @prefix that are never bound
 */
struct range_config {
	struct prefix prefix;
	size_t template;
	__u16 vlan;
	unsigned int idle_timeout;
	struct prefix *excludes;
	size_t n_excludes;
	int line;
};

/**
 * struct uplink_config - uplink "IFNAME" { ... }
 * @gateway: default gateway of the containers, network byte order; 0 when none is given
 */
struct uplink_config {
	char name[IFNAMSIZ];
	enum xdp_mode xdp;
	__be32 gateway;
	struct range_config *ranges;
	size_t n_ranges;
	int line;
};

/**
 * struct config - the whole file
 * @id_base: first of the 65536 host user and group ids that containers are mapped to
 * @group:   group of the control socket
 * @ouis:    vendor prefixes of the link addresses, at least one
 * @warm:    idle containers kept ready for each template that a range names
 * @max:     containers in all, of every state
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

/** config_template_used() - whether a range names the template; only such are kept warm. */
bool config_template_used(const struct config *config, size_t template);

/** config_range_of() - the range that covers an address, or NULL; exclusions are not looked at. */
const struct range_config *config_range_of(const struct config *config, size_t uplink, __u16 vlan,
					   __be32 addr);

#endif
