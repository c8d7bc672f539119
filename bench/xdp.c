// SPDX-License-Identifier: GPL-2.0
/*
 * xdp: nanoseconds a packet of the uplink program, by BPF_PROG_RUN. Loads a copy of its own with
 * maps of its own, attached to nothing and pinned nowhere. Every case says what the program must
 * return and which verdict it must count, so that no figure stands for another path than the one it
 * names.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "skep/ask.h"
#include "skep/maps.h"
#include "skep/verdict.h"
#include "uplink.skel.h"

#define FRAME_LEN 60
#define LEASES 1000
#define PORT 1 /* any ifindex: BPF_PROG_RUN decides and does not redirect */
#define LONG_RUN 1000000U
#define RING_RUN 4096U /* fewer records than the ring holds */
#define RING_RUNS 64
#define SINGLE_RUNS 4096
#define ROUNDS_DEFAULT 11
#define ROUNDS_MAX 101

#define RANGE "10.66.0.0"
#define LEASED "10.66.4.2"
#define DARK "10.66.200.1"
#define FOREIGN "192.0.2.1"
#define ASKER "10.66.0.1"

static const uint8_t asker_mac[ETH_ALEN] = {0x00, 0x1b, 0x21, 0x00, 0x00, 0x01};
static const uint8_t lease_mac[ETH_ALEN] = {0x00, 0x1b, 0x21, 0x00, 0x00, 0x02};

struct bench {
	struct uplink_bpf *skel;
	struct ring_buffer *ring;
	int program;
	int n_cpus;
	unsigned int rounds;
};

/* How one case is run; each returns nanoseconds a packet, or a negative errno. */
typedef double (*runner)(struct bench *b, const uint8_t *frame);

struct test {
	const char *key, *name;
	void (*build)(uint8_t *frame);
	runner run;
	enum xdp_action action;
	enum skep_verdict verdict;
};

struct result {
	double median, min, max;
};

/* ---- frames ---- */

static struct in_addr address(const char *text)
{
	struct in_addr a = {};

	inet_pton(AF_INET, text, &a);
	return a;
}

static void put_eth(uint8_t *frame, const uint8_t *to, uint16_t type)
{
	struct ether_header eth = {.ether_type = htons(type)};

	memcpy(eth.ether_dhost, to, ETH_ALEN);
	memcpy(eth.ether_shost, asker_mac, ETH_ALEN);
	memcpy(frame, &eth, sizeof(eth));
}

static void put_who_has(uint8_t *frame, const char *target)
{
	static const uint8_t all[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct in_addr spa = address(ASKER), tpa = address(target);
	struct ether_arp arp = {
		.arp_hrd = htons(ARPHRD_ETHER),
		.arp_pro = htons(ETHERTYPE_IP),
		.arp_hln = ETH_ALEN,
		.arp_pln = sizeof(struct in_addr),
		.arp_op = htons(ARPOP_REQUEST),
	};

	put_eth(frame, all, ETHERTYPE_ARP);
	memcpy(arp.arp_sha, asker_mac, ETH_ALEN);
	memcpy(arp.arp_spa, &spa, sizeof(spa));
	memcpy(arp.arp_tpa, &tpa, sizeof(tpa));
	memcpy(frame + sizeof(struct ether_header), &arp, sizeof(arp));
}

static void put_syn(uint8_t *frame, const char *target)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(sizeof(ip) + sizeof(struct tcphdr)),
		.ttl = 63,
		.protocol = IPPROTO_TCP,
		.saddr = inet_addr("198.51.100.2"),
		.daddr = address(target).s_addr,
	};
	struct tcphdr tcp = {.source = htons(40000), .dest = htons(80), .doff = 5, .syn = 1};

	put_eth(frame, lease_mac, ETHERTYPE_IP);
	memcpy(frame + sizeof(struct ether_header), &ip, sizeof(ip));
	memcpy(frame + sizeof(struct ether_header) + sizeof(ip), &tcp, sizeof(tcp));
}

static void build_ipv6(uint8_t *frame)
{
	put_eth(frame, lease_mac, ETHERTYPE_IPV6);
}

static void build_foreign_ip(uint8_t *frame)
{
	put_syn(frame, FOREIGN);
}

static void build_leased_arp(uint8_t *frame)
{
	put_who_has(frame, LEASED);
}

static void build_leased_ip(uint8_t *frame)
{
	put_syn(frame, LEASED);
}

static void build_dark_arp(uint8_t *frame)
{
	put_who_has(frame, DARK);
}

/* ---- running ---- */

static double prog_run(struct bench *b, const uint8_t *frame, unsigned int repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME_LEN,
		    .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(b->program, &opts);

	return err ? err : (double)opts.duration;
}

static double run_long(struct bench *b, const uint8_t *frame)
{
	return prog_run(b, frame, LONG_RUN);
}

/* The ring is emptied between runs, outside the time measured: every record finds room. */
static double run_in_batches(struct bench *b, const uint8_t *frame, unsigned int batch,
			     unsigned int batches)
{
	double sum = 0;

	for (unsigned int i = 0; i < batches; i++) {
		double ns = prog_run(b, frame, batch);

		if (ns < 0)
			return ns;
		sum += ns;
		ring_buffer__consume(b->ring);
	}
	return sum / batches;
}

static double run_dark(struct bench *b, const uint8_t *frame)
{
	return run_in_batches(b, frame, RING_RUN, RING_RUNS);
}

/* A record in an empty ring wakes its reader. */
static double run_dark_waking(struct bench *b, const uint8_t *frame)
{
	return run_in_batches(b, frame, 1, SINGLE_RUNS);
}

static const struct test tests[] = {
	{"pass_other", "neither ARP nor IPv4, passed", build_ipv6, run_long, XDP_PASS,
	 SKEP_PASS_OTHER},
	{"pass_no_range", "IPv4 to nobody's range, passed", build_foreign_ip, run_long, XDP_PASS,
	 SKEP_PASS_NO_RANGE},
	{"leased_arp", "who-has for a lease, redirected", build_leased_arp, run_long, XDP_REDIRECT,
	 SKEP_LEASED_ARP},
	{"leased_ip", "IPv4 to a lease, redirected", build_leased_ip, run_long, XDP_REDIRECT,
	 SKEP_LEASED_IP},
	{"dark_arp", "dark who-has, into the ring", build_dark_arp, run_dark, XDP_DROP,
	 SKEP_ASK_ARP},
	{"dark_arp_waking", "dark who-has, ring was empty", build_dark_arp, run_dark_waking,
	 XDP_DROP, SKEP_ASK_ARP},
	/* Last: it needs a full ring. */
	{"ring_full", "dark who-has, ring is full", build_dark_arp, run_long, XDP_DROP,
	 SKEP_DROP_ASK_RING_FULL},
};

/* ---- is it the path it is meant to be? ---- */

static uint64_t counted(const struct bench *b, __u32 verdict)
{
	cleanup_free uint64_t *per_cpu = calloc((size_t)b->n_cpus, sizeof(*per_cpu));
	uint64_t sum = 0;

	if (!per_cpu || bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.counters), &verdict, per_cpu))
		return 0;
	for (int i = 0; i < b->n_cpus; i++)
		sum += per_cpu[i];
	return sum;
}

static int check_action(const struct bench *b, const struct test *t, const uint8_t *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME_LEN);
	int err = bpf_prog_test_run_opts(b->program, &opts);

	if (!err && opts.retval == (__u32)t->action)
		return 0;
	fprintf(stderr, "xdp: %s: the program returned %u, not %d\n", t->name, opts.retval,
		t->action);
	return err ? err : -EBADMSG;
}

/* All packets since @before, of whatever verdict, must have been of this one. */
static int check_verdict(const struct bench *b, const struct test *t, const uint64_t *before)
{
	for (__u32 v = 0; v < SKEP_VERDICT_MAX; v++) {
		if ((counted(b, v) != before[v]) == (v == (__u32)t->verdict))
			continue;
		fprintf(stderr, "xdp: %s: verdict %u was %scounted\n", t->name, v,
			v == (__u32)t->verdict ? "not " : "");
		return -EBADMSG;
	}
	return 0;
}

/* ---- adding up ---- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int run_rounds(struct bench *b, const struct test *t, const uint8_t *frame,
		      struct result *ret)
{
	double ns[ROUNDS_MAX];

	for (unsigned int i = 0; i < b->rounds; i++) {
		ns[i] = t->run(b, frame);
		if (ns[i] < 0)
			return (int)ns[i];
	}
	qsort(ns, b->rounds, sizeof(ns[0]), compare);
	ret->median = ns[b->rounds / 2];
	ret->min = ns[0];
	ret->max = ns[b->rounds - 1];
	return 0;
}

static void fill_ring(struct bench *b, const uint8_t *frame)
{
	while (!counted(b, SKEP_DROP_ASK_RING_FULL))
		if (prog_run(b, frame, RING_RUN) < 0)
			return;
}

static int measure(struct bench *b, const struct test *t, struct result *ret)
{
	uint8_t frame[FRAME_LEN] = {};
	uint64_t before[SKEP_VERDICT_MAX];
	int err;

	t->build(frame);
	if (t->verdict == SKEP_DROP_ASK_RING_FULL)
		fill_ring(b, frame);
	for (__u32 v = 0; v < SKEP_VERDICT_MAX; v++)
		before[v] = counted(b, v);
	err = check_action(b, t, frame);
	if (!err && t->verdict != SKEP_DROP_ASK_RING_FULL)
		ring_buffer__consume(b->ring);
	if (!err)
		err = run_rounds(b, t, frame, ret);
	return err ? err : check_verdict(b, t, before);
}

static json_t *to_json(const struct test *t, const struct result *r)
{
	return json_pack("{ss ss sf sf sf}", "case", t->key, "text", t->name, "median_ns",
			 r->median, "min_ns", r->min, "max_ns", r->max);
}

static int measure_all(struct bench *b, json_t *cases)
{
	printf("%-36s%10s%10s%10s%14s\n", "uplink program, ns a packet", "median", "min", "max",
	       "case");
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		struct result r;
		int err = measure(b, &tests[i], &r);

		if (err)
			return err;
		printf("%-36s%10.1f%10.1f%10.1f  %s\n", tests[i].name, r.median, r.min, r.max,
		       tests[i].key);
		json_array_append_new(cases, to_json(&tests[i], &r));
	}
	return 0;
}

/* ---- set-up ---- */

static int add_range(const struct bench *b)
{
	struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + 16,
		.ip.addr = address(RANGE).s_addr,
	};
	struct skep_range range = {};

	return bpf_map_update_elem(bpf_map__fd(b->skel->maps.ranges), &key, &range, BPF_ANY);
}

/* As many as a busy farm has, so that the lookup is a real one. */
static int add_leases(const struct bench *b)
{
	struct skep_lease lease = {.port = PORT};
	int err = 0;

	memcpy(lease.mac, lease_mac, sizeof(lease.mac));
	for (__u32 i = 0; !err && i < LEASES; i++) {
		struct skep_addr key = {.ip.addr = htonl(ntohl(address(LEASED).s_addr) + i)};

		err = bpf_map_update_elem(bpf_map__fd(b->skel->maps.leases), &key, &lease,
					  BPF_NOEXIST);
	}
	return err;
}

static int take_record(void *data, void *record, size_t size)
{
	(void)data;
	(void)record;
	(void)size;
	return 0;
}

static int load(struct bench *b)
{
	struct bpf_map *map;
	int err;

	b->skel = uplink_bpf__open();
	if (!b->skel)
		return -errno;
	bpf_object__for_each_map(map, b->skel->obj)
	{
		err = bpf_map__set_pin_path(map, NULL);
		if (err)
			return err;
	}
	bpf_map__set_max_entries(b->skel->maps.leases, 2 * LEASES);
	err = uplink_bpf__load(b->skel);
	if (err)
		return err;
	b->program = bpf_program__fd(b->skel->progs.uplink);
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.asks), take_record, NULL, NULL);
	if (!b->ring)
		return -errno;
	err = add_range(b);
	return err ? err : add_leases(b);
}

static int parse_options(int argc, char **argv, struct bench *b, const char **ret_file)
{
	int c;

	b->rounds = ROUNDS_DEFAULT;
	while ((c = getopt(argc, argv, "r:o:")) != -1) {
		if (c == 'o')
			*ret_file = optarg;
		else if (c == 'r')
			b->rounds = (unsigned int)strtoul(optarg, NULL, 10);
		else
			return -EINVAL;
	}
	return optind == argc && b->rounds > 0 && b->rounds <= ROUNDS_MAX ? 0 : -EINVAL;
}

static int write_json(const char *file, const struct bench *b, json_t *cases)
{
	json_t *root = json_pack("{si sO}", "rounds", (int)b->rounds, "cases", cases);
	int err = !root || json_dump_file(root, file, JSON_INDENT(2)) ? -EIO : 0;

	json_decref(root);
	if (err)
		fprintf(stderr, "xdp: cannot write %s\n", file);
	return err;
}

int main(int argc, char **argv)
{
	struct bench b = {.n_cpus = libbpf_num_possible_cpus()};
	const char *file = NULL;
	json_t *cases = json_array();
	int err;

	if (parse_options(argc, argv, &b, &file)) {
		fputs("Usage: xdp [-r ROUNDS] [-o JSON_FILE]\n", stderr);
		return 2;
	}
	err = load(&b);
	if (err)
		fprintf(stderr, "xdp: cannot load the uplink program: %s\n", strerror(-err));
	if (!err)
		err = measure_all(&b, cases);
	if (!err && file)
		err = write_json(file, &b, cases);
	ring_buffer__free(b.ring);
	uplink_bpf__destroy(b.skel);
	json_decref(cases);
	return err ? 1 : 0;
}
