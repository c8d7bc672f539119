// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: packet_parse() on any bytes, each input alone in memory of exactly its size. What it
 * says must be inside of the packet, and what no filter could look through must not be taken.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "flow_state.h"

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_taken(const struct packet *p, size_t size)
{
	const size_t header = p->at - PACKET_IP_AT;

	check(PACKET_IP_AT + p->len <= size);
	check(header >= 20 && header <= 60 && header <= p->len);
	check(p->options == (header > 20));
	check(p->protocol == PACKET_TCP || p->protocol == PACKET_UDP || p->protocol == PACKET_ICMP);
	if (p->part == PACKET_LATER)
		check(!p->source && !p->dest && !p->flags);
	else
		check(p->len - header >= (p->protocol == PACKET_TCP ? 20 : 8));
}

/* The same flow, whichever way the packet goes. */
static void check_flow(const struct packet *p)
{
	struct packet back = *p;
	struct skep_flow_key in = {}, out = {};

	if (p->protocol == PACKET_ICMP) {
		if (!packet_is_query(p->flags))
			return;
		back.flags = p->flags == ICMP_ASK_ECHO ? ICMP_REPLY_TO_ECHO : ICMP_REPLY_TO_TIME;
	} else {
		back.source = p->dest;
		back.dest = p->source;
	}
	flow_ports(p, false, &in);
	flow_ports(&back, true, &out);
	check(!memcmp(&in, &out, sizeof(in)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *frame = malloc(size ? size : 1);
	enum packet_fault fault;
	struct packet p;

	check(frame != NULL);
	if (size)
		memcpy(frame, data, size);
	memset(&p, 0xa5, sizeof(p));
	fault = packet_parse(frame, frame + size, (uint32_t)size, &p);
	if (fault == PACKET_OK)
		check_taken(&p, size);
	if (fault == PACKET_OK && p.part != PACKET_LATER)
		check_flow(&p);
	return 0;
}
