// SPDX-License-Identifier: GPL-2.0
/*
 * talk: a client of a Unix socket that keeps to no protocol. Owns its connections; what it says is
 * its standard input, and nothing of that is looked at.
 *
 *	talk SOCKET LINES         says it as it comes, then prints so many lines of what comes
 *	                          back, or until the other side closes
 *	talk SOCKET hold CLIENTS  says it on so many connections as far as it is taken, prints
 *	                          "holding", reads nothing, and holds them until it is killed
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SAY_MAX (4 << 20)

static char say[SAY_MAX];

static int open_connection(const char *path, int flags)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | flags, 0);

	if (strlen(path) >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(to.sun_path, path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -1;
	return fd;
}

/* The other side may close in the middle of it, which is an answer too. */
static void send_all(int fd, const char *text, size_t len)
{
	ssize_t n;

	for (; len && (n = send(fd, text, len, MSG_NOSIGNAL)) > 0; len -= (size_t)n)
		text += n;
}

static void pass_on(int fd)
{
	ssize_t n;

	while ((n = read(STDIN_FILENO, say, sizeof(say))) > 0)
		send_all(fd, say, (size_t)n);
}

static void print_lines(int fd, int lines)
{
	char c;

	while (read(fd, &c, 1) == 1) {
		putchar(c);
		if (c == '\n' && !--lines)
			return;
	}
}

static int hold(const char *path, int clients)
{
	size_t len = fread(say, 1, sizeof(say), stdin);

	for (int i = 0; i < clients; i++) {
		int fd = open_connection(path, SOCK_CLOEXEC);

		if (fd < 0)
			return -1;
		fcntl(fd, F_SETFL, O_NONBLOCK);
		send_all(fd, say, len);
	}
	puts("holding");
	fflush(stdout);
	for (;;)
		pause();
}

static int talk(const char *path, int lines)
{
	int fd = open_connection(path, SOCK_CLOEXEC);

	if (fd < 0)
		return -1;
	pass_on(fd);
	print_lines(fd, lines);
	return 0;
}

int main(int argc, char **argv)
{
	int err;

	if (argc < 3 || argc > 4) {
		fputs("usage: talk SOCKET LINES | talk SOCKET hold CLIENTS\n", stderr);
		return 2;
	}
	err = argc == 4 ? hold(argv[1], atoi(argv[3])) : talk(argv[1], atoi(argv[2]));
	if (err)
		perror("talk");
	return err ? 1 : 0;
}
