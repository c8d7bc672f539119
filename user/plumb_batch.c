// SPDX-License-Identifier: GPL-2.0
/*
 * rtnetlink messages about a container's eth0, many at once; see plumb_batch.h. Keeps nothing;
 * waits for nothing but the kernel's own answer.
 */
#include "plumb_batch.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

void batch_start(struct batch *b, bool again)
{
	b->last = NULL;
	b->again = again;
}

static struct nlmsghdr *put_message(struct batch *b, __u16 type, __u16 flags)
{
	static __u32 seq;
	void *at = b->last ? mnl_nlmsg_get_payload_tail(b->last) : b->buf;
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(at);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	nlh->nlmsg_seq = ++seq;
	if (!b->last)
		b->first = nlh->nlmsg_seq;
	b->last = nlh;
	return nlh;
}

static struct nlmsghdr *put_link(struct batch *b, unsigned int ifindex, const __u8 mac[6])
{
	struct nlmsghdr *nlh = put_message(b, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	ifi->ifi_index = (int)ifindex;
	if (mac)
		mnl_attr_put(nlh, IFLA_ADDRESS, 6, mac);
	return nlh;
}

void batch_put_mac(struct batch *b, unsigned int ifindex, const __u8 mac[6])
{
	put_link(b, ifindex, mac);
}

void batch_put_link(struct batch *b, unsigned int ifindex, const __u8 mac[6], bool accept_local)
{
	struct nlmsghdr *nlh = put_link(b, ifindex, mac);
	struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(nlh, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(nlh, IFLA_INET_CONF);

	mnl_attr_put_u32(nlh, IPV4_DEVCONF_ACCEPT_LOCAL, accept_local);
	mnl_attr_nest_end(nlh, conf);
	mnl_attr_nest_end(nlh, inet);
	mnl_attr_nest_end(nlh, spec);
}

static void put_address(struct batch *b, __u16 type, __u16 flags, const struct plumbing *p)
{
	const struct prefix segment = {p->addr, p->prefixlen};
	struct nlmsghdr *nlh = put_message(b, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = (__u8)p->prefixlen;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	ifa->ifa_index = p->ifindex;
	mnl_attr_put_u32(nlh, IFA_LOCAL, p->addr);
	mnl_attr_put_u32(nlh, IFA_ADDRESS, p->addr);
	if (p->prefixlen < 31)
		mnl_attr_put_u32(nlh, IFA_BROADCAST, prefix_broadcast(&segment));
}

void batch_put_address(struct batch *b, const struct plumbing *p)
{
	put_address(b, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, p);
}

void batch_put_no_address(struct batch *b, const struct plumbing *p)
{
	put_address(b, RTM_DELADDR, 0, p);
}

void batch_put_no_address_at_all(struct batch *b, unsigned int ifindex, __be32 addr)
{
	struct nlmsghdr *nlh = put_message(b, RTM_DELADDR, 0);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_index = ifindex;
	mnl_attr_put_u32(nlh, IFA_LOCAL, addr);
}

static struct rtmsg *put_rtm(struct nlmsghdr *nlh, unsigned int table, unsigned int type)
{
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = AF_INET;
	rtm->rtm_table = (__u8)table;
	rtm->rtm_protocol = RTPROT_BOOT;
	rtm->rtm_type = (__u8)type;
	return rtm;
}

void batch_put_default_route(struct batch *b, unsigned int ifindex, __be32 gateway, bool on_link)
{
	struct nlmsghdr *nlh = put_message(b, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	struct rtmsg *rtm = put_rtm(nlh, RT_TABLE_MAIN, RTN_UNICAST);

	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_flags = on_link ? 0 : RTNH_F_ONLINK;
	mnl_attr_put_u32(nlh, RTA_GATEWAY, gateway);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
}

static struct rtmsg *put_route(struct batch *b, __u16 type, unsigned int ifindex, __u8 table,
			       const struct prefix *to)
{
	const __u16 flags = type == RTM_NEWROUTE ? NLM_F_CREATE | NLM_F_EXCL : 0;
	struct nlmsghdr *nlh = put_message(b, type, flags);
	struct rtmsg *rtm = put_rtm(nlh, table, table == RT_TABLE_LOCAL ? RTN_LOCAL : RTN_UNICAST);

	rtm->rtm_dst_len = (__u8)to->len;
	mnl_attr_put_u32(nlh, RTA_DST, to->addr);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	return rtm;
}

void batch_put_route(struct batch *b, unsigned int ifindex, __u8 table, const struct prefix *to)
{
	put_route(b, RTM_NEWROUTE, ifindex, table, to)->rtm_scope =
		table == RT_TABLE_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK;
}

void batch_put_no_route(struct batch *b, unsigned int ifindex, __u8 table, const struct prefix *to)
{
	put_route(b, RTM_DELROUTE, ifindex, table, to)->rtm_scope = RT_SCOPE_NOWHERE; /* any */
}

static struct ndmsg *put_neighbour_message(struct batch *b, __u16 type, __u16 flags,
					   unsigned int ifindex, __be32 addr, __u16 state)
{
	struct nlmsghdr *nlh = put_message(b, type, flags);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = (int)ifindex;
	ndm->ndm_state = state;
	mnl_attr_put_u32(nlh, NDA_DST, addr);
	return ndm;
}

static struct ndmsg *put_neighbour(struct batch *b, unsigned int ifindex, __be32 addr, __u16 state)
{
	return put_neighbour_message(b, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ifindex, addr,
				     state);
}

void batch_put_no_neighbour(struct batch *b, unsigned int ifindex, __be32 addr)
{
	put_neighbour_message(b, RTM_DELNEIGH, 0, ifindex, addr, 0);
}

void batch_put_neighbour(struct batch *b, unsigned int ifindex, const struct plumb_neighbour *n)
{
	put_neighbour(b, ifindex, n->addr, NUD_STALE);
	mnl_attr_put(b->last, NDA_LLADDR, sizeof(n->mac), n->mac);
}

/* As from elsewhere, it counts for no limit of the neighbour table, and is not thrown away. */
void batch_put_gateway(struct batch *b, unsigned int ifindex, const struct plumb_open *open)
{
	static const __u8 unknown[6];
	const bool known = memcmp(open->gateway_mac, unknown, sizeof(unknown)) != 0;

	put_neighbour(b, ifindex, open->gateway, known ? NUD_STALE : NUD_NONE)->ndm_flags =
		NTF_EXT_LEARNED;
	if (known)
		mnl_attr_put(b->last, NDA_LLADDR, sizeof(open->gateway_mac), open->gateway_mac);
}

/* Of a batch that may be done over again. A neighbour says himself who he is: if the kernel does
 * not like that, he will have to be asked. */
static bool is_so_already(const struct nlmsghdr *request, int error)
{
	switch (request->nlmsg_type) {
	case RTM_NEWADDR:
	case RTM_NEWROUTE:
		return error == -EEXIST;
	case RTM_DELROUTE:
		return error == -ESRCH;
	case RTM_DELNEIGH:
		return error == -ENOENT;
	case RTM_NEWNEIGH:
		return true;
	default:
		return false;
	}
}

static int error_in(const struct batch *b, const struct nlmsgerr *answer)
{
	return b->again && is_so_already(&answer->msg, answer->error) ? 0 : answer->error;
}

/*
 * Reads answers up to that of the last message. The kernel works a batch off inside sendmsg, so
 * they are all there; it answers a message without NLM_F_ACK only when it failed.
 */
static int read_answers(int nl, const struct batch *b)
{
	char buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	__u32 last = b->last->nlmsg_seq;
	int first_error = 0;

	for (;;) {
		const struct nlmsghdr *nlh = (void *)buf;
		ssize_t n = recv(nl, buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0)
			return errno == EAGAIN ? -EIO : -errno;
		if (!mnl_nlmsg_ok(nlh, (int)n) || nlh->nlmsg_type != NLMSG_ERROR)
			continue;
		if (nlh->nlmsg_seq - b->first > last - b->first)
			continue; /* of an earlier batch */
		if (!first_error)
			first_error = error_in(b, mnl_nlmsg_get_payload(nlh));
		if (nlh->nlmsg_seq == last)
			return first_error;
	}
}

int batch_send(int nl, struct batch *b)
{
	const char *end = mnl_nlmsg_get_payload_tail(b->last);

	b->last->nlmsg_flags |= NLM_F_ACK;
	if (send(nl, b->buf, (size_t)(end - b->buf), 0) < 0)
		return -errno;
	return read_answers(nl, b);
}

static int read_dump(int nl, __u32 seq, mnl_cb_t on_message, void *data)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	int more = MNL_CB_OK;

	while (more == MNL_CB_OK) {
		ssize_t n = recv(nl, buf, sizeof(buf), 0);

		if (n <= 0)
			return n ? -errno : -EIO;
		more = mnl_cb_run(buf, (size_t)n, seq, 0, on_message, data);
	}
	return more < 0 ? -errno : 0;
}

int batch_dump(int nl, __u16 type, mnl_cb_t on_message, void *data)
{
	struct batch b;
	struct nlmsghdr *nlh;
	struct rtgenmsg *gen;

	batch_start(&b, false);
	nlh = put_message(&b, type, NLM_F_DUMP);
	gen = mnl_nlmsg_put_extra_header(nlh, sizeof(*gen));
	gen->rtgen_family = AF_INET;
	if (send(nl, b.buf, nlh->nlmsg_len, 0) < 0)
		return -errno;
	return read_dump(nl, nlh->nlmsg_seq, on_message, data);
}
