/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Frames in the ring, as the uplink program puts them there: one that is held until somebody can
 * answer it, or one that goes on its way and shows what has come of it.
 */
#ifndef SKEP_BPF_HOLD_H
#define SKEP_BPF_HOLD_H

#include "ask.h"
#include "defer.h"
#include "parse.h"

/* Inlined with a constant @room, as ask_reserve() is; @len is no more. */
static __always_inline enum skep_verdict hold_record(struct xdp_md *ctx,
						     const struct skep_ask *head, __u64 len,
						     const __u64 room)
{
	struct skep_ask *record;

	record = ask_reserve(head, room);
	if (!record)
		return SKEP_DROP_ASK_RING_FULL;
	if (bpf_xdp_load_bytes(ctx, 0, record + 1, len)) {
		bpf_ringbuf_discard(record, 0);
		return SKEP_PASS_TRUNCATED;
	}
	bpf_ringbuf_submit(record, 0);
	return head->verdict;
}

/* Between them, or they become one comparison of the difference, which tells Linux 6.1 nothing of
 * @len. */
static __always_inline bool hold_fits(__u64 len)
{
	if (len < sizeof(struct ethhdr))
		return false;
	barrier_var(len);
	return len <= SKEP_ASK_LARGE;
}

/**
 * hold() - hands a frame to skepd
 * @verdict: what skepd is to do with it
 * @seen_ns: when it came
 *
 * Return: @verdict, or the one that says why it is lost.
 */
static __noinline enum skep_verdict hold(struct xdp_md *ctx, const struct skep_addr *address,
					 const struct frame *f, enum skep_verdict verdict,
					 __u64 seen_ns)
{
	const __u64 len = bpf_xdp_get_buff_len(ctx);
	const struct skep_ask head = {
		.seen_ns = seen_ns,
		.address = *address,
		.requester = f->sender,
		.verdict = (__u16)verdict,
		.frame_len = (__u16)len,
	};

	if (!hold_fits(len))
		return SKEP_DROP_ASK_TOO_LONG;
	if (len <= SKEP_ASK_SMALL)
		return hold_record(ctx, &head, len, SKEP_ASK_SMALL);
	return hold_record(ctx, &head, len, SKEP_ASK_LARGE);
}

/* How much of a frame that goes on is told. */
static __always_inline __u64 hold_part(struct xdp_md *ctx)
{
	const __u64 len = bpf_xdp_get_buff_len(ctx);

	return len < SKEP_ASK_SMALL ? len : SKEP_ASK_SMALL;
}

/**
 * hold_not() - tells skepd of a frame that goes on, with as much of it as a small record holds
 * @head: the record, but for its @frame_len
 *
 * Return: the record's verdict, or one that says why there is none.
 */
static __noinline enum skep_verdict hold_not(struct xdp_md *ctx, struct skep_ask *head)
{
	const __u64 len = hold_part(ctx);

	if (len < sizeof(struct ethhdr))
		return SKEP_PASS_TRUNCATED;
	head->frame_len = (__u16)len;
	return hold_record(ctx, head, len, SKEP_ASK_SMALL);
}

/**
 * hold_not_deferred() - the same, by and by: see defer.h
 *
 * Return: false when there is no room for it.
 */
static __always_inline bool hold_not_deferred(struct xdp_md *ctx, struct skep_ask *head)
{
	const __u64 len = hold_part(ctx);
	struct skep_ask_small *record;
	__u32 slot;

	if (len < sizeof(struct ethhdr))
		return false;
	head->frame_len = (__u16)len;
	record = defer_take(head, &slot);
	if (!record)
		return false;
	if (bpf_xdp_load_bytes(ctx, 0, record->frame, len)) {
		defer_drop(slot);
		return false;
	}
	defer_done(slot);
	return true;
}

#endif
