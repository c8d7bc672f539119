/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The allocator's state, shared by its three parts: bind.c (addresses), refill.c (containers) and
 * allocator.c (the event loop that wires them to the world). Nothing outside these files sees it.
 */
#ifndef SKEP_USER_FARM_H
#define SKEP_USER_FARM_H

#include <event2/event.h>

#include "clock.h"
#include "config.h"
#include "datapath.h"
#include "keeper.h"
#include "log.h"
#include "mac.h"
#include "message.h"
#include "pool.h"

/**
 * struct warm - what the allocator holds of the container in a slot, beside its state in the pool
 * @exit:    event on @pidfd
 * @netlink: rtnetlink socket inside its network namespace
 * @eth0:    ifindex of its own end
 * @address: of its lease while bound
 */
struct warm {
	struct farm *farm;
	struct event *exit;
	int netlink;
	int pidfd;
	pid_t pid;
	__u32 port;
	__u32 eth0;
	__u64 serial;
	__u64 since_ns;
	struct skep_addr address;
};

#define RESULTS_MAX 64 /* the control process has no more clients than that */

struct farm {
	const struct config *config;
	struct datapath *dp;
	struct pool *pool;
	struct keepers *keepers;
	struct warm *warm;
	const __u8 *secret;
	struct event_base *base;
	struct event *refill;
	struct event **keeper_events;
	int packet;  /* held frames go out here */
	int control; /* channel to the control process */
	enum daemon_state state;
	__u64 last_serial;
	__u64 last_lease;
	__u64 stop_ns; /* when stopping began */
	int error;     /* of the event loop */
	bool state_untold;
	unsigned int n_results;
	struct result_message results[RESULTS_MAX]; /* that the control process has not got yet */
	__u64 ring_full; /* first contacts dropped so far, as far as logged */
	__u32 idle_cursor;
	struct log_limit limits[SKEP_VERDICT_MAX];
};

/* allocator.c */

/** farm_count() - counts a verdict and, if @text is given, logs it at a bounded rate */
void farm_count(struct farm *farm, enum skep_verdict verdict, const char *text);

/** farm_show() - writes the state of a slot to the map `containers` */
void farm_show(struct farm *farm, __u32 slot);

/** farm_tell() - a message to the control process; counted when its queue is full */
void farm_tell(struct farm *farm, const void *message, size_t size);

/** farm_wake_refill() - runs refill() again at @wake_ns, or as soon as nothing urgent is left when
 * 0 */
void farm_wake_refill(struct farm *farm, __u64 wake_ns);

/** farm_watch_keeper() - listens to a keeper's channel */
int farm_watch_keeper(struct farm *farm, unsigned int number);

/** farm_forget_keeper() - stops listening to it */
void farm_forget_keeper(struct farm *farm, unsigned int number);

/* bind.c */

/** bind_ask() - answers a ring record: binds the address, or sends the frame again when that is
 * done already */
void bind_ask(struct farm *farm, const struct skep_ask *ask, size_t size);

/** bind_release() - makes the address of a bound container dark and gives the container up */
void bind_release(struct farm *farm, __u32 slot, enum skep_verdict why);

/** bind_release_address() - the same by address; 0 or -ENOENT */
int bind_release_address(struct farm *farm, const struct skep_addr *address, enum skep_verdict why);

/** bind_release_all() - releases every lease, or those of one address (network byte order) unless
 * it is 0 */
void bind_release_all(struct farm *farm, __be32 addr, enum skep_verdict why);

/** bind_release_idle() - looks at some of the bound containers, others next time */
void bind_release_idle(struct farm *farm);

/* refill.c */

/** refill() - gives the keepers what there is to do */
void refill(struct farm *farm);

/** refill_keeper_news() - reads what a keeper has done, or replaces it when it has died */
void refill_keeper_news(struct farm *farm, unsigned int number);

/** refill_revive() - forks a keeper in the place of one that is gone */
void refill_revive(struct farm *farm, unsigned int number);

/** refill_died() - the container in a slot has ended by itself */
void refill_died(struct farm *farm, __u32 slot);

/** refill_forget() - lets go of what is held of a slot's container */
void refill_forget(struct farm *farm, __u32 slot);

#endif
