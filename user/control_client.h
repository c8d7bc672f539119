/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The control process's state, shared by its parts: control.c (the process and its clients),
 * control_request.c (what they ask), control_notices.c (what containers were refused) and
 * control_reload.c (a new configuration). Nothing outside these files sees it.
 */
#ifndef SKEP_USER_CONTROL_CLIENT_H
#define SKEP_USER_CONTROL_CLIENT_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <jansson.h>

#include "config.h"
#include "datapath.h"
#include "listing.h"
#include "message.h"
#include "request.h"

#define CLIENTS_MAX 64

/* Whether a client waits for a reload: a coming one, since the file may have been read already for
 * the one that goes on, or that. */
enum reload_wait { RELOAD_NOT_AWAITED, RELOAD_COMING, RELOAD_GOING_ON };

/**
 * struct client - one connection
 * @id:      not used again, so that a late answer meets nobody else
 * @listing: the answer that is being written, a slice at a time
 * @awaited: what the result is called when the allocator has done it; NULL when nothing is awaited
 */
struct client {
	struct control *control;
	struct bufferevent *connection;
	__u32 id;
	struct listing *listing;
	const char *awaited;
	enum reload_wait reload;
	bool watching;
};

/**
 * struct reload - one at a time
 * @next:  the configuration that the allocator has not answered for yet, or NULL
 * @again: another one was asked for meanwhile
 */
struct reload {
	struct config *next;
	bool again;
};

struct control {
	const struct config *config;
	struct config *own; /* @config, unless it is that of the start */
	const struct datapath *dp;
	struct event_base *base;
	struct evconnlistener *listener;
	int channel;
	int preparer; /* channel to who prepares what a reload needs */
	struct state_message state;
	struct reload reload;
	__u64 started_ns;
	__u32 last_id;
	struct client *clients[CLIENTS_MAX];
};

/* control.c */

/** client_drop() - ends the connection; @client is gone */
void client_drop(struct client *client);

/** client_reply() - takes @object. A client that has too much unread is dropped; then false. */
bool client_reply(struct client *client, json_t *object);

void client_refuse(struct client *client, const char *error);

/** control_tell() - takes an event; every client that watches gets it */
void control_tell(struct control *control, json_t *event);

/** client_done() - what it awaits is done, or with @error it is not */
void client_done(struct client *client, const char *error);

/* control_request.c */

/** request_answer() - answers, or passes the request on to the allocator */
void request_answer(struct client *client, const struct request *request);

/** request_list_on() - writes the next slice of the client's listing */
void request_list_on(struct client *client);

/* control_notices.c */

/** notices_start() - from now on clients that watch are told what containers were refused */
void notices_start(struct control *control);

/* control_reload.c */

/**
 * reload_may_hand_over() - whether the next skepd could start with the file as it is, and find this
 * farm
 * @error: CONFIG_ERROR_MAX bytes; if not, why
 */
bool reload_may_hand_over(const struct config *running, char *error);

/**
 * reload_wanted() - reads the configuration file again, now or when the reload that goes on is done
 *
 * The allocator waits for no disk, and a wrong file has changed nothing. Whatever comes of it is
 * logged, and told to the clients for whom it is RELOAD_COMING.
 */
void reload_wanted(struct control *control);

/** reload_end() - the allocator has answered: the new configuration holds unless @err */
void reload_end(struct control *control, int err, const char *error);

#endif
