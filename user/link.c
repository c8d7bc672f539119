// SPDX-License-Identifier: GPL-2.0
/*
 * Interfaces over rtnetlink; see link.h. Owns no interface: who makes one removes it. Each call
 * opens a socket of its own, for the namespace may differ from call to call.
 */
#include "link.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "files.h"

#define BUFFER_SIZE 8192

static void cleanup_mnl_close(struct mnl_socket **nl)
{
	if (*nl)
		mnl_socket_close(*nl);
}

static struct mnl_socket *open_rtnl(unsigned int groups)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (nl && mnl_socket_bind(nl, groups, MNL_SOCKET_AUTOPID) < 0) {
		mnl_socket_close(nl);
		nl = NULL;
	}
	return nl;
}

/* Sends a request that asks for an acknowledgement, and waits for that. */
static int request(struct nlmsghdr *nlh)
{
	__attribute__((cleanup(cleanup_mnl_close))) struct mnl_socket *nl = open_rtnl(0);
	char buf[BUFFER_SIZE];
	ssize_t n;

	if (!nl)
		return -errno;
	nlh->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 || mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), NULL, NULL) < 0)
		return -errno;
	return 0;
}

static struct ifinfomsg *link_message(char *buf, __u16 type, unsigned int ifindex,
				      struct nlmsghdr **ret)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

	nlh->nlmsg_type = type;
	ifi->ifi_index = (int)ifindex;
	*ret = nlh;
	return ifi;
}

static int set_flags(unsigned int ifindex, unsigned int flags, unsigned int mask)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh;
	struct ifinfomsg *ifi = link_message(buf, RTM_NEWLINK, ifindex, &nlh);

	ifi->ifi_flags = flags;
	ifi->ifi_change = mask;
	return request(nlh);
}

int link_set_promisc(unsigned int ifindex, bool on)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};
	int err;

	if (fd < 0 || !if_indextoname(ifindex, ifr.ifr_name) || ioctl(fd, SIOCGIFFLAGS, &ifr))
		return -errno;
	if (!!(ifr.ifr_flags & IFF_PROMISC) == on)
		return 0;
	err = set_flags(ifindex, on ? IFF_PROMISC : 0, IFF_PROMISC);
	return err ? err : 1;
}

__u32 link_mtu(const char *name)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	return fd < 0 || ioctl(fd, SIOCGIFMTU, &ifr) ? 0 : (__u32)ifr.ifr_mtu;
}

struct carrier {
	unsigned int flags;
	__u32 changes;
};

static int read_carrier(const struct nlmsghdr *nlh, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct carrier *carrier = data;
	const struct nlattr *attr;

	carrier->flags = ifi->ifi_flags;
	mnl_attr_for_each(attr, nlh,
			  sizeof(*ifi)) if (mnl_attr_get_type(attr) == IFLA_CARRIER_CHANGES)
		carrier->changes = mnl_attr_get_u32(attr);
	return MNL_CB_STOP;
}

int link_carrier(unsigned int ifindex, __u32 *ret_changes)
{
	__attribute__((cleanup(cleanup_mnl_close))) struct mnl_socket *nl = open_rtnl(0);
	struct carrier carrier = {};
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh;
	ssize_t n;

	if (!nl)
		return -errno;
	link_message(buf, RTM_GETLINK, ifindex, &nlh);
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = 1;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	n = mnl_socket_recvfrom(nl, buf, sizeof(buf));
	if (n < 0 ||
	    mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), read_carrier, &carrier) < 0)
		return -errno;
	*ret_changes = carrier.changes;
	return (carrier.flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
}

int link_set_up(unsigned int ifindex)
{
	return set_flags(ifindex, IFF_UP, IFF_UP);
}

/*
 * One queue, said beforehand: otherwise veth makes one a CPU and takes all but one away again,
 * which waits for an RCU grace period with the rtnl lock held (drivers/net/veth.c,
 * veth_init_queues) while binds need it.
 */
static void put_one_queue(struct nlmsghdr *nlh)
{
	mnl_attr_put_u32(nlh, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(nlh, IFLA_NUM_RX_QUEUES, 1);
}

static void put_mtu(struct nlmsghdr *nlh, __u32 mtu)
{
	if (mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
}

static void put_veth_peer(struct nlmsghdr *nlh, int netns, __u32 mtu)
{
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	struct nlattr *data, *peer;

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, "eth0");
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (__u32)netns);
	put_one_queue(nlh);
	put_mtu(nlh, mtu);
	mnl_attr_nest_end(nlh, peer);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
}

/* The kernel may have no IPv6, or none for this namespace: then there is nothing to disable. */
static void disable_ipv6(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	files_write(path, "1", 1, 0);
}

int link_make_pair(const char *name, int netns, __u32 mtu)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh;
	unsigned int ifindex;
	int err;

	link_message(buf, RTM_NEWLINK, 0, &nlh);
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	put_one_queue(nlh);
	put_mtu(nlh, mtu);
	put_veth_peer(nlh, netns, mtu);
	err = request(nlh);
	if (err)
		return err;
	ifindex = if_nametoindex(name);
	if (!ifindex)
		return -errno;
	disable_ipv6(name);
	return (int)ifindex;
}

int link_add_ingress(unsigned int ifindex)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tcm = mnl_nlmsg_put_extra_header(nlh, sizeof(*tcm));

	nlh->nlmsg_type = RTM_NEWQDISC;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL;
	tcm->tcm_ifindex = (int)ifindex;
	tcm->tcm_parent = TC_H_INGRESS;
	tcm->tcm_handle = TC_H_MAKE(TC_H_INGRESS, 0);
	mnl_attr_put_strz(nlh, TCA_KIND, "ingress");
	return request(nlh);
}

int link_delete(const char *name)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh;
	int err;

	link_message(buf, RTM_DELLINK, 0, &nlh);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	err = request(nlh);
	return err == -ENODEV ? 0 : err;
}

static int ethtool_value(const char *name, __u32 command, __u32 *data)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_value value = {.cmd = command, .data = *data};
	struct ifreq ifr = {.ifr_data = (void *)&value};

	strncpy(ifr.ifr_name, name, sizeof(ifr.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &ifr))
		return -errno;
	*data = value.data;
	return 0;
}

static int enable_gro(const char *name)
{
	__u32 on = 1;

	return ethtool_value(name, ETHTOOL_SGRO, &on);
}

bool link_strips_vlan(unsigned int ifindex)
{
	char name[IF_NAMESIZE];
	__u32 flags = 0;

	return if_indextoname(ifindex, name) && !ethtool_value(name, ETHTOOL_GFLAGS, &flags) &&
	       flags & ETH_FLAG_RXVLAN;
}

int link_prepare_inside(void)
{
	unsigned int lo = if_nametoindex("lo"), eth0 = if_nametoindex("eth0");
	int err;

	if (!lo || !eth0)
		return -ENODEV;
	err = link_set_up(lo);
	if (!err)
		err = link_set_up(eth0);
	if (!err) /* only now: veth tells its peer that it takes redirected frames when it is up */
		err = enable_gro("eth0");
	return err ? err : (int)eth0;
}

int link_monitor_open(void)
{
	cleanup_close int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	struct sockaddr_nl address = {.nl_family = AF_NETLINK,
				      .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR};

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return move_fd(&fd);
}

static void tell_link(const struct link_news *news, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;

	if (ifi->ifi_family != AF_UNSPEC) /* a bridge speaks of its ports */
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		if (mnl_attr_get_type(attr) == IFLA_IFNAME)
			news->changed(news->data, mnl_attr_get_str(attr),
				      (unsigned int)ifi->ifi_index, nlh->nlmsg_type == RTM_DELLINK);
	}
}

static void tell_address(const struct link_news *news, const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifaddrmsg))
	{
		if (mnl_attr_get_type(attr) == IFA_LOCAL)
			news->address(news->data, mnl_attr_get_u32(attr));
	}
}

static int on_message(const struct nlmsghdr *nlh, void *data)
{
	if (nlh->nlmsg_type == RTM_NEWLINK || nlh->nlmsg_type == RTM_DELLINK)
		tell_link(data, nlh);
	else if (nlh->nlmsg_type == RTM_NEWADDR)
		tell_address(data, nlh);
	return MNL_CB_OK;
}

int link_monitor_read(int fd, const struct link_news *news)
{
	char buf[BUFFER_SIZE * 4];
	int lost = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0 || (n < 0 && errno == ENOBUFS)) {
		if (n < 0)
			lost = -ENOBUFS;
		else
			mnl_cb_run(buf, (size_t)n, 0, 0, on_message, (void *)news);
	}
	return lost;
}
