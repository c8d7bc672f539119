/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ARP probe of RFC 5227, 2.1.1: who has this address, asked by somebody who has none. It comes
 * from the NIC's own link address: with one of each address, a sweep would fill every switch's
 * table. Pure.
 */
#ifndef SKEP_USER_PROBE_H
#define SKEP_USER_PROBE_H

#include <linux/types.h>
#include <stddef.h>

#define PROBE_LEN 60 /* the shortest frame on a wire; what is behind the ARP is zero */

/** probe_fill() - writes the frame, tagged unless @vlan is 0; @target in network byte order */
void probe_fill(__u8 frame[PROBE_LEN], const __u8 mac[6], __u16 vlan, __be32 target);

#endif
