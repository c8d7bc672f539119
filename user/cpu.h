/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Which CPU the allocator works on. By itself the scheduler leaves a real-time task on the one that
 * it was on before, whatever has to wait for it there, and whether another is idle or not
 * (select_task_rq_rt() in kernel/sched/rt.c).
 */
#ifndef SKEP_USER_CPU_H
#define SKEP_USER_CPU_H

#include <sched.h>
#include <stdbool.h>

/** cpu_learn() - which CPUs are allowed; any, also later ones, where none is forbidden */
void cpu_learn(cpu_set_t *ret);

/**
 * cpu_leave() - goes on on another CPU, if this is @cpu and another is allowed
 *
 * Return: whether it does; then cpu_return() is to follow before anything is forked.
 */
bool cpu_leave(unsigned int cpu, const cpu_set_t *allowed);

/** cpu_return() - all of them will do again; until the next wait it stays where it is */
void cpu_return(const cpu_set_t *allowed);

#endif
