// SPDX-License-Identifier: GPL-2.0
/* Out of a CPU's way; see cpu.h. What the kernel refuses is left as it is. */
#include "cpu.h"

bool cpu_leave(unsigned int cpu, cpu_set_t *ret_allowed)
{
	cpu_set_t others;

	if (sched_getcpu() != (int)cpu || sched_getaffinity(0, sizeof(*ret_allowed), ret_allowed))
		return false;
	others = *ret_allowed;
	CPU_CLR(cpu, &others);
	return CPU_COUNT(&others) && !sched_setaffinity(0, sizeof(others), &others);
}

void cpu_return(const cpu_set_t *allowed)
{
	sched_setaffinity(0, sizeof(*allowed), allowed);
}
