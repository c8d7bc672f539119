/* SPDX-License-Identifier: GPL-2.0 */
/* Going into a container's network namespace for a moment, and out again. */
#ifndef SKEP_USER_NETNS_H
#define SKEP_USER_NETNS_H

#include <sys/types.h>

/** netns_home() - our own namespace; a descriptor, the caller's, or negative errno */
int netns_home(void);

/** netns_open() - that of a process; likewise */
int netns_open(pid_t pid);

/** netns_enter() - 0 or negative errno; whoever succeeds calls netns_leave() */
int netns_enter(int netns);

/** netns_leave() - back to @home; ends the process when that fails */
void netns_leave(int home);

#endif
