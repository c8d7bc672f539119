// SPDX-License-Identifier: GPL-2.0
/*
 * The tc filter of a port; see filter.h. Keeps nothing. Its qdisc is ingress and not clsact: for
 * each block of filters that is made, the kernel walks a list of all (net/core/flow_offload.c,
 * indir_dev_add), and clsact makes two. tcx would make none, but it waits for an RCU grace period
 * with the rtnl lock held (kernel/bpf/tcx.c, tcx_entry_sync), and binds would wait with it: 15 ms
 * one time in ten.
 */
#include "filter.h"

#include <bpf/libbpf.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "link.h"

/* Said, so that the next skepd finds the filter again. */
#define HANDLE 1
#define PRIORITY 1

static int put(unsigned int ifindex, int program, __u32 flags)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program, .flags = flags, .handle = HANDLE,
		    .priority = PRIORITY);

	return bpf_tc_attach(&hook, &opts);
}

int filter_attach(unsigned int ifindex, int program)
{
	int err = link_add_ingress(ifindex);

	if (err)
		return err;
	/*
	 * A filter needs an RCU grace period since its qdisc was made (net/sched/sch_generic.c,
	 * mini_qdisc_pair_swap). If none has passed, the kernel waits for one with the rtnl lock
	 * held, and binds wait with it. membarrier(2) lets one pass first.
	 */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	return put(ifindex, program, 0);
}

int filter_replace(unsigned int ifindex, int program)
{
	return put(ifindex, program, BPF_TC_F_REPLACE);
}
