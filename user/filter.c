// SPDX-License-Identifier: GPL-2.0
/*
 * The program of a port; see filter.h. Keeps nothing. Kernels from 6.6 on take it by itself (tcx);
 * older ones need a clsact qdisc with a filter, which costs more the more ports there are: the
 * kernel walks a list of all of them for each (net/core/flow_offload.c, indir_dev_add).
 */
#include "filter.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

/* Said, so that the next skepd finds the filter again. */
#define HANDLE 1
#define PRIORITY 1

#define TCX_INGRESS 46 /* BPF_TCX_INGRESS, which Debian 12's headers do not have yet */

/* --- tcx --- */

static int sys_bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr)) < 0 ? -errno : 0;
}

static int tcx_attach(unsigned int ifindex, int program, int replaced)
{
	union bpf_attr attr = {};

	attr.target_fd = ifindex; /* target_ifindex in newer headers */
	attr.attach_bpf_fd = (__u32)program;
	attr.attach_type = TCX_INGRESS;
	if (replaced >= 0) {
		attr.attach_flags = BPF_F_REPLACE;
		attr.replace_bpf_fd = (__u32)replaced;
	}
	return sys_bpf(BPF_PROG_ATTACH, &attr);
}

/* The one that is attached, the caller's to close; or negative errno. */
static int tcx_program(unsigned int ifindex)
{
	union bpf_attr attr = {};
	__u32 id = 0;
	int err;

	attr.query.target_fd = ifindex;
	attr.query.attach_type = TCX_INGRESS;
	attr.query.prog_ids = (__u64)(unsigned long)&id;
	attr.query.prog_cnt = 1;
	err = sys_bpf(BPF_PROG_QUERY, &attr);
	if (err)
		return err;
	return id ? bpf_prog_get_fd_by_id(id) : -ENOENT;
}

/* --- clsact --- */

static int clsact_put(unsigned int ifindex, int program, __u32 flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .flags = flags, .handle = HANDLE,
		    .priority = PRIORITY);

	return bpf_tc_attach(&hook, &opts);
}

static int clsact_attach(unsigned int ifindex, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	int err = bpf_tc_hook_create(&hook);

	if (err)
		return err;
	/*
	 * A filter needs an RCU grace period since its qdisc was made (net/sched/sch_generic.c,
	 * mini_qdisc_pair_swap). If none has passed, the kernel waits for one with the rtnl lock
	 * held, and binds wait with it. membarrier(2) lets one pass first.
	 */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	return clsact_put(ifindex, program, 0);
}

int filter_attach(unsigned int ifindex, int program)
{
	int err = tcx_attach(ifindex, program, -EBADF);

	return err == -EINVAL ? clsact_attach(ifindex, program) : err;
}

int filter_replace(unsigned int ifindex, int program)
{
	cleanup_close int former = tcx_program(ifindex);

	if (former < 0)
		return clsact_put(ifindex, program, BPF_TC_F_REPLACE);
	return tcx_attach(ifindex, program, former);
}
