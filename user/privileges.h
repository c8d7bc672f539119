/* SPDX-License-Identifier: GPL-2.0 */
/*
 * DOC: Privileges
 *
 * All of skepd's processes are started by root, and each keeps what its work takes. The allocator
 * hands on to keepers that it forks later, and to the next skepd at a handover, so it has what they
 * need, too; control, which is who strangers talk to, has nothing.
 */
#ifndef SKEP_USER_PRIVILEGES_H
#define SKEP_USER_PRIVILEGES_H

enum privileged {
	PRIVILEGES_SKEPD,
	PRIVILEGES_KEEPER,
	PRIVILEGES_SWEEPER,
	PRIVILEGES_CONTROL,
};

/**
 * privileges_drop() - the calling process, and what it will execute, has no more than these need
 *
 * For the sweeper and control execve(2) gives nothing back, and the system calls are those of
 * confine(); a keeper calls that itself.
 * Containers are not restricted by this: capabilities in a user namespace are its own. Cannot be
 * undone. Return: 0 or negative errno.
 */
int privileges_drop(enum privileged who);

#endif
