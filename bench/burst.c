// SPDX-License-Identifier: GPL-2.0
/*
 * burst: runs the uplink program of a farm, as it is attached, with a who-has for one address after
 * the other as fast as it goes (BPF_PROG_RUN), and tells how many it has sent to a port, and in
 * what time. The program binds as ever, but no frame goes anywhere: what is measured is the
 * program, and the system call around it. Reads addresses from stdin, one a line. For a lab's box.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/if_ether.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "who_has.h"

#define FRAME_LEN 60
#define ADDRESSES_MAX 65536

struct burst {
	const char *interface;
	struct in_addr sender;
	const struct ether_addr *mac;
	in_addr_t addresses[ADDRESSES_MAX];
	size_t n;
	uint8_t frame[FRAME_LEN];
	int program;
};

/* What became of the frames. */
struct tally {
	unsigned int redirected, others;
	uint64_t program_ns, wall_ns;
};

static const char usage[] =
	"Usage: burst -i INTERFACE -s ADDRESS -m MAC <ADDRESSES\n"
	"Runs the XDP program of INTERFACE with a who-has for each address, at once.\n"
	"\n"
	"  -i INTERFACE the uplink, in the network namespace this is run in\n"
	"  -s ADDRESS   who asks\n"
	"  -m MAC       and his link address\n";

static void build_frame(struct burst *b)
{
	who_has_build(b->frame, b->mac->ether_addr_octet);
	memcpy(b->frame + sizeof(struct ether_header) + offsetof(struct ether_arp, arp_spa),
	       &b->sender, sizeof(b->sender));
}

static void ask_for(struct burst *b, in_addr_t address)
{
	const size_t at = sizeof(struct ether_header) + offsetof(struct ether_arp, arp_tpa);

	memcpy(b->frame + at, &address, sizeof(address));
}

/* In the way of BPF_PROG_RUN the frame is copied in each time: the program may change its own. */
static int run_once(const struct burst *b, struct tally *sum)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = b->frame, .data_size_in = FRAME_LEN,
		    .repeat = 1);
	int err = bpf_prog_test_run_opts(b->program, &opts);

	if (err)
		return err;
	sum->program_ns += opts.duration;
	if (opts.retval == XDP_REDIRECT)
		sum->redirected++;
	else
		sum->others++;
	return 0;
}

static int run_all(struct burst *b, struct tally *sum)
{
	uint64_t begun = monotonic_ns();
	int err = 0;

	for (size_t i = 0; !err && i < b->n; i++) {
		ask_for(b, b->addresses[i]);
		err = run_once(b, sum);
	}
	sum->wall_ns = monotonic_ns() - begun;
	return err;
}

static int open_program(struct burst *b)
{
	unsigned int ifindex = if_nametoindex(b->interface);
	__u32 id = 0;
	int err = ifindex ? bpf_xdp_query_id((int)ifindex, 0, &id) : -errno;

	if (!err && !id)
		err = -ENOENT;
	if (!err)
		b->program = bpf_prog_get_fd_by_id(id);
	return err ? err : b->program < 0 ? -errno : 0;
}

static int read_addresses(struct burst *b)
{
	char line[INET_ADDRSTRLEN + 1];
	struct in_addr address;

	while (b->n < ADDRESSES_MAX && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!inet_aton(line, &address)) {
			fprintf(stderr, "burst: '%s' is no IPv4 address\n", line);
			return -EINVAL;
		}
		b->addresses[b->n++] = address.s_addr;
	}
	return 0;
}

static int run(struct burst *b)
{
	struct tally sum = {};
	int err = read_addresses(b);

	if (err)
		return err;
	err = open_program(b);
	if (err) {
		fprintf(stderr, "burst: no XDP program at %s: %s\n", b->interface, strerror(-err));
		return err;
	}
	build_frame(b);
	err = run_all(b, &sum);
	close_fd(b->program);
	if (err)
		fprintf(stderr, "burst: the kernel does not run it: %s\n", strerror(-err));
	else
		printf("{\"redirected\": %u, \"others\": %u, \"wall_us\": %.1f, \"program_us\": "
		       "%.1f}\n",
		       sum.redirected, sum.others, (double)sum.wall_ns / NS_PER_US,
		       (double)sum.program_ns / NS_PER_US);
	return err;
}

static int parse_options(int argc, char **argv, struct burst *ret)
{
	int c, err = 0;

	while (!err && (c = getopt(argc, argv, "i:s:m:")) != -1) {
		if (c == 'i')
			ret->interface = optarg;
		else if (c == 's')
			err = inet_aton(optarg, &ret->sender) ? 0 : -EINVAL;
		else if (c == 'm')
			err = (ret->mac = ether_aton(optarg)) ? 0 : -EINVAL;
		else
			err = -EINVAL;
	}
	return err || !ret->interface || !ret->sender.s_addr || !ret->mac || optind != argc
		       ? -EINVAL
		       : 0;
}

int main(int argc, char **argv)
{
	static struct burst b;

	if (parse_options(argc, argv, &b)) {
		fputs(usage, stderr);
		return 2;
	}
	return run(&b) ? 1 : 0;
}
