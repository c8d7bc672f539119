// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: parse_frame() on any bytes, each input alone in memory of exactly its size. Whatever
 * is read must be what bpf/parse.h promises to those who trust it: a whole frame, or nothing to act
 * on.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "parse.h"

#define ARP_LEN sizeof(struct parse_arp)

static void check(bool holds)
{
	if (!holds)
		abort();
}

static enum skep_verdict parse(const uint8_t *data, size_t size, struct frame *ret)
{
	cleanup_free uint8_t *frame = malloc(size ? size : 1);

	check(frame != NULL);
	if (size)
		memcpy(frame, data, size);
	memset(ret, 0xa5, sizeof(*ret));
	return parse_frame(frame, frame + size, ret);
}

static size_t network_header(const struct frame *f)
{
	return sizeof(struct ethhdr) + (f->tagged ? sizeof(struct parse_tag) : 0);
}

static void check_ethernet(const uint8_t *data, size_t size, const struct frame *f)
{
	static const uint8_t none[12];
	const uint8_t *macs = size < sizeof(struct ethhdr) ? none : data;

	check(!memcmp(f->dst, macs, 6) && !memcmp(f->src, macs + 6, 6));
	check(parse_mac_equal(f->dst, f->src) == !memcmp(macs, macs + 6, 6));
	check(f->tagged <= 1 && f->vlan <= 4095 && (f->tagged || !f->vlan));
	if (f->tagged)
		check(data[12] == 0x81 && data[13] == 0 &&
		      f->vlan == ((data[14] & 15) << 8 | data[15]));
}

static void check_sender(const struct frame *f)
{
	check(!parse_mac_is_group(f->sender_mac) && !parse_mac_is_zero(f->sender_mac));
	check(!parse_mac_is_group(f->src));
	check((f->kind == FRAME_PROBE) == (f->sender.addr == 0));
	check(f->kind == FRAME_PROBE || parse_addr_is_station(f->sender));
}

static void check_arp(const uint8_t *arp, size_t size, const struct frame *f)
{
	static const uint8_t head[] = {0, 1, 8, 0, 6, 4, 0};

	check(size >= ARP_LEN && !memcmp(arp, head, sizeof(head)));
	check(!memcmp(f->sender_mac, arp + 8, 6) && !memcmp(&f->sender, arp + 14, 4) &&
	      !memcmp(&f->target, arp + 24, 4));
	check_sender(f);
	switch (f->kind) {
	case FRAME_WHO_HAS:
	case FRAME_PROBE:
		check(arp[7] == 1);
		break;
	case FRAME_IS_AT:
		check(arp[7] == 2);
		break;
	default:
		check(f->kind == FRAME_GRATUITOUS && (arp[7] == 1 || arp[7] == 2));
	}
	check((f->kind == FRAME_GRATUITOUS) ==
	      (f->kind != FRAME_PROBE && f->sender.addr == f->target.addr));
}

static void check_ipv4(const uint8_t *ip, size_t size, const struct frame *f)
{
	check(size >= 20 && ip[0] >> 4 == 4 && (ip[0] & 15) >= 5);
	check((ip[0] & 15) * 4U <= size);
	check(f->kind == FRAME_IPV4 && !memcmp(f->sender_mac, f->src, 6));
	check(!memcmp(&f->sender, ip + 12, 4) && !memcmp(&f->target, ip + 16, 4));
}

/* Nothing behind the last header is read, and a header that ends early is none. */
static void check_length(const uint8_t *data, size_t header, const struct frame *f,
			 enum skep_verdict verdict)
{
	struct frame other;

	check(parse(data, header, &other) == verdict && !memcmp(&other, f, sizeof(other)));
	check(parse(data, header - 1, &other) == SKEP_PASS_TRUNCATED);
}

static void check_whole(const uint8_t *data, size_t size, const struct frame *f,
			enum skep_verdict verdict)
{
	size_t at = network_header(f);

	if (verdict == SKEP_LEASED_ARP) {
		check_arp(data + at, size - at, f);
		check_length(data, at + ARP_LEN, f, verdict);
	} else {
		check_ipv4(data + at, size - at, f);
		check_length(data, at + (data[at] & 15) * 4U, f, verdict);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;
	enum skep_verdict verdict = parse(data, size, &f);

	check_ethernet(data, size, &f);
	switch (verdict) {
	case SKEP_LEASED_ARP:
	case SKEP_LEASED_IP:
		check_whole(data, size, &f, verdict);
		break;
	case SKEP_PASS_ARP_MALFORMED:
	case SKEP_PASS_ARP_SENDER:
		check(size >= network_header(&f) + ARP_LEN);
		break;
	case SKEP_PASS_IP_MALFORMED:
		check(size >= network_header(&f) + 20);
		break;
	case SKEP_PASS_OTHER:
		check(size >= network_header(&f));
		break;
	default:
		check(verdict == SKEP_PASS_TRUNCATED && size < network_header(&f) + 60);
	}
	return 0;
}
