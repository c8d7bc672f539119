/* SPDX-License-Identifier: GPL-2.0 */
/* What a dry run has seen: the summary that it ends with. */
#ifndef SKEP_USER_WOULD_H
#define SKEP_USER_WOULD_H

#include "config.h"
#include "datapath.h"

/** would_log() - says how much would have been claimed, for how many, and each conflict up to a few
 */
void would_log(const struct config *config, const struct datapath *dp);

#endif
