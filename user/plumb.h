/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Giving an address to a warm container, over the netlink socket that was opened inside its network
 * namespace: one sendmsg, no setns, no fork.
 */
#ifndef SKEP_USER_PLUMB_H
#define SKEP_USER_PLUMB_H

#include <linux/types.h>
#include <stddef.h>

#include "prefix.h"

/**
 * struct plumb_open - what an idle container's network is like while the uplink program may give it
 * address of its template's ranges: all of them are its own, and answers to elsewhere, and to the
 * gateway, find their way. What it sends to anybody else inside the segments comes back to itself.
 * @mac:      link address meanwhile
 * @gateway:  default route, network byte order; 0 for none. May lie outside all @segments.
 * @gateway_mac: its link address, all zero while that is not known
 * @segments: what it takes for its own, @n_segments of them, at most PLUMB_SEGMENTS_MAX
 */
struct plumb_open {
	__u8 mac[6];
	__be32 gateway;
	__u8 gateway_mac[6];
	const struct prefix *segments;
	size_t n_segments;
};

#define PLUMB_SEGMENTS_MAX 64

/**
 * plumb_open() - lets an idle container accept any address of some prefixes
 * @nl:      rtnetlink socket of the container's namespace
 * @ifindex: of eth0 inside
 *
 * By local routes, and by none of the things that would leave a trace for good: the first rule that
 * a network namespace ever has splits its routing table in two (net/ipv4/fib_frontend.c,
 * fib_unmerge), and who is inside can read that. Whatever an earlier plumb_open() has left is taken
 * away first. Return: 0 or negative errno; then plumb_close() is to be called.
 */
int plumb_open(int nl, unsigned int ifindex, const struct plumb_open *open);

/** plumb_know_gateway() - the gateway's link address, when that was heard after plumb_open(); 0 or
 * negative errno */
int plumb_know_gateway(int nl, unsigned int ifindex, const struct plumb_open *open);

/** plumb_close() - undoes plumb_open(), whatever was given to that and however far it came; 0 also
 * when there is nothing to undo */
int plumb_close(int nl, unsigned int ifindex);

/**
 * struct plumb_neighbour - somebody that a container has heard from
 * @addr: network byte order; 0 for nobody
 */
struct plumb_neighbour {
	__be32 addr;
	__u8 mac[6];
};

/**
 * struct plumbing - what a bound container's eth0 has
 * @ifindex:   of eth0 inside
 * @addr:      network byte order
 * @prefixlen: of the segment
 * @gateway:   default route, network byte order; 0 for none. May lie outside the prefix.
 * @mac:       link address
 * @known:     who has asked for it already; a change of the link address makes the kernel forget
 * him
 * @open:      what plumb_open() was given and is to be undone; NULL when it was not called. When
 * that is not known any more: an empty one, after plumb_close()
 */
struct plumbing {
	unsigned int ifindex;
	__be32 addr;
	unsigned int prefixlen;
	__be32 gateway;
	__u8 mac[6];
	struct plumb_neighbour known;
	const struct plumb_open *open;
};

/**
 * plumb_bind() - sets link address, address and default route, and undoes plumb_open()
 * @nl: rtnetlink socket of the container's namespace
 *
 * One batch, in which the link address comes as late as it can: until then frames to the former one
 * are still its own. Done over again it changes nothing. Return: 0, or the negative errno of the
 * first step that failed; later steps may have been done all the same, so that the caller must
 * plumb_unbind().
 *
 * What is left of plumb_open(): when its segments were in more than one /8, maybe the shape of the
 * kernel's routing trie (/proc/net/fib_trie), as of any route that a machine once had; and that the
 * kernel looks up senders even where there is nothing to filter (fib_has_custom_local_routes).
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
