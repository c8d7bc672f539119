/* SPDX-License-Identifier: GPL-2.0 */
/* The port program by itself. Includes all that its tests need to see what it did. */
#ifndef SKEP_TESTS_BPF_PORT_WORLD_H
#define SKEP_TESTS_BPF_PORT_WORLD_H

#include "harness.h"

#include <linux/pkt_cls.h>

#include "leases.h"
#include "port.skel.h"
#include "skep/policy.h"

#define UPLINK 3
#define PORT 1 /* frames seem to come from the loopback device, which is number 1 everywhere */

static struct port_bpf *skel;

/* The frame becomes this, and nothing else is counted; and it is sent on, or not. */
static inline void port_becomes(const struct bytes *frame, enum skep_verdict verdict, bool sent,
				struct outcome *ret)
{
	harness_becomes(skel->progs.port, skel->maps.counters, frame, verdict, ret);
	assert_int_equal(ret->action, sent ? TC_ACT_REDIRECT : TC_ACT_SHOT);
}

static int port_setup(void **state)
{
	(void)state;
	skel = port_bpf__open();
	if (!skel)
		return -1;
	harness_private_maps(skel->obj);
	return port_bpf__load(skel);
}

static int port_teardown(void **state)
{
	(void)state;
	port_bpf__destroy(skel);
	return 0;
}

#endif
