/* SPDX-License-Identifier: GPL-2.0 */
/* skepd's answers for people, on standard output. */
#ifndef SKEP_USER_SHOW_H
#define SKEP_USER_SHOW_H

#include <jansson.h>

void show_status(const json_t *status);
void show_leases(const json_t *answer);
void show_containers(const json_t *answer);
void show_hosts(const json_t *answer);
void show_would(const json_t *answer);
void show_flows(const json_t *answer);
void show_policy(const json_t *answer);
void show_counters(const json_t *answer);
void show_latency(const json_t *answer);

/** show_event() - one line, for `watch` */
void show_event(const json_t *event);

#endif
