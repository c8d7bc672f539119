/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What skepd tells the world, as JSON: read from the maps each time, so that it is true also of
 * what the programs did without the daemon. The keys are stable; see skepctl(8).
 */
#ifndef SKEP_USER_REPORT_H
#define SKEP_USER_REPORT_H

#include <jansson.h>

#include "config.h"
#include "datapath.h"
#include "message.h"
#include "skep/notice.h"

#define REPORT_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(9))

/** Each returns a new object, the caller's, or NULL when out of memory. */

/** report_status() - @state: as the allocator told last */
json_t *report_status(const struct config *config, const struct datapath *dp,
		      const struct state_message *state, __u64 started_ns);
json_t *report_counters(const struct datapath *dp);
json_t *report_latency(const struct datapath *dp);
json_t *report_event(const struct config *config, const struct event_message *event);
json_t *report_error(const char *text);

/** report_panic_event() - that it begins, or ends */
json_t *report_panic_event(bool on);

/** report_verification() - how far the sweep is, and what it has found in each verified range */
json_t *report_verification(const struct config *config, const struct datapath *dp);

/** report_host() - a machine that is not ours has the address */
json_t *report_host(const struct config *config, const struct skep_addr *address,
		    const struct skep_host *host);

/** report_would() - what a dry run has noted for an address and a requester, or for all of them */
json_t *report_would(const struct config *config, const struct skep_pair *pair,
		     const struct skep_would *would);

/** report_lease() - one lease; @pid: of its container's init */
json_t *report_lease(const struct config *config, const struct skep_addr *address,
		     const struct skep_lease *lease, __u32 pid);

/**
 * report_take_claim() - puts right what the table says of an idle container that the uplink program
 * has given away, as long as skepd has not taken note of it; leaves any other as it is
 *
 * Return: whether it has a lease that is not settled.
 */
bool report_take_claim(const struct datapath *dp, __u32 slot, struct skep_container *c);

/** report_container() - one container; its state is one that there is */
json_t *report_container(const struct config *config, __u32 slot, const struct skep_container *c);

/** report_flow() - one flow; report_policies() - every rule with its counts */
json_t *report_flow(const struct config *config, const struct datapath *dp,
		    const struct skep_flow_key *key, const struct skep_flow *flow);
json_t *report_policies(const struct datapath *dp);

/** report_notice() - the event of what a container was refused, or the farm as a whole */
json_t *report_notice(const struct config *config, const struct datapath *dp,
		      const struct skep_notice *notice);

#endif
