// SPDX-License-Identifier: GPL-2.0
/*
 * Keeping the pool warm: what the pool wants done goes to the keepers, what they have done comes
 * back. Owns what is held of a running container (its descriptors); waits for none.
 */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "farm.h"

static void send_job(struct farm *farm, int keeper, const struct pool_job *next)
{
	struct job_message job = {.type = MESSAGE_JOB,
				  .op = next->op,
				  .slot = next->slot,
				  .template = next->template};
	struct warm *warm = &farm->warm[next->slot];

	if (next->op == POOL_START) {
		warm->serial = ++farm->last_serial;
		warm->since_ns = monotonic_ns();
	}
	job.serial = warm->serial;
	farm_show(farm, next->slot);
	keepers_send(farm->keepers, (unsigned int)keeper, &job);
}

void refill(struct farm *farm)
{
	__u64 now_ns = monotonic_ns(), wake_ns;
	int keeper;

	while ((keeper = keepers_ready(farm->keepers)) >= 0) {
		struct pool_job next = pool_next(farm->pool, now_ns);

		if (next.op == POOL_NOTHING)
			break;
		send_job(farm, keeper, &next);
	}
	wake_ns = pool_wake_ns(farm->pool, now_ns);
	if (wake_ns > now_ns) /* else a keeper's news will bring us back */
		farm_wake_refill(farm, wake_ns);
}

static void on_exit_event(evutil_socket_t fd, short what, void *data)
{
	struct warm *warm = data;

	(void)fd;
	(void)what;
	refill_died(warm->farm, (__u32)(warm - warm->farm->warm));
}

static int hold(struct farm *farm, const struct done_message *done, const int fds[DONE_FDS])
{
	struct warm *warm = &farm->warm[done->slot];

	warm->netlink = fds[0];
	warm->pidfd = fds[1];
	if (fds[0] < 0 || fds[1] < 0)
		return -EMFILE; /* they were lost on the way: too many are open here */
	warm->pid = done->pid;
	warm->port = done->port;
	warm->eth0 = done->eth0;
	warm->exit = event_new(farm->base, warm->pidfd, EV_READ, on_exit_event, warm);
	if (!warm->exit || event_add(warm->exit, NULL))
		return -ENOMEM;
	return 0;
}

void refill_forget(struct farm *farm, __u32 slot)
{
	struct warm *warm = &farm->warm[slot];

	if (warm->exit)
		event_free(warm->exit);
	warm->exit = NULL;
	warm->netlink = close_fd(warm->netlink);
	warm->pidfd = close_fd(warm->pidfd);
	warm->pid = 0;
	warm->port = 0;
	warm->eth0 = 0;
}

static void start_failed(struct farm *farm, __u32 slot, const char *reason)
{
	const struct template_config *t = &farm->config->templates[pool_template(farm->pool, slot)];
	char name[CONTAINER_NAME_LEN];
	__u64 pause_ns = pool_start_failed(farm->pool, slot, monotonic_ns());

	farm_count(farm, SKEP_START_FAILED, NULL);
	if (farm->state != DAEMON_STOPPING)
		log_error("template \"%s\": container %s did not start: %s; trying again in %llu s",
			  t->name, container_name(slot, name), reason, pause_ns / NS_PER_SEC);
}

static void started(struct farm *farm, const struct done_message *done, const int fds[DONE_FDS])
{
	struct warm *warm = &farm->warm[done->slot];
	int err = done->err ? done->err : hold(farm, done, fds);

	warm->since_ns = monotonic_ns();
	if (err) {
		start_failed(farm, done->slot, done->err ? done->reason : strerror(-err));
		refill_forget(farm, done->slot);
		return;
	}
	pool_started(farm->pool, done->slot);
	farm_count(farm, SKEP_CONTAINER_STARTED, NULL);
	if (farm->state == DAEMON_STOPPING)
		pool_give_up(farm->pool, done->slot);
}

static void recycled(struct farm *farm, const struct done_message *done)
{
	char name[CONTAINER_NAME_LEN];

	refill_forget(farm, done->slot);
	farm->warm[done->slot].since_ns = monotonic_ns();
	if (done->err) {
		farm_count(farm, SKEP_RECYCLE_FAILED, NULL);
		log_error("container %s could not be removed: %s; trying again",
			  container_name(done->slot, name), done->reason);
		pool_recycle_failed(farm->pool, done->slot, monotonic_ns());
		return;
	}
	pool_recycled(farm->pool, done->slot);
	farm_count(farm, SKEP_CONTAINER_RECYCLED, NULL);
}

static void lost(struct farm *farm, const struct job_message *job)
{
	farm->warm[job->slot].since_ns = monotonic_ns();
	if (job->op == POOL_START)
		start_failed(farm, job->slot, "its keeper died");
	else
		pool_recycle_failed(farm->pool, job->slot, monotonic_ns());
	farm_show(farm, job->slot);
}

static void replace_keeper(struct farm *farm, unsigned int number)
{
	struct job_message job;

	farm_count(farm, SKEP_KEEPER_DIED, NULL);
	log_error("keeper %u died; starting another", number);
	while (!keepers_lost_job(farm->keepers, number, &job))
		lost(farm, &job);
	refill_revive(farm, number);
}

void refill_revive(struct farm *farm, unsigned int number)
{
	int err;

	farm_forget_keeper(farm, number); /* before its descriptor means something else */
	err = keepers_replace(farm->keepers, number);
	if (!err)
		err = farm_watch_keeper(farm, number);
	if (err)
		farm_count(farm, SKEP_KEEPER_FAILED, strerror(-err));
}

void refill_keeper_news(struct farm *farm, unsigned int number)
{
	int fds[DONE_FDS] = {-EBADF, -EBADF};
	struct done_message done;
	int got = keepers_receive(farm->keepers, number, &done, fds);

	if (!got)
		return;
	if (got < 0) {
		replace_keeper(farm, number);
	} else {
		if (done.op == POOL_START)
			started(farm, &done, fds);
		else
			recycled(farm, &done);
		farm_show(farm, done.slot);
	}
	refill(farm);
}

static void died_idle(struct farm *farm, __u32 slot)
{
	const char *template = farm->config->templates[pool_template(farm->pool, slot)].name;
	char name[CONTAINER_NAME_LEN];
	__u64 pause_ns = pool_died(farm->pool, slot, monotonic_ns());

	log_warn("template \"%s\": container %s ended by itself while idle; replacing it in %llu s",
		 template, container_name(slot, name), pause_ns / NS_PER_SEC);
	farm_show(farm, slot);
	farm_wake_refill(farm, 0);
}

static void died_bound(struct farm *farm, __u32 slot)
{
	const char *template = farm->config->templates[pool_template(farm->pool, slot)].name;
	char name[CONTAINER_NAME_LEN];

	log_warn("template \"%s\": container %s ended by itself while bound", template,
		 container_name(slot, name));
	bind_release(farm, slot, SKEP_RELEASED_DIED);
}

void refill_died(struct farm *farm, __u32 slot)
{
	enum skep_state state = pool_state(farm->pool, slot);

	if (state != SKEP_STATE_IDLE && state != SKEP_STATE_BOUND)
		return; /* on its way out anyway */
	farm_count(farm, SKEP_CONTAINER_DIED, NULL);
	farm->warm[slot].since_ns = monotonic_ns();
	if (state == SKEP_STATE_IDLE)
		died_idle(farm, slot);
	else
		died_bound(farm, slot);
}
