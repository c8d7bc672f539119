// SPDX-License-Identifier: GPL-2.0
/*
 * The waiting for an address: all of a template's ranges are a container's own meanwhile; see
 * plumb.h. Keeps nothing: what is there, the kernel is asked for.
 */
#include <errno.h>
#include <linux/rtnetlink.h>

#include "plumb_batch.h"

#define ROUTE_SIZE (NLMSG_HDRLEN + sizeof(struct rtmsg) + 3 * (NLA_HDRLEN + sizeof(__u32)))
#define ROUTES_MAX (PLUMB_SEGMENTS_MAX + 2) /* and the gateway's, and the default route */
#define OTHERS_SIZE 768

/* For the routes that plumb_open() takes away and for those it makes. */
_Static_assert(2 * ROUTES_MAX * ROUTE_SIZE + OTHERS_SIZE <= BATCH_SIZE, "BATCH_SIZE is too small");

/** struct leftovers - routes that were made here, as the kernel has them, and whom the default
 * route leads to */
struct leftovers {
	unsigned int ifindex;
	__be32 gateway;
	size_t n;
	struct {
		struct prefix to;
		__u8 table;
	} routes[ROUTES_MAX];
};

static __be32 u32_of(const struct nlmsghdr *nlh, __u16 type)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) == 4)
			return mnl_attr_get_u32(attr);
	}
	return 0;
}

static int on_route(const struct nlmsghdr *nlh, void *data)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct leftovers *left = data;

	if (nlh->nlmsg_type != RTM_NEWROUTE || rtm->rtm_protocol != RTPROT_BOOT ||
	    (rtm->rtm_table != RT_TABLE_MAIN && rtm->rtm_table != RT_TABLE_LOCAL) ||
	    u32_of(nlh, RTA_OIF) != left->ifindex)
		return MNL_CB_OK;
	if (left->n == ROUTES_MAX) {
		errno = ENOBUFS;
		return MNL_CB_ERROR;
	}
	if (!left->gateway)
		left->gateway = u32_of(nlh, RTA_GATEWAY);
	left->routes[left->n].to = (struct prefix){u32_of(nlh, RTA_DST), rtm->rtm_dst_len};
	left->routes[left->n++].table = rtm->rtm_table;
	return MNL_CB_OK;
}

static int find_leftovers(int nl, unsigned int ifindex, struct leftovers *ret)
{
	ret->ifindex = ifindex;
	ret->gateway = 0;
	ret->n = 0;
	return batch_dump(nl, RTM_GETROUTE, on_route, ret);
}

static void put_no_leftovers(struct batch *b, const struct leftovers *left)
{
	if (left->gateway)
		batch_put_no_neighbour(b, left->ifindex, left->gateway);
	for (size_t i = 0; i < left->n; i++)
		batch_put_no_route(b, left->ifindex, left->routes[i].table, &left->routes[i].to);
}

static bool is_inside(const struct plumb_open *open, __be32 addr)
{
	for (size_t i = 0; i < open->n_segments; i++)
		if (prefix_contains(&open->segments[i], addr))
			return true;
	return false;
}

static bool is_host(const struct prefix *p, __be32 addr)
{
	return p->len == 32 && p->addr == addr;
}

/*
 * Else the container would take its gateway for itself. Who asks first is the gateway as a rule,
 * and any machine has an entry for that among its neighbours: to make one takes five microseconds.
 */
static void put_gateway(struct batch *b, unsigned int ifindex, const struct plumb_open *open)
{
	const struct prefix gateway = {open->gateway, 32};
	const bool inside = is_inside(open, open->gateway);

	if (inside)
		batch_put_route(b, ifindex, RT_TABLE_MAIN, &gateway);
	batch_put_default_route(b, ifindex, open->gateway, inside);
	batch_put_gateway(b, ifindex, open);
}

static void put_open(struct batch *b, unsigned int ifindex, const struct plumb_open *open)
{
	batch_put_link(b, ifindex, open->mac, true);
	if (open->gateway)
		put_gateway(b, ifindex, open);
	for (size_t i = 0; i < open->n_segments; i++)
		if (!is_host(&open->segments[i], open->gateway))
			batch_put_route(b, ifindex, RT_TABLE_LOCAL, &open->segments[i]);
}

int plumb_open(int nl, unsigned int ifindex, const struct plumb_open *open)
{
	struct leftovers left;
	struct batch b;
	int err;

	if (open->n_segments > PLUMB_SEGMENTS_MAX)
		return -E2BIG;
	err = find_leftovers(nl, ifindex, &left);
	if (err)
		return err;
	batch_start(&b, true);
	put_no_leftovers(&b, &left);
	put_open(&b, ifindex, open);
	return batch_send(nl, &b);
}

int plumb_know_gateway(int nl, unsigned int ifindex, const struct plumb_open *open)
{
	struct batch b;

	batch_start(&b, true);
	batch_put_gateway(&b, ifindex, open);
	return batch_send(nl, &b);
}

int plumb_close(int nl, unsigned int ifindex)
{
	struct leftovers left;
	struct batch b;
	int err = find_leftovers(nl, ifindex, &left);

	if (err)
		return err;
	batch_start(&b, true);
	put_no_leftovers(&b, &left);
	batch_put_link(&b, ifindex, NULL, false);
	return batch_send(nl, &b);
}

void plumb_put_closed(struct batch *b, const struct plumbing *p)
{
	const struct prefix gateway = {p->open->gateway, 32};

	for (size_t i = 0; i < p->open->n_segments; i++)
		if (!is_host(&p->open->segments[i], p->addr))
			batch_put_no_route(b, p->ifindex, RT_TABLE_LOCAL, &p->open->segments[i]);
	if (is_inside(p->open, p->open->gateway))
		batch_put_no_route(b, p->ifindex, RT_TABLE_MAIN, &gateway);
}
