/* SPDX-License-Identifier: GPL-2.0 */
/* What `skepctl top` shows, as lines of text for any size of screen. Pure. */
#ifndef SKEP_USER_TOP_VIEW_H
#define SKEP_USER_TOP_VIEW_H

#include <jansson.h>
#include <stdbool.h>

/**
 * struct top_view - what there is to show
 * @status:   answer to `status`
 * @latency:  answer to `latency`
 * @newest:   array of leases or events of binds, the newest first
 * @has_rates: whether the rates are known yet
 * @binds:    a second, and so on
 * @refused:  first contacts a second that got no address
 */
struct top_view {
	const json_t *status;
	const json_t *latency;
	const json_t *newest;
	bool has_rates;
	double binds;
	double releases;
	double refused;
};

/**
 * top_view_lines() - hands on at most @height lines of at most @width characters
 * @line: gets each; ASCII without control characters
 */
void top_view_lines(const struct top_view *view, unsigned int width, unsigned int height,
		    void (*line)(void *data, bool heading, const char *text), void *data);

#endif
