/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: Sweep
 *
 * The addresses of all verified ranges, round after round, each once a round and in another random
 * order each time; no table of them is kept. And the rules by which the sweeper goes: which address
 * is due for a probe, and how fast a round goes. Pure; probes are sent by sweeper.c.
 */
#ifndef SKEP_USER_SWEEP_H
#define SKEP_USER_SWEEP_H

#include <stdbool.h>
#include <stddef.h>

#include "config.h"
#include "mac.h"
#include "skep/maps.h"

struct sweep;

/**
 * sweep_new() - the verified ranges of a configuration
 * @ret: freed with sweep_free()
 *
 * No round has begun: sweep_next() returns false. Return: 0 or -ENOMEM.
 */
int sweep_new(const struct config *config, struct sweep **ret);

/** sweep_free() - accepts NULL, returns NULL */
struct sweep *sweep_free(struct sweep *sweep);

/** sweep_total() - how many addresses there are in a round */
__u64 sweep_total(const struct sweep *sweep);

/** sweep_at() - how many of them the round has been at */
__u64 sweep_at(const struct sweep *sweep);

/** sweep_begin() - begins a round; another order for each key */
void sweep_begin(struct sweep *sweep, const __u8 key[MAC_KEY_LEN]);

/** sweep_next() - the next address of the round; false when there is no more */
bool sweep_next(struct sweep *sweep, struct skep_addr *ret);

/*
 * A round takes a third of host_memory, and what is settled is looked at when its last probe is
 * that old: so no more than host_memory lies between two looks, wherever the two rounds have it.
 */

/**
 * sweep_is_due() - whether an address is to be probed when a round comes to it
 * @settled:  it is known to be a host's, or to be quiet
 * @age_s:    seconds since its last probe
 * @memory_s: host_memory
 */
bool sweep_is_due(bool settled, __u32 age_s, unsigned int memory_s);

/**
 * sweep_mean_ns() - the wanted distance of two probes on average
 * @hurry: there are addresses that are not settled; 0 is returned, which is as fast as may be
 */
__u64 sweep_mean_ns(const struct sweep *sweep, unsigned int memory_s, bool hurry);

/** sweep_round_s() - how long a round takes at least, at so many probes a second */
__u64 sweep_round_s(const struct sweep *sweep, unsigned int per_second);

#endif
