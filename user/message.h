/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What skepd's own processes say to each other over SOCK_SEQPACKET: one struct a message, the type
 * first, descriptors by SCM_RIGHTS. All ends are forked from one binary, so the layout needs no
 * versions.
 */
#ifndef SKEP_USER_MESSAGE_H
#define SKEP_USER_MESSAGE_H

#include <stdbool.h>
#include <sys/types.h>

#include "container.h"
#include "log.h"
#include "skep/maps.h"

enum message_type {
	MESSAGE_JOB,	 /* allocator -> keeper */
	MESSAGE_DONE,	 /* keeper -> allocator */
	MESSAGE_LOG,	 /* allocator -> control */
	MESSAGE_STATE,	 /* allocator -> control */
	MESSAGE_EVENT,	 /* allocator -> control */
	MESSAGE_RELEASE, /* control -> allocator */
	MESSAGE_RESULT,	 /* allocator -> control */
};

/** struct job_message - @op: enum pool_op */
struct job_message {
	enum message_type type;
	__u32 op;
	__u32 slot;
	__u32 template;
	__u64 serial;
};

/**
 * struct done_message - a job is done; a start that went well brings two descriptors
 * @err:     0 or negative errno, with @reason
 * @pid:     of init
 * @port:    ifindex of the port
 * @eth0:    ifindex of the container's own end
 * @took_ns: how long the job took
 */
struct done_message {
	enum message_type type;
	__u32 op;
	__u32 slot;
	int err;
	pid_t pid;
	__u32 port;
	__u32 eth0;
	__u64 took_ns;
	char reason[CONTAINER_REASON_LEN];
};

#define DONE_FDS 2 /* rtnetlink socket of the container's namespace, pidfd of its init */

struct log_message {
	enum message_type type;
	int priority;
	char line[LOG_LINE_MAX];
};

enum daemon_state { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_STOPPING };

struct state_message {
	enum message_type type;
	enum daemon_state state;
};

/**
 * struct event_message - an address was bound or released
 * @verdict:   SKEP_BOUND or SKEP_RELEASED_*
 * @pid:       of the container's init
 * @requester: who asked; zero for releases
 * @seen_ns:   when the who-has was seen in XDP, CLOCK_MONOTONIC; zero for releases
 * @at_ns:     when it happened, CLOCK_MONOTONIC
 */
struct event_message {
	enum message_type type;
	__u32 verdict;
	struct skep_addr address;
	struct skep_lease lease;
	pid_t pid;
	union skep_ipv4 requester;
	__u64 seen_ns;
	__u64 at_ns;
};

struct release_message {
	enum message_type type;
	__u32 client;
	struct skep_addr address;
};

struct result_message {
	enum message_type type;
	__u32 client;
	int err;
};

/** message_pair() - two ends of a channel, close-on-exec; 0 or negative errno */
int message_pair(int ret[2]);

/** message_send() - never blocks when @nonblock; 0 or negative errno (-EAGAIN when the queue is
 * full) */
int message_send(int fd, const void *message, size_t size, const int *fds, size_t n_fds,
		 bool nonblock);

/**
 * message_receive() - one message, at most @size bytes of it
 * @fds: room for @n_fds descriptors, those that did not come are -EBADF
 *
 * Return: its size; 0 when the other end is gone; negative errno.
 */
ssize_t message_receive(int fd, void *message, size_t size, int *fds, size_t n_fds, bool nonblock);

#endif
