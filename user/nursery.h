/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A keeper's nursery: containers that have been started and do not yet listen at the ports of their
 * template. They are watched between jobs; one that listens, ends, or takes too long is reported.
 */
#ifndef SKEP_USER_NURSERY_H
#define SKEP_USER_NURSERY_H

#include <stdbool.h>

#include "keeper.h"

struct nursery;

/** nursery_new() - Return: freed with its keeper; NULL when out of memory */
struct nursery *nursery_new(void);

/**
 * nursery_add() - takes in a container; there must be room
 * @done:  of its start so far
 * @fds:   DONE_FDS descriptors, the nursery's from now on
 * @diag:  diag socket in its network namespace (sockets.h), likewise
 * @ports: that it must listen at, host order, at most CONFIG_LISTENS_MAX
 */
void nursery_add(struct nursery *nursery, const struct done_message *done, const int fds[DONE_FDS],
		 int diag, const __u16 *ports, size_t n_ports);

/** nursery_drop() - forgets the container in a slot, if it is here */
void nursery_drop(struct nursery *nursery, __u32 slot);

bool nursery_is_full(const struct nursery *nursery);

/** nursery_wait_ms() - when it is to be looked at next; -1 for never. For poll(2). */
int nursery_wait_ms(const struct nursery *nursery, __u64 now_ns);

/**
 * nursery_next() - takes out one that is ready, has ended, or was not ready in time
 * @ret:     what to report; err is 0, or -ESRCH or -ETIMEDOUT with a reason
 * @ret_fds: the caller's
 *
 * Return: false when there is none, until the next time is due.
 */
bool nursery_next(struct nursery *nursery, __u64 now_ns, struct done_message *ret,
		  int ret_fds[DONE_FDS]);

#endif
