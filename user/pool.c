// SPDX-License-Identifier: GPL-2.0
/* The pool of containers; see pool.h. Owns the state of every slot; never does what it decides. */
#include "pool.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "clock.h"

#define PAUSE_MIN_NS NS_PER_SEC
#define PAUSE_MAX_NS (60 * NS_PER_SEC)

struct slot {
	TAILQ_ENTRY(slot) link;
	enum skep_state state;
	__u32 template;
	__u64 retry_ns;
	bool queued; /* waits in pool->dirty */
};

TAILQ_HEAD(slots, slot);

/* Doubles each time it is needed again. */
struct pause {
	__u64 length_ns;
	__u64 until_ns;
};

struct per_template {
	struct slots idle;
	unsigned int warm;
	unsigned int n_idle;
	unsigned int n_starting;
	struct pause starts; /* after containers that did not start */
	struct pause deaths; /* after containers that ended while idle */
};

struct pool {
	struct slot *slots;
	struct per_template *templates;
	struct slots free;
	struct slots dirty;  /* to be recycled, oldest first */
	struct slots failed; /* to be recycled again, earliest first */
	unsigned int max;
	unsigned int n_templates;
	unsigned int counts[SKEP_STATE_MAX];
};

struct pool *pool_free(struct pool *pool)
{
	if (pool) {
		free(pool->slots);
		free(pool->templates);
		free(pool);
	}
	return NULL;
}

struct pool *pool_new(unsigned int max, unsigned int n_templates)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->slots = calloc(max, sizeof(*pool->slots));
	pool->templates = calloc(n_templates, sizeof(*pool->templates));
	if (!pool->slots || !pool->templates)
		return pool_free(pool);
	pool->max = max;
	pool->n_templates = n_templates;
	pool->counts[SKEP_STATE_NONE] = max;
	TAILQ_INIT(&pool->free);
	TAILQ_INIT(&pool->dirty);
	TAILQ_INIT(&pool->failed);
	for (unsigned int i = 0; i < max; i++)
		TAILQ_INSERT_TAIL(&pool->free, &pool->slots[i], link);
	for (unsigned int i = 0; i < n_templates; i++)
		TAILQ_INIT(&pool->templates[i].idle);
	return pool;
}

void pool_set_warm(struct pool *pool, __u32 template, unsigned int warm)
{
	pool->templates[template].warm = warm;
}

static __u32 slot_number(const struct pool *pool, const struct slot *slot)
{
	return (__u32)(slot - pool->slots);
}

static struct per_template *template_of(struct pool *pool, const struct slot *slot)
{
	return &pool->templates[slot->template];
}

static void enter(struct pool *pool, struct slot *slot, enum skep_state state)
{
	pool->counts[slot->state]--;
	pool->counts[state]++;
	slot->state = state;
}

static struct pool_job job(const struct pool *pool, enum pool_op op, const struct slot *slot)
{
	return (struct pool_job){op, slot_number(pool, slot), slot->template};
}

static bool wants(const struct per_template *t, unsigned int target, __u64 now_ns)
{
	return t->n_idle + t->n_starting < target && now_ns >= t->starts.until_ns &&
	       now_ns >= t->deaths.until_ns;
}

/* Starts a container of the template that lacks most, if one is below its target. */
static struct pool_job next_start(struct pool *pool, __u64 now_ns, unsigned int divisor)
{
	struct slot *slot = TAILQ_FIRST(&pool->free);
	struct per_template *best = NULL;
	unsigned int most = 0;

	for (unsigned int i = 0; slot && i < pool->n_templates; i++) {
		struct per_template *t = &pool->templates[i];
		unsigned int target = (t->warm + divisor - 1) / divisor;

		if (wants(t, target, now_ns) && target - t->n_idle - t->n_starting > most) {
			best = t;
			most = target - t->n_idle - t->n_starting;
		}
	}
	if (!best)
		return (struct pool_job){POOL_NOTHING, 0, 0};
	TAILQ_REMOVE(&pool->free, slot, link);
	slot->template = (__u32)(best - pool->templates);
	best->n_starting++;
	enter(pool, slot, SKEP_STATE_STARTING);
	return job(pool, POOL_START, slot);
}

static struct pool_job next_recycle(struct pool *pool, __u64 now_ns)
{
	struct slot *slot = TAILQ_FIRST(&pool->dirty);

	if (slot) {
		TAILQ_REMOVE(&pool->dirty, slot, link);
		slot->queued = false;
		return job(pool, POOL_RECYCLE, slot);
	}
	slot = TAILQ_FIRST(&pool->failed);
	if (slot && now_ns >= slot->retry_ns) {
		TAILQ_REMOVE(&pool->failed, slot, link);
		enter(pool, slot, SKEP_STATE_RECYCLING);
		return job(pool, POOL_RECYCLE, slot);
	}
	return (struct pool_job){POOL_NOTHING, 0, 0};
}

struct pool_job pool_next(struct pool *pool, __u64 now_ns)
{
	struct pool_job next = next_start(pool, now_ns, 2);

	if (next.op == POOL_NOTHING)
		next = next_recycle(pool, now_ns);
	if (next.op == POOL_NOTHING)
		next = next_start(pool, now_ns, 1);
	return next;
}

static __u64 earlier(__u64 a, __u64 b)
{
	return !a || (b && b < a) ? b : a;
}

__u64 pool_wake_ns(const struct pool *pool, __u64 now_ns)
{
	const struct slot *failed = TAILQ_FIRST(&pool->failed);
	__u64 wake = failed ? failed->retry_ns : 0;

	for (unsigned int i = 0; i < pool->n_templates; i++) {
		const struct per_template *t = &pool->templates[i];

		__u64 until_ns = later(t->starts.until_ns, t->deaths.until_ns);

		if (until_ns > now_ns && t->n_idle + t->n_starting < t->warm)
			wake = earlier(wake, until_ns);
	}
	return wake;
}

void pool_started(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];
	struct per_template *t = template_of(pool, slot);

	assert(slot->state == SKEP_STATE_STARTING);
	t->n_starting--;
	t->n_idle++;
	t->starts = (struct pause){};
	TAILQ_INSERT_TAIL(&t->idle, slot, link);
	enter(pool, slot, SKEP_STATE_IDLE);
}

/* What was under way together fails together: that is one failure. */
static __u64 lengthen(struct pause *pause, __u64 now_ns)
{
	if (now_ns < pause->until_ns)
		return pause->length_ns;
	pause->length_ns = pause->length_ns ? pause->length_ns * 2 : PAUSE_MIN_NS;
	if (pause->length_ns > PAUSE_MAX_NS)
		pause->length_ns = PAUSE_MAX_NS;
	pause->until_ns = now_ns + pause->length_ns;
	return pause->length_ns;
}

__u64 pool_start_failed(struct pool *pool, __u32 number, __u64 now_ns)
{
	pool_give_up(pool, number);
	return lengthen(&template_of(pool, &pool->slots[number])->starts, now_ns);
}

__u64 pool_died(struct pool *pool, __u32 number, __u64 now_ns)
{
	assert(pool->slots[number].state == SKEP_STATE_IDLE);
	pool_give_up(pool, number);
	return lengthen(&template_of(pool, &pool->slots[number])->deaths, now_ns);
}

__u32 pool_take(struct pool *pool, __u32 template)
{
	struct per_template *t = &pool->templates[template];
	struct slot *slot = TAILQ_FIRST(&t->idle);

	if (!slot)
		return POOL_NO_SLOT;
	TAILQ_REMOVE(&t->idle, slot, link);
	t->n_idle--;
	t->deaths = (struct pause){};
	enter(pool, slot, SKEP_STATE_BOUND);
	return slot_number(pool, slot);
}

static void make_dirty(struct pool *pool, struct slot *slot)
{
	enter(pool, slot, SKEP_STATE_RECYCLING);
	slot->queued = true;
	TAILQ_INSERT_TAIL(&pool->dirty, slot, link);
}

void pool_give_up(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];
	struct per_template *t = template_of(pool, slot);

	if (slot->state == SKEP_STATE_IDLE) {
		TAILQ_REMOVE(&t->idle, slot, link);
		t->n_idle--;
	} else if (slot->state == SKEP_STATE_STARTING) {
		t->n_starting--;
	} else {
		assert(slot->state == SKEP_STATE_BOUND);
	}
	make_dirty(pool, slot);
}

void pool_adopt_dirty(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_NONE);
	TAILQ_REMOVE(&pool->free, slot, link);
	make_dirty(pool, slot);
}

void pool_recycled(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_RECYCLING && !slot->queued);
	enter(pool, slot, SKEP_STATE_NONE);
	TAILQ_INSERT_TAIL(&pool->free, slot, link);
}

void pool_recycle_failed(struct pool *pool, __u32 number, __u64 now_ns)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_RECYCLING && !slot->queued);
	enter(pool, slot, SKEP_STATE_FAILED);
	slot->retry_ns = now_ns + PAUSE_MIN_NS;
	TAILQ_INSERT_TAIL(&pool->failed, slot, link);
}

void pool_drain(struct pool *pool)
{
	for (unsigned int i = 0; i < pool->n_templates; i++)
		pool->templates[i].warm = 0;
	for (unsigned int i = 0; i < pool->max; i++) {
		enum skep_state state = pool->slots[i].state;

		if (state == SKEP_STATE_IDLE || state == SKEP_STATE_BOUND)
			pool_give_up(pool, i);
	}
}

enum skep_state pool_state(const struct pool *pool, __u32 slot)
{
	return pool->slots[slot].state;
}

__u32 pool_template(const struct pool *pool, __u32 slot)
{
	return pool->slots[slot].template;
}

unsigned int pool_count(const struct pool *pool, enum skep_state state)
{
	return pool->counts[state];
}

bool pool_is_warm(const struct pool *pool)
{
	const unsigned int settled = pool->counts[SKEP_STATE_BOUND] + pool->counts[SKEP_STATE_IDLE];

	for (unsigned int i = 0; i < pool->n_templates; i++)
		if (pool->templates[i].n_idle < pool->templates[i].warm)
			return settled == pool->max;
	return true;
}
