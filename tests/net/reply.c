// SPDX-License-Identifier: GPL-2.0
/*
 * reply: the smallest of servers and clients, for the net tests that look who gets through to whom.
 *
 *	reply tcp|udp ADDRESS PORT WORD     answers WORD to whoever comes, for ever
 *	reply ask-tcp|ask-udp ADDRESS PORT  asks once, and prints what is answered within 2 s
 *	reply keep-asking ADDRESS PORT      a datagram every 10 ms, for ever; looks at no answer
 *	reply flood ADDRESS PORT NUMBER     that many datagrams, as fast as it can
 *
 * Exit status of ask: 0 answered, 1 refused (a reset, or an ICMP error), 2 nothing came.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_S 2
#define PAUSE_US 10000
#define DATAGRAM 64

enum { ANSWERED, REFUSED, SILENCE, FAILED };

static int fail(const char *what)
{
	perror(what);
	return FAILED;
}

static int open_socket(int type)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd = socket(AF_INET, type, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	return fd;
}

static int serve_tcp(int fd, const char *word)
{
	if (listen(fd, 16))
		return fail("listen");
	for (;;) {
		int peer = accept(fd, NULL, NULL);

		if (peer < 0)
			continue; /* the patience of all sockets here */
		send(peer, word, strlen(word), MSG_NOSIGNAL);
		close(peer);
	}
}

static _Noreturn void serve_udp(int fd, const char *word)
{
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		char buf[DATAGRAM];

		if (recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len) >= 0)
			sendto(fd, word, strlen(word), 0, (struct sockaddr *)&from, len);
	}
}

static int serve(bool tcp, const struct sockaddr_in *at, const char *word)
{
	int fd = open_socket(tcp ? SOCK_STREAM : SOCK_DGRAM);

	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)))
		return fail("bind");
	if (!tcp)
		serve_udp(fd, word);
	return serve_tcp(fd, word);
}

static int no_answer(void)
{
	return errno == ECONNREFUSED || errno == EHOSTUNREACH || errno == ECONNRESET ? REFUSED
										     : SILENCE;
}

static int ask(bool tcp, const struct sockaddr_in *to)
{
	int fd = open_socket(tcp ? SOCK_STREAM : SOCK_DGRAM);
	char buf[DATAGRAM];
	ssize_t n;

	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)))
		return no_answer();
	if (send(fd, "?", 1, MSG_NOSIGNAL) < 0)
		return no_answer();
	n = recv(fd, buf, sizeof(buf) - 1, 0);
	if (n <= 0)
		return n ? no_answer() : SILENCE;
	buf[n] = '\0';
	puts(buf);
	return ANSWERED;
}

/* What the container's kernel refuses to send is no matter here. */
static int send_many(const struct sockaddr_in *to, unsigned long n, unsigned int pause_us)
{
	static const char datagram[DATAGRAM];
	int fd = open_socket(SOCK_DGRAM);

	for (; n; n--) {
		sendto(fd, datagram, sizeof(datagram), 0, (const struct sockaddr *)to, sizeof(*to));
		if (pause_us)
			usleep(pause_us);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 3 ? argv[1] : "";
	struct sockaddr_in place = {.sin_family = AF_INET};

	if (argc < 4 || inet_pton(AF_INET, argv[2], &place.sin_addr) != 1)
		return FAILED;
	place.sin_port = htons((unsigned short)atoi(argv[3]));
	if (!strcmp(what, "ask-tcp") || !strcmp(what, "ask-udp"))
		return ask(!strcmp(what, "ask-tcp"), &place);
	if (!strcmp(what, "keep-asking"))
		return send_many(&place, ~0UL, PAUSE_US);
	if (argc > 4 && !strcmp(what, "flood"))
		return send_many(&place, strtoul(argv[4], NULL, 10), 0);
	if (argc > 4 && (!strcmp(what, "tcp") || !strcmp(what, "udp")))
		return serve(!strcmp(what, "tcp"), &place, argv[4]);
	return FAILED;
}
