// SPDX-License-Identifier: GPL-2.0
/*
 * First contacts that the uplink program binds by itself: what becomes of the frame, and what is in
 * the maps and in the ring then; when it leaves the bind to skepd, what is there must be as before.
 * What becomes of the frames after the first one is for test_unsettled.c, several CPUs at once are
 * for test_bind_race.c, and when skepd wakes up is for test_wake.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <netinet/in.h>

#include "../table.h"
#include "harness.h"
#include "idle.h"
#include "skep/flow.h"
#include "skep/policy.h"
#include "uplink.skel.h"

#define UPLINK 3
#define TEMPLATE 2   /* of the range without a tag */
#define TEMPLATE_7 9 /* of the one on VLAN 7 */
#define NO_TEMPLATE 11
#define SLOT 41
#define SLOT_7 42
#define LAST_LEASE 500
#define TRIES 8 /* how many leftovers the program skips */

#define IP_DAEMON "\x0a\x43\x00\x05"	    /* 10.67.0.5, in a range that is left to skepd */
#define IP_NEIGHBOUR "\x0a\x42\x09\x09"	    /* 10.66.9.9, inside the farm's ranges */
#define IP_QUEUELESS "\x0a\x44\x00\x05"	    /* 10.68.0.5, whose template has offered nothing yet */
#define MAC_DARK "\x00\x25\x90\xeb\x3c\x47" /* of 10.66.4.2, by the settings below */
#define MAC_DARK_7 "\x00\x25\x90\xfd\xf0\x68" /* of 10.66.4.2 on VLAN 7 */
#define ETH0 "\x02\x00\x5e\x00\x00\x29"	      /* of SLOT */
#define ETH0_7 "\x02\x00\x5e\x00\x00\x2a"

#define TO_ALL MAC_ALL MAC_ROUTER
#define TO_DARK MAC_DARK MAC_ROUTER
#define TO_DARK_7 MAC_DARK_7 MAC_ROUTER
#define ASK(ip) WHO_HAS(MAC_ROUTER, IP_ROUTER, ip)
#define PING(ip) IPV4(IP_CLIENT, ip)
#define IP_OF(len, protocol, dst) \
	"\x45\x00" len "\x12\x34\x40\x00\x40" protocol "\x00\x00" IP_CLIENT dst
#define SYN_OF(ip)                    \
	IP_OF("\x00\x28", "\x06", ip) \
	"\x9c\x40\x00\x50\x00\x00\x10\x00\x00\x00\x00\x00\x50\x02\x20\x00\x00\x00\x00\x00"
#define UDP_OF(ip) IP_OF("\x00\x20", "\x11", ip) "\x9c\x40\x00\x35\x00\x0c\x00\x00data"

/* What the ring has brought: the last two records. */
struct record {
	struct skep_ask_large ask;
	size_t size;
};

static struct uplink_bpf *skel;
static __u32 cpu;
static struct ring_buffer *ring;
static struct record records[2];
static unsigned int n_records;
static enum skep_verdict last_told;
static int queue, queue_7;

static int fd_of(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

static int on_record(void *data, void *record, size_t size)
{
	struct record *to = &records[n_records % ARRAY_SIZE(records)];

	(void)data;
	if (size > sizeof(to->ask))
		return -E2BIG;
	memset(&to->ask, 0xa5, sizeof(to->ask));
	memcpy(&to->ask, record, size);
	to->size = size;
	last_told = to->ask.head.verdict;
	n_records++;
	return 0;
}

static unsigned int consume(void)
{
	n_records = 0;
	assert_true(ring_buffer__consume(ring) >= 0);
	idle_wait_told(skel);
	assert_true(ring_buffer__consume(ring) >= 0);
	return n_records;
}

/* ---- the world ------------------------------------------------------------- */

static struct skep_addr address_of(const char *ip, __u16 vlan)
{
	return (struct skep_addr){.ip = harness_ip(ip), .vlan = vlan, .uplink = UPLINK};
}

static void forget_all(const struct bpf_map *map)
{
	__u8 key[64];

	while (!bpf_map_get_next_key(fd_of(map), NULL, key))
		assert_int_equal(bpf_map_delete_elem(fd_of(map), key), 0);
}

static void set_ranges(void)
{
	const struct skep_addr plain = address_of("\x0a\x42\x00\x00", 0);
	const struct skep_addr excluded = address_of("\x0a\x42\x00\x00", 0);
	const struct skep_addr tagged = address_of("\x0a\x42\x00\x00", 7);
	const struct skep_addr daemon = address_of("\x0a\x43\x00\x00", 0);
	const struct skep_addr queueless = address_of("\x0a\x44\x00\x00", 0);

	idle_set_range(skel, &plain, 16, SKEP_RANGE_BIND, TEMPLATE);
	idle_set_range(skel, &excluded, 24, SKEP_RANGE_EXCLUDED | SKEP_RANGE_BIND, TEMPLATE);
	idle_set_range(skel, &tagged, 16, SKEP_RANGE_BIND, TEMPLATE_7);
	idle_set_range(skel, &daemon, 16, 0, TEMPLATE);
	idle_set_range(skel, &queueless, 16, SKEP_RANGE_BIND, NO_TEMPLATE);
}

static void set_farm(void)
{
	const struct skep_farm_key key = {.prefixlen = 16, .ip = harness_ip("\x0a\x42\x00\x00")};
	__u32 kind = SKEP_FARM_RANGE;

	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.farm), &key, &kind, BPF_ANY), 0);
}

/* Link addresses begin with this prefix, and follow from a key of zeros. */
static void set_settings(const struct skep_settings *value)
{
	struct skep_settings s = *value;
	__u32 only = 0;

	s.n_ouis = 1;
	memcpy(s.ouis[0], "\x00\x25\x90", sizeof(s.ouis[0]));
	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.settings), &only, &s, BPF_ANY), 0);
}

static void set_uplink(void)
{
	const struct skep_uplink uplink = {
		.first = 0x0a420000,
		.last = 0x0a44ffff,
		.gateway = harness_ip(IP_ROUTER),
	};
	__u32 ordinal = UPLINK;

	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.uplinks), &ordinal, &uplink, BPF_ANY),
			 0);
}

static void set_host(const char *ip)
{
	const struct skep_addr key = address_of(ip, 0);
	const struct skep_host host = {.until_ns = ~0ULL, .mac = {2, 2, 2, 2, 2, 2}};

	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.hosts), &key, &host, BPF_ANY), 0);
}

static void set_last_lease(void)
{
	const __u64 last = LAST_LEASE;
	const __u32 only = 0;

	assert_int_equal(bpf_map_update_elem(fd_of(skel->maps.last_lease), &only, &last, BPF_ANY),
			 0);
}

/* One container each is to be had, nothing is leased, nobody was heard. */
static void set_world(void)
{
	const struct skep_offer none = {};
	struct skep_idle idle;

	forget_all(skel->maps.leases);
	forget_all(skel->maps.ports);
	forget_all(skel->maps.hosts);
	forget_all(skel->maps.flows);
	while (idle_pop(queue, &idle) || idle_pop(queue_7, &idle))
		;
	for (__u32 slot = 0; slot < 64; slot++)
		idle_set_offer(skel, slot, &none);
	idle_offer(skel, queue, SLOT);
	idle_offer(skel, queue_7, SLOT_7);
	set_last_lease();
	set_settings(&(struct skep_settings){});
	consume();
}

static __u64 last_lease(void)
{
	__u32 only = 0;
	__u64 last;

	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.last_lease), &only, &last), 0);
	return last;
}

static unsigned int size_of(const struct bpf_map *map)
{
	__u8 key[64], *last = NULL;
	unsigned int n = 0;

	for (; !bpf_map_get_next_key(fd_of(map), last, key); last = key)
		n++;
	return n;
}

/* ---- what a bind leaves behind ----------------------------------------------- */

/**
 * struct row - a frame that binds
 * @out:       as it leaves, where that is not how it came
 * @verdict:   BOUND_ARP or BOUND_IP
 * @ip:        what is bound
 * @vlan:      where; the container on VLAN 7 is another
 * @mac:       what the address's link address is
 * @waits:     the frame is held all the same
 */
struct row {
	const char *name;
	struct bytes in, out;
	enum skep_verdict verdict;
	const char *ip, *requester;
	__u16 vlan;
	const char *mac;
	bool waits;
};

static __u32 slot_of(const struct row *row)
{
	return row->vlan ? SLOT_7 : SLOT;
}

static void check_lease(const struct row *row, __u64 since_ns, __u64 coarse_ns)
{
	const __u32 slot = slot_of(row);
	const struct skep_addr key = address_of(row->ip, row->vlan);
	struct skep_lease lease, expected = {
					 .id = LAST_LEASE + 1,
					 .port = IDLE_PORT(slot),
					 .container = slot,
					 .state = SKEP_LEASE_CLAIMED,
					 .packets_in = !row->waits,
				 };

	assert_int_equal(size_of(skel->maps.leases), 1);
	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.leases), &key, &lease), 0);
	assert_in_range(lease.bound_ns, since_ns, harness_clock(CLOCK_MONOTONIC));
	assert_in_range(lease.bind_ns, 1, lease.bound_ns - since_ns);
	if (!row->waits)
		assert_in_range(lease.last_in_ns, coarse_ns, harness_clock(CLOCK_MONOTONIC_COARSE));
	expected.bound_ns = lease.bound_ns;
	expected.bind_ns = lease.bind_ns;
	expected.last_in_ns = row->waits ? 0 : lease.last_in_ns;
	memcpy(expected.mac, row->mac, sizeof(expected.mac));
	memcpy(expected.eth0, row->vlan ? ETH0_7 : ETH0, sizeof(expected.eth0));
	assert_memory_equal(&lease, &expected, sizeof(lease));
	assert_int_equal(last_lease(), LAST_LEASE + 1);
}

static void check_port(const struct row *row)
{
	const __u32 slot = slot_of(row), ifindex = IDLE_PORT(slot);
	struct skep_port port, expected = {
				       .container = slot,
				       .uplink = UPLINK,
				       .vlan = row->vlan,
				       .policy = IDLE_POLICY,
				       .prefixlen = IDLE_PREFIXLEN,
				       .gateway = harness_ip(IP_ROUTER),
			       };

	memcpy(expected.gateway_mac, IDLE_GATEWAY_MAC, sizeof(expected.gateway_mac));
	assert_int_equal(idle_count_open(skel), 1);
	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.ports), &ifindex, &port), 0);
	assert_memory_equal(&port, &expected, sizeof(port));
}

/* Nobody else gets the container, and skepd finds out for whom it went. */
static void check_taken(const struct row *row)
{
	const __u32 slot = slot_of(row);
	struct skep_offer offer = idle_get_offer(skel, slot), expected = idle_offer_of(slot);
	struct skep_idle idle;

	expected.serial = 0;
	expected.address = address_of(row->ip, row->vlan);
	assert_memory_equal(&offer, &expected, sizeof(offer));
	assert_false(idle_pop(row->vlan ? queue_7 : queue, &idle));
}

/* Of the frame as it came, no more than there is room for. */
static void check_record(const struct record *record, const struct row *row,
			 enum skep_verdict verdict, __u64 since_ns)
{
	static struct skep_ask_large expected;
	const bool held = verdict == SKEP_HELD_SETTLING;
	const size_t room =
		!held || row->in.len <= SKEP_ASK_SMALL ? SKEP_ASK_SMALL : SKEP_ASK_LARGE;
	const size_t len = row->in.len < room ? row->in.len : room;

	assert_int_equal(record->size, sizeof(struct skep_ask) + room);
	assert_in_range(record->ask.head.seen_ns, since_ns, harness_clock(CLOCK_MONOTONIC));
	memset(&expected, 0, sizeof(expected));
	expected.head = (struct skep_ask){
		.seen_ns = record->ask.head.seen_ns,
		.address = address_of(row->ip, row->vlan),
		.requester = harness_ip(row->requester),
		.verdict = (__u16)verdict,
		.frame_len = (__u16)len,
		.container = held ? 0 : slot_of(row),
		.cpu = held ? 0 : cpu,
	};
	memcpy(expected.frame, row->in.at, len);
	assert_memory_equal(&record->ask, &expected, record->size);
}

static void check_flow(const struct row *row, __u8 protocol, __u16 local, __u16 remote)
{
	const struct skep_flow_key key = {
		.local = address_of(row->ip, row->vlan),
		.remote = harness_ip(row->requester),
		.local_port = htons(local),
		.remote_port = htons(remote),
		.protocol = protocol,
	};
	struct skep_flow flow;

	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.flows), &key, &flow), 0);
	assert_int_equal(flow.lease, LAST_LEASE + 1);
	assert_int_equal(flow.origin, SKEP_FLOW_OUTSIDE);
	assert_int_equal(flow.packets_in, 1);
}

/* Counted once each, and nothing else. */
static void check_counted(const struct row *row)
{
	const int counters = fd_of(skel->maps.counters);

	if (row->waits) {
		assert_int_equal(harness_counter(counters, row->verdict),
				 counted_before[row->verdict] + 1);
		counted_before[row->verdict]++;
		harness_check_counted(counters, SKEP_HELD_SETTLING);
		verdict_seen[row->verdict] = true;
	} else {
		harness_check_counted(counters, row->verdict);
	}
}

static void run_row(const struct row *row, struct outcome *ret)
{
	harness_mark(fd_of(skel->maps.counters));
	harness_run(bpf_program__fd(skel->progs.uplink), row->in.at, row->in.len, ret);
	check_counted(row);
	assert_int_equal(ret->action, row->waits ? XDP_DROP : XDP_REDIRECT);
}

static void binds_row(const struct row *row)
{
	const __u64 now_ns = harness_clock(CLOCK_MONOTONIC);
	const __u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	static struct outcome outcome;

	set_world();
	run_row(row, &outcome);
	harness_check_frame(&outcome, out->at, out->len);
	check_lease(row, now_ns, coarse_ns);
	check_port(row);
	check_taken(row);
	assert_int_equal(consume(), row->waits ? 2 : 1);
	check_record(&records[0], row, row->verdict, now_ns);
	if (row->waits)
		check_record(&records[1], row, SKEP_HELD_SETTLING, now_ns);
}

static void binds(void **state)
{
	binds_row(*state);
}

#define BINDS_ARP .verdict = SKEP_BOUND_ARP, .ip = IP_DARK, .requester = IP_ROUTER
#define BINDS_IP .verdict = SKEP_BOUND_IP, .ip = IP_DARK, .requester = IP_CLIENT
#define PLAIN .mac = MAC_DARK
#define ON_7 .vlan = 7, .mac = MAC_DARK_7

static const struct row rows[] = {
	{"who-has", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN},
	{"who-has, padded", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK) PADDING), BINDS_ARP, PLAIN},
	{"who-has, sent to it", BYTES(TO_DARK TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_ARP ASK(IP_DARK))},
	{"who-has, sent to it, that names it",
	 BYTES(TO_DARK TYPE_ARP ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, MAC_DARK, IP_DARK)),
	 BINDS_ARP, PLAIN,
	 .out = BYTES(
		 ETH0 MAC_ROUTER TYPE_ARP ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, ETH0, IP_DARK))},
	{"who-has on a VLAN", BYTES(TO_ALL TAG_7 TYPE_ARP ASK(IP_DARK)), BINDS_ARP, ON_7,
	 .out = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK))},
	{"who-has with a priority on a VLAN", BYTES(TO_ALL TAG_7_URGENT TYPE_ARP ASK(IP_DARK)),
	 BINDS_ARP, ON_7, .out = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK))},
	{"who-has, priority-tagged", BYTES(TO_ALL TAG_0 TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN,
	 .out = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK))},
	{"ping", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), BINDS_IP, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 PING(IP_DARK))},
	{"SYN", BYTES(TO_DARK TYPE_IPV4 SYN_OF(IP_DARK)), BINDS_IP, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 SYN_OF(IP_DARK))},
	{"SYN on a VLAN", BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 SYN_OF(IP_DARK)), BINDS_IP, ON_7,
	 .out = BYTES(ETH0_7 MAC_ROUTER TYPE_IPV4 SYN_OF(IP_DARK))},
	{"ping of the gateway", BYTES(TO_DARK TYPE_IPV4 IPV4(IP_ROUTER, IP_DARK)),
	 .verdict = SKEP_BOUND_IP, .ip = IP_DARK, .requester = IP_ROUTER, PLAIN,
	 .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 IPV4(IP_ROUTER, IP_DARK))},
	{"ping of a neighbour, which waits", BYTES(TO_DARK TYPE_IPV4 IPV4(IP_NEIGHBOUR, IP_DARK)),
	 .verdict = SKEP_BOUND_IP, .ip = IP_DARK, .requester = IP_NEIGHBOUR, PLAIN, .waits = true},
	{"who-has of a neighbour", BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_NEIGHBOUR, IP_DARK)),
	 .verdict = SKEP_BOUND_ARP, .ip = IP_DARK, .requester = IP_NEIGHBOUR, PLAIN},
	{"UDP, which waits", BYTES(TO_DARK TYPE_IPV4 UDP_OF(IP_DARK)), BINDS_IP, PLAIN,
	 .waits = true},
	{"UDP on a VLAN, which waits", BYTES(TO_DARK_7 TAG_7 TYPE_IPV4 UDP_OF(IP_DARK)), BINDS_IP,
	 ON_7, .waits = true},
};

static const struct row by_arp = {"", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN};
static const struct row by_ping = {"", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), BINDS_IP, PLAIN,
				   .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 PING(IP_DARK))};
static const struct row by_syn = {"", BYTES(TO_DARK TYPE_IPV4 SYN_OF(IP_DARK)), BINDS_IP, PLAIN,
				  .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 SYN_OF(IP_DARK))};
static const struct row by_udp = {"", BYTES(TO_DARK TYPE_IPV4 UDP_OF(IP_DARK)), BINDS_IP, PLAIN,
				  .waits = true};

static void run(const struct bytes *in, enum skep_verdict verdict, __u32 action)
{
	static struct outcome outcome;

	harness_mark(fd_of(skel->maps.counters));
	harness_run(bpf_program__fd(skel->progs.uplink), in->at, in->len, &outcome);
	harness_check_counted(fd_of(skel->maps.counters), verdict);
	assert_int_equal(outcome.action, action);
	harness_check_frame(&outcome, in->at, in->len);
}

static void what_comes_in_is_a_flow(void **state)
{
	(void)state;
	binds_row(&by_syn);
	check_flow(&by_syn, IPPROTO_TCP, 80, 40000);
	binds_row(&by_ping);
	assert_int_equal(size_of(skel->maps.flows), 1);
}

/* Only what is held has to have room in a record. */
static void frames_of_any_length(void **state)
{
	static const size_t lens[] = {127, 128, 129, 1514, 2048, 2049, 3000};
	static __u8 in[FRAME_MAX], out[FRAME_MAX];
	struct row row = by_ping;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		for (size_t n = 0; n < lens[i]; n++)
			in[n] = (__u8)(0x80 | (n * 7 + n / 256));
		memcpy(in, by_ping.in.at, by_ping.in.len);
		memcpy(out, in, sizeof(out));
		memcpy(out, ETH0, 6);
		row.in = (struct bytes){in, lens[i]};
		row.out = (struct bytes){out, lens[i]};
		binds_row(&row);
	}
}

static void held_frames_of_any_length(void **state)
{
	static const size_t lens[] = {128, 129, 2048};
	static __u8 in[FRAME_MAX];
	struct row row = by_udp;

	(void)state;
	memset(in, 0xa5, sizeof(in));
	memcpy(in, by_udp.in.at, by_udp.in.len);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = (struct bytes){in, lens[i]};
		binds_row(&row);
	}
}

/* ---- containers ---------------------------------------------------------------- */

static void the_oldest_goes_first(void **state)
{
	static const __u32 slots[] = {SLOT, 5, 3, 9};
	struct row row = by_arp;
	__u8 frame[64];

	(void)state;
	set_world();
	for (size_t i = 1; i < ARRAY_SIZE(slots); i++)
		idle_offer(skel, queue, slots[i]);
	memcpy(frame, by_arp.in.at, by_arp.in.len);
	row.in.at = frame;
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++) {
		struct skep_addr key = address_of(IP_DARK, 0);
		struct skep_lease lease;

		key.ip.octet[3] = frame[by_arp.in.len - 1] = (__u8)(10 + i);
		run(&row.in, SKEP_BOUND_ARP, XDP_REDIRECT);
		assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.leases), &key, &lease), 0);
		assert_int_equal(lease.container, slots[i]);
		assert_int_equal(lease.id, LAST_LEASE + 1 + i);
	}
	assert_int_equal(idle_count_open(skel), ARRAY_SIZE(slots));
}

/* Leftovers before the one that is to be had: of a life that is over, taken back, of no slot. */
static void push_leftovers(unsigned int n)
{
	const struct skep_offer taken_back = {};
	struct skep_idle idle;

	set_world();
	assert_true(idle_pop(queue, &idle));
	idle_set_offer(skel, 1, &taken_back);
	for (unsigned int i = 0; i < n; i++)
		switch (i % 4) {
		case 0:
			idle_push(queue, SLOT, IDLE_SERIAL(SLOT) - 1);
			break;
		case 1:
			idle_push(queue, 1, IDLE_SERIAL(1));
			break;
		case 2:
			idle_push(queue, SKEP_CONTAINERS_MAX, IDLE_SERIAL(SLOT));
			break;
		default:
			idle_push(queue, 1, 0);
			break;
		}
	idle_push(queue, SLOT, IDLE_SERIAL(SLOT));
}

static void leftovers_are_skipped(void **state)
{
	const struct skep_addr key = address_of(IP_DARK, 0);
	struct skep_lease lease;

	(void)state;
	for (unsigned int n = 1; n < TRIES; n++) {
		push_leftovers(n);
		run(&by_arp.in, SKEP_BOUND_ARP, XDP_REDIRECT);
		assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.leases), &key, &lease), 0);
		assert_int_equal(lease.container, SLOT);
		check_taken(&by_arp);
	}
}

/* Given up by skepd while the program had it: it is to be had, but nobody gets it. */
static void offer_dead_one(__u32 slot)
{
	struct skep_offer dead = idle_offer_of(slot);
	struct skep_idle idle;

	set_world();
	assert_true(idle_pop(queue, &idle));
	dead.port = 0;
	idle_set_offer(skel, slot, &dead);
	idle_push(queue, slot, dead.serial);
}

static void a_dead_one_is_skipped(void **state)
{
	(void)state;
	offer_dead_one(5);
	idle_push(queue, SLOT, IDLE_SERIAL(SLOT));
	run(&by_arp.in, SKEP_BOUND_ARP, XDP_REDIRECT);
	check_port(&by_arp);
	check_taken(&by_arp);
	assert_int_equal(idle_get_offer(skel, 5).serial, 0);
}

/* ---- what is left to skepd ------------------------------------------------------- */

/* Nothing was bound, and skepd has got the frame. */
static void check_asked(const struct bytes *in, enum skep_verdict verdict)
{
	const __u64 now_ns = harness_clock(CLOCK_MONOTONIC);

	run(in, verdict, XDP_DROP);
	assert_int_equal(consume(), 1);
	assert_int_equal(records[0].ask.head.verdict, verdict);
	assert_int_equal(records[0].ask.head.container, 0);
	assert_int_equal(records[0].ask.head.frame_len, in->len);
	assert_memory_equal(records[0].ask.frame, in->at, in->len);
	assert_in_range(records[0].ask.head.seen_ns, now_ns, harness_clock(CLOCK_MONOTONIC));
	assert_int_equal(size_of(skel->maps.leases), 0);
	assert_int_equal(size_of(skel->maps.flows), 0);
}

/* The container is to be had, by the queue too, and just once. */
static void check_to_be_had(void)
{
	const struct skep_offer offer = idle_get_offer(skel, SLOT);
	struct skep_idle idle;

	assert_int_equal(offer.serial, IDLE_SERIAL(SLOT));
	assert_int_equal(offer.port, IDLE_PORT(SLOT));
	assert_memory_equal(offer.eth0, ETH0, sizeof(offer.eth0));
	assert_true(idle_pop(queue, &idle));
	assert_int_equal(idle.serial, IDLE_SERIAL(SLOT));
	assert_int_equal(idle.slot, SLOT);
	assert_false(idle_pop(queue, &idle));
}

static void too_many_leftovers_and_skepd_is_asked(void **state)
{
	struct skep_idle idle;

	(void)state;
	push_leftovers(TRIES);
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(skel), 0);
	assert_int_equal(idle_get_offer(skel, SLOT).serial, IDLE_SERIAL(SLOT));
	/* They are gone, so that the next one succeeds. */
	run(&by_arp.in, SKEP_BOUND_ARP, XDP_REDIRECT);
	assert_false(idle_pop(queue, &idle));
}

static void a_dead_one_alone_and_skepd_is_asked(void **state)
{
	struct skep_idle idle;

	(void)state;
	offer_dead_one(5);
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(skel), 0);
	assert_int_equal(idle_get_offer(skel, 5).serial, 0);
	assert_false(idle_pop(queue, &idle));
}

static void no_container_and_skepd_is_asked(void **state)
{
	struct skep_idle idle;

	(void)state;
	set_world();
	assert_true(idle_pop(queue, &idle));
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	check_asked(&by_ping.in, SKEP_ASK_IP);
	check_asked(&by_udp.in, SKEP_ASK_IP);
	assert_int_equal(idle_count_open(skel), 0);
	assert_int_equal(last_lease(), LAST_LEASE);
}

static void a_frame_too_long_to_be_held_is_lost_without_a_container(void **state)
{
	static __u8 in[FRAME_MAX];
	struct row row = by_ping;
	struct skep_idle idle;

	(void)state;
	set_world();
	assert_true(idle_pop(queue, &idle));
	memcpy(in, by_ping.in.at, by_ping.in.len);
	row.in = (struct bytes){in, SKEP_ASK_LARGE + 1};
	run(&row.in, SKEP_DROP_ASK_TOO_LONG, XDP_DROP);
	assert_int_equal(consume(), 0);
}

/* It is bound nevertheless; the next frame finds it so. */
static void a_frame_too_long_to_be_held_is_lost_if_it_has_to_wait(void **state)
{
	static __u8 in[FRAME_MAX];
	static struct outcome outcome;

	(void)state;
	set_world();
	memcpy(in, by_udp.in.at, by_udp.in.len);
	harness_mark(fd_of(skel->maps.counters));
	harness_run(bpf_program__fd(skel->progs.uplink), in, SKEP_ASK_LARGE + 1, &outcome);
	counted_before[SKEP_BOUND_IP]++;
	harness_check_counted(fd_of(skel->maps.counters), SKEP_DROP_ASK_TOO_LONG);
	assert_int_equal(outcome.action, XDP_DROP);
	assert_int_equal(consume(), 1);
	assert_int_equal(records[0].ask.head.verdict, SKEP_BOUND_IP);
	run(&by_arp.in, SKEP_LEASED_ARP, XDP_REDIRECT);
}

static void a_range_may_be_left_to_skepd(void **state)
{
	static const struct bytes in = BYTES(TO_ALL TYPE_ARP ASK(IP_DAEMON));

	(void)state;
	set_world();
	check_asked(&in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(skel), 0);
	check_to_be_had();
}

static void a_template_without_a_queue_is_left_to_skepd(void **state)
{
	static const struct bytes in = BYTES(TO_ALL TYPE_ARP ASK(IP_QUEUELESS));

	(void)state;
	set_world();
	check_asked(&in, SKEP_ASK_ARP);
	assert_int_equal(idle_count_open(skel), 0);
	check_to_be_had();
}

static void without_a_port_skepd_is_asked(void **state)
{
	const __u32 ifindex = IDLE_PORT(SLOT);

	(void)state;
	set_world();
	assert_int_equal(bpf_map_delete_elem(fd_of(skel->maps.ports), &ifindex), 0);
	check_asked(&by_arp.in, SKEP_ASK_ARP);
	check_to_be_had();
}

/* ---- what stands in the way -------------------------------------------------------- */

static void check_nothing_bound(void)
{
	assert_int_equal(consume(), 0);
	assert_int_equal(size_of(skel->maps.leases), 0);
	assert_int_equal(idle_count_open(skel), 0);
	assert_int_equal(last_lease(), LAST_LEASE);
	check_to_be_had();
}

struct refusal {
	struct bytes in;
	enum skep_verdict verdict;
	__u32 action;
	struct skep_settings settings;
};

#define FLAG(flag) .settings.flags = SKEP_SETTING_##flag
#define USED_UP(what) .settings.what##_interval_ns = 1 /* and no burst */

static const struct refusal refusals[] = {
	{BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_NONE, IP_DARK)), SKEP_PASS_ARP_PROBE,
	 .action = XDP_PASS},
	{BYTES(TO_ALL TYPE_IPV4 PING(IP_DARK)), SKEP_PASS_IP_GROUP, .action = XDP_PASS},
	{BYTES(TO_DARK_7 TYPE_IPV4 PING(IP_DARK)), SKEP_DROP_WRONG_MAC, .action = XDP_DROP},
	{BYTES(TO_ALL TYPE_ARP ASK("\x0a\x42\x00\x09")), SKEP_PASS_EXCLUDED, .action = XDP_PASS},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), SKEP_PASS_DRAIN, XDP_PASS, FLAG(DRAIN)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), SKEP_PASS_PANIC, XDP_PASS, FLAG(PANIC)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), SKEP_PASS_WOULD_CLAIM, XDP_PASS, FLAG(DRY_RUN)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), SKEP_DROP_BUDGET, XDP_DROP, USED_UP(bind)},
	{BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), SKEP_DROP_BUDGET_REQUESTER, XDP_DROP,
	 USED_UP(requester)},
};

static void what_was_not_to_be_asked_for_is_not_bound(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		set_world();
		set_settings(&refusals[i].settings);
		run(&refusals[i].in, refusals[i].verdict, refusals[i].action);
		check_nothing_bound();
	}
}

static void a_host_has_the_address(void **state)
{
	(void)state;
	set_world();
	set_host(IP_DARK);
	run(&by_arp.in, SKEP_PASS_HOST, XDP_PASS);
	check_nothing_bound();
}

/* ---- the ring ------------------------------------------------------------------ */

/* Fills the ring by frames for a range that is left to skepd. */
static void fill_ring(void)
{
	static const struct bytes in = BYTES(TO_ALL TYPE_ARP ASK(IP_DAEMON));
	const unsigned int n = ((1 << 20) - 1) / (8 + sizeof(struct skep_ask_small));
	static struct outcome outcome;

	for (unsigned int i = 0; i < n; i++)
		harness_run(bpf_program__fd(skel->progs.uplink), in.at, in.len, &outcome);
	run(&in, SKEP_DROP_ASK_RING_FULL, XDP_DROP);
}

/* The record waits until there is room. */
static void the_ring_is_full(void **state)
{
	(void)state;
	set_world();
	fill_ring();
	run(&by_arp.in, SKEP_BOUND_ARP, XDP_REDIRECT);
	assert_true(consume() > 1);
	assert_int_equal(last_told, SKEP_BOUND_ARP);
	/* A frame that has to wait finds the address bound, too. */
	set_world();
	fill_ring();
	harness_mark(fd_of(skel->maps.counters));
	harness_run(bpf_program__fd(skel->progs.uplink), by_udp.in.at, by_udp.in.len,
		    &(struct outcome){});
	counted_before[SKEP_BOUND_IP]++;
	harness_check_counted(fd_of(skel->maps.counters), SKEP_DROP_ASK_RING_FULL);
	consume();
}

/* The bind stands; skepd has to look for it. */
static void no_room_for_a_record_anywhere(void **state)
{
	static struct outcome outcome;
	__u64 now_ns, coarse_ns;
	__u8 frame[64];

	(void)state;
	set_world();
	fill_ring();
	memcpy(frame, by_arp.in.at, by_arp.in.len);
	for (__u32 slot = 1; slot <= IDLE_DEFERRED; slot++) {
		struct skep_addr key = address_of(IP_DARK, 0);

		idle_offer(skel, queue, slot + 100);
		key.ip.octet[3] = frame[by_arp.in.len - 1] = (__u8)(20 + slot);
		harness_run(bpf_program__fd(skel->progs.uplink), frame, by_arp.in.len, &outcome);
		assert_int_equal(outcome.action, XDP_REDIRECT);
		assert_int_equal(bpf_map_delete_elem(fd_of(skel->maps.leases), &key), 0);
	}
	assert_int_equal(idle_count_deferred(skel), IDLE_DEFERRED);
	forget_all(skel->maps.ports);
	while (idle_pop(queue, &(struct skep_idle){}))
		;
	idle_offer(skel, queue, SLOT);
	set_last_lease();
	now_ns = harness_clock(CLOCK_MONOTONIC);
	coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	run(&by_arp.in, SKEP_BOUND_UNTOLD, XDP_REDIRECT);
	check_lease(&by_arp, now_ns, coarse_ns);
	check_port(&by_arp);
	check_taken(&by_arp);
	consume();
}

/* ---- setting up ------------------------------------------------------------------ */

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_BOUND_ARP, SKEP_BOUND_IP,
						     SKEP_BOUND_UNTOLD, SKEP_HELD_SETTLING};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

/* The first one's number would say nothing. */
static __u32 last_cpu(void)
{
	__u32 last = CPU_SETSIZE - 1;
	cpu_set_t allowed;

	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	while (!CPU_ISSET(last, &allowed))
		last--;
	return last;
}

static int setup(void **state)
{
	(void)state;
	cpu = last_cpu();
	harness_go_to_cpu(cpu);
	skel = uplink_bpf__open();
	if (!skel)
		return -1;
	harness_private_maps(skel->obj);
	skel->rodata->uplink_ordinal = UPLINK;
	idle_set_timers(skel, IDLE_TIMER_NS, IDLE_TIMER_NS, IDLE_TIMER_LATE_NS);
	if (uplink_bpf__load(skel))
		return -1;
	ring = ring_buffer__new(fd_of(skel->maps.asks), on_record, NULL, NULL);
	if (!ring)
		return -1;
	queue = idle_make_queue(skel, TEMPLATE, 4096);
	queue_7 = idle_make_queue(skel, TEMPLATE_7, 16);
	set_ranges();
	set_farm();
	set_uplink();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(queue);
	close(queue_7);
	ring_buffer__free(ring);
	uplink_bpf__destroy(skel);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(what_comes_in_is_a_flow),
		cmocka_unit_test(frames_of_any_length),
		cmocka_unit_test(held_frames_of_any_length),
		cmocka_unit_test(the_oldest_goes_first),
		cmocka_unit_test(leftovers_are_skipped),
		cmocka_unit_test(a_dead_one_is_skipped),
		cmocka_unit_test(a_dead_one_alone_and_skepd_is_asked),
		cmocka_unit_test(too_many_leftovers_and_skepd_is_asked),
		cmocka_unit_test(no_container_and_skepd_is_asked),
		cmocka_unit_test(a_frame_too_long_to_be_held_is_lost_without_a_container),
		cmocka_unit_test(a_frame_too_long_to_be_held_is_lost_if_it_has_to_wait),
		cmocka_unit_test(a_range_may_be_left_to_skepd),
		cmocka_unit_test(a_template_without_a_queue_is_left_to_skepd),
		cmocka_unit_test(without_a_port_skepd_is_asked),
		cmocka_unit_test(what_was_not_to_be_asked_for_is_not_bound),
		cmocka_unit_test(a_host_has_the_address),
		cmocka_unit_test(the_ring_is_full),
		cmocka_unit_test(no_room_for_a_record_anywhere),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, binds);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		table_add_test(&table, others[i]);
	return table_run(&table, "bind", setup, teardown);
}
