/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: The sweeper
 *
 * A process of its own sends a probe to every address of the verified ranges, round after round,
 * and raises what `verify` says of an address when a probe stayed unanswered. Who answered it does
 * not hear itself: the uplink program learns hosts, and `hosts` is looked at. So the hot path knows
 * nothing of it, and it may be stopped, killed and replaced at any time.
 */
#ifndef SKEP_USER_SWEEPER_H
#define SKEP_USER_SWEEPER_H

#include "config.h"
#include "datapath.h"

#define SWEEPER_LOCKS 3

/**
 * struct sweeper_context - what its processes work with
 * @dp:    whose maps; it outlives the sweeper
 * @locks: held until the last process has written its file
 * @fresh: the maps are new: what the file knows is to be read
 */
struct sweeper_context {
	const struct datapath *dp;
	int locks[SWEEPER_LOCKS];
	bool fresh;
};

struct sweeper;

/** sweeper_new() - forks the process; freed with sweeper_free(). Return: 0 or negative errno. */
int sweeper_new(const struct sweeper_context *context, const struct config *config,
		struct sweeper **ret);

/**
 * sweeper_free() - ends the process when it has written its file. Accepts NULL, returns NULL.
 * @for_good: nobody goes on with the maps
 */
struct sweeper *sweeper_free(struct sweeper *sweeper, bool for_good);

/**
 * sweeper_look_after() - replaces a process that has died, at most once a second
 *
 * Return: whether one has died since the last time.
 */
bool sweeper_look_after(struct sweeper *sweeper, const struct config *config);

/** sweeper_configure() - from now on it goes by the configuration whose text is in @fd */
void sweeper_configure(struct sweeper *sweeper, int fd);

/** sweeper_run() - the process itself, in sweeper_run.c; @channel: ends it when it is closed */
_Noreturn void sweeper_run(const struct sweeper_context *context, const struct config *config,
			   int channel);

#endif
