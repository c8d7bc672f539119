// SPDX-License-Identifier: GPL-2.0
/* Containers that do not yet listen; see nursery.h. Owns their descriptors while they are here. */
#include "nursery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "clock.h"
#include "sockets.h"

#define PATIENCE_S 60
#define PERIOD_NS (20 * NS_PER_MS)

struct child {
	struct done_message done;
	int fds[DONE_FDS];
	int diag;
	__u64 since_ns;
	__u16 ports[CONFIG_LISTENS_MAX];
	size_t n_ports;
};

struct nursery {
	size_t n;
	size_t next; /* to be looked at in this round */
	bool in_round;
	__u64 round_ns; /* when the last one began */
	struct child children[KEEPER_NURSERY];
};

struct nursery *nursery_new(void)
{
	return calloc(1, sizeof(struct nursery));
}

bool nursery_is_full(const struct nursery *nursery)
{
	return nursery->n == KEEPER_NURSERY;
}

void nursery_add(struct nursery *nursery, const struct done_message *done, const int fds[DONE_FDS],
		 int diag, const __u16 *ports, size_t n_ports)
{
	struct child *child = &nursery->children[nursery->n++];

	child->done = *done;
	memcpy(child->fds, fds, sizeof(child->fds));
	child->diag = diag;
	child->since_ns = monotonic_ns();
	memcpy(child->ports, ports, n_ports * sizeof(*ports));
	child->n_ports = n_ports;
}

static void take_out(struct nursery *nursery, size_t i)
{
	close_fd(nursery->children[i].diag);
	nursery->n--;
	memmove(&nursery->children[i], &nursery->children[i + 1],
		(nursery->n - i) * sizeof(nursery->children[0]));
	if (nursery->next > i)
		nursery->next--;
}

void nursery_drop(struct nursery *nursery, __u32 slot)
{
	for (size_t i = 0; i < nursery->n; i++)
		if (nursery->children[i].done.slot == slot) {
			for (size_t j = 0; j < DONE_FDS; j++)
				close_fd(nursery->children[i].fds[j]);
			take_out(nursery, i);
			return;
		}
}

int nursery_wait_ms(const struct nursery *nursery, __u64 now_ns)
{
	__u64 due_ns = nursery->round_ns + PERIOD_NS;

	if (!nursery->n)
		return -1;
	return due_ns > now_ns ? (int)((due_ns - now_ns) / NS_PER_MS + 1) : 0;
}

static bool has_ended(const struct child *child)
{
	return syscall(SYS_pidfd_send_signal, child->fds[1], 0, NULL, 0) != 0;
}

/* The first of its ports that nobody listens at. */
static unsigned int missing_port(const struct child *child)
{
	for (size_t i = 0; i < child->n_ports; i++)
		if (sockets_listening(child->diag, &child->ports[i], 1) != 1)
			return child->ports[i];
	return 0;
}

/* Whether there is something to report of it. */
static bool look(struct child *child, __u64 now_ns)
{
	struct done_message *done = &child->done;
	int listening = sockets_listening(child->diag, child->ports, child->n_ports);

	done->err = 0;
	if (has_ended(child)) {
		done->err = -ESRCH;
		snprintf(done->reason, sizeof(done->reason), "init ended before it was ready");
	} else if (listening < 0) {
		done->err = listening;
		snprintf(done->reason, sizeof(done->reason), "cannot ask for its sockets: %s",
			 strerror(-listening));
	} else if (!listening && now_ns - child->since_ns > PATIENCE_S * NS_PER_SEC) {
		done->err = -ETIMEDOUT;
		snprintf(done->reason, sizeof(done->reason),
			 "does not listen on TCP port %u after %d s", missing_port(child),
			 PATIENCE_S);
	}
	return listening || done->err;
}

static void report(struct nursery *nursery, size_t i, __u64 now_ns, struct done_message *ret,
		   int ret_fds[DONE_FDS])
{
	const struct child *child = &nursery->children[i];

	*ret = child->done;
	ret->took_ns += now_ns - child->since_ns;
	memcpy(ret_fds, child->fds, sizeof(child->fds));
	take_out(nursery, i);
}

bool nursery_next(struct nursery *nursery, __u64 now_ns, struct done_message *ret,
		  int ret_fds[DONE_FDS])
{
	if (!nursery->in_round) {
		if (nursery_wait_ms(nursery, now_ns))
			return false;
		nursery->round_ns = now_ns;
		nursery->next = 0;
	}
	nursery->in_round = true;
	while (nursery->next < nursery->n) {
		size_t i = nursery->next++;

		if (look(&nursery->children[i], now_ns)) {
			report(nursery, i, now_ns, ret, ret_fds);
			return true;
		}
	}
	nursery->in_round = false;
	return false;
}
