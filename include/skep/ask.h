/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ring record: the uplink program tells that it has bound an address, or asks skepd to bind
 * one; hands over a frame that it holds until a lease is settled; or tells that a lease gave way to
 * a host. The frame that showed it is always there. Records come in two sizes, so that the common
 * case (a who-has, a SYN, a ping) costs little to zero.
 */
#ifndef SKEP_ASK_H
#define SKEP_ASK_H

#include "skep/maps.h"

#define SKEP_ASK_SMALL 128  /* bytes of frame in a small record */
#define SKEP_ASK_LARGE 2048 /* in a large one; longer frames are not held */

/**
 * struct skep_ask - head of a ring record; the frame follows it
 * @seen_ns:   when XDP saw the frame (CLOCK_MONOTONIC)
 * @address:   the frame's target; of a conflict the address that was leased
 * @requester: ARP sender address, or IPv4 source
 * @verdict:   SKEP_ASK_ARP or SKEP_ASK_IP; SKEP_ASK_REFLECT, by the port program; SKEP_BOUND_ARP
 *             or SKEP_BOUND_IP when the address was bound and the frame is on its way;
 *             SKEP_HELD_SETTLING; SKEP_CONFLICT when a lease gave way
 * @frame_len: bytes of the frame that follow, as they came in, tag included; the rest is zero. Of a
 *             frame that is not held, at most SKEP_ASK_SMALL
 * @container: slot of the container that was given, or whose lease gave way; else 0
 * @cpu:       of a bind the CPU that the frame came to, where the container may be about to answer;
 *             else 0
 */
struct skep_ask {
	__u64 seen_ns;
	struct skep_addr address;
	union skep_ipv4 requester;
	__u16 verdict;
	__u16 frame_len;
	__u32 container;
	__u32 cpu;
};

struct skep_ask_small {
	struct skep_ask head;
	__u8 frame[SKEP_ASK_SMALL];
};

struct skep_ask_large {
	struct skep_ask head;
	__u8 frame[SKEP_ASK_LARGE];
};

SKEP_STATIC_ASSERT(sizeof(struct skep_ask) == 32);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_ask, cpu) == 28);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_ask_small, frame) == 32);
SKEP_STATIC_ASSERT(__builtin_offsetof(struct skep_ask_large, frame) == 32);

#endif
