// SPDX-License-Identifier: GPL-2.0
/*
 * The control process; see control.h. Owns the clients. Bounded in their number, in what each may
 * send and in what may wait to be read by each; whoever exceeds that is disconnected.
 */
#include "control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/listener.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "control_client.h"
#include "preparer.h"
#include "privileges.h"
#include "report.h"

#define OUTPUT_MAX (1U << 20) /* bytes a watcher may be behind */
#define REQUEST_TIMEOUT_S 30
#define LAST_WORDS_S 2
#define MESSAGES_AT_ONCE 64

void client_drop(struct client *client)
{
	struct control *control = client->control;

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (control->clients[i] == client)
			control->clients[i] = NULL;
	bufferevent_free(client->connection);
	listing_free(client->listing);
	free(client);
}

bool client_reply(struct client *client, json_t *object)
{
	struct evbuffer *output = bufferevent_get_output(client->connection);
	cleanup_free char *text = object ? json_dumps(object, REPORT_FLAGS) : NULL;

	json_decref(object);
	if (!text || (client->watching && evbuffer_get_length(output) > OUTPUT_MAX)) {
		client_drop(client);
		return false;
	}
	evbuffer_add_printf(output, "%s\n", text);
	return true;
}

void client_refuse(struct client *client, const char *text)
{
	json_t *error = report_error(text);

	/* What a configuration file says need not be text. */
	client_reply(client, error ? error : report_error("refused; skepd's log says why"));
}

void client_done(struct client *client, const char *error)
{
	const char *result = client->awaited;

	client->awaited = NULL;
	if (error)
		client_refuse(client, error);
	else
		client_reply(client, json_pack("{ss}", "result", result));
}

static void on_line(struct client *client, const char *line, size_t len)
{
	struct request request;
	const char *error;

	if (request_parse(line, len, &request, &error))
		client_refuse(client, error);
	else
		request_answer(client, &request);
}

static void on_read(struct bufferevent *connection, void *data)
{
	struct client *client = data;
	struct evbuffer *input = bufferevent_get_input(connection);
	size_t len;
	cleanup_free char *line = NULL;

	if (client->watching) { /* has nothing more to say */
		evbuffer_drain(input, evbuffer_get_length(input));
		return;
	}
	/* One request at a time: the next one when the answer to the last has been read. */
	if (client->awaited || evbuffer_get_length(bufferevent_get_output(connection)))
		return;
	if (client->listing)
		return request_list_on(client);
	line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);
	if (line)
		on_line(client, line, len);
	else if (evbuffer_get_length(input) >= REQUEST_LINE_MAX)
		client_drop(client);
}

static void on_end(struct bufferevent *connection, short what, void *data)
{
	(void)connection;
	(void)what; /* end of file, an error, or the time-out: all the same */
	client_drop(data);
}

/* When there is none, the client goes that has been silent longest: clients who say nothing lock
 * nobody out. */
static size_t free_place(struct control *control)
{
	struct client *oldest = NULL;
	size_t place = CLIENTS_MAX;

	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = control->clients[i];

		if (!client)
			return i;
		if (!client->watching && !client->awaited && (!oldest || client->id < oldest->id)) {
			oldest = client;
			place = i;
		}
	}
	if (oldest)
		client_drop(oldest);
	return place;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from,
		      int len, void *data)
{
	const struct timeval timeout = {.tv_sec = REQUEST_TIMEOUT_S};
	struct control *control = data;
	size_t i = free_place(control);
	struct client *client = i < CLIENTS_MAX ? calloc(1, sizeof(*client)) : NULL;

	(void)listener;
	(void)from;
	(void)len;
	if (!client) {
		close(fd);
		return;
	}
	client->control = control;
	client->id = ++control->last_id;
	client->connection = bufferevent_socket_new(
		control->base, fd, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	control->clients[i] = client;
	bufferevent_setcb(client->connection, on_read, on_read, on_end, client);
	bufferevent_setwatermark(client->connection, EV_READ, 0, REQUEST_LINE_MAX);
	bufferevent_set_timeouts(client->connection, &timeout, &timeout);
	bufferevent_enable(client->connection, EV_READ | EV_WRITE);
}

void control_tell(struct control *control, json_t *event)
{
	for (size_t i = 0; event && i < CLIENTS_MAX; i++)
		if (control->clients[i] && control->clients[i]->watching)
			client_reply(control->clients[i], json_incref(event));
	json_decref(event);
}

static void on_event_message(struct control *control, const struct event_message *event)
{
	control_tell(control, report_event(control->config, event));
}

static const char *result_text(struct result_message *result)
{
	result->text[sizeof(result->text) - 1] = '\0';
	if (*result->text)
		return result->text;
	return result->err == -ENOENT ? "no lease has this address" : strerror(-result->err);
}

/* Whoever asked may have gone. */
static void on_result_message(struct control *control, struct result_message *result)
{
	const char *text = result_text(result);

	if (!result->client && control->reload.next)
		reload_end(control, result->err, text);
	for (size_t i = 0; result->client && i < CLIENTS_MAX; i++) {
		struct client *client = control->clients[i];

		if (client && client->id == result->client && client->awaited)
			return client_done(client, result->err ? text : NULL);
	}
}

union any_message {
	enum message_type type;
	struct log_message log;
	struct state_message state;
	struct event_message event;
	struct result_message result;
};

static void on_message(struct control *control, union any_message *message)
{
	switch (message->type) {
	case MESSAGE_LOG:
		log_write(message->log.priority, message->log.line);
		break;
	case MESSAGE_STATE:
		control->state = message->state;
		break;
	case MESSAGE_EVENT:
		on_event_message(control, &message->event);
		break;
	case MESSAGE_RESULT:
		on_result_message(control, &message->result);
		break;
	case MESSAGE_RELOAD:
		reload_wanted(control);
		break;
	default:
		break;
	}
}

/* What clients have been answered and not been sent yet, as far as they take it at once. */
static void flush_clients(const struct control *control)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct bufferevent *connection =
			control->clients[i] ? control->clients[i]->connection : NULL;
		struct evbuffer *output = connection ? bufferevent_get_output(connection) : NULL;

		if (!output || !evbuffer_get_length(output))
			continue;
		evbuffer_unfreeze(output, 1); /* the bufferevent's own hold on it */
		evbuffer_write(output, bufferevent_getfd(connection));
	}
}

static void on_channel(evutil_socket_t fd, short what, void *data)
{
	struct control *control = data;
	union any_message message;

	(void)what;
	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		ssize_t n = message_receive(fd, &message, sizeof(message), NULL, 0, true);

		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			event_base_loopbreak(control->base);
			return;
		}
		on_message(control, &message);
	}
}

static void on_parent_death(int number)
{
	(void)number;
	alarm(LAST_WORDS_S);
}

/* Everything the allocator said is written before the process ends. */
static _Noreturn void control_run(struct control *control, int listen_fd)
{
	struct event *channel;
	pid_t preparer;

	prctl(PR_SET_NAME, "skepd-control");
	/* The channel tells when the allocator ends; but stderr may be stalled just then. */
	signal(SIGUSR1, on_parent_death);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	control->preparer = preparer_start(control->config, &preparer);
	if (control->preparer < 0)
		_exit(1);
	control->base = event_base_new();
	if (!control->base)
		_exit(1);
	control->listener =
		evconnlistener_new(control->base, on_accept, control,
				   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, listen_fd);
	channel = event_new(control->base, control->channel, EV_READ | EV_PERSIST, on_channel,
			    control);
	if (!control->listener || !channel || event_add(channel, NULL) ||
	    privileges_drop(PRIVILEGES_CONTROL))
		_exit(1);
	notices_start(control);
	event_base_dispatch(control->base);
	flush_clients(control);
	close(control->preparer);
	waitpid(preparer, NULL, 0);
	_exit(0);
}

static void give_to_group(const char *path, const char *group)
{
	const struct group *entry = getgrnam(group);

	if (!entry)
		log_warn("no group \"%s\": the control socket is for root alone (make it with "
			 "'groupadd --system %s')",
			 group, group);
	else if (chown(path, 0, entry->gr_gid))
		log_warn("cannot give %s to group \"%s\": %m", path, group);
}

/* The directory is locked, so a socket that is there belongs to nobody. */
static int open_socket(const struct config *config)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET_NAME,
			 config->run_dir);
	mode_t mask;
	int err;

	if (n >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (fd < 0)
		return -errno;
	unlink(address.sun_path);
	mask = umask(0117);
	err = bind(fd, (struct sockaddr *)&address, sizeof(address)) ? -errno : 0;
	umask(mask);
	if (err || listen(fd, CLIENTS_MAX))
		return err ? err : -errno;
	give_to_group(address.sun_path, config->group);
	return move_fd(&fd);
}

int control_start(const struct config *config, const struct datapath *dp, int *ret_channel)
{
	struct control control = {
		.config = config,
		.dp = dp,
		.state = {.state = DAEMON_STARTING, .warm = config->warm, .max = config->max},
		.started_ns = monotonic_ns(),
	};
	cleanup_close int listen_fd = open_socket(config);
	int ends[2], err;
	pid_t pid;

	if (listen_fd < 0) {
		log_error("cannot open the control socket in %s: %s", config->run_dir,
			  strerror(-listen_fd));
		return listen_fd;
	}
	err = message_pair(ends);
	if (err)
		return err;
	pid = fork();
	if (pid < 0) {
		err = -errno;
		close(ends[0]);
		close(ends[1]);
		return err;
	}
	if (!pid) {
		close(ends[0]);
		control.channel = ends[1];
		control_run(&control, listen_fd);
	}
	close(ends[1]);
	*ret_channel = ends[0];
	return pid;
}
