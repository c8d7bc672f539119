// SPDX-License-Identifier: GPL-2.0
/*
 * What a container can put into an IPv4 frame to be taken for something else, or to get by:
 * options, tunnels, fragments, lengths, groups, addresses of no station. The policy lets everything
 * out that it is asked about, so whatever is dropped here no rule can let out. Link addresses, ARP
 * fields and tags are test_port.c's.
 */

#include "gate.h"

struct row {
	const char *name;
	struct bytes in;
	enum skep_verdict verdict;
};

static const struct skep_policy open_policy = {.serial = 1, .verdict = SKEP_RULE_ALLOW};

static void becomes(void **state)
{
	const struct row *row = *state;

	gate_reset();
	gate_set_policy(&open_policy);
	gate_check(GATE_OUT, &row->in, row->verdict, &row->in);
}

/* ---- the table ------------------------------------------------------------------ */

#define IS(what, frame) BYTES(frame), SKEP_PORT_##what
#define SENT(packet) IS(OUT_ALLOWED, ETH_OUT packet)
#define DROPPED(what, packet) IS(DROP_##what, ETH_OUT packet)
#define PAYLOAD "\x00\x00\x00\x00\x00\x00\x00\x00"
#define UDP_TO(dst) UDP_PACKET(IP_LEASED, dst, PORT_X, PORT_53)
#define OF(len, fragment, protocol) IP_OF(len, ID, fragment, protocol, NO_SUM, IP_LEASED, IP_CLIENT)
#define WITH_OPTIONS(head, options)                                                               \
	head "\x00\x00\x24" ID WHOLE "\x40" UDP NO_SUM IP_LEASED IP_CLIENT options UDP_OF(PORT_X, \
											  PORT_53)
#define SYN_OF TCP_OF(PORT_X, PORT_80, SYN)

static const struct row rows[] = {
	/* What is as it should be. */
	{"TCP", SENT(TCP_PACKET(IP_LEASED, IP_CLIENT, PORT_X, PORT_80, SYN))},
	{"UDP", SENT(UDP_TO(IP_CLIENT))},
	{"ping", SENT(ICMP_PACKET(IP_LEASED, IP_CLIENT, ASKS_ECHO, "\x00\x01"))},
	{"to the gateway", SENT(UDP_TO(IP_ROUTER))},
	{"an Ethernet's padding behind the packet",
	 SENT(OF("\x00\x1c", WHOLE, UDP) PORT_X PORT_53 "\x00\x08\x00\x00" PAYLOAD PAYLOAD)},

	/* Options */
	{"option: router alert", DROPPED(OPTIONS, WITH_OPTIONS("\x46", "\x94\x04\x00\x00"))},
	{"option: loose source route",
	 DROPPED(OPTIONS, WITH_OPTIONS("\x47", "\x83\x07\x04" IP_OTHER "\x00"))},
	{"option: strict source route",
	 DROPPED(OPTIONS, WITH_OPTIONS("\x47", "\x89\x07\x04" IP_OTHER "\x00"))},
	{"option: record route",
	 DROPPED(OPTIONS, WITH_OPTIONS("\x47", "\x07\x07\x04\x00\x00\x00\x00\x00"))},
	{"options: nothing but padding",
	 DROPPED(OPTIONS, WITH_OPTIONS("\x46", "\x01\x01\x01\x00"))},

	/* Tunnels, and whatever else is neither TCP, UDP nor ICMP */
	{"IP in IP", DROPPED(PROTOCOL, OF("\x00\x30", WHOLE, "\x04") UDP_TO(IP_CLIENT))},
	{"GRE", DROPPED(PROTOCOL, OF("\x00\x38", WHOLE, "\x2f") "\x00\x00\x08\x00" UDP_TO(
					  IP_CLIENT) "\x00\x00\x00\x00")},
	{"6in4",
	 DROPPED(PROTOCOL,
		 OF("\x00\x3c", WHOLE,
		    "\x29") "\x60\x00\x00\x00\x00\x00\x3b\x40" PAYLOAD PAYLOAD PAYLOAD PAYLOAD)},
	{"ESP", DROPPED(PROTOCOL, OF("\x00\x1c", WHOLE, "\x32") PAYLOAD)},
	{"IGMP", DROPPED(PROTOCOL, OF("\x00\x1c", WHOLE, "\x02") PAYLOAD)},
	{"SCTP", DROPPED(PROTOCOL, OF("\x00\x1c", WHOLE, "\x84") PAYLOAD)},
	{"protocol 0", DROPPED(PROTOCOL, OF("\x00\x1c", WHOLE, "\x00") PAYLOAD)},
	{"protocol 255", DROPPED(PROTOCOL, OF("\x00\x1c", WHOLE, "\xff") PAYLOAD)},
	{"IP in IP, a first fragment", DROPPED(PROTOCOL, OF("\x00\x1c", FIRST, "\x04") PAYLOAD)},
	{"IP in IP, a later fragment",
	 DROPPED(PROTOCOL, OF("\x00\x1c", "\x00\x05", "\x04") PAYLOAD)},

	/* Fragments (RFC 1858, RFC 3128) */
	{"fragment: a first one", SENT(OF("\x00\x28", FIRST, TCP) SYN_OF)},
	{"fragment: a first one of 8 bytes of TCP",
	 DROPPED(FRAGMENT, OF("\x00\x1c", FIRST, TCP) PAYLOAD)},
	{"fragment: a first one of 16 bytes of TCP",
	 DROPPED(FRAGMENT, OF("\x00\x24", FIRST, TCP) PAYLOAD PAYLOAD)},
	{"fragment: a first one of nothing", DROPPED(FRAGMENT, OF("\x00\x14", FIRST, UDP) PAYLOAD)},
	{"fragment: over the flags of TCP",
	 DROPPED(FRAGMENT, OF("\x00\x1c", "\x20\x01", TCP) PAYLOAD)},
	{"fragment: over the end of TCP's header",
	 DROPPED(FRAGMENT, OF("\x00\x1c", "\x00\x02", TCP) PAYLOAD)},
	{"fragment: whose first one nobody saw",
	 DROPPED(FRAGMENT, OF("\x00\x1c", "\x00\x03", TCP) PAYLOAD)},
	{"fragment: the same of UDP", DROPPED(FRAGMENT, OF("\x00\x1c", "\x00\x01", UDP) PAYLOAD)},
	{"fragment: the same of ICMP", DROPPED(FRAGMENT, OF("\x00\x1c", "\x00\x01", ICMP) PAYLOAD)},

	/* Lengths */
	{"length: more than the frame has",
	 DROPPED(MALFORMED, OF("\x00\x40", WHOLE, UDP) UDP_OF(PORT_X, PORT_53))},
	{"length: less than the header",
	 DROPPED(MALFORMED, OF("\x00\x13", WHOLE, UDP) UDP_OF(PORT_X, PORT_53))},
	{"length: nothing behind the header",
	 DROPPED(MALFORMED, OF("\x00\x14", WHOLE, UDP) UDP_OF(PORT_X, PORT_53))},
	{"length: 7 bytes of UDP",
	 DROPPED(MALFORMED, OF("\x00\x1b", WHOLE, UDP) UDP_OF(PORT_X, PORT_53))},
	{"length: UDP says 7",
	 DROPPED(MALFORMED, OF("\x00\x1c", WHOLE, UDP) PORT_X PORT_53 "\x00\x07\x00\x00")},
	{"length: UDP says more than there is",
	 DROPPED(MALFORMED, OF("\x00\x1c", WHOLE, UDP) PORT_X PORT_53 "\x00\x09\x00\x00")},
	{"length: 19 bytes of TCP", DROPPED(MALFORMED, OF("\x00\x27", WHOLE, TCP) SYN_OF)},
	{"length: TCP's header of 16 bytes",
	 DROPPED(MALFORMED, OF("\x00\x28", WHOLE, TCP) PORT_X PORT_80 SEQ ACK_SEQ
		 "\x40\x02\x20\x00\x00\x00\x00\x00")},
	{"length: TCP's header of more than there is",
	 DROPPED(MALFORMED, OF("\x00\x28", WHOLE, TCP) PORT_X PORT_80 SEQ ACK_SEQ
		 "\x60\x02\x20\x00\x00\x00\x00\x00")},
	{"length: 7 bytes of ICMP", DROPPED(MALFORMED, OF("\x00\x1b", WHOLE, ICMP) PAYLOAD)},

	/* To whom no machine of its own may be meant */
	{"to a group", IS(DROP_GROUP, MAC_GROUP MAC_LEASE TYPE_IPV4 UDP_TO(IP_GROUP))},
	{"to a group, by the gateway's MAC", DROPPED(GROUP, UDP_TO(IP_GROUP))},
	{"to all", IS(DROP_GROUP, MAC_ALL MAC_LEASE TYPE_IPV4 UDP_TO(IP_ALL))},
	{"to all, by the gateway's MAC", DROPPED(GROUP, UDP_TO(IP_ALL))},
	{"to somebody, by everybody's MAC",
	 IS(DROP_GROUP, MAC_ALL MAC_LEASE TYPE_IPV4 UDP_TO(IP_CLIENT))},
	{"mDNS", IS(DROP_GROUP, MAC_GROUP MAC_LEASE TYPE_IPV4 UDP_PACKET(IP_LEASED, IP_GROUP,
									 "\x14\xe9", "\x14\xe9"))},
	{"LLMNR", IS(DROP_GROUP, "\x01\x00\x5e\x00\x00\xfc" MAC_LEASE TYPE_IPV4 UDP_PACKET(
					 IP_LEASED, "\xe0\x00\x00\xfc", PORT_X, "\x14\xeb"))},
	{"DHCP", IS(DROP_GROUP, MAC_ALL MAC_LEASE TYPE_IPV4 UDP_PACKET(IP_LEASED, IP_ALL,
								       "\x00\x44", "\x00\x43"))},
	{"to loopback", DROPPED(LOCAL, UDP_TO(IP_LOOPBACK))},
	{"to nobody", DROPPED(LOCAL, UDP_TO(IP_NONE))},
	{"to link-local", DROPPED(LOCAL, UDP_TO("\xa9\xfe\x01\x01"))},
	{"to the metadata service",
	 DROPPED(LOCAL, TCP_PACKET(IP_LEASED, IP_METADATA, PORT_X, PORT_80, SYN))},
	{"to the box", DROPPED(BOX, TCP_PACKET(IP_LEASED, IP_BOX, PORT_X, "\x00\x16", SYN))},
	{"ping of the box", DROPPED(BOX, ICMP_PACKET(IP_LEASED, IP_BOX, ASKS_ECHO, "\x00\x01"))},
	{"to a dark address", DROPPED(FARM, UDP_TO(IP_DARK))},
	{"to itself", DROPPED(FARM, UDP_TO(IP_LEASED))},
	{"to the last address of a range", DROPPED(FARM, UDP_TO("\x0a\x42\xff\xff"))},

	/* IPv6, and with it neighbour discovery, has no way at all. */
	{"IPv6: router solicitation",
	 IS(DROP_OTHER,
	    "\x33\x33\x00\x00\x00\x02" MAC_LEASE TYPE_IPV6 "\x60\x00\x00\x00\x00\x08\x3a\xff"
	    "\xfe\x80\x00\x00\x00\x00\x00\x00\x02\x25\x90\xff\xfe\x01\x02\x03"
	    "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"
	    "\x85\x00\x00\x00\x00\x00\x00\x00")},
	{"IPv6: neighbour solicitation",
	 IS(DROP_OTHER,
	    "\x33\x33\xff\x01\x02\x03" MAC_LEASE TYPE_IPV6 "\x60\x00\x00\x00\x00\x18\x3a\xff"
	    "\xfe\x80\x00\x00\x00\x00\x00\x00\x02\x25\x90\xff\xfe\x01\x02\x03"
	    "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\x01\x02\x03"
	    "\x87\x00\x00\x00\x00\x00\x00\x00"
	    "\xfe\x80\x00\x00\x00\x00\x00\x00\x02\x25\x90\xff\xfe\x01\x02\x03")},
};

/* ---- datagrams of several fragments ---------------------------------------------- */

static const struct bytes first_out = BYTES(ETH_OUT OF("\x00\x28", FIRST, TCP) SYN_OF);
static const struct bytes second_out = BYTES(ETH_OUT OF("\x00\x1c", "\x20\x03", TCP) PAYLOAD);
static const struct bytes last_out = BYTES(ETH_OUT OF("\x00\x1c", "\x00\x04", TCP) PAYLOAD);

static void later_fragments_follow_the_first(void **state)
{
	static const struct bytes other_id = BYTES(ETH_OUT IP_OF(
		"\x00\x1c", "\x12\x35", "\x00\x04", TCP, NO_SUM, IP_LEASED, IP_CLIENT) PAYLOAD);
	static const struct bytes other_remote =
		BYTES(ETH_OUT IP_OF("\x00\x1c", ID, "\x00\x04", TCP, NO_SUM, IP_LEASED, IP_OTHER)
			      PAYLOAD);
	static const struct bytes other_protocol =
		BYTES(ETH_OUT OF("\x00\x1c", "\x00\x04", UDP) PAYLOAD);
	static struct outcome outcome;

	(void)state;
	gate_reset();
	gate_set_policy(&open_policy);
	gate_frame(GATE_OUT, &last_out, SKEP_PORT_DROP_FRAGMENT, &outcome);
	gate_frame(GATE_OUT, &first_out, SKEP_PORT_OUT_ALLOWED, &outcome);
	gate_frame(GATE_OUT, &second_out, SKEP_PORT_OUT_ALLOWED, &outcome);
	gate_frame(GATE_OUT, &last_out, SKEP_PORT_OUT_ALLOWED, &outcome);
	gate_frame(GATE_OUT, &other_id, SKEP_PORT_DROP_FRAGMENT, &outcome);
	gate_frame(GATE_OUT, &other_remote, SKEP_PORT_DROP_FRAGMENT, &outcome);
	gate_frame(GATE_OUT, &other_protocol, SKEP_PORT_DROP_FRAGMENT, &outcome);
}

static void fragments_of_what_is_dropped_are_dropped(void **state)
{
	static struct outcome outcome;

	(void)state;
	gate_reset();
	gate_frame(GATE_OUT, &first_out, SKEP_PORT_DROP_RULE, &outcome);
	gate_frame(GATE_OUT, &second_out, SKEP_PORT_DROP_FRAGMENT, &outcome);
	gate_frame(GATE_OUT, &last_out, SKEP_PORT_DROP_FRAGMENT, &outcome);
}

static void fragments_end_with_the_rule_that_let_them(void **state)
{
	static const struct skep_policy other = {.serial = 2, .verdict = SKEP_RULE_ALLOW};
	static struct outcome outcome;

	(void)state;
	gate_reset();
	gate_set_policy(&open_policy);
	gate_frame(GATE_OUT, &first_out, SKEP_PORT_OUT_ALLOWED, &outcome);
	gate_set_policy(&other);
	gate_frame(GATE_OUT, &last_out, SKEP_PORT_DROP_FRAGMENT, &outcome);
}

/* An answer of several fragments goes out as one of a single packet does. */
static void answers_may_be_fragments(void **state)
{
	static const struct bytes in =
		BYTES(ETH_IN UDP_PACKET(IP_CLIENT, IP_LEASED, PORT_X, PORT_53));
	static const struct bytes first =
		BYTES(ETH_OUT UDP_FIRST(IP_LEASED, IP_CLIENT, PORT_53, PORT_X));
	static const struct bytes last = BYTES(ETH_OUT UDP_LAST(IP_LEASED, IP_CLIENT));
	static struct outcome outcome;

	(void)state;
	gate_reset();
	gate_frame(GATE_OUT, &first, SKEP_PORT_DROP_RULE, &outcome);
	gate_frame(GATE_IN, &in, SKEP_LEASED_IP, &outcome);
	gate_frame(GATE_OUT, &first, SKEP_PORT_OUT_IP, &outcome);
	gate_frame(GATE_OUT, &last, SKEP_PORT_OUT_IP, &outcome);
}

static void every_verdict_was_seen(void **state)
{
	static const enum skep_verdict verdicts[] = {
		SKEP_PORT_OUT_IP,	SKEP_PORT_OUT_ALLOWED,	  SKEP_PORT_DROP_RULE,
		SKEP_PORT_DROP_OTHER,	SKEP_PORT_DROP_MALFORMED, SKEP_PORT_DROP_GROUP,
		SKEP_PORT_DROP_OPTIONS, SKEP_PORT_DROP_PROTOCOL,  SKEP_PORT_DROP_FRAGMENT,
		SKEP_PORT_DROP_LOCAL,	SKEP_PORT_DROP_BOX,	  SKEP_PORT_DROP_FARM,
	};

	(void)state;
	harness_check_seen(verdicts, ARRAY_SIZE(verdicts));
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(later_fragments_follow_the_first),
		cmocka_unit_test(fragments_of_what_is_dropped_are_dropped),
		cmocka_unit_test(fragments_end_with_the_rule_that_let_them),
		cmocka_unit_test(answers_may_be_fragments),
		cmocka_unit_test(every_verdict_was_seen),
	};
	static struct table table;

	table_add(&table, rows, becomes);
	return harness_run_tests(&table, others, ARRAY_SIZE(others), "spoof", gate_setup,
				 gate_teardown);
}
