/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The port program in a farm where two intruders have worlds of reflections: a frame that whoever
 * is at the port sends, to whom it goes, how it looks there, and what skepd is asked. Runs on no
 * port: who gets a frame shows in the counts of the leases.
 */
#ifndef SKEP_TESTS_BPF_REFLECT_WORLD_H
#define SKEP_TESTS_BPF_REFLECT_WORLD_H

#include "port_world.h"

#include "asks.h"

#define PORT_OF(who) (10 + (__u32)(who))

#define IP_ROOT IP_LEASED
#define IP_STRANGER "\x0a\x42\x04\x0b" /* 10.66.4.11, another intruder's container */
#define IP_NEAR "\x0a\x42\x07\x07"     /* 10.66.7.7, in both worlds */
#define IP_THEIRS "\x0a\x42\x07\x08"   /* 10.66.7.8, in the stranger's world only */
#define IP_FAR "\x08\x08\x08\x08"      /* 8.8.8.8 */
#define IP_FAR_GATEWAY "\x08\x08\x08\x01"
#define IP_FAR_DARK "\x08\x08\x08\x63" /* 8.8.8.99 */
#define IP_FAR_AWAY "\x09\x09\x09\x09"
#define IP_NEAR_DARK IP_DARK

#define MAC_ROOT MAC_LEASE
#define MAC_STRANGER "\x00\x25\x90\x0b\x0b\x0b"
#define MAC_NEAR "\x00\x25\x90\x07\x07\x01"
#define MAC_FAR "\x00\x25\x90\x08\x08\x08"
#define MAC_THEIRS "\x00\x25\x90\x0c\x0c\x0c"
#define MAC_GATEWAY "\x00\x25\x90\x01\x01\x01" /* of the near segment, as reflections know it */
#define MAC_FAR_GATEWAY "\x00\x25\x90\x08\x08\x01"
#define MAC_GUESS "\x00\x25\x90\x09\x09\x09" /* of the root's gateway, before it was used */

/* The container in a slot has the slot's lease. */
enum who { NOBODY, ROOT, STRANGER, NEAR, FAR, THEIR_NEAR, THEIRS, WIRED, SLOTS };

static const struct lease_spec leases[SLOTS] = {
	[ROOT] = {IP_ROOT, MAC_ROOT, NULL, 0, UPLINK, 0},
	[STRANGER] = {IP_STRANGER, MAC_STRANGER, NULL, 0, UPLINK, 0},
	[NEAR] = {IP_NEAR, MAC_NEAR, NULL, ROOT, SKEP_UPLINK_REFLECT, 0},
	[FAR] = {IP_FAR, MAC_FAR, NULL, ROOT, SKEP_UPLINK_REFLECT, 0},
	[THEIR_NEAR] = {IP_NEAR, MAC_NEAR, NULL, STRANGER, SKEP_UPLINK_REFLECT, 0},
	[THEIRS] = {IP_THEIRS, MAC_THEIRS, NULL, STRANGER, SKEP_UPLINK_REFLECT, 0},
	/* On the wire, on the VLAN whose number is that of the first world. */
	[WIRED] = {IP_THEIRS, MAC_OTHER, NULL, ROOT, UPLINK, 0},
};

/* How the farm is when the frame comes. */
enum state {
	USUAL,
	NO_RULE, /* the policy drops what a container begins */
	DRAINED,
	PANICKED,
	ROOT_GONE,   /* its slot is empty */
	ROOT_NEW,    /* its slot is another's by now: idle */
	ROOT_INSIDE, /* or a reflection in another world */
	ROOT_ALONE,  /* its segment is its address */
	ROOT_TAGGED, /* it is on a VLAN */
	ROOT_SHARES, /* it has a further address, whose link address outside is another */
};

#define POLICY_REFLECT 1
#define POLICY_DROP 2

static struct lease_spec now_leased[SLOTS];

/* ---- the farm -------------------------------------------------------------- */

static void fill_budgets(void)
{
	for (__u32 who = 0; who < SLOTS; who++)
		harness_put(skel->maps.world_budgets, &who, &(__u64){0});
	harness_put_only(skel->maps.reflect_budget, &(__u64){0});
}

static void set_settings(enum state state)
{
	struct skep_settings value = {
		.version = SKEP_MAPS_VERSION,
		.flags = (state == DRAINED ? SKEP_SETTING_DRAIN : 0) |
			 (state == PANICKED ? SKEP_SETTING_PANIC : 0),
		.reflect_interval_ns = 1,
		.reflect_burst_ns = 1000000,
		.world_interval_ns = 1,
		.world_burst_ns = 1000000,
	};

	harness_put_only(skel->maps.settings, &value);
	fill_budgets();
}

static void set_policies(void)
{
	static struct skep_policy policy;
	__u32 slot = POLICY_REFLECT;

	policy = (struct skep_policy){
		.serial = 1, .verdict = SKEP_RULE_REFLECT, .flags = SKEP_POLICY_REFLECTS};
	harness_put(skel->maps.policies, &slot, &policy);
	slot = POLICY_DROP;
	policy = (struct skep_policy){.serial = 2, .verdict = SKEP_RULE_DROP};
	harness_put(skel->maps.policies, &slot, &policy);
}

static void set_uplink(void)
{
	const struct skep_uplink value = {.ifindex = 200, .gateway = harness_ip(IP_ROUTER)};

	harness_put(skel->maps.uplinks, &(__u32){UPLINK}, &value);
}

static void set_port(enum who who, enum state state)
{
	const struct lease_spec *lease = &now_leased[who];
	struct skep_port value = {
		.container = who,
		.uplink = lease->uplink,
		.vlan = lease->vlan,
		.policy = state == NO_RULE ? POLICY_DROP : POLICY_REFLECT,
		.prefixlen = who == FAR ? 24 : 16,
		.gateway = harness_ip(who == FAR ? IP_FAR_GATEWAY : IP_ROUTER),
	};
	const char *mac = who == FAR ? MAC_FAR_GATEWAY : MAC_GATEWAY;

	if (who == ROOT && state == ROOT_ALONE)
		value.prefixlen = 32;
	memcpy(value.gateway_mac, who == ROOT ? MAC_GUESS : mac, sizeof(value.gateway_mac));
	harness_put(skel->maps.ports, &lease->port, &value);
}

static void set_container(enum who who, enum state state)
{
	struct skep_container value = {
		.state = SKEP_STATE_BOUND,
		.address = lease_key(&now_leased[who]),
		.leases = 1,
	};
	__u32 slot = who;

	if (who == ROOT && state == ROOT_GONE)
		value = (struct skep_container){};
	if (who == ROOT && state == ROOT_NEW)
		value = (struct skep_container){.state = SKEP_STATE_IDLE};
	harness_put(skel->maps.containers, &slot, &value);
}

static void set_farm(enum who sender, enum state state)
{
	harness_empty(skel->maps.leases);
	harness_empty(skel->maps.ports);
	harness_empty(skel->maps.flows);
	memcpy(now_leased, leases, sizeof(leases));
	if (state == ROOT_TAGGED)
		now_leased[ROOT].vlan = 7;
	if (state == ROOT_INSIDE) {
		now_leased[ROOT].vlan = STRANGER;
		now_leased[ROOT].uplink = SKEP_UPLINK_REFLECT;
	}
	if (state == ROOT_SHARES) {
		now_leased[ROOT].mac = MAC_OTHER;
		now_leased[ROOT].eth0 = MAC_ROOT;
	}
	for (enum who who = ROOT; who < SLOTS; who++) {
		now_leased[who].port = who == sender ? PORT : PORT_OF(who);
		set_port(who, state);
		set_container(who, state);
	}
	lease_set_all(skel->maps.leases, now_leased, SLOTS);
	if (state == ROOT_GONE || state == ROOT_NEW) {
		struct skep_addr key = lease_key(&now_leased[ROOT]);

		harness_remove(skel->maps.leases, &key);
		now_leased[ROOT] = now_leased[NOBODY];
	}
	set_settings(state);
	set_policies();
	set_uplink();
}

/* ---- one frame ------------------------------------------------------------- */

/**
 * struct row - a frame and what is to become of it
 * @in:  that @sender sends
 * @out: as it arrives, where it is redirected and not as it was sent
 * @to:  who gets it; NOBODY where it goes back to the sender, out of the uplink, or nowhere
 * @dark: the address that skepd is asked for
 */
struct row {
	const char *name;
	enum who sender;
	struct bytes in;
	enum skep_verdict verdict;
	struct bytes out;
	enum who to;
	const char *dark;
	enum state state;
};

static bool is_redirected(enum skep_verdict verdict)
{
	return verdict == SKEP_REFLECT_ARP || verdict == SKEP_REFLECT_IP ||
	       verdict == SKEP_REFLECT_GATEWAY || verdict == SKEP_PORT_OUT_ARP;
}

static void check_leases(const struct row *row, __u64 since_ns)
{
	for (__u32 who = ROOT; who < SLOTS; who++) {
		struct skep_lease value, expected;
		struct skep_addr key;

		if (!now_leased[who].ip)
			continue;
		key = lease_key(&now_leased[who]);
		expected = lease_value(&now_leased[who], who);
		harness_get(skel->maps.leases, &key, &value);
		if (who == row->sender && (row->to || row->verdict == SKEP_PORT_OUT_ARP))
			lease_expect_frame(&expected, &value, OUT, since_ns);
		if (who == row->to)
			lease_expect_frame(&expected, &value, IN, since_ns);
		assert_memory_equal(&value, &expected, sizeof(value));
	}
}

/* The address is asked for in the world of whoever sends. */
static void check_ask(const struct row *row, __u64 since_ns)
{
	const bool theirs = row->sender == STRANGER || row->sender == THEIR_NEAR;
	const struct skep_ask head = {
		.address = {harness_ip(row->dark), theirs ? STRANGER : ROOT, SKEP_UPLINK_REFLECT},
		.requester = harness_ip(now_leased[row->sender].ip),
		.verdict = SKEP_ASK_REFLECT,
		.frame_len = (__u16)row->in.len,
	};

	asks_check(&asks.records[0], &head, &row->in, since_ns);
}

static void check_row(const struct row *row)
{
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	__u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	__u64 since_ns = harness_clock(CLOCK_MONOTONIC);
	static struct outcome outcome;

	port_becomes(&row->in, row->verdict, is_redirected(row->verdict), &outcome);
	if (is_redirected(row->verdict))
		harness_check_frame(&outcome, out);
	check_leases(row, coarse_ns);
	assert_int_equal(asks_read(), row->dark ? 1 : 0);
	if (row->dark)
		check_ask(row, since_ns);
}

#define ARP_TO_ALL(mac) MAC_ALL mac TYPE_ARP
#define IP_FRAME(dst, src) dst src TYPE_IPV4
#define TO(what, whom) .verdict = SKEP_REFLECT_##what, .to = (whom)
#define ASKED(address) .verdict = SKEP_ASK_REFLECT, .dark = (address)
#define DROPPED(why) .verdict = SKEP_##why

/* What asks are for; the rest is about who gets a frame. */
static const enum skep_verdict of_asks[] = {SKEP_REFLECT_DROP_BUDGET, SKEP_REFLECT_DROP_RING_FULL,
					    SKEP_REFLECT_DROP_TOO_LONG};

/* ---- setting up ------------------------------------------------------------ */

static int reflect_setup(void **state)
{
	return port_setup(state) ? -1 : asks_open(skel->maps.asks);
}

static int reflect_teardown(void **state)
{
	asks_close();
	return port_teardown(state);
}

#endif
