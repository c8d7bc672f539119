// SPDX-License-Identifier: GPL-2.0
/*
 * send_frame: puts frames on an interface just as they are given, for what no client would send.
 * Owns one packet socket; builds, checks and pads nothing.
 *
 *	send_frame INTERFACE HEX...
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_MAX 9216

/* Returns the number of bytes, or -1 when it is not hex or too long. */
static int read_hex(const char *text, unsigned char *frame)
{
	int n = 0, end = 0;

	for (; *text && n < FRAME_MAX; text += 2)
		if (sscanf(text, "%2hhx%n", &frame[n++], &end) != 1 || end != 2)
			return -1;
	return *text ? -1 : n;
}

static int send_one(int fd, const struct sockaddr_ll *to, const char *text)
{
	unsigned char frame[FRAME_MAX];
	int len = read_hex(text, frame);

	if (len < 0) {
		fprintf(stderr, "send_frame: not hex, or too long: %.40s\n", text);
		return -1;
	}
	if (sendto(fd, frame, (size_t)len, 0, (const struct sockaddr *)to, sizeof(*to)) != len) {
		fprintf(stderr, "send_frame: cannot send %d bytes: %s\n", len, strerror(errno));
		return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int fd = socket(AF_PACKET, SOCK_RAW, 0), failed = 0;

	if (argc < 3) {
		fputs("usage: send_frame INTERFACE HEX...\n", stderr);
		return 2;
	}
	to.sll_ifindex = (int)if_nametoindex(argv[1]);
	if (fd < 0 || !to.sll_ifindex) {
		fprintf(stderr, "send_frame: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	for (int i = 2; i < argc; i++)
		failed |= send_one(fd, &to, argv[i]);
	close(fd);
	return failed ? 1 : 0;
}
