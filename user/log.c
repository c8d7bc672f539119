// SPDX-License-Identifier: GPL-2.0
/* Log lines; see log.h. Owns nothing but how a line looks; never fails and never touches errno. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"

static struct {
	bool verbose;
	bool journal;
	void (*sink)(void *data, int priority, const char *line);
	void *sink_data;
} log_state;

/* Whoever is started by a service inherits the variable, wherever its stderr goes; sd-daemon(3). */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat st;

	if (!stream || fstat(fd, &st))
		return false;
	snprintf(own, sizeof(own), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	return !strcmp(stream, own);
}

void log_init(bool verbose)
{
	log_state.verbose = verbose;
	log_state.journal = is_journal(STDERR_FILENO);
}

void log_set_sink(void (*sink)(void *data, int priority, const char *line), void *data)
{
	log_state.sink = sink;
	log_state.sink_data = data;
}

static const char *priority_word(int priority)
{
	switch (priority) {
	case LOG_ERR:
		return "error: ";
	case LOG_WARNING:
		return "warning: ";
	default:
		return "";
	}
}

void log_write(int priority, const char *line)
{
	char out[LOG_LINE_MAX + 32];
	int n;

	if (log_state.journal)
		n = snprintf(out, sizeof(out), "<%d>%s\n", priority, line);
	else
		n = snprintf(out, sizeof(out), "skepd: %s%s\n", priority_word(priority), line);
	/* One write, so that lines of several processes do not mix. Nobody is left to be told of a
	 * failure. */
	if (n > 0 && write(STDERR_FILENO, out, (size_t)n) < 0)
		return;
}

void log_line(int priority, const char *format, ...)
{
	int saved = errno;
	char line[LOG_LINE_MAX];
	va_list args;

	if (priority == LOG_DEBUG && !log_state.verbose)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (log_state.sink)
		log_state.sink(log_state.sink_data, priority, line);
	else
		log_write(priority, line);
	errno = saved;
}

bool log_limit_pass(struct log_limit *limit, __u64 now_ns, unsigned long *ret_suppressed)
{
	if (now_ns < limit->next_ns) {
		limit->suppressed++;
		return false;
	}
	*ret_suppressed = limit->suppressed;
	limit->suppressed = 0;
	limit->next_ns = now_ns + NS_PER_SEC;
	return true;
}
