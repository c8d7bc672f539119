// SPDX-License-Identifier: GPL-2.0
/*
 * The keeper process; see keeper.h. Owns nothing beyond the job in hand: a container it has started
 * is known by its slot and can be destroyed by any keeper.
 */
#include "keeper.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/membarrier.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cgroup.h"
#include "cleanup.h"
#include "clock.h"
#include "link.h"
#include "mac.h"

struct keeper {
	const struct keeper_context *context;
	int channel;
	int home; /* skepd's network namespace */
	struct cgroup_home *cgroup;
	char log_file[512];
};

static int fail(struct done_message *done, int err, const char *what)
{
	snprintf(done->reason, sizeof(done->reason), "%s: %s", what, strerror(-err));
	done->err = err;
	return err;
}

static int open_netns(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
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

/* Inside for a moment: interfaces up, and the socket that all later plumbing goes through. */
static int enter_and_prepare(const struct keeper *keeper, int netns, struct done_message *done,
			     int *ret_netlink)
{
	int eth0, fd = -EBADF;

	if (setns(netns, CLONE_NEWNET))
		return -errno;
	eth0 = link_prepare_inside();
	if (eth0 > 0)
		fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (eth0 > 0 && fd < 0)
		eth0 = -errno;
	if (setns(keeper->home, CLONE_NEWNET))
		abort(); /* in a container's namespace nothing can be done right */
	if (eth0 < 0)
		return eth0;
	done->eth0 = (__u32)eth0;
	*ret_netlink = fd;
	return 0;
}

static int attach_port_program(unsigned int ifindex, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program);
	int err = bpf_tc_hook_create(&hook);

	if (err)
		return err;
	/*
	 * A filter needs an RCU grace period since its qdisc was made (net/sched/sch_generic.c,
	 * mini_qdisc_pair_swap). If none has passed, the kernel waits for one with the rtnl lock
	 * held, and binds wait with it. membarrier(2) lets one pass first.
	 */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	return bpf_tc_attach(&hook, &opts);
}

/* The port is shut until its program is in place. */
static int make_port(const struct keeper *keeper, __u32 slot, int netns, struct done_message *done)
{
	char name[CONTAINER_NAME_LEN];
	int ifindex = link_make_pair(container_port_name(keeper->context->config, slot, name),
				     netns, smallest_mtu(keeper->context->config));
	int err;

	if (ifindex < 0)
		return fail(done, ifindex, "cannot make its veth pair");
	done->port = (__u32)ifindex;
	err = attach_port_program(done->port, keeper->context->port_program);
	if (err)
		return fail(done, err, "cannot attach the port program");
	err = link_set_up(done->port);
	return err ? fail(done, err, "cannot set its port up") : 0;
}

static int connect_container(const struct keeper *keeper, __u32 slot, struct done_message *done,
			     int fds[DONE_FDS])
{
	cleanup_close int netns = -EBADF;
	int err;

	/* A process that is alive after its namespace was opened is the one whose namespace it is.
	 */
	fds[1] = (int)syscall(SYS_pidfd_open, done->pid, 0);
	netns = open_netns(done->pid);
	if (netns < 0 || fds[1] < 0 || syscall(SYS_pidfd_send_signal, fds[1], 0, NULL, 0) ||
	    is_same_file(netns, keeper->home))
		return fail(done, -ESRCH, "init ended at once");
	err = make_port(keeper, slot, netns, done);
	if (err)
		return err;
	err = enter_and_prepare(keeper, netns, done, &fds[0]);
	return err ? fail(done, err, "cannot prepare its network") : 0;
}

static void start(const struct keeper *keeper, const struct job_message *job,
		  struct done_message *done, int fds[DONE_FDS])
{
	char host_name[HOST_NAME_LEN];

	host_name_of(keeper->context->secret, job->serial, host_name);
	done->err = container_start(keeper->context->config, job->slot, job->template, host_name,
				    keeper->log_file, &done->pid, done->reason);
	/* liblxc takes its caller along into the monitor's cgroup, which then could never be
	 * removed. */
	cgroup_go_home(keeper->cgroup);
	if (!done->err)
		connect_container(keeper, job->slot, done, fds);
}

static void recycle(const struct keeper *keeper, const struct job_message *job,
		    struct done_message *done)
{
	char name[CONTAINER_NAME_LEN];
	int err;

	done->err = container_destroy(keeper->context->config, job->slot, done->reason);
	err = link_delete(container_port_name(keeper->context->config, job->slot, name));
	if (err && !done->err)
		fail(done, err, "its port cannot be removed");
}

static void work(const struct keeper *keeper, const struct job_message *job)
{
	struct done_message done = {.type = MESSAGE_DONE, .op = job->op, .slot = job->slot};
	int fds[DONE_FDS] = {-EBADF, -EBADF};
	__u64 begun = monotonic_ns();

	if (job->op == POOL_START)
		start(keeper, job, &done, fds);
	else
		recycle(keeper, job, &done);
	done.took_ns = monotonic_ns() - begun;
	message_send(keeper->channel, &done, sizeof(done), fds,
		     job->op == POOL_START && !done.err ? DONE_FDS : 0, false);
	close_fd(fds[0]);
	close_fd(fds[1]);
}

/* liblxc prints its errors even when told not to; their first line comes back as a result's reason.
 */
static void be_silent(void)
{
	cleanup_close int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (null >= 0)
		dup2(null, STDERR_FILENO);
}

_Noreturn void keeper_run(const struct keeper_context *context, unsigned int number, int channel)
{
	struct keeper keeper = {.context = context, .channel = channel};
	struct job_message job;

	prctl(PR_SET_NAME, "skepd-keeper");
	be_silent();
	snprintf(keeper.log_file, sizeof(keeper.log_file), "%s/keeper%u.log",
		 context->config->run_dir, number);
	keeper.home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	keeper.cgroup = cgroup_home_new();
	while (keeper.home >= 0 && keeper.cgroup &&
	       message_receive(channel, &job, sizeof(job), NULL, 0, false) == sizeof(job))
		work(&keeper, &job);
	_exit(0);
}
