// SPDX-License-Identifier: GPL-2.0
/*
 * The frame parser: a table of frames with every verdict it can give, and every frame cut off at
 * every length. Each frame lies alone at the end of its own piece of memory, so that a sanitizer
 * sees one byte read too many. Knows nothing of leases and ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../frames.h"
#include "../table.h"
#include "cleanup.h"
#include "parse.h"

/**
 * struct row - a frame and what is read from it
 * @mac, @sender, @target: what a whole ARP or IPv4 frame says; @kind likewise
 * @protocol: an IPv4 frame's; 0 for the pings that most of them are
 *
 * The Ethernet addresses and the tag have to be read from every frame that is long enough for them.
 */
struct row {
	const char *name;
	struct bytes in;
	enum skep_verdict verdict;
	__u8 tagged;
	__u16 vlan;
	__u8 kind;
	const char *mac, *sender, *target;
	__u8 protocol;
};

#define TO_ALL MAC_ALL MAC_ROUTER
#define TO_LEASE MAC_LEASE MAC_ROUTER
#define ASK WHO_HAS(MAC_ROUTER, IP_ROUTER, IP_DARK)
#define ANSWER IS_AT(MAC_ROUTER, IP_ROUTER, MAC_LEASE, IP_LEASED)
#define PING IPV4(IP_CLIENT, IP_LEASED)
#define SAYS(what, link, from, to) .kind = FRAME_##what, .mac = link, .sender = from, .target = to
#define IS_ASK SAYS(WHO_HAS, MAC_ROUTER, IP_ROUTER, IP_DARK)
#define IS_ANSWER SAYS(IS_AT, MAC_ROUTER, IP_ROUTER, IP_LEASED)
#define IS_PING SAYS(IPV4, MAC_ROUTER, IP_CLIENT, IP_LEASED)
#define TAGGED(id) .tagged = 1, .vlan = (id)

static const struct row whole[] = {
	{"who-has", BYTES(TO_ALL TYPE_ARP ASK), .verdict = SKEP_LEASED_ARP, IS_ASK},
	{"who-has, padded", BYTES(TO_ALL TYPE_ARP ASK PADDING), .verdict = SKEP_LEASED_ARP, IS_ASK},
	{"who-has to one station (RFC 1122 2.3.2.1)", BYTES(TO_LEASE TYPE_ARP ASK),
	 .verdict = SKEP_LEASED_ARP, IS_ASK},
	{"who-has whose target link address is filled in",
	 BYTES(TO_ALL TYPE_ARP ARP(OP_REQUEST, MAC_ROUTER, IP_ROUTER, MAC_ALL, IP_DARK)),
	 .verdict = SKEP_LEASED_ARP, IS_ASK},
	{"who-has whose sender fields are not the frame's",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_OTHER, IP_ROUTER, IP_DARK)), .verdict = SKEP_LEASED_ARP,
	 SAYS(WHO_HAS, MAC_OTHER, IP_ROUTER, IP_DARK)},
	{"who-has with a tag", BYTES(TO_ALL TAG_7 TYPE_ARP ASK), .verdict = SKEP_LEASED_ARP,
	 TAGGED(7), IS_ASK},
	{"who-has with a tag and a priority", BYTES(TO_ALL TAG_7_URGENT TYPE_ARP ASK),
	 .verdict = SKEP_LEASED_ARP, TAGGED(7), IS_ASK},
	{"who-has with the highest VLAN id", BYTES(TO_ALL TAG("\x0f\xfe") TYPE_ARP ASK),
	 .verdict = SKEP_LEASED_ARP, TAGGED(4094), IS_ASK},
	{"who-has, priority-tagged", BYTES(TO_ALL TAG("\xa0\x00") TYPE_ARP ASK),
	 .verdict = SKEP_LEASED_ARP, TAGGED(0), IS_ASK},
	{"is-at", BYTES(TO_LEASE TYPE_ARP ANSWER), .verdict = SKEP_LEASED_ARP, IS_ANSWER},
	{"is-at with a tag", BYTES(TO_LEASE TAG_7 TYPE_ARP ANSWER), .verdict = SKEP_LEASED_ARP,
	 TAGGED(7), IS_ANSWER},
	{"probe (RFC 5227 2.1.1)", BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_NONE, IP_DARK)),
	 .verdict = SKEP_LEASED_ARP, SAYS(PROBE, MAC_ROUTER, IP_NONE, IP_DARK)},
	{"probe for nobody", BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_NONE, IP_NONE)),
	 .verdict = SKEP_LEASED_ARP, SAYS(PROBE, MAC_ROUTER, IP_NONE, IP_NONE)},
	{"gratuitous request (RFC 5227 2.3)",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_ROUTER, IP_ROUTER)),
	 .verdict = SKEP_LEASED_ARP, SAYS(GRATUITOUS, MAC_ROUTER, IP_ROUTER, IP_ROUTER)},
	{"gratuitous reply",
	 BYTES(TO_ALL TYPE_ARP IS_AT(MAC_ROUTER, IP_ROUTER, MAC_ALL, IP_ROUTER)),
	 .verdict = SKEP_LEASED_ARP, SAYS(GRATUITOUS, MAC_ROUTER, IP_ROUTER, IP_ROUTER)},
	{"who-has from the last unicast address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, "\xdf\xff\xff\xff", IP_DARK)),
	 .verdict = SKEP_LEASED_ARP, SAYS(WHO_HAS, MAC_ROUTER, "\xdf\xff\xff\xff", IP_DARK)},
	{"who-has from beside loopback",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, "\x80\x00\x00\x01", IP_DARK)),
	 .verdict = SKEP_LEASED_ARP, SAYS(WHO_HAS, MAC_ROUTER, "\x80\x00\x00\x01", IP_DARK)},
	{"who-has from the first unicast address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, "\x01\x00\x00\x00", IP_DARK)),
	 .verdict = SKEP_LEASED_ARP, SAYS(WHO_HAS, MAC_ROUTER, "\x01\x00\x00\x00", IP_DARK)},
	{"IPv4", BYTES(TO_LEASE TYPE_IPV4 PING), .verdict = SKEP_LEASED_IP, IS_PING},
	{"IPv4 with a tag", BYTES(TO_LEASE TAG_7 TYPE_IPV4 PING), .verdict = SKEP_LEASED_IP,
	 TAGGED(7), IS_PING},
	{"IPv4, priority-tagged", BYTES(TO_LEASE TAG_0 TYPE_IPV4 PING), .verdict = SKEP_LEASED_IP,
	 TAGGED(0), IS_PING},
	{"IPv4 with an option",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x46", IP_CLIENT, IP_LEASED) "\x94\x04\x00\x00" ECHO),
	 .verdict = SKEP_LEASED_IP, IS_PING},
	{"IPv4 with the longest header",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x4f", IP_CLIENT, IP_LEASED) PADDING PADDING
	       "\0\0\0\0"),
	 .verdict = SKEP_LEASED_IP, IS_PING},
	{"IPv4 without payload", BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x45", IP_CLIENT, IP_LEASED)),
	 .verdict = SKEP_LEASED_IP, IS_PING},
	{"IPv4 with UDP",
	 BYTES(TO_LEASE TYPE_IPV4
	       "\x45\x01\x02\x03\x04\x05\x06\x07\x08\x11\x0a\x0b" IP_CLIENT IP_LEASED),
	 .verdict = SKEP_LEASED_IP, IS_PING, .protocol = 17},
	{"IPv4 with TCP, options and a tag",
	 BYTES(TO_LEASE TAG_7 TYPE_IPV4
	       "\x46\x01\x02\x03\x04\x05\x06\x07\x08\x06\x0a\x0b" IP_CLIENT IP_LEASED
	       "\x94\x04\x00\x00"),
	 .verdict = SKEP_LEASED_IP, TAGGED(7), IS_PING, .protocol = 6},
	/* Who may be answered is the uplink's to say: a lease gets what its segment carries. */
	{"IPv4 from nobody", BYTES(TO_LEASE TYPE_IPV4 IPV4(IP_NONE, IP_LEASED)),
	 .verdict = SKEP_LEASED_IP, SAYS(IPV4, MAC_ROUTER, IP_NONE, IP_LEASED)},
	{"IPv4 to a group", BYTES(MAC_GROUP MAC_ROUTER TYPE_IPV4 IPV4(IP_CLIENT, IP_GROUP)),
	 .verdict = SKEP_LEASED_IP, SAYS(IPV4, MAC_ROUTER, IP_CLIENT, IP_GROUP)},
};

static const struct row refused[] = {
	{"nothing", BYTES(""), .verdict = SKEP_PASS_TRUNCATED},
	{"half an Ethernet header", BYTES(TO_ALL "\x08"), .verdict = SKEP_PASS_TRUNCATED},
	{"Ethernet header alone, ARP", BYTES(TO_ALL TYPE_ARP), .verdict = SKEP_PASS_TRUNCATED},
	{"Ethernet header alone, IPv4", BYTES(TO_ALL TYPE_IPV4), .verdict = SKEP_PASS_TRUNCATED},
	{"half a tag", BYTES(TO_ALL TAG_7 "\x08"), .verdict = SKEP_PASS_TRUNCATED},
	{"tag alone, ARP", BYTES(TO_ALL TAG_7 TYPE_ARP), .verdict = SKEP_PASS_TRUNCATED, TAGGED(7)},
	{"IPv4 that ends inside its options",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x47", IP_CLIENT, IP_LEASED) "\x94\x04\x00\x00"),
	 .verdict = SKEP_PASS_TRUNCATED},
	{"IPv4 with a tag that ends inside its options",
	 BYTES(TO_LEASE TAG_7 TYPE_IPV4 IPV4_FROM("\x4f", IP_CLIENT, IP_LEASED) PADDING PADDING
	       "\0\0\0"),
	 .verdict = SKEP_PASS_TRUNCATED, TAGGED(7)},
	{"Ethernet header alone, IPv6", BYTES(TO_ALL TYPE_IPV6), .verdict = SKEP_PASS_OTHER},
	{"IPv6", BYTES(TO_ALL TYPE_IPV6 "\x60" PING), .verdict = SKEP_PASS_OTHER},
	{"length instead of a type (802.3)", BYTES(TO_ALL "\x00\x26" ASK),
	 .verdict = SKEP_PASS_OTHER},
	{"type with swapped bytes", BYTES(TO_ALL "\x06\x08" ASK), .verdict = SKEP_PASS_OTHER},
	{"RARP", BYTES(TO_ALL "\x80\x35" ASK), .verdict = SKEP_PASS_OTHER},
	{"IPv6 with a tag", BYTES(TO_ALL TAG_7 TYPE_IPV6 "\x60" PING), .verdict = SKEP_PASS_OTHER,
	 TAGGED(7)},
	{"tagged twice", BYTES(TO_ALL TAG_7 TAG_7 TYPE_ARP ASK), .verdict = SKEP_PASS_OTHER,
	 TAGGED(7)},
	{"tagged by a provider", BYTES(TO_ALL TYPE_8021AD "\x00\x07" TYPE_ARP ASK),
	 .verdict = SKEP_PASS_OTHER},
	{"tagged by a provider and twice", BYTES(TO_ALL TYPE_8021AD "\x00\x07" TAG_7 TYPE_ARP ASK),
	 .verdict = SKEP_PASS_OTHER},

	{"ARP hardware type 0",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x00\x08\x00\x06\x04\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP hardware type IEEE 802 (6)",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x06\x08\x00\x06\x04\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP hardware type with swapped bytes",
	 BYTES(TO_ALL TYPE_ARP
	       "\x01\x00\x08\x00\x06\x04\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP for IPv6",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x01\x86\xdd\x06\x04\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP hardware length 5",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x01\x08\x00\x05\x04\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP hardware length 8",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x01\x08\x00\x08\x04\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK PADDING),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP protocol length 0",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x01\x08\x00\x06\x00\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP protocol length 16",
	 BYTES(TO_ALL TYPE_ARP
	       "\x00\x01\x08\x00\x06\x10\x00\x01" MAC_ROUTER IP_ROUTER MAC_NONE IP_DARK PADDING),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP operation 0",
	 BYTES(TO_ALL TYPE_ARP ARP("\x00\x00", MAC_ROUTER, IP_ROUTER, MAC_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP operation RARP request (3)",
	 BYTES(TO_ALL TYPE_ARP ARP("\x00\x03", MAC_ROUTER, IP_ROUTER, MAC_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP operation with swapped bytes",
	 BYTES(TO_ALL TYPE_ARP ARP("\x01\x00", MAC_ROUTER, IP_ROUTER, MAC_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"ARP operation 257",
	 BYTES(TO_ALL TYPE_ARP ARP("\x01\x01", MAC_ROUTER, IP_ROUTER, MAC_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_MALFORMED},
	{"malformed ARP with a tag",
	 BYTES(TO_ALL TAG_7 TYPE_ARP ARP("\x00\x09", MAC_ROUTER, IP_ROUTER, MAC_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_MALFORMED, TAGGED(7)},

	{"who-has from a group's link address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_GROUP, IP_ROUTER, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has from the broadcast link address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ALL, IP_ROUTER, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has from no link address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_NONE, IP_ROUTER, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has in a frame from a group", BYTES(MAC_ALL MAC_GROUP TYPE_ARP ASK),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"probe from a group's link address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_GROUP, IP_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"probe in a frame from a group",
	 BYTES(MAC_ALL MAC_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_NONE, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has from a multicast address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_GROUP, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has from a reserved address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, "\xf0\x00\x00\x01", IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has from the broadcast address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_ALL, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has from loopback", BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_LOOPBACK, IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"who-has from 0.0.0.1, which is no probe",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, "\x00\x00\x00\x01", IP_DARK)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"gratuitous from the broadcast address",
	 BYTES(TO_ALL TYPE_ARP WHO_HAS(MAC_ROUTER, IP_ALL, IP_ALL)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"is-at from nobody",
	 BYTES(TO_LEASE TYPE_ARP IS_AT(MAC_ROUTER, IP_NONE, MAC_LEASE, IP_LEASED)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"is-at from a group's link address",
	 BYTES(TO_LEASE TYPE_ARP IS_AT(MAC_GROUP, IP_ROUTER, MAC_LEASE, IP_LEASED)),
	 .verdict = SKEP_PASS_ARP_SENDER},
	{"is-at in a frame from a group", BYTES(MAC_LEASE MAC_GROUP TYPE_ARP ANSWER),
	 .verdict = SKEP_PASS_ARP_SENDER},

	{"IP version 0", BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x05", IP_CLIENT, IP_LEASED)),
	 .verdict = SKEP_PASS_IP_MALFORMED},
	{"IP version 6 in an IPv4 frame",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x65", IP_CLIENT, IP_LEASED) PADDING),
	 .verdict = SKEP_PASS_IP_MALFORMED},
	{"IPv4 header of 16 bytes",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x44", IP_CLIENT, IP_LEASED) ECHO),
	 .verdict = SKEP_PASS_IP_MALFORMED},
	{"IPv4 header of 0 bytes",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x40", IP_CLIENT, IP_LEASED) ECHO),
	 .verdict = SKEP_PASS_IP_MALFORMED},
	{"malformed IPv4 with a tag",
	 BYTES(TO_LEASE TAG_7 TYPE_IPV4 IPV4_FROM("\x44", IP_CLIENT, IP_LEASED) ECHO),
	 .verdict = SKEP_PASS_IP_MALFORMED, TAGGED(7)},
};

static __u8 *copy(const struct bytes *in, size_t len)
{
	__u8 *frame = malloc(len ? len : 1);

	assert_non_null(frame);
	memcpy(frame, in->at, len);
	return frame;
}

static enum skep_verdict parse(const struct bytes *in, size_t len, struct frame *ret)
{
	cleanup_free __u8 *frame = copy(in, len);

	memset(ret, 0xa5, sizeof(*ret));
	return parse_frame(frame, frame + len, ret);
}

static void expect(const struct row *row, size_t len, struct frame *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (len < sizeof(struct ethhdr))
		return;
	memcpy(ret->dst, row->in.at, 6);
	memcpy(ret->src, row->in.at + 6, 6);
	if (len < sizeof(struct ethhdr) + sizeof(struct parse_tag))
		return;
	ret->tagged = row->tagged;
	ret->vlan = row->vlan;
}

static void parses(void **state)
{
	const struct row *row = *state;
	struct frame f, expected;

	expect(row, row->in.len, &expected);
	expected.kind = row->kind;
	if (row->kind == FRAME_IPV4)
		expected.protocol = row->protocol ? row->protocol : 1;
	memcpy(expected.sender_mac, row->mac, 6);
	memcpy(expected.sender.octet, row->sender, 4);
	memcpy(expected.target.octet, row->target, 4);
	assert_int_equal(parse(&row->in, row->in.len, &f), row->verdict);
	assert_memory_equal(&f, &expected, sizeof(f));
}

/* What was read of it is kept; the rest is nobody's to look at. */
static void refuses(void **state)
{
	const struct row *row = *state;
	struct frame f, expected;

	expect(row, row->in.len, &expected);
	assert_int_equal(parse(&row->in, row->in.len, &f), row->verdict);
	assert_memory_equal(f.dst, expected.dst, 6);
	assert_memory_equal(f.src, expected.src, 6);
	assert_int_equal(f.tagged, expected.tagged);
	assert_int_equal(f.vlan, expected.vlan);
}

static size_t header_length(const struct row *row)
{
	size_t at = sizeof(struct ethhdr) + (row->tagged ? sizeof(struct parse_tag) : 0);

	return row->verdict == SKEP_LEASED_ARP ? at + ARP_LEN : at + (row->in.at[at] & 15) * 4U;
}

/* From nothing at all to the whole frame: it is whole when its last header is. */
static void cut_off_anywhere(void **state)
{
	const struct row *row = *state;
	size_t header = header_length(row);
	struct frame f, expected;

	for (size_t len = 0; len <= row->in.len; len++) {
		enum skep_verdict verdict = parse(&row->in, len, &f);

		if (verdict != (len < header ? SKEP_PASS_TRUNCATED : row->verdict))
			fail_msg("verdict %u at %zu of %zu bytes", verdict, len, header);
		expect(row, len, &expected);
		assert_memory_equal(f.dst, expected.dst, 6);
		assert_memory_equal(f.src, expected.src, 6);
		assert_int_equal(f.tagged, expected.tagged);
		assert_int_equal(f.vlan, expected.vlan);
	}
}

static const struct row cut[] = {
	{"cut off anywhere: ARP", BYTES(TO_ALL TYPE_ARP ASK PADDING), .verdict = SKEP_LEASED_ARP},
	{"cut off anywhere: ARP with a tag", BYTES(TO_ALL TAG_7 TYPE_ARP ASK PADDING),
	 .verdict = SKEP_LEASED_ARP, TAGGED(7)},
	{"cut off anywhere: IPv4", BYTES(TO_LEASE TYPE_IPV4 PING), .verdict = SKEP_LEASED_IP},
	{"cut off anywhere: IPv4 with a tag", BYTES(TO_LEASE TAG_7 TYPE_IPV4 PING),
	 .verdict = SKEP_LEASED_IP, TAGGED(7)},
	{"cut off anywhere: IPv4 with options",
	 BYTES(TO_LEASE TYPE_IPV4 IPV4_FROM("\x4a", IP_CLIENT, IP_LEASED) PADDING "\0\0" ECHO),
	 .verdict = SKEP_LEASED_IP},
};

/* The parser gives these and no others; the list is what the rows above have to cover. */
static void every_verdict_has_a_row(void **state)
{
	static const enum skep_verdict possible[] = {
		SKEP_PASS_OTHER,      SKEP_PASS_TRUNCATED,    SKEP_PASS_ARP_MALFORMED,
		SKEP_PASS_ARP_SENDER, SKEP_PASS_IP_MALFORMED, SKEP_LEASED_ARP,
		SKEP_LEASED_IP,
	};
	unsigned int rows[SKEP_VERDICT_MAX] = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++)
		rows[whole[i].verdict]++;
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		rows[refused[i].verdict]++;
	for (size_t i = 0; i < ARRAY_SIZE(possible); i++)
		assert_true(rows[possible[i]] > 0);
}

int main(void)
{
	static struct table table;

	table_add(&table, whole, parses);
	table_add(&table, refused, refuses);
	table_add(&table, cut, cut_off_anywhere);
	table_add_test(&table, (struct CMUnitTest)cmocka_unit_test(every_verdict_has_a_row));
	return table_run(&table, "parse", NULL, NULL);
}
