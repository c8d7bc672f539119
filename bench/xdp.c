// SPDX-License-Identifier: GPL-2.0
/*
 * xdp: nanoseconds a packet of the uplink program, and of the port program, by BPF_PROG_RUN. Loads
 * copies of its own with maps of its own, attached to nothing and pinned nowhere; anew for each
 * round, for where the kernel happens to put them makes a difference of up to a tenth. Every case
 * says what the program must return and which verdict it must count, so that no figure stands for
 * another path than the one it names.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "clock.h"
#include "port.skel.h"
#include "skep/ask.h"
#include "skep/flow.h"
#include "skep/maps.h"
#include "skep/policy.h"
#include "skep/verdict.h"
#include "uplink.skel.h"
#include "xdp_frames.h"

#define LEASES_DEFAULT 1000
#define LEASES_MAX 60000
#define FLOWS_MAX 1000000
#define PORT 1	       /* the ifindex that frames of BPF_PROG_RUN come from */
#define IDLE_PORT 1000 /* that of the first idle container */
#define NO_MATTER 1    /* an ifindex too: a redirect is decided here, not done */
#define LONG_RUN 1000000U
#define RING_RUN 4096U /* fewer records than the ring holds */
#define RING_RUNS 64
#define RING_BOUND 500 /* fewer records than the ring holds */
#define IDLE 2000      /* containers that the program may give away */
#define SINGLE_RUNS 4096
#define ROUNDS_DEFAULT 11
#define ROUNDS_MAX 101
#define BURST_TARGET 100000 /* binds a second */

#define RANGE "10.66.0.0"
#define SINK "203.0.113.9"
#define POLICY 1
#define RULES_BEFORE 8
#define FLOW_REMOTE "198.18.0.0"

struct bench {
	struct uplink_bpf *uplink;
	struct port_bpf *port;
	struct ring_buffer *ring;
	int idle;    /* the queue of containers */
	int program; /* of the case */
	int n_cpus;
	unsigned int rounds;
	unsigned int leases; /* beside LEASED and SHARED */
	unsigned int flows;  /* beside those of the cases */
};

/* How one case is run; each returns nanoseconds a packet, or a negative errno. */
typedef double (*runner)(struct bench *b, const uint8_t *frame);

/**
 * struct test - a case
 * @settings: as they are meanwhile
 */
struct test {
	const char *key, *name;
	void (*build)(uint8_t *frame);
	runner run;
	__u32 action;
	enum skep_verdict verdict;
	struct skep_settings settings;
};

struct result {
	double median, min, max;
};

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

/*
 * Each run begins with the frame as it was, and with cold caches. Where the program changes the
 * frame there is no other way; where it asks, a record in an empty ring wakes its reader.
 */
static double run_single(struct bench *b, const uint8_t *frame)
{
	return run_in_batches(b, frame, 1, SINGLE_RUNS);
}

/* Each container is to be had, and none of the addresses is leased. */
static int set_idle(const struct bench *b)
{
	struct skep_idle idle;
	int err = 0;

	while (!bpf_map_lookup_and_delete_elem(b->idle, NULL, &idle))
		;
	for (__u32 slot = 0; !err && slot < IDLE; slot++) {
		const __u32 port = IDLE_PORT + slot;
		const struct skep_offer offer = {.serial = 1 + slot, .port = port, .eth0 = {2}};
		const struct skep_port shut = {.container = slot, .shut = 1};
		const struct skep_addr key = {
			.ip.addr = htonl(ntohl(address(BINDABLE).s_addr) + slot)};

		idle = (struct skep_idle){.serial = offer.serial, .slot = slot};
		bpf_map_delete_elem(bpf_map__fd(b->uplink->maps.leases), &key);
		err = bpf_map_update_elem(bpf_map__fd(b->uplink->maps.ports), &port, &shut,
					  BPF_ANY);
		if (!err)
			err = bpf_map_update_elem(bpf_map__fd(b->uplink->maps.offers), &slot,
						  &offer, BPF_ANY);
		if (!err)
			err = bpf_map_update_elem(b->idle, NULL, &idle, BPF_ANY);
	}
	ring_buffer__consume(b->ring);
	return err;
}

/* Each packet is for another dark address, until no container is idle. */
static double run_bound(struct bench *b, const uint8_t *frame)
{
	uint8_t other[FRAME_LEN];
	double sum = 0;
	int err = set_idle(b);

	if (err)
		return err;
	memcpy(other, frame, sizeof(other));
	for (__u32 i = 0; i < IDLE; i++) {
		double ns;

		put_bindable(other, i);
		ns = prog_run(b, other, 1);
		if (ns < 0)
			return ns;
		sum += ns;
		if (i % RING_BOUND == 0)
			ring_buffer__consume(b->ring);
	}
	return sum / IDLE;
}

/* The flows are spread evenly over the leases, and each has a remote side of its own. */
static struct skep_flow_key flow_key(const struct bench *b, unsigned int i)
{
	return (struct skep_flow_key){
		.local.ip.addr = htonl(ntohl(address(LEASED).s_addr) + i % (b->leases + 1)),
		.remote.addr = htonl(ntohl(address(FLOW_REMOTE).s_addr) + (i & 0x1ffff)),
		.local_port = htons(SERVER_PORT),
		.remote_port = htons((uint16_t)(1024 + (i >> 17))),
		.protocol = IPPROTO_TCP,
	};
}

/* The frame becomes one of a flow that is open, in one direction or the other. */
static void put_flow(uint8_t *frame, const struct skep_flow_key *key, bool out)
{
	struct iphdr ip;
	struct tcphdr tcp;

	memcpy(&ip, frame + sizeof(struct ether_header), sizeof(ip));
	memcpy(&tcp, frame + sizeof(struct ether_header) + sizeof(ip), sizeof(tcp));
	ip.saddr = out ? key->local.ip.addr : key->remote.addr;
	ip.daddr = out ? key->remote.addr : key->local.ip.addr;
	tcp.source = out ? key->local_port : key->remote_port;
	tcp.dest = out ? key->remote_port : key->local_port;
	tcp.syn = 0;
	tcp.ack = 1;
	memcpy(frame + sizeof(struct ether_header), &ip, sizeof(ip));
	memcpy(frame + sizeof(struct ether_header) + sizeof(ip), &tcp, sizeof(tcp));
}

/* Each packet is of another lease and another flow: nothing of either is in a cache. */
static double run_spread(struct bench *b, const uint8_t *frame)
{
	const unsigned int n = b->flows ? b->flows : 1;
	struct ether_header eth;
	uint8_t other[FRAME_LEN];
	double sum = 0;

	memcpy(other, frame, sizeof(other));
	memcpy(&eth, frame, sizeof(eth));
	for (unsigned int i = 0; i < SINGLE_RUNS; i++) {
		const struct skep_flow_key key = flow_key(b, (i * 7919U) % n);
		double ns;

		put_flow(other, &key, !memcmp(eth.ether_shost, lease_mac, ETH_ALEN));
		ns = prog_run(b, other, 1);
		if (ns < 0)
			return ns;
		sum += ns;
	}
	return sum / SINGLE_RUNS;
}

/* Limits that are never reached, and such that nothing is left of. */
#define WIDE(what) .settings.what##_interval_ns = 1, .settings.what##_burst_ns = UINT64_MAX / 2
#define USED_UP(what) .settings.what##_interval_ns = 1

static const struct test uplink_tests[] = {
	{"pass_other", "neither ARP nor IPv4, passed", build_ipv6, run_long, XDP_PASS,
	 .verdict = SKEP_PASS_OTHER},
	{"pass_no_range", "IPv4 to nobody's range, passed", build_foreign_ip, run_long, XDP_PASS,
	 .verdict = SKEP_PASS_NO_RANGE},
	{"leased_arp", "who-has for a lease, redirected", build_leased_arp, run_long, XDP_REDIRECT,
	 .verdict = SKEP_LEASED_ARP},
	{"leased_arp_host", "... by a host of the segment", build_leased_arp_host, run_long,
	 XDP_REDIRECT, .verdict = SKEP_LEASED_ARP},
	{"host_arp", "who-has for a host, passed", build_host_arp, run_long, XDP_PASS,
	 .verdict = SKEP_PASS_HOST},
	{"host_ip", "IPv4 of a host, passed", build_host_ip, run_long, XDP_PASS,
	 .verdict = SKEP_PASS_NO_RANGE},
	{"leased_ip", "IPv4 to a lease, redirected", build_leased_ip, run_long, XDP_REDIRECT,
	 .verdict = SKEP_LEASED_IP},
	{"shared_arp", "who-has for a shared container", build_shared_arp, run_long, XDP_REDIRECT,
	 .verdict = SKEP_LEASED_ARP},
	{"leased_ip_single", "IPv4 to a lease, one by one", build_leased_ip, run_single,
	 XDP_REDIRECT, .verdict = SKEP_LEASED_IP},
	{"leased_ip_spread", "... each to another lease", build_leased_ip, run_spread, XDP_REDIRECT,
	 .verdict = SKEP_LEASED_IP},
	{"shared_ip_single", "IPv4 to a shared container", build_shared_ip, run_single,
	 XDP_REDIRECT, .verdict = SKEP_LEASED_IP},
	{"dark_arp", "dark who-has, into the ring", build_dark_arp, run_dark, XDP_DROP,
	 .verdict = SKEP_ASK_ARP},
	{"dark_arp_budgets", "... within both budgets", build_dark_arp, run_dark, XDP_DROP,
	 .verdict = SKEP_ASK_ARP, WIDE(requester), WIDE(bind)},
	{"dark_arp_waking", "dark who-has, ring was empty", build_dark_arp, run_single, XDP_DROP,
	 .verdict = SKEP_ASK_ARP},
	{"budget_requester", "dark, over the requester's budget", build_dark_arp, run_long,
	 XDP_DROP, .verdict = SKEP_DROP_BUDGET_REQUESTER, USED_UP(requester), WIDE(bind)},
	{"budget", "dark, over the farm's budget", build_dark_arp, run_long, XDP_DROP,
	 .verdict = SKEP_DROP_BUDGET, WIDE(requester), USED_UP(bind)},
	{"drain", "dark, farm is drained, passed", build_dark_arp, run_long, XDP_PASS,
	 .verdict = SKEP_PASS_DRAIN, .settings.flags = SKEP_SETTING_DRAIN},
	{"bound_arp_single", "dark who-has, bound, one by one", build_bound_arp, run_bound,
	 XDP_REDIRECT, .verdict = SKEP_BOUND_ARP},
	{"bound_ip_single", "dark IPv4, bound, one by one", build_bound_ip, run_bound, XDP_REDIRECT,
	 .verdict = SKEP_BOUND_IP},
	/* Last: it needs a full ring. */
	{"ring_full", "dark who-has, ring is full", build_dark_arp, run_long, XDP_DROP,
	 .verdict = SKEP_DROP_ASK_RING_FULL},
};

static const struct test port_tests[] = {
	{"port_arp", "who-has of a container, sent out", build_out_arp, run_long, TC_ACT_REDIRECT,
	 .verdict = SKEP_PORT_OUT_ARP},
	{"port_ip", "IPv4 that answers, sent out", build_out_ip, run_long, TC_ACT_REDIRECT,
	 .verdict = SKEP_PORT_OUT_IP},
	{"port_ip_brake", "... within the brake's budgets", build_out_ip, run_long, TC_ACT_REDIRECT,
	 .verdict = SKEP_PORT_OUT_IP, WIDE(egress_packet), WIDE(egress_kib)},
	{"port_allowed", "IPv4 that a rule lets out", build_out_allowed, run_long, TC_ACT_REDIRECT,
	 .verdict = SKEP_PORT_OUT_ALLOWED},
	{"port_dropped", "IPv4 that no rule lets out", build_out_dropped, run_long, TC_ACT_SHOT,
	 .verdict = SKEP_PORT_DROP_RULE},
	{"port_brake", "more than the brake lets out", build_out_ip, run_long, TC_ACT_SHOT,
	 .verdict = SKEP_PORT_DROP_BRAKE, USED_UP(egress_packet)},
	{"port_redirected_single", "IPv4 to a sinkhole, one by one", build_out_redirected,
	 run_single, TC_ACT_REDIRECT, .verdict = SKEP_PORT_OUT_REDIRECTED},
	{"port_forged", "forged IPv4 source, dropped", build_out_forged, run_long, TC_ACT_SHOT,
	 .verdict = SKEP_PORT_DROP_ADDR},
	{"port_ip_single", "IPv4 of a container, one by one", build_out_ip, run_single,
	 TC_ACT_REDIRECT, .verdict = SKEP_PORT_OUT_IP},
	{"port_ip_spread", "... each from another lease", build_out_ip, run_spread, TC_ACT_REDIRECT,
	 .verdict = SKEP_PORT_OUT_IP},
	{"port_shared_ip_single", "IPv4 of a shared container", build_out_shared_ip, run_single,
	 TC_ACT_REDIRECT, .verdict = SKEP_PORT_OUT_IP},
	{"port_arp_single", "who-has of a container, one by one", build_out_arp, run_single,
	 TC_ACT_REDIRECT, .verdict = SKEP_PORT_OUT_ARP},
	{"port_shared_arp_single", "... and translated", build_out_shared_arp, run_single,
	 TC_ACT_REDIRECT, .verdict = SKEP_PORT_OUT_ARP},
};

/* ---- is it the path it is meant to be? ---- */

static uint64_t counted(const struct bench *b, __u32 verdict)
{
	cleanup_free uint64_t *per_cpu = calloc((size_t)b->n_cpus, sizeof(*per_cpu));
	uint64_t sum = 0;

	if (!per_cpu ||
	    bpf_map_lookup_elem(bpf_map__fd(b->uplink->maps.counters), &verdict, per_cpu))
		return 0;
	for (int i = 0; i < b->n_cpus; i++)
		sum += per_cpu[i];
	return sum;
}

static int check_action(const struct bench *b, const struct test *t, const uint8_t *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = FRAME_LEN);
	int err = bpf_prog_test_run_opts(b->program, &opts);

	if (!err && opts.retval == t->action)
		return 0;
	fprintf(stderr, "xdp: %s: the program returned %u, not %u\n", t->name, opts.retval,
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

static struct result sum_up(const double *ns, unsigned int n)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, ns, n * sizeof(*ns));
	qsort(sorted, n, sizeof(*sorted), compare);
	return (struct result){sorted[n / 2], sorted[0], sorted[n - 1]};
}

static void fill_ring(struct bench *b, const uint8_t *frame)
{
	while (!counted(b, SKEP_DROP_ASK_RING_FULL))
		if (prog_run(b, frame, RING_RUN) < 0)
			return;
}

static int set_settings(const struct bench *b, const struct skep_settings *settings)
{
	struct skep_settings all = *settings;
	__u32 only = 0;

	all.host_memory_ns = UINT64_MAX / 2;
	all.n_ouis = 1;
	return bpf_map_update_elem(bpf_map__fd(b->uplink->maps.settings), &only, &all, BPF_ANY);
}

static int measure(struct bench *b, const struct test *t, double *ret)
{
	uint8_t frame[FRAME_LEN] = {};
	uint64_t before[SKEP_VERDICT_MAX];
	int err = set_settings(b, &t->settings);

	if (err)
		return err;
	t->build(frame);
	err = t->run == run_bound ? set_idle(b) : 0;
	if (err)
		return err;
	if (t->verdict == SKEP_DROP_ASK_RING_FULL)
		fill_ring(b, frame);
	for (__u32 v = 0; v < SKEP_VERDICT_MAX; v++)
		before[v] = counted(b, v);
	err = check_action(b, t, frame);
	if (!err && t->verdict != SKEP_DROP_ASK_RING_FULL)
		ring_buffer__consume(b->ring);
	if (err)
		return err;
	*ret = t->run(b, frame);
	return *ret < 0 ? (int)*ret : check_verdict(b, t, before);
}

static json_t *to_json(const struct test *t, const struct result *r)
{
	return json_pack("{ss ss sf sf sf}", "case", t->key, "text", t->name, "median_ns",
			 r->median, "min_ns", r->min, "max_ns", r->max);
}

static int measure_all(struct bench *b, const struct test *tests, size_t n,
		       double (*ns)[ROUNDS_MAX], unsigned int round)
{
	int err = 0;

	for (size_t i = 0; !err && i < n; i++)
		err = measure(b, &tests[i], &ns[i][round]);
	return err;
}

static void report(const struct bench *b, const char *title, const struct test *tests, size_t n,
		   double (*ns)[ROUNDS_MAX], json_t *cases)
{
	printf("%-36s%10s%10s%10s%6s\n", title, "median", "min", "max", "case");
	for (size_t i = 0; i < n; i++) {
		const struct result r = sum_up(ns[i], b->rounds);

		printf("%-36s%10.1f%10.1f%10.1f  %s\n", tests[i].name, r.median, r.min, r.max,
		       tests[i].key);
		json_array_append_new(cases, to_json(&tests[i], &r));
	}
}

/* Binds a second, with all that a run costs from outside. */
static int run_burst(struct bench *b, double *ret)
{
	uint8_t frame[FRAME_LEN] = {};
	int err = set_idle(b);
	uint64_t begun;

	build_bound_arp(frame);
	begun = monotonic_ns();
	for (__u32 i = 0; !err && i < IDLE; i++) {
		put_bindable(frame, i);
		err = prog_run(b, frame, 1) < 0 ? -EIO : 0;
	}
	*ret = IDLE * 1e9 / (double)(monotonic_ns() - begun);
	return err;
}

/* How fast the idle containers are given away when all are asked for at once. */
static int measure_burst(struct bench *b, double *ret)
{
	const uint64_t before = counted(b, SKEP_BOUND_ARP);
	int err = set_settings(b, &(struct skep_settings){});

	b->program = bpf_program__fd(b->uplink->progs.uplink);
	if (!err)
		err = run_burst(b, ret);
	if (!err && counted(b, SKEP_BOUND_ARP) - before != IDLE)
		err = -EBADMSG;
	return err;
}

static json_t *report_burst(const struct bench *b, const double *rates)
{
	const struct result r = sum_up(rates, b->rounds);

	printf("\nburst: %d binds at %.0f a second, %.0f to %.0f (target %d: %s)\n", IDLE, r.median,
	       r.min, r.max, BURST_TARGET, r.median >= BURST_TARGET ? "met" : "missed");
	return json_pack("{si sf sf sf}", "binds", IDLE, "median_per_s", r.median, "min_per_s",
			 r.min, "max_per_s", r.max);
}

/* What the port program is to let out answers somebody, who asked not long ago. */
static int begin_flows(struct bench *b)
{
	uint8_t leased[FRAME_LEN] = {}, shared[FRAME_LEN] = {};
	int err = set_settings(b, &(struct skep_settings){});

	build_leased_ip(leased);
	build_shared_ip(shared);
	if (!err && (prog_run(b, leased, 1) < 0 || prog_run(b, shared, 1) < 0))
		err = -EIO;
	return err;
}

/* ---- set-up ---- */

static int add_range(const struct bench *b, const char *ip, uint8_t flags)
{
	struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + 16,
		.ip.addr = address(ip).s_addr,
	};
	struct skep_range range = {.density = ~0U, .flags = flags};

	return bpf_map_update_elem(bpf_map__fd(b->uplink->maps.ranges), &key, &range, BPF_ANY);
}

static int add_lease(const struct bench *b, __be32 ip, const uint8_t *eth0)
{
	struct skep_addr key = {.ip.addr = ip};
	struct skep_lease lease = {.port = PORT, .state = SKEP_LEASE_SETTLED};

	memcpy(lease.mac, lease_mac, sizeof(lease.mac));
	memcpy(lease.eth0, eth0, sizeof(lease.eth0));
	return bpf_map_update_elem(bpf_map__fd(b->uplink->maps.leases), &key, &lease, BPF_ANY);
}

static int add_leases(const struct bench *b)
{
	int err = 0;

	for (__u32 i = 0; !err && i <= b->leases; i++)
		err = add_lease(b, htonl(ntohl(address(LEASED).s_addr) + i), lease_mac);
	return err ? err : add_lease(b, address(SHARED).s_addr, eth0_mac);
}

/* All leases here are of one container. */
static int add_port_device(const struct bench *b)
{
	const __u32 slot = 0, ifindex = PORT;

	return bpf_map_update_elem(bpf_map__fd(b->uplink->maps.port_devices), &slot, &ifindex,
				   BPF_ANY);
}

static int add_flows(const struct bench *b)
{
	const uint64_t now = monotonic_ns();
	const struct skep_flow flow = {
		.first_ns = now, .last_ns = now, .peer_ns = now, .state = SKEP_FLOW_OPEN};
	int err = 0;

	for (unsigned int i = 0; !err && i < (b->flows ? b->flows : 1); i++) {
		const struct skep_flow_key key = flow_key(b, i);

		err = bpf_map_update_elem(bpf_map__fd(b->uplink->maps.flows), &key, &flow, BPF_ANY);
	}
	return err;
}

static int add_way_out(const struct bench *b)
{
	struct skep_port port = {.policy = POLICY};
	struct skep_uplink uplink = {
		.ifindex = NO_MATTER,
		.first = ntohl(address(RANGE).s_addr),
		.last = ntohl(address(BINDABLE).s_addr) | 0xffff,
		.network = ntohl(address(RANGE).s_addr),
		.network_last = ntohl(address(RANGE).s_addr) | 0xffff,
		.gateway.addr = address(ASKER).s_addr,
	};
	__u32 ifindex = PORT, ordinal = 0;
	int err = bpf_map_update_elem(bpf_map__fd(b->port->maps.ports), &ifindex, &port, BPF_ANY);

	if (err)
		return err;
	return bpf_map_update_elem(bpf_map__fd(b->port->maps.uplinks), &ordinal, &uplink, BPF_ANY);
}

static struct skep_rule rule_for(uint8_t verdict, uint16_t port)
{
	return (struct skep_rule){
		.verdict = verdict, .protocol = IPPROTO_TCP, .first = port, .last = port};
}

/* The rules that decide stand behind others, which they have to be looked for. */
static int add_policy(const struct bench *b)
{
	struct skep_policy policy = {.serial = 1};
	__u32 slot = POLICY;

	for (uint16_t i = 0; i < RULES_BEFORE; i++)
		policy.rules[policy.n_rules++] = rule_for(SKEP_RULE_DROP, (uint16_t)(10000 + i));
	policy.rules[policy.n_rules++] = rule_for(SKEP_RULE_ALLOW, ALLOWED_PORT);
	policy.rules[policy.n_rules] = rule_for(SKEP_RULE_REDIRECT, SINK_PORT);
	policy.rules[policy.n_rules++].redirect.addr = address(SINK).s_addr;
	return bpf_map_update_elem(bpf_map__fd(b->port->maps.policies), &slot, &policy, BPF_ANY);
}

static int fill_maps(const struct bench *b)
{
	int err = add_range(b, RANGE, 0);

	if (!err)
		err = add_range(b, BINDABLE, SKEP_RANGE_BIND);
	if (!err)
		err = add_policy(b);
	if (!err)
		err = add_leases(b);
	if (!err)
		err = add_port_device(b);
	if (!err)
		err = add_flows(b);
	return err ? err : add_way_out(b);
}

static int take_record(void *data, void *record, size_t size)
{
	(void)data;
	(void)record;
	(void)size;
	return 0;
}

static int keep_private(struct bpf_object *object)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		if (!err)
			err = bpf_map__set_pin_path(map, NULL);
	}
	return err;
}

/* The programs share their maps, as they do when skepd has pinned them. */
static int share_maps(struct bpf_object *object, const struct bpf_object *owner)
{
	struct bpf_map *map, *owned;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		owned = bpf_object__find_map_by_name(owner, bpf_map__name(map));
		if (!err && owned && !bpf_map__is_internal(map))
			err = bpf_map__reuse_fd(map, bpf_map__fd(owned));
	}
	return err;
}

static int load_programs(struct bench *b)
{
	int err;

	b->uplink = uplink_bpf__open();
	b->port = port_bpf__open();
	if (!b->uplink || !b->port)
		return -errno;
	err = keep_private(b->uplink->obj);
	if (!err)
		err = keep_private(b->port->obj);
	/* A map of the least recently used gives some up before it is full. */
	if (!err && b->flows)
		err = bpf_map__set_max_entries(b->uplink->maps.flows, 2 * b->flows);
	if (!err)
		err = uplink_bpf__load(b->uplink);
	if (!err)
		err = share_maps(b->port->obj, b->uplink->obj);
	return err ? err : port_bpf__load(b->port);
}

static int make_queue(struct bench *b)
{
	__u32 template = 0;

	b->idle = bpf_map_create(BPF_MAP_TYPE_QUEUE, "idle_queue", 0, sizeof(struct skep_idle),
				 IDLE, NULL);
	if (b->idle < 0)
		return b->idle;
	return bpf_map_update_elem(bpf_map__fd(b->uplink->maps.idle), &template, &b->idle, BPF_ANY);
}

static int load(struct bench *b)
{
	int err = load_programs(b);

	if (!err)
		err = make_queue(b);

	if (err)
		return err;
	b->ring = ring_buffer__new(bpf_map__fd(b->uplink->maps.asks), take_record, NULL, NULL);
	return b->ring ? fill_maps(b) : -errno;
}

static void unload(struct bench *b)
{
	ring_buffer__free(b->ring);
	if (b->idle >= 0)
		close(b->idle);
	port_bpf__destroy(b->port);
	uplink_bpf__destroy(b->uplink);
	b->ring = NULL;
	b->port = NULL;
	b->uplink = NULL;
	b->idle = -1;
}

/* ---- all of it ---- */

static double uplink_ns[ARRAY_SIZE(uplink_tests)][ROUNDS_MAX];
static double port_ns[ARRAY_SIZE(port_tests)][ROUNDS_MAX];
static double burst_rates[ROUNDS_MAX];

static int run_round(struct bench *b, unsigned int round)
{
	int err = load(b);

	if (err)
		return err;
	b->program = bpf_program__fd(b->uplink->progs.uplink);
	err = measure_all(b, uplink_tests, ARRAY_SIZE(uplink_tests), uplink_ns, round);
	if (!err)
		err = begin_flows(b);
	b->program = bpf_program__fd(b->port->progs.port);
	if (!err)
		err = measure_all(b, port_tests, ARRAY_SIZE(port_tests), port_ns, round);
	return err ? err : measure_burst(b, &burst_rates[round]);
}

static int run_rounds(struct bench *b)
{
	int err = 0;

	for (unsigned int round = 0; !err && round < b->rounds; round++) {
		err = run_round(b, round);
		unload(b);
		if (err)
			fprintf(stderr, "xdp: round %u: %s\n", round + 1, strerror(-err));
	}
	return err;
}

static int parse_options(int argc, char **argv, struct bench *b, const char **ret_file)
{
	int c;

	b->rounds = ROUNDS_DEFAULT;
	b->leases = LEASES_DEFAULT;
	while ((c = getopt(argc, argv, "r:o:l:f:")) != -1) {
		if (c == 'o')
			*ret_file = optarg;
		else if (c == 'r')
			b->rounds = (unsigned int)strtoul(optarg, NULL, 10);
		else if (c == 'l')
			b->leases = (unsigned int)strtoul(optarg, NULL, 10);
		else if (c == 'f')
			b->flows = (unsigned int)strtoul(optarg, NULL, 10);
		else
			return -EINVAL;
	}
	return optind == argc && b->rounds > 0 && b->rounds <= ROUNDS_MAX &&
			       b->leases <= LEASES_MAX && b->flows <= FLOWS_MAX
		       ? 0
		       : -EINVAL;
}

static int write_json(const char *file, const struct bench *b, json_t *cases, json_t *burst)
{
	json_t *root =
		json_pack("{si si si sO sO}", "rounds", (int)b->rounds, "leases", (int)b->leases,
			  "flows", (int)b->flows, "cases", cases, "burst", burst);
	int err = !root || json_dump_file(root, file, JSON_INDENT(2)) ? -EIO : 0;

	json_decref(root);
	if (err)
		fprintf(stderr, "xdp: cannot write %s\n", file);
	return err;
}

int main(int argc, char **argv)
{
	struct bench b = {.n_cpus = libbpf_num_possible_cpus(), .idle = -1};
	const char *file = NULL;
	json_t *cases = json_array(), *burst = NULL;
	int err;

	if (parse_options(argc, argv, &b, &file)) {
		fputs("Usage: xdp [-r ROUNDS] [-l LEASES] [-f FLOWS] [-o JSON_FILE]\n", stderr);
		return 2;
	}
	printf("%u leases more, %u flows more\n", b.leases, b.flows);
	err = run_rounds(&b);
	if (!err) {
		report(&b, "uplink program, ns a packet", uplink_tests, ARRAY_SIZE(uplink_tests),
		       uplink_ns, cases);
		report(&b, "port program, ns a packet", port_tests, ARRAY_SIZE(port_tests), port_ns,
		       cases);
		burst = report_burst(&b, burst_rates);
	}
	if (!err && file)
		err = write_json(file, &b, cases, burst);
	json_decref(cases);
	json_decref(burst);
	return err ? 1 : 0;
}
