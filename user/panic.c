// SPDX-License-Identifier: GPL-2.0
/* The switch of last resort; see panic.h. Needs no datapath, and asks nobody. */
#include "panic.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "files.h"
#include "skep/maps.h"

#define PATH_LEN 512

static int throw_switch(struct skep_settings *settings, bool on)
{
	if (settings->version != SKEP_MAPS_VERSION)
		return -EPROTO;
	if (on)
		__atomic_or_fetch(&settings->flags, SKEP_SETTING_PANIC, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&settings->flags, ~SKEP_SETTING_PANIC, __ATOMIC_SEQ_CST);
	return 0;
}

/* Maps of another version may be laid out otherwise; only the size tells before it is looked at. */
int panic_switch(const char *bpf_dir, bool on)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	char path[PATH_LEN];
	cleanup_close int fd = -EBADF;
	void *memory;
	int err;

	snprintf(path, sizeof(path), "%s/settings", bpf_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    info.value_size != sizeof(struct skep_settings))
		return -EPROTO;
	memory =
		mmap(NULL, sizeof(struct skep_settings), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	err = throw_switch(memory, on);
	munmap(memory, sizeof(struct skep_settings));
	return err;
}

static void mark_path(const char *state_dir, char path[PATH_LEN])
{
	snprintf(path, PATH_LEN, "%s/panic", state_dir);
}

int panic_mark(const char *state_dir, bool on)
{
	char path[PATH_LEN];

	mark_path(state_dir, path);
	if (on)
		return files_write(path, "", 0, 0600);
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

bool panic_is_marked(const char *state_dir)
{
	char path[PATH_LEN];

	mark_path(state_dir, path);
	return !access(path, F_OK);
}
