/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The verdicts: everything that can become of a frame, a request or a container, in one list. A
 * verdict is the return code of the classifiers, the slot in the map `counters`, the field of a
 * ring record and the label in every output. The kernel side counts all groups but the last, which
 * is skepd's own and no program ever touches its slots.
 */
#ifndef SKEP_VERDICT_H
#define SKEP_VERDICT_H

/* X(NAME, label, what it means) */
#define SKEP_VERDICTS_UPLINK(X)                                                                 \
	X(PASS_OTHER, "pass_other", "neither ARP nor IPv4: left to the box")                    \
	X(PASS_TRUNCATED, "pass_truncated", "frame ends inside a header: left to the box")      \
	X(PASS_ARP_MALFORMED, "pass_arp_malformed", "ARP type, length or operation is wrong")   \
	X(PASS_ARP_SENDER, "pass_arp_sender", "ARP sender is no possible unicast station")      \
	X(PASS_ARP_PROBE, "pass_arp_probe", "RFC 5227 probe for an address without a lease")    \
	X(PASS_ARP_GRATUITOUS, "pass_arp_gratuitous", "gratuitous ARP for an unleased address") \
	X(PASS_ARP_REPLY, "pass_arp_reply", "is-at for an address without a lease")             \
	X(PASS_IP_MALFORMED, "pass_ip_malformed", "IPv4 header is impossible")                  \
	X(PASS_IP_SENDER, "pass_ip_sender", "IPv4 source can not be answered")                  \
	X(PASS_IP_GROUP, "pass_ip_group", "IPv4 in a multicast or broadcast frame")             \
	X(PASS_NO_RANGE, "pass_no_range", "target is in no range")                              \
	X(PASS_EXCLUDED, "pass_excluded", "target is excluded from its range")                  \
	X(LEASED_ARP, "leased_arp", "ARP for a lease: redirected to its port")                  \
	X(LEASED_IP, "leased_ip", "IPv4 to a lease: redirected to its port")                    \
	X(DROP_WRONG_MAC, "drop_wrong_mac", "sent to another MAC than the address has")         \
	X(ASK_ARP, "ask_arp", "who-has for a dark address: held, skepd is asked to bind")       \
	X(ASK_IP, "ask_ip", "IPv4 to a dark address: held, skepd is asked to bind")             \
	X(DROP_ASK_RING_FULL, "drop_ask_ring_full", "to be held, but the ring buffer is full")  \
	X(DROP_ASK_TOO_LONG, "drop_ask_too_long", "to be held, but the frame is too long")      \
	X(DROP_BUDGET, "drop_budget", "dark, but binds_per_second are used up")                 \
	X(DROP_BUDGET_REQUESTER, "drop_budget_requester",                                       \
	  "dark, the requester has used up its binds")                                          \
	X(PASS_DRAIN, "pass_drain", "dark, and the farm is drained: left to the box")           \
	X(BOUND_ARP, "bound_arp", "who-has for a dark address: bound, redirected to its port")  \
	X(BOUND_IP, "bound_ip", "IPv4 to a dark address: bound, redirected to its port")        \
	X(BOUND_UNTOLD, "bound_untold", "bound as above, but there was no room for a record")   \
	X(HELD_SETTLING, "held_settling", "to a lease being settled: held until that is done")

/* The uplink program's, too: about hosts, and what else keeps an address dark. */
#define SKEP_VERDICTS_HOSTS(X)                                                                    \
	X(PASS_ARP_FOREIGN, "pass_arp_foreign", "ARP sender is not of the uplink's network")      \
	X(CONFLICT, "conflict", "a host has a leased address: the lease gives way")               \
	X(CONFLICT_UNTOLD, "conflict_untold", "gives way as above, but the ring buffer was full") \
	X(PASS_HANDED_ON, "pass_handed_on", "to a lease that gave way: readdressed to the host")  \
	X(PASS_HOST, "pass_host", "target is a host's: left to it")                               \
	X(PASS_DENSITY, "pass_density", "target is none of the addresses that ever live")         \
	X(PASS_UNVERIFIED, "pass_unverified", "target has not been found free yet")               \
	X(PASS_WOULD_CLAIM, "pass_would_claim", "dark, would be bound, but this is a dry run")    \
	X(PASS_PATIENCE, "pass_patience", "dark, the requester has to ask again later")           \
	X(PASS_PANIC, "pass_panic", "target is in a range, and the operator has said panic")      \
	X(DROP_PANIC, "drop_panic", "to a lease, and the operator has said panic: dropped")

#define SKEP_VERDICTS_PORT(X)                                                                     \
	X(PORT_OUT_ARP, "port_out_arp", "ARP of a container: sent out of the uplink")             \
	X(PORT_OUT_IP, "port_out_ip", "IPv4 of a container: sent out of the uplink")              \
	X(PORT_DROP_UNBOUND, "port_drop_unbound", "the container has no lease: dropped")          \
	X(PORT_DROP_OTHER, "port_drop_other", "neither ARP nor IPv4: dropped")                    \
	X(PORT_DROP_MALFORMED, "port_drop_malformed", "headers truncated or impossible: dropped") \
	X(PORT_DROP_TAGGED, "port_drop_tagged", "the container sent an 802.1Q tag: dropped")      \
	X(PORT_DROP_MAC, "port_drop_mac", "source MAC is not the lease's: dropped")               \
	X(PORT_DROP_ADDR, "port_drop_addr", "source address is not the lease's: dropped")         \
	X(PORT_DROP_ARP, "port_drop_arp", "ARP sender fields are not the lease's: dropped")       \
	X(PORT_DROP_NO_UPLINK, "port_drop_no_uplink", "the uplink is gone: dropped")              \
	X(PORT_OUT_ALLOWED, "port_out_allowed", "begun by a container, let out by a rule")        \
	X(PORT_OUT_REDIRECTED, "port_out_redirected", "begun by a container, sent elsewhere")     \
	X(PORT_REJECTED, "port_rejected", "begun by a container, refused with RST or ICMP")       \
	X(PORT_DROP_RULE, "port_drop_rule", "begun by a container, dropped by a rule")            \
	X(PORT_DROP_LIMIT, "port_drop_limit", "begun by a container, more than a rule's limit")   \
	X(PORT_DROP_FARM, "port_drop_farm", "to an address of the farm: dropped")                 \
	X(PORT_DROP_BOX, "port_drop_box", "to an address of the box: dropped")                    \
	X(PORT_DROP_LOCAL, "port_drop_local", "to no station on a wire, or link-local: dropped")  \
	X(PORT_DROP_GROUP, "port_drop_group", "multicast or broadcast: dropped")                  \
	X(PORT_DROP_OPTIONS, "port_drop_options", "IPv4 options: dropped")                        \
	X(PORT_DROP_PROTOCOL, "port_drop_protocol", "neither TCP, UDP nor ICMP: dropped")         \
	X(PORT_DROP_ICMP, "port_drop_icmp", "ICMP that answers nothing from outside: dropped")    \
	X(PORT_DROP_FRAGMENT, "port_drop_fragment", "fragment, tiny, overlapping or unannounced") \
	X(PORT_DROP_ARP_TARGET, "port_drop_arp_target", "who-has for somebody who never called")  \
	X(PORT_DROP_NO_FLOW, "port_drop_no_flow", "the kernel has no room for the flow: dropped") \
	X(PORT_DROP_BRAKE, "port_drop_brake", "the farm sends more than egress_max: dropped")     \
	X(PORT_DROP_PANIC, "port_drop_panic", "nothing gets out until the operator resumes")

/* Inside a world: what a container meets that is reflected. Counted by the port program. */
#define SKEP_VERDICTS_REFLECT(X)                                                                   \
	X(REFLECT_ARP, "reflect_arp", "ARP inside a world: brought to the container there")        \
	X(REFLECT_IP, "reflect_ip", "IPv4 inside a world: brought to the container there")         \
	X(REFLECT_GATEWAY, "reflect_gateway", "who-has for a reflection's gateway: answered")      \
	X(ASK_REFLECT, "ask_reflect", "dark in its world: held, skepd is asked for a reflection")  \
	X(REFLECT_DROP_TARGET, "reflect_drop_target", "no machine can be meant: dropped")          \
	X(REFLECT_DROP_DRAIN, "reflect_drop_drain", "dark in its world, and the farm is drained")  \
	X(REFLECT_DROP_BUDGET, "reflect_drop_budget", "dark in its world, asked for too often")    \
	X(REFLECT_DROP_RING_FULL, "reflect_drop_ring_full", "dark in its world, ring buffer full") \
	X(REFLECT_DROP_TOO_LONG, "reflect_drop_too_long", "dark in its world, frame too long")

#define SKEP_VERDICTS_DAEMON(X)                                                                 \
	X(BOUND, "bound", "an address was given to a container")                                \
	X(SETTLED, "settled", "a lease of the uplink program was told to its container")        \
	X(SETTLED_UNTOLD, "settled_untold", "settled without a record of who had asked")        \
	X(SHARED, "shared", "an address was given to a container that has one already")         \
	X(REFLECTED, "reflected", "an address was given to a container for one intruder")       \
	X(WAITED, "waited", "first contact that waited for a container to become idle")         \
	X(ADOPTED, "adopted", "a lease was taken over from an earlier skepd")                   \
	X(RESENT, "resent", "held frame of an address that was bound meanwhile")                \
	X(SEND_FAILED, "send_failed", "a held frame could not be sent to its port")             \
	X(NO_BIND_POOL_EMPTY, "no_bind_pool_empty", "no idle container: stays dark")            \
	X(NO_BIND_LATE, "no_bind_late", "asked for seconds ago, before this skepd ran")         \
	X(NO_BIND_STOPPING, "no_bind_stopping", "skepd is stopping or drained: stays dark")     \
	X(NO_BIND_PANIC, "no_bind_panic", "asked before the farm went into panic: stays dark")  \
	X(NO_BIND_NO_RANGE, "no_bind_no_range", "asked for an address of no range")             \
	X(NO_BIND_WRONG_MAC, "no_bind_wrong_mac", "frame was sent to a MAC not this address's") \
	X(NO_BIND_BAD_RECORD, "no_bind_bad_record", "ring record that does not parse")          \
	X(NO_BIND_PLUMB, "no_bind_plumb", "the container refused the address: rolled back")     \
	X(NO_BIND_MAP, "no_bind_map", "a map refused the lease: rolled back")                   \
	X(NO_BIND_REFLECTIONS, "no_bind_reflections", "reflections allowed are used up")        \
	X(NO_BIND_WORLD, "no_bind_world", "no machine there, or its intruder is gone")          \
	X(NO_BIND_HOST, "no_bind_host", "a host has the address: stays dark")                   \
	X(RELEASED_CONFLICT, "released_conflict", "released: a host has the address")           \
	X(RELEASED_COMMAND, "released_command", "released by the operator")                     \
	X(RELEASED_IDLE, "released_idle", "released after idle_timeout")                        \
	X(RELEASED_LIFETIME, "released_lifetime", "released after max_lifetime")                \
	X(RELEASED_EVICTED, "released_evicted", "released early, to have idle containers")      \
	X(RELEASED_RANGE, "released_range", "released: its range was taken out")                \
	X(RELEASED_ORPHAN, "released_orphan", "released at start: its container was gone")      \
	X(RELEASED_STOP, "released_stop", "released because skepd stops")                       \
	X(RELEASED_EXCLUDED, "released_excluded", "released: the box itself got the address")   \
	X(RELEASED_DIED, "released_died", "released because the container ended by itself")     \
	X(RELEASED_ROOT, "released_root", "released with the intruder it was a reflection for") \
	X(CONTAINER_STARTED, "container_started", "a container became idle")                    \
	X(CONTAINER_RECYCLED, "container_recycled", "a container was destroyed with its layer") \
	X(CONTAINER_DIED, "container_died", "a container ended by itself")                      \
	X(START_FAILED, "start_failed", "a container could not be started")                     \
	X(TEMPLATE_OFF, "template_off", "a template was switched off after failures in a row")  \
	X(KEPT_CONNECTION, "kept_connection", "not released: it has a live TCP connection")     \
	X(CONTAINER_ADOPTED, "container_adopted",                                               \
	  "a container was taken over from an earlier skepd")                                   \
	X(RECYCLE_FAILED, "recycle_failed", "a container could not be removed; tried again")    \
	X(KEEPER_DIED, "keeper_died", "a keeper process ended and was replaced")                \
	X(SWEEPER_DIED, "sweeper_died", "the sweeper process ended and was replaced")           \
	X(KEEPER_FAILED, "keeper_failed", "a keeper could not be forked; tried again")          \
	X(LOG_DROPPED, "log_dropped", "a log line or event found its queue full")

#define SKEP_VERDICTS(X)        \
	SKEP_VERDICTS_UPLINK(X) \
	SKEP_VERDICTS_HOSTS(X)  \
	SKEP_VERDICTS_PORT(X) SKEP_VERDICTS_REFLECT(X) SKEP_VERDICTS_DAEMON(X)

enum skep_verdict {
#define SKEP_VERDICT_ENUM(name, label, help) SKEP_##name,
	SKEP_VERDICTS(SKEP_VERDICT_ENUM)
#undef SKEP_VERDICT_ENUM
		SKEP_VERDICT_MAX,
};

#endif
