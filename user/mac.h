/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The link address of an address: a keyed hash, so that it is the same each time (a router may
 * still have it in its cache) and nobody outside can tell skep's addresses from a vendor's. Pure.
 */
#ifndef SKEP_USER_MAC_H
#define SKEP_USER_MAC_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "skep/maps.h"

#define MAC_KEY_LEN SKEP_KEY_LEN

/** siphash24() - SipHash-2-4 (Aumasson, Bernstein 2012) of @len bytes under a key of MAC_KEY_LEN
 * bytes. */
__u64 siphash24(const __u8 key[MAC_KEY_LEN], const void *data, size_t len);

/**
 * mac_of() - link address of an address on a VLAN
 * @key:    the farm's secret, MAC_KEY_LEN bytes
 * @addr:   network byte order
 * @ouis:   vendor prefixes to choose from, @n_ouis of them: 1 to SKEP_OUIS_MAX
 * @ret:    six bytes, unicast, globally administered as far as the prefixes are
 */
void mac_of(const __u8 key[MAC_KEY_LEN], __be32 addr, __u16 vlan, const __u8 (*ouis)[3],
	    size_t n_ouis, __u8 ret[6]);

/** mac_lives() - whether an address is one of those that live; see keyed_lives() */
bool mac_lives(const __u8 key[MAC_KEY_LEN], __be32 addr, __u16 vlan, __u32 density);

#define HOST_NAME_LEN 24

/** host_name_of() - a name a machine of a small company might have; writes HOST_NAME_LEN bytes at
 * most. */
void host_name_of(const __u8 key[MAC_KEY_LEN], __u64 serial, char *ret);

#endif
