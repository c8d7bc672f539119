// SPDX-License-Identifier: GPL-2.0
/*
 * contact: makes first contact with one address after the other and tells how long each took to
 * answer, as a packet capture on the requester's interface would show it. Reads addresses from
 * stdin, one a line; writes "ADDRESS MICROSECONDS", "ADDRESS lost" or "ADDRESS refused" for each.
 * Both frames of a pair are stamped by the kernel, on one clock, on one interface; nothing of the
 * time this program itself needs is in it. Never has more than one request under way, and adds
 * nothing up: that is for the caller.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"

#define HTTP_PORT 80
#define FRAME_MAX 256
#define NONE UINT64_MAX

enum sight { SIGHT_NOTHING, SIGHT_REQUEST, SIGHT_ANSWER, SIGHT_REFUSAL };

struct requester {
	const struct probe *probe;
	const char *interface;
	unsigned int pace_min_us, pace_max_us, wait_ms;
	int ifindex;
	uint8_t mac[ETH_ALEN];
	struct in_addr own;
	int tap;    /* sees all frames of the interface, both ways */
	int packet; /* sends who-has; its own frames would not reach it, hence the tap */
};

/**
 * struct trial - one address asked for
 * @request_ns: when the first request left (CLOCK_REALTIME), NONE before
 * @answer_ns:  when the first answer came, NONE before
 * @connection: the TCP socket, of `syn`
 * @port:       its local port, network byte order
 */
struct trial {
	struct in_addr address;
	uint64_t request_ns, answer_ns;
	bool refused;
	int connection;
	uint16_t port;
};

/* What is sent, and how the tap's frames are read. */
struct probe {
	const char *name;
	int (*send)(const struct requester *r, struct trial *t);
	enum sight (*look)(const struct trial *t, const uint8_t *frame, size_t len);
};

static const char usage[] =
	"Usage: contact -i INTERFACE [-p MIN:MAX] [-w MS] arp|syn <ADDRESSES\n"
	"Asks for each address and prints the microseconds until its answer.\n"
	"\n"
	"  arp          broadcast who-has to is-at\n"
	"  syn          SYN to SYN-ACK of a connection to port 80\n"
	"\n"
	"  -i INTERFACE where the frames are sent and seen\n"
	"  -p MIN:MAX   from one request to the next, milliseconds (default 10:20)\n"
	"  -w MS        how long to wait for an answer (default 3000)\n";

/* ---- who-has ---- */

struct arp_frame {
	struct ether_header eth;
	struct ether_arp arp;
	uint8_t padding[18]; /* to the 60 bytes of the shortest frame */
} __attribute__((packed));

static int send_who_has(const struct requester *r, struct trial *t)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = r->ifindex};
	struct arp_frame f = {
		.eth.ether_type = htons(ETHERTYPE_ARP),
		.arp.arp_hrd = htons(ARPHRD_ETHER),
		.arp.arp_pro = htons(ETHERTYPE_IP),
		.arp.arp_hln = ETH_ALEN,
		.arp.arp_pln = sizeof(struct in_addr),
		.arp.arp_op = htons(ARPOP_REQUEST),
	};

	memset(f.eth.ether_dhost, 0xff, ETH_ALEN);
	memcpy(f.eth.ether_shost, r->mac, ETH_ALEN);
	memcpy(f.arp.arp_sha, r->mac, ETH_ALEN);
	memcpy(f.arp.arp_spa, &r->own, sizeof(r->own));
	memcpy(f.arp.arp_tpa, &t->address, sizeof(t->address));
	return sendto(r->packet, &f, sizeof(f), 0, (void *)&to, sizeof(to)) < 0 ? -errno : 0;
}

static enum sight look_arp(const struct trial *t, const uint8_t *frame, size_t len)
{
	struct arp_frame f;

	if (len < sizeof(f.eth) + sizeof(f.arp))
		return SIGHT_NOTHING;
	memcpy(&f, frame, sizeof(f.eth) + sizeof(f.arp));
	if (f.eth.ether_type != htons(ETHERTYPE_ARP))
		return SIGHT_NOTHING;
	if (f.arp.arp_op == htons(ARPOP_REQUEST) &&
	    !memcmp(f.arp.arp_tpa, &t->address, sizeof(t->address)))
		return SIGHT_REQUEST;
	if (f.arp.arp_op == htons(ARPOP_REPLY) &&
	    !memcmp(f.arp.arp_spa, &t->address, sizeof(t->address)))
		return SIGHT_ANSWER;
	return SIGHT_NOTHING;
}

/* ---- SYN ---- */

static int send_syn(const struct requester *r, struct trial *t)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(HTTP_PORT), .sin_addr = t->address};
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = r->own};
	socklen_t len = sizeof(own);

	t->connection = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (t->connection < 0)
		return -errno;
	/* Bound first: the SYN may be on the tap before connect() is back. */
	if (bind(t->connection, (void *)&own, sizeof(own)) ||
	    getsockname(t->connection, (void *)&own, &len))
		return -errno;
	t->port = own.sin_port;
	if (connect(t->connection, (void *)&to, sizeof(to)) && errno != EINPROGRESS)
		return -errno;
	return 0;
}

static enum sight look_tcp(const struct trial *t, const uint8_t *frame, size_t len)
{
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;

	if (len < sizeof(eth) + sizeof(ip) + sizeof(tcp))
		return SIGHT_NOTHING;
	memcpy(&eth, frame, sizeof(eth));
	memcpy(&ip, frame + sizeof(eth), sizeof(ip));
	if (eth.ether_type != htons(ETHERTYPE_IP) || ip.protocol != IPPROTO_TCP ||
	    len < sizeof(eth) + ip.ihl * 4U + sizeof(tcp))
		return SIGHT_NOTHING;
	memcpy(&tcp, frame + sizeof(eth) + ip.ihl * 4U, sizeof(tcp));
	if (ip.daddr == t->address.s_addr && tcp.source == t->port && tcp.syn)
		return SIGHT_REQUEST;
	if (ip.saddr != t->address.s_addr || tcp.dest != t->port)
		return SIGHT_NOTHING;
	if (tcp.rst)
		return SIGHT_REFUSAL;
	return tcp.syn && tcp.ack ? SIGHT_ANSWER : SIGHT_NOTHING;
}

static const struct probe probes[] = {
	{"arp", send_who_has, look_arp},
	{"syn", send_syn, look_tcp},
};

/* ---- the tap ---- */

static uint64_t stamp_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct timespec ts;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(c), sizeof(ts));
		return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
	}
	return NONE;
}

/* One frame of the tap, if there is one; its beginning is enough. */
static ssize_t read_frame(const struct requester *r, uint8_t frame[FRAME_MAX], uint64_t *ret_ns)
{
	char control[CMSG_SPACE(sizeof(struct timespec))];
	struct iovec part = {frame, FRAME_MAX};
	struct msghdr msg = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(r->tap, &msg, MSG_DONTWAIT);

	*ret_ns = n < 0 ? NONE : stamp_of(&msg);
	return n;
}

static void drain(const struct requester *r)
{
	uint8_t frame[FRAME_MAX];
	uint64_t ns;

	while (read_frame(r, frame, &ns) >= 0)
		;
}

/* A request that is sent again does not move the first one: whoever asks has waited since then. */
static void note(struct trial *t, enum sight sight, uint64_t ns)
{
	if (sight == SIGHT_REQUEST && t->request_ns == NONE)
		t->request_ns = ns;
	if (sight == SIGHT_ANSWER && t->request_ns != NONE)
		t->answer_ns = ns;
	if (sight == SIGHT_REFUSAL)
		t->refused = true;
}

static void wait_for_answer(const struct requester *r, struct trial *t)
{
	uint64_t deadline = monotonic_ns() + r->wait_ms * NS_PER_MS;
	uint8_t frame[FRAME_MAX];
	uint64_t ns;

	while (t->answer_ns == NONE && !t->refused && monotonic_ns() < deadline) {
		struct pollfd tap = {.fd = r->tap, .events = POLLIN};
		ssize_t n = read_frame(r, frame, &ns);

		if (n < 0)
			poll(&tap, 1, (int)((deadline - monotonic_ns()) / NS_PER_MS) + 1);
		else
			note(t, r->probe->look(t, frame, (size_t)n), ns);
	}
}

/* ---- trials ---- */

static void print_trial(const struct trial *t, const char *address)
{
	if (t->refused)
		printf("%s refused\n", address);
	else if (t->answer_ns == NONE)
		printf("%s lost\n", address);
	else
		printf("%s %.3f\n", address,
		       (double)(int64_t)(t->answer_ns - t->request_ns) / (double)NS_PER_US);
}

static int try_address(const struct requester *r, const char *address)
{
	struct trial t = {.request_ns = NONE, .answer_ns = NONE, .connection = -EBADF};
	int err;

	if (inet_pton(AF_INET, address, &t.address) != 1) {
		fprintf(stderr, "contact: '%s' is no IPv4 address\n", address);
		return -EINVAL;
	}
	drain(r);
	err = r->probe->send(r, &t);
	if (!err)
		wait_for_answer(r, &t);
	close_fd(t.connection);
	if (err)
		fprintf(stderr, "contact: cannot ask for %s: %s\n", address, strerror(-err));
	else
		print_trial(&t, address);
	return err;
}

/* At random intervals, so that no other clock of the machine beats in time with the requests. */
static uint64_t next_pause_ns(const struct requester *r)
{
	unsigned int spread = r->pace_max_us - r->pace_min_us;

	return (r->pace_min_us + (spread ? (unsigned int)random() % spread : 0)) * NS_PER_US;
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / NS_PER_SEC), (long)(ns % NS_PER_SEC)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

static int run(const struct requester *r)
{
	char line[INET_ADDRSTRLEN + 1];
	int err = 0;

	while (!err && fgets(line, sizeof(line), stdin)) {
		uint64_t next = monotonic_ns() + next_pause_ns(r);

		line[strcspn(line, "\n")] = '\0';
		err = try_address(r, line);
		sleep_until(next);
	}
	return err;
}

/* ---- set-up ---- */

static int learn_interface(struct requester *r)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in own;
	struct ifreq req = {};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", r->interface);
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &req))
		return -errno;
	r->ifindex = req.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &req))
		return -errno;
	memcpy(r->mac, req.ifr_hwaddr.sa_data, sizeof(r->mac));
	if (ioctl(fd, SIOCGIFADDR, &req))
		return -errno;
	memcpy(&own, &req.ifr_addr, sizeof(own));
	r->own = own.sin_addr;
	return 0;
}

/* Protocol 0 until it is bound: nothing of other interfaces gets in. */
static int open_packet(const struct requester *r, uint16_t protocol)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(protocol),
				 .sll_ifindex = r->ifindex};
	cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    bind(fd, (void *)&at, sizeof(at)))
		return -errno;
	return move_fd(&fd);
}

static int set_up(struct requester *r)
{
	int err = learn_interface(r);

	if (err)
		return err;
	r->tap = open_packet(r, ETH_P_ALL);
	r->packet = open_packet(r, 0);
	return r->tap < 0 ? r->tap : r->packet < 0 ? r->packet : 0;
}

static bool parse_pace(const char *text, struct requester *r)
{
	double min, max;
	char rest;

	if (sscanf(text, "%lf:%lf%c", &min, &max, &rest) != 2 || min < 0 || max < min || max > 1e6)
		return false;
	r->pace_min_us = (unsigned int)(min * 1000);
	r->pace_max_us = (unsigned int)(max * 1000);
	return true;
}

static bool parse_options(int argc, char **argv, struct requester *r)
{
	bool ok = true;
	int c;

	while (ok && (c = getopt(argc, argv, "i:p:w:")) != -1) {
		if (c == 'i')
			r->interface = optarg;
		else if (c == 'p')
			ok = parse_pace(optarg, r);
		else if (c == 'w')
			ok = (r->wait_ms = (unsigned int)strtoul(optarg, NULL, 10)) > 0;
		else
			ok = false;
	}
	for (size_t i = 0; ok && optind == argc - 1 && i < ARRAY_SIZE(probes); i++)
		if (!strcmp(argv[optind], probes[i].name))
			r->probe = &probes[i];
	return ok && r->interface && r->probe;
}

int main(int argc, char **argv)
{
	struct requester r = {.pace_min_us = 10000,
			      .pace_max_us = 20000,
			      .wait_ms = 3000,
			      .tap = -EBADF,
			      .packet = -EBADF};
	int err;

	if (!parse_options(argc, argv, &r)) {
		fputs(usage, stderr);
		return 2;
	}
	err = set_up(&r);
	if (err)
		fprintf(stderr, "contact: cannot watch %s: %s\n", r.interface, strerror(-err));
	else
		err = run(&r);
	close_fd(r.tap);
	close_fd(r.packet);
	return err ? 1 : 0;
}
