// SPDX-License-Identifier: GPL-2.0
/*
 * Reflection in the port program: two intruders with their worlds, and a table of frames that
 * whoever is at the port sends, with what becomes of each: to whom it goes, how it looks there, and
 * what skepd is asked. Runs in the kernel but on no port: who gets a frame shows in the counts of
 * the leases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "../table.h"
#include "harness.h"
#include "port.skel.h"
#include "skep/flow.h"
#include "skep/notice.h"
#include "skep/policy.h"

#define UPLINK 3
#define PORT 1 /* frames seem to come from the loopback device, which is number 1 everywhere */
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

static const struct harness_lease leases[SLOTS] = {
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

static struct port_bpf *skel;
static struct harness_lease now_leased[SLOTS];

static int fd_of(const struct bpf_map *map)
{
	return bpf_map__fd(map);
}

static void update(const struct bpf_map *map, const void *key, const void *value)
{
	assert_int_equal(bpf_map_update_elem(fd_of(map), key, value, BPF_ANY), 0);
}

/* ---- the farm -------------------------------------------------------------- */

static void fill_budgets(void)
{
	__u64 full = 0;

	for (__u32 who = 0; who < SLOTS; who++)
		update(skel->maps.world_budgets, &who, &full);
	update(skel->maps.reflect_budget, &(__u32){0}, &full);
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
	__u32 only = 0;

	update(skel->maps.settings, &only, &value);
	fill_budgets();
}

static void set_policies(void)
{
	static struct skep_policy policy;
	__u32 slot = POLICY_REFLECT;

	policy = (struct skep_policy){
		.serial = 1, .verdict = SKEP_RULE_REFLECT, .flags = SKEP_POLICY_REFLECTS};
	update(skel->maps.policies, &slot, &policy);
	slot = POLICY_DROP;
	policy = (struct skep_policy){.serial = 2, .verdict = SKEP_RULE_DROP};
	update(skel->maps.policies, &slot, &policy);
}

static void set_uplink(void)
{
	__u32 ordinal = UPLINK;
	struct skep_uplink value = {.ifindex = 200, .gateway = harness_ip(IP_ROUTER)};

	update(skel->maps.uplinks, &ordinal, &value);
}

static void set_port(enum who who, enum state state)
{
	const struct harness_lease *lease = &now_leased[who];
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
	update(skel->maps.ports, &lease->port, &value);
}

static void set_container(enum who who, enum state state)
{
	struct skep_container value = {
		.state = SKEP_STATE_BOUND,
		.address = harness_lease_key(&now_leased[who]),
		.leases = 1,
	};
	__u32 slot = who;

	if (who == ROOT && state == ROOT_GONE)
		value = (struct skep_container){};
	if (who == ROOT && state == ROOT_NEW)
		value = (struct skep_container){.state = SKEP_STATE_IDLE};
	update(skel->maps.containers, &slot, &value);
}

static void empty(const struct bpf_map *map, size_t key_size)
{
	cleanup_free void *key = malloc(key_size);

	assert_non_null(key);
	while (!bpf_map_get_next_key(fd_of(map), NULL, key))
		bpf_map_delete_elem(fd_of(map), key);
}

static void set_farm(enum who sender, enum state state)
{
	empty(skel->maps.leases, sizeof(struct skep_addr));
	empty(skel->maps.ports, sizeof(__u32));
	empty(skel->maps.flows, sizeof(struct skep_flow_key));
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
	harness_set_leases(fd_of(skel->maps.leases), now_leased, SLOTS);
	if (state == ROOT_GONE || state == ROOT_NEW) {
		struct skep_addr key = harness_lease_key(&now_leased[ROOT]);

		assert_int_equal(bpf_map_delete_elem(fd_of(skel->maps.leases), &key), 0);
		now_leased[ROOT] = now_leased[NOBODY];
	}
	set_settings(state);
	set_policies();
	set_uplink();
}

/* ---- asks ------------------------------------------------------------------ */

static struct {
	unsigned int n;
	struct skep_ask_large last;
	size_t size;
} asked;

static int note_ask(void *context, void *data, size_t size)
{
	(void)context;
	assert_in_range(size, sizeof(struct skep_ask), sizeof(asked.last));
	asked.n++;
	asked.size = size;
	memcpy(&asked.last, data, size);
	return 0;
}

static void read_asks(void)
{
	struct ring_buffer *ring = ring_buffer__new(fd_of(skel->maps.asks), note_ask, NULL, NULL);

	assert_non_null(ring);
	asked.n = 0;
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
}

static void check_ask(const struct bytes *in, const char *target, const char *requester,
		      __u16 world, __u64 since_ns)
{
	const struct skep_ask *head = &asked.last.head;

	assert_int_equal(asked.n, 1);
	assert_int_equal(asked.size, in->len <= SKEP_ASK_SMALL ? sizeof(struct skep_ask_small)
							       : sizeof(struct skep_ask_large));
	assert_in_range(head->seen_ns, since_ns, harness_clock(CLOCK_MONOTONIC));
	assert_int_equal(head->address.ip.addr, harness_ip(target).addr);
	assert_int_equal(head->address.vlan, world);
	assert_int_equal(head->address.uplink, SKEP_UPLINK_REFLECT);
	assert_int_equal(head->requester.addr, harness_ip(requester).addr);
	assert_int_equal(head->verdict, SKEP_ASK_REFLECT);
	assert_int_equal(head->frame_len, in->len);
	assert_memory_equal(asked.last.frame, in->at, in->len);
	for (size_t i = in->len; i < asked.size - sizeof(*head); i++)
		assert_int_equal(asked.last.frame[i], 0);
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
		key = harness_lease_key(&now_leased[who]);
		expected = harness_lease_value(&now_leased[who], who);
		assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.leases), &key, &value), 0);
		if (who == row->sender && (row->to || row->verdict == SKEP_PORT_OUT_ARP))
			harness_expect_frame(&expected, &value, OUT, since_ns);
		if (who == row->to)
			harness_expect_frame(&expected, &value, IN, since_ns);
		assert_memory_equal(&value, &expected, sizeof(value));
	}
}

static void check_row(const struct row *row)
{
	const struct bytes *out = row->out.at ? &row->out : &row->in;
	__u64 coarse_ns = harness_clock(CLOCK_MONOTONIC_COARSE);
	__u64 since_ns = harness_clock(CLOCK_MONOTONIC);
	static struct outcome outcome;

	harness_mark(fd_of(skel->maps.counters));
	harness_run(bpf_program__fd(skel->progs.port), row->in.at, row->in.len, &outcome);
	harness_check_counted(fd_of(skel->maps.counters), row->verdict);
	assert_int_equal(outcome.action,
			 is_redirected(row->verdict) ? TC_ACT_REDIRECT : TC_ACT_SHOT);
	if (is_redirected(row->verdict))
		harness_check_frame(&outcome, out->at, out->len);
	check_leases(row, coarse_ns);
	read_asks();
	if (row->dark)
		check_ask(&row->in, row->dark, now_leased[row->sender].ip,
			  row->sender == STRANGER || row->sender == THEIR_NEAR ? STRANGER : ROOT,
			  since_ns);
	else
		assert_int_equal(asked.n, 0);
}

static void becomes(void **state)
{
	const struct row *row = *state;

	set_farm(row->sender, row->state);
	check_row(row);
}

/* ---- the table ------------------------------------------------------------- */

#define ARP_TO_ALL(mac) MAC_ALL mac TYPE_ARP
#define IP_FRAME(dst, src) dst src TYPE_IPV4
#define TO(what, whom) .verdict = SKEP_REFLECT_##what, .to = (whom)
#define ASKED(address) .verdict = SKEP_ASK_REFLECT, .dark = (address)
#define DROPPED(why) .verdict = SKEP_##why

static const struct row rows[] = {
	/* The intruder. */
	{"root: to a neighbour", ROOT, BYTES(IP_FRAME(MAC_OTHER, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR)),
	 TO(IP, NEAR), .out = BYTES(IP_FRAME(MAC_NEAR, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR))},
	{"root: to somebody behind the gateway", ROOT,
	 BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR)), TO(IP, FAR),
	 .out = BYTES(IP_FRAME(MAC_FAR, MAC_FAR_GATEWAY) IPV4(IP_ROOT, IP_FAR))},
	{"root: to a dark neighbour", ROOT,
	 BYTES(IP_FRAME(MAC_OTHER, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR_DARK)), ASKED(IP_NEAR_DARK)},
	{"root: to somebody dark behind the gateway", ROOT,
	 BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR_DARK)), ASKED(IP_FAR_DARK)},
	{"root: to the gateway itself", ROOT,
	 BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_ROUTER)), ASKED(IP_ROUTER)},
	{"root: to another intruder's container", ROOT,
	 BYTES(IP_FRAME(MAC_STRANGER, MAC_ROOT) IPV4(IP_ROOT, IP_STRANGER)), ASKED(IP_STRANGER)},
	{"root: to one in another's world only", ROOT,
	 BYTES(IP_FRAME(MAC_THEIRS, MAC_ROOT) IPV4(IP_ROOT, IP_THEIRS)), ASKED(IP_THEIRS)},
	{"root on a VLAN: to a neighbour", ROOT,
	 BYTES(IP_FRAME(MAC_NEAR, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR)), TO(IP, NEAR),
	 .state = ROOT_TAGGED},
	{"root on a VLAN: is-at for a neighbour", ROOT,
	 BYTES(MAC_NEAR MAC_ROOT TYPE_ARP IS_AT(MAC_ROOT, IP_ROOT, MAC_NEAR, IP_NEAR)),
	 TO(ARP, NEAR), .state = ROOT_TAGGED},
	{"root: who-has for a neighbour", ROOT,
	 BYTES(ARP_TO_ALL(MAC_ROOT) WHO_HAS(MAC_ROOT, IP_ROOT, IP_NEAR)), TO(ARP, NEAR)},
	{"root: who-has, sent to the neighbour alone", ROOT,
	 BYTES(MAC_NEAR MAC_ROOT TYPE_ARP WHO_HAS(MAC_ROOT, IP_ROOT, IP_NEAR)), TO(ARP, NEAR)},
	{"root: who-has for a dark neighbour", ROOT,
	 BYTES(ARP_TO_ALL(MAC_ROOT) WHO_HAS(MAC_ROOT, IP_ROOT, IP_NEAR_DARK)), ASKED(IP_NEAR_DARK)},
	{"root: who-has for another intruder's container", ROOT,
	 BYTES(ARP_TO_ALL(MAC_ROOT) WHO_HAS(MAC_ROOT, IP_ROOT, IP_STRANGER)), ASKED(IP_STRANGER)},
	{"root: who-has for no neighbour", ROOT,
	 BYTES(ARP_TO_ALL(MAC_ROOT) WHO_HAS(MAC_ROOT, IP_ROOT, IP_FAR)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"root: who-has for its gateway: on the wire", ROOT,
	 BYTES(ARP_TO_ALL(MAC_ROOT) WHO_HAS(MAC_ROOT, IP_ROOT, IP_ROUTER)),
	 .verdict = SKEP_PORT_OUT_ARP},
	{"root: is-at for a neighbour in its world", ROOT,
	 BYTES(MAC_NEAR MAC_ROOT TYPE_ARP IS_AT(MAC_ROOT, IP_ROOT, MAC_NEAR, IP_NEAR)),
	 TO(ARP, NEAR)},
	{"root: is-at for the same address on the wire", ROOT,
	 BYTES(MAC_OTHER MAC_ROOT TYPE_ARP IS_AT(MAC_ROOT, IP_ROOT, MAC_OTHER, IP_NEAR)),
	 .verdict = SKEP_PORT_OUT_ARP},
	{"root: is-at for one in another's world: on the wire", ROOT,
	 BYTES(MAC_THEIRS MAC_ROOT TYPE_ARP IS_AT(MAC_ROOT, IP_ROOT, MAC_THEIRS, IP_THEIRS)),
	 .verdict = SKEP_PORT_OUT_ARP},
	{"root: no rule reflects IPv4", ROOT,
	 BYTES(IP_FRAME(MAC_OTHER, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR)), DROPPED(PORT_DROP_RULE),
	 .state = NO_RULE},
	{"root: no rule reflects who-has", ROOT,
	 BYTES(ARP_TO_ALL(MAC_ROOT) WHO_HAS(MAC_ROOT, IP_ROOT, IP_NEAR)),
	 DROPPED(PORT_DROP_ARP_TARGET), .state = NO_RULE},
	{"root: drained: to somebody dark", ROOT,
	 BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR_DARK)),
	 DROPPED(REFLECT_DROP_DRAIN), .state = DRAINED},
	{"root: drained: to a neighbour who is there", ROOT,
	 BYTES(IP_FRAME(MAC_OTHER, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR)), TO(IP, NEAR),
	 .out = BYTES(IP_FRAME(MAC_NEAR, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR)), .state = DRAINED},
	{"root: panic", ROOT, BYTES(IP_FRAME(MAC_OTHER, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR)),
	 DROPPED(PORT_DROP_PANIC), .state = PANICKED},

	/* The other intruder: the same address, another container. */
	{"stranger: to a neighbour", STRANGER,
	 BYTES(IP_FRAME(MAC_NEAR, MAC_STRANGER) IPV4(IP_STRANGER, IP_NEAR)), TO(IP, THEIR_NEAR)},
	{"stranger: who-has for it", STRANGER,
	 BYTES(ARP_TO_ALL(MAC_STRANGER) WHO_HAS(MAC_STRANGER, IP_STRANGER, IP_NEAR)),
	 TO(ARP, THEIR_NEAR)},
	{"stranger: to one in the first one's world", STRANGER,
	 BYTES(IP_FRAME(MAC_ROUTER, MAC_STRANGER) IPV4(IP_STRANGER, IP_FAR)), ASKED(IP_FAR)},
	{"stranger's reflection: to the first one's root", THEIR_NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), ASKED(IP_ROOT)},

	/* A reflection on the root's own segment. */
	{"near: to the root", NEAR, BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)),
	 TO(IP, ROOT)},
	{"near: to the root, sent to another MAC", NEAR,
	 BYTES(IP_FRAME(MAC_OTHER, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), TO(IP, ROOT),
	 .out = BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT))},
	{"near: to the root, which shares its container", NEAR,
	 BYTES(IP_FRAME(MAC_OTHER, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), TO(IP, ROOT),
	 .out = BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), .state = ROOT_SHARES},
	{"near: to the root, which is on a VLAN", NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), TO(IP, ROOT),
	 .state = ROOT_TAGGED},
	{"near: to the root, which has no neighbours", NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), TO(IP, ROOT),
	 .out = BYTES(IP_FRAME(MAC_ROOT, MAC_GUESS) IPV4(IP_NEAR, IP_ROOT)), .state = ROOT_ALONE},
	{"near: to somebody behind the gateway", NEAR,
	 BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_FAR)), TO(IP, FAR),
	 .out = BYTES(IP_FRAME(MAC_FAR, MAC_FAR_GATEWAY) IPV4(IP_NEAR, IP_FAR))},
	{"near: to somebody dark", NEAR,
	 BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_FAR_AWAY)), ASKED(IP_FAR_AWAY)},
	{"near: to another intruder's container", NEAR,
	 BYTES(IP_FRAME(MAC_STRANGER, MAC_NEAR) IPV4(IP_NEAR, IP_STRANGER)), ASKED(IP_STRANGER)},
	{"near: to one in another's world only", NEAR,
	 BYTES(IP_FRAME(MAC_THEIRS, MAC_NEAR) IPV4(IP_NEAR, IP_THEIRS)), ASKED(IP_THEIRS)},
	{"near: who-has for the root", NEAR,
	 BYTES(ARP_TO_ALL(MAC_NEAR) WHO_HAS(MAC_NEAR, IP_NEAR, IP_ROOT)), TO(ARP, ROOT)},
	{"near: is-at for the root", NEAR,
	 BYTES(MAC_ROOT MAC_NEAR TYPE_ARP IS_AT(MAC_NEAR, IP_NEAR, MAC_ROOT, IP_ROOT)),
	 TO(ARP, ROOT)},
	{"near: is-at for nobody", NEAR,
	 BYTES(MAC_OTHER MAC_NEAR TYPE_ARP IS_AT(MAC_NEAR, IP_NEAR, MAC_OTHER, IP_NEAR_DARK)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"near: who-has for a dark neighbour", NEAR,
	 BYTES(ARP_TO_ALL(MAC_NEAR) WHO_HAS(MAC_NEAR, IP_NEAR, IP_NEAR_DARK)), ASKED(IP_NEAR_DARK)},
	{"near: who-has for its gateway", NEAR,
	 BYTES(ARP_TO_ALL(MAC_NEAR) WHO_HAS(MAC_NEAR, IP_NEAR, IP_ROUTER)),
	 .verdict = SKEP_REFLECT_GATEWAY,
	 .out = BYTES(
		 MAC_NEAR MAC_GATEWAY TYPE_ARP IS_AT(MAC_GATEWAY, IP_ROUTER, MAC_NEAR, IP_NEAR))},
	{"near: who-has for its gateway, padded", NEAR,
	 BYTES(ARP_TO_ALL(MAC_NEAR) WHO_HAS(MAC_NEAR, IP_NEAR, IP_ROUTER) PADDING),
	 .verdict = SKEP_REFLECT_GATEWAY,
	 .out = BYTES(MAC_NEAR MAC_GATEWAY TYPE_ARP IS_AT(MAC_GATEWAY, IP_ROUTER, MAC_NEAR, IP_NEAR)
			      PADDING)},
	{"near: announcement", NEAR,
	 BYTES(ARP_TO_ALL(MAC_NEAR) WHO_HAS(MAC_NEAR, IP_NEAR, IP_NEAR)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"near: to itself", NEAR, BYTES(IP_FRAME(MAC_NEAR, MAC_NEAR) IPV4(IP_NEAR, IP_NEAR)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"near: broadcast", NEAR, BYTES(IP_FRAME(MAC_ALL, MAC_NEAR) IPV4(IP_NEAR, IP_ALL)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"near: a known address in a broadcast frame", NEAR,
	 BYTES(IP_FRAME(MAC_ALL, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), DROPPED(REFLECT_DROP_TARGET)},
	{"near: multicast", NEAR, BYTES(IP_FRAME(MAC_GROUP, MAC_NEAR) IPV4(IP_NEAR, IP_GROUP)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"near: to loopback", NEAR,
	 BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_LOOPBACK)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"near: to nobody", NEAR, BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_NONE)),
	 DROPPED(REFLECT_DROP_TARGET)},
	{"near: no rule is asked inside", NEAR,
	 BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_FAR_AWAY)), ASKED(IP_FAR_AWAY),
	 .state = NO_RULE},
	{"near: drained: to somebody dark", NEAR,
	 BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_FAR_AWAY)),
	 DROPPED(REFLECT_DROP_DRAIN), .state = DRAINED},
	{"near: panic", NEAR, BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)),
	 DROPPED(PORT_DROP_PANIC), .state = PANICKED},

	/* What is no frame of its own is none inside either. */
	{"near: from another reflection's address", NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_FAR, IP_ROOT)), DROPPED(PORT_DROP_ADDR)},
	{"near: from the root's address", NEAR,
	 BYTES(IP_FRAME(MAC_FAR, MAC_NEAR) IPV4(IP_ROOT, IP_FAR)), DROPPED(PORT_DROP_ADDR)},
	{"near: from an address in another's world", NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_THEIRS, IP_ROOT)), DROPPED(PORT_DROP_ADDR)},
	{"near: from another MAC", NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_OTHER) IPV4(IP_NEAR, IP_ROOT)), DROPPED(PORT_DROP_MAC)},
	{"near: who-has from the root's address", NEAR,
	 BYTES(ARP_TO_ALL(MAC_NEAR) WHO_HAS(MAC_NEAR, IP_ROOT, IP_FAR)), DROPPED(PORT_DROP_ARP)},
	{"near: is-at for the gateway's address", NEAR,
	 BYTES(MAC_ROOT MAC_NEAR TYPE_ARP IS_AT(MAC_NEAR, IP_ROUTER, MAC_ROOT, IP_ROOT)),
	 DROPPED(PORT_DROP_ARP)},
	{"near: tagged", NEAR, BYTES(MAC_ROOT MAC_NEAR TAG_7 TYPE_IPV4 IPV4(IP_NEAR, IP_ROOT)),
	 DROPPED(PORT_DROP_TAGGED)},
	{"near: IPv6", NEAR, BYTES(MAC_ROOT MAC_NEAR TYPE_IPV6 "\x60" ECHO PADDING PADDING),
	 DROPPED(PORT_DROP_OTHER)},

	/* A reflection behind the gateway. */
	{"far: to the root", FAR, BYTES(IP_FRAME(MAC_FAR_GATEWAY, MAC_FAR) IPV4(IP_FAR, IP_ROOT)),
	 TO(IP, ROOT), .out = BYTES(IP_FRAME(MAC_ROOT, MAC_GUESS) IPV4(IP_FAR, IP_ROOT))},
	{"far: to one on the root's segment", FAR,
	 BYTES(IP_FRAME(MAC_FAR_GATEWAY, MAC_FAR) IPV4(IP_FAR, IP_NEAR)), TO(IP, NEAR),
	 .out = BYTES(IP_FRAME(MAC_NEAR, MAC_GATEWAY) IPV4(IP_FAR, IP_NEAR))},
	{"far: who-has for its gateway", FAR,
	 BYTES(ARP_TO_ALL(MAC_FAR) WHO_HAS(MAC_FAR, IP_FAR, IP_FAR_GATEWAY)),
	 .verdict = SKEP_REFLECT_GATEWAY,
	 .out = BYTES(MAC_FAR MAC_FAR_GATEWAY TYPE_ARP IS_AT(MAC_FAR_GATEWAY, IP_FAR_GATEWAY,
							     MAC_FAR, IP_FAR))},
	{"far: to its gateway", FAR,
	 BYTES(IP_FRAME(MAC_FAR_GATEWAY, MAC_FAR) IPV4(IP_FAR, IP_FAR_GATEWAY)),
	 ASKED(IP_FAR_GATEWAY)},
	{"far: who-has for a neighbour", FAR,
	 BYTES(ARP_TO_ALL(MAC_FAR) WHO_HAS(MAC_FAR, IP_FAR, IP_FAR_DARK)), ASKED(IP_FAR_DARK)},
	{"far: who-has for the root, no neighbour", FAR,
	 BYTES(ARP_TO_ALL(MAC_FAR) WHO_HAS(MAC_FAR, IP_FAR, IP_ROOT)),
	 DROPPED(REFLECT_DROP_TARGET)},

	/* A world that outlives its root for a moment. */
	{"near: the root is gone", NEAR, BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)),
	 ASKED(IP_ROOT), .state = ROOT_GONE},
	{"near: the root's slot is idle again", NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), ASKED(IP_ROOT),
	 .state = ROOT_NEW},
	{"near: the root's slot is in a world itself", NEAR,
	 BYTES(IP_FRAME(MAC_ROOT, MAC_NEAR) IPV4(IP_NEAR, IP_ROOT)), ASKED(IP_ROOT),
	 .state = ROOT_INSIDE},
};

/* ---- flows into the root --------------------------------------------------- */

/* From NEAR's port 40000 to the root's port 80, and back. */
#define TCP_IP(src, dst) "\x45\x00\x00\x28\x12\x34\x40\x00\x40\x06\x00\x00" src dst
#define TCP(ports, flags) \
	ports "\x00\x00\x00\x01\x00\x00\x00\x01\x50" flags "\xfa\xf0\x00\x00\x00\x00"
#define SYN "\x02"
#define SYN_ACK "\x12"
#define RST_ACK "\x14"
#define THERE IP_FRAME(MAC_ROOT, MAC_NEAR) TCP_IP(IP_NEAR, IP_ROOT)
#define BACK IP_FRAME(MAC_NEAR, MAC_ROOT) TCP_IP(IP_ROOT, IP_NEAR)
#define IN_PORTS "\x9c\x40\x00\x50"
#define OUT_PORTS "\x00\x50\x9c\x40"

static struct skep_flow_key flow_in(void)
{
	return (struct skep_flow_key){
		.local = harness_lease_key(&leases[ROOT]),
		.remote = harness_ip(IP_NEAR),
		.local_port = htobe16(80),
		.remote_port = htobe16(40000),
		.protocol = 6,
	};
}

/* The same farm, but another one sends. */
static void hand_over_port(enum who from, enum who to, enum state state)
{
	struct skep_addr key = harness_lease_key(&now_leased[to]);
	struct skep_lease value;

	now_leased[from].port = PORT_OF(from);
	now_leased[to].port = PORT;
	set_port(from, state);
	set_port(to, state);
	value = harness_lease_value(&now_leased[to], to);
	update(skel->maps.leases, &key, &value);
	key = harness_lease_key(&now_leased[from]);
	value = harness_lease_value(&now_leased[from], from);
	update(skel->maps.leases, &key, &value);
}

static void the_root_answers_its_world(void **state)
{
	static const struct row syn = {"", NEAR, BYTES(THERE TCP(IN_PORTS, SYN)), TO(IP, ROOT)};
	static const struct row answers[] = {
		{"", ROOT, BYTES(BACK TCP(OUT_PORTS, SYN_ACK)), TO(IP, NEAR)},
		{"", ROOT, BYTES(BACK TCP(OUT_PORTS, RST_ACK)), TO(IP, NEAR)},
	};
	static const struct row others[] = {
		{"", ROOT, BYTES(BACK TCP("\x00\x51\x9c\x40", SYN_ACK)), DROPPED(PORT_DROP_RULE)},
		{"", ROOT, BYTES(BACK TCP("\x00\x50\x9c\x41", SYN_ACK)), DROPPED(PORT_DROP_RULE)},
	};
	struct skep_flow_key key = flow_in();
	struct skep_flow flow;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		set_farm(NEAR, NO_RULE);
		check_row(&syn);
		assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.flows), &key, &flow), 0);
		assert_int_equal(flow.origin, SKEP_FLOW_REFLECTED);
		assert_int_equal(flow.lease, 1000 + ROOT);
		assert_int_equal(flow.packets_in, 1);
		hand_over_port(NEAR, ROOT, NO_RULE);
		check_row(&answers[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		set_farm(NEAR, NO_RULE);
		check_row(&syn);
		hand_over_port(NEAR, ROOT, NO_RULE);
		check_row(&others[i]);
	}
}

/* Somebody outside with just this address and port is in a conversation with the root. */
static void nothing_gets_into_a_flow_on_the_wire(void **state)
{
	static const struct row syn = {"", NEAR, BYTES(THERE TCP(IN_PORTS, SYN)),
				       DROPPED(REFLECT_DROP_TARGET)};
	static const __u8 origins[] = {SKEP_FLOW_OUTSIDE, SKEP_FLOW_INSIDE};
	struct skep_flow_key key = flow_in();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(origins); i++) {
		struct skep_flow flow = {
			.lease = 1000 + ROOT,
			.first_ns = harness_clock(CLOCK_MONOTONIC),
			.last_ns = harness_clock(CLOCK_MONOTONIC),
			.origin = origins[i],
		};

		set_farm(NEAR, USUAL);
		update(skel->maps.flows, &key, &flow);
		check_row(&syn);
	}
}

/* ---- gateways -------------------------------------------------------------- */

static void check_gateway_mac(const char *mac)
{
	__u32 port = PORT;
	struct skep_port value;

	assert_int_equal(bpf_map_lookup_elem(fd_of(skel->maps.ports), &port, &value), 0);
	assert_memory_equal(value.gateway_mac, mac, sizeof(value.gateway_mac));
}

static void the_gateway_is_known_by_what_is_sent_there(void **state)
{
	static const struct row near = {
		"", ROOT, BYTES(IP_FRAME(MAC_OTHER, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR)), TO(IP, NEAR),
		.out = BYTES(IP_FRAME(MAC_NEAR, MAC_ROOT) IPV4(IP_ROOT, IP_NEAR))};
	static const struct row far = {
		"", ROOT, BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR)), TO(IP, FAR),
		.out = BYTES(IP_FRAME(MAC_FAR, MAC_FAR_GATEWAY) IPV4(IP_ROOT, IP_FAR))};
	static const struct row inside = {
		"", NEAR, BYTES(IP_FRAME(MAC_OTHER, MAC_NEAR) IPV4(IP_NEAR, IP_FAR)), TO(IP, FAR),
		.out = BYTES(IP_FRAME(MAC_FAR, MAC_FAR_GATEWAY) IPV4(IP_NEAR, IP_FAR))};

	(void)state;
	set_farm(ROOT, USUAL);
	check_row(&near);
	check_gateway_mac(MAC_GUESS);
	set_farm(ROOT, USUAL);
	check_row(&far);
	check_gateway_mac(MAC_ROUTER);
	set_farm(NEAR, USUAL);
	check_row(&inside);
	check_gateway_mac(MAC_GATEWAY);
}

/* ---- bounds ---------------------------------------------------------------- */

static void set_budget(__u64 all, __u64 own)
{
	struct skep_settings value = {
		.version = SKEP_MAPS_VERSION,
		.reflect_interval_ns = 3600000000000ULL,
		.reflect_burst_ns = all * 3600000000000ULL,
		.world_interval_ns = 3600000000000ULL,
		.world_burst_ns = own * 3600000000000ULL,
	};

	update(skel->maps.settings, &(__u32){0}, &value);
}

static const struct row roots_ask = {
	"", ROOT, BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR_DARK)),
	ASKED(IP_FAR_DARK)};
static const struct row roots_ask_refused = {
	"", ROOT, BYTES(IP_FRAME(MAC_ROUTER, MAC_ROOT) IPV4(IP_ROOT, IP_FAR_DARK)),
	DROPPED(REFLECT_DROP_BUDGET)};
static const struct row nears_ask_refused = {
	"", NEAR, BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_FAR_DARK)),
	DROPPED(REFLECT_DROP_BUDGET)};
static const struct row strangers_ask = {
	"", STRANGER, BYTES(IP_FRAME(MAC_ROUTER, MAC_STRANGER) IPV4(IP_STRANGER, IP_FAR_DARK)),
	ASKED(IP_FAR_DARK)};
static const struct row strangers_ask_refused = {
	"", STRANGER, BYTES(IP_FRAME(MAC_ROUTER, MAC_STRANGER) IPV4(IP_STRANGER, IP_FAR_DARK)),
	DROPPED(REFLECT_DROP_BUDGET)};

struct budgets {
	__u64 all, own[SLOTS];
};

static struct budgets read_budgets(void)
{
	const struct bpf_map *all = skel->maps.reflect_budget, *own = skel->maps.world_budgets;
	struct budgets left;

	assert_int_equal(bpf_map_lookup_elem(fd_of(all), &(__u32){0}, &left.all), 0);
	for (__u32 who = 0; who < SLOTS; who++)
		assert_int_equal(bpf_map_lookup_elem(fd_of(own), &who, &left.own[who]), 0);
	return left;
}

/* In a new farm, but with the budgets that are left of the one before. */
static void check_again(const struct row *row, __u64 all, __u64 own)
{
	const struct budgets left = read_budgets();

	set_farm(row->sender, USUAL);
	set_budget(all, own);
	update(skel->maps.reflect_budget, &(__u32){0}, &left.all);
	for (__u32 who = 0; who < SLOTS; who++)
		update(skel->maps.world_budgets, &who, &left.own[who]);
	check_row(row);
}

/* A world has one budget, whoever of it asks. */
static void an_intruder_has_his_own_budget(void **state)
{
	(void)state;
	fill_budgets();
	check_again(&roots_ask, 100, 2);
	check_again(&roots_ask, 100, 2);
	check_again(&roots_ask_refused, 100, 2);
	check_again(&nears_ask_refused, 100, 2);
	check_again(&strangers_ask, 100, 2);
}

static void all_have_one_together(void **state)
{
	(void)state;
	fill_budgets();
	check_again(&roots_ask, 2, 100);
	check_again(&strangers_ask, 2, 100);
	check_again(&strangers_ask_refused, 2, 100);
	check_again(&roots_ask_refused, 2, 100);
}

static void records_have_two_sizes(void **state)
{
	static const size_t lens[] = {SKEP_ASK_SMALL, SKEP_ASK_SMALL + 1, SKEP_ASK_LARGE};
	static __u8 frame[SKEP_ASK_LARGE + 1];
	struct row row = roots_ask;

	(void)state;
	memset(frame, 0xa5, sizeof(frame));
	memcpy(frame, roots_ask.in.at, roots_ask.in.len);
	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		row.in = (struct bytes){frame, lens[i]};
		set_farm(ROOT, USUAL);
		check_row(&row);
	}
	row.in = (struct bytes){frame, sizeof(frame)};
	row.dark = NULL;
	row.verdict = SKEP_REFLECT_DROP_TOO_LONG;
	set_farm(ROOT, USUAL);
	check_row(&row);
}

/* But what any machine sends to all now and then. */
static void drops_are_told(void **state)
{
	static const struct row told = {
		"", NEAR, BYTES(IP_FRAME(MAC_GATEWAY, MAC_NEAR) IPV4(IP_NEAR, IP_LOOPBACK)),
		DROPPED(REFLECT_DROP_TARGET)};
	static const struct row untold = {
		"", NEAR, BYTES(IP_FRAME(MAC_GROUP, MAC_NEAR) IPV4(IP_NEAR, IP_GROUP)),
		DROPPED(REFLECT_DROP_TARGET)};
	struct skep_notice_key key = {.port = PORT, .verdict = SKEP_REFLECT_DROP_TARGET};
	int gates = fd_of(skel->maps.notice_gates);
	struct skep_notice_gate gate;

	(void)state;
	set_farm(NEAR, told.state);
	bpf_map_delete_elem(gates, &key);
	check_row(&untold);
	assert_int_not_equal(bpf_map_lookup_elem(gates, &key, &gate), 0);
	check_row(&told);
	assert_int_equal(bpf_map_lookup_elem(gates, &key, &gate), 0);
}

static void a_full_ring_is_counted(void **state)
{
	const struct bytes *in = &roots_ask.in;
	static struct outcome outcome;
	__u64 before, full;

	(void)state;
	set_farm(ROOT, USUAL);
	before = harness_counter(fd_of(skel->maps.counters), SKEP_REFLECT_DROP_RING_FULL);
	do {
		harness_run(bpf_program__fd(skel->progs.port), in->at, in->len, &outcome);
		assert_int_equal(outcome.action, TC_ACT_SHOT);
		full = harness_counter(fd_of(skel->maps.counters), SKEP_REFLECT_DROP_RING_FULL);
		set_settings(USUAL);
	} while (full == before);
	assert_int_equal(full, before + 1);
	verdict_seen[SKEP_REFLECT_DROP_RING_FULL] = true;
	read_asks();
	assert_in_range(asked.n, 1000, 10000);
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_VERDICTS_REFLECT(HARNESS_VERDICT)};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

static int setup(void **state)
{
	(void)state;
	skel = port_bpf__open();
	assert_non_null(skel);
	harness_private_maps(skel->obj);
	assert_int_equal(port_bpf__load(skel), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	port_bpf__destroy(skel);
	return 0;
}

#define TEST(function) ((struct CMUnitTest)cmocka_unit_test(function))

int main(void)
{
	static struct table table;

	table_add(&table, rows, becomes);
	table_add_test(&table, TEST(the_root_answers_its_world));
	table_add_test(&table, TEST(nothing_gets_into_a_flow_on_the_wire));
	table_add_test(&table, TEST(the_gateway_is_known_by_what_is_sent_there));
	table_add_test(&table, TEST(an_intruder_has_his_own_budget));
	table_add_test(&table, TEST(all_have_one_together));
	table_add_test(&table, TEST(records_have_two_sizes));
	table_add_test(&table, TEST(drops_are_told));
	table_add_test(&table, TEST(a_full_ring_is_counted));
	table_add_test(&table, TEST(every_verdict_was_seen));
	return table_run(&table, "reflect", setup, teardown);
}
