// SPDX-License-Identifier: GPL-2.0
/*
 * Worlds: what an address inside is plumbed with, and the checksums of held frames, compared with
 * sums that are made word by word here. Frames are literals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "../frames.h"
#include "../table.h"
#include "cleanup.h"
#include "world.h"

/* ---- places ---------------------------------------------------------------- */

/**
 * struct place - an address inside a world
 * @segment: of the root's range, of @len bits
 * @gateway: of the root, NULL for none
 * @place:   its network's gateway, NULL for none
 */
struct place {
	const char *name;
	const char *segment;
	unsigned int len;
	const char *gateway, *addr;
	int err;
	unsigned int prefixlen;
	const char *place;
};

static const struct place places[] = {
	{"near: as the root", "10.66.0.0", 16, "10.66.0.1", "10.66.4.2", 0, 16, "10.66.0.1"},
	{"near: no gateway", "10.66.0.0", 16, NULL, "10.66.4.2", 0, 16, NULL},
	{"near: .0 inside a wide segment", "10.66.0.0", 16, "10.66.0.1", "10.66.4.0", 0, 16,
	 "10.66.0.1"},
	{"near: .255 inside a wide segment", "10.66.0.0", 16, "10.66.0.1", "10.66.4.255", 0, 16,
	 "10.66.0.1"},
	{"near: the gateway's own address", "10.66.0.0", 16, "10.66.0.1", "10.66.0.1", 0, 16,
	 "10.66.0.2"},
	{"near: the gateway's own address, another", "10.66.0.0", 16, "10.66.0.9", "10.66.0.9", 0,
	 16, "10.66.0.1"},
	{"near: the segment's address", "10.66.0.0", 16, "10.66.0.1", "10.66.0.0", -EADDRNOTAVAIL,
	 0, NULL},
	{"near: its broadcast address", "10.66.0.0", 16, "10.66.0.1", "10.66.255.255",
	 -EADDRNOTAVAIL, 0, NULL},
	{"near: one of two", "10.66.0.2", 31, "10.66.0.3", "10.66.0.3", 0, 31, NULL},
	{"near: the only one", "10.66.0.2", 32, "10.66.0.1", "10.66.0.2", 0, 32, "10.66.0.1"},
	{"near: the gateway is elsewhere", "10.66.4.0", 24, "10.66.0.1", "10.66.4.9", 0, 24,
	 "10.66.0.1"},
	{"far", "10.66.0.0", 16, "10.66.0.1", "8.8.8.8", 0, 24, "8.8.8.1"},
	{"far: no gateway of the root", "10.66.0.0", 16, NULL, "8.8.8.8", 0, 24, "8.8.8.1"},
	{"far: the gateway of that network", "10.66.0.0", 16, "10.66.0.1", "8.8.8.1", 0, 24,
	 "8.8.8.254"},
	{"far: beside the segment", "10.66.4.0", 24, "10.66.0.1", "10.66.5.7", 0, 24, "10.66.5.1"},
	{"far: the root's gateway, outside of its segment", "10.66.4.0", 24, "10.66.0.1",
	 "10.66.0.1", 0, 24, "10.66.0.254"},
	{"far: ends in 0", "10.66.0.0", 16, "10.66.0.1", "8.8.8.0", -EADDRNOTAVAIL, 0, NULL},
	{"far: ends in 255", "10.66.0.0", 16, "10.66.0.1", "8.8.8.255", -EADDRNOTAVAIL, 0, NULL},
	{"link-local: what a cloud's metadata service has", "10.66.0.0", 16, "10.66.0.1",
	 "169.254.169.254", 0, 24, "169.254.169.1"},
	{"loopback", "10.66.0.0", 16, "10.66.0.1", "127.0.0.1", -ERANGE, 0, NULL},
	{"nobody", "10.66.0.0", 16, "10.66.0.1", "0.0.0.0", -ERANGE, 0, NULL},
	{"multicast", "10.66.0.0", 16, "10.66.0.1", "224.0.0.251", -ERANGE, 0, NULL},
	{"broadcast", "10.66.0.0", 16, "10.66.0.1", "255.255.255.255", -ERANGE, 0, NULL},
};

static __be32 addr_of(const char *text)
{
	return text ? inet_addr(text) : 0;
}

static void is_placed(void **state)
{
	const struct place *p = *state;
	const struct prefix segment = {addr_of(p->segment), p->len};
	struct world_place before = {77, 77}, where = before;

	assert_int_equal(world_place(&segment, addr_of(p->gateway), addr_of(p->addr), &where),
			 p->err);
	assert_int_equal(where.prefixlen, p->err ? before.prefixlen : p->prefixlen);
	assert_int_equal(where.gateway, p->err ? before.gateway : addr_of(p->place));
}

/* A gateway is a neighbour with another address than the one it is a gateway for. */
static void far_gateways_are_neighbours(void **state)
{
	const struct prefix segment = {addr_of("10.66.0.0"), 16};

	(void)state;
	for (__u32 last = 1; last < 255; last++) {
		const __be32 addr = htonl(0x08080800 + last);
		struct world_place where;

		assert_int_equal(world_place(&segment, addr_of("10.66.0.1"), addr, &where), 0);
		assert_int_not_equal(where.gateway, addr);
		assert_int_equal(where.gateway & htonl(0xffffff00), addr & htonl(0xffffff00));
	}
}

static void worlds_are_none_of_the_uplinks(void **state)
{
	(void)state;
	for (__u32 uplink = 0; uplink <= 0xffff; uplink++) {
		const struct skep_addr address = {.vlan = 7, .uplink = (__u16)uplink};

		assert_int_equal(world_has(&address), uplink == 0xffff);
	}
}

/* ---- checksums ------------------------------------------------------------- */

#define HEAD MAC_ROUTER MAC_LEASE TYPE_IPV4
/* 10.66.4.3 to 198.51.100.2 */
#define IP_HEAD(len, fragment, protocol) \
	"\x45\x00" len "\x12\x34" fragment "\x40" protocol "\x00\x00" IP_LEASED IP_CLIENT
#define TCP_SYN(sum) \
	"\x9c\x40\x00\x50\x01\x02\x03\x04\x00\x00\x00\x00\x50\x02\xfa\xf0" sum "\x00\x00"
#define UDP(len, sum) "\x9c\x40\x00\x35" len sum

/**
 * struct sum_row - a held frame
 * @at: where its checksum is, 0 when the frame stays as it is
 */
struct sum_row {
	const char *name;
	struct bytes in;
	size_t at;
};

#define TCP_SUM_AT (14 + 20 + 16)
#define UDP_SUM_AT (14 + 20 + 6)

/* The pseudo header: 0x0a42 + 0x0403 + 0xc633 + 0x6402 + protocol + length. */
static const struct sum_row sums[] = {
	{"TCP, to be finished",
	 BYTES(HEAD IP_HEAD("\x00\x28", "\x40\x00", "\x06") TCP_SYN("\x38\x95")), TCP_SUM_AT},
	{"UDP, to be finished",
	 BYTES(HEAD IP_HEAD("\x00\x20", "\x40\x00", "\x11") UDP("\x00\x0c", "\x38\x98") "abcd"),
	 UDP_SUM_AT},
	{"UDP of an odd length, to be finished",
	 BYTES(HEAD IP_HEAD("\x00\x1f", "\x40\x00", "\x11") UDP("\x00\x0b", "\x38\x97") "abc"),
	 UDP_SUM_AT},
	{"UDP, to be finished, and padding behind it",
	 BYTES(HEAD IP_HEAD("\x00\x20", "\x40\x00", "\x11")
		       UDP("\x00\x0c", "\x38\x98") "abcd"
						   "\xff\xff\xff\xff"),
	 UDP_SUM_AT},
	{"TCP with another sum",
	 BYTES(HEAD IP_HEAD("\x00\x28", "\x40\x00", "\x06") TCP_SYN("\x38\x96")), 0},
	{"UDP without a sum",
	 BYTES(HEAD IP_HEAD("\x00\x20", "\x40\x00", "\x11") UDP("\x00\x0c", "\x00\x00") "abcd"), 0},
	{"UDP: a first fragment",
	 BYTES(HEAD IP_HEAD("\x00\x20", "\x20\x00", "\x11") UDP("\x00\x0c", "\x38\x98") "abcd"), 0},
	{"UDP: a later fragment",
	 BYTES(HEAD IP_HEAD("\x00\x20", "\x00\x02", "\x11") UDP("\x00\x0c", "\x38\x98") "abcd"), 0},
	{"UDP that ends before its length does",
	 BYTES(HEAD IP_HEAD("\x00\x21", "\x40\x00", "\x11") UDP("\x00\x0c", "\x38\x99") "abcd"), 0},
	{"UDP that ends inside its header",
	 BYTES(HEAD IP_HEAD("\x00\x1b", "\x40\x00", "\x11") "\x9c\x40\x00\x35\x00\x07\x38"), 0},
	{"ICMP", BYTES(HEAD IP_HEAD("\x00\x1c", "\x40\x00", "\x01") ECHO), 0},
	{"ARP", BYTES(MAC_ALL MAC_LEASE TYPE_ARP WHO_HAS(MAC_LEASE, IP_LEASED, IP_ROUTER)), 0},
	{"tagged",
	 BYTES(MAC_ROUTER MAC_LEASE TAG_7 TYPE_IPV4 IP_HEAD("\x00\x28", "\x40\x00", "\x06")
		       TCP_SYN("\x38\x95")),
	 0},
};

static __u32 word(const __u8 *at)
{
	return (__u32)at[0] << 8 | at[1];
}

/* What a receiver adds up (RFC 9293, 3.1; RFC 768): 0xffff when all is well. */
static __u32 sum_at_receiver(const __u8 *frame)
{
	const __u8 *ip = frame + 14, *payload = ip + 20;
	const size_t len = word(ip + 2) - 20;
	__u32 sum = ip[9] + (__u32)len;

	for (size_t i = 12; i < 20; i += 2)
		sum += word(ip + i);
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? payload[i] : (__u32)payload[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void is_summed(void **state)
{
	const struct sum_row *row = *state;
	__u8 frame[128] __attribute__((aligned(2)));

	assert_true(row->in.len <= sizeof(frame));
	memcpy(frame, row->in.at, row->in.len);
	world_finish_checksum(frame, row->in.len);
	if (row->at) {
		assert_memory_not_equal(frame + row->at, row->in.at + row->at, 2);
		assert_int_equal(sum_at_receiver(frame), 0xffff);
		memcpy(frame + row->at, row->in.at + row->at, 2);
	}
	assert_memory_equal(frame, row->in.at, row->in.len);
}

/* In memory of just its size, so that a byte too far is seen. */
static void frames_cut_off_anywhere(void **state)
{
	const struct bytes *in = &sums[1].in;

	(void)state;
	for (size_t len = 0; len < in->len; len++) {
		cleanup_free __u8 *frame = malloc(len ? len : 1);

		assert_non_null(frame);
		memcpy(frame, in->at, len);
		world_finish_checksum(frame, len);
		assert_memory_equal(frame, in->at, len);
	}
}

int main(void)
{
	static struct table table;

	table_add(&table, places, is_placed);
	table_add_test(&table, (struct CMUnitTest)cmocka_unit_test(far_gateways_are_neighbours));
	table_add_test(&table, (struct CMUnitTest)cmocka_unit_test(worlds_are_none_of_the_uplinks));
	table_add(&table, sums, is_summed);
	table_add_test(&table, (struct CMUnitTest)cmocka_unit_test(frames_cut_off_anywhere));
	return table_run(&table, "world", NULL, NULL);
}
