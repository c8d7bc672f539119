/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program asks skepd, and tells it, in the ring `asks`: a test reads it in skepd's place,
 * and sees what was there and whether it would have been woken up. Included after harness.h.
 */
#ifndef SKEP_TESTS_BPF_ASKS_H
#define SKEP_TESTS_BPF_ASKS_H

#include <sys/epoll.h>

#include "skep/ask.h"

#define ASKS_KEPT 64

/* Bytes of the ring that a record takes: the kernel puts 8 before it and aligns to 8. */
#define ASKS_SMALL_TAKES (8 + sizeof(struct skep_ask_small))
#define ASKS_LARGE_TAKES (8 + sizeof(struct skep_ask_large))

/* How many records fit into a ring of this many bytes. */
#define ASKS_ROOM(bytes, takes) (((bytes)-1) / (takes))

struct ask_record {
	struct skep_ask_large ask;
	size_t size;
};

/* The @n records that were read; of more than ASKS_KEPT the last ones. */
static struct {
	struct ring_buffer *ring;
	struct ask_record records[ASKS_KEPT];
	unsigned int n;
} asks;

static int asks_on_record(void *data, void *record, size_t size)
{
	struct ask_record *to = &asks.records[asks.n++ % ASKS_KEPT];

	(void)data;
	assert_in_range(size, sizeof(struct skep_ask), sizeof(to->ask));
	memset(&to->ask, 0xa5, sizeof(to->ask));
	memcpy(&to->ask, record, size);
	to->size = size;
	return 0;
}

static inline int asks_open(const struct bpf_map *map)
{
	asks.ring = ring_buffer__new(bpf_map__fd(map), asks_on_record, NULL, NULL);
	return asks.ring ? 0 : -1;
}

static inline void asks_close(void)
{
	ring_buffer__free(asks.ring);
	asks.ring = NULL;
}

/* After what was read before. Return: how many there are by now. */
static inline unsigned int asks_read_on(void)
{
	assert_true(ring_buffer__consume(asks.ring) >= 0);
	return asks.n;
}

/* Takes what waits in the ring. Return: how many records that were. */
static inline unsigned int asks_read(void)
{
	asks.n = 0;
	return asks_read_on();
}

static inline const struct skep_ask *asks_nth(unsigned int nth)
{
	return &asks.records[nth % ASKS_KEPT].ask.head;
}

/* As expected to its last byte, the room behind the frame included; written since then. */
static inline void asks_check(const struct ask_record *record, const struct skep_ask *head,
			      const struct bytes *frame, __u64 since_ns)
{
	static struct skep_ask_large expected;
	const size_t room = head->frame_len <= SKEP_ASK_SMALL ? SKEP_ASK_SMALL : SKEP_ASK_LARGE;

	assert_int_equal(record->size, sizeof(*head) + room);
	assert_in_range(record->ask.head.seen_ns, since_ns, harness_clock(CLOCK_MONOTONIC));
	memset(&expected, 0, sizeof(expected));
	expected.head = *head;
	expected.head.seen_ns = record->ask.head.seen_ns;
	memcpy(expected.frame, frame->at, head->frame_len);
	assert_memory_equal(&record->ask, &expected, record->size);
}

/* A watch over wake-ups of the ring's reader: not over records, which may be there without any. */
static inline int asks_watch(const struct bpf_map *map)
{
	struct epoll_event on = {.events = EPOLLIN | EPOLLET};
	int watch = epoll_create1(EPOLL_CLOEXEC);

	assert_true(watch >= 0);
	assert_int_equal(epoll_ctl(watch, EPOLL_CTL_ADD, bpf_map__fd(map), &on), 0);
	return watch;
}

/* Whether there was a wake-up since this was asked last, or is one within this time. */
static inline bool asks_is_woken(int watch, int timeout_ms)
{
	struct epoll_event event;
	int n = epoll_wait(watch, &event, 1, timeout_ms);

	assert_true(n >= 0);
	return n > 0;
}

#endif
