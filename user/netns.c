// SPDX-License-Identifier: GPL-2.0
/* Network namespaces; see netns.h. Keeps nothing. */
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static int open_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int netns_home(void)
{
	return open_path("/proc/self/ns/net");
}

int netns_open(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	return open_path(path);
}

int netns_enter(int netns)
{
	return setns(netns, CLONE_NEWNET) ? -errno : 0;
}

void netns_leave(int home)
{
	if (setns(home, CLONE_NEWNET))
		abort(); /* in a container's namespace nothing can be done right */
}
