/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Both programs around one leased address, on the same maps: frames go in by the uplink program and
 * out by the port program, and what becomes of each is checked. Owns the world they meet. Included
 * after cmocka.h.
 */
#ifndef SKEP_TESTS_BPF_GATE_H
#define SKEP_TESTS_BPF_GATE_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "../table.h"
#include "harness.h"
#include "port.skel.h"
#include "skep/flow.h"
#include "skep/notice.h"
#include "skep/policy.h"
#include "uplink.skel.h"

#define GATE_UPLINK 3
#define GATE_PORT                                                                       \
	1 /* frames seem to come from the loopback device, which is number 1 everywhere \
	   */
#define GATE_POLICY 1
#define GATE_LEASE 1001

#define IP_SINK "\xcb\x00\x71\x09"     /* 203.0.113.9 */
#define IP_OTHER "\xc6\x33\x64\x03"    /* 198.51.100.3 */
#define IP_BOX "\x0a\x42\x00\x02"      /* 10.66.0.2 */
#define IP_METADATA "\xa9\xfe\xa9\xfe" /* 169.254.169.254 */

/* All lengths are what the header says, and checksums are there where a test looks at them. */
#define IP_OF(len, id, fragment, protocol, sum, src, dst) \
	"\x45\x00" len id fragment "\x40" protocol sum src dst
#define ID "\x12\x34"
#define WHOLE "\x40\x00"
#define FIRST "\x20\x00"
#define ICMP "\x01"
#define TCP "\x06"
#define UDP "\x11"
#define NO_SUM "\x00\x00"

#define SEQ "\x00\x00\x10\x00"
#define ACK_SEQ "\x00\x00\x20\x00"
#define TCP_OF(source, dest, flags) source dest SEQ ACK_SEQ "\x50" flags "\x20\x00" NO_SUM NO_SUM
#define FIN "\x11"
#define SYN "\x02"
#define SYN_ACK "\x12"
#define RST "\x14"
#define ACK "\x10"
#define TCP_PACKET(src, dst, source, dest, flags) \
	IP_OF("\x00\x28", ID, WHOLE, TCP, NO_SUM, src, dst) TCP_OF(source, dest, flags)
#define UDP_OF(source, dest) source dest "\x00\x0c" NO_SUM "data"
#define UDP_PACKET(src, dst, source, dest) \
	IP_OF("\x00\x20", ID, WHOLE, UDP, NO_SUM, src, dst) UDP_OF(source, dest)
#define ICMP_PACKET(src, dst, type, id) \
	IP_OF("\x00\x1c", ID, WHOLE, ICMP, NO_SUM, src, dst) type "\x00" NO_SUM id "\x00\x01"
#define ASKS_ECHO "\x08"
#define ANSWERS_ECHO "\x00"
#define ASKS_TIME "\x0d"
#define ANSWERS_TIME "\x0e"
/* An error that quotes a packet's header and the first 8 bytes behind it. */
#define ICMP_ERROR(src, dst, type, code, quote)              \
	IP_OF("\x00\x38", ID, WHOLE, ICMP, NO_SUM, src, dst) \
	type code NO_SUM "\x00\x00\x00\x00" quote
#define QUOTE(protocol, src, dst, l4) IP_OF("\x00\x28", ID, WHOLE, protocol, NO_SUM, src, dst) l4

#define PORT_X "\x9c\x40" /* 40000 */
#define PORT_Y "\x9c\x41"
#define PORT_80 "\x00\x50"
#define PORT_53 "\x00\x35"

#define ETH_IN MAC_LEASE MAC_ROUTER TYPE_IPV4
#define ETH_OUT MAC_ROUTER MAC_LEASE TYPE_IPV4

static struct port_bpf *gate_port;
static struct uplink_bpf *gate_uplink;

static int gate_fd(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

/* ---- the world --------------------------------------------------------------- */

static const struct harness_lease gate_leases[] = {
	{},
	{IP_LEASED, MAC_LEASE, NULL, 0, GATE_UPLINK, GATE_PORT},
};

static void gate_set_farm(const char *ip, __u32 len, __u32 kind)
{
	struct skep_farm_key key = {.prefixlen = len, .ip = harness_ip(ip)};

	assert_int_equal(bpf_map_update_elem(gate_fd(gate_port->maps.farm), &key, &kind, BPF_ANY),
			 0);
}

static void gate_set_uplink(void)
{
	__u32 ordinal = GATE_UPLINK;
	struct skep_uplink value = {
		.ifindex = 200,
		.gateway = harness_ip(IP_ROUTER),
		.first = 0x0a420000,
		.last = 0x0a42ffff,
		.network_last = ~0U,
	};

	assert_int_equal(bpf_map_update_elem(gate_fd(gate_port->maps.uplinks), &ordinal, &value,
					     BPF_ANY),
			 0);
}

static inline void gate_set_settings(const struct skep_settings *settings)
{
	__u32 only = 0;

	assert_int_equal(bpf_map_update_elem(gate_fd(gate_port->maps.settings), &only, settings,
					     BPF_ANY),
			 0);
}

static inline void gate_set_policy(const struct skep_policy *policy)
{
	__u32 slot = GATE_POLICY;

	assert_int_equal(
		bpf_map_update_elem(gate_fd(gate_port->maps.policies), &slot, policy, BPF_ANY), 0);
}

/* Everything is as at the beginning, but for counters. */
static void gate_reset(void)
{
	static const struct skep_settings settings = {.version = SKEP_MAPS_VERSION};
	const struct bpf_map *const hashes[] = {
		gate_port->maps.flows,	gate_port->maps.redirects,    gate_port->maps.fragments,
		gate_port->maps.peers,	gate_port->maps.limits,	      gate_port->maps.destinations,
		gate_port->maps.leases, gate_port->maps.notice_gates, gate_uplink->maps.hosts,
	};
	struct skep_port port = {.container = 5, .uplink = GATE_UPLINK, .policy = GATE_POLICY};
	__u32 ifindex = GATE_PORT;
	__u8 key[64];

	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		while (!bpf_map_get_next_key(gate_fd(hashes[i]), NULL, key))
			bpf_map_delete_elem(gate_fd(hashes[i]), key);
	for (__u32 i = 0; i < 2; i++)
		bpf_map_update_elem(gate_fd(gate_port->maps.egress_budget), &i, &(__u64){0},
				    BPF_ANY);
	harness_set_leases(gate_fd(gate_port->maps.leases), gate_leases, 2);
	assert_int_equal(
		bpf_map_update_elem(gate_fd(gate_port->maps.ports), &ifindex, &port, BPF_ANY), 0);
	gate_set_uplink();
	gate_set_settings(&settings);
	gate_set_policy(&(struct skep_policy){.serial = 1});
	gate_set_farm("\x0a\x42\x00\x00", 16, SKEP_FARM_RANGE);
	gate_set_farm(IP_ROUTER, 32, SKEP_FARM_OUTSIDE);
	gate_set_farm(IP_BOX, 32, SKEP_FARM_BOX);
}

/* ---- one frame ----------------------------------------------------------------- */

enum gate_way { GATE_IN, GATE_OUT };

static inline bool gate_passes(enum gate_way way, enum skep_verdict verdict, __u32 *ret_action)
{
	if (way == GATE_IN) {
		*ret_action = XDP_REDIRECT;
		return true;
	}
	switch (verdict) {
	case SKEP_PORT_OUT_ARP:
	case SKEP_PORT_OUT_IP:
	case SKEP_PORT_OUT_ALLOWED:
	case SKEP_PORT_OUT_REDIRECTED:
		*ret_action = TC_ACT_REDIRECT;
		return true;
	default:
		*ret_action = TC_ACT_SHOT;
		return false;
	}
}

/* The frame goes in or out, and this verdict is counted and no other. */
static inline void gate_frame(enum gate_way way, const struct bytes *frame,
			      enum skep_verdict verdict, struct outcome *ret)
{
	const int counters = gate_fd(gate_port->maps.counters);
	const int program =
		bpf_program__fd(way == GATE_IN ? gate_uplink->progs.uplink : gate_port->progs.port);

	harness_mark(counters);
	harness_run(program, frame->at, frame->len, ret);
	harness_check_counted(counters, verdict);
}

/* Makes every flow older by @ns: as if nothing had come so long. */
static inline void gate_age_flows(__u64 ns)
{
	int map = gate_fd(gate_port->maps.flows);
	struct skep_flow_key key, *after = NULL;
	struct skep_flow flow;

	for (; !bpf_map_get_next_key(map, after, &key); after = &key) {
		assert_int_equal(bpf_map_lookup_elem(map, &key, &flow), 0);
		flow.last_ns -= ns;
		assert_int_equal(bpf_map_update_elem(map, &key, &flow, BPF_EXIST), 0);
	}
}

/* ---- setting up ------------------------------------------------------------------ */

/* The uplink program gets the maps that the port program made. */
static int gate_share_maps(void)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, gate_uplink->obj)
	{
		const struct bpf_map *same =
			bpf_object__find_map_by_name(gate_port->obj, bpf_map__name(map));

		if (same && !strchr(bpf_map__name(map), '.') &&
		    bpf_map__reuse_fd(map, bpf_map__fd(same)))
			return -1;
	}
	return 0;
}

static int gate_setup(void **state)
{
	(void)state;
	gate_port = port_bpf__open();
	gate_uplink = uplink_bpf__open();
	if (!gate_port || !gate_uplink)
		return -1;
	harness_private_maps(gate_port->obj);
	harness_private_maps(gate_uplink->obj);
	gate_uplink->rodata->uplink_ordinal = GATE_UPLINK;
	if (port_bpf__load(gate_port) || gate_share_maps())
		return -1;
	return uplink_bpf__load(gate_uplink);
}

static int gate_teardown(void **state)
{
	(void)state;
	port_bpf__destroy(gate_port);
	uplink_bpf__destroy(gate_uplink);
	return 0;
}

#endif
