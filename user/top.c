// SPDX-License-Identifier: GPL-2.0
/*
 * top; see top.h. Asks once a second over one connection and is told of binds and releases over
 * another. Owns what was asked and told; what it looks like is top_view.c, the terminal
 * top_screen.c.
 */
#include "top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "client.h"
#include "clock.h"
#include "top_screen.h"
#include "top_view.h"

#define NEWEST_MAX 128
#define PERIOD_NS NS_PER_SEC
#define PATIENCE_S 5
#define SNAPSHOT_WIDTH 80
#define SNAPSHOT_HEIGHT 24

struct totals {
	json_int_t binds, releases, refused;
};

/**
 * struct top - @feed: descriptor of the connection that tells of events, negative without one
 * @feed_text: what came and is not a whole line yet
 * @asked_ns:  when the answers came
 */
struct top {
	FILE *stream;
	const char *socket;
	int feed;
	char feed_text[16384];
	size_t feed_len;
	json_t *status, *latency, *counters, *newest;
	__u64 asked_ns;
	struct totals totals;
	struct top_view view;
};

static int gone(void)
{
	fputs(errno == EAGAIN ? "skepctl: skepd does not answer\n" : "skepctl: skepd went away\n",
	      stderr);
	return -EPIPE;
}

/* Puts the answer in the place of the last one. */
static int ask(struct top *top, const char *command, json_t **ret)
{
	json_t *answer = NULL;
	const char *error;

	errno = 0;
	if (!client_send(top->stream, json_pack("{ss}", "command", command)))
		answer = client_receive(top->stream);
	if (!answer) {
		screen_close();
		return gone();
	}
	error = json_string_value(json_object_get(answer, "error"));
	if (error) {
		screen_close();
		fprintf(stderr, "skepctl: %s: %s\n", command, error);
		json_decref(answer);
		return -EPROTO;
	}
	json_decref(*ret);
	*ret = answer;
	return 0;
}

static json_int_t sum(const json_t *numbers, const char *prefix)
{
	json_int_t total = 0;
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)numbers, key, value)
		if (!strncmp(key, prefix, strlen(prefix)))
			total += json_integer_value(value);
	return total;
}

static struct totals total_up(const struct top *top)
{
	const json_t *counters = json_object_get(top->counters, "counters");

	return (struct totals){
		.binds = json_integer_value(json_object_get(counters, "bound")),
		.releases = sum(counters, "released_"),
		.refused = sum(json_object_get(top->status, "refused"), ""),
	};
}

/* A skepd that was started anew counts from the beginning. */
static double rate(json_int_t before, json_int_t now, double seconds)
{
	return now > before ? (double)(now - before) / seconds : 0;
}

static void reckon(struct top *top, __u64 now_ns)
{
	const double seconds = (double)(now_ns - top->asked_ns) / NS_PER_SEC;
	const struct totals now = total_up(top);

	top->view.has_rates = top->asked_ns && seconds > 0;
	if (top->view.has_rates) {
		top->view.binds = rate(top->totals.binds, now.binds, seconds);
		top->view.releases = rate(top->totals.releases, now.releases, seconds);
		top->view.refused = rate(top->totals.refused, now.refused, seconds);
	}
	top->totals = now;
	top->asked_ns = now_ns;
	top->view.status = top->status;
	top->view.latency = top->latency;
	top->view.newest = top->newest;
}

static int refresh_answers(struct top *top)
{
	int err = ask(top, "status", &top->status);

	if (!err)
		err = ask(top, "counters", &top->counters);
	if (!err)
		err = ask(top, "latency", &top->latency);
	if (!err)
		reckon(top, monotonic_ns());
	return err;
}

/* Takes nothing; leases and binds have the same keys as far as these are shown. */
static void add_newest(struct top *top, size_t at, json_t *lease)
{
	json_array_insert(top->newest, at, lease);
	if (json_array_size(top->newest) > NEWEST_MAX)
		json_array_remove(top->newest, NEWEST_MAX);
}

static bool is_same(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"address", "uplink", "vlan"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])))
			return false;
	return true;
}

static void remove_released(struct top *top, const json_t *event)
{
	for (size_t i = json_array_size(top->newest); i-- > 0;)
		if (is_same(json_array_get(top->newest, i), event))
			json_array_remove(top->newest, i);
}

/* The moments are strings of one form, so that they sort as such. */
static bool is_newer(const json_t *a, const json_t *b)
{
	const char *at_a = json_string_value(json_object_get(a, "bound_at"));
	const char *at_b = json_string_value(json_object_get(b, "bound_at"));

	return at_a && (!at_b || strcmp(at_a, at_b) > 0);
}

/* The leases that there are already. */
static int find_newest(struct top *top)
{
	json_t *answer = NULL, *lease;
	int err = ask(top, "leases", &answer);
	size_t i;

	json_array_clear(top->newest);
	json_array_foreach (json_object_get(answer, "leases"), i, lease) {
		size_t at = json_array_size(top->newest);

		while (at && is_newer(lease, json_array_get(top->newest, at - 1)))
			at--;
		add_newest(top, at, lease);
	}
	json_decref(answer);
	return err;
}

static void close_feed(struct top *top)
{
	top->feed = close_fd(top->feed);
	top->feed_len = 0;
}

static void on_event(struct top *top, const char *line, size_t len)
{
	json_t *event = json_loadb(line, len, 0, NULL);
	const char *what = json_string_value(json_object_get(event, "event"));

	if (what && !strcmp(what, "bind"))
		add_newest(top, 0, event);
	else if (what && !strcmp(what, "release"))
		remove_released(top, event);
	json_decref(event);
}

static void take_lines(struct top *top)
{
	char *line = top->feed_text, *end;

	while ((end = memchr(line, '\n', top->feed_text + top->feed_len - line))) {
		on_event(top, line, (size_t)(end - line));
		line = end + 1;
	}
	top->feed_len -= (size_t)(line - top->feed_text);
	memmove(top->feed_text, line, top->feed_len);
}

/* A feed that ends is opened again; whether skepd is gone, the other connection tells. */
static void read_feed(struct top *top)
{
	ssize_t n = recv(top->feed, top->feed_text + top->feed_len,
			 sizeof(top->feed_text) - top->feed_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_feed(top);
		return;
	}
	top->feed_len += (size_t)n;
	take_lines(top);
}

/* Events first, so that none is missed between them and the list of leases. */
static int open_feed(struct top *top)
{
	static const char watch[] = "{\"command\":\"watch\"}\n";

	top->feed = client_open(top->socket);
	if (top->feed < 0 ||
	    send(top->feed, watch, strlen(watch), MSG_NOSIGNAL) != (ssize_t)strlen(watch)) {
		close_feed(top);
		screen_close();
		return gone();
	}
	return find_newest(top);
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

/*
 * Signals come only while it waits (*ret_waiting), never in the midst of an answer; those of the
 * terminal are ncurses' own.
 */
static void hold_signals(sigset_t *ret_waiting)
{
	const struct sigaction action = {.sa_handler = on_signal};
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGWINCH);
	sigaddset(&held, SIGTSTP);
	for (size_t i = 0; i < ARRAY_SIZE(ending); i++) {
		sigaction(ending[i], &action, NULL);
		sigaddset(&held, ending[i]);
	}
	sigprocmask(SIG_BLOCK, &held, ret_waiting);
}

/* As if nobody had caught it, but with the terminal as it was. */
static void end_by_signal(const sigset_t *waiting)
{
	screen_close();
	signal(caught, SIG_DFL);
	raise(caught);
	sigprocmask(SIG_SETMASK, waiting, NULL);
}

/* Until a key was pressed, an event came, or it is time to ask again. */
static void wait_for_news(struct top *top, const sigset_t *waiting)
{
	const __u64 now_ns = monotonic_ns(), due_ns = top->asked_ns + PERIOD_NS;
	const __u64 left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
	const struct timespec left = {(time_t)(left_ns / NS_PER_SEC), (long)(left_ns % NS_PER_SEC)};
	struct pollfd fds[] = {
		{.fd = isatty(STDIN_FILENO) ? STDIN_FILENO : -1, .events = POLLIN},
		{.fd = top->feed, .events = POLLIN},
	};

	if (ppoll(fds, ARRAY_SIZE(fds), &left, waiting) > 0 && fds[1].revents)
		read_feed(top);
}

/* Return: whether to quit. */
static bool take_keys(const struct top *top)
{
	enum screen_key key;

	while ((key = screen_key()) != SCREEN_NO_KEY) {
		if (key == SCREEN_QUIT)
			return true;
		screen_show(&top->view);
	}
	return false;
}

static int show_news(struct top *top)
{
	int err = top->feed < 0 ? open_feed(top) : 0;

	if (!err)
		err = refresh_answers(top);
	if (!err)
		screen_show(&top->view);
	return err;
}

static int live(struct top *top)
{
	sigset_t waiting;
	int err;

	hold_signals(&waiting);
	err = screen_open();
	while (!err && !take_keys(top)) {
		if (monotonic_ns() >= top->asked_ns + PERIOD_NS)
			err = show_news(top);
		if (!err)
			wait_for_news(top, &waiting);
		if (caught)
			end_by_signal(&waiting);
	}
	screen_close();
	return err;
}

static void print_line(void *data, bool heading, const char *text)
{
	(void)heading;
	fprintf(data, "%s\n", text);
}

static void print_json(const struct top_view *view)
{
	json_t *object =
		json_pack("{sO s{sf sf sf} sO sO}", "status", view->status, "rates", "binds_per_s",
			  view->binds, "releases_per_s", view->releases, "refused_per_s",
			  view->refused, "latency", view->latency, "newest", view->newest);

	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	json_decref(object);
}

/* Rates need two looks, a second apart. */
static int snapshot(struct top *top, bool json)
{
	const struct timespec second = {.tv_sec = 1};
	int err = refresh_answers(top);

	if (err)
		return err;
	nanosleep(&second, NULL);
	err = refresh_answers(top);
	if (!err)
		err = find_newest(top);
	if (err)
		return err;
	if (json)
		print_json(&top->view);
	else
		top_view_lines(&top->view, SNAPSHOT_WIDTH, SNAPSHOT_HEIGHT, print_line, stdout);
	return 0;
}

int top_run(FILE *stream, const char *socket, bool json)
{
	struct top top = {
		.stream = stream, .socket = socket, .feed = -EBADF, .newest = json_array()};
	int err = client_set_patience(stream, PATIENCE_S);

	if (!err)
		err = json || !isatty(STDOUT_FILENO) ? snapshot(&top, json) : live(&top);
	close_feed(&top);
	json_decref(top.status);
	json_decref(top.latency);
	json_decref(top.counters);
	json_decref(top.newest);
	return err;
}
