// SPDX-License-Identifier: GPL-2.0
/*
 * What the programs share about packets, without a kernel: the transport parser with every length
 * of every frame, the life of a flow, checksums against a plain sum, and resets that have right
 * ones. Frames lie alone at the end of their memory, so that a sanitizer sees a byte too many.
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
#include "flow_state.h"
#include "reject.h"

#define HEAD MAC_LEASE MAC_ROUTER TYPE_IPV4
#define IP_OF(ihl, len, fragment, protocol) \
	ihl "\x00" len "\x12\x34" fragment "\x40" protocol "\x00\x00" IP_CLIENT IP_LEASED
#define PORTS "\x9c\x40\x00\x50"
#define TCP_OF(offset, flags) \
	PORTS "\x00\x00\x00\x01\x00\x00\x00\x02" offset flags "\x20\x00\x00\x00\x00\x00"
#define UDP_OF(len) PORTS len "\x00\x00"
#define NO_OPTION "\x01\x01\x01\x00"

struct row {
	const char *name;
	struct bytes in;
	enum packet_fault fault;
	__u8 protocol, part, flags;
	bool ports, options;
};

static const struct row rows[] = {
	{"TCP", BYTES(HEAD IP_OF("\x45", "\x00\x28", "\x40\x00", "\x06") TCP_OF("\x50", "\x12")),
	 PACKET_OK, 6, PACKET_WHOLE, 0x12, true, false},
	{"TCP with options of both",
	 BYTES(HEAD IP_OF("\x46", "\x00\x30", "\x40\x00", "\x06") NO_OPTION TCP_OF("\x60", "\x02")
		       NO_OPTION),
	 PACKET_OK, 6, PACKET_WHOLE, 0x02, true, true},
	{"UDP", BYTES(HEAD IP_OF("\x45", "\x00\x1c", "\x00\x00", "\x11") UDP_OF("\x00\x08")),
	 PACKET_OK, 17, PACKET_WHOLE, 0, true, false},
	{"UDP, a first fragment of a long datagram",
	 BYTES(HEAD IP_OF("\x45", "\x00\x1c", "\x20\x00", "\x11") UDP_OF("\xff\x00")), PACKET_OK,
	 17, PACKET_FIRST, 0, true, false},
	{"UDP, a later fragment",
	 BYTES(HEAD IP_OF("\x45", "\x00\x1c", "\x00\x01", "\x11") UDP_OF("\x00\x08")), PACKET_OK,
	 17, PACKET_LATER, 0, false, false},
	{"TCP, a later fragment inside the header",
	 BYTES(HEAD IP_OF("\x45", "\x00\x1c", "\x00\x02", "\x06") UDP_OF("\x00\x08")),
	 PACKET_FRAGMENT, 6, PACKET_LATER, 0, false, false},
	{"TCP, a tiny first fragment",
	 BYTES(HEAD IP_OF("\x45", "\x00\x27", "\x20\x00", "\x06") TCP_OF("\x50", "\x12")),
	 PACKET_FRAGMENT, 6, PACKET_FIRST, 0, false, false},
	{"GRE", BYTES(HEAD IP_OF("\x45", "\x00\x1c", "\x00\x00", "\x2f") UDP_OF("\x00\x08")),
	 PACKET_PROTOCOL, 47, PACKET_WHOLE, 0, false, false},
	{"UDP that is longer than its packet",
	 BYTES(HEAD IP_OF("\x45", "\x00\x1c", "\x00\x00", "\x11") UDP_OF("\x00\x09")),
	 PACKET_TRUNCATED, 17, PACKET_WHOLE, 0, false, false},
	{"a header of 16 bytes",
	 BYTES(HEAD IP_OF("\x44", "\x00\x1c", "\x00\x00", "\x11") UDP_OF("\x00\x08")),
	 PACKET_TRUNCATED, 17, PACKET_WHOLE, 0, false, false},
	{"a length within the header",
	 BYTES(HEAD IP_OF("\x46", "\x00\x17", "\x00\x00", "\x11") UDP_OF("\x00\x08")),
	 PACKET_TRUNCATED, 17, PACKET_WHOLE, 0, false, true},
};

static enum packet_fault parse(const __u8 *at, size_t len, struct packet *p)
{
	cleanup_free __u8 *frame = malloc(len ? len : 1);

	assert_non_null(frame);
	memcpy(frame, at, len);
	memset(p, 0xa5, sizeof(*p));
	return packet_parse(frame, frame + len, (__u32)len, p);
}

static void parses(void **state)
{
	const struct row *row = *state;
	struct packet p;

	assert_int_equal(parse(row->in.at, row->in.len, &p), row->fault);
	assert_int_equal(p.protocol, row->protocol);
	assert_int_equal(p.part, row->part);
	assert_int_equal(p.flags, row->flags);
	assert_int_equal(p.options, row->options);
	assert_int_equal(p.source, row->ports ? htons(40000) : 0);
	assert_int_equal(p.dest, row->ports ? htons(80) : 0);
	assert_int_equal(p.id, htons(0x1234));
}

/* Nothing that ends early is whole. */
static void parses_no_part(void **state)
{
	struct packet p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t len = 0; len < sizeof(struct ethhdr) + rows[i].in.at[17]; len++)
			assert_int_equal(parse(rows[i].in.at, len, &p), PACKET_TRUNCATED);
}

/* ---- flows ------------------------------------------------------------------------ */

static void keys_are_the_same_both_ways(void **state)
{
	const struct packet in = {.protocol = 6, .source = htons(1), .dest = htons(2)};
	const struct packet out = {.protocol = 6, .source = htons(2), .dest = htons(1)};
	const struct packet ping = {.protocol = 1, .flags = ICMP_ASK_ECHO, .source = htons(7)};
	const struct packet pong = {.protocol = 1, .flags = ICMP_REPLY_TO_ECHO, .source = htons(7)};
	struct skep_flow_key a = {}, b = {};

	(void)state;
	flow_ports(&in, false, &a);
	flow_ports(&out, true, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	assert_int_equal(a.local_port, htons(2));
	flow_ports(&ping, false, &a);
	flow_ports(&pong, true, &b);
	assert_memory_equal(&a, &b, sizeof(a));
	flow_ports(&ping, true, &a);
	assert_memory_not_equal(&a, &b, sizeof(a));
	flow_ports(&pong, false, &b);
	assert_memory_equal(&a, &b, sizeof(a));
}

static __u8 tcp(__u8 state, __u8 flags, bool begun, bool answered)
{
	const struct packet p = {.protocol = 6, .flags = flags};

	return flow_step(&p, state, begun, answered);
}

static void tcp_opens_by_three_steps(void **state)
{
	(void)state;
	assert_int_equal(tcp(SKEP_FLOW_OPENING, TCP_SYN, true, false), SKEP_FLOW_OPENING);
	assert_int_equal(tcp(SKEP_FLOW_OPENING, TCP_ACK, true, false), SKEP_FLOW_OPENING);
	assert_int_equal(tcp(SKEP_FLOW_OPENING, TCP_SYN | TCP_ACK, false, false),
			 SKEP_FLOW_OPENING);
	assert_int_equal(tcp(SKEP_FLOW_OPENING, TCP_ACK, true, true), SKEP_FLOW_OPEN);
	assert_int_equal(tcp(SKEP_FLOW_OPEN, TCP_ACK, false, true), SKEP_FLOW_OPEN);
	assert_int_equal(tcp(SKEP_FLOW_OPEN, TCP_FIN | TCP_ACK, false, true), SKEP_FLOW_CLOSING);
	assert_int_equal(tcp(SKEP_FLOW_OPEN, TCP_RST, true, true), SKEP_FLOW_CLOSING);
	assert_int_equal(tcp(SKEP_FLOW_CLOSING, TCP_ACK, true, true), SKEP_FLOW_CLOSING);
	assert_int_equal(tcp(SKEP_FLOW_CLOSING, TCP_SYN, true, true), SKEP_FLOW_OPENING);
}

static void flows_end_in_time(void **state)
{
	static const struct {
		__u8 protocol, state;
		__u64 seconds;
	} lives[] = {
		{6, SKEP_FLOW_OPENING, 60}, {6, SKEP_FLOW_OPEN, 7200}, {6, SKEP_FLOW_CLOSING, 120},
		{17, SKEP_FLOW_OPEN, 180},  {1, SKEP_FLOW_OPEN, 60},   {47, SKEP_FLOW_OPENING, 60},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		const struct skep_flow flow = {.last_ns = 5, .state = lives[i].state};
		__u64 end = 5 + lives[i].seconds * FLOW_SECOND;

		assert_false(flow_is_over(&flow, lives[i].protocol, end));
		assert_true(flow_is_over(&flow, lives[i].protocol, end + 1));
	}
}

/* ---- checksums --------------------------------------------------------------------- */

static __u16 plain_sum(const __u8 *at, size_t len)
{
	__u32 sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (__u32)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

static void a_changed_word_changes_the_sum(void **state)
{
	__u8 message[64] __attribute__((aligned(2)));
	unsigned int seed = 4711;

	(void)state;
	for (int round = 0; round < 10000; round++) {
		__u16 sum, word = (__u16)rand_r(&seed), *at;

		for (size_t i = 0; i < sizeof(message); i++)
			message[i] = round % 7 ? (__u8)rand_r(&seed) : 0xff;
		sum = checksum_end(checksum_add(0, message, sizeof(message)));
		at = (__u16 *)(void *)(message + 2 * ((unsigned int)rand_r(&seed) % 32));
		sum = checksum_replace16(sum, *at, word);
		*at = word;
		assert_int_equal(plain_sum((const __u8 *)&sum, 2) +
						 plain_sum(message, sizeof(message)) >=
					 0xffff,
				 true);
		assert_int_equal(
			(plain_sum((const __u8 *)&sum, 2) + plain_sum(message, sizeof(message))) %
				0xffff,
			0);
	}
}

static void resets_have_right_sums(void **state)
{
	static const struct bytes syn =
		BYTES(HEAD IP_OF("\x45", "\x00\x28", "\x40\x00", "\x06") TCP_OF("\x50", "\x02"));
	struct reject_rst in, out;
	__u8 pseudo[12 + 20];

	(void)state;
	memcpy(&in, syn.at, sizeof(in));
	reject_tcp(&in, &out);
	assert_int_equal(plain_sum((const __u8 *)&out.ip, 20), 0xffff);
	memcpy(pseudo, out.ip.src, 8);
	memcpy(pseudo + 8, "\x00\x06\x00\x14", 4);
	memcpy(pseudo + 12, &out.tcp, 20);
	assert_int_equal(plain_sum(pseudo, sizeof(pseudo)), 0xffff);
	assert_memory_equal(out.tcp.ack, "\x00\x00\x00\x02", 4);
	assert_memory_equal(out.dst, MAC_ROUTER MAC_LEASE, 12);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(parses_no_part),
		cmocka_unit_test(keys_are_the_same_both_ways),
		cmocka_unit_test(tcp_opens_by_three_steps),
		cmocka_unit_test(flows_end_in_time),
		cmocka_unit_test(a_changed_word_changes_the_sum),
		cmocka_unit_test(resets_have_right_sums),
	};
	static struct table table;

	table_add(&table, rows, parses);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		table_add_test(&table, others[i]);
	return table_run(&table, "packet", NULL, NULL);
}
