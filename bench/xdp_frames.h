/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The frames that bench/xdp runs, and who is in them.
 */
#ifndef SKEP_BENCH_XDP_FRAMES_H
#define SKEP_BENCH_XDP_FRAMES_H

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "keyed.h"

#define FRAME_LEN 60

#define LEASED "10.66.4.2"
#define SHARED "10.66.8.2" /* leased to a container that has another link address */
#define DARK "10.66.254.1"
#define BINDABLE "10.67.0.0" /* the first of those that the program binds */
#define FOREIGN "192.0.2.1"
#define ASKER "10.66.0.1"
#define CLIENT "198.51.100.2"
#define CLIENT_PORT 40000
#define SERVER_PORT 80
#define ALLOWED_PORT 53
#define SINK_PORT 8080
#define HOST "10.66.3.1" /* a machine of the segment, known as one */

static const uint8_t asker_mac[ETH_ALEN] = {0x00, 0x1b, 0x21, 0x00, 0x00, 0x01};
static const uint8_t lease_mac[ETH_ALEN] = {0x00, 0x1b, 0x21, 0x00, 0x00, 0x02};
static const uint8_t host_mac[ETH_ALEN] = {0x00, 0x1b, 0x21, 0x00, 0x00, 0x04};
static const uint8_t eth0_mac[ETH_ALEN] = {0x00, 0x1b, 0x21, 0x00, 0x00, 0x03};
static const uint8_t all_macs[ETH_ALEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct in_addr address(const char *text)
{
	struct in_addr a = {};

	inet_pton(AF_INET, text, &a);
	return a;
}

static void put_eth(uint8_t *frame, const uint8_t *from, const uint8_t *to, uint16_t type)
{
	struct ether_header eth = {.ether_type = htons(type)};

	memcpy(eth.ether_dhost, to, ETH_ALEN);
	memcpy(eth.ether_shost, from, ETH_ALEN);
	memcpy(frame, &eth, sizeof(eth));
}

static void put_who_has(uint8_t *frame, const uint8_t *mac, const char *sender, const char *target)
{
	struct in_addr spa = address(sender), tpa = address(target);
	struct ether_arp arp = {
		.arp_hrd = htons(ARPHRD_ETHER),
		.arp_pro = htons(ETHERTYPE_IP),
		.arp_hln = ETH_ALEN,
		.arp_pln = sizeof(struct in_addr),
		.arp_op = htons(ARPOP_REQUEST),
	};

	put_eth(frame, mac, all_macs, ETHERTYPE_ARP);
	memcpy(arp.arp_sha, mac, ETH_ALEN);
	memcpy(arp.arp_spa, &spa, sizeof(spa));
	memcpy(arp.arp_tpa, &tpa, sizeof(tpa));
	memcpy(frame + sizeof(struct ether_header), &arp, sizeof(arp));
}

static void put_tcp(uint8_t *frame, uint16_t source, uint16_t dest, bool answer)
{
	struct tcphdr tcp = {.source = htons(source), .dest = htons(dest), .doff = 5, .syn = 1};

	tcp.ack = answer;
	memcpy(frame + sizeof(struct ether_header) + sizeof(struct iphdr), &tcp, sizeof(tcp));
}

static void put_ip(uint8_t *frame, const char *source, const char *target)
{
	struct iphdr ip = {
		.version = 4,
		.ihl = sizeof(ip) / 4,
		.tot_len = htons(sizeof(ip) + sizeof(struct tcphdr)),
		.ttl = 63,
		.protocol = IPPROTO_TCP,
		.saddr = address(source).s_addr,
		.daddr = address(target).s_addr,
	};

	memcpy(frame + sizeof(struct ether_header), &ip, sizeof(ip));
	put_tcp(frame, CLIENT_PORT, SERVER_PORT, false);
}

static void put_syn(uint8_t *frame, const char *target)
{
	put_eth(frame, asker_mac, lease_mac, ETHERTYPE_IP);
	put_ip(frame, CLIENT, target);
}

static void build_ipv6(uint8_t *frame)
{
	put_eth(frame, asker_mac, lease_mac, ETHERTYPE_IPV6);
}

static void build_foreign_ip(uint8_t *frame)
{
	put_syn(frame, FOREIGN);
}

static void build_leased_arp(uint8_t *frame)
{
	put_who_has(frame, asker_mac, ASKER, LEASED);
}

static void build_leased_arp_host(uint8_t *frame)
{
	put_who_has(frame, host_mac, HOST, LEASED);
}

static void build_host_ip(uint8_t *frame)
{
	put_eth(frame, host_mac, asker_mac, ETHERTYPE_IP);
	put_ip(frame, HOST, CLIENT);
}

static void build_host_arp(uint8_t *frame)
{
	put_who_has(frame, asker_mac, ASKER, HOST);
}

static void build_leased_ip(uint8_t *frame)
{
	put_syn(frame, LEASED);
}

static void build_shared_arp(uint8_t *frame)
{
	put_who_has(frame, asker_mac, ASKER, SHARED);
}

static void build_shared_ip(uint8_t *frame)
{
	put_syn(frame, SHARED);
}

static void build_dark_arp(uint8_t *frame)
{
	put_who_has(frame, asker_mac, ASKER, DARK);
}

static void build_bound_arp(uint8_t *frame)
{
	put_who_has(frame, asker_mac, ASKER, BINDABLE);
}

/* By an address's link address, which follows from a key of zeros. */
static void put_bindable_mac(uint8_t *frame, union skep_ipv4 ip)
{
	static const uint8_t key[SKEP_KEY_LEN], ouis[1][3];

	keyed_mac(key, ouis, 1, ip, 0, frame);
}

static void build_bound_ip(uint8_t *frame)
{
	const union skep_ipv4 ip = {.addr = address(BINDABLE).s_addr};

	put_syn(frame, BINDABLE);
	put_bindable_mac(frame, ip);
}

/* The frame becomes one to another address, the @nth one of those that are bound. */
static void put_bindable(uint8_t *frame, uint32_t nth)
{
	const union skep_ipv4 ip = {.addr = htonl(ntohl(address(BINDABLE).s_addr) + nth)};
	const bool is_arp = frame[12] == 0x08 && frame[13] == 0x06;
	const size_t at =
		is_arp ? offsetof(struct ether_arp, arp_tpa) : offsetof(struct iphdr, daddr);

	memcpy(frame + sizeof(struct ether_header) + at, &ip, sizeof(ip));
	if (!is_arp)
		put_bindable_mac(frame, ip);
}

static void build_out_arp(uint8_t *frame)
{
	put_who_has(frame, lease_mac, LEASED, ASKER);
}

/* The answer to what build_leased_ip() asks. */
static void build_out_ip(uint8_t *frame)
{
	put_eth(frame, lease_mac, asker_mac, ETHERTYPE_IP);
	put_ip(frame, LEASED, CLIENT);
	put_tcp(frame, SERVER_PORT, CLIENT_PORT, true);
}

static void build_out_own(uint8_t *frame, uint16_t dest)
{
	put_eth(frame, lease_mac, asker_mac, ETHERTYPE_IP);
	put_ip(frame, LEASED, CLIENT);
	put_tcp(frame, CLIENT_PORT, dest, false);
}

static void build_out_allowed(uint8_t *frame)
{
	build_out_own(frame, ALLOWED_PORT);
}

static void build_out_redirected(uint8_t *frame)
{
	build_out_own(frame, SINK_PORT);
}

static void build_out_dropped(uint8_t *frame)
{
	build_out_own(frame, SERVER_PORT);
}

static void build_out_shared_arp(uint8_t *frame)
{
	put_who_has(frame, eth0_mac, SHARED, ASKER);
}

static void build_out_shared_ip(uint8_t *frame)
{
	put_eth(frame, eth0_mac, asker_mac, ETHERTYPE_IP);
	put_ip(frame, SHARED, CLIENT);
	put_tcp(frame, SERVER_PORT, CLIENT_PORT, true);
}

static void build_out_forged(uint8_t *frame)
{
	put_eth(frame, lease_mac, asker_mac, ETHERTYPE_IP);
	put_ip(frame, FOREIGN, CLIENT);
}

#endif
