// SPDX-License-Identifier: GPL-2.0
/*
 * The event loop; see allocator.h. Owns the events and nothing else: what they mean is in bind.c
 * and refill.c. Ring records have priority, but not for ever.
 */
#include "allocator.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "check.h"
#include "cleanup.h"
#include "farm.h"
#include "link.h"
#include "notify.h"

#define ASKS_AT_ONCE 64
#define TICK_US 100000
#define STOP_PATIENCE_NS (10 * NS_PER_SEC)
#define SEND_BUFFER (4 << 20)

enum { PRIORITY_ASKS, PRIORITY_REST, PRIORITIES };

struct allocator {
	struct farm farm;
	int monitor;
	struct event *asks, *more_asks, *control_event, *links, *tick, *term, *interrupt, *hangup;
};

static const char *problem(enum skep_verdict verdict)
{
	switch (verdict) {
	case SKEP_NO_BIND_POOL_EMPTY:
		return "no idle container for a first contact, the address stays dark";
	case SKEP_NO_BIND_PLUMB:
		return "a container refused its address; rolled back, container recycled";
	case SKEP_NO_BIND_MAP:
		return "a map refused a lease; rolled back, container recycled";
	case SKEP_SEND_FAILED:
		return "a held frame could not be sent to its port";
	default:
		return verdict_label(verdict);
	}
}

void farm_count(struct farm *farm, enum skep_verdict verdict, const char *text)
{
	unsigned long left_out;

	datapath_count(farm->dp, verdict);
	if (!text || !log_limit_pass(&farm->limits[verdict], monotonic_ns(), &left_out))
		return;
	if (left_out)
		log_warn("%s (%s; and %lu times more)", problem(verdict), text, left_out);
	else
		log_warn("%s (%s)", problem(verdict), text);
}

void farm_show(struct farm *farm, __u32 slot)
{
	const struct warm *warm = &farm->warm[slot];
	struct skep_container c = {
		.serial = warm->serial,
		.since_ns = warm->since_ns,
		.address = warm->address,
		.state = pool_state(farm->pool, slot),
		.pid = (__u32)warm->pid,
		.port = warm->port,
		.template = pool_template(farm->pool, slot),
	};

	datapath_set_container(farm->dp, slot, &c);
}

void farm_tell(struct farm *farm, const void *message, size_t size)
{
	if (message_send(farm->control, message, size, NULL, 0, true))
		datapath_count(farm->dp, SKEP_LOG_DROPPED);
}

static void tell_line(void *data, int priority, const char *line)
{
	struct log_message message = {.type = MESSAGE_LOG, .priority = priority};

	snprintf(message.line, sizeof(message.line), "%s", line);
	farm_tell(data, &message, sizeof(message));
}

/* Unlike lines and events, these must arrive: what finds the queue full is sent again later. */
static void tell_untold(struct farm *farm)
{
	struct state_message state = {.type = MESSAGE_STATE, .state = farm->state};

	if (farm->state_untold &&
	    !message_send(farm->control, &state, sizeof(state), NULL, 0, true))
		farm->state_untold = false;
	while (farm->n_results) {
		const struct result_message *last = &farm->results[farm->n_results - 1];

		if (message_send(farm->control, last, sizeof(*last), NULL, 0, true))
			return;
		farm->n_results--;
	}
}

static void set_state(struct farm *farm, enum daemon_state state)
{
	farm->state = state;
	farm->state_untold = true;
	tell_untold(farm);
}

void farm_wake_refill(struct farm *farm, __u64 wake_ns)
{
	__u64 now_ns = monotonic_ns();
	__u64 wait_us = wake_ns > now_ns ? (wake_ns - now_ns) / NS_PER_US + 1 : 0;
	struct timeval wait = {(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};

	if (wait_us)
		event_add(farm->refill, &wait);
	else
		event_active(farm->refill, EV_TIMEOUT, 0);
}

static void become_ready(struct farm *farm)
{
	if (farm->state != DAEMON_STARTING || !pool_is_warm(farm->pool))
		return;
	set_state(farm, DAEMON_RUNNING);
	notify_ready();
	log_info("running: %u idle containers", pool_count(farm->pool, SKEP_STATE_IDLE));
}

static void become_empty(struct farm *farm)
{
	if (farm->state == DAEMON_STOPPING &&
	    pool_count(farm->pool, SKEP_STATE_NONE) == farm->config->max)
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
	struct farm *farm = data;
	struct result_message result = {.type = MESSAGE_RESULT};
	struct release_message release;
	ssize_t n = message_receive(fd, &release, sizeof(release), NULL, 0, true);

	(void)what;
	if (n == -EAGAIN)
		return;
	if (n != sizeof(release)) {
		log_set_sink(NULL, NULL);
		log_error(
			"the control process died: skepctl will not work until skepd is restarted; "
			"everything else goes on");
		event_del(((struct allocator *)farm)->control_event);
		return;
	}
	result.client = release.client;
	result.err = bind_release_address(farm, &release.address, SKEP_RELEASED_COMMAND);
	if (farm->n_results < RESULTS_MAX)
		farm->results[farm->n_results++] = result;
	tell_untold(farm);
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

/* A stop is bounded: what cannot be removed is left to the next start, which says so. */
static void end_hopeless_stop(struct farm *farm)
{
	unsigned int failed = pool_count(farm->pool, SKEP_STATE_FAILED);
	unsigned int left = farm->config->max - pool_count(farm->pool, SKEP_STATE_NONE);

	if (left != failed || monotonic_ns() - farm->stop_ns < STOP_PATIENCE_NS)
		return;
	log_error("%u containers were not removed: the next start will try again", left);
	farm->error = -EBUSY;
	event_base_loopbreak(farm->base);
}

static void on_tick(evutil_socket_t fd, short what, void *data)
{
	struct farm *farm = data;

	(void)fd;
	(void)what;
	if (farm->state == DAEMON_STOPPING)
		end_hopeless_stop(farm);
	else
		bind_release_idle(farm);
	warn_of_full_ring(farm);
	tell_untold(farm);
	keepers_end_stuck(farm->keepers, monotonic_ns());
	for (unsigned int i = 0; i < keepers_count(farm->keepers); i++)
		if (keepers_fd(farm->keepers, i) < 0)
			refill_revive(farm, i);
}

static int find_uplink(const struct farm *farm, const char *name)
{
	for (size_t i = 0; i < farm->config->n_uplinks; i++)
		if (!strcmp(farm->config->uplinks[i].name, name))
			return (int)i;
	return -1;
}

/* The NIC went away, or is here again, perhaps as another one of the same name. */
static void on_link_changed(void *data, const char *name, unsigned int ifindex, bool gone)
{
	struct farm *farm = data;
	int uplink = find_uplink(farm, name);
	struct skep_uplink entry;

	if (uplink < 0 || farm->state == DAEMON_STOPPING ||
	    datapath_uplink(farm->dp, (__u16)uplink, &entry))
		return;
	if (gone && entry.ifindex == ifindex) {
		log_warn("%s vanished; waiting for it to come back", name);
		datapath_detach(farm->dp, (__u16)uplink);
	} else if (!gone && entry.ifindex != ifindex) {
		datapath_attach(farm->dp, (__u16)uplink, ifindex);
	}
}

static void on_own_address(void *data, __be32 addr)
{
	struct farm *farm = data;

	datapath_exclude(farm->dp, addr);
	if (farm->state != DAEMON_STOPPING)
		bind_release_all(farm, addr, SKEP_RELEASED_EXCLUDED);
}

/* What news may have been missed. */
static void look_around(struct farm *farm)
{
	cleanup_free __be32 *own = NULL;
	size_t n_own = 0;

	for (size_t i = 0; i < farm->config->n_uplinks; i++) {
		const char *name = farm->config->uplinks[i].name;
		unsigned int ifindex = if_nametoindex(name);
		struct skep_uplink entry;

		if (ifindex)
			on_link_changed(farm, name, ifindex, false);
		else if (!datapath_uplink(farm->dp, (__u16)i, &entry) && entry.ifindex)
			on_link_changed(farm, name, entry.ifindex, true);
	}
	if (check_own_addresses(&own, &n_own))
		return;
	for (size_t i = 0; i < n_own; i++)
		on_own_address(farm, own[i]);
}

static void on_links(evutil_socket_t fd, short what, void *data)
{
	const struct link_news news = {on_link_changed, on_own_address, data};

	(void)what;
	if (link_monitor_read(fd, &news) == -ENOBUFS)
		look_around(data);
}

static void stop(struct farm *farm)
{
	const struct timeval now = {};

	set_state(farm, DAEMON_STOPPING);
	notify_stopping();
	log_info("stopping: detaching and removing %u containers",
		 farm->config->max - pool_count(farm->pool, SKEP_STATE_NONE));
	for (size_t i = 0; i < farm->config->n_uplinks; i++)
		datapath_detach(farm->dp, (__u16)i);
	bind_release_all(farm, 0, SKEP_RELEASED_STOP);
	pool_drain(farm->pool);
	farm->stop_ns = monotonic_ns();
	event_add(farm->refill, &now);
}

static void on_stop(evutil_socket_t signal_number, short what, void *data)
{
	struct farm *farm = data;

	(void)signal_number;
	(void)what;
	if (farm->state != DAEMON_STOPPING)
		stop(farm);
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
	a->hangup = add_event(farm, SIGHUP, EV_SIGNAL, on_stop, PRIORITY_REST);
	a->more_asks = event_new(farm->base, -1, 0, on_more_asks, a);
	farm->refill = event_new(farm->base, -1, 0, on_refill, farm);
	if (!a->asks || !a->more_asks || !a->control_event || !a->links || !a->tick || !a->term ||
	    !a->interrupt || !a->hangup || !farm->refill)
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

static int make_pool(struct farm *farm, const struct allocator_context *context)
{
	const struct config *config = farm->config;

	farm->pool = pool_new(config->max, (unsigned int)config->n_templates);
	farm->warm = calloc(config->max, sizeof(*farm->warm));
	farm->keeper_events = calloc(keepers_count(farm->keepers), sizeof(struct event *));
	if (!farm->pool || !farm->warm || !farm->keeper_events)
		return -ENOMEM;
	for (__u32 i = 0; i < config->n_templates; i++)
		if (config_template_used(config, i))
			pool_set_warm(farm->pool, i, config->warm);
	for (__u32 i = 0; i < config->max; i++) {
		farm->warm[i].farm = farm;
		farm->warm[i].netlink = -EBADF;
		farm->warm[i].pidfd = -EBADF;
	}
	for (size_t i = 0; i < context->n_leftovers; i++)
		if (context->leftovers[i] < config->max)
			pool_adopt_dirty(farm->pool, context->leftovers[i]);
	return 0;
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

	if (!err)
		err = make_pool(farm, context);
	if (err)
		return err;
	farm->packet = open_packet_socket();
	if (farm->packet < 0)
		return farm->packet;
	err = datapath_on_ask(farm->dp, on_ask, farm);
	return err ? err : add_events(a);
}

static int attach_all(struct farm *farm)
{
	int err = 0;

	for (size_t i = 0; !err && i < farm->config->n_uplinks; i++) {
		unsigned int ifindex = if_nametoindex(farm->config->uplinks[i].name);

		err = ifindex ? datapath_attach(farm->dp, (__u16)i, ifindex) : -ENODEV;
	}
	return err;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void release_all(struct allocator *a)
{
	struct farm *farm = &a->farm;

	for (__u32 i = 0; farm->warm && i < farm->config->max; i++)
		refill_forget(farm, i);
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
	if (farm->base)
		event_base_free(farm->base);
	close_fd(a->monitor);
	close_fd(farm->packet);
	free(farm->keeper_events);
	free(farm->warm);
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

int allocator_run(const struct allocator_context *context)
{
	struct allocator a = {
		.farm = {.config = context->config,
			 .dp = context->dp,
			 .keepers = context->keepers,
			 .secret = context->secret,
			 .control = context->control,
			 .packet = -EBADF,
			 .last_lease = clock_ns(CLOCK_REALTIME)},
		.monitor = -EBADF,
	};
	int err = prepare(&a, context);

	if (err)
		log_error("cannot start the allocator: %s", strerror(-err));
	else
		err = attach_all(&a.farm);
	if (!err)
		look_around(&a.farm); /* at what came before the news was listened to */
	become_urgent();
	log_set_sink(tell_line, &a.farm);
	if (!err) {
		sigset_t none, listened;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, &listened);
		farm_wake_refill(&a.farm, 0);
		event_base_dispatch(a.farm.base);
		sigprocmask(SIG_BLOCK, &listened, NULL); /* what follows is short */
		err = a.farm.error;
	}
	log_set_sink(NULL, NULL);
	release_all(&a);
	return err;
}
