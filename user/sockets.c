// SPDX-License-Identifier: GPL-2.0
/* Questions about TCP sockets; see sockets.h. Owns no descriptor. */
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "config.h"

#define BUFFER_SIZE 16384

/* Looks at one socket; true when the answer is known. */
typedef bool (*look_fn)(const struct inet_diag_msg *socket, void *data);

struct question {
	look_fn look;
	void *data;
	bool known;
};

int sockets_open(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	return fd < 0 ? -errno : fd;
}

static int ask(int fd, int family, __u32 states)
{
	char buf[BUFFER_SIZE];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(nlh, sizeof(*req));

	nlh->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req->sdiag_family = (__u8)family;
	req->sdiag_protocol = IPPROTO_TCP;
	req->idiag_states = states;
	return send(fd, nlh, nlh->nlmsg_len, 0) < 0 ? -errno : 0;
}

static int on_socket(const struct nlmsghdr *nlh, void *data)
{
	struct question *question = data;

	if (nlh->nlmsg_type == SOCK_DIAG_BY_FAMILY && !question->known)
		question->known = question->look(mnl_nlmsg_get_payload(nlh), question->data);
	return MNL_CB_OK; /* to the end: the next question must not get this one's answers */
}

static int read_answers(int fd, struct question *question)
{
	char buf[BUFFER_SIZE];
	int more = MNL_CB_OK;

	while (more == MNL_CB_OK) {
		ssize_t n = recv(fd, buf, sizeof(buf), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EPIPE;
		more = mnl_cb_run(buf, (size_t)n, 0, 0, on_socket, question);
		if (more < 0)
			return -errno;
	}
	return 0;
}

/* A kernel without IPv6 has no such sockets, which is no error. */
static int look_at_all(int fd, __u32 states, struct question *question)
{
	static const int families[] = {AF_INET, AF_INET6};

	for (size_t i = 0; i < ARRAY_SIZE(families) && !question->known; i++) {
		int err = ask(fd, families[i], states);

		if (!err)
			err = read_answers(fd, question);
		if (err && !(err == -ENOENT && families[i] == AF_INET6))
			return err;
	}
	return question->known;
}

static bool is_loopback(const struct inet_diag_msg *socket, const __be32 *address)
{
	if (socket->idiag_family == AF_INET)
		return ntohl(*address) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)address) ||
	       (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)address) &&
		ntohl(address[3]) >> 24 == 127);
}

struct wanted {
	const __u16 *ports;
	size_t n;
	size_t left;
	bool seen[CONFIG_LISTENS_MAX];
};

static bool tick_off(const struct inet_diag_msg *socket, void *data)
{
	struct wanted *wanted = data;

	if (is_loopback(socket, socket->id.idiag_src))
		return false;
	for (size_t i = 0; i < wanted->n; i++)
		if (!wanted->seen[i] && wanted->ports[i] == ntohs(socket->id.idiag_sport)) {
			wanted->seen[i] = true;
			wanted->left--;
		}
	return !wanted->left;
}

int sockets_listening(int fd, const __u16 *ports, size_t n)
{
	struct wanted wanted = {.ports = ports, .n = n, .left = n};
	struct question question = {.look = tick_off, .data = &wanted};

	return n ? look_at_all(fd, 1U << TCP_LISTEN, &question) : 1;
}

static bool is_with_another(const struct inet_diag_msg *socket, void *data)
{
	(void)data;
	return !is_loopback(socket, socket->id.idiag_dst);
}

int sockets_established(int fd)
{
	struct question question = {.look = is_with_another};

	return look_at_all(fd, 1U << TCP_ESTABLISHED, &question);
}
