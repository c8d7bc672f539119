/* SPDX-License-Identifier: GPL-2.0 */
/* How single values look in every report, for report*.c alone. */
#ifndef SKEP_USER_REPORT_PRIVATE_H
#define SKEP_USER_REPORT_PRIVATE_H

#include "report.h"

json_t *json_ipv4(union skep_ipv4 ip);
json_t *json_mac(const __u8 mac[6]);

/** json_moment() - a moment of the monotonic clock as wall-clock time; null when it never was */
json_t *json_moment(__u64 monotonic);

/** uplink_name() - by ordinal; "?" when the configuration has none of it */
const char *uplink_name(const struct config *config, __u16 ordinal);

#endif
