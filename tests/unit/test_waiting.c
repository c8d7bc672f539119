// SPDX-License-Identifier: GPL-2.0
/*
 * First contacts that wait: order, templates, the bound, the end of patience; and a random run
 * beside a plain array.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "clock.h"
#include "waiting.h"

#define T0 (1000 * NS_PER_SEC)

static void free_waiting(struct waiting **w)
{
	*w = waiting_free(*w);
}

#define cleanup_waiting __attribute__((cleanup(free_waiting)))

static struct waiting *new_waiting(void)
{
	struct waiting *w = waiting_new();

	assert_non_null(w);
	return w;
}

/* The record of a who-has for 10.66.@n, with a frame that tells it from others. */
static struct skep_ask_small ask_for(unsigned int n, __u8 filling)
{
	struct skep_ask_small ask = {
		.head = {.seen_ns = T0 + n,
			 .address = {.ip.octet = {10, 66, (__u8)(n >> 8), (__u8)n},
				     .vlan = 7,
				     .uplink = 1},
			 .requester.octet = {10, 66, 0, 1},
			 .verdict = 3,
			 .frame_len = 42},
	};

	memset(ask.frame, filling, sizeof(ask.frame));
	return ask;
}

static bool add(struct waiting *w, unsigned int n, __u32 template, __u64 until_ns)
{
	struct skep_ask_small ask = ask_for(n, (__u8)n);

	return waiting_add(w, &ask.head, sizeof(ask), template, until_ns);
}

static void check_takes(struct waiting *w, __u32 template, const unsigned int *n, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		struct skep_ask_small expected = ask_for(n[i], (__u8)n[i]), got;

		assert_true(waiting_take(w, template, &got));
		assert_memory_equal(&got, &expected, sizeof(got));
	}
}

#define check_takes_are(w, template, ...)                             \
	check_takes(w, template, (const unsigned int[]){__VA_ARGS__}, \
		    ARRAY_SIZE(((const unsigned int[]){__VA_ARGS__})))

static void check_nobody(struct waiting *w, __u32 template)
{
	struct skep_ask_small got, before;

	memset(&got, 0xa5, sizeof(got));
	before = got;
	assert_false(waiting_take(w, template, &got));
	assert_memory_equal(&got, &before, sizeof(got));
}

static void nobody_waits_at_first(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();

	(void)state;
	assert_int_equal(waiting_count(w), 0);
	check_nobody(w, 0);
	assert_int_equal(waiting_expire(w, ~0ULL), 0);
	assert_null(waiting_free(NULL));
}

static void who_came_first_is_served_first(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();

	(void)state;
	assert_true(add(w, 3, 0, T0));
	assert_true(add(w, 1, 0, T0));
	assert_true(add(w, 2, 0, T0 + 1));
	assert_int_equal(waiting_count(w), 3);
	check_takes_are(w, 0, 3, 1);
	assert_int_equal(waiting_count(w), 1);
	assert_true(add(w, 4, 0, T0 + 2));
	check_takes_are(w, 0, 2, 4);
	assert_int_equal(waiting_count(w), 0);
	check_nobody(w, 0);
}

static void each_waits_for_its_template(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();

	(void)state;
	assert_true(add(w, 1, 5, T0));
	assert_true(add(w, 2, 0, T0));
	assert_true(add(w, 3, 5, T0));
	assert_true(add(w, 4, 0, T0));
	check_nobody(w, 1);
	check_takes_are(w, 0, 2);
	check_takes_are(w, 5, 1, 3);
	check_nobody(w, 5);
	check_takes_are(w, 0, 4);
}

/* Both asked, both want their frame delivered. */
static void two_may_wait_for_one_address(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct skep_ask_small other = ask_for(1, 0x77), got;

	(void)state;
	other.head.requester.octet[3]++;
	assert_true(add(w, 1, 0, T0));
	assert_true(add(w, 2, 0, T0));
	assert_true(waiting_add(w, &other.head, sizeof(other), 0, T0));
	assert_int_equal(waiting_count(w), 3);
	check_takes_are(w, 0, 1);
	/* Whoever comes first gets the container; the other is found by the address. */
	assert_true(waiting_take_address(w, &other.head.address, &got));
	assert_memory_equal(&got, &other, sizeof(got));
	assert_int_equal(waiting_count(w), 1);
	assert_false(waiting_take_address(w, &other.head.address, &got));
	check_takes_are(w, 0, 2);
}

static void who_waits_for_an_address_is_found_in_order(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct skep_ask_small asks[4], got;

	(void)state;
	for (__u8 i = 0; i < 4; i++) {
		asks[i] = ask_for(1, i);
		asks[i].head.requester.octet[3] = 9 - i;
		asks[i].head.address.vlan = i == 2 ? 8 : 7; /* another's */
		assert_true(waiting_add(w, &asks[i].head, sizeof(asks[i]), i, T0));
	}
	for (__u8 i = 0; i < 4; i++) {
		if (i == 2)
			continue;
		assert_true(waiting_take_address(w, &asks[0].head.address, &got));
		assert_memory_equal(&got, &asks[i], sizeof(got));
	}
	assert_false(waiting_take_address(w, &asks[0].head.address, &got));
	assert_int_equal(waiting_count(w), 1);
	assert_true(waiting_take(w, 2, &got));
	assert_memory_equal(&got, &asks[2], sizeof(got));
}

static void a_later_ask_takes_the_place_of_an_earlier_one(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct skep_ask_small again = ask_for(1, 0x77), got;

	(void)state;
	assert_true(add(w, 1, 0, T0 + 1));
	assert_true(add(w, 2, 0, T0 + 2));
	assert_true(waiting_add(w, &again.head, sizeof(again), 3, T0 + 3));
	assert_int_equal(waiting_count(w), 2);
	/* Its frame, its template, its time. */
	check_takes_are(w, 0, 2);
	check_nobody(w, 0);
	assert_int_equal(waiting_expire(w, T0 + 2), 0);
	assert_true(waiting_take(w, 3, &got));
	assert_memory_equal(&got, &again, sizeof(got));
	assert_int_equal(waiting_count(w), 0);
}

/* The whole key is the address: the same digits elsewhere are another's. */
static void addresses_differ_by_vlan_and_uplink(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct skep_ask_small vlan = ask_for(1, 1), uplink = ask_for(1, 1);

	(void)state;
	vlan.head.address.vlan++;
	uplink.head.address.uplink++;
	assert_true(add(w, 1, 0, T0));
	assert_true(waiting_add(w, &vlan.head, sizeof(vlan), 0, T0));
	assert_true(waiting_add(w, &uplink.head, sizeof(uplink), 0, T0));
	assert_int_equal(waiting_count(w), 3);
}

static void not_more_than_there_are_places(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct skep_ask_small got;

	(void)state;
	for (unsigned int i = 0; i < WAITING_MAX; i++)
		assert_true(add(w, i, 0, T0 + i));
	assert_false(add(w, WAITING_MAX, 0, T0 + WAITING_MAX));
	assert_int_equal(waiting_count(w), WAITING_MAX);
	/* Who waits already may ask again. */
	assert_true(add(w, 7, 0, T0 + WAITING_MAX));
	assert_int_equal(waiting_count(w), WAITING_MAX);
	/* One that goes makes room for one. */
	check_takes_are(w, 0, 0);
	assert_true(add(w, WAITING_MAX, 0, T0 + WAITING_MAX));
	assert_false(add(w, WAITING_MAX + 1, 0, T0 + WAITING_MAX));
	for (unsigned int i = 1; i < WAITING_MAX; i++)
		if (i != 7)
			check_takes_are(w, 0, i);
	check_takes_are(w, 0, 7, WAITING_MAX);
	assert_false(waiting_take(w, 0, &got));
}

static void what_is_over_is_forgotten(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();

	(void)state;
	assert_true(add(w, 1, 0, T0));
	assert_true(add(w, 2, 1, T0));
	assert_true(add(w, 3, 0, T0 + 10));
	assert_int_equal(waiting_expire(w, T0 - 1), 0);
	assert_int_equal(waiting_count(w), 3);
	assert_int_equal(waiting_expire(w, T0), 2);
	assert_int_equal(waiting_count(w), 1);
	assert_int_equal(waiting_expire(w, T0 + 9), 0);
	check_nobody(w, 1);
	check_takes_are(w, 0, 3);
	assert_int_equal(waiting_expire(w, ~0ULL), 0);
}

static void expiry_frees_every_place(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();

	(void)state;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < WAITING_MAX; i++)
			assert_true(add(w, i, i & 1, T0 + round));
		assert_false(add(w, WAITING_MAX, 0, T0 + round));
		assert_int_equal(waiting_expire(w, T0 + round), WAITING_MAX);
		assert_int_equal(waiting_count(w), 0);
	}
}

/* What does not fit is not cut off, and drives nobody out. */
static void a_large_record_does_not_wait(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct skep_ask_large large = {.head = ask_for(1, 0).head};

	(void)state;
	assert_false(waiting_add(w, &large.head, sizeof(large), 0, T0));
	assert_false(waiting_add(w, &large.head, sizeof(struct skep_ask_small) + 1, 0, T0));
	assert_int_equal(waiting_count(w), 0);
	assert_true(add(w, 1, 0, T0));
	assert_false(waiting_add(w, &large.head, sizeof(large), 0, T0));
	check_takes_are(w, 0, 1);
}

/* Of whoever had the place before nothing is left. */
static void a_short_record_is_filled_up_with_zeros(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct skep_ask_small got, expected = ask_for(300, 0);

	(void)state;
	for (unsigned int i = 0; i < WAITING_MAX; i++) {
		struct skep_ask_small ask = ask_for(i, 0xff);

		assert_true(waiting_add(w, &ask.head, sizeof(ask), 0, T0));
	}
	assert_int_equal(waiting_expire(w, T0), WAITING_MAX);
	memset(expected.frame, 0x11, 42);
	assert_true(waiting_add(w, &expected.head, sizeof(expected.head) + 42, 0, T0));
	assert_true(waiting_take(w, 0, &got));
	assert_memory_equal(&got, &expected, sizeof(got));
}

/* ---- the random run -------------------------------------------------------- */

#define STEPS 50000
#define ADDRESSES 400
#define TEMPLATES 3

struct model {
	struct waiting *w;
	__u64 random;
	__u64 now_ns;
	struct {
		unsigned int n;
		__u32 template;
		__u64 until_ns;
	} places[WAITING_MAX]; /* longest waiting first */
	unsigned int n;
	unsigned int full, again, taken, expired;
};

static unsigned int roll(struct model *m, unsigned int n)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return (unsigned int)((m->random >> 20) % n);
}

static void leave(struct model *m, unsigned int place)
{
	memmove(&m->places[place], &m->places[place + 1], (--m->n - place) * sizeof(m->places[0]));
}

static void do_add(struct model *m)
{
	unsigned int n = roll(m, ADDRESSES), t = roll(m, TEMPLATES);

	for (unsigned int i = 0; i < m->n; i++)
		if (m->places[i].n == n) {
			leave(m, i);
			m->again++;
		}
	assert_int_equal(add(m->w, n, t, m->now_ns + NS_PER_SEC), m->n < WAITING_MAX);
	if (m->n == WAITING_MAX) {
		m->full++;
		return;
	}
	m->places[m->n].n = n;
	m->places[m->n].template = t;
	m->places[m->n++].until_ns = m->now_ns + NS_PER_SEC;
}

static void do_take(struct model *m)
{
	__u32 t = roll(m, TEMPLATES);

	for (unsigned int i = 0; i < m->n; i++)
		if (m->places[i].template == t) {
			check_takes(m->w, t, &m->places[i].n, 1);
			leave(m, i);
			m->taken++;
			return;
		}
	check_nobody(m->w, t);
}

static void do_take_address(struct model *m)
{
	const unsigned int n = roll(m, ADDRESSES);
	const struct skep_ask_small expected = ask_for(n, (__u8)n);
	struct skep_ask_small got;
	bool found = false;

	for (unsigned int i = 0; i < m->n && !found; i++)
		if (m->places[i].n == n) {
			leave(m, i);
			found = true;
		}
	assert_int_equal(waiting_take_address(m->w, &expected.head.address, &got), found);
	if (found)
		assert_memory_equal(&got, &expected, sizeof(got));
}

static void do_expire(struct model *m)
{
	unsigned int n = 0;

	m->now_ns += roll(m, 50) ? roll(m, 10) * NS_PER_MS : NS_PER_SEC / 2;
	for (; m->n && m->places[0].until_ns <= m->now_ns; n++)
		leave(m, 0);
	assert_int_equal(waiting_expire(m->w, m->now_ns), n);
	m->expired += n;
}

static void a_random_run(void **state)
{
	cleanup_waiting struct waiting *w = new_waiting();
	struct model m = {.w = w, .random = 0x736b6570ULL, .now_ns = T0};

	(void)state;
	for (unsigned int i = 0; i < STEPS; i++) {
		unsigned int what = roll(&m, 100);

		if (what < 75)
			do_add(&m);
		else if (what < 80)
			do_take_address(&m);
		else if (what < 98)
			do_take(&m);
		else
			do_expire(&m);
		assert_int_equal(waiting_count(w), m.n);
	}
	assert_true(m.full > 100 && m.again > 100 && m.taken > 100 && m.expired > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_waits_at_first),
		cmocka_unit_test(who_came_first_is_served_first),
		cmocka_unit_test(each_waits_for_its_template),
		cmocka_unit_test(two_may_wait_for_one_address),
		cmocka_unit_test(who_waits_for_an_address_is_found_in_order),
		cmocka_unit_test(a_later_ask_takes_the_place_of_an_earlier_one),
		cmocka_unit_test(addresses_differ_by_vlan_and_uplink),
		cmocka_unit_test(not_more_than_there_are_places),
		cmocka_unit_test(what_is_over_is_forgotten),
		cmocka_unit_test(expiry_frees_every_place),
		cmocka_unit_test(a_large_record_does_not_wait),
		cmocka_unit_test(a_short_record_is_filled_up_with_zeros),
		cmocka_unit_test(a_random_run),
	};

	return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
