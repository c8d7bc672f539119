/* SPDX-License-Identifier: GPL-2.0 */
/* Names of what the container driver makes: under run_dir, and in the cgroup hierarchies. */
#ifndef SKEP_USER_FARM_PATHS_H
#define SKEP_USER_FARM_PATHS_H

#include "config.h"

#define FARM_PATH_LEN 512
#define LXC_LOCKS "/run/lxc/lock" /* where liblxc has its own */

/** farm_path() - snprintf() to @buf of FARM_PATH_LEN bytes; returns @buf */
const char *farm_path(char *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** farm_tag() - tells the farms of one machine apart; 0 for the one with the default state_dir */
__u32 farm_tag(const struct config *config);

/** farm_cgroup() - the cgroup that all containers are in, relative to the hierarchies' roots */
const char *farm_cgroup(const struct config *config, char *buf);

/** farm_template_dir() - where a template is mounted with mapped owners */
const char *farm_template_dir(const struct config *config, size_t template, char *buf);

/** farm_stage_dir() - where a keeper puts together a container's root; see stage.h */
const char *farm_stage_dir(const struct config *config, char *buf);

/** farm_lxc_dir() - what liblxc takes for the place of its containers; nothing is ever in it */
const char *farm_lxc_dir(const struct config *config, char *buf);

/** farm_seccomp_file() - the profile in liblxc's format */
const char *farm_seccomp_file(const struct config *config, char *buf);

#endif
