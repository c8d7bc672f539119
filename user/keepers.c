// SPDX-License-Identifier: GPL-2.0
/* The allocator's side of the keepers; see keeper.h. Owns the channels and knows what each keeper
 * has to do. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "clock.h"
#include "files.h"
#include "keeper.h"

#define JOB_LIMIT_NS (60 * NS_PER_SEC)
#define REAP_PATIENCE_MS 5000
#define REAP_POLL_MS 10
#define JOBS_MAX 2 /* one in hand and one waiting, so that a keeper never idles for us */

struct helper {
	pid_t pid;
	int channel;
	unsigned int n_jobs;
	unsigned int n_nursed;
	__u64 progress_ns; /* when it last got its first job, or finished one */
	struct job_message jobs[JOBS_MAX];
	struct job_message nursed[KEEPER_NURSERY];
};

struct keepers {
	struct keeper_context context;
	unsigned int n;
	struct helper helpers[];
};

/* Signals are the allocator's; a disposition of SIG_IGN would be inherited by every container's
 * init. */
static void on_signal(int number)
{
	(void)number;
}

static _Noreturn void child(const struct keeper_context *context, unsigned int number, int channel)
{
	sigset_t none;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	int keep[KEEPER_LOCKS + 2] = {channel, context->port_program};

	/* Above all not the allocator's ends of the channels, and no container's namespace. */
	memcpy(keep + 2, context->locks, sizeof(context->locks));
	files_close_all_but(keep, ARRAY_SIZE(keep));
	/* systemd has services ignore SIGPIPE, a shell may have others ignored. */
	for (int number_of = 1; number_of < NSIG; number_of++)
		signal(number_of, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	setrlimit(RLIMIT_NOFILE, &context->files);
	log_set_sink(NULL, NULL);
	keeper_run(context, number, channel);
}

static int spawn(struct keepers *keepers, unsigned int number)
{
	struct helper *helper = &keepers->helpers[number];
	int ends[2];
	int err = message_pair(ends);

	if (err)
		return err;
	helper->pid = fork();
	if (helper->pid < 0) {
		err = -errno;
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (!helper->pid) {
		child(&keepers->context, number, ends[1]);
	}
	close(ends[1]);
	helper->channel = ends[0];
	helper->n_jobs = 0;
	helper->n_nursed = 0;
	return 0;
}

int keepers_new(const struct keeper_context *context, unsigned int n, struct keepers **ret)
{
	struct keepers *keepers = calloc(1, sizeof(*keepers) + n * sizeof(keepers->helpers[0]));
	int err = 0;

	if (!keepers)
		return -ENOMEM;
	keepers->context = *context;
	keepers->n = n;
	for (unsigned int i = 0; i < n; i++)
		keepers->helpers[i].channel = -EBADF;
	for (unsigned int i = 0; !err && i < n; i++)
		err = spawn(keepers, i);
	if (err)
		keepers_free(keepers);
	else
		*ret = keepers;
	return err;
}

/* A keeper ends by itself when its channel does, unless it hangs in a job. */
static void reap(struct helper *helper, unsigned int patience_ms)
{
	const struct timespec pause = {0, REAP_POLL_MS * 1000000L};

	helper->channel = close_fd(helper->channel);
	for (; helper->pid > 0 && patience_ms >= REAP_POLL_MS; patience_ms -= REAP_POLL_MS) {
		if (waitpid(helper->pid, NULL, WNOHANG))
			helper->pid = 0;
		else
			nanosleep(&pause, NULL);
	}
	if (helper->pid > 0) {
		kill(helper->pid, SIGKILL);
		waitpid(helper->pid, NULL, 0);
	}
	helper->pid = 0;
}

struct keepers *keepers_free(struct keepers *keepers)
{
	if (!keepers)
		return NULL;
	for (unsigned int i = 0; i < keepers->n; i++)
		keepers->helpers[i].channel = close_fd(keepers->helpers[i].channel);
	for (unsigned int i = 0; i < keepers->n; i++)
		reap(&keepers->helpers[i], REAP_PATIENCE_MS);
	free(keepers);
	return NULL;
}

unsigned int keepers_count(const struct keepers *keepers)
{
	return keepers->n;
}

int keepers_fd(const struct keepers *keepers, unsigned int number)
{
	return keepers->helpers[number].channel;
}

int keepers_ready(const struct keepers *keepers)
{
	int best = -1;

	for (unsigned int i = 0; i < keepers->n; i++) {
		const struct helper *h = &keepers->helpers[i];

		if (h->channel >= 0 && h->n_jobs < JOBS_MAX &&
		    (best < 0 || h->n_jobs < keepers->helpers[best].n_jobs))
			best = (int)i;
	}
	return best;
}

bool keepers_are_idle(const struct keepers *keepers)
{
	for (unsigned int i = 0; i < keepers->n; i++)
		if (keepers->helpers[i].channel >= 0 && keepers->helpers[i].n_jobs)
			return false;
	return true;
}

void keepers_send(struct keepers *keepers, unsigned int number, const struct job_message *job)
{
	struct helper *helper = &keepers->helpers[number];

	if (!helper->n_jobs)
		helper->progress_ns = monotonic_ns();
	helper->jobs[helper->n_jobs++] = *job;
	if (message_send(helper->channel, job, sizeof(*job), NULL, 0, true))
		kill(helper->pid, SIGKILL);
}

void keepers_end_stuck(struct keepers *keepers, __u64 now_ns)
{
	for (unsigned int i = 0; i < keepers->n; i++) {
		const struct helper *h = &keepers->helpers[i];

		if (h->channel >= 0 && h->n_jobs && now_ns - h->progress_ns > JOB_LIMIT_NS)
			kill(h->pid, SIGKILL);
	}
}

int keepers_configure(struct keepers *keepers, int fd, const struct config *config)
{
	const struct config_message message = {.type = MESSAGE_CONFIG};

	keepers->context.config = config;
	for (unsigned int i = 0; i < keepers->n; i++) {
		const struct helper *h = &keepers->helpers[i];

		if (h->channel >= 0 &&
		    message_send(h->channel, &message, sizeof(message), &fd, 1, true))
			kill(h->pid, SIGKILL);
	}
	return 0;
}

/* Takes the job of a slot out of a list; false when it is not there. */
static bool take_job(struct job_message *jobs, unsigned int *n, __u32 op, __u32 slot,
		     struct job_message *ret)
{
	for (unsigned int i = 0; i < *n; i++)
		if (jobs[i].op == op && jobs[i].slot == slot) {
			*ret = jobs[i];
			jobs[i] = jobs[--*n];
			return true;
		}
	return false;
}

/*
 * Done, or in the nursery from now on: then it is no work in hand, but can be lost all the same.
 * False for the end of a start that was taken back.
 */
static bool account(struct helper *helper, const struct done_message *done)
{
	struct job_message job;

	if (!take_job(helper->jobs, &helper->n_jobs, done->op, done->slot, &job))
		return take_job(helper->nursed, &helper->n_nursed, done->op, done->slot, &job);
	if (done->err == -EINPROGRESS && helper->n_nursed < KEEPER_NURSERY)
		helper->nursed[helper->n_nursed++] = job;
	return true;
}

int keepers_receive(struct keepers *keepers, unsigned int number, struct done_message *ret,
		    int ret_fds[DONE_FDS])
{
	struct helper *helper = &keepers->helpers[number];

	for (;;) {
		ssize_t n = message_receive(helper->channel, ret, sizeof(*ret), ret_fds, DONE_FDS,
					    true);

		if (n == -EAGAIN)
			return 0;
		if (n != sizeof(*ret))
			return -EPIPE;
		helper->progress_ns = monotonic_ns();
		if (account(helper, ret))
			return 1;
		for (size_t i = 0; i < DONE_FDS; i++)
			close_fd(ret_fds[i]);
	}
}

int keepers_take_back(struct keepers *keepers, struct job_message *ret)
{
	for (unsigned int i = 0; i < keepers->n; i++) {
		struct helper *helper = &keepers->helpers[i];

		if (helper->n_nursed) {
			*ret = helper->nursed[--helper->n_nursed];
			return 0;
		}
	}
	return -ENOENT;
}

int keepers_lost_job(struct keepers *keepers, unsigned int number, struct job_message *ret)
{
	struct helper *helper = &keepers->helpers[number];

	if (helper->n_jobs)
		*ret = helper->jobs[--helper->n_jobs];
	else if (helper->n_nursed)
		*ret = helper->nursed[--helper->n_nursed];
	else
		return -ENOENT;
	return 0;
}

int keepers_replace(struct keepers *keepers, unsigned int number)
{
	reap(&keepers->helpers[number], 0);
	return spawn(keepers, number);
}
