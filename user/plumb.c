// SPDX-License-Identifier: GPL-2.0
/* Addresses of containers; see plumb.h. Keeps nothing; waits for nothing but the kernel's own
 * answer. */
#include "plumb.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "prefix.h"

#define BATCH_SIZE 512

static __u32 next_seq(void)
{
	static __u32 seq;

	return ++seq;
}

static struct nlmsghdr *put_message(char *at, __u16 type, __u16 flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = next_seq();
	return nlh;
}

static struct prefix segment_of(const struct plumbing *p)
{
	struct prefix segment = {0, p->prefixlen};

	segment.addr = p->addr & prefix_netmask(&segment);
	return segment;
}

static struct nlmsghdr *put_mac(char *at, const struct plumbing *p)
{
	struct nlmsghdr *nlh = put_message(at, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = (int)p->ifindex;
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(p->mac), p->mac);
	return nlh;
}

static struct nlmsghdr *put_address(char *at, __u16 type, __u16 flags, const struct plumbing *p)
{
	struct prefix segment = segment_of(p);
	struct nlmsghdr *nlh = put_message(at, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = (__u8)p->prefixlen;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = p->ifindex;
	mnl_attr_put_u32(nlh, IFA_LOCAL, p->addr);
	mnl_attr_put_u32(nlh, IFA_ADDRESS, p->addr);
	if (p->prefixlen < 31)
		mnl_attr_put_u32(nlh, IFA_BROADCAST, prefix_broadcast(&segment));
	return nlh;
}

/* With any prefix length. */
static struct nlmsghdr *put_no_address(char *at, unsigned int ifindex, __be32 addr)
{
	struct nlmsghdr *nlh = put_message(at, RTM_DELADDR, 0);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_index = ifindex;
	mnl_attr_put_u32(nlh, IFA_LOCAL, addr);
	return nlh;
}

static struct nlmsghdr *put_default_route(char *at, const struct plumbing *p)
{
	struct prefix segment = segment_of(p);
	struct nlmsghdr *nlh = put_message(at, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = RTPROT_BOOT;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	rtm->rtm_flags = prefix_contains(&segment, p->gateway) ? 0 : RTNH_F_ONLINK;
	mnl_attr_put_u32(nlh, RTA_GATEWAY, p->gateway);
	mnl_attr_put_u32(nlh, RTA_OIF, p->ifindex);
	return nlh;
}

/*
 * Reads answers up to that of the last message. The kernel works a batch off inside sendmsg, so
 * they are all there; it answers a message without NLM_F_ACK only when it failed.
 */
static int read_answers(int nl, __u32 first_seq, __u32 last_seq)
{
	char buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	int first_error = 0;

	for (;;) {
		const struct nlmsghdr *nlh = (void *)buf;
		ssize_t n = recv(nl, buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsgerr *answer;

		if (n < 0)
			return errno == EAGAIN ? -EIO : -errno;
		if (!mnl_nlmsg_ok(nlh, (int)n) || nlh->nlmsg_type != NLMSG_ERROR)
			continue;
		if (nlh->nlmsg_seq - first_seq > last_seq - first_seq)
			continue; /* of an earlier batch */
		answer = mnl_nlmsg_get_payload(nlh);
		if (answer->error && !first_error)
			first_error = answer->error;
		if (nlh->nlmsg_seq == last_seq)
			return first_error;
	}
}

static int send_batch(int nl, char *batch, const char *end, struct nlmsghdr *last)
{
	const struct nlmsghdr *first = (void *)batch;

	last->nlmsg_flags |= NLM_F_ACK;
	if (send(nl, batch, (size_t)(end - batch), 0) < 0)
		return -errno;
	return read_answers(nl, first->nlmsg_seq, last->nlmsg_seq);
}

int plumb_bind(int nl, const struct plumbing *p)
{
	char batch[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = put_mac(batch, p);

	nlh = put_address(mnl_nlmsg_get_payload_tail(nlh), RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
			  p);
	if (p->gateway)
		nlh = put_default_route(mnl_nlmsg_get_payload_tail(nlh), p);
	return send_batch(nl, batch, mnl_nlmsg_get_payload_tail(nlh), nlh);
}

int plumb_add(int nl, const struct plumbing *p)
{
	char batch[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = put_address(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, p);

	return send_batch(nl, batch, mnl_nlmsg_get_payload_tail(nlh), nlh);
}

/* It is never without @to: that has two prefix lengths for a moment. */
int plumb_move(int nl, __be32 from, const struct plumbing *to)
{
	char batch[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct plumbing before = {.ifindex = to->ifindex, .addr = to->addr, .prefixlen = 32};
	struct nlmsghdr *nlh = put_no_address(batch, to->ifindex, from);

	nlh = put_address(mnl_nlmsg_get_payload_tail(nlh), RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
			  to);
	nlh = put_address(mnl_nlmsg_get_payload_tail(nlh), RTM_DELADDR, 0, &before);
	if (to->gateway)
		nlh = put_default_route(mnl_nlmsg_get_payload_tail(nlh), to);
	return send_batch(nl, batch, mnl_nlmsg_get_payload_tail(nlh), nlh);
}

int plumb_unbind(int nl, const struct plumbing *p)
{
	char batch[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = put_no_address(batch, p->ifindex, p->addr);
	int err = send_batch(nl, batch, mnl_nlmsg_get_payload_tail(nlh), nlh);

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

static int read_dump(int nl, __u32 seq, struct found *found)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	int more = MNL_CB_OK;

	while (more == MNL_CB_OK) {
		ssize_t n = recv(nl, buf, sizeof(buf), 0);

		if (n <= 0)
			return n ? -errno : -EIO;
		more = mnl_cb_run(buf, (size_t)n, seq, 0, on_address, found);
	}
	return more < 0 ? -errno : 0;
}

int plumb_addresses(int nl, unsigned int ifindex, struct plumbing **ret)
{
	char buf[BATCH_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = put_message(buf, RTM_GETADDR, NLM_F_DUMP);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	struct found found = {.ifindex = ifindex};
	int err;

	ifa->ifa_family = AF_INET;
	err = send(nl, buf, nlh->nlmsg_len, 0) < 0 ? -errno : read_dump(nl, nlh->nlmsg_seq, &found);
	if (err) {
		free(found.addresses);
		return err;
	}
	*ret = found.addresses;
	return found.n;
}
