// SPDX-License-Identifier: GPL-2.0
/* The frame of a probe; see probe.h. Sends nothing. */
#include "probe.h"

#include <arpa/inet.h>
#include <string.h>

#include "parse.h"

#define ARP_OF_ETHERNET 1

/* Adds the bytes, and returns where they end. */
static __u8 *put(__u8 *at, const void *bytes, size_t n)
{
	memcpy(at, bytes, n);
	return at + n;
}

static __u8 *put_ethernet(__u8 *at, const __u8 mac[6], __u16 vlan)
{
	static const __u8 broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	const __be16 tag[] = {htons(PARSE_P_8021Q), htons(vlan)}, type = htons(PARSE_P_ARP);

	at = put(at, broadcast, sizeof(broadcast));
	at = put(at, mac, 6);
	if (vlan)
		at = put(at, tag, sizeof(tag));
	return put(at, &type, sizeof(type));
}

void probe_fill(__u8 frame[PROBE_LEN], const __u8 mac[6], __u16 vlan, __be32 target)
{
	struct parse_arp arp = {
		.hrd = htons(ARP_OF_ETHERNET),
		.pro = htons(PARSE_P_IP),
		.hln = 6,
		.pln = 4,
		.op = htons(PARSE_ARPOP_REQUEST),
	};

	memcpy(arp.sha, mac, sizeof(arp.sha));
	memcpy(arp.tpa, &target, sizeof(arp.tpa));
	memset(frame, 0, PROBE_LEN);
	put(put_ethernet(frame, mac, vlan), &arp, sizeof(arp));
}
