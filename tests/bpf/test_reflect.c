// SPDX-License-Identifier: GPL-2.0
/*
 * Reflection in the port program: a table of frames, and what becomes of each; what the root of a
 * world may answer there, and how its gateway becomes known. How much is asked for is for
 * test_reflect_asks.c.
 */
#include "reflect_world.h"

#include "packets.h"
#include "skep/flow.h"

static void becomes(void **state)
{
	const struct row *row = *state;

	set_farm(row->sender, row->state);
	check_row(row);
}

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
#define THERE(dest, flags) \
	IP_FRAME(MAC_ROOT, MAC_NEAR) TCP_PACKET(IP_NEAR, IP_ROOT, PORT_X, dest, flags)
#define BACK(source, dest, flags) \
	IP_FRAME(MAC_NEAR, MAC_ROOT) TCP_PACKET(IP_ROOT, IP_NEAR, source, dest, flags)

static struct skep_flow_key flow_in(void)
{
	return (struct skep_flow_key){
		.local = lease_key(&leases[ROOT]),
		.remote = harness_ip(IP_NEAR),
		.local_port = htobe16(80),
		.remote_port = htobe16(40000),
		.protocol = 6,
	};
}

/* The same farm, but another one sends. */
static void hand_over_port(enum who from, enum who to, enum state state)
{
	now_leased[from].port = PORT_OF(from);
	now_leased[to].port = PORT;
	set_port(from, state);
	set_port(to, state);
	lease_set(skel->maps.leases, &now_leased[to], to);
	lease_set(skel->maps.leases, &now_leased[from], from);
}

static void the_root_answers_its_world(void **state)
{
	static const struct row syn = {"", NEAR, BYTES(THERE(PORT_80, SYN)), TO(IP, ROOT)};
	static const struct row answers[] = {
		{"", ROOT, BYTES(BACK(PORT_80, PORT_X, SYN_ACK)), TO(IP, NEAR)},
		{"", ROOT, BYTES(BACK(PORT_80, PORT_X, RST)), TO(IP, NEAR)},
	};
	static const struct row others[] = {
		{"", ROOT, BYTES(BACK("\x00\x51", PORT_X, SYN_ACK)), DROPPED(PORT_DROP_RULE)},
		{"", ROOT, BYTES(BACK(PORT_80, PORT_Y, SYN_ACK)), DROPPED(PORT_DROP_RULE)},
	};
	struct skep_flow_key key = flow_in();
	struct skep_flow flow;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		set_farm(NEAR, NO_RULE);
		check_row(&syn);
		harness_get(skel->maps.flows, &key, &flow);
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
	static const struct row syn = {"", NEAR, BYTES(THERE(PORT_80, SYN)),
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
		harness_put(skel->maps.flows, &key, &flow);
		check_row(&syn);
	}
}

/* ---- gateways -------------------------------------------------------------- */

static void check_gateway_mac(const char *mac)
{
	__u32 port = PORT;
	struct skep_port value;

	harness_get(skel->maps.ports, &port, &value);
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

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {SKEP_VERDICTS_REFLECT(HARNESS_VERDICT)};

	(void)state;
	harness_seen_elsewhere(of_asks, ARRAY_SIZE(of_asks));
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(the_root_answers_its_world),
		cmocka_unit_test(nothing_gets_into_a_flow_on_the_wire),
		cmocka_unit_test(the_gateway_is_known_by_what_is_sent_there),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "reflect", reflect_setup,
				 reflect_teardown);
}
