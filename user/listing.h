/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The long reports, `leases` and `containers`: written a slice at a time, so that 65,536 entries do
 * not keep other clients waiting and do not pile up. Each entry is there once, as it is when its
 * slice is written.
 */
#ifndef SKEP_USER_LISTING_H
#define SKEP_USER_LISTING_H

#include <event2/buffer.h>
#include <stdbool.h>

#include "config.h"
#include "datapath.h"

struct listing;

/** Each begins a list, to be freed with listing_free(); NULL when there is no memory. */
struct listing *listing_leases(const struct datapath *dp);
struct listing *listing_containers(const struct datapath *dp);
struct listing *listing_hosts(const struct datapath *dp);
struct listing *listing_would(const struct datapath *dp);

/** listing_flows() - @address: of the container, network byte order; 0 for all */
struct listing *listing_flows(const struct datapath *dp, __be32 address);

/** listing_free() - accepts NULL, returns NULL */
struct listing *listing_free(struct listing *listing);

/**
 * listing_next() - adds the next slice to @out; the slices together are one line of JSON
 * @config: the one that holds now
 *
 * Return: whether there is more.
 */
bool listing_next(struct listing *listing, const struct config *config, const struct datapath *dp,
		  struct evbuffer *out);

#endif
