// SPDX-License-Identifier: GPL-2.0
/*
 * The view of `top`; see top_view.h. Blocks from top to bottom: totals, the pool, the histogram of
 * binds, the newest leases. What does not fit is left out from the bottom.
 */
#include "top_view.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "table.h"
#include "world.h"

#define WIDTH_MAX 512
#define NAME_WIDTH 16
#define AROUND_POOL_BAR 43 /* columns of a template's row beside the bar */
#define AROUND_LATENCY_BAR 28
#define BAR_MAX 256

struct page {
	unsigned int width, height, at;
	void (*line)(void *data, bool heading, const char *text);
	void *data;
};

/* What skepd says is shown, never obeyed. */
__attribute__((format(printf, 3, 4))) static void put(struct page *page, bool heading,
						      const char *format, ...)
{
	char text[WIDTH_MAX + 1];
	va_list args;

	if (page->at == page->height)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (page->width < WIDTH_MAX)
		text[page->width] = '\0';
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	page->line(page->data, heading, text);
	page->at++;
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *word(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void put_totals(struct page *page, const struct top_view *view)
{
	const json_int_t up = number(view->status, "uptime_s");
	const json_int_t n = number(view->status, "unsettled");
	char unsettled[48] = "";

	if (n)
		snprintf(unsettled, sizeof(unsettled), ", %" JSON_INTEGER_FORMAT " not settled", n);
	put(page, true,
	    "skep  %s for %" JSON_INTEGER_FORMAT ":%02d:%02d, %" JSON_INTEGER_FORMAT " leases%s",
	    word(view->status, "state"), up / 3600, (int)(up / 60 % 60), (int)(up % 60),
	    number(view->status, "leases"), unsettled);
	if (view->has_rates)
		put(page, false, "binds %.1f/s   releases %.1f/s   refused %.1f/s", view->binds,
		    view->releases, view->refused);
	else
		put(page, false, "binds -   releases -   refused -");
	if (json_is_true(json_object_get(view->status, "panic")))
		put(page, true,
		    "*** PANIC: nothing is answered and nothing gets out; "
		    "'skepctl resume' ends it ***");
	if (json_is_true(json_object_get(view->status, "dry_run")))
		put(page, true, "DRY RUN: nothing is answered; see 'skepctl would'");
	put(page, false, "%s", "");
}

/* Adds @count of @max in characters; what there is at all is seen. Return: the new end. */
static size_t add_bar(char *bar, size_t at, size_t width, json_int_t count, json_int_t max, char c)
{
	size_t len = max > 0 && count > 0 ? (size_t)(count * (json_int_t)width / max) : 0;

	if (count > 0 && !len)
		len = 1;
	for (; len && at < width; len--)
		bar[at++] = c;
	return at;
}

static size_t bar_width(const struct page *page, size_t around)
{
	size_t width = page->width > around ? page->width - around : 1;

	return width < BAR_MAX ? width : BAR_MAX;
}

static void put_template(struct page *page, const json_t *row, json_int_t max)
{
	static const struct {
		const char *key;
		char c;
	} parts[] = {{"bound", '#'},
		     {"idle", '='},
		     {"starting", '+'},
		     {"recycling", '-'},
		     {"failed", '!'}};
	const size_t width = bar_width(page, AROUND_POOL_BAR);
	const char *state = word(row, "state");
	char bar[BAR_MAX + 1] = {};
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		at = add_bar(bar, at, width, number(row, parts[i].key), max, parts[i].c);
	put(page, false,
	    "%-*.*s [%-*s] %" JSON_INTEGER_FORMAT " bound %" JSON_INTEGER_FORMAT " idle%s%s",
	    NAME_WIDTH, NAME_WIDTH, word(row, "name"), (int)width, bar, number(row, "bound"),
	    number(row, "idle"), strcmp(state, "on") ? ", " : "", strcmp(state, "on") ? state : "");
}

/* A template a line, at most @rows; the last line says how many more there are. */
static void put_pool(struct page *page, const struct top_view *view, size_t rows)
{
	const json_t *pool = json_object_get(view->status, "pool"), *row;
	const json_t *templates = json_object_get(view->status, "templates");
	const size_t n = json_array_size(templates), shown = n > rows ? rows - 1 : n;
	size_t i;

	put(page, true,
	    "POOL  %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT ", warm %" JSON_INTEGER_FORMAT
	    "   #bound =idle +starting -recycling !failed",
	    number(pool, "bound") + number(pool, "idle") + number(pool, "starting") +
		    number(pool, "recycling") + number(pool, "failed"),
	    number(pool, "max"), number(pool, "warm"));
	json_array_foreach (templates, i, row)
		if (i < shown)
			put_template(page, row, number(pool, "max"));
	if (shown < n)
		put(page, false, "and %zu more templates", n - shown);
	put(page, false, "%s", "");
}

/* The buckets that have something in them: from *ret_first up to before *ret_end. */
static void find_buckets(const json_t *buckets, size_t *ret_first, size_t *ret_end)
{
	const json_t *bucket;
	size_t i;

	*ret_first = *ret_end = 0;
	json_array_foreach (buckets, i, bucket) {
		if (!number(bucket, "count"))
			continue;
		if (!*ret_end)
			*ret_first = i;
		*ret_end = i + 1;
	}
}

/* Microseconds with the unit that suits them. */
static const char *duration(double us, char *buf, size_t size)
{
	if (us < 1000)
		snprintf(buf, size, "%.1f us", us);
	else if (us < 1000000)
		snprintf(buf, size, "%.1f ms", us / 1000);
	else
		snprintf(buf, size, "%.1f s", us / 1000000);
	return buf;
}

static void put_bucket(struct page *page, const json_t *bucket, json_int_t count, json_int_t most)
{
	const size_t width = bar_width(page, AROUND_LATENCY_BAR);
	char bar[BAR_MAX + 1] = {}, up_to[32];

	add_bar(bar, 0, width, count, most, '#');
	put(page, false, "up to %8s  %-*s %" JSON_INTEGER_FORMAT,
	    duration(json_number_value(json_object_get(bucket, "up_to_us")), up_to, sizeof(up_to)),
	    (int)width, bar, count);
}

/* A bucket a line, at most @rows; the first line has all that are lower, too. */
static void put_buckets(struct page *page, const json_t *buckets, size_t rows)
{
	json_int_t counts[64] = {}, most = 0;
	size_t first, end, lowest;

	find_buckets(buckets, &first, &end);
	if (end > ARRAY_SIZE(counts))
		return;
	lowest = end - first > rows ? end - rows : first;
	for (size_t i = first; i < end; i++)
		counts[i > lowest ? i : lowest] += number(json_array_get(buckets, i), "count");
	for (size_t i = lowest; i < end; i++)
		most = counts[i] > most ? counts[i] : most;
	for (size_t i = lowest; i < end; i++)
		put_bucket(page, json_array_get(buckets, i), counts[i], most);
}

static void put_latency(struct page *page, const struct top_view *view, size_t rows)
{
	char p50[32], p99[32];

	put(page, true, "LATENCY  p50 %s   p99 %s   of %" JSON_INTEGER_FORMAT " binds",
	    table_value(json_object_get(view->latency, "p50_us"), " us", p50, sizeof(p50)),
	    table_value(json_object_get(view->latency, "p99_us"), " us", p99, sizeof(p99)),
	    number(view->latency, "binds"));
	put_buckets(page, json_object_get(view->latency, "buckets"), rows);
	put(page, false, "%s", "");
}

static void put_lease(struct page *page, const json_t *lease)
{
	const char *at = word(lease, "bound_at"), *time = strchr(at, 'T');
	char uplink[32], bind[32];

	if (number(lease, "vlan") || !strcmp(word(lease, "uplink"), WORLD_NAME))
		snprintf(uplink, sizeof(uplink), "%s.%" JSON_INTEGER_FORMAT, word(lease, "uplink"),
			 number(lease, "vlan"));
	else
		snprintf(uplink, sizeof(uplink), "%s", word(lease, "uplink"));
	put(page, false, "%-8.8s  %-15s  %-10s  %-9s  %12s  %s", time ? time + 1 : at,
	    word(lease, "address"), uplink, word(lease, "container"),
	    table_value(json_object_get(lease, "bind_us"), " us", bind, sizeof(bind)),
	    word(lease, "requester"));
}

static void put_newest(struct page *page, const struct top_view *view)
{
	const json_t *lease;
	size_t i;

	put(page, true, "%-8s  %-15s  %-10s  %-9s  %12s  %s", "NEWEST", "ADDRESS", "UPLINK",
	    "CONTAINER", "BIND", "FOR");
	json_array_foreach (view->newest, i, lease)
		put_lease(page, lease);
}

void top_view_lines(const struct top_view *view, unsigned int width, unsigned int height,
		    void (*line)(void *data, bool heading, const char *text), void *data)
{
	struct page page = {width, height, 0, line, data};
	/* A quarter of the screen for the templates, a third for the histogram, the rest for
	 * leases. */
	size_t templates = height / 4 > 1 ? height / 4 : 1;
	size_t buckets = height / 3 > 1 ? height / 3 : 1;

	put_totals(&page, view);
	put_pool(&page, view, templates);
	put_latency(&page, view, buckets);
	put_newest(&page, view);
}
