// SPDX-License-Identifier: GPL-2.0
/*
 * The configuration against the machine; see check.h. Looks and never changes: what is missing is
 * for the operator or for skepd to make.
 */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <libgen.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "check_limits.h"
#include "cleanup.h"
#include "config_text.h"
#include "log.h"
#include "plumb.h"

#define OPEN_TRIES 64
#define ENV_PATH "/usr/bin/env" /* what skepd starts init with, to clean its environment */

static int check_uplink(const struct text_source *source, const struct uplink_config *uplink)
{
	if (!uplink->name[0] || if_nametoindex(uplink->name))
		return 0;
	text_fail(source, uplink->line,
		  "uplink \"%s\": no such interface; 'ip link' lists those of this machine",
		  uplink->name);
	return -ENODEV;
}

/* Links are followed as the container will follow them: an absolute one stays inside @root. */
static int open_inside(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	/* It gives up when anything on the machine is mounted or renamed just then. */
	for (int tries = OPEN_TRIES; fd < 0 && tries; tries--) {
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
		if (fd < 0 && errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

/* Whoever runs it in the container is another user than us: any execute bit will do. */
static int find_program(int root, const char *path)
{
	cleanup_close int fd = open_inside(root, path);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) && (st.st_mode & 0111) ? 0 : -ENOEXEC;
}

static int check_init(const struct text_source *source, const struct template_config *t, int root)
{
	int err = find_program(root, t->init);

	if (err == -ENOEXEC)
		text_fail(source, t->line,
			  "template \"%s\": %s in %s is not an executable file; make it one or "
			  "set init",
			  t->name, t->init, t->rootfs);
	else if (err < 0)
		text_fail(source, t->line,
			  "template \"%s\": no %s in %s: %s; put it there or set init", t->name,
			  t->init, t->rootfs, strerror(-err));
	return err;
}

static int check_env(const struct text_source *source, const struct template_config *t, int root)
{
	int err = find_program(root, ENV_PATH);

	if (err < 0)
		text_fail(source, t->line,
			  "template \"%s\": no executable %s in %s; put one there, skepd starts "
			  "init with it",
			  t->name, ENV_PATH, t->rootfs);
	return err;
}

static int check_template(const struct text_source *source, const struct template_config *t)
{
	cleanup_close int root = open(t->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (root < 0) {
		err = -errno;
		text_fail(source, t->line,
			  "template \"%s\": no root file system at %s: %s; run 'skepctl template "
			  "build %s'",
			  t->name, t->rootfs, strerror(-err), t->name);
		return err;
	}
	err = check_init(source, t, root);
	return err ? err : check_env(source, t, root);
}

/* The nearest ancestor that exists decides: the rest can be made inside it. */
static int find_ancestor(char *path)
{
	struct stat st;

	while (stat(path, &st) < 0) {
		if (errno != ENOENT || !strcmp(path, "/"))
			return -errno;
		dirname(path);
	}
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

static int check_directory(const struct text_source *source, int line, const char *key,
			   const char *path)
{
	cleanup_free char *copy = strdup(path);
	int err = copy ? find_ancestor(copy) : -ENOMEM;

	if (err < 0)
		text_fail(source, line, "%s \"%s\" cannot be made: %s: %s; correct that or set %s",
			  key, path, copy ? copy : path, strerror(-err), key);
	return err;
}

static int check_sections(const struct text_source *source, const struct config *config)
{
	int err = 0;

	for (size_t i = 0; i < config->n_uplinks && !err; i++)
		err = check_uplink(source, &config->uplinks[i]);
	for (size_t i = 0; i < config->n_templates && !err; i++) {
		if (config_template_used(config, i))
			err = check_template(source, &config->templates[i]);
	}
	return err;
}

static void tell_gateway(const struct config *config, const struct range_config *range)
{
	char prefix[PREFIX_STRLEN];
	size_t uplink;
	const struct range_config *first = config_first_range(config, range->template, &uplink);

	log_info("%s:%d: range %s has another gateway than the first one of template \"%s\", in "
		 "line %d: its addresses are bound by skepd, not by the uplink program; a template "
		 "of its own changes that",
		 config->file, range->line, prefix_format(&range->prefix, prefix),
		 config->templates[range->template].name, first->line);
}

static void tell_segments(const struct config *config, const struct range_config *range)
{
	const struct template_config *template = &config->templates[range->template];

	log_info("%s:%d: template \"%s\" has more than %d ranges: their addresses are bound by "
		 "skepd, not by the uplink program; several templates of fewer ranges change that",
		 config->file, template->line, template->name, PLUMB_SEGMENTS_MAX);
}

/* Works all the same; only a little later. Of a template with too many ranges the first tells. */
static void tell_binding(const struct config *config, size_t uplink,
			 const struct range_config *range)
{
	const enum bind_by by = config_bind_by(config, uplink, range);
	size_t first;

	if (by == BIND_BY_GATEWAY)
		tell_gateway(config, range);
	if (by == BIND_BY_SEGMENTS && config_first_range(config, range->template, &first) == range)
		tell_segments(config, range);
}

static void tell_all_bindings(const struct config *config)
{
	for (size_t u = 0; u < config->n_uplinks; u++) {
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++)
			tell_binding(config, u, &config->uplinks[u].ranges[r]);
	}
}

/* @data: where the first fatal line goes; every other one is logged */
static void take_limit(void *data, bool fatal, const char *line)
{
	char *error = data;

	if (!fatal)
		log_warn("%s", line);
	else if (*error)
		log_error("%s", line);
	else
		snprintf(error, CONFIG_ERROR_MAX, "%s", line);
}

static int check_all_limits(const struct text_source *source, const struct config *config)
{
	cleanup_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int err = -errno;

	if (root < 0) {
		text_fail(source, 0, "cannot look at this machine's limits: /: %s; correct that",
			  strerror(-err));
		return err;
	}
	source->error[0] = '\0';
	return check_limits(config, root, take_limit, source->error) ? -ENOSPC : 0;
}

int check_machine(const struct config *config, char *error)
{
	struct text_source source = {.name = config->file, .error = error};
	int err = check_directory(&source, config->state_dir_line, "state_dir", config->state_dir);

	if (!err)
		err = check_directory(&source, config->run_dir_line, "run_dir", config->run_dir);
	if (!err)
		err = check_sections(&source, config);
	if (err)
		return err;
	tell_all_bindings(config);
	return check_all_limits(&source, config);
}

static void cleanup_ifaddrs(struct ifaddrs **list)
{
	if (*list)
		freeifaddrs(*list);
}

static bool is_ipv4(const struct ifaddrs *i)
{
	return i->ifa_addr && i->ifa_addr->sa_family == AF_INET;
}

int check_own_addresses(__be32 **ret, size_t *n)
{
	__attribute__((cleanup(cleanup_ifaddrs))) struct ifaddrs *list = NULL;
	size_t count = 0;
	__be32 *addrs;

	if (getifaddrs(&list) < 0)
		return -errno;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next)
		count += is_ipv4(i);
	addrs = calloc(count ? count : 1, sizeof(*addrs));
	if (!addrs)
		return -ENOMEM;
	count = 0;
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (is_ipv4(i))
			addrs[count++] = ((struct sockaddr_in *)i->ifa_addr)->sin_addr.s_addr;
	}
	*ret = addrs;
	*n = count;
	return 0;
}
