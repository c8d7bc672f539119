// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper process; see keeper.h. Owns the job in hand and its nursery, and nothing else: a
 * container it has started is known by its slot and can be destroyed by any keeper.
 */
#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "clock.h"
#include "confine.h"
#include "filter.h"
#include "link.h"
#include "mac.h"
#include "netns.h"
#include "nursery.h"
#include "privileges.h"
#include "reload.h"
#include "sockets.h"

struct keeper {
	const struct keeper_context *context;
	const struct config *config;
	struct config *own; /* the same, unless it is the allocator's */
	struct nursery *nursery;
	int channel;
	int home; /* skepd's network namespace */
	char log_file[512];
};

static int fail(struct done_message *done, int err, const char *what)
{
	snprintf(done->reason, sizeof(done->reason), "%s: %s", what, strerror(-err));
	done->err = err;
	return err;
}

static bool is_same_file(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* The smallest of the uplinks': what a container sends must fit through any of them. */
static __u32 smallest_mtu(const struct config *config)
{
	__u32 smallest = 0;

	for (size_t i = 0; i < config->n_uplinks; i++) {
		__u32 mtu = link_mtu(config->uplinks[i].name);

		if (mtu && (!smallest || mtu < smallest))
			smallest = mtu;
	}
	return smallest;
}

/* What is opened inside: the socket that all later plumbing goes through, and one for questions. */
struct inside {
	int netlink;
	int diag;
};

static int prepare_inside(struct done_message *done, struct inside *ret)
{
	int eth0 = link_prepare_inside();

	if (eth0 < 0)
		return eth0;
	done->eth0 = (__u32)eth0;
	ret->netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (ret->netlink < 0)
		return -errno;
	ret->diag = sockets_open();
	return ret->diag < 0 ? ret->diag : 0;
}

static int enter_and_prepare(const struct keeper *keeper, int netns, struct done_message *done,
			     struct inside *ret)
{
	int err = netns_enter(netns);

	if (err)
		return err;
	err = prepare_inside(done, ret);
	netns_leave(keeper->home);
	return err;
}

/* The port is shut until its program is in place. */
static int make_port(const struct keeper *keeper, __u32 slot, int netns, struct done_message *done)
{
	char name[CONTAINER_NAME_LEN];
	__u32 mtu = smallest_mtu(keeper->config);
	int ifindex, err;

	container_port_name(keeper->config, slot, name);
	ifindex = link_make_pair(name, netns, mtu);
	if (ifindex == -EEXIST &&
	    !link_delete(name)) /* the slot's last one is still on its way out */
		ifindex = link_make_pair(name, netns, mtu);
	if (ifindex < 0)
		return fail(done, ifindex, "cannot make its veth pair");
	done->port = (__u32)ifindex;
	err = filter_attach(done->port, keeper->context->port_program);
	if (err)
		return fail(done, err, "cannot attach the port program");
	err = link_set_up(done->port);
	return err ? fail(done, err, "cannot set its port up") : 0;
}

static int connect_container(const struct keeper *keeper, __u32 slot, struct done_message *done,
			     int fds[DONE_FDS], int *ret_diag)
{
	cleanup_close int netns = -EBADF;
	struct inside inside = {-EBADF, -EBADF};
	int err;

	/* A process that is alive after its namespace was opened is the one whose namespace it is.
	 */
	fds[1] = (int)syscall(SYS_pidfd_open, done->pid, 0);
	netns = netns_open(done->pid);
	if (netns < 0 || fds[1] < 0 || syscall(SYS_pidfd_send_signal, fds[1], 0, NULL, 0) ||
	    is_same_file(netns, keeper->home))
		return fail(done, -ESRCH, "init ended at once");
	err = make_port(keeper, slot, netns, done);
	if (err)
		return err;
	err = enter_and_prepare(keeper, netns, done, &inside);
	fds[0] = inside.netlink;
	*ret_diag = inside.diag;
	return err ? fail(done, err, "cannot prepare its network") : 0;
}

/* Who is not told waits for ever: without its keeper the job counts as lost, and is done again. */
static void answer(const struct keeper *keeper, const struct done_message *done,
		   const int fds[DONE_FDS])
{
	if (message_send(keeper->channel, done, sizeof(*done), fds,
			 done->op == JOB_START && !done->err ? DONE_FDS : 0, false))
		_exit(EXIT_FAILURE);
}

/* To the nursery, if there is anything to wait for. */
static void hand_over(const struct keeper *keeper, const struct job_message *job,
		      struct done_message *done, int fds[DONE_FDS], int *diag)
{
	const struct template_config *t = &keeper->config->templates[job->template];

	if (done->err || !t->n_listens)
		return;
	nursery_add(keeper->nursery, done, fds, move_fd(diag), t->listens, t->n_listens);
	fds[0] = fds[1] = -EBADF;
	done->err = -EINPROGRESS;
}

static void start(const struct keeper *keeper, const struct job_message *job,
		  struct done_message *done)
{
	int fds[DONE_FDS] = {-EBADF, -EBADF};
	cleanup_close int diag = -EBADF;
	char host_name[HOST_NAME_LEN];
	__u64 begun = monotonic_ns();

	host_name_of(keeper->context->secret, job->serial, host_name);
	done->err = container_start(keeper->config, job->slot, job->template, host_name,
				    keeper->log_file, &done->pid, done->reason);
	if (!done->err)
		connect_container(keeper, job->slot, done, fds, &diag);
	done->took_ns = monotonic_ns() - begun;
	hand_over(keeper, job, done, fds, &diag);
	answer(keeper, done, fds);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

static void recycle(const struct keeper *keeper, const struct job_message *job,
		    struct done_message *done)
{
	__u64 begun = monotonic_ns();

	nursery_drop(keeper->nursery, job->slot);
	done->err = container_destroy(keeper->config, job->slot, done->reason);
	done->took_ns = monotonic_ns() - begun;
	answer(keeper, done, NULL);
}

/* Asked inside the container's network; whose process it is, the allocator knows. */
static int look_inside(const struct keeper *keeper, pid_t pid)
{
	cleanup_close int netns = netns_open(pid), diag = -EBADF;
	int err = netns < 0 ? netns : netns_enter(netns);

	if (err)
		return err;
	diag = sockets_open();
	netns_leave(keeper->home);
	return diag < 0 ? diag : sockets_established(diag);
}

static void look(const struct keeper *keeper, const struct job_message *job,
		 struct done_message *done)
{
	__u64 begun = monotonic_ns();
	int busy = look_inside(keeper, job->pid);

	done->pid = job->pid;
	if (busy < 0)
		fail(done, busy, "cannot look at its sockets");
	else
		done->err = busy ? -EBUSY : 0;
	done->took_ns = monotonic_ns() - begun;
	answer(keeper, done, NULL);
}

static void work(const struct keeper *keeper, const struct job_message *job)
{
	struct done_message done = {.type = MESSAGE_DONE, .op = job->op, .slot = job->slot};

	if (job->op == JOB_START)
		start(keeper, job, &done);
	else if (job->op == JOB_RECYCLE)
		recycle(keeper, job, &done);
	else
		look(keeper, job, &done);
}

/* A keeper that cannot follow must not go on with what held before: another takes its place. */
static void configure(struct keeper *keeper, int fd)
{
	struct config *config;

	if (reload_read(fd, keeper->config, &config) || container_stage(config))
		_exit(EXIT_FAILURE);
	config_free(keeper->own);
	keeper->config = keeper->own = config;
}

static void look_after_nursery(const struct keeper *keeper)
{
	struct done_message done;
	int fds[DONE_FDS];

	while (nursery_next(keeper->nursery, monotonic_ns(), &done, fds)) {
		answer(keeper, &done, fds);
		close_fd(fds[0]);
		close_fd(fds[1]);
	}
}

/* While the nursery is full, only that goes on; unless skepd is gone, then nobody wants it. */
static bool wait_for_message(const struct keeper *keeper)
{
	const bool full = nursery_is_full(keeper->nursery);
	struct pollfd channel = {.fd = keeper->channel, .events = full ? 0 : POLLIN};
	int n = poll(&channel, 1, nursery_wait_ms(keeper->nursery, monotonic_ns()));

	if (n > 0 && full)
		_exit(0);
	return n > 0;
}

/* Returns false when the channel is closed. */
static bool serve_message(struct keeper *keeper)
{
	union {
		enum message_type type;
		struct job_message job;
		struct config_message config;
	} message;
	cleanup_close int fd = -EBADF;
	ssize_t n = message_receive(keeper->channel, &message, sizeof(message), &fd, 1, false);

	if (n == sizeof(message.job) && message.type == MESSAGE_JOB)
		work(keeper, &message.job);
	else if (n == sizeof(message.config) && message.type == MESSAGE_CONFIG)
		configure(keeper, fd);
	else
		return false;
	return true;
}

/* liblxc prints its errors even when told not to; their first line comes back as a result's reason.
 */
static void be_silent(void)
{
	cleanup_close int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDERR_FILENO);
}

/* What comes in from containers comes in here: it must not get far. */
static int give_up_privileges(void)
{
	int err = privileges_drop(PRIVILEGES_KEEPER);

	return err ? err : confine();
}

_Noreturn void keeper_run(const struct keeper_context *context, unsigned int number, int channel)
{
	struct keeper keeper = {.context = context, .config = context->config, .channel = channel};
	bool go_on;

	prctl(PR_SET_NAME, "skepd-keeper");
	be_silent();
	snprintf(keeper.log_file, sizeof(keeper.log_file), "%s/keeper%u.log",
		 context->config->run_dir, number);
	keeper.home = netns_home();
	keeper.nursery = nursery_new();
	go_on = keeper.home >= 0 && keeper.nursery && !container_stage(keeper.config) &&
		!give_up_privileges();
	while (go_on) {
		look_after_nursery(&keeper);
		if (wait_for_message(&keeper))
			go_on = serve_message(&keeper);
	}
	_exit(0);
}
