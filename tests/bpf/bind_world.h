/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A farm whose containers the uplink program gives away: one for each of two ranges, two ranges
 * that are left to skepd; and what a bind leaves behind there.
 */
#ifndef SKEP_TESTS_BPF_BIND_WORLD_H
#define SKEP_TESTS_BPF_BIND_WORLD_H

#include "uplink_world.h"

#include "cpus.h"
#include "idle.h"
#include "packets.h"
#include "skep/flow.h"
#include "skep/policy.h"

#define TEMPLATE 2   /* of the range without a tag */
#define TEMPLATE_7 9 /* of the one on VLAN 7 */
#define NO_TEMPLATE 11
#define SLOT 41
#define SLOT_7 42
#define LAST_LEASE 500

#define IP_DAEMON "\x0a\x43\x00\x05"	/* 10.67.0.5, in a range that is left to skepd */
#define IP_QUEUELESS "\x0a\x44\x00\x05" /* 10.68.0.5, whose template has offered nothing yet */
#define ETH0 "\x02\x00\x5e\x00\x00\x29" /* of SLOT */
#define ETH0_7 "\x02\x00\x5e\x00\x00\x2a"

#define UDP_TO(ip) UDP_PACKET(IP_CLIENT, ip, PORT_X, PORT_53)

static __u32 cpu;
static int queue, queue_7;

/* ---- the world ------------------------------------------------------------- */

static void set_ranges(void)
{
	idle_set_range(IP_NETWORK, 16, 0, SKEP_RANGE_BIND, TEMPLATE);
	idle_set_range(IP_NETWORK, 24, 0, SKEP_RANGE_EXCLUDED | SKEP_RANGE_BIND, TEMPLATE);
	idle_set_range(IP_NETWORK, 16, 7, SKEP_RANGE_BIND, TEMPLATE_7);
	idle_set_range("\x0a\x43\x00\x00", 16, 0, 0, TEMPLATE);
	idle_set_range("\x0a\x44\x00\x00", 16, 0, SKEP_RANGE_BIND, NO_TEMPLATE);
}

static void set_farm(void)
{
	const struct skep_farm_key key = {.prefixlen = 16, .ip = harness_ip(IP_NETWORK)};

	harness_put(skel->maps.farm, &key, &(__u32){SKEP_FARM_RANGE});
}

static void set_last_lease(void)
{
	harness_put_only(skel->maps.last_lease, &(__u64){LAST_LEASE});
}

static __u64 last_lease(void)
{
	return harness_get_only_u64(skel->maps.last_lease);
}

/* One container each is to be had, nothing is leased, nobody was heard. */
static void set_world(void)
{
	const struct skep_offer none = {};

	harness_empty(skel->maps.leases);
	harness_empty(skel->maps.ports);
	harness_empty(skel->maps.hosts);
	harness_empty(skel->maps.flows);
	idle_empty(queue);
	idle_empty(queue_7);
	for (__u32 slot = 0; slot < 64; slot++)
		idle_set_offer(slot, &none);
	idle_offer(queue, SLOT);
	idle_offer(queue_7, SLOT_7);
	set_last_lease();
	world_set_settings(&(struct skep_settings){});
	idle_read_asks();
}

/* The frame becomes this, and is as it was. */
static void run(const struct bytes *in, enum skep_verdict verdict)
{
	static struct outcome outcome;

	world_becomes(in, verdict, &outcome);
	harness_check_frame(&outcome, in);
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
	assert_int_equal(idle_count_open(), 1);
	harness_get(skel->maps.ports, &ifindex, &port);
	assert_memory_equal(&port, &expected, sizeof(port));
}

/* Nobody else gets the container, and skepd finds out for whom it went. */
static void check_taken(const struct row *row)
{
	const __u32 slot = slot_of(row);
	struct skep_offer offer = idle_get_offer(slot), expected = idle_offer_of(slot);
	struct skep_idle idle;

	expected.serial = 0;
	expected.address = world_address(row->ip, row->vlan);
	assert_memory_equal(&offer, &expected, sizeof(offer));
	assert_false(idle_pop(row->vlan ? queue_7 : queue, &idle));
}

#define BINDS_ARP .verdict = SKEP_BOUND_ARP, .ip = IP_DARK, .requester = IP_ROUTER
#define BINDS_IP .verdict = SKEP_BOUND_IP, .ip = IP_DARK, .requester = IP_CLIENT
#define PLAIN .mac = MAC_DARK

static const struct row by_arp = {"", BYTES(TO_ALL TYPE_ARP ASK(IP_DARK)), BINDS_ARP, PLAIN};
static const struct row by_ping = {"", BYTES(TO_DARK TYPE_IPV4 PING(IP_DARK)), BINDS_IP, PLAIN,
				   .out = BYTES(ETH0 MAC_ROUTER TYPE_IPV4 PING(IP_DARK))};
static const struct row by_udp = {"", BYTES(TO_DARK TYPE_IPV4 UDP_TO(IP_DARK)), BINDS_IP, PLAIN,
				  .waits = true};

/* ---- setting up -------------------------------------------------------------- */

static int bind_setup(void **state)
{
	static const struct skep_uplink uplink = {
		.first = 0x0a420000,
		.last = 0x0a44ffff,
		.gateway = {.octet = {10, 66, 0, 1}},
	};
	__u32 cpus[2];

	(void)state;
	cpus_find(cpus);
	cpu = cpus[0] > cpus[1] ? cpus[0] : cpus[1]; /* number 0 would say nothing */
	cpus_go_to(cpu);
	if (world_open())
		return -1;
	idle_set_timers(skel, IDLE_TIMER_NS, IDLE_TIMER_NS, IDLE_TIMER_LATE_NS);
	if (world_load())
		return -1;
	queue = idle_make_queue(TEMPLATE, 4096);
	queue_7 = idle_make_queue(TEMPLATE_7, 16);
	set_ranges();
	set_farm();
	world_set_uplink(&uplink);
	return 0;
}

static int bind_teardown(void **state)
{
	close(queue);
	close(queue_7);
	return world_teardown(state);
}

#endif
