/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the sweep knows, in a file of state_dir: the pinned map outlives skepd, but not the machine,
 * and not an orderly stop. Times in the file are of the wall clock, which goes on over both.
 */
#ifndef SKEP_USER_VERIFIED_H
#define SKEP_USER_VERIFIED_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "prefix.h"
#include "skep/maps.h"

/**
 * struct verified - a range and what is known of it
 * @quiet: how many unanswered probes make an address claimable
 * @slots: of `verify`, one for each address of @prefix
 */
struct verified {
	char uplink[IFNAMSIZ];
	__u16 vlan;
	struct prefix prefix;
	__u8 quiet;
	struct skep_verify *slots;
};

/** struct verified_now - one moment, on both clocks, in seconds */
struct verified_now {
	__u64 monotonic_s;
	__u64 wall_s;
};

/**
 * verified_save() - makes or replaces the file
 * @last: nothing more will be learned before it is loaded; else a host may have been heard since,
 *        that only the maps knew of
 *
 * Return: 0 or negative errno, and then the old one is there.
 */
int verified_save(const char *path, const struct verified *ranges, size_t n,
		  const struct verified_now *now, bool last);

/**
 * verified_load() - fills the slots of those ranges that the file has just so
 * @memory_s: what was probed longer ago, or will only be, is left out
 *
 * Slots with something in them stay as they are. If the file was not the last word, every address
 * is at least one probe short of being claimable.
 * Return: 0; -ENOENT; -EBADMSG when it is no such file, or a part of one; or negative errno.
 */
int verified_load(const char *path, const struct verified *ranges, size_t n,
		  const struct verified_now *now, unsigned int memory_s);

#endif
