// SPDX-License-Identifier: GPL-2.0
/*
 * contact: makes first contact with one address after the other and tells how long each took to
 * answer, as a packet capture on the requester's interface would show it. Reads lines of "ADDRESS"
 * or "ADDRESS INTERFACE" from stdin; writes "ADDRESS MICROSECONDS", "ADDRESS lost" or "ADDRESS
 * refused" for each, and of a page also when the connection stood: "ADDRESS MICROSECONDS
 * MICROSECONDS". Both frames of a pair are stamped by the kernel, on one clock, on one interface;
 * nothing of the time this program itself needs is in it, except that a page is asked for by it
 * once there is a connection. Never has more than one request under way, and adds nothing up: that
 * is for the caller.
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

enum sight { SIGHT_NOTHING, SIGHT_REQUEST, SIGHT_CONNECTION, SIGHT_ANSWER, SIGHT_REFUSAL };

struct requester {
	const struct probe *probe;
	const char *interface; /* of all addresses; NULL when each line names its own */
	unsigned int pace_min_us, pace_max_us, wait_ms;
	int tap;    /* sees all frames of the interface, both ways */
	int packet; /* sends who-has; its own frames would not reach it, hence the tap */
};

/* Where a question leaves. */
struct place {
	int ifindex;
	uint8_t mac[ETH_ALEN];
	struct in_addr own;
};

/**
 * struct trial - one address asked for
 * @request_ns:   when the first request left (CLOCK_REALTIME), NONE before
 * @connected_ns: when the SYN-ACK came, of a page, NONE before
 * @answer_ns:    when the first answer came, NONE before
 * @connection:   the TCP socket, of `syn` and `http`
 * @port:         its local port, network byte order
 */
struct trial {
	struct place from;
	struct in_addr address;
	uint64_t request_ns, connected_ns, answer_ns;
	bool refused;
	int connection;
	uint16_t port;
};

/* What is sent, also when there is a connection, and how the tap's frames are read. */
struct probe {
	const char *name;
	int (*send)(const struct requester *r, struct trial *t);
	enum sight (*look)(const struct trial *t, const uint8_t *frame, size_t len);
	int (*go_on)(const struct trial *t);
};

static const char usage[] =
	"Usage: contact [-i INTERFACE] [-p MIN:MAX] [-w MS] arp|syn|http <ADDRESSES\n"
	"Asks for each address and prints the microseconds until its answer.\n"
	"\n"
	"  arp          broadcast who-has to is-at\n"
	"  syn          SYN to SYN-ACK of a connection to port 80\n"
	"  http         SYN to the first byte of the page /, and SYN to SYN-ACK\n"
	"\n"
	"  -i INTERFACE where the frames are sent and seen; without it each line names one\n"
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
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = t->from.ifindex};
	struct arp_frame f = {
		.eth.ether_type = htons(ETHERTYPE_ARP),
		.arp.arp_hrd = htons(ARPHRD_ETHER),
		.arp.arp_pro = htons(ETHERTYPE_IP),
		.arp.arp_hln = ETH_ALEN,
		.arp.arp_pln = sizeof(struct in_addr),
		.arp.arp_op = htons(ARPOP_REQUEST),
	};

	memset(f.eth.ether_dhost, 0xff, ETH_ALEN);
	memcpy(f.eth.ether_shost, t->from.mac, ETH_ALEN);
	memcpy(f.arp.arp_sha, t->from.mac, ETH_ALEN);
	memcpy(f.arp.arp_spa, &t->from.own, sizeof(t->from.own));
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

/* ---- SYN and page ---- */

static int send_syn(const struct requester *r __attribute__((unused)), struct trial *t)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(HTTP_PORT), .sin_addr = t->address};
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = t->from.own};
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

/* Return: whether the frame is TCP; then its headers, and how many bytes of data it has. */
static bool read_tcp(const uint8_t *frame, size_t len, struct iphdr *ip, struct tcphdr *tcp,
		     size_t *ret_data)
{
	struct ether_header eth;
	size_t headers;

	if (len < sizeof(eth) + sizeof(*ip) + sizeof(*tcp))
		return false;
	memcpy(&eth, frame, sizeof(eth));
	memcpy(ip, frame + sizeof(eth), sizeof(*ip));
	if (eth.ether_type != htons(ETHERTYPE_IP) || ip->protocol != IPPROTO_TCP ||
	    len < sizeof(eth) + ip->ihl * 4U + sizeof(*tcp))
		return false;
	memcpy(tcp, frame + sizeof(eth) + ip->ihl * 4U, sizeof(*tcp));
	headers = ip->ihl * 4U + tcp->doff * 4U;
	*ret_data = ntohs(ip->tot_len) > headers ? ntohs(ip->tot_len) - headers : 0;
	return true;
}

static enum sight look_tcp(const struct trial *t, const uint8_t *frame, size_t len)
{
	struct tcphdr tcp;
	struct iphdr ip;
	size_t data;

	if (!read_tcp(frame, len, &ip, &tcp, &data))
		return SIGHT_NOTHING;
	if (ip.daddr == t->address.s_addr && tcp.source == t->port && tcp.syn)
		return SIGHT_REQUEST;
	if (ip.saddr != t->address.s_addr || tcp.dest != t->port)
		return SIGHT_NOTHING;
	if (tcp.rst)
		return SIGHT_REFUSAL;
	if (tcp.syn && tcp.ack)
		return SIGHT_CONNECTION;
	return data ? SIGHT_ANSWER : SIGHT_NOTHING;
}

static enum sight look_syn(const struct trial *t, const uint8_t *frame, size_t len)
{
	enum sight sight = look_tcp(t, frame, len);

	return sight == SIGHT_CONNECTION ? SIGHT_ANSWER : sight;
}

/* The kernel sends it when the handshake is complete, which may be a moment from now. */
static int ask_for_page(const struct trial *t)
{
	static const char get[] = "GET / HTTP/1.0\r\n\r\n";
	struct pollfd connection = {.fd = t->connection, .events = POLLOUT};

	if (poll(&connection, 1, 100) != 1)
		return -ETIMEDOUT;
	return send(t->connection, get, sizeof(get) - 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static const struct probe probes[] = {
	{"arp", send_who_has, look_arp, NULL},
	{"syn", send_syn, look_syn, NULL},
	{"http", send_syn, look_tcp, ask_for_page},
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
	if (sight == SIGHT_CONNECTION && t->request_ns != NONE && t->connected_ns == NONE)
		t->connected_ns = ns;
	if (sight == SIGHT_ANSWER && t->request_ns != NONE)
		t->answer_ns = ns;
	if (sight == SIGHT_REFUSAL)
		t->refused = true;
}

/* Reads a frame, or waits for one until the deadline. */
static int wait_for_frame(const struct requester *r, struct trial *t, uint64_t deadline)
{
	struct pollfd tap = {.fd = r->tap, .events = POLLIN};
	const bool connected = t->connected_ns != NONE;
	uint8_t frame[FRAME_MAX];
	uint64_t ns;
	ssize_t n = read_frame(r, frame, &ns);

	if (n < 0) {
		poll(&tap, 1, (int)((deadline - monotonic_ns()) / NS_PER_MS) + 1);
		return 0;
	}
	note(t, r->probe->look(t, frame, (size_t)n), ns);
	return !connected && t->connected_ns != NONE && r->probe->go_on ? r->probe->go_on(t) : 0;
}

static int wait_for_answer(const struct requester *r, struct trial *t)
{
	uint64_t deadline = monotonic_ns() + r->wait_ms * NS_PER_MS;
	int err = 0;

	while (!err && t->answer_ns == NONE && !t->refused && monotonic_ns() < deadline)
		err = wait_for_frame(r, t, deadline);
	return err == -ETIMEDOUT ? 0 : err; /* no connection: lost */
}

/* ---- trials ---- */

static double us_since(uint64_t begun, uint64_t end)
{
	return (double)(int64_t)(end - begun) / (double)NS_PER_US;
}

static void print_trial(const struct trial *t, const char *address)
{
	if (t->refused)
		printf("%s refused\n", address);
	else if (t->answer_ns == NONE)
		printf("%s lost\n", address);
	else if (t->connected_ns == NONE)
		printf("%s %.3f\n", address, us_since(t->request_ns, t->answer_ns));
	else
		printf("%s %.3f %.3f\n", address, us_since(t->request_ns, t->answer_ns),
		       us_since(t->request_ns, t->connected_ns));
}

static int learn_place(const char *interface, struct place *ret)
{
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in own;
	struct ifreq req = {};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", interface);
	if (fd < 0 || ioctl(fd, SIOCGIFINDEX, &req))
		return -errno;
	ret->ifindex = req.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &req))
		return -errno;
	memcpy(ret->mac, req.ifr_hwaddr.sa_data, sizeof(ret->mac));
	if (ioctl(fd, SIOCGIFADDR, &req))
		return -errno;
	memcpy(&own, &req.ifr_addr, sizeof(own));
	ret->own = own.sin_addr;
	return 0;
}

/* "ADDRESS" or "ADDRESS INTERFACE" */
static int parse_line(const struct requester *r, char *line, const char **ret_address,
		      struct trial *ret)
{
	const char *address = strtok(line, " \n"), *interface = strtok(NULL, " \n");
	int err;

	if (!address || inet_pton(AF_INET, address, &ret->address) != 1) {
		fprintf(stderr, "contact: '%s' is no IPv4 address\n", address ? address : "");
		return -EINVAL;
	}
	if (r->interface)
		interface = r->interface;
	err = interface ? learn_place(interface, &ret->from) : -EINVAL;
	if (err)
		fprintf(stderr, "contact: cannot ask for %s at %s: %s\n", address,
			interface ? interface : "no interface", strerror(-err));
	*ret_address = address;
	return err;
}

static int try_address(const struct requester *r, char *line)
{
	struct trial t = {
		.request_ns = NONE, .connected_ns = NONE, .answer_ns = NONE, .connection = -EBADF};
	const char *address;
	int err = parse_line(r, line, &address, &t);

	if (err)
		return err;
	drain(r);
	err = r->probe->send(r, &t);
	if (!err)
		err = wait_for_answer(r, &t);
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

/* At an even rate where the pause is always the same: what one waits too long is not added to the
 * next. */
static int run(const struct requester *r)
{
	char line[INET_ADDRSTRLEN + IFNAMSIZ + 2];
	uint64_t next = monotonic_ns();
	int err = 0;

	while (!err && fgets(line, sizeof(line), stdin)) {
		uint64_t now = monotonic_ns();

		next = (next < now - NS_PER_MS ? now : next) + next_pause_ns(r);
		err = try_address(r, line);
		sleep_until(next);
	}
	return err;
}

/* ---- set-up ---- */

/* Protocol 0 until it is bound: nothing of other interfaces gets in. Of all of them for @ifindex 0.
 */
static int open_packet(int ifindex, uint16_t protocol)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = ifindex};
	cleanup_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    bind(fd, (void *)&at, sizeof(at)))
		return -errno;
	return move_fd(&fd);
}

static int set_up(struct requester *r)
{
	struct place place = {};
	int err = r->interface ? learn_place(r->interface, &place) : 0;

	if (err)
		return err;
	setvbuf(stdout, NULL, _IOLBF, 0); /* whoever waits for one before he gives the next line */
	r->tap = open_packet(place.ifindex, ETH_P_ALL);
	r->packet = open_packet(place.ifindex, 0);
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
	return ok && r->probe && (r->interface || !strcmp(r->probe->name, "arp"));
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
		fprintf(stderr, "contact: cannot watch %s: %s\n",
			r.interface ? r.interface : "all interfaces", strerror(-err));
	else
		err = run(&r);
	close_fd(r.tap);
	close_fd(r.packet);
	return err ? 1 : 0;
}
