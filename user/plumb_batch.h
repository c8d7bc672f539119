/* SPDX-License-Identifier: GPL-2.0 */
/*
 * rtnetlink messages about a container's eth0, many in one sendmsg. Shared by plumb*.c; nothing
 * outside these files sees it.
 */
#ifndef SKEP_USER_PLUMB_BATCH_H
#define SKEP_USER_PLUMB_BATCH_H

#include <libmnl/libmnl.h>

#include "plumb.h"

#define BATCH_SIZE 8192

/**
 * struct batch - messages that are sent at once, and worked off one after the other
 * @first:  sequence number of the first one
 * @last:   NULL as long as there is none
 * @again:  what fails because it is so already has not failed
 */
struct batch {
	__u32 first;
	struct nlmsghdr *last;
	bool again;
	char buf[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

void batch_start(struct batch *b, bool again);

/** batch_send() - 0, or the negative errno of the first message that failed */
int batch_send(int nl, struct batch *b);

/** batch_dump() - asks for all that there are, IPv4; 0 or negative errno */
int batch_dump(int nl, __u16 type, mnl_cb_t on_message, void *data);

/** batch_put_link() - @mac: new link address, or NULL; accept_local: whether whoever asks may have
 * an address that the interface takes for its own */
void batch_put_link(struct batch *b, unsigned int ifindex, const __u8 mac[6], bool accept_local);
void batch_put_mac(struct batch *b, unsigned int ifindex, const __u8 mac[6]);

void batch_put_address(struct batch *b, const struct plumbing *p);
void batch_put_no_address(struct batch *b, const struct plumbing *p);

/** batch_put_no_address_at_all() - likewise, with any prefix length */
void batch_put_no_address_at_all(struct batch *b, unsigned int ifindex, __be32 addr);

/** batch_put_route() - to a station on the wire; in the table local, as if a whole prefix were the
 * container's own */
void batch_put_route(struct batch *b, unsigned int ifindex, __u8 table, const struct prefix *to);

/** batch_put_no_route() - takes away one that was made here, not the kernel's own to the same
 * prefix: that has another protocol */
void batch_put_no_route(struct batch *b, unsigned int ifindex, __u8 table, const struct prefix *to);

/** batch_put_default_route() - or another than there was; @on_link: the gateway is known to be */
void batch_put_default_route(struct batch *b, unsigned int ifindex, __be32 gateway, bool on_link);

void batch_put_neighbour(struct batch *b, unsigned int ifindex, const struct plumb_neighbour *n);

void batch_put_no_neighbour(struct batch *b, unsigned int ifindex, __be32 addr);

/** batch_put_gateway() - an entry for the gateway, before it was heard; its link address may not be
 * known yet */
void batch_put_gateway(struct batch *b, unsigned int ifindex, const struct plumb_open *open);

/** plumb_put_closed() - takes away what plumb_open() has made: all but the default route, which
 * leads to the gateway, too, and all but a route to the address alone */
void plumb_put_closed(struct batch *b, const struct plumbing *p);

#endif
