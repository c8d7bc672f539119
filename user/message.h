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
	MESSAGE_COMMAND, /* control -> allocator */
	MESSAGE_RESULT,	 /* allocator -> control */
	MESSAGE_CONFIG,	 /* control -> allocator -> keepers */
	MESSAGE_RELOAD,	 /* allocator -> control: SIGHUP came */
	MESSAGE_END,	 /* allocator -> sweeper: the farm ends, and this is its last word */
};

/*
 * What a keeper does. A look is at a bound container, which stays what it is: has it a live TCP
 * connection?
 */
enum job_op { JOB_START, JOB_RECYCLE, JOB_LOOK };

/** struct job_message - @op: enum job_op; @pid: of init, for a look */
struct job_message {
	enum message_type type;
	__u32 op;
	__u32 slot;
	__u32 template;
	__u64 serial;
	pid_t pid;
};

/**
 * struct done_message - a job is done; a start that went well brings two descriptors
 * @err:     0; -EINPROGRESS when a started container does not listen yet: the keeper watches it,
 * takes other jobs meanwhile, and sends another message of the same job later; -EBUSY when a look
 *           found a live TCP connection; another negative errno, with @reason
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

enum daemon_state { DAEMON_STARTING, DAEMON_RUNNING, DAEMON_DRAINING, DAEMON_STOPPING };

/**
 * struct state_message - how skepd is
 * @warm, @max: what the pool aims at now
 * @off:        bit N: the template with ordinal N is switched off after failures in a row
 */
struct state_message {
	enum message_type type;
	enum daemon_state state;
	unsigned int warm;
	unsigned int max;
	__u64 off;
};

/** struct reload_message - the configuration file is to be read again */
struct reload_message {
	enum message_type type;
};

/**
 * struct event_message - an address was bound or released
 * @verdict:   SKEP_BOUND or SKEP_RELEASED_*
 * @pid:       of the container's init
 * @requester: who asked; zero for releases
 * @seen_ns:   when the who-has was seen in XDP, CLOCK_MONOTONIC; zero for releases
 * @at_ns:     when it happened, CLOCK_MONOTONIC
 * @host:      link address of the host that a lease gave way to; else zero
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
	__u8 host[6];
};

enum daemon_command {
	DAEMON_RELEASE,	 /* @address */
	DAEMON_RESIZE,	 /* @warm, @max */
	DAEMON_DRAIN,	 /* @on */
	DAEMON_HANDOVER, /* go, and leave everything for the next skepd */
};

/** struct command_message - @client: 0 when nobody waits for the result */
struct command_message {
	enum message_type type;
	enum daemon_command command;
	__u32 client;
	struct skep_addr address;
	unsigned int warm;
	unsigned int max;
	bool on;
};

/**
 * struct config_message - a new configuration, checked; its text comes as a descriptor (memfd)
 * @client: who waits for the result, 0 for nobody (SIGHUP)
 */
struct config_message {
	enum message_type type;
	__u32 client;
};

#define RESULT_TEXT_LEN 256

/** struct result_message - @err: 0 or negative errno; @text: for the client, empty for the usual */
struct result_message {
	enum message_type type;
	__u32 client;
	int err;
	char text[RESULT_TEXT_LEN];
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
