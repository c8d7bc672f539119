// SPDX-License-Identifier: GPL-2.0
/*
 * Addresses of containers; see plumb.h. Keeps nothing; waits for nothing but the kernel's own
 * answer.
 */
#include "plumb.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "plumb_batch.h"

static void put_route_of(struct batch *b, const struct plumbing *p)
{
	const struct prefix segment = {p->addr, p->prefixlen};

	batch_put_default_route(b, p->ifindex, p->gateway, prefix_contains(&segment, p->gateway));
}

/*
 * The segments go before the kernel makes its own routes: its trie keeps the shape in which it grew
 * (net/ipv4/fib_trie.c, resize), and who is inside can read that. A route to the address alone
 * stands in for them meanwhile.
 */
static void put_bind_opened(struct batch *b, const struct plumbing *p)
{
	static const struct prefix everything;
	const struct prefix address = {p->addr, 32};

	batch_put_route(b, p->ifindex, RT_TABLE_LOCAL, &address);
	plumb_put_closed(b, p);
	batch_put_address(b, p);
	batch_put_no_route(b, p->ifindex, RT_TABLE_LOCAL, &address);
	if (p->gateway)
		put_route_of(b, p);
	else
		batch_put_no_route(b, p->ifindex, RT_TABLE_MAIN, &everything);
	/* An answer may be waiting for his link address, which would be thrown away with him. */
	if (p->known.addr)
		batch_put_neighbour(b, p->ifindex, &p->known);
	batch_put_link(b, p->ifindex, p->mac, false);
}

static void put_bind(struct batch *b, const struct plumbing *p)
{
	batch_put_address(b, p);
	if (p->gateway)
		put_route_of(b, p);
	batch_put_mac(b, p->ifindex, p->mac);
}

int plumb_bind(int nl, const struct plumbing *p)
{
	struct batch b;

	if (p->open && p->open->n_segments > PLUMB_SEGMENTS_MAX)
		return -E2BIG;
	batch_start(&b, p->open);
	if (p->open)
		put_bind_opened(&b, p);
	else
		put_bind(&b, p);
	if (p->known.addr)
		batch_put_neighbour(&b, p->ifindex, &p->known);
	return batch_send(nl, &b);
}

int plumb_add(int nl, const struct plumbing *p)
{
	struct batch b;

	batch_start(&b, false);
	batch_put_address(&b, p);
	return batch_send(nl, &b);
}

/* It is never without @to: that has two prefix lengths for a moment. */
int plumb_move(int nl, __be32 from, const struct plumbing *to)
{
	const struct plumbing before = {.ifindex = to->ifindex, .addr = to->addr, .prefixlen = 32};
	struct batch b;

	batch_start(&b, false);
	batch_put_no_address_at_all(&b, to->ifindex, from);
	batch_put_address(&b, to);
	batch_put_no_address(&b, &before);
	if (to->gateway)
		put_route_of(&b, to);
	return batch_send(nl, &b);
}

int plumb_unbind(int nl, const struct plumbing *p)
{
	struct batch b;
	int err;

	batch_start(&b, false);
	batch_put_no_address_at_all(&b, p->ifindex, p->addr);
	err = batch_send(nl, &b);
	return err == -EADDRNOTAVAIL ? 0 : err;
}

struct found {
	unsigned int ifindex;
	struct plumbing *addresses;
	int n;
};

static int on_address(const struct nlmsghdr *nlh, void *data)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct found *found = data;
	const struct nlattr *attr;

	if (nlh->nlmsg_type != RTM_NEWADDR || ifa->ifa_index != found->ifindex)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		struct plumbing *more;

		if (mnl_attr_get_type(attr) != IFA_LOCAL)
			continue;
		more = reallocarray(found->addresses, (size_t)found->n + 1, sizeof(*more));
		if (!more)
			return MNL_CB_ERROR;
		found->addresses = more;
		found->addresses[found->n++] = (struct plumbing){
			.ifindex = found->ifindex,
			.addr = mnl_attr_get_u32(attr),
			.prefixlen = ifa->ifa_prefixlen,
		};
	}
	return MNL_CB_OK;
}

int plumb_addresses(int nl, unsigned int ifindex, struct plumbing **ret)
{
	struct found found = {.ifindex = ifindex};
	int err = batch_dump(nl, RTM_GETADDR, on_address, &found);

	if (err) {
		free(found.addresses);
		return err;
	}
	*ret = found.addresses;
	return found.n;
}
