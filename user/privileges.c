// SPDX-License-Identifier: GPL-2.0
/* Capabilities; see privileges.h. What the machine does not give in the first place is not missed.
 */
#include "privileges.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/types.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "confine.h"

#define CAPABILITY(name) (1ULL << CAP_##name)

/*
 * Namespaces, mounts and their owners, veth pairs. Overlay does what a container does to its files
 * with the capabilities of whoever mounted it: without FSETID a chmod g+s, without SETFCAP a copy
 * of ping(8) would lose what makes it work.
 */
#define FOR_KEEPERS                                                                               \
	(CAPABILITY(CHOWN) | CAPABILITY(DAC_OVERRIDE) | CAPABILITY(FOWNER) | CAPABILITY(FSETID) | \
	 CAPABILITY(KILL) | CAPABILITY(SETGID) | CAPABILITY(SETUID) | CAPABILITY(SETPCAP) |       \
	 CAPABILITY(SETFCAP) | CAPABILITY(NET_ADMIN) | CAPABILITY(SYS_CHROOT) |                   \
	 CAPABILITY(SYS_ADMIN) | CAPABILITY(SYS_RESOURCE) | CAPABILITY(MKNOD))

/* Programs, the socket that frames are sent again by, priority. */
#define FOR_SKEPD                                                                     \
	(FOR_KEEPERS | CAPABILITY(NET_RAW) | CAPABILITY(SYS_NICE) | CAPABILITY(BPF) | \
	 CAPABILITY(PERFMON))

static const __u64 kept[] = {
	[PRIVILEGES_SKEPD] = FOR_SKEPD,
	[PRIVILEGES_KEEPER] = FOR_KEEPERS,
	[PRIVILEGES_SWEEPER] = CAPABILITY(NET_RAW),
	[PRIVILEGES_CONTROL] = 0,
};

/* Numbers that this kernel does not have end it. */
static int limit_bounds(__u64 keep)
{
	for (unsigned long i = 0; i < 64; i++) {
		const bool wanted = keep & (1ULL << i);
		const int have = prctl(PR_CAPBSET_READ, i, 0, 0, 0);

		if (have < 0)
			break;
		if (have && !wanted && prctl(PR_CAPBSET_DROP, i, 0, 0, 0))
			return -errno;
	}
	return 0;
}

static int limit_capabilities(__u64 keep)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, data))
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted &= (__u32)(keep >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	return syscall(SYS_capset, &header, data) ? -errno : 0;
}

int privileges_drop(enum privileged who)
{
	int err = limit_bounds(kept[who]);

	if (!err)
		err = limit_capabilities(kept[who]);
	if (err || who == PRIVILEGES_SKEPD || who == PRIVILEGES_KEEPER)
		return err;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : confine();
}
