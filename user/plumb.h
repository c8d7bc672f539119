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

/**
 * plumb_add() - one more address for a container that has one; link address and route stay
 *
 * With a @prefixlen of 32 it is no secondary address, which would go when the first one does.
 * Return: 0 or negative errno.
 */
int plumb_add(int nl, const struct plumbing *plumbing);

/**
 * plumb_move() - gives segment and default route to another of a container's addresses
 * @from: the one that had them; it goes. Network byte order.
 * @to:   one that was added; goes on working meanwhile
 *
 * Return: 0 or negative errno.
 */
int plumb_move(int nl, __be32 from, const struct plumbing *to);

/** plumb_unbind() - takes address and routes away; 0 also when they were not there */
int plumb_unbind(int nl, const struct plumbing *plumbing);

/**
 * plumb_addresses() - the addresses that an interface has
 * @ifindex: of eth0 inside
 * @ret:     array; the caller frees it. Only addr and prefixlen are set.
 *
 * Return: how many, or negative errno.
 */
int plumb_addresses(int nl, unsigned int ifindex, struct plumbing **ret);

#endif
