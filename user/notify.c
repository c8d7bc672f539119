// SPDX-License-Identifier: GPL-2.0
/* Service notification; see notify.h. A message that cannot be sent is nobody's loss but the
 * manager's. */
#include "notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "cleanup.h"

static void notify(const char *message)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_close int fd = -EBADF;
	socklen_t size;

	if (!path || (*path != '/' && *path != '@') || strlen(path) >= sizeof(address.sun_path))
		return;
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@') /* the abstract name space */
		address.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		sendto(fd, message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT,
		       (struct sockaddr *)&address, size);
}

void notify_ready(void)
{
	notify("READY=1\nSTATUS=Pool is warm, uplinks are watched.");
}

void notify_stopping(void)
{
	notify("STOPPING=1\nSTATUS=Removing containers.");
}
