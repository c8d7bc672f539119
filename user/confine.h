/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: System calls
 *
 * A keeper shuts most of the kernel's surface for itself, and with that for every container it
 * makes: a filter is inherited, so it costs a container neither time nor memory. It is a list of
 * what may be called (seccomp.calls); what it does not have is answered as by a kernel that is
 * built without it. liblxc then takes from each container what only the keeper needs
 * (seccomp.policy).
 */
#ifndef SKEP_USER_CONFINE_H
#define SKEP_USER_CONFINE_H

/** confine_check() - whether this kernel can filter system calls: 0, or negative errno */
int confine_check(void);

/**
 * confine() - the calling process, and whatever it starts, makes only the calls of the list
 *
 * Cannot be undone. Also sets the limit of core files to what keeps them from a handler of the box,
 * for good. Return: 0 or negative errno.
 */
int confine(void);

#endif
