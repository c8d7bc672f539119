// SPDX-License-Identifier: GPL-2.0
/* The preparer; see preparer.h. Knows the configuration of the start, and keeps no other. */
#include "preparer.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "cleanup.h"
#include "confine.h"
#include "container.h"
#include "files.h"
#include "message.h"
#include "privileges.h"
#include "reload.h"

static int prepare(int fd, const struct config *running)
{
	struct config *config;
	int err = reload_read(fd, running, &config);

	if (err)
		return err;
	err = container_prepare(config);
	config_free(config);
	return err;
}

static bool serve(int channel, const struct config *running)
{
	struct result_message result = {.type = MESSAGE_RESULT};
	struct config_message message;
	cleanup_close int fd = -EBADF;

	if (message_receive(channel, &message, sizeof(message), &fd, 1, false) != sizeof(message))
		return false;
	result.err = prepare(fd, running);
	return !message_send(channel, &result, sizeof(result), NULL, 0, false);
}

static _Noreturn void preparer_run(int channel, const struct config *running)
{
	prctl(PR_SET_NAME, "skepd-preparer");
	files_close_all_but(&channel, 1);
	if (privileges_drop(PRIVILEGES_KEEPER) || confine())
		_exit(1);
	while (serve(channel, running))
		;
	_exit(0);
}

int preparer_start(const struct config *running, pid_t *ret_pid)
{
	int ends[2];
	int err = message_pair(ends);
	pid_t pid = err ? -1 : fork();

	if (err)
		return err;
	if (!pid)
		preparer_run(ends[1], running);
	close(ends[1]);
	if (pid > 0) {
		*ret_pid = pid;
		return ends[0];
	}
	close(ends[0]);
	return -EAGAIN;
}

int preparer_prepare(int channel, const char *text)
{
	const struct config_message message = {.type = MESSAGE_CONFIG};
	cleanup_close int fd = reload_to_memfd(text, strlen(text));
	struct result_message result;
	int err = fd < 0 ? fd : message_send(channel, &message, sizeof(message), &fd, 1, false);

	if (err)
		return err;
	if (message_receive(channel, &result, sizeof(result), NULL, 0, false) != sizeof(result))
		return -EPIPE;
	return result.err;
}
