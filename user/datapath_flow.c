// SPDX-License-Identifier: GPL-2.0
/*
 * Flows as skepd sees them: it lists them, and begins some. A frame that was held reaches its
 * container past the uplink program, and begins a flow all the same, or the container could not
 * answer it. This is what bpf/flow_in.h does for all others.
 */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "clock.h"
#include "datapath_private.h"
#include "flow_state.h"

/* Where the frame would begin if it had no tag: its addresses are not looked at. */
static const __u8 *untagged(const struct frame *f, const __u8 *frame, size_t *len)
{
	const size_t skip = f->tagged ? sizeof(struct parse_tag) : 0;

	*len -= skip;
	return frame + skip;
}

static bool begins_flow(const struct packet *p, enum packet_fault fault)
{
	if (fault != PACKET_OK && fault != PACKET_PROTOCOL)
		return false;
	return flow_may_begin(p);
}

static void note_peer(const struct datapath *dp, const struct skep_flow_key *key,
		      const struct skep_flow *flow)
{
	const struct skep_pair pair = {.address = key->local, .other = key->remote};
	const struct skep_peer peer = {.lease = flow->lease, .last_ns = flow->peer_ns};

	bpf_map_update_elem(dp->peers, &pair, &peer, BPF_ANY);
}

void datapath_note_flow(const struct datapath *dp, const struct skep_addr *address,
			const struct skep_lease *lease, const struct frame *f, const __u8 *frame,
			size_t len)
{
	const __u64 now = monotonic_ns();
	struct skep_flow_key key = {.local = *address, .remote = f->sender};
	struct skep_flow flow;
	enum packet_fault fault;
	struct packet p;

	frame = untagged(f, frame, &len);
	fault = packet_parse(frame, frame + len, (__u32)len, &p);
	if (!begins_flow(&p, fault))
		return;
	flow_ports(&p, false, &key);
	if (!bpf_map_lookup_elem(dp->flows, &key, &flow) && flow.lease == lease->id)
		return; /* one more packet of it came in between */
	flow = (struct skep_flow){
		.lease = lease->id,
		.first_ns = now,
		.last_ns = now,
		.peer_ns = now,
		.packets_in = 1,
		.bytes_in = p.len,
	};
	bpf_map_update_elem(dp->flows, &key, &flow, BPF_ANY);
	note_peer(dp, &key, &flow);
}

int datapath_flow(const struct datapath *dp, const struct skep_flow_key *key, struct skep_flow *ret)
{
	struct skep_lease lease;

	if (bpf_map_lookup_elem(dp->flows, key, ret) ||
	    flow_is_over(ret, key->protocol, monotonic_ns()))
		return -ENOENT;
	if (datapath_lease(dp, &key->local, &lease) || lease.id != ret->lease)
		return -ENOENT;
	return 0;
}

#define BATCH 4096U

/* struct walk - what was found of the map so far */
struct walk {
	struct skep_flow_key *keys;
	size_t n, room;
};

static int keep(struct walk *walk, const struct skep_flow_key *key)
{
	void *more;

	if (walk->n == walk->room) {
		more = reallocarray(walk->keys, walk->room + BATCH, sizeof(*walk->keys));
		if (!more)
			return -ENOMEM;
		walk->keys = more;
		walk->room += BATCH;
	}
	walk->keys[walk->n++] = *key;
	return 0;
}

/* Bucket by bucket: so each flow comes once, whatever changes meanwhile. */
int datapath_flows(const struct datapath *dp, __be32 address, struct skep_flow_key **ret)
{
	cleanup_free struct skep_flow_key *keys = calloc(BATCH, sizeof(*keys));
	cleanup_free struct skep_flow *flows = calloc(BATCH, sizeof(*flows));
	struct walk walk = {};
	__u32 place, *after = NULL;
	int err = keys && flows ? 0 : -ENOMEM, kept = 0;

	while (!err && !kept) {
		__u32 n = BATCH;

		err = bpf_map_lookup_batch(dp->flows, after, &place, keys, flows, &n, NULL);
		for (__u32 i = 0; (!err || err == -ENOENT) && i < n && !kept; i++)
			if (!address || keys[i].local.ip.addr == address)
				kept = keep(&walk, &keys[i]);
		after = &place;
	}
	if (err != -ENOENT || kept) {
		free(walk.keys);
		return kept ? kept : err;
	}
	*ret = walk.keys;
	return (int)walk.n;
}
