// SPDX-License-Identifier: GPL-2.0
/* The sweeper's process as skepd sees it; see sweeper.h. Owns its channel. */
#include "sweeper.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "clock.h"
#include "files.h"
#include "log.h"
#include "message.h"

#define REAP_PATIENCE_MS 2000
#define REAP_POLL_MS 10

struct sweeper {
	struct sweeper_context context;
	pid_t pid;
	int channel;
	__u64 forked_ns;
};

/* Above all no container's namespace, and no other process's channel. */
static _Noreturn void child(const struct sweeper_context *context, const struct config *config,
			    int channel)
{
	int keep[1 + SWEEPER_LOCKS + DATAPATH_SWEEP_FDS] = {channel};
	sigset_t none;

	memcpy(keep + 1, context->locks, sizeof(context->locks));
	datapath_sweep_fds(context->dp, keep + 1 + SWEEPER_LOCKS);
	files_close_all_but(keep, ARRAY_SIZE(keep));
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	log_set_sink(NULL, NULL);
	sweeper_run(context, config, channel);
}

static int spawn(struct sweeper *sweeper, const struct config *config)
{
	int ends[2];
	int err = message_pair(ends);

	sweeper->forked_ns = monotonic_ns();
	if (err)
		return err;
	sweeper->pid = fork();
	if (!sweeper->pid)
		child(&sweeper->context, config, ends[1]);
	err = sweeper->pid < 0 ? -errno : 0;
	close(ends[1]);
	sweeper->channel = ends[0];
	sweeper->context.fresh = false; /* who comes after it finds the map as it is */
	if (err)
		sweeper->channel = close_fd(sweeper->channel);
	return err;
}

int sweeper_new(const struct sweeper_context *context, const struct config *config,
		struct sweeper **ret)
{
	struct sweeper *sweeper = calloc(1, sizeof(*sweeper));
	int err;

	if (!sweeper)
		return -ENOMEM;
	sweeper->context = *context;
	sweeper->channel = -EBADF;
	err = spawn(sweeper, config);
	if (err)
		free(sweeper);
	else
		*ret = sweeper;
	return err;
}

/* It ends by itself when its channel does, unless it hangs. */
static void reap(struct sweeper *sweeper)
{
	const struct timespec pause = {0, REAP_POLL_MS * 1000000L};

	sweeper->channel = close_fd(sweeper->channel);
	for (int ms = 0; sweeper->pid > 0 && ms < REAP_PATIENCE_MS; ms += REAP_POLL_MS) {
		if (waitpid(sweeper->pid, NULL, WNOHANG))
			sweeper->pid = 0;
		else
			nanosleep(&pause, NULL);
	}
	if (sweeper->pid > 0 && !kill(sweeper->pid, SIGKILL))
		waitpid(sweeper->pid, NULL, 0);
	sweeper->pid = 0;
}

struct sweeper *sweeper_free(struct sweeper *sweeper, bool for_good)
{
	const struct config_message message = {.type = MESSAGE_END};

	if (sweeper && for_good)
		message_send(sweeper->channel, &message, sizeof(message), NULL, 0, true);
	if (sweeper)
		reap(sweeper);
	free(sweeper);
	return NULL;
}

bool sweeper_look_after(struct sweeper *sweeper, const struct config *config)
{
	bool died = sweeper->pid > 0 && waitpid(sweeper->pid, NULL, WNOHANG);

	if (died) {
		sweeper->pid = 0;
		sweeper->channel = close_fd(sweeper->channel);
	}
	if (sweeper->pid <= 0 && monotonic_ns() - sweeper->forked_ns >= NS_PER_SEC &&
	    spawn(sweeper, config))
		log_error("cannot fork the sweeper: %m; trying again");
	return died;
}

/* One that cannot be told goes by what does not hold any more: it is replaced. */
void sweeper_configure(struct sweeper *sweeper, int fd)
{
	const struct config_message message = {.type = MESSAGE_CONFIG};

	if (sweeper->pid > 0 &&
	    message_send(sweeper->channel, &message, sizeof(message), &fd, 1, true))
		kill(sweeper->pid, SIGKILL);
}
