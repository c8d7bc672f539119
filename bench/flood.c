// SPDX-License-Identifier: GPL-2.0
/*
 * flood: a who-has for a random address of the lab's range, or a datagram to one of them, a million
 * times a second, sent from one end of a lab's wire. The frames are made in the kernel
 * (BPF_PROG_RUN with live frames), as nothing else here is fast enough. It refuses to run where it
 * could reach a real network: anywhere but at a veth of a lab's router; and it ends by itself.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/flood.skel.h"
#include "cleanup.h"
#include "clock.h"
#include "who_has.h"

#define FRAME_LEN 60
/* One run of the program; beginning and ending one takes the kernel some 20 ms. */
#define SLICE_NS 100000000ULL
#define BATCH 64 /* frames sent before the receiver has its turn; it has room for 256 */

#define RATE_MAX 5000000U
#define SECONDS_MAX 60U
#define SENDERS_MAX 1000000U

/* The lab's range without what it excludes (see tests/lab), and who asks: one station of the
 * excluded part, or many that are nowhere. */
#define FIRST_TARGET 0x0a420100U /* 10.66.1.0 */
#define TARGETS (254U * 256U)
#define ONE_SENDER 0x0a420042U	 /* 10.66.0.66 */
#define MANY_SENDERS 0xac100000U /* 172.16.0.0 */

static const uint8_t sender_mac[ETH_ALEN] = {0x00, 0x1b, 0x21, 0x00, 0x00, 0x66};

struct flood {
	const char *interface;
	unsigned int rate, seconds, senders, first, targets;
	const uint8_t *to; /* datagrams to the first target go to this link address */
	uint8_t frame[FRAME_LEN];
	int program;
};

static const char usage[] =
	"Usage: flood -i INTERFACE [-r RATE] [-t SECONDS] [-s SENDERS] [-f FIRST] [-n N] [-u MAC]\n"
	"Sends who-has for random addresses of a lab's range from INTERFACE, and prints how many.\n"
	"\n"
	"  -i INTERFACE an end of the lab's wire, in the network namespace this is run in\n"
	"  -r RATE      frames a second (default 1000000, at most 5000000)\n"
	"  -t SECONDS   how long (default 5, at most 60)\n"
	"  -s SENDERS   addresses they seem to come from (default 1, at most 1000000)\n"
	"  -f FIRST     first of the addresses asked for (default 10.66.1.0)\n"
	"  -n N         how many there are (default: all of the range)\n"
	"  -u MAC       no who-has, but datagrams to port 9 of FIRST, in frames to MAC\n";

/* ---- only in a lab ---- */

static bool is_router_of_lab(void)
{
	const char *prefix = getenv("LAB_PREFIX");
	struct stat own, router;
	char path[256];

	snprintf(path, sizeof(path), "/run/netns/%s-router", prefix ? prefix : "skep");
	return !stat("/proc/self/ns/net", &own) && !stat(path, &router) &&
	       own.st_dev == router.st_dev && own.st_ino == router.st_ino;
}

static bool is_veth(const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (void *)&info};
	cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return fd >= 0 && !ioctl(fd, SIOCETHTOOL, &request) && !strcmp(info.driver, "veth");
}

static int check_place(const struct flood *f)
{
	if (!is_router_of_lab()) {
		fputs("flood: this is no lab's router: run it by 'tests/lab exec router'\n",
		      stderr);
		return -EPERM;
	}
	if (!is_veth(f->interface)) {
		fprintf(stderr, "flood: '%s' is no veth here: a flood is for a lab's wire only\n",
			f->interface);
		return -EPERM;
	}
	return 0;
}

/* ---- sending ---- */

/* To a port where nobody listens; its sender cannot be answered, since nobody has its address. */
static void build_datagram(const struct flood *f, uint8_t *frame)
{
	const uint16_t len = FRAME_LEN - sizeof(struct ether_header);
	struct ether_header eth = {.ether_type = htons(ETHERTYPE_IP)};
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(len),
		.ttl = 64,
		.protocol = IPPROTO_UDP,
		.saddr = htonl(ONE_SENDER),
		.daddr = htonl(f->first),
	};
	const struct udphdr udp = {.source = htons(40000),
				   .dest = htons(9),
				   .len = htons((uint16_t)(len - sizeof(ip)))};
	uint16_t words[sizeof(ip) / 2];
	uint32_t sum = 0;

	memcpy(words, &ip, sizeof(ip));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		sum += words[i];
	sum = (sum >> 16) + (sum & 0xffff);
	ip.check = (uint16_t) ~(sum + (sum >> 16));
	memcpy(eth.ether_dhost, f->to, ETH_ALEN);
	memcpy(eth.ether_shost, sender_mac, ETH_ALEN);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + sizeof(eth), &ip, sizeof(ip));
	memcpy(frame + sizeof(eth) + sizeof(ip), &udp, sizeof(udp));
}

static int send_frames(const struct flood *f, unsigned int n)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->frame, .data_size_in = FRAME_LEN,
		    .repeat = (int)n, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);

	return bpf_prog_test_run_opts(f->program, &opts);
}

static void sleep_until(uint64_t ns)
{
	struct timespec at = {.tv_sec = (time_t)(ns / NS_PER_SEC),
			      .tv_nsec = (long)(ns % NS_PER_SEC)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* What a slow machine has not sent in its slice is not made up for: the rate printed tells. */
static int send_all(const struct flood *f)
{
	unsigned int slice = (unsigned int)(f->rate * SLICE_NS / NS_PER_SEC);
	uint64_t begun = monotonic_ns(), end = begun + f->seconds * NS_PER_SEC, sent = 0;
	double seconds;

	for (uint64_t next = begun; next < end; next += SLICE_NS) {
		int err;

		sleep_until(next);
		err = send_frames(f, slice);
		if (err)
			return err;
		sent += slice;
		if (monotonic_ns() > end)
			break;
	}
	seconds = (double)(monotonic_ns() - begun) / NS_PER_SEC;
	printf("%llu frames in %.3f s, %.0f a second\n", (unsigned long long)sent, seconds,
	       (double)sent / seconds);
	return 0;
}

static int load(struct flood *f, struct flood_bpf **ret)
{
	struct flood_bpf *skel = flood_bpf__open();
	int err;

	if (!skel)
		return -errno;
	*ret = skel;
	skel->rodata->wire = if_nametoindex(f->interface);
	skel->rodata->datagrams = f->to;
	skel->rodata->first_target = f->first;
	skel->rodata->targets = f->targets;
	skel->rodata->first_sender = f->senders == 1 ? ONE_SENDER : MANY_SENDERS;
	skel->rodata->senders = f->senders;
	err = flood_bpf__load(skel);
	if (!err)
		f->program = bpf_program__fd(skel->progs.flood);
	return err;
}

static int run(struct flood *f)
{
	struct flood_bpf *skel = NULL;
	int err = load(f, &skel);

	if (f->to)
		build_datagram(f, f->frame);
	else
		who_has_build(f->frame, sender_mac);
	if (!err)
		err = send_all(f);
	if (err)
		fprintf(stderr, "flood: the kernel does not send the frames: %s\n", strerror(-err));
	flood_bpf__destroy(skel);
	return err;
}

/* ---- options ---- */

static int number(const char *text, unsigned int most, unsigned int *ret)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || end == text || n < 1 || n > most)
		return -EINVAL;
	*ret = (unsigned int)n;
	return 0;
}

/* Addresses of the range only. */
static int first_target(const char *text, unsigned int *ret)
{
	struct in_addr a;

	if (!inet_aton(text, &a))
		return -EINVAL;
	*ret = ntohl(a.s_addr);
	return *ret - FIRST_TARGET < TARGETS ? 0 : -ERANGE;
}

static int link_address(const char *text, const uint8_t **ret)
{
	*ret = (const uint8_t *)ether_aton(text);
	return *ret ? 0 : -EINVAL;
}

static int parse_options(int argc, char **argv, struct flood *ret)
{
	int c, err = 0;

	while (!err && (c = getopt(argc, argv, "i:r:t:s:f:n:u:")) != -1) {
		if (c == 'i')
			ret->interface = optarg;
		else if (c == 'r')
			err = number(optarg, RATE_MAX, &ret->rate);
		else if (c == 't')
			err = number(optarg, SECONDS_MAX, &ret->seconds);
		else if (c == 's')
			err = number(optarg, SENDERS_MAX, &ret->senders);
		else if (c == 'f')
			err = first_target(optarg, &ret->first);
		else if (c == 'n')
			err = number(optarg, TARGETS, &ret->targets);
		else if (c == 'u')
			err = link_address(optarg, &ret->to);
		else
			err = -EINVAL;
	}
	if (err || !ret->interface || optind != argc)
		return -EINVAL;
	if (ret->targets > FIRST_TARGET + TARGETS - ret->first)
		ret->targets = FIRST_TARGET + TARGETS - ret->first;
	return 0;
}

int main(int argc, char **argv)
{
	struct flood f = {.rate = 1000000,
			  .seconds = 5,
			  .senders = 1,
			  .first = FIRST_TARGET,
			  .targets = TARGETS};

	if (parse_options(argc, argv, &f)) {
		fputs(usage, stderr);
		return 2;
	}
	return check_place(&f) || run(&f) ? 1 : 0;
}
