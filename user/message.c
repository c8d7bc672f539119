// SPDX-License-Identifier: GPL-2.0
/* Messages between skepd's processes; see message.h. Owns no descriptor. */
#include "message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"

#define FDS_MAX 4

int message_pair(int ret[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) ? -errno : 0;
}

union control {
	char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int message_send(int fd, const void *message, size_t size, const int *fds, size_t n_fds,
		 bool nonblock)
{
	struct iovec iov = {(void *)message, size};
	union control control = {};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (n_fds) {
		struct cmsghdr *cmsg = &control.align;

		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, n_fds * sizeof(int));
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | (nonblock ? MSG_DONTWAIT : 0));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Keeps the descriptors there is room for and closes the others: nobody else knows of them. */
static void take_fds(struct msghdr *msg, int *fds, size_t n_fds)
{
	size_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < n_fds)
				fds[n++] = fd;
			else
				close_fd(fd);
		}
	}
	for (; n < n_fds; n++)
		fds[n] = -EBADF;
}

ssize_t message_receive(int fd, void *message, size_t size, int *fds, size_t n_fds, bool nonblock)
{
	struct iovec iov = {message, size};
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC | (nonblock ? MSG_DONTWAIT : 0));
	while (n < 0 && errno == EINTR);
	/* Short of memory is no end: the message is still there, and the other side too. */
	if (n < 0 && nonblock && (errno == ENOMEM || errno == ENOBUFS))
		return -EAGAIN;
	if (n < 0)
		return -errno;
	take_fds(&msg, fds, n_fds);
	return n;
}
