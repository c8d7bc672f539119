/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Log lines for the operator, on stderr; with sd-daemon(3) priority prefixes when stderr is the
 * journal. The allocator must not wait for whoever reads stderr, so it hands its lines to the
 * control process through a sink that never blocks and counts what it had to drop.
 */
#ifndef SKEP_USER_LOG_H
#define SKEP_USER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <syslog.h>

#include <linux/types.h>

#define LOG_LINE_MAX 480

/** log_init() - looks at the environment once; debug lines are printed only when @verbose. */
void log_init(bool verbose);

/**
 * log_set_sink() - lines go to @sink instead of stderr
 * @sink: takes the priority (LOG_ERR ...) and the line; must not block; NULL for stderr again
 */
void log_set_sink(void (*sink)(void *data, int priority, const char *line), void *data);

void log_line(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** log_write() - writes a line that is already whole to stderr. */
void log_write(int priority, const char *line);

#define log_error(...) log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/**
 * struct log_limit - at most one line a second for one reason; the next line says how many were
 * left out
 */
struct log_limit {
	__u64 next_ns;
	unsigned long suppressed;
};

/** log_limit_pass() - whether a line may be logged now; @ret_suppressed: how many were not since
 * the last. */
bool log_limit_pass(struct log_limit *limit, __u64 now_ns, unsigned long *ret_suppressed);

#endif
