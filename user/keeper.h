/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: Keepers
 *
 * Starting and stopping a container takes liblxc milliseconds and forks. That is done by keepers:
 * processes forked at start-up, KEEPERS_PER_CORE each core. The allocator sends a keeper jobs over
 * a socket and goes on; a started container comes back as a message with its descriptors. One whose
 * template has `listens` stays in its keeper's nursery until it listens. A keeper that dies is
 * replaced, and what it was doing counts as failed.
 */
#ifndef SKEP_USER_KEEPER_H
#define SKEP_USER_KEEPER_H

#include <stdbool.h>
#include <sys/resource.h>

#include "config.h"
#include "message.h"
#include "pool.h"

/* Much of a start is waiting for the kernel, and another can go on meanwhile. */
#define KEEPERS_PER_CORE 2

/* Containers that one keeper watches at a time until they listen; it starts no more while it is
 * full. */
#define KEEPER_NURSERY 64

/**
 * struct keeper_context - what a keeper works with; must outlive it
 * @port_program: descriptor of the tc program
 * @secret:       key of host names, MAC_KEY_LEN bytes
 * @files:        limit of open files, the allocator's own is higher
 * @locks:        descriptors that hold skepd's directories until the last keeper has ended
 */
#define KEEPER_LOCKS 3
struct keeper_context {
	const struct config *config;
	int port_program;
	const __u8 *secret;
	struct rlimit files;
	int locks[KEEPER_LOCKS];
};

/** keeper_run() - the keeper process: works until the channel closes; never returns */
_Noreturn void keeper_run(const struct keeper_context *context, unsigned int number, int channel);

struct keepers;

/**
 * keepers_new() - forks @n keepers
 * @ret: freed with keepers_free()
 *
 * Return: 0 or negative errno.
 */
int keepers_new(const struct keeper_context *context, unsigned int n, struct keepers **ret);

/** keepers_free() - closes the channels and waits until the keepers have ended; accepts NULL */
struct keepers *keepers_free(struct keepers *keepers);

unsigned int keepers_count(const struct keepers *keepers);

/** keepers_fd() - the channel of a keeper, readable when it has news; negative while there is none
 */
int keepers_fd(const struct keepers *keepers, unsigned int number);

/** keepers_ready() - a keeper that can take a job, or -1; those with least to do come first */
int keepers_ready(const struct keepers *keepers);

/** keepers_are_idle() - none has a job in hand; what is in nurseries may take long */
bool keepers_are_idle(const struct keepers *keepers);

/** keepers_send() - gives it the job; one that cannot take it is killed, and its channel will tell
 */
void keepers_send(struct keepers *keepers, unsigned int number, const struct job_message *job);

/** keepers_end_stuck() - kills keepers at one job for a minute; their channels will tell */
void keepers_end_stuck(struct keepers *keepers, __u64 now_ns);

/**
 * keepers_configure() - all go over to a new configuration, after the jobs they have
 * @fd:     its text, for those that run (MESSAGE_CONFIG)
 * @config: the same, for those that are forked later; must outlive them
 *
 * A keeper that cannot is ended, and its channel will tell. Return: 0.
 */
int keepers_configure(struct keepers *keepers, int fd, const struct config *config);

/**
 * keepers_receive() - a result
 * @ret_fds: DONE_FDS descriptors, the caller's
 *
 * Return: 1 with a result, 0 when there is none now, -EPIPE when the keeper is gone: then
 * keepers_lost_job() until -ENOENT, and keepers_replace(). A result with -EINPROGRESS is no end:
 * the job is in the nursery and counts as lost if the keeper dies, but the keeper takes others.
 */
int keepers_receive(struct keepers *keepers, unsigned int number, struct done_message *ret,
		    int ret_fds[DONE_FDS]);

/**
 * keepers_take_back() - a start whose container is in a nursery
 *
 * Its end will not be told any more; the slot is the caller's to be recycled. For who will not
 * wait: call until -ENOENT. Return: 0 or -ENOENT.
 */
int keepers_take_back(struct keepers *keepers, struct job_message *ret);

/** keepers_lost_job() - a job that a dead keeper had; 0 or -ENOENT */
int keepers_lost_job(struct keepers *keepers, unsigned int number, struct job_message *ret);

/** keepers_replace() - forks another in its place; keepers_fd() changes. 0 or negative errno. */
int keepers_replace(struct keepers *keepers, unsigned int number);

#endif
