// SPDX-License-Identifier: GPL-2.0
/* Reload; see reload.h. Logs nothing, and keeps nothing. */
#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "files.h"

static int say(char *error, const char *file, const char *what, int err)
{
	snprintf(error, CONFIG_ERROR_MAX, "%s: %s", file, what);
	return err;
}

int reload_load(const char *path, char **ret, char *error)
{
	cleanup_free char *text = malloc(RELOAD_TEXT_MAX + 1);
	ssize_t n = text ? files_read(path, text, RELOAD_TEXT_MAX + 1) : -ENOMEM;

	if (n < 0) {
		snprintf(error, CONFIG_ERROR_MAX, "%s: %s; name a file that can be read", path,
			 strerror((int)-n));
		return (int)n;
	}
	if ((size_t)n > RELOAD_TEXT_MAX)
		return say(error, path, "is too long for a configuration", -EFBIG);
	if (memchr(text, '\0', (size_t)n))
		return say(error, path, "holds a NUL byte; give a text file", -EINVAL);
	text[n] = '\0';
	*ret = text;
	text = NULL;
	return 0;
}

static int align(struct config *config, const struct config *old)
{
	cleanup_free char(*uplinks)[IFNAMSIZ] = calloc(old->n_uplinks + 1, sizeof(*uplinks));
	cleanup_free char(*templates)[64] = calloc(old->n_templates + 1, sizeof(*templates));

	if (!uplinks || !templates)
		return -ENOMEM;
	for (size_t i = 0; i < old->n_uplinks; i++)
		memcpy(uplinks[i], old->uplinks[i].name, sizeof(*uplinks));
	for (size_t i = 0; i < old->n_templates; i++)
		snprintf(templates[i], sizeof(*templates), "%s", old->templates[i].name);
	return config_align(config, (const char(*)[IFNAMSIZ])uplinks, old->n_uplinks,
			    (const char(*)[64])templates, old->n_templates);
}

int reload_parse(const char *text, const struct config *old, struct config **ret, char *error)
{
	struct config *config;
	int err = config_parse(old->file, text, &config, error);

	if (err)
		return err;
	err = align(config, old);
	if (!err) {
		*ret = config;
		return 0;
	}
	config_free(config);
	if (err == -ENOSPC)
		return say(error, old->file,
			   "more uplinks or templates than there can be, with those that were "
			   "taken out since skepd was started; restart skepd",
			   err);
	return say(error, old->file, strerror(-err), err);
}

static int write_all(int fd, const char *text, size_t size)
{
	while (size) {
		ssize_t n = write(fd, text, size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
	return 0;
}

int reload_to_memfd(const char *text, size_t size)
{
	cleanup_close int fd = memfd_create("skep.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = fd < 0 ? -errno : write_all(fd, text, size);

	if (err)
		return err;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		return -errno;
	return move_fd(&fd);
}

/* All of it, or not at all: what is sealed does not become shorter meanwhile. */
static int read_text(int fd, char **ret)
{
	cleanup_free char *text = NULL;
	struct stat status;
	size_t size;

	if (fstat(fd, &status))
		return -errno;
	if (status.st_size > RELOAD_TEXT_MAX)
		return -EFBIG;
	size = (size_t)status.st_size;
	text = calloc(1, size + 1);
	if (!text)
		return -ENOMEM;
	for (size_t at = 0; at < size;) {
		ssize_t n = pread(fd, text + at, size - at, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += (size_t)n;
	}
	*ret = text;
	text = NULL;
	return 0;
}

int reload_read(int fd, const struct config *old, struct config **ret)
{
	cleanup_free char *text = NULL;
	char error[CONFIG_ERROR_MAX];
	int err = read_text(fd, &text);

	return err ? err : reload_parse(text, old, ret, error);
}
