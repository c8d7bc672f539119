/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: The allocator
 *
 * The main process of skepd, a single-threaded event loop: ring records become leases, keepers keep
 * the pool warm, and releases and signals come in between. It never waits for a container, a disk
 * or a client.
 */
#ifndef SKEP_USER_ALLOCATOR_H
#define SKEP_USER_ALLOCATOR_H

#include "config.h"
#include "datapath.h"
#include "keeper.h"
#include "mac.h"
#include "sweeper.h"

/**
 * struct allocator_context - what the allocator works with; all of it outlives allocator_run()
 * @config:      the allocator may put another one in its place, and frees the old one
 * @control:     channel to the control process
 * @leftovers:   slots in which an earlier skepd left something
 */
struct allocator_context {
	struct config **config;
	struct datapath *dp;
	struct keepers *keepers;
	struct sweeper *sweeper;
	const __u8 *secret;
	int control;
	const __u32 *leftovers;
	size_t n_leftovers;
};

enum allocator_result {
	ALLOCATOR_STOPPED,
	ALLOCATOR_STOPPED_HALF, /* containers are left that could not be removed */
	ALLOCATOR_HANDOVER,
	ALLOCATOR_LEFT, /* stopped in panic: everything stays as it is */
};

/**
 * allocator_run() - takes over what there is, attaches to the uplinks and works until SIGTERM or
 * SIGINT, or until it is to hand the farm over
 *
 * The caller has blocked these and SIGHUP; they are let through once somebody listens. After a
 * signal it detaches on the way out and has every container destroyed; for a handover, and in
 * panic, everything stays as it is. Logs what is wrong. Return: enum allocator_result, or the
 * negative errno of what kept it from starting.
 */
int allocator_run(const struct allocator_context *context);

#endif
