/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An uplink as the sweep sees it: probes go out of it, and it tells whether an answer could have
 * come. A carrier is not enough: a switch that has just got one passes nothing for half a minute
 * (IEEE 802.1D), and then nobody would answer for any address.
 */
#ifndef SKEP_USER_WIRE_H
#define SKEP_USER_WIRE_H

#include <linux/types.h>
#include <stdbool.h>

#include "config.h"
#include "skep/maps.h"

/**
 * struct wire - a packet socket on an uplink; zero, with @fd -EBADF, at first
 * @ifindex:      the NIC that @fd is bound to
 * @gateway:      who is heard when the wire passes frames; 0 when there is none
 * @gateway_vlan: where
 * @up:           there is a carrier
 * @changes:      how often it has come and gone
 * @since_ns:     as it is now, at least since then
 * @drained_ns:   what is in the socket came later
 * @heard_ns:     the gateway was heard at that time or later, 0 for not yet on this carrier
 * @asked_ns:     when it was asked for last
 * @unheard_ns:   it was asked for then, and did not answer yet; 0 when it did
 */
struct wire {
	int fd;
	__u32 ifindex;
	__u8 mac[6];
	__be32 gateway;
	__u16 gateway_vlan;
	bool up;
	bool warned;
	__u32 changes;
	__u64 looked_ns;
	__u64 since_ns;
	__u64 drained_ns;
	__u64 heard_ns;
	__u64 asked_ns;
	__u64 unheard_ns;
};

void wire_close(struct wire *wire);

/**
 * wire_tend() - looks at the carrier, hears the gateway, and asks for it when it is time
 * @config:  what is said of the uplink
 * @ifindex: its NIC; 0 while there is none
 *
 * To be called often while probes are to be sent or judged, and not at all otherwise.
 */
void wire_tend(struct wire *wire, const struct uplink_config *config, __u32 ifindex, __u64 now_ns);

/** wire_passes() - whether a probe would get to where it is to */
bool wire_passes(const struct wire *wire, __u64 now_ns);

/** wire_passed() - whether the answer to what was sent then, when @changes were so many, would have
 * come by now */
bool wire_passed(const struct wire *wire, __u64 sent_ns, __u32 changes);

/** wire_probe() - asks who has an address; false when it did not get out */
bool wire_probe(struct wire *wire, __u16 vlan, __be32 address);

#endif
