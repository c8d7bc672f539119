// SPDX-License-Identifier: GPL-2.0
/*
 * Out of a CPU's way; see cpu.h. What the kernel refuses is left as it is: a mask that stays narrow
 * is made wide with the next one.
 */
#include "cpu.h"

#include <string.h>
#include <unistd.h>

void cpu_learn(cpu_set_t *ret)
{
	if (sched_getaffinity(0, sizeof(*ret), ret) ||
	    CPU_COUNT(ret) == sysconf(_SC_NPROCESSORS_ONLN))
		memset(ret, 0xff, sizeof(*ret)); /* the kernel takes what there is */
}

bool cpu_leave(unsigned int cpu, const cpu_set_t *allowed)
{
	cpu_set_t others = *allowed;

	if (sched_getcpu() != (int)cpu)
		return false;
	CPU_CLR(cpu, &others);
	return !sched_setaffinity(0, sizeof(others), &others); /* it refuses when there is none */
}

void cpu_return(const cpu_set_t *allowed)
{
	sched_setaffinity(0, sizeof(*allowed), allowed);
}
