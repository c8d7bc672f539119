// SPDX-License-Identifier: GPL-2.0
/* First contacts that wait for a container; see waiting.h. */
#include "waiting.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct place {
	TAILQ_ENTRY(place) link;
	__u64 until_ns;
	__u32 template;
	struct skep_ask_small ask;
};

TAILQ_HEAD(places, place);

struct waiting {
	struct places taken; /* longest waiting first */
	struct places free;
	unsigned int n;
	struct place places[WAITING_MAX];
};

struct waiting *waiting_new(void)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	TAILQ_INIT(&w->taken);
	TAILQ_INIT(&w->free);
	for (size_t i = 0; i < WAITING_MAX; i++)
		TAILQ_INSERT_TAIL(&w->free, &w->places[i], link);
	return w;
}

struct waiting *waiting_free(struct waiting *w)
{
	free(w);
	return NULL;
}

static void leave(struct waiting *w, struct place *place)
{
	TAILQ_REMOVE(&w->taken, place, link);
	TAILQ_INSERT_TAIL(&w->free, place, link);
	w->n--;
}

static bool is_for(const struct place *place, const struct skep_addr *address)
{
	return !memcmp(&place->ask.head.address, address, sizeof(*address));
}

static struct place *find(struct waiting *w, const struct skep_ask *ask)
{
	struct place *place;

	TAILQ_FOREACH (place, &w->taken, link)
		if (is_for(place, &ask->address) &&
		    place->ask.head.requester.addr == ask->requester.addr)
			return place;
	return NULL;
}

bool waiting_add(struct waiting *w, const struct skep_ask *ask, size_t size, __u32 template,
		 __u64 until_ns)
{
	struct place *place;

	if (size > sizeof(place->ask))
		return false;
	place = find(w, ask);
	if (place)
		leave(w, place);
	place = TAILQ_FIRST(&w->free);
	if (!place)
		return false;
	TAILQ_REMOVE(&w->free, place, link);
	memset(&place->ask, 0, sizeof(place->ask));
	memcpy(&place->ask, ask, size);
	place->template = template;
	place->until_ns = until_ns;
	TAILQ_INSERT_TAIL(&w->taken, place, link);
	w->n++;
	return true;
}

bool waiting_take(struct waiting *w, __u32 template, struct skep_ask_small *ret)
{
	struct place *place;

	TAILQ_FOREACH (place, &w->taken, link)
		if (place->template == template) {
			*ret = place->ask;
			leave(w, place);
			return true;
		}
	return false;
}

bool waiting_take_address(struct waiting *w, const struct skep_addr *address,
			  struct skep_ask_small *ret)
{
	struct place *place;

	TAILQ_FOREACH (place, &w->taken, link)
		if (is_for(place, address)) {
			*ret = place->ask;
			leave(w, place);
			return true;
		}
	return false;
}

unsigned int waiting_expire(struct waiting *w, __u64 now_ns)
{
	struct place *place;
	unsigned int n = 0;

	for (; (place = TAILQ_FIRST(&w->taken)) && now_ns >= place->until_ns; n++)
		leave(w, place);
	return n;
}

unsigned int waiting_count(const struct waiting *w)
{
	return w->n;
}
