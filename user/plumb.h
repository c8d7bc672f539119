/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Giving an address to a warm container, over the netlink socket that was opened inside its network
 * namespace: one sendmsg, no setns, no fork.
 */
#ifndef SKEP_USER_PLUMB_H
#define SKEP_USER_PLUMB_H

#include <linux/types.h>

/**
 * struct plumbing - what a bound container's eth0 has
 * @ifindex:   of eth0 inside
 * @addr:      network byte order
 * @prefixlen: of the segment
 * @gateway:   default route, network byte order; 0 for none. May lie outside the prefix.
 * @mac:       link address
 */
struct plumbing {
	unsigned int ifindex;
	__be32 addr;
	unsigned int prefixlen;
	__be32 gateway;
	__u8 mac[6];
};

/**
 * plumb_bind() - sets link address, address and default route
 * @nl: rtnetlink socket of the container's namespace
 *
 * Return: 0, or the negative errno of the first step that failed; later steps may have been done
 * all the same, so that the caller must plumb_unbind().
 */
int plumb_bind(int nl, const struct plumbing *plumbing);

/** plumb_unbind() - takes address and routes away; 0 also when they were not there */
int plumb_unbind(int nl, const struct plumbing *plumbing);

#endif
