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
				  .op = next->op == POOL_START ? JOB_START : JOB_RECYCLE,
				  .slot = next->slot,
				  .template = next->template};
	struct warm *warm = &farm->warm[next->slot];

	if (next->op == POOL_START) {
		warm->serial = ++farm->last_serial;
		warm->since_ns = monotonic_ns();
		warm->looked_ns = 0;
		if (next->slot >= farm->slots_end)
			farm->slots_end = next->slot + 1;
	}
	if (next->op == POOL_RECYCLE)
		refill_forget(farm, next->slot); /* our socket inside would hold its network */
	warm->reason[0] = '\0';
	job.serial = warm->serial;
	farm_show(farm, next->slot);
	keepers_send(farm->keepers, (unsigned int)keeper, &job);
}

bool refill_look(struct farm *farm, __u32 slot)
{
	struct looks *looks = &farm->looks;

	if (looks->n == LOOKS_MAX)
		return false;
	looks->slots[(looks->first + looks->n++) % LOOKS_MAX] = slot;
	farm_wake_refill(farm, 0);
	return true;
}

static void send_look(struct farm *farm, int keeper)
{
	struct looks *looks = &farm->looks;
	const __u32 slot = looks->slots[looks->first];
	struct job_message job = {.type = MESSAGE_JOB,
				  .op = JOB_LOOK,
				  .slot = slot,
				  .serial = farm->warm[slot].serial,
				  .pid = farm->warm[slot].pid};

	looks->first = (looks->first + 1) % LOOKS_MAX;
	looks->n--;
	if (pool_state(farm->pool, slot) == SKEP_STATE_BOUND)
		keepers_send(farm->keepers, (unsigned int)keeper, &job);
	else
		expire_looked(farm, slot, false);
}

/* Looks are short, and somebody may wait for the container that is evicted then. */
void refill(struct farm *farm)
{
	__u64 now_ns = monotonic_ns(), wake_ns;
	int keeper;

	while ((keeper = keepers_ready(farm->keepers)) >= 0) {
		struct pool_job next;

		if (farm->looks.n) {
			send_look(farm, keeper);
			continue;
		}
		if (farm->handover || datapath_is_panicked(farm->dp))
			return;
		next = pool_next(farm->pool, now_ns);
		if (next.op == POOL_NOTHING)
			break;
		send_job(farm, keeper, &next);
	}
	wake_ns = pool_wake_ns(farm->pool, now_ns);
	if (wake_ns > now_ns) /* else a keeper's news will bring us back */
		farm_wake_refill(farm, wake_ns);
}

void refill_trim(struct farm *farm)
{
	__u32 slot;

	/* One that was given away is no surplus any more as soon as it is settled. */
	while ((slot = pool_surplus(farm->pool)) != POOL_NO_SLOT && offer_take_back(farm, slot)) {
		pool_give_up(farm->pool, slot);
		farm->warm[slot].since_ns = monotonic_ns();
		farm_show(farm, slot);
		farm_wake_refill(farm, 0);
	}
}

static void on_exit_event(evutil_socket_t fd, short what, void *data)
{
	struct warm *warm = data;

	(void)fd;
	(void)what;
	refill_died(warm->farm, (__u32)(warm - warm->farm->warm));
}

int refill_hold(struct farm *farm, const struct done_message *done, const int fds[DONE_FDS])
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
	return datapath_set_device(farm->dp, done->slot, warm->port);
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
	warm->opened = 0;
	warm->died = false;
	warm->n_addresses = 0;
}

/* Cut off where the map's field ends. */
static void note_reason(struct warm *warm, const char *what, const char *reason)
{
	char whole[CONTAINER_REASON_LEN + 32];

	snprintf(whole, sizeof(whole), "%s: %s", what, reason);
	whole[sizeof(warm->reason) - 1] = '\0';
	strcpy(warm->reason, whole);
}

static void log_failure(struct farm *farm, __u32 slot, const struct pool_failure *failure,
			const char *what, const char *reason)
{
	const __u32 ordinal = pool_template(farm->pool, slot);
	const char *template = farm->config->templates[ordinal].name;
	char name[CONTAINER_NAME_LEN];

	container_name(slot, name);
	if (failure->off)
		log_error(
			"template \"%s\": container %s %s: %s; that was the %dth failure in a row: "
			"the template is switched off until it is corrected and 'skepctl reload' "
			"is run",
			template, name, what, reason, POOL_FAILURES_MAX);
	else if (pool_off(farm->pool) & 1ULL << ordinal)
		log_error("template \"%s\": container %s %s: %s; the template is switched off",
			  template, name, what, reason);
	else
		log_error("template \"%s\": container %s %s: %s; trying again in %llu s", template,
			  name, what, reason, failure->pause_ns / NS_PER_SEC);
}

void refill_failed(struct farm *farm, __u32 slot, const struct pool_failure *failure,
		   const char *what, const char *reason)
{
	struct warm *warm = &farm->warm[slot];

	note_reason(warm, what, reason);
	warm->since_ns = monotonic_ns();
	if (farm->state != DAEMON_STOPPING)
		log_failure(farm, slot, failure, what, reason);
	if (failure->off) {
		farm_count(farm, SKEP_TEMPLATE_OFF, NULL);
		farm_tell_state(farm);
	}
	farm_show(farm, slot);
	if (failure->released != POOL_NO_SLOT)
		farm_show(farm, failure->released);
}

static void start_failed(struct farm *farm, __u32 slot, const char *reason)
{
	const struct pool_failure failure = pool_start_failed(farm->pool, slot, monotonic_ns());

	farm_count(farm, SKEP_START_FAILED, NULL);
	refill_failed(farm, slot, &failure, "did not start", reason);
	if (farm->state == DAEMON_STOPPING)
		pool_give_up(farm->pool, slot);
}

static void started(struct farm *farm, const struct done_message *done, const int fds[DONE_FDS])
{
	struct warm *warm = &farm->warm[done->slot];
	int err = done->err ? done->err : refill_hold(farm, done, fds);

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
	else
		bind_waiting(farm, pool_template(farm->pool, done->slot));
	refill_trim(farm); /* the target may have fallen meanwhile */
	if (pool_state(farm->pool, done->slot) == SKEP_STATE_IDLE)
		offer_idle(farm, done->slot);
}

static void recycled(struct farm *farm, const struct done_message *done)
{
	char name[CONTAINER_NAME_LEN];

	farm->warm[done->slot].since_ns = monotonic_ns();
	if (done->err) {
		farm_count(farm, SKEP_RECYCLE_FAILED, NULL);
		log_error("container %s could not be removed: %s; trying again",
			  container_name(done->slot, name), done->reason);
		note_reason(&farm->warm[done->slot], "could not be removed", done->reason);
		pool_recycle_failed(farm->pool, done->slot, monotonic_ns());
		return;
	}
	pool_recycled(farm->pool, done->slot);
	farm_count(farm, SKEP_CONTAINER_RECYCLED, NULL);
}

static void lost(struct farm *farm, const struct job_message *job)
{
	farm->warm[job->slot].since_ns = monotonic_ns();
	switch (job->op) {
	case JOB_START: /* which is not its template's fault */
		pool_give_up(farm->pool, job->slot);
		break;
	case JOB_LOOK:
		return expire_looked(farm, job->slot, true);
	default:
		pool_recycle_failed(farm->pool, job->slot, monotonic_ns());
	}
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
	else
		farm_wake_refill(farm, 0); /* there may have been nobody to take a job */
}

static void on_done(struct farm *farm, const struct done_message *done, const int fds[DONE_FDS])
{
	switch (done->op) {
	case JOB_LOOK:
		return expire_looked(farm, done->slot, done->err != 0);
	case JOB_START:
		if (done->err == -EINPROGRESS) /* its services do not listen yet */
			return;
		started(farm, done, fds);
		break;
	default:
		recycled(farm, done);
	}
	farm_show(farm, done->slot);
}

void refill_keeper_news(struct farm *farm, unsigned int number)
{
	int fds[DONE_FDS] = {-EBADF, -EBADF};
	struct done_message done;
	int got = keepers_receive(farm->keepers, number, &done, fds);

	if (!got)
		return;
	if (got < 0)
		replace_keeper(farm, number);
	else
		on_done(farm, &done, fds);
	refill(farm);
}

static void died_idle(struct farm *farm, __u32 slot)
{
	const struct pool_failure failure = pool_died(farm->pool, slot, monotonic_ns());

	refill_failed(farm, slot, &failure, "failed", "it ended by itself while idle");
	farm_wake_refill(farm, 0);
}

static void died_bound(struct farm *farm, __u32 slot)
{
	const char *template = farm->config->templates[pool_template(farm->pool, slot)].name;
	char name[CONTAINER_NAME_LEN];

	log_warn("template \"%s\": container %s ended by itself while bound", template,
		 container_name(slot, name));
	bind_release_slot(farm, slot, SKEP_RELEASED_DIED);
}

/* Dead or not, what it was given away for is taken note of first. */
static bool is_given_away(struct farm *farm, __u32 slot)
{
	if (pool_state(farm->pool, slot) != SKEP_STATE_IDLE || offer_take_back(farm, slot))
		return false;
	settle_claim(farm, slot); /* and so this is called again */
	return pool_state(farm->pool, slot) == SKEP_STATE_IDLE;
}

void refill_died(struct farm *farm, __u32 slot)
{
	enum skep_state state;

	farm->warm[slot].died = true;
	if (is_given_away(farm, slot))
		return settle_later(farm);
	state = pool_state(farm->pool, slot);
	if (state != SKEP_STATE_IDLE && state != SKEP_STATE_BOUND)
		return; /* on its way out anyway */
	farm_count(farm, SKEP_CONTAINER_DIED, NULL);
	farm->warm[slot].since_ns = monotonic_ns();
	if (state == SKEP_STATE_IDLE)
		died_idle(farm, slot);
	else
		died_bound(farm, slot);
}
