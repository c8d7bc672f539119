// SPDX-License-Identifier: GPL-2.0
/*
 * A long random run of the pool beside a second, slower pool that remembers no queue, only when
 * what happened: after each step both must be in the same state, and whatever the pool decides must
 * be what the slower one would have decided.
 */
#include "pool_lab.h"

#define SLOTS 48
#define TEMPLATES 3
#define GROUPS 4
#define STEPS 200000
#define ANY TEMPLATES /* template */

/**
 * struct rest - a template pauses
 * @in_a_row: failures
 */
struct rest {
	__u64 length_ns;
	__u64 until_ns;
	unsigned int in_a_row;
};

/* What a run must have seen, or it has tested nothing. */
enum seen {
	SEEN_STATES, /* and one for each */
	SEEN_OFF = SEEN_STATES + SKEP_STATE_MAX,
	SEEN_ON,
	SEEN_FULL_QUARANTINE,
	SEEN_END_OF_QUARANTINE,
	SEEN_RETRY,
	SEEN_SHARE,
	SEEN_NOBODY_SHARES,
	SEEN_LOST_LEASE,
	SEEN_SURPLUS,
	SEEN_SHORTAGE,
	SEEN_OVER_MAX,
	SEEN_MAX,
};

/**
 * struct model - what the pool has to know, without a queue
 * @since:  number of the step that brought the slot where it is; tells the oldest
 * @given:  a dirty slot was given out to be recycled
 * @retry:  it failed to be recycled; else a failed slot is quarantined
 * @placed: number of the step that brought the slot to the end of its group
 * @unlucky: in these times nothing starts
 */
struct model {
	struct pool *pool;
	__u64 random;
	__u64 now_ns;
	__u64 step;
	unsigned int max;
	unsigned int n_groups;
	unsigned int limit;
	struct {
		enum skep_state state;
		__u32 template;
		bool given;
		bool retry;
		__u64 since;
		__u64 retry_ns;
		__u32 group;
		unsigned int leases;
		__u64 placed;
	} slots[SLOTS];
	struct {
		unsigned int warm;
		struct rest starts;
		struct rest deaths;
		bool off;
	} templates[TEMPLATES];
	bool unlucky;
	unsigned int seen[SEEN_MAX];
};

/* xorshift64: the same run each time. */
static unsigned int roll(struct model *m, unsigned int n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned int)((m->random >> 20) % n);
}

static void move(struct model *m, __u32 slot, enum skep_state state)
{
	m->slots[slot].state = state;
	m->slots[slot].given = false;
	m->slots[slot].retry = false;
	m->slots[slot].leases = 0;
	m->slots[slot].since = ++m->step;
	m->seen[SEEN_STATES + state]++;
}

/* ---- questions the pool answers from its queues ---------------------------- */

static unsigned int count_of(const struct model *m, enum skep_state state, __u32 template)
{
	unsigned int n = 0;

	for (__u32 i = 0; i < SLOTS; i++)
		n += m->slots[i].state == state &&
		     (template == ANY || m->slots[i].template == template);
	return n;
}

static unsigned int warm_of(const struct model *m, __u32 template)
{
	return count_of(m, SKEP_STATE_IDLE, template) + count_of(m, SKEP_STATE_STARTING, template);
}

/* Those that live or soon will, and those that could not be recycled and so are still there. */
static unsigned int staying(const struct model *m)
{
	unsigned int n = warm_of(m, ANY) + count_of(m, SKEP_STATE_BOUND, ANY);

	for (__u32 i = 0; i < SLOTS; i++)
		n += m->slots[i].state == SKEP_STATE_FAILED && m->slots[i].retry;
	return n;
}

/* Of those that nobody has in hand. */
static __u32 oldest(const struct model *m, enum skep_state state, __u32 template, bool retry)
{
	__u32 found = POOL_NO_SLOT;

	for (__u32 i = 0; i < SLOTS; i++)
		if (m->slots[i].state == state && !m->slots[i].given &&
		    m->slots[i].retry == retry &&
		    (template == ANY || m->slots[i].template == template) &&
		    (found == POOL_NO_SLOT || m->slots[i].since < m->slots[found].since))
			found = i;
	return found;
}

/* The slot freed last. */
static __u32 free_slot(const struct model *m)
{
	__u32 found = POOL_NO_SLOT;

	for (__u32 i = 0; i < SLOTS; i++)
		if (m->slots[i].state == SKEP_STATE_NONE &&
		    (found == POOL_NO_SLOT || m->slots[i].since > m->slots[found].since))
			found = i;
	return found;
}

/* Of any slot in the state, at random; of the dirty one that was given out. */
static __u32 any(struct model *m, enum skep_state state)
{
	__u32 first = roll(m, SLOTS);

	for (__u32 i = 0; i < SLOTS; i++) {
		__u32 slot = (first + i) % SLOTS;

		if (m->slots[slot].state == state &&
		    (state != SKEP_STATE_RECYCLING || m->slots[slot].given))
			return slot;
	}
	return POOL_NO_SLOT;
}

static bool may_share(const struct model *m, __u32 slot)
{
	return m->slots[slot].leases && m->slots[slot].leases < m->limit;
}

static __u32 share_of(const struct model *m, __u32 group)
{
	__u32 found = POOL_NO_SLOT;

	for (__u32 i = 0; i < SLOTS; i++)
		if (may_share(m, i) && m->slots[i].group == group &&
		    (found == POOL_NO_SLOT || m->slots[i].placed < m->slots[found].placed))
			found = i;
	return found;
}

static __u64 resume_ns(const struct model *m, __u32 t)
{
	return later(m->templates[t].starts.until_ns, m->templates[t].deaths.until_ns);
}

static unsigned int lacks(const struct model *m, __u32 template, unsigned int divisor)
{
	unsigned int target = (m->templates[template].warm + divisor - 1) / divisor;
	unsigned int have = warm_of(m, template);

	if (m->templates[template].off || m->now_ns < resume_ns(m, template) || have >= target)
		return 0;
	return target - have;
}

static struct pool_job start_due(const struct model *m, unsigned int divisor)
{
	struct pool_job job = {POOL_NOTHING, free_slot(m), 0};

	if (job.slot == POOL_NO_SLOT ||
	    staying(m) + count_of(m, SKEP_STATE_RECYCLING, ANY) >= m->max)
		return job;
	for (__u32 t = 0; t < TEMPLATES; t++)
		if (lacks(m, t, divisor) > (job.op ? lacks(m, job.template, divisor) : 0))
			job = (struct pool_job){POOL_START, job.slot, t};
	return job;
}

/* Whoever has been in quarantine for long enough queues up behind the dirty. */
static struct pool_job recycle_due(struct model *m)
{
	__u32 slot = oldest(m, SKEP_STATE_FAILED, ANY, false);

	if (slot != POOL_NO_SLOT && m->slots[slot].retry_ns <= m->now_ns) {
		move(m, slot, SKEP_STATE_RECYCLING);
		m->seen[SEEN_END_OF_QUARANTINE]++;
	}
	slot = oldest(m, SKEP_STATE_RECYCLING, ANY, false);
	if (slot != POOL_NO_SLOT)
		return (struct pool_job){POOL_RECYCLE, slot, m->slots[slot].template};
	slot = oldest(m, SKEP_STATE_FAILED, ANY, true);
	if (slot == POOL_NO_SLOT || m->slots[slot].retry_ns > m->now_ns)
		return (struct pool_job){POOL_NOTHING, 0, 0};
	m->seen[SEEN_RETRY]++;
	return (struct pool_job){POOL_RECYCLE, slot, m->slots[slot].template};
}

static struct pool_job due(struct model *m)
{
	struct pool_job job = start_due(m, 2);

	if (job.op == POOL_NOTHING)
		job = recycle_due(m);
	return job.op == POOL_NOTHING ? start_due(m, 1) : job;
}

static __u32 surplus_of(const struct model *m)
{
	__u32 most = 0;

	for (__u32 t = 0; t < TEMPLATES; t++)
		if (count_of(m, SKEP_STATE_IDLE, t) > m->templates[t].warm)
			return oldest(m, SKEP_STATE_IDLE, t, false);
	for (__u32 t = 1; t < TEMPLATES; t++)
		if (count_of(m, SKEP_STATE_IDLE, t) > count_of(m, SKEP_STATE_IDLE, most))
			most = t;
	return staying(m) > m->max ? oldest(m, SKEP_STATE_IDLE, most, false) : POOL_NO_SLOT;
}

static unsigned int shortage_of(const struct model *m, unsigned int min)
{
	int short_of = 0, room = (int)m->max - (int)staying(m);

	for (__u32 t = 0; t < TEMPLATES; t++) {
		int want = (int)(m->templates[t].warm < min ? m->templates[t].warm : min) -
			   (int)warm_of(m, t);

		if (want > 0 && !m->templates[t].off)
			short_of += want;
	}
	short_of -= room > 0 ? room : 0;
	return short_of > 0 ? (unsigned int)short_of : 0;
}

static __u64 wake_of(const struct model *m)
{
	__u64 wake = ~0ULL;

	for (__u32 i = 0; i < SLOTS; i++)
		if (m->slots[i].state == SKEP_STATE_FAILED && m->slots[i].retry_ns < wake)
			wake = m->slots[i].retry_ns;
	for (__u32 t = 0; t < TEMPLATES; t++)
		if (resume_ns(m, t) > m->now_ns && warm_of(m, t) < m->templates[t].warm &&
		    !m->templates[t].off && resume_ns(m, t) < wake)
			wake = resume_ns(m, t);
	return wake == ~0ULL ? 0 : wake;
}

static bool warm(const struct model *m)
{
	bool full = staying(m) - count_of(m, SKEP_STATE_STARTING, ANY) >= m->max;

	for (__u32 t = 0; t < TEMPLATES; t++)
		if (!m->templates[t].off && count_of(m, SKEP_STATE_IDLE, t) < m->templates[t].warm)
			return full;
	return true;
}

/* ---- what happens ---------------------------------------------------------- */

static void do_next(struct model *m)
{
	struct pool_job expected = due(m);
	struct pool_job job = pool_next(m->pool, m->now_ns);

	assert_int_equal(job.op, expected.op);
	if (job.op == POOL_NOTHING)
		return;
	assert_int_equal(job.slot, expected.slot);
	assert_int_equal(job.template, expected.template);
	if (job.op == POOL_START) {
		m->slots[job.slot].template = job.template;
		move(m, job.slot, SKEP_STATE_STARTING);
	} else {
		move(m, job.slot, SKEP_STATE_RECYCLING);
		m->slots[job.slot].given = true;
	}
}

static void do_started(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_STARTING);

	if (slot == POOL_NO_SLOT)
		return;
	pool_started(m->pool, slot);
	m->templates[m->slots[slot].template].starts = (struct rest){};
	move(m, slot, SKEP_STATE_IDLE);
}

static void rest(struct rest *rest, __u64 now_ns)
{
	__u64 twice = rest->length_ns ? 2 * rest->length_ns : NS_PER_SEC;

	if (now_ns < rest->until_ns)
		return; /* one of those that fail together */
	rest->in_a_row++;
	rest->length_ns = twice > 60 * NS_PER_SEC ? 60 * NS_PER_SEC : twice;
	rest->until_ns = now_ns + rest->length_ns;
}

/* Into quarantine, out of which another may have to go for it. */
static void failed(struct model *m, __u32 slot, bool starting, struct pool_failure failure)
{
	const __u32 t = m->slots[slot].template, first = oldest(m, SKEP_STATE_FAILED, ANY, false);
	struct rest *r = starting ? &m->templates[t].starts : &m->templates[t].deaths;
	unsigned int n = 0;

	for (__u32 i = 0; i < SLOTS; i++)
		n += m->slots[i].state == SKEP_STATE_FAILED && !m->slots[i].retry;
	assert_in_range(n, 0, POOL_QUARANTINE_MAX);
	assert_int_equal(failure.released, n == POOL_QUARANTINE_MAX ? first : POOL_NO_SLOT);
	if (n == POOL_QUARANTINE_MAX) {
		move(m, first, SKEP_STATE_RECYCLING);
		m->seen[SEEN_FULL_QUARANTINE]++;
	}
	move(m, slot, SKEP_STATE_FAILED);
	m->slots[slot].retry_ns = m->now_ns + QUARANTINE_NS;
	rest(r, m->now_ns);
	assert_int_equal(failure.pause_ns, r->length_ns);
	assert_int_equal(failure.off, r->in_a_row >= POOL_FAILURES_MAX && !m->templates[t].off);
	m->templates[t].off |= failure.off;
	m->seen[SEEN_OFF] += failure.off;
}

static void do_start_failed(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_STARTING);

	if (slot != POOL_NO_SLOT && (m->unlucky || !roll(m, 8)))
		failed(m, slot, true, pool_start_failed(m->pool, slot, m->now_ns));
}

static void do_died(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_IDLE);

	if (slot != POOL_NO_SLOT && !roll(m, 8))
		failed(m, slot, false, pool_died(m->pool, slot, m->now_ns));
}

static void do_refused(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_BOUND);

	if (slot != POOL_NO_SLOT && !roll(m, 16))
		failed(m, slot, false, pool_refused(m->pool, slot, m->now_ns));
}

static void add_lease(struct model *m, __u32 slot, __u32 group)
{
	bool stood = may_share(m, slot);

	pool_add_lease(m->pool, slot, group);
	if (!m->slots[slot].leases++)
		m->slots[slot].group = group;
	if (!stood)
		m->slots[slot].placed = ++m->step;
	m->templates[m->slots[slot].template].deaths = (struct rest){};
}

/* Sometimes its lease is still to come. */
static void do_take(struct model *m)
{
	__u32 t = roll(m, TEMPLATES), slot = take_oldest(m->pool, t);

	assert_int_equal(slot, oldest(m, SKEP_STATE_IDLE, t, false));
	if (slot == POOL_NO_SLOT)
		return;
	move(m, slot, SKEP_STATE_BOUND);
	if (m->n_groups && roll(m, 4))
		add_lease(m, slot, roll(m, m->n_groups));
}

static void do_share(struct model *m)
{
	__u32 group = roll(m, GROUPS + 1), slot = pool_share(m->pool, group);

	assert_int_equal(slot, group < m->n_groups ? share_of(m, group) : POOL_NO_SLOT);
	if (slot == POOL_NO_SLOT) {
		m->seen[SEEN_NOBODY_SHARES]++;
		return;
	}
	m->seen[SEEN_SHARE]++;
	m->slots[slot].placed = ++m->step;
	if (roll(m, 4))
		add_lease(m, slot, group);
}

static void do_drop_lease(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_BOUND);
	bool stood;

	if (slot == POOL_NO_SLOT || !m->slots[slot].leases)
		return;
	stood = may_share(m, slot);
	assert_int_equal(pool_drop_lease(m->pool, slot), --m->slots[slot].leases);
	if (!stood)
		m->slots[slot].placed = ++m->step;
	m->seen[SEEN_LOST_LEASE]++;
}

static void do_give_up(struct model *m)
{
	static const enum skep_state states[] = {SKEP_STATE_BOUND, SKEP_STATE_BOUND,
						 SKEP_STATE_BOUND, SKEP_STATE_IDLE,
						 SKEP_STATE_STARTING};
	__u32 slot = any(m, states[roll(m, ARRAY_SIZE(states))]);

	if (!roll(m, 50))
		slot = any(m, SKEP_STATE_FAILED);
	if (slot == POOL_NO_SLOT)
		return;
	pool_give_up(m->pool, slot);
	move(m, slot, SKEP_STATE_RECYCLING);
}

static void do_recycled(struct model *m)
{
	__u32 slot = any(m, SKEP_STATE_RECYCLING);

	if (slot == POOL_NO_SLOT)
		return;
	if (roll(m, 8)) {
		pool_recycled(m->pool, slot);
		move(m, slot, SKEP_STATE_NONE);
		return;
	}
	pool_recycle_failed(m->pool, slot, m->now_ns);
	move(m, slot, SKEP_STATE_FAILED);
	m->slots[slot].retry = true;
	m->slots[slot].retry_ns = m->now_ns + NS_PER_SEC;
}

/* All that is too much, as after a reload. */
static void do_give_up_surplus(struct model *m)
{
	__u32 slot;

	while ((slot = pool_surplus(m->pool)) != POOL_NO_SLOT) {
		assert_int_equal(slot, surplus_of(m));
		pool_give_up(m->pool, slot);
		move(m, slot, SKEP_STATE_RECYCLING);
		m->seen[SEEN_SURPLUS]++;
	}
}

static void do_wait(struct model *m)
{
	m->now_ns += roll(m, 100) ? roll(m, 200) * NS_PER_MS : QUARANTINE_NS / 2;
}

/* ---- what happens seldom --------------------------------------------------- */

static void do_adopt(struct model *m)
{
	static const enum skep_state states[] = {SKEP_STATE_IDLE, SKEP_STATE_BOUND,
						 SKEP_STATE_RECYCLING};
	enum skep_state state = states[roll(m, ARRAY_SIZE(states))];
	__u32 slot = any(m, SKEP_STATE_NONE);

	if (slot == POOL_NO_SLOT)
		return;
	m->slots[slot].template = 0;
	if (state == SKEP_STATE_RECYCLING) {
		pool_adopt_dirty(m->pool, slot);
	} else {
		m->slots[slot].template = roll(m, TEMPLATES);
		pool_adopt(m->pool, slot, m->slots[slot].template, state);
	}
	move(m, slot, state);
}

static void do_set_warm(struct model *m)
{
	__u32 t = roll(m, TEMPLATES);

	m->templates[t].warm = roll(m, 12);
	pool_set_warm(m->pool, t, m->templates[t].warm);
	if (roll(m, 2))
		do_give_up_surplus(m);
}

static void do_set_max(struct model *m)
{
	m->max = roll(m, 4) ? SLOTS / 2 + roll(m, SLOTS / 2) : roll(m, SLOTS / 2);
	pool_set_max(m->pool, m->max);
	if (roll(m, 2))
		do_give_up_surplus(m);
}

/* Some containers get their leases back, some their first, some of several groups. */
static void do_set_groups(struct model *m)
{
	m->n_groups = roll(m, GROUPS + 1);
	m->limit = 1 + roll(m, 5);
	assert_int_equal(pool_set_groups(m->pool, m->n_groups, m->limit), 0);
	for (__u32 i = 0; i < SLOTS; i++)
		m->slots[i].leases = 0;
	for (__u32 i = 0; i < 2 * SLOTS; i++)
		if (m->slots[i % SLOTS].state == SKEP_STATE_BOUND && m->n_groups && roll(m, 2))
			add_lease(m, i % SLOTS, roll(m, m->n_groups));
}

static void do_switch_on(struct model *m)
{
	__u32 t = roll(m, TEMPLATES);

	pool_switch_on(m->pool, t);
	m->seen[SEEN_ON] += m->templates[t].off;
	m->templates[t].off = false;
	m->templates[t].starts = m->templates[t].deaths = (struct rest){};
}

static void do_bad_luck(struct model *m)
{
	m->unlucky = true;
	for (int i = 0; i < 30; i++) {
		do_next(m);
		do_start_failed(m);
		m->now_ns += NS_PER_SEC;
	}
	m->unlucky = false;
}

static void drain(struct model *m)
{
	pool_drain(m->pool);
	for (__u32 i = 0; i < SLOTS; i++)
		if (m->slots[i].state == SKEP_STATE_IDLE || m->slots[i].state == SKEP_STATE_BOUND ||
		    (m->slots[i].state == SKEP_STATE_FAILED && !m->slots[i].retry))
			move(m, i, SKEP_STATE_RECYCLING);
	for (__u32 t = 0; t < TEMPLATES; t++)
		m->templates[t].warm = 0;
}

static void do_drain(struct model *m)
{
	if (!roll(m, 20))
		drain(m);
}

static void step(struct model *m)
{
	static void (*const often[])(struct model * m) = {
		do_next,       do_next,	   do_next,	    do_next,	 do_started,  do_started,
		do_started,    do_started, do_take,	    do_take,	 do_share,    do_share,
		do_drop_lease, do_give_up, do_recycled,	    do_recycled, do_recycled, do_wait,
		do_died,       do_refused, do_start_failed,
	};
	static void (*const seldom[])(struct model * m) = {
		do_adopt,     do_set_warm,  do_set_warm, do_set_max,  do_set_groups, do_switch_on,
		do_switch_on, do_switch_on, do_bad_luck, do_bad_luck, do_drain,
	};

	if (roll(m, 60))
		often[roll(m, ARRAY_SIZE(often))](m);
	else
		seldom[roll(m, ARRAY_SIZE(seldom))](m);
}

static void check_sums(struct model *m)
{
	unsigned int min = roll(m, 6);
	__u64 off = 0;

	for (__u32 t = 0; t < TEMPLATES; t++) {
		off |= (__u64)m->templates[t].off << t;
		assert_int_equal(pool_count_idle(m->pool, t), count_of(m, SKEP_STATE_IDLE, t));
	}
	assert_int_equal(pool_off(m->pool), off);
	assert_int_equal(pool_wake_ns(m->pool, m->now_ns), wake_of(m));
	assert_int_equal(pool_is_warm(m->pool), warm(m));
	assert_int_equal(pool_is_empty(m->pool), count_of(m, SKEP_STATE_NONE, ANY) == SLOTS);
	assert_int_equal(pool_surplus(m->pool), surplus_of(m));
	assert_int_equal(pool_shortage(m->pool, min), shortage_of(m, min));
	m->seen[SEEN_SHORTAGE] += shortage_of(m, min) > 0;
	m->seen[SEEN_OVER_MAX] += staying(m) > m->max;
}

static void check(struct model *m)
{
	for (enum skep_state state = 0; state < SKEP_STATE_MAX; state++)
		assert_int_equal(pool_count(m->pool, state), count_of(m, state, ANY));
	for (__u32 slot = 0; slot < SLOTS; slot++) {
		assert_int_equal(pool_state(m->pool, slot), m->slots[slot].state);
		assert_int_equal(pool_leases(m->pool, slot), m->slots[slot].leases);
		if (m->slots[slot].state != SKEP_STATE_NONE)
			assert_int_equal(pool_template(m->pool, slot), m->slots[slot].template);
	}
	check_sums(m);
}

/* No slot is lost, however the run went: all of them become free again. */
static void empty(struct model *m)
{
	drain(m);
	m->now_ns += 2 * NS_PER_SEC;
	for (__u32 slot = 0; slot < SLOTS; slot++) {
		if (m->slots[slot].state == SKEP_STATE_STARTING)
			pool_give_up(m->pool, slot);
		if (m->slots[slot].state == SKEP_STATE_RECYCLING && m->slots[slot].given)
			pool_recycled(m->pool, slot);
	}
	for (;;) {
		struct pool_job job = pool_next(m->pool, m->now_ns);

		if (job.op == POOL_NOTHING)
			break;
		assert_int_equal(job.op, POOL_RECYCLE);
		pool_recycled(m->pool, job.slot);
	}
	assert_true(pool_is_empty(m->pool));
	check_counts_are(m->pool, [SKEP_STATE_NONE] = SLOTS);
}

static void run(__u64 seed)
{
	cleanup_pool struct pool *pool = pool_new(SLOTS, TEMPLATES);
	struct model m = {.pool = pool, .random = seed, .now_ns = T0, .limit = 1};

	assert_non_null(pool);
	m.step = SLOTS;
	for (__u32 slot = 0; slot < SLOTS; slot++)
		m.slots[slot].since = SLOTS - slot; /* low ones are taken first */
	do_set_max(&m);
	do_set_groups(&m);
	for (unsigned int i = 0; i < STEPS; i++) {
		step(&m);
		check(&m);
	}
	for (enum seen s = 0; s < SEEN_MAX; s++)
		if (m.seen[s] < STEPS / 2000)
			fail_msg("a run that saw %d only %u times", s, m.seen[s]);
	empty(&m);
}

static void a_long_random_run(void **state)
{
	(void)state;
	run(0x736b6570ULL);
}

static void another_one(void **state)
{
	(void)state;
	run(0x62656573ULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_long_random_run),
		cmocka_unit_test(another_one),
	};

	return cmocka_run_group_tests_name("pool random", tests, NULL, NULL);
}
