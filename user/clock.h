/* SPDX-License-Identifier: GPL-2.0 */
/* The clocks: CLOCK_MONOTONIC is what bpf_ktime_get_ns() gives; CLOCK_REALTIME is what people read.
 */
#ifndef SKEP_USER_CLOCK_H
#define SKEP_USER_CLOCK_H

#include <linux/types.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_SEC 1000000000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_US 1000ULL

static inline __u64 clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (__u64)ts.tv_sec * NS_PER_SEC + (__u64)ts.tv_nsec;
}

/* later() - the later of two moments of one clock */
static inline __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

static inline __u64 monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

#define CLOCK_TRIES 4

/*
 * realtime_of() - the wall clock at a moment of the monotonic one
 *
 * The difference between the clocks is measured once, and again when somebody has set the wall
 * clock: so one moment is always told as the same time, to the microsecond. Where the CPU was
 * taken away between the two readings, they say nothing.
 */
static inline __u64 realtime_of(__u64 monotonic)
{
	static __u64 difference;
	__u64 begun, now, took;
	int tries = CLOCK_TRIES;

	do {
		begun = monotonic_ns();
		now = clock_ns(CLOCK_REALTIME) - begun;
		took = monotonic_ns() - begun;
	} while (took > NS_PER_MS / 2 && --tries);
	if ((tries || !difference) && now - difference + NS_PER_MS > 2 * NS_PER_MS)
		difference = now;
	return monotonic + difference;
}

#define RFC3339_LEN sizeof("2026-11-22T02:31:00.123456Z")

/* rfc3339() - UTC with microseconds, to @buf of RFC3339_LEN bytes; returns @buf */
static inline const char *rfc3339(__u64 realtime_ns, char *buf)
{
	time_t seconds = (time_t)(realtime_ns / NS_PER_SEC);
	unsigned int us = (unsigned int)(realtime_ns % NS_PER_SEC / NS_PER_US);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(buf, RFC3339_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + n, RFC3339_LEN - n, ".%06uZ", us % 1000000U);
	return buf;
}

#endif
