// SPDX-License-Identifier: GPL-2.0
/* Worlds; see world.h. Knows addresses and frames, and no containers. */
#include "world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "checksum.h"
#include "parse.h"

#define NETWORK_LEN 24 /* of everything behind the gateway */
#define GATEWAY 1
#define OTHER_GATEWAY 254 /* of the network in which the address itself ends in GATEWAY */

static __be32 nth(const struct prefix *network, __u32 n)
{
	return htonl(ntohl(network->addr) + n);
}

static bool is_no_station(const struct prefix *network, __be32 addr)
{
	return network->len < 31 && (addr == network->addr || addr == prefix_broadcast(network));
}

/* On the root's own segment; somebody may want to be the gateway itself. */
static __be32 near_gateway(const struct prefix *segment, __be32 gateway, __be32 addr)
{
	if (gateway != addr)
		return gateway;
	if (segment->len >= 31)
		return 0;
	return nth(segment, 1) == addr ? nth(segment, 2) : nth(segment, 1);
}

static __be32 far_gateway(const struct prefix *network, __be32 addr)
{
	return nth(network, GATEWAY) == addr ? nth(network, OTHER_GATEWAY) : nth(network, GATEWAY);
}

int world_place(const struct prefix *segment, __be32 gateway, __be32 addr, struct world_place *ret)
{
	struct prefix network = {addr, NETWORK_LEN};
	const bool is_near = prefix_contains(segment, addr);

	if (!parse_addr_is_station((union skep_ipv4){.addr = addr}))
		return -ERANGE;
	network.addr &= prefix_netmask(&network);
	if (is_near)
		network = *segment;
	if (is_no_station(&network, addr))
		return -EADDRNOTAVAIL;
	ret->prefixlen = network.len;
	ret->gateway = is_near ? near_gateway(segment, gateway, addr) : far_gateway(&network, addr);
	return 0;
}

/* As checksum_add(), of any number of bytes. */
static __u32 sum_bytes(__u32 sum, const __u8 *at, size_t len)
{
	const __u8 last[2] __attribute__((aligned(2))) = {len & 1 ? at[len - 1] : 0, 0};

	return checksum_add(checksum_add(sum, at, (__u32)len & ~1U), last, sizeof(last));
}

static __u16 load(const __u8 *at)
{
	return (__u16)(at[0] << 8 | at[1]);
}

#define IP_AT sizeof(struct ethhdr)
#define IP_LEN_AT 2
#define IP_FRAGMENT_AT 6
#define IP_FRAGMENT_MASK 0x3fff /* more fragments, and the offset */
#define IP_PROTOCOL_AT 9
#define IP_SOURCE_AT 12
#define IP_ADDRESSES_LEN 8
#define TCP_CHECKSUM_AT 16
#define UDP_CHECKSUM_AT 6

/* Where the checksum is in the payload; 0 in one that has none, or that is incomplete. */
static size_t checksum_at(__u8 protocol, size_t len)
{
	if (protocol == IPPROTO_TCP)
		return len >= 20 ? TCP_CHECKSUM_AT : 0;
	if (protocol == IPPROTO_UDP)
		return len >= 8 ? UDP_CHECKSUM_AT : 0;
	return 0;
}

static void finish(const __u8 *ip, __u8 *payload, size_t len)
{
	const __u16 rest[2] = {htons(ip[IP_PROTOCOL_AT]), htons((__u16)len)};
	const size_t at = checksum_at(ip[IP_PROTOCOL_AT], len);
	const __u32 pseudo = checksum_add(checksum_add(0, ip + IP_SOURCE_AT, IP_ADDRESSES_LEN),
					  rest, sizeof(rest));
	__u16 checksum;

	if (!at || memcmp(payload + at, &(__u16){checksum_fold(pseudo)}, sizeof(checksum)))
		return;
	checksum = checksum_end(sum_bytes(0, payload, len)); /* the pseudo header is in it */
	if (!checksum)
		checksum = 0xffff; /* RFC 768: 0 says that there is none */
	memcpy(payload + at, &checksum, sizeof(checksum));
}

void world_finish_checksum(__u8 *frame, size_t len)
{
	__u8 *ip = frame + IP_AT;
	struct frame f;
	size_t head, total;

	if (parse_frame(frame, frame + len, &f) != SKEP_LEASED_IP || f.tagged)
		return;
	head = (size_t)(ip[0] & 0xf) * 4;
	total = load(ip + IP_LEN_AT);
	if (total < head || total > len - IP_AT || load(ip + IP_FRAGMENT_AT) & IP_FRAGMENT_MASK)
		return;
	finish(ip, ip + head, total - head);
}
