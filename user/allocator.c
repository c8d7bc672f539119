// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop; see allocator.h. Owns the events and nothing else: what they mean is in the other
 * files that farm.h names. Ring records have priority, but not for ever.
 */
#include "allocator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "farm.h"
#include "link.h"
#include "notify.h"

#define ASKS_AT_ONCE 64
#define TICK_US 100000
#define SEND_BUFFER (4 << 20)

enum { PRIORITY_ASKS, PRIORITY_REST, PRIORITIES };

struct allocator {
	struct farm farm;
	int monitor;
	struct event *asks, *more_asks, *control_event, *links, *tick, *term, *interrupt, *hangup;
};

static void become_ready(struct farm *farm)
{
	if (farm->state != DAEMON_STARTING ||
	    !(farm->adopted || pool_is_warm(farm->pool) || datapath_is_panicked(farm->dp)))
		return;
	farm_set_state(farm, datapath_is_draining(farm->dp) ? DAEMON_DRAINING : DAEMON_RUNNING);
	notify_ready();
	log_info("running: %u idle containers", pool_count(farm->pool, SKEP_STATE_IDLE));
}

/* For a handover the jobs under way are waited for: what is half done cannot be taken over. */
static void become_empty(struct farm *farm)
{
	if (farm->handover ? keepers_are_idle(farm->keepers)
			   : farm->state == DAEMON_STOPPING && pool_is_empty(farm->pool))
		event_base_loopbreak(farm->base);
}

static void on_ask(void *data, const struct skep_ask *ask, size_t size)
{
	bind_ask(data, ask, size);
}

static void on_asks(evutil_socket_t fd, short what, void *data)
{
	struct allocator *a = data;

	(void)fd;
	(void)what;
	/* In a flood the rest must have its turn: libevent never serves it while there is something
	 * urgent. */
	if (datapath_consume(a->farm.dp, ASKS_AT_ONCE)) {
		event_del(a->asks);
		event_active(a->more_asks, EV_TIMEOUT, 0);
	}
}

static void on_more_asks(evutil_socket_t fd, short what, void *data)
{
	struct allocator *a = data;

	(void)fd;
	(void)what;
	event_add(a->asks, NULL);
}

static void on_refill(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	refill(data);
	become_ready(data);
	become_empty(data);
}

static void on_tell(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	farm_tell_events(data);
}

static void on_keeper(evutil_socket_t fd, short what, void *data)
{
	struct farm *farm = data;

	(void)what;
	for (unsigned int i = 0; i < keepers_count(farm->keepers); i++)
		if (keepers_fd(farm->keepers, i) == fd) {
			refill_keeper_news(farm, i);
			break;
		}
	become_ready(farm);
	become_empty(farm);
}

static void on_control(evutil_socket_t fd, short what, void *data)
{
	struct allocator *a = data;

	(void)fd;
	(void)what;
	if (!commands_read(&a->farm))
		return;
	log_set_sink(NULL, NULL);
	log_error("the control process died: skepctl will not work until skepd is restarted; "
		  "everything else goes on");
	event_del(a->control_event);
}

static void on_links(evutil_socket_t fd, short what, void *data)
{
	(void)what;
	links_read(data, fd);
}

/* The control process reads the file, which may take its time. */
static void on_hangup(evutil_socket_t signal_number, short what, void *data)
{
	const struct reload_message message = {.type = MESSAGE_RELOAD};

	(void)signal_number;
	(void)what;
	farm_tell(data, &message, sizeof(message));
}

/* What the uplink program had to drop, it can only count. */
static void warn_of_full_ring(struct farm *farm)
{
	struct log_limit *limit = &farm->limits[SKEP_DROP_ASK_RING_FULL];
	__u64 now_ns = monotonic_ns(), dropped;
	unsigned long unused;

	if (!log_limit_pass(limit, now_ns, &unused))
		return;
	dropped = datapath_counter(farm->dp, SKEP_DROP_ASK_RING_FULL);
	if (dropped != farm->ring_full)
		log_warn("the ring buffer was full: %llu first contacts were dropped",
			 dropped - farm->ring_full);
	farm->ring_full = dropped;
}

static void expire_waiting(struct farm *farm)
{
	for (unsigned int n = waiting_expire(farm->waiting, monotonic_ns()); n; n--)
		farm_count(farm, SKEP_NO_BIND_POOL_EMPTY, "none became idle within a second");
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	struct farm *farm = data;

	on_asks(fd, what, data); /* in case that a wake-up was lost */
	commands_notice_panic(farm);
	if (farm->state == DAEMON_STOPPING || farm->handover)
		stop_go_on(farm);
	else if (!farm->panicked)
		expire_some(farm);
	settle_left(farm);
	offer_tell_gateways(farm);
	datapath_tidy(farm->dp);
	expire_waiting(farm);
	warn_of_full_ring(farm);
	farm_tell_untold(farm);
	keepers_end_stuck(farm->keepers, monotonic_ns());
	for (unsigned int i = 0; i < keepers_count(farm->keepers); i++)
		if (keepers_fd(farm->keepers, i) < 0)
			refill_revive(farm, i);
	if (sweeper_look_after(farm->sweeper, farm->config))
		farm_count(farm, SKEP_SWEEPER_DIED, "another one takes its place");
}

static void on_stop(evutil_socket_t signal_number, short what, void *data)
{
	struct farm *farm = data;

	(void)signal_number;
	(void)what;
	if (farm->state != DAEMON_STOPPING)
		stop_begin(farm);
}

void farm_forget_keeper(struct farm *farm, unsigned int number)
{
	if (farm->keeper_events[number])
		event_free(farm->keeper_events[number]);
	farm->keeper_events[number] = NULL;
}

int farm_watch_keeper(struct farm *farm, unsigned int number)
{
	struct event **event = &farm->keeper_events[number];

	*event = event_new(farm->base, keepers_fd(farm->keepers, number), EV_READ | EV_PERSIST,
			   on_keeper, farm);
	return !*event || event_add(*event, NULL) ? -ENOMEM : 0;
}

static struct event *add_event(struct farm *farm, int fd, short what, event_callback_fn callback,
			       int priority)
{
	const struct timeval tick = {.tv_usec = TICK_US};
	struct event *event = event_new(farm->base, fd, (short)(what | EV_PERSIST), callback, farm);

	if (!event || event_priority_set(event, priority) ||
	    event_add(event, fd < 0 ? &tick : NULL)) {
		if (event)
			event_free(event);
		return NULL;
	}
	return event;
}

static int add_events(struct allocator *a)
{
	struct farm *farm = &a->farm;

	a->monitor = link_monitor_open();
	if (a->monitor < 0)
		return a->monitor;
	a->asks = add_event(farm, datapath_asks_fd(farm->dp), EV_READ, on_asks, PRIORITY_ASKS);
	a->control_event = add_event(farm, farm->control, EV_READ, on_control, PRIORITY_REST);
	a->links = add_event(farm, a->monitor, EV_READ, on_links, PRIORITY_REST);
	a->tick = add_event(farm, -1, 0, on_tick, PRIORITY_REST);
	a->term = add_event(farm, SIGTERM, EV_SIGNAL, on_stop, PRIORITY_REST);
	a->interrupt = add_event(farm, SIGINT, EV_SIGNAL, on_stop, PRIORITY_REST);
	a->hangup = add_event(farm, SIGHUP, EV_SIGNAL, on_hangup, PRIORITY_REST);
	a->more_asks = event_new(farm->base, -1, 0, on_more_asks, a);
	farm->refill = event_new(farm->base, -1, 0, on_refill, farm);
	farm->tell = event_new(farm->base, -1, 0, on_tell, farm);
	if (!a->asks || !a->more_asks || !a->control_event || !a->links || !a->tick || !a->term ||
	    !a->interrupt || !a->hangup || !farm->refill || !farm->tell)
		return -ENOMEM;
	for (unsigned int i = 0; i < keepers_count(farm->keepers); i++)
		if (farm_watch_keeper(farm, i))
			return -ENOMEM;
	return 0;
}

static int open_packet_socket(void)
{
	cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int size = SEND_BUFFER, bypass = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
	if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &bypass, sizeof(bypass)))
		return -errno;
	return move_fd(&fd);
}

static int make_pool(struct farm *farm)
{
	farm->pool = pool_new(SKEP_CONTAINERS_MAX, SKEP_TEMPLATES_MAX);
	farm->warm = calloc(SKEP_CONTAINERS_MAX, sizeof(*farm->warm));
	farm->waiting = waiting_new();
	farm->keeper_events = calloc(keepers_count(farm->keepers), sizeof(struct event *));
	farm->opening = calloc(SKEP_TEMPLATES_MAX, sizeof(*farm->opening));
	if (!farm->pool || !farm->warm || !farm->waiting || !farm->keeper_events || !farm->opening)
		return -ENOMEM;
	offer_configure(farm);
	datapath_count_ids_from(farm->dp, clock_ns(CLOCK_REALTIME));
	for (__u32 i = 0; i < SKEP_CONTAINERS_MAX; i++) {
		farm->warm[i].farm = farm;
		farm->warm[i].netlink = -EBADF;
		farm->warm[i].pidfd = -EBADF;
	}
	return change_groups(farm);
}

static int make_base(struct farm *farm)
{
	struct event_config *config = event_config_new();

	if (config) {
		event_config_set_flag(config, EVENT_BASE_FLAG_PRECISE_TIMER);
		farm->base = event_base_new_with_config(config);
		event_config_free(config);
	}
	return !farm->base || event_base_priority_init(farm->base, PRIORITIES) ? -ENOMEM : 0;
}

static int prepare(struct allocator *a, const struct allocator_context *context)
{
	struct farm *farm = &a->farm;
	int err = make_base(farm);

	cpu_learn(&farm->cpus);
	if (!err)
		err = make_pool(farm);
	if (err)
		return err;
	farm->packet = open_packet_socket();
	if (farm->packet < 0)
		return farm->packet;
	err = datapath_on_ask(farm->dp, on_ask, farm);
	if (!err)
		err = add_events(a);
	if (err)
		return err;
	change_targets(farm, farm->config->warm, farm->config->max);
	err = adopt(farm, context->leftovers, context->n_leftovers);
	if (err)
		return err;
	refill_trim(farm); /* the targets may be lower than they were */
	change_names(farm);
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void release_all(struct allocator *a)
{
	struct farm *farm = &a->farm;

	for (__u32 i = 0; farm->warm && i < farm->slots_end; i++) {
		refill_forget(farm, i);
		free(farm->warm[i].addresses);
	}
	for (unsigned int i = 0; farm->keeper_events && i < keepers_count(farm->keepers); i++)
		free_event(farm->keeper_events[i]);
	free_event(a->asks);
	free_event(a->more_asks);
	free_event(a->control_event);
	free_event(a->links);
	free_event(a->tick);
	free_event(a->term);
	free_event(a->interrupt);
	free_event(a->hangup);
	free_event(farm->refill);
	free_event(farm->tell);
	if (farm->base)
		event_base_free(farm->base);
	close_fd(a->monitor);
	close_fd(farm->packet);
	free(farm->keeper_events);
	free(farm->warm);
	free(farm->opening);
	waiting_free(farm->waiting);
	pool_free(farm->pool);
}

/*
 * A first contact must not wait for a keeper's turn on the CPU: without this the slowest hundredth
 * of binds takes several times as long while the pool is refilled. Keepers forked later, and so
 * containers, are ordinary again. The kernel keeps a share of the CPU for the others (sched(7),
 * sched_rt_runtime_us).
 */
static void become_urgent(void)
{
	const struct sched_param lowest = {.sched_priority = sched_get_priority_min(SCHED_FIFO)};

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest))
		log_info("no real-time priority (%m): binds may wait for other work");
}

static void tell_line(void *data, int priority, const char *line)
{
	struct log_message message = {.type = MESSAGE_LOG, .priority = priority};

	snprintf(message.line, sizeof(message.line), "%s", line);
	farm_tell(data, &message, sizeof(message));
}

int allocator_run(const struct allocator_context *context)
{
	struct allocator a = {
		.farm =
			{
				.config = *context->config,
				.dp = context->dp,
				.keepers = context->keepers,
				.sweeper = context->sweeper,
				.secret = context->secret,
				.control = context->control,
				.packet = -EBADF,
			},
		.monitor = -EBADF,
	};
	int err = prepare(&a, context);

	if (err)
		log_error("cannot start the allocator: %s", strerror(-err));
	else
		err = links_attach(&a.farm);
	if (!err) {
		links_look_around(&a.farm); /* at what came before the news was listened to */
		settle_later(&a.farm); /* an earlier program's last binds may be without a record */
	}
	become_urgent();
	log_set_sink(tell_line, &a.farm);
	if (!err) {
		sigset_t none, listened;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, &listened);
		farm_wake_refill(&a.farm, 0);
		event_base_dispatch(a.farm.base);
		sigprocmask(SIG_BLOCK, &listened, NULL); /* what follows is short */
	}
	farm_tell_events(&a.farm);
	log_set_sink(NULL, NULL);
	release_all(&a);
	*context->config = a.farm.config;
	return err ? err : (int)a.farm.result;
}
