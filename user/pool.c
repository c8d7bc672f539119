// SPDX-License-Identifier: GPL-2.0
/* The pool of containers; see pool.h. Owns the state of every slot; never does what it decides. */
#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "clock.h"

#define PAUSE_MIN_NS NS_PER_SEC
#define PAUSE_MAX_NS (60 * NS_PER_SEC)
#define QUARANTINE_NS (60 * NS_PER_SEC)
#define TEMPLATES_SHOWN 64U /* of those that are off: bits of a __u64 */

struct slot {
	TAILQ_ENTRY(slot) link;
	TAILQ_ENTRY(slot) share; /* in its group, while it may get more leases */
	enum skep_state state;
	__u32 template;
	__u32 group;
	unsigned int leases;
	__u64 retry_ns;
	bool queued;	  /* waits in pool->dirty */
	bool quarantined; /* waits in pool->quarantine, not in pool->retry */
	bool shares;	  /* stands in its group */
};

TAILQ_HEAD(slots, slot);

/* Doubles each time it is needed again. */
struct pause {
	__u64 length_ns;
	__u64 until_ns;
	unsigned int in_a_row; /* failures */
};

struct per_template {
	struct slots idle;
	unsigned int warm;
	unsigned int n_idle;
	unsigned int n_starting;
	struct pause starts; /* after containers that did not start */
	struct pause deaths; /* after containers that ended while idle, or refused their address */
	bool off;
};

struct pool {
	struct slot *slots;
	struct per_template *templates;
	struct slots *groups;
	struct slots free;
	struct slots dirty;	 /* to be recycled, oldest first */
	struct slots quarantine; /* failed; to be recycled when their time is over, oldest first */
	struct slots retry;	 /* could not be recycled; again, oldest first */
	unsigned int n_slots;
	unsigned int max;
	unsigned int n_templates;
	unsigned int n_groups;
	unsigned int n_quarantined;
	unsigned int limit; /* leases of one container */
	unsigned int counts[SKEP_STATE_MAX];
};

struct pool *pool_free(struct pool *pool)
{
	if (pool) {
		free(pool->slots);
		free(pool->templates);
		free(pool->groups);
		free(pool);
	}
	return NULL;
}

struct pool *pool_new(unsigned int slots, unsigned int n_templates)
{
	struct pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->slots = calloc(slots, sizeof(*pool->slots));
	pool->templates = calloc(n_templates, sizeof(*pool->templates));
	pool->groups = calloc(POOL_GROUPS_MAX, sizeof(*pool->groups));
	if (!pool->slots || !pool->templates || !pool->groups)
		return pool_free(pool);
	pool->n_slots = slots;
	pool->n_templates = n_templates;
	pool->limit = 1;
	pool->counts[SKEP_STATE_NONE] = slots;
	TAILQ_INIT(&pool->free);
	TAILQ_INIT(&pool->dirty);
	TAILQ_INIT(&pool->quarantine);
	TAILQ_INIT(&pool->retry);
	for (unsigned int i = 0; i < slots; i++)
		TAILQ_INSERT_TAIL(&pool->free, &pool->slots[i], link);
	for (unsigned int i = 0; i < n_templates; i++)
		TAILQ_INIT(&pool->templates[i].idle);
	return pool;
}

void pool_set_max(struct pool *pool, unsigned int max)
{
	pool->max = max;
}

void pool_set_warm(struct pool *pool, __u32 template, unsigned int warm)
{
	pool->templates[template].warm = warm;
}

/* Containers that count against max. */
static unsigned int used(const struct pool *pool)
{
	return pool->n_slots - pool->counts[SKEP_STATE_NONE] - pool->n_quarantined;
}

/* Of those the ones that are not on their way out. */
static unsigned int staying(const struct pool *pool)
{
	return used(pool) - pool->counts[SKEP_STATE_RECYCLING];
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

__u32 pool_surplus(const struct pool *pool)
{
	const struct per_template *most = NULL;

	for (unsigned int i = 0; i < pool->n_templates; i++) {
		const struct per_template *t = &pool->templates[i];

		if (t->n_idle > t->warm)
			return slot_number(pool, TAILQ_FIRST(&t->idle));
		if (t->n_idle > (most ? most->n_idle : 0))
			most = t;
	}
	return most && staying(pool) > pool->max ? slot_number(pool, TAILQ_FIRST(&most->idle))
						 : POOL_NO_SLOT;
}

static bool wants(const struct per_template *t, unsigned int target, __u64 now_ns)
{
	return !t->off && t->n_idle + t->n_starting < target && now_ns >= t->starts.until_ns &&
	       now_ns >= t->deaths.until_ns;
}

/* Starts a container of the template that lacks most, if one is below its target. */
static struct pool_job next_start(struct pool *pool, __u64 now_ns, unsigned int divisor)
{
	struct slot *slot = used(pool) < pool->max ? TAILQ_FIRST(&pool->free) : NULL;
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

/* Oldest of a queue in which everybody waits equally long. */
static struct slot *first_due(const struct slots *queue, __u64 now_ns)
{
	struct slot *slot = TAILQ_FIRST(queue);

	return slot && now_ns >= slot->retry_ns ? slot : NULL;
}

static void make_dirty(struct pool *pool, struct slot *slot)
{
	enter(pool, slot, SKEP_STATE_RECYCLING);
	slot->queued = true;
	TAILQ_INSERT_TAIL(&pool->dirty, slot, link);
}

static void leave_failed(struct pool *pool, struct slot *slot)
{
	TAILQ_REMOVE(slot->quarantined ? &pool->quarantine : &pool->retry, slot, link);
	pool->n_quarantined -= slot->quarantined;
	slot->quarantined = false;
	make_dirty(pool, slot);
}

static struct pool_job next_recycle(struct pool *pool, __u64 now_ns)
{
	struct slot *slot = first_due(&pool->quarantine, now_ns);

	if (slot)
		leave_failed(pool, slot);
	slot = TAILQ_FIRST(&pool->dirty);
	if (slot) {
		TAILQ_REMOVE(&pool->dirty, slot, link);
		slot->queued = false;
		return job(pool, POOL_RECYCLE, slot);
	}
	slot = first_due(&pool->retry, now_ns);
	if (slot) {
		TAILQ_REMOVE(&pool->retry, slot, link);
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

static __u64 due_ns(const struct slots *queue)
{
	const struct slot *slot = TAILQ_FIRST(queue);

	return slot ? slot->retry_ns : 0;
}

__u64 pool_wake_ns(const struct pool *pool, __u64 now_ns)
{
	__u64 wake = earlier(due_ns(&pool->retry), due_ns(&pool->quarantine));

	for (unsigned int i = 0; i < pool->n_templates; i++) {
		const struct per_template *t = &pool->templates[i];
		__u64 until_ns = later(t->starts.until_ns, t->deaths.until_ns);

		if (until_ns > now_ns && !t->off && t->n_idle + t->n_starting < t->warm)
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
static void lengthen(struct pause *pause, __u64 now_ns)
{
	if (now_ns < pause->until_ns)
		return;
	pause->in_a_row++;
	pause->length_ns = pause->length_ns ? pause->length_ns * 2 : PAUSE_MIN_NS;
	if (pause->length_ns > PAUSE_MAX_NS)
		pause->length_ns = PAUSE_MAX_NS;
	pause->until_ns = now_ns + pause->length_ns;
}

/* Takes a slot out of whatever it is queued in. */
static void withdraw(struct pool *pool, struct slot *slot)
{
	struct per_template *t = template_of(pool, slot);

	if (slot->state == SKEP_STATE_IDLE) {
		TAILQ_REMOVE(&t->idle, slot, link);
		t->n_idle--;
	} else if (slot->state == SKEP_STATE_STARTING) {
		t->n_starting--;
	} else {
		assert(slot->state == SKEP_STATE_BOUND);
	}
	if (slot->shares)
		TAILQ_REMOVE(&pool->groups[slot->group], slot, share);
	slot->shares = false;
	slot->leases = 0;
}

static struct pool_failure fail(struct pool *pool, struct slot *slot, struct pause *pause,
				__u64 now_ns)
{
	struct per_template *t = template_of(pool, slot);
	struct pool_failure failure = {.released = POOL_NO_SLOT};

	if (pool->n_quarantined == POOL_QUARANTINE_MAX) {
		failure.released = slot_number(pool, TAILQ_FIRST(&pool->quarantine));
		leave_failed(pool, TAILQ_FIRST(&pool->quarantine));
	}
	withdraw(pool, slot);
	enter(pool, slot, SKEP_STATE_FAILED);
	slot->retry_ns = now_ns + QUARANTINE_NS;
	slot->quarantined = true;
	pool->n_quarantined++;
	TAILQ_INSERT_TAIL(&pool->quarantine, slot, link);
	lengthen(pause, now_ns);
	failure.pause_ns = pause->length_ns;
	failure.off = !t->off && pause->in_a_row >= POOL_FAILURES_MAX;
	t->off |= failure.off;
	return failure;
}

struct pool_failure pool_start_failed(struct pool *pool, __u32 number, __u64 now_ns)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_STARTING);
	return fail(pool, slot, &template_of(pool, slot)->starts, now_ns);
}

struct pool_failure pool_died(struct pool *pool, __u32 number, __u64 now_ns)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_IDLE);
	return fail(pool, slot, &template_of(pool, slot)->deaths, now_ns);
}

struct pool_failure pool_refused(struct pool *pool, __u32 number, __u64 now_ns)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_BOUND);
	return fail(pool, slot, &template_of(pool, slot)->deaths, now_ns);
}

void pool_switch_on(struct pool *pool, __u32 template)
{
	struct per_template *t = &pool->templates[template];

	t->off = false;
	t->starts = (struct pause){};
	t->deaths = (struct pause){};
}

__u64 pool_off(const struct pool *pool)
{
	__u64 off = 0;

	for (unsigned int i = 0; i < pool->n_templates && i < TEMPLATES_SHOWN; i++)
		off |= (__u64)pool->templates[i].off << i;
	return off;
}

__u32 pool_first_idle(const struct pool *pool, __u32 template)
{
	const struct slot *slot = TAILQ_FIRST(&pool->templates[template].idle);

	return slot ? slot_number(pool, slot) : POOL_NO_SLOT;
}

__u32 pool_next_idle(const struct pool *pool, __u32 number)
{
	const struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_IDLE);
	slot = TAILQ_NEXT(slot, link);
	return slot ? slot_number(pool, slot) : POOL_NO_SLOT;
}

void pool_take(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];
	struct per_template *t = template_of(pool, slot);

	assert(slot->state == SKEP_STATE_IDLE);
	TAILQ_REMOVE(&t->idle, slot, link);
	t->n_idle--;
	enter(pool, slot, SKEP_STATE_BOUND);
}

int pool_set_groups(struct pool *pool, unsigned int n, unsigned int limit)
{
	if (n > POOL_GROUPS_MAX)
		return -ENOSPC;
	for (unsigned int i = 0; i < n; i++)
		TAILQ_INIT(&pool->groups[i]);
	for (unsigned int i = 0; i < pool->n_slots; i++) {
		pool->slots[i].shares = false;
		pool->slots[i].leases = 0;
	}
	pool->n_groups = n;
	pool->limit = limit;
	return 0;
}

/* Stands in its group exactly while it may get more. */
static void keep_place(struct pool *pool, struct slot *slot)
{
	bool may = slot->leases && slot->leases < pool->limit && slot->group != POOL_NO_GROUP;

	if (may && !slot->shares)
		TAILQ_INSERT_TAIL(&pool->groups[slot->group], slot, share);
	else if (!may && slot->shares)
		TAILQ_REMOVE(&pool->groups[slot->group], slot, share);
	slot->shares = may;
}

__u32 pool_share(struct pool *pool, __u32 group)
{
	struct slot *slot = group < pool->n_groups ? TAILQ_FIRST(&pool->groups[group]) : NULL;

	if (!slot)
		return POOL_NO_SLOT;
	TAILQ_REMOVE(&pool->groups[group], slot, share);
	TAILQ_INSERT_TAIL(&pool->groups[group], slot, share);
	return slot_number(pool, slot);
}

void pool_add_lease(struct pool *pool, __u32 number, __u32 group)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_BOUND);
	assert(group < pool->n_groups || group == POOL_NO_GROUP);
	if (!slot->leases++)
		slot->group = group;
	template_of(pool, slot)->deaths = (struct pause){};
	keep_place(pool, slot);
}

unsigned int pool_drop_lease(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_BOUND && slot->leases);
	slot->leases--;
	keep_place(pool, slot);
	return slot->leases;
}

unsigned int pool_leases(const struct pool *pool, __u32 slot)
{
	return pool->slots[slot].leases;
}

void pool_give_up(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];

	if (slot->state == SKEP_STATE_FAILED)
		return leave_failed(pool, slot);
	withdraw(pool, slot);
	make_dirty(pool, slot);
}

static struct slot *adopted(struct pool *pool, __u32 number, __u32 template)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_NONE);
	TAILQ_REMOVE(&pool->free, slot, link);
	slot->template = template;
	return slot;
}

void pool_adopt(struct pool *pool, __u32 number, __u32 template, enum skep_state state)
{
	struct slot *slot = adopted(pool, number, template);

	assert(state == SKEP_STATE_IDLE || state == SKEP_STATE_BOUND);
	if (state == SKEP_STATE_IDLE) {
		template_of(pool, slot)->n_idle++;
		TAILQ_INSERT_TAIL(&template_of(pool, slot)->idle, slot, link);
	}
	enter(pool, slot, state);
}

void pool_adopt_dirty(struct pool *pool, __u32 number)
{
	make_dirty(pool, adopted(pool, number, 0));
}

void pool_recycled(struct pool *pool, __u32 number)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_RECYCLING && !slot->queued);
	enter(pool, slot, SKEP_STATE_NONE);
	TAILQ_INSERT_HEAD(&pool->free, slot, link); /* low numbers keep the tables short */
}

void pool_recycle_failed(struct pool *pool, __u32 number, __u64 now_ns)
{
	struct slot *slot = &pool->slots[number];

	assert(slot->state == SKEP_STATE_RECYCLING && !slot->queued);
	enter(pool, slot, SKEP_STATE_FAILED);
	slot->retry_ns = now_ns + PAUSE_MIN_NS;
	TAILQ_INSERT_TAIL(&pool->retry, slot, link);
}

void pool_drain(struct pool *pool)
{
	for (unsigned int i = 0; i < pool->n_templates; i++)
		pool->templates[i].warm = 0;
	for (unsigned int i = 0; i < pool->n_slots; i++) {
		const struct slot *slot = &pool->slots[i];

		if (slot->state == SKEP_STATE_IDLE || slot->state == SKEP_STATE_BOUND ||
		    slot->quarantined)
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

unsigned int pool_count_idle(const struct pool *pool, __u32 template)
{
	return pool->templates[template].n_idle;
}

bool pool_is_empty(const struct pool *pool)
{
	return pool->counts[SKEP_STATE_NONE] == pool->n_slots;
}

unsigned int pool_shortage(const struct pool *pool, unsigned int min)
{
	const unsigned int n = staying(pool), coming = n < pool->max ? pool->max - n : 0;
	unsigned int wanted = 0;

	for (unsigned int i = 0; i < pool->n_templates; i++) {
		const struct per_template *t = &pool->templates[i];
		const unsigned int target = t->warm < min ? t->warm : min;

		if (!t->off && t->n_idle + t->n_starting < target)
			wanted += target - t->n_idle - t->n_starting;
	}
	return wanted > coming ? wanted - coming : 0;
}

bool pool_is_warm(const struct pool *pool)
{
	const unsigned int settled = staying(pool) - pool->counts[SKEP_STATE_STARTING];

	for (unsigned int i = 0; i < pool->n_templates; i++) {
		const struct per_template *t = &pool->templates[i];

		if (!t->off && t->n_idle < t->warm)
			return settled >= pool->max;
	}
	return true;
}
