/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: First contacts that wait
 *
 * When no container is idle, the held frame of a first contact may wait for the next one: in order,
 * for a second at most, and not many. Pure: no clock, no system calls.
 */
#ifndef SKEP_USER_WAITING_H
#define SKEP_USER_WAITING_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "skep/ask.h"

#define WAITING_MAX 256

struct waiting;

/** waiting_new() - an empty queue, freed with waiting_free(); NULL when out of memory */
struct waiting *waiting_new(void);
struct waiting *waiting_free(struct waiting *waiting);

/**
 * waiting_add() - lets an ask wait
 * @size:     of the record, with its frame
 * @template: whose container it waits for
 * @until_ns: CLOCK_MONOTONIC; not before that of those who wait already
 *
 * A later ask of the same requester for the same address takes the place of the earlier one.
 * Return: whether it waits: not when the queue is full, or the record is larger than a small one.
 */
bool waiting_add(struct waiting *waiting, const struct skep_ask *ask, size_t size, __u32 template,
		 __u64 until_ns);

/** waiting_take() - the ask that has waited longest for the template; false when there is none */
bool waiting_take(struct waiting *waiting, __u32 template, struct skep_ask_small *ret);

/** waiting_take_address() - the same of those who wait for an address */
bool waiting_take_address(struct waiting *waiting, const struct skep_addr *address,
			  struct skep_ask_small *ret);

/** waiting_expire() - forgets those whose time is over. Return: how many. */
unsigned int waiting_expire(struct waiting *waiting, __u64 now_ns);

unsigned int waiting_count(const struct waiting *waiting);

#endif
