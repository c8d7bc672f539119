/* SPDX-License-Identifier: GPL-2.0 */
#ifndef SKEP_USER_VERSION_H
#define SKEP_USER_VERSION_H

#define SKEP_VERSION "0.1"

#endif
