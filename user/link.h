/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network interfaces over rtnetlink: the veth pair of a container, the flags of the uplink, and
 * news about NICs that come and go. All in the caller's network namespace unless said otherwise.
 */
#ifndef SKEP_USER_LINK_H
#define SKEP_USER_LINK_H

#include <linux/types.h>
#include <net/if.h>
#include <stdbool.h>

/** link_set_promisc() - Return: 1 when it was changed, 0 when it was so already, or negative errno.
 */
int link_set_promisc(unsigned int ifindex, bool on);

/** link_strips_vlan() - whether the NIC keeps 802.1Q tags out of the frame (rx-vlan-offload) */
bool link_strips_vlan(unsigned int ifindex);

/**
 * link_make_pair() - a veth pair, one end here and down, the other in another namespace as "eth0"
 * @name:  of the end here
 * @netns: descriptor of the other namespace
 * @mtu:   of both ends; 0 for the kernel's default
 *
 * IPv6 is off on the end here: the box says nothing of its own to a container. Return: ifindex of
 * the end here, or negative errno.
 */
int link_make_pair(const char *name, int netns, __u32 mtu);

/** link_mtu() - in bytes; 0 when there is no such interface */
__u32 link_mtu(const char *name);

/**
 * link_carrier() - whether an interface is up and has a carrier
 * @ret_changes: how often the carrier has come or gone
 *
 * Return: 1, 0, or negative errno.
 */
int link_carrier(unsigned int ifindex, __u32 *ret_changes);

/** link_set_up() - 0 or negative errno */
int link_set_up(unsigned int ifindex);

/** link_add_ingress() - a qdisc for filters of what the interface receives; 0 or negative errno */
int link_add_ingress(unsigned int ifindex);

/** link_delete() - removes an interface by name, its peer with it; 0 also when there is none */
int link_delete(const char *name);

/**
 * link_prepare_inside() - in the namespace of the container: lo and eth0 up, GRO on
 *
 * GRO gives the veth a NAPI context, without which XDP on the uplink cannot redirect to its peer
 * (drivers/net/veth.c, veth_xdp_xmit). Return: ifindex of eth0, or negative errno.
 */
int link_prepare_inside(void);

/**
 * struct link_news - who is told what
 * @changed: an interface appeared, changed or (@gone) vanished
 * @address: this machine has got an IPv4 address, in network byte order
 */
struct link_news {
	void (*changed)(void *data, const char *name, unsigned int ifindex, bool gone);
	void (*address)(void *data, __be32 addr);
	void *data;
};

/** link_monitor_open() - a descriptor with such news, non-blocking; or negative errno */
int link_monitor_open(void);

/** link_monitor_read() - reads what is there, and tells. Return: 0, or -ENOBUFS when news was lost.
 */
int link_monitor_read(int fd, const struct link_news *news);

#endif
