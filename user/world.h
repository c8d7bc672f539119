/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: Worlds
 *
 * What an intruder's container (the root) connects to by itself meets other containers, which take
 * the addresses it asks for, for this intruder alone: reflections. All those of one root are a
 * world, a segment of its own whose addresses are {address, slot of the root, SKEP_UPLINK_REFLECT}.
 * What is leased there is never on the wire, and the other way round.
 *
 * A world looks as its root sees it: its own segment is the one of its range, everything else lies
 * behind its gateway, in networks of 256 addresses with a gateway of their own. Pure: no clock, no
 * system calls.
 */
#ifndef SKEP_USER_WORLD_H
#define SKEP_USER_WORLD_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "prefix.h"
#include "skep/maps.h"

#define WORLD_NAME "reflect"  /* stands where the name of an uplink does */
#define WORLD_MAC_VLAN 0xffff /* for the link addresses inside: those of no segment */

/** world_has() - whether it is an address inside a world, and not one on a wire */
static inline bool world_has(const struct skep_addr *address)
{
	return address->uplink == SKEP_UPLINK_REFLECT;
}

/**
 * struct world_place - where in its world an address is
 * @prefixlen: of its network
 * @gateway:   of its network, network byte order; 0 for none
 */
struct world_place {
	unsigned int prefixlen;
	__be32 gateway;
};

/**
 * world_place() - how a container has to be plumbed that takes an address inside a world
 * @segment: of the root's range
 * @gateway: of the root, network byte order; 0 for none
 * @addr:    network byte order
 *
 * Return: 0; -EADDRNOTAVAIL when no machine has such an address, -ERANGE when it is none of a
 * station at all.
 */
int world_place(const struct prefix *segment, __be32 gateway, __be32 addr, struct world_place *ret);

/**
 * world_finish_checksum() - fills in the checksum that a held frame's sender left to its NIC
 * @frame: an untagged frame of @len bytes
 *
 * Between containers, TCP and UDP have the sum of the pseudo header only, and the kernel knows; in
 * a held frame it does not. Frames that are complete, or that it does not understand, stay as they
 * are.
 */
void world_finish_checksum(__u8 *frame, size_t len);

#endif
