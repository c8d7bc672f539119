/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two network namespaces and a veth pair between them: inside is a container's, with eth0; outside
 * is the gateway 10.66.0.1/16, and behind it 198.51.100.1. Both go with their last descriptor.
 */
#ifndef SKEP_TESTS_PLUMB_LAB_H
#define SKEP_TESTS_PLUMB_LAB_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"

#define GATEWAY "10.66.0.1"
#define OFF_LINK "198.51.100.1"
#define WIRE_MAC "02:00:00:00:00:01"
#define OPEN_MAC "02:00:00:00:00:0e"
#define BOUND_MAC "00:1b:21:01:02:03"
#define LOOK_MAX (1 << 20)
#define ANSWER_MS 5000 /* far more than any answer takes */

struct lab {
	int outside, inside;
	int nl;	  /* rtnetlink, inside */
	int wire; /* packet socket on the outer end */
	unsigned int eth0;
};

static struct lab lab;

static inline void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET))
		abort();
}

static inline __attribute__((format(printf, 2, 3))) int run_in(int netns, const char *format, ...)
{
	char command[1024];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	enter(netns);
	status = system(command);
	enter(lab.outside);
	return status;
}

/* What a command prints inside; the caller frees it. */
static inline char *read_inside(const char *command)
{
	size_t len = 0, room = LOOK_MAX;
	char *text = calloc(1, room);
	FILE *f;

	enter(lab.inside);
	f = popen(command, "r");
	enter(lab.outside);
	while (f && len < room - 1) {
		size_t n = fread(text + len, 1, room - 1 - len, f);

		if (!n)
			break;
		len += n;
	}
	assert_non_null(f);
	assert_int_equal(pclose(f), 0);
	return text;
}

static inline int new_netns(void)
{
	if (unshare(CLONE_NEWNET))
		return -1;
	return open("/proc/thread-self/ns/net", O_RDONLY); /* for ip(8), too */
}

static inline __be32 ip_of(const char *text)
{
	return inet_addr(text);
}

static inline void mac_of(const char *text, __u8 ret[6])
{
	assert_int_equal(sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &ret[0], &ret[1],
				&ret[2], &ret[3], &ret[4], &ret[5]),
			 6);
}

static inline int open_wire(void)
{
	struct sockaddr_ll on = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW, 0);

	on.sll_ifindex = (int)if_nametoindex("wire");
	return bind(fd, (struct sockaddr *)&on, sizeof(on)) ? -1 : fd;
}

static inline int netlink_inside(void)
{
	int fd;

	enter(lab.inside);
	fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	enter(lab.outside);
	return fd;
}

static inline int open_sockets(void)
{
	lab.wire = open_wire();
	lab.nl = netlink_inside();
	enter(lab.inside);
	lab.eth0 = if_nametoindex("eth0");
	enter(lab.outside);
	return lab.wire < 0 || lab.nl < 0 || !lab.eth0;
}

/* IPv6 is off, as in a container. Not all who are asked have a route to who asks; a machine may be
 * set to keep silent then, as Debian 13 has it, and a new namespace is as the machine. */
#define SETTINGS                                                   \
	"echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && "     \
	"echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 && " \
	"echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter && "        \
	"echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter && "

/* The kernel takes its time to follow a carrier, unless somebody wants to know; or still (6.1). */
static inline bool gets_carrier(int netns, const char *name)
{
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq ifr = {.ifr_data = (void *)&link};
	cleanup_close int fd = -1;

	enter(netns);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	enter(lab.outside);
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	return !ioctl(fd, SIOCETHTOOL, &ifr) && link.data &&
	       !run_in(netns,
		       "for i in $(seq 500); do "
		       "ip link show dev %s | grep -q 'state UP' && exit; sleep 0.01; done; exit 1",
		       name);
}

static inline int make_lab(void **state)
{
	(void)state;
	lab.inside = new_netns();
	lab.outside = new_netns();
	if (lab.inside < 0 || lab.outside < 0 || run_in(lab.inside, SETTINGS "ip link set lo up") ||
	    run_in(lab.outside,
		   SETTINGS "ip link add wire address " WIRE_MAC " type veth peer name eth0 "
			    "address " OPEN_MAC " netns /proc/self/fd/%d && "
			    "ip addr add " GATEWAY "/16 dev wire && "
			    "ip addr add " OFF_LINK "/24 dev lo && "
			    "ip link set lo up && ip link set wire up",
		   lab.inside) ||
	    run_in(lab.inside, "ip link set eth0 up") || !gets_carrier(lab.inside, "eth0") ||
	    !gets_carrier(lab.outside, "wire"))
		return -1;
	return open_sockets();
}

static inline int remove_lab(void **state)
{
	(void)state;
	close(lab.nl);
	close(lab.wire);
	close(lab.inside);
	close(lab.outside);
	return 0;
}

static inline int on_neighbour(const struct nlmsghdr *nlh, void *text)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	char *end = (char *)text + strlen(text);

	if (ndm->ndm_ifindex == (int)lab.eth0)
		snprintf(end, 64, "neighbour type %u flags %x state %x\n", ndm->ndm_type,
			 ndm->ndm_flags, ndm->ndm_state);
	return MNL_CB_OK;
}

static inline void look_at_neighbours(char *text)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	cleanup_close int nl = netlink_inside();
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
	int more;

	nlh->nlmsg_type = RTM_GETNEIGH;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ndm->ndm_family = AF_INET;
	assert_int_equal(send(nl, buf, nlh->nlmsg_len, 0), nlh->nlmsg_len);
	do {
		ssize_t n = recv(nl, buf, sizeof(buf), 0);

		assert_true(n > 0);
		more = mnl_cb_run(buf, (size_t)n, 0, 0, on_neighbour, text);
	} while (more == MNL_CB_OK);
	assert_int_equal(more, MNL_CB_STOP);
}

/* Everything that shows from inside, apart from what any two namespaces differ in: what ip(8) does
 * not show of neighbours, too (what they were looked up as). The routing trie comes last. */
static inline char *look_inside(void)
{
	char *text = read_inside(
		"exec 2>/dev/null; set -e; ip -d rule; ip -d -6 rule; ip -d route show table all; "
		"ip -d -6 route show table all; ip -d addr; ip netconf; ip neigh; "
		"sysctl -a -r '^net\\.' | grep -v '^net.netfilter.nf_conntrack_count'; "
		"cd /proc/net; cat route arp");
	cleanup_free char *trie =
		read_inside("cd /proc/net; cat fib_trie; " /* some kernels count who looks */
			    "sed '/^gets = /,/^skipped node resize/d' fib_triestat");

	look_at_neighbours(text);
	return strncat(text, trie, LOOK_MAX - strlen(text) - 1);
}

struct __attribute__((packed)) arp_frame {
	struct ethhdr eth;
	struct ether_arp arp;
};

struct __attribute__((packed)) ip_frame {
	struct ethhdr eth;
	struct iphdr ip;
	union {
		struct icmphdr icmp;
		struct tcphdr tcp;
	};
};

static inline void send_on_wire(const void *frame, size_t len)
{
	assert_int_equal(send(lab.wire, frame, len, 0), (ssize_t)len);
}

/* The next frame that inside has sent; 0 when none comes. */
static inline size_t receive_on_wire(void *frame, size_t room)
{
	struct pollfd wait = {.fd = lab.wire, .events = POLLIN};

	while (poll(&wait, 1, ANSWER_MS) > 0) {
		struct sockaddr_ll from = {0};
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(lab.wire, frame, room, 0, (struct sockaddr *)&from, &len);

		if (n > 0 && from.sll_pkttype != PACKET_OUTGOING)
			return (size_t)n;
	}
	return 0;
}

static inline void send_who_has(const char *ip, const char *from)
{
	struct arp_frame f = {
		.eth.h_proto = htons(ETH_P_ARP),
		.arp.ea_hdr = {htons(1), htons(ETH_P_IP), 6, 4, htons(ARPOP_REQUEST)},
	};
	__be32 asked = ip_of(ip), asking = ip_of(from);

	memset(f.eth.h_dest, 0xff, 6);
	mac_of(WIRE_MAC, f.eth.h_source);
	mac_of(WIRE_MAC, f.arp.arp_sha);
	memcpy(f.arp.arp_spa, &asking, 4);
	memcpy(f.arp.arp_tpa, &asked, 4);
	send_on_wire(&f, sizeof(f));
}

static inline __u32 sum_of(const void *data, size_t len)
{
	const __u8 *byte = data;
	__u32 sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (__u32)byte[i] << 8 | byte[i + 1];
	return sum;
}

static inline __be16 checksum(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((__u16) ~(sum + (sum >> 16)));
}

/* @to_mac: what the sender takes for its link address */
static inline struct ip_frame ip_frame_to(const char *to, const char *to_mac, const char *from,
					  __u8 protocol, size_t len)
{
	struct ip_frame f = {.eth.h_proto = htons(ETH_P_IP),
			     .ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = protocol}};

	mac_of(to_mac, f.eth.h_dest);
	mac_of(WIRE_MAC, f.eth.h_source);
	f.ip.tot_len = htons((__u16)(sizeof(f.ip) + len));
	f.ip.saddr = ip_of(from);
	f.ip.daddr = ip_of(to);
	f.ip.check = checksum(sum_of(&f.ip, sizeof(f.ip)));
	return f;
}

static inline void send_ping(const char *to, const char *to_mac, const char *from)
{
	struct ip_frame f = ip_frame_to(to, to_mac, from, IPPROTO_ICMP, sizeof(struct icmphdr));

	f.icmp.type = ICMP_ECHO;
	f.icmp.checksum = htons((__u16) ~(ICMP_ECHO << 8));
	send_on_wire(&f, sizeof(f.eth) + sizeof(f.ip) + sizeof(f.icmp));
}

static inline void send_syn(const char *to, const char *to_mac, const char *from, __u16 port)
{
	struct ip_frame f = ip_frame_to(to, to_mac, from, IPPROTO_TCP, sizeof(struct tcphdr));

	f.tcp = (struct tcphdr){.source = htons(999), .dest = htons(port), .doff = 5, .syn = 1};
	f.tcp.check = checksum(sum_of(&f.ip.saddr, 8) + IPPROTO_TCP + sizeof(f.tcp) +
			       sum_of(&f.tcp, sizeof(f.tcp)));
	send_on_wire(&f, sizeof(f.eth) + sizeof(f.ip) + sizeof(f.tcp));
}

/* Who says next that he has an address: network byte order, 0 for nobody. */
static inline __be32 next_is_at(void)
{
	char buf[2048];
	const struct arp_frame *f = (void *)buf;
	__be32 who;

	while (receive_on_wire(buf, sizeof(buf)))
		if (f->eth.h_proto == htons(ETH_P_ARP) && f->arp.arp_op == htons(ARPOP_REPLY)) {
			memcpy(&who, f->arp.arp_spa, 4);
			return who;
		}
	return 0;
}

/* Whose answer to a ping comes next; @asked: how many who-has came before it */
static inline __be32 next_pong(unsigned int *asked)
{
	char buf[2048];
	const struct ip_frame *f = (void *)buf;

	*asked = 0;
	while (receive_on_wire(buf, sizeof(buf))) {
		*asked += f->eth.h_proto == htons(ETH_P_ARP);
		if (f->eth.h_proto == htons(ETH_P_IP) && f->ip.protocol == IPPROTO_ICMP &&
		    f->icmp.type == ICMP_ECHOREPLY)
			return f->ip.saddr;
	}
	return 0;
}

static inline int tcp_socket(int netns)
{
	struct timeval wait = {.tv_sec = ANSWER_MS / 1000};
	int fd, on = 1;

	enter(netns);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	enter(lab.outside);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return fd;
}

static inline struct sockaddr_in at(const char *ip, __u16 port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip_of(ip)};
}

/* A service inside, at every address that there is. */
static inline int listen_inside(__u16 port)
{
	struct sockaddr_in here = at("0.0.0.0", port);
	int fd = tcp_socket(lab.inside);

	assert_int_equal(bind(fd, (struct sockaddr *)&here, sizeof(here)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

struct talk {
	int here, there;
};

static inline struct talk connect_from(int netns, int listener, const char *from, const char *to,
				       __u16 port)
{
	struct sockaddr_in source = at(from, 0), target = at(to, port);
	struct talk t = {.here = tcp_socket(netns)};

	assert_int_equal(bind(t.here, (struct sockaddr *)&source, sizeof(source)), 0);
	if (connect(t.here, (struct sockaddr *)&target, sizeof(target)))
		fail_msg("%s to %s: %s", from, to, strerror(errno));
	t.there = accept(listener, NULL, NULL);
	assert_true(t.there >= 0);
	return t;
}

static inline void say(int from, int to, const char *word)
{
	char buf[16] = "";

	assert_int_equal(send(from, word, strlen(word), MSG_NOSIGNAL), strlen(word));
	assert_int_equal(recv(to, buf, strlen(word), MSG_WAITALL), strlen(word));
	assert_string_equal(buf, word);
}

static inline void talk(const struct talk *t)
{
	say(t->here, t->there, "ping");
	say(t->there, t->here, "pong");
}

static inline void end_talk(struct talk *t)
{
	close(t->here);
	close(t->there);
}

#endif
