/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The uplink program by itself, and what it looks up: one uplink, its ranges, the settings. Link
 * addresses follow from a key of zeros. Includes all that its tests need to see what it did.
 */
#ifndef SKEP_TESTS_BPF_UPLINK_WORLD_H
#define SKEP_TESTS_BPF_UPLINK_WORLD_H

#include "harness.h"

#include "asks.h"
#include "uplink.skel.h"

#define UPLINK 3 /* neither the first, nor the only one with leases and ranges */

#define IP_NETWORK "\x0a\x42\x00\x00"	      /* 10.66.0.0, with 16 bits a range */
#define MAC_DARK "\x00\x25\x90\xeb\x3c\x47"   /* of 10.66.4.2, by the settings below */
#define MAC_DARK_7 "\x00\x25\x90\xfd\xf0\x68" /* of 10.66.4.2 on VLAN 7 */

#define TO_ALL MAC_ALL MAC_ROUTER
#define TO_DARK MAC_DARK MAC_ROUTER
#define TO_DARK_7 MAC_DARK_7 MAC_ROUTER
#define ASK(ip) WHO_HAS(MAC_ROUTER, IP_ROUTER, ip)
#define PING(ip) IPV4(IP_CLIENT, ip)

static struct uplink_bpf *skel;

static inline struct skep_addr world_address(const char *ip, __u16 vlan)
{
	return (struct skep_addr){.ip = harness_ip(ip), .vlan = vlan, .uplink = UPLINK};
}

static inline struct skep_range_key world_range_key(const struct skep_addr *first, __u32 bits)
{
	return (struct skep_range_key){
		.prefixlen = SKEP_RANGE_KEY_BITS + bits,
		.uplink = first->uplink,
		.vlan = first->vlan,
		.ip = first->ip,
	};
}

static inline void world_set_range(const char *ip, __u32 bits, __u16 vlan,
				   const struct skep_range *range)
{
	const struct skep_addr first = world_address(ip, vlan);
	const struct skep_range_key key = world_range_key(&first, bits);

	harness_put(skel->maps.ranges, &key, range);
}

/* With the prefix that link addresses begin with. */
static inline void world_set_settings(const struct skep_settings *value)
{
	struct skep_settings s = *value;

	s.n_ouis = 1;
	memcpy(s.ouis[0], "\x00\x25\x90", sizeof(s.ouis[0]));
	harness_put_only(skel->maps.settings, &s);
}

static inline void world_set_uplink(const struct skep_uplink *value)
{
	harness_put(skel->maps.uplinks, &(__u32){UPLINK}, value);
}

/* The frame becomes this, and nothing else is counted. */
static inline void world_becomes(const struct bytes *frame, enum skep_verdict verdict,
				 struct outcome *ret)
{
	harness_becomes(skel->progs.uplink, skel->maps.counters, frame, verdict, ret);
	assert_int_equal(ret->action, harness_xdp_action(verdict));
}

/* Each of @n frames does. */
static inline void world_all_become(const struct bytes *frame, unsigned int n,
				    enum skep_verdict verdict)
{
	static struct outcome outcome;

	harness_mark(skel->maps.counters);
	for (unsigned int i = 0; i < n; i++) {
		harness_run(skel->progs.uplink, frame, &outcome);
		assert_int_equal(outcome.action, harness_xdp_action(verdict));
	}
	harness_check_counted_n(skel->maps.counters, verdict, n);
}

/* By this who-has for a dark address, again and again; the ring is empty before. */
static inline void world_fill_ring(const struct bytes *who_has)
{
	const unsigned int n = ASKS_ROOM(bpf_map__max_entries(skel->maps.asks), ASKS_SMALL_TAKES);

	world_all_become(who_has, n, SKEP_ASK_ARP);
	world_all_become(who_has, 1, SKEP_DROP_ASK_RING_FULL);
}

/* Before it is loaded its constants can be set. */
static inline int world_open(void)
{
	skel = uplink_bpf__open();
	if (!skel)
		return -1;
	harness_private_maps(skel->obj);
	skel->rodata->uplink_ordinal = UPLINK;
	return 0;
}

static inline int world_load(void)
{
	return uplink_bpf__load(skel) ? -1 : asks_open(skel->maps.asks);
}

/* Of a group of tests. */
static inline int world_setup(void **state)
{
	(void)state;
	return world_open() ? -1 : world_load();
}

static inline int world_teardown(void **state)
{
	(void)state;
	asks_close();
	uplink_bpf__destroy(skel);
	return 0;
}

#endif
