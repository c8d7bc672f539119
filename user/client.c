// SPDX-License-Identifier: GPL-2.0
/* Talking to skepd; see client.h. Prints nothing. */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "cleanup.h"

int client_open(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_close int fd = -EBADF;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	return move_fd(&fd);
}

FILE *client_connect(const char *path)
{
	cleanup_close int fd = client_open(path);
	FILE *stream = fd < 0 ? NULL : fdopen(fd, "r+");

	if (stream)
		move_fd(&fd);
	return stream;
}

int client_set_patience(FILE *stream, unsigned int seconds)
{
	const struct timeval patience = {.tv_sec = (time_t)seconds};
	int fd = fileno(stream);

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
		return -errno;
	return 0;
}

int client_send(FILE *stream, json_t *request)
{
	int failed = !request || json_dumpf(request, stream, JSON_COMPACT) ||
		     fputc('\n', stream) == EOF || fflush(stream) == EOF;

	json_decref(request);
	return failed ? -EIO : 0;
}

json_t *client_receive(FILE *stream)
{
	cleanup_free char *line = NULL;
	size_t size = 0;
	ssize_t len = getline(&line, &size, stream);

	return len > 0 ? json_loadb(line, (size_t)len, 0, NULL) : NULL;
}
