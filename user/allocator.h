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

/**
 * struct allocator_context - what the allocator works with; all of it outlives allocator_run()
 * @control:     channel to the control process
 * @leftovers:   slots with containers of an earlier skepd, to be recycled first
 */
struct allocator_context {
	const struct config *config;
	struct datapath *dp;
	struct keepers *keepers;
	const __u8 *secret;
	int control;
	const __u32 *leftovers;
	size_t n_leftovers;
};

/**
 * allocator_run() - attaches to the uplinks and works until SIGTERM, SIGINT or SIGHUP
 *
 * The caller has blocked these; they are let through once somebody listens.
 * On the way out it detaches and has every container destroyed. Logs what is wrong.
 * Return: 0 after a signal, or the negative errno of what kept it from starting.
 */
int allocator_run(const struct allocator_context *context);

#endif
