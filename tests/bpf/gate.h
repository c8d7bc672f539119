/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Both programs around one leased address, on the same maps: frames go in by the uplink program and
 * out by the port program, and what becomes of each is checked. Owns the world they meet.
 */
#ifndef SKEP_TESTS_BPF_GATE_H
#define SKEP_TESTS_BPF_GATE_H

#include "harness.h"

#include <linux/pkt_cls.h>

#include "leases.h"
#include "packets.h"
#include "port.skel.h"
#include "skep/flow.h"
#include "skep/notice.h"
#include "skep/policy.h"
#include "uplink.skel.h"

#define GATE_UPLINK 3
#define GATE_PORT 1 /* frames seem to come from the loopback device: number 1 everywhere */
#define GATE_POLICY 1
#define GATE_LEASE 1001
#define GATE_SLOT 5
#define SECOND 1000000000ULL

#define IP_SINK "\xcb\x00\x71\x09"     /* 203.0.113.9 */
#define IP_OTHER "\xc6\x33\x64\x03"    /* 198.51.100.3 */
#define IP_BOX "\x0a\x42\x00\x02"      /* 10.66.0.2 */
#define IP_METADATA "\xa9\xfe\xa9\xfe" /* 169.254.169.254 */

#define ETH_IN MAC_LEASE MAC_ROUTER TYPE_IPV4
#define ETH_OUT MAC_ROUTER MAC_LEASE TYPE_IPV4

static struct port_bpf *gate_port;
static struct uplink_bpf *gate_uplink;

/* ---- the world --------------------------------------------------------------- */

static const struct lease_spec gate_lease = {IP_LEASED, MAC_LEASE, NULL, 0, GATE_UPLINK, GATE_PORT};

static void gate_set_farm(const char *ip, __u32 len, __u32 kind)
{
	struct skep_farm_key key = {.prefixlen = len, .ip = harness_ip(ip)};

	harness_put(gate_port->maps.farm, &key, &kind);
}

static inline void gate_set_settings(const struct skep_settings *settings)
{
	harness_put_only(gate_port->maps.settings, settings);
}

static inline void gate_set_policy(const struct skep_policy *policy)
{
	harness_put(gate_port->maps.policies, &(__u32){GATE_POLICY}, policy);
}

static inline void gate_set_port(const struct skep_port *port)
{
	harness_put(gate_port->maps.ports, &(__u32){GATE_PORT}, port);
}

/* What skepd has taken note of: no lease yet, or this one. */
static inline void gate_set_container(__u32 slot, const char *ip)
{
	const struct skep_container container = {
		.address = {.ip = harness_ip(ip ? ip : IP_NONE), .uplink = GATE_UPLINK},
		.leases = ip ? 1 : 0,
	};

	harness_put(gate_port->maps.containers, &slot, &container);
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
	const struct skep_uplink uplink = {
		.ifindex = 200,
		.gateway = harness_ip(IP_ROUTER),
		.first = 0x0a420000,
		.last = 0x0a42ffff,
		.network_last = ~0U,
	};

	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++)
		harness_empty(hashes[i]);
	for (__u32 i = 0; i < 2; i++)
		harness_put(gate_port->maps.egress_budget, &i, &(__u64){0});
	lease_set(gate_port->maps.leases, &gate_lease, 1);
	gate_set_port(&(struct skep_port){
		.container = GATE_SLOT,
		.uplink = GATE_UPLINK,
		.policy = GATE_POLICY,
	});
	harness_put(gate_port->maps.uplinks, &(__u32){GATE_UPLINK}, &uplink);
	gate_set_settings(&settings);
	gate_set_policy(&(struct skep_policy){.serial = 1});
	gate_set_farm("\x0a\x42\x00\x00", 16, SKEP_FARM_RANGE);
	gate_set_farm(IP_ROUTER, 32, SKEP_FARM_OUTSIDE);
	gate_set_farm(IP_BOX, 32, SKEP_FARM_BOX);
}

/* ---- one frame ----------------------------------------------------------------- */

enum gate_way { GATE_IN, GATE_OUT };

static inline __u32 gate_action(enum gate_way way, enum skep_verdict verdict)
{
	if (way == GATE_IN)
		return harness_xdp_action(verdict);
	switch (verdict) {
	case SKEP_PORT_OUT_ARP:
	case SKEP_PORT_OUT_IP:
	case SKEP_PORT_OUT_ALLOWED:
	case SKEP_PORT_OUT_REDIRECTED:
		return TC_ACT_REDIRECT;
	default:
		return TC_ACT_SHOT;
	}
}

/* The frame goes in or out, and this verdict is counted and no other. */
static inline void gate_frame(enum gate_way way, const struct bytes *frame,
			      enum skep_verdict verdict, struct outcome *ret)
{
	harness_becomes(way == GATE_IN ? gate_uplink->progs.uplink : gate_port->progs.port,
			gate_port->maps.counters, frame, verdict, ret);
}

/* The same, and the frame goes on as @out, or nowhere; that is how it is then. */
static inline void gate_check(enum gate_way way, const struct bytes *in, enum skep_verdict verdict,
			      const struct bytes *out)
{
	static struct outcome outcome;

	gate_frame(way, in, verdict, &outcome);
	assert_int_equal(outcome.action, gate_action(way, verdict));
	harness_check_frame(&outcome, out);
}

/* Makes every flow older by @ns: as if nothing had come so long. */
static inline void gate_age_flows(__u64 ns)
{
	const struct bpf_map *flows = gate_port->maps.flows;
	struct skep_flow_key key, *after = NULL;
	struct skep_flow flow;

	for (; !bpf_map_get_next_key(bpf_map__fd(flows), after, &key); after = &key) {
		harness_get(flows, &key, &flow);
		flow.last_ns -= ns;
		harness_put(flows, &key, &flow);
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
