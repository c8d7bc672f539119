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

/** Each returns a new object, the caller's, or NULL when out of memory. */
json_t *report_status(const struct config *config, const struct datapath *dp,
		      enum daemon_state state, __u64 started_ns);
json_t *report_leases(const struct config *config, const struct datapath *dp);
json_t *report_containers(const struct config *config, const struct datapath *dp);
json_t *report_counters(const struct datapath *dp);
json_t *report_event(const struct config *config, const struct event_message *event);
json_t *report_error(const char *text);

#endif
