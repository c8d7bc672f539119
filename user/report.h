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

#define REPORT_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(9))

/** Each returns a new object, the caller's, or NULL when out of memory. */

/** report_status() - @state: as the allocator told last */
json_t *report_status(const struct config *config, const struct datapath *dp,
		      const struct state_message *state, __u64 started_ns);
json_t *report_counters(const struct datapath *dp);
json_t *report_latency(const struct datapath *dp);
json_t *report_event(const struct config *config, const struct event_message *event);
json_t *report_error(const char *text);

/** report_lease() - one lease; @pid: of its container's init */
json_t *report_lease(const struct config *config, const struct skep_addr *address,
		     const struct skep_lease *lease, __u32 pid);

/** report_container() - one container; its state is one that there is */
json_t *report_container(const struct config *config, __u32 slot, const struct skep_container *c);

#endif
