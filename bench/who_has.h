/* SPDX-License-Identifier: GPL-2.0 */
/* The question that the benches ask most. */
#ifndef SKEP_BENCH_WHO_HAS_H
#define SKEP_BENCH_WHO_HAS_H

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <stdint.h>
#include <string.h>

/** who_has_build() - the frame of a broadcast who-has; sender and target address are left zero */
static inline void who_has_build(uint8_t *frame, const uint8_t mac[ETH_ALEN])
{
	struct ether_header eth = {.ether_type = htons(ETHERTYPE_ARP)};
	struct ether_arp arp = {
		.arp_hrd = htons(ARPHRD_ETHER),
		.arp_pro = htons(ETHERTYPE_IP),
		.arp_hln = ETH_ALEN,
		.arp_pln = sizeof(struct in_addr),
		.arp_op = htons(ARPOP_REQUEST),
	};

	memset(eth.ether_dhost, 0xff, ETH_ALEN);
	memcpy(eth.ether_shost, mac, ETH_ALEN);
	memcpy(arp.arp_sha, mac, ETH_ALEN);
	memcpy(frame, &eth, sizeof(eth));
	memcpy(frame + sizeof(eth), &arp, sizeof(arp));
}

#endif
