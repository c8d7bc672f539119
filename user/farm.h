/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The allocator's state, shared by its parts: offer.c (idle containers that the uplink program may
 * give away), settle.c (those that it has given away), bind.c (addresses), expire.c (leases that
 * end by themselves), refill.c (containers), change.c (new settings), adopt.c (what an earlier
 * skepd left), links.c (NICs and the box's own addresses), commands.c (the operator), stop.c,
 * farm.c (what all of them say and show), and allocator.c (the event loop that wires them to the
 * world). Nothing outside these files sees it.
 */
#ifndef SKEP_USER_FARM_H
#define SKEP_USER_FARM_H

#include <event2/event.h>

#include "allocator.h"
#include "clock.h"
#include "config.h"
#include "cpu.h"
#include "datapath.h"
#include "keeper.h"
#include "log.h"
#include "mac.h"
#include "message.h"
#include "parse.h"
#include "plumb.h"
#include "pool.h"
#include "waiting.h"

/**
 * struct warm - what the allocator holds of the container in a slot, beside its state in the pool
 * @exit:      event on @pidfd
 * @netlink:   rtnetlink socket inside its network namespace
 * @eth0:      ifindex of its own end
 * @mac:       that eth0 was given
 * @died:      it has ended by itself
 * @lost:      how often it was seen to be given away without a lease
 * @opened:    generation of the opening that its network is open by; 0 while it is not open
 * @heard:     which news of its gateway's link address it has; see struct opening
 * @first:     that of its addresses which has the segment and the default route, network byte order
 * @addresses: of its leases, oldest first; @n_addresses of them, room for @room
 * @looked_ns: when a look last found a live connection; counts as a sign of life
 * @look:      verdict that its leases get if the look under way finds it idle; 0 when there is none
 * @root:      inside a world, slot of the container whose world it is, plus one; else 0
 * @first_reflection: of the reflections of this one, the slot of the youngest, plus one; 0 for none
 * @next_reflection: likewise the next one of the same root
 * @n_reflections: how many it has
 * @reason:    why it failed
 */
struct warm {
	struct farm *farm;
	struct event *exit;
	int netlink;
	int pidfd;
	pid_t pid;
	__u32 port;
	__u32 eth0;
	__u8 mac[6];
	bool died;
	unsigned int lost;
	__u32 opened;
	__u32 heard;
	__be32 first;
	__u64 serial;
	__u64 since_ns;
	struct skep_addr *addresses;
	unsigned int n_addresses, room;
	__u64 looked_ns;
	enum skep_verdict look;
	__u32 root;
	__u32 first_reflection, next_reflection;
	unsigned int n_reflections;
	char reason[sizeof(((struct skep_container *)0)->reason)];
};

#define RESULTS_MAX 65 /* of as many clients as the control process has, and one of a reload */
#define EVENTS_MAX 64  /* that are told together */
#define LOOKS_MAX 256
#define CANDIDATES_MAX 256

/**
 * struct candidate - a container that could be evicted
 * @seen_ns: the last sign of life of any of its leases
 */
struct candidate {
	__u64 serial;
	__u64 seen_ns;
	__u32 slot;
};

/** struct candidates - those idle longest, longest first */
struct candidates {
	unsigned int n;
	struct candidate list[CANDIDATES_MAX];
};

/**
 * struct expiry - the walk over all leases, some at a time
 * @cursor:  slot that comes next
 * @current: found by the last whole walk
 * @next:    found by this one, so far
 * @evicting: looks under way whose containers are to be evicted
 */
struct expiry {
	__u32 cursor;
	struct candidates current, next;
	unsigned int evicting;
};

/** struct looks - containers to be looked at by a keeper, oldest first */
struct looks {
	unsigned int first, n;
	__u32 slots[LOOKS_MAX];
};

/**
 * struct opening - how the network of a template's idle containers is opened
 * @generation: tells it from what it was before; none is 0
 * @uplink:     where the gateway is heard, SKEP_UPLINKS_MAX when its ranges are at several places
 * @vlan:       likewise
 * @heard:      how often the gateway's link address was news
 */
struct opening {
	struct plumb_open open;
	struct prefix segments[PLUMB_SEGMENTS_MAX];
	__u32 generation;
	__u32 uplink;
	__u16 vlan;
	__u32 heard;
};

struct farm {
	struct config *config; /* ours; a new one takes its place */
	struct datapath *dp;
	struct pool *pool;
	struct keepers *keepers;
	struct sweeper *sweeper;
	struct warm *warm;
	struct waiting *waiting;
	const __u8 *secret;
	struct event_base *base;
	struct event *refill;
	struct event *tell; /* when @events are due */
	struct event **keeper_events;
	int packet;	/* held frames go out here */
	int control;	/* channel to the control process */
	cpu_set_t cpus; /* that are allowed */
	enum daemon_state state;
	bool adopted;		       /* it serves already, and need not get warm first */
	bool handover;		       /* stopping, but everything stays as it is */
	bool panicked;		       /* as far as it was noticed; the flag itself is in the map */
	unsigned int warm_target, max; /* the configuration's, or what `resize` said since */
	__u32 slots_end;	       /* no slot from here on has ever been used */
	struct opening *opening;       /* by template */
	__u32 openings;		       /* generations so far */
	__u32 told;		       /* slot that offer_tell_gateways() goes on at */
	unsigned int claims_left;      /* ticks after which what has no lease yet will get none */
	__u64 untold;		       /* claims without a record so far, as far as looked for */
	__u64 last_serial;
	__u64 stop_ns; /* when stopping began */
	enum allocator_result result;
	unsigned int n_events;
	struct event_message events[EVENTS_MAX]; /* not told yet, oldest first */
	bool state_untold;
	unsigned int n_results;
	struct result_message results[RESULTS_MAX]; /* that the control process has not got yet */
	__u64 ring_full; /* first contacts dropped so far, as far as logged */
	unsigned int n_reflections;
	struct expiry expiry;
	struct looks looks;
	struct log_limit limits[SKEP_VERDICT_MAX];
};

/* farm.c */

/** farm_count() - counts a verdict and, if @text is given, logs it at a bounded rate */
void farm_count(struct farm *farm, enum skep_verdict verdict, const char *text);

/** farm_show() - writes the state of a slot to the map `containers` */
void farm_show(struct farm *farm, __u32 slot);

/** farm_tell() - a message to the control process; counted when its queue is full */
void farm_tell(struct farm *farm, const void *message, size_t size);

/**
 * farm_tell_event() - the same for an event, a few milliseconds later, with others
 *
 * Nobody waits for it, and the control process would take a CPU from a container that is about to
 * answer.
 */
void farm_tell_event(struct farm *farm, const struct event_message *event);

/** farm_tell_events() - those that wait are told now */
void farm_tell_events(struct farm *farm);

/** farm_wake_refill() - runs refill() again at @wake_ns, or as soon as nothing urgent is left when
 * 0 */
void farm_wake_refill(struct farm *farm, __u64 wake_ns);

/** farm_tell_state() - lets the control process know of state, warm, max and templates that are off
 */
void farm_tell_state(struct farm *farm);

/** farm_tell_untold() - the same again for what found the queue full, results as well */
void farm_tell_untold(struct farm *farm);

void farm_set_state(struct farm *farm, enum daemon_state state);

/** farm_answer() - lets the control process know how a command ended */
void farm_answer(struct farm *farm, const struct result_message *result);

/* allocator.c */

/** farm_watch_keeper() - listens to a keeper's channel */
int farm_watch_keeper(struct farm *farm, unsigned int number);

/** farm_forget_keeper() - stops listening to it */
void farm_forget_keeper(struct farm *farm, unsigned int number);

/* offer.c */

#define OPENED_UNKNOWN (~0U) /* of struct warm: perhaps, by an earlier skepd */

/** offer_configure() - goes by the configuration from now on; those that wait as it was before are
 * taken back, and offered again by offer_all_idle() */
void offer_configure(struct farm *farm);

/** offer_idle() - makes an idle container one that the uplink program may give away, or one that it
 * may not, as the configuration says; what does not take that is quarantined */
void offer_idle(struct farm *farm, __u32 slot);

/** offer_all_idle() - the same for all that are idle and do not wait as they should */
void offer_all_idle(struct farm *farm);

/** offer_tell_gateways() - tells some of those that were offered before the gateway was heard what
 * its link address is; at each tick */
void offer_tell_gateways(struct farm *farm);

/** offer_take_back() - an idle container is skepd's own again; false when the uplink program has
 * given it away: then see settle_claim() */
bool offer_take_back(struct farm *farm, __u32 slot);

/** offer_take() - the oldest idle container of a template that was not given away becomes bound;
 * POOL_NO_SLOT when there is none */
__u32 offer_take(struct farm *farm, __u32 template);

/**
 * offer_close() - what a container's network must be closed by before it gets an address
 * @ret: what plumb_bind() undoes on its way, or NULL when there is nothing to undo
 *
 * Return: 0 or negative errno.
 */
int offer_close(struct farm *farm, __u32 slot, const struct plumb_open **ret);

/* settle.c */

/** settle_ask() - a ring record tells that the uplink program has bound an address */
void settle_ask(struct farm *farm, const struct skep_ask *ask, size_t size);

/** settle_claim() - settles what an idle container was given away for, without a record; harmless
 * when it was not, or the uplink program is not done with it */
void settle_claim(struct farm *farm, __u32 slot);

/**
 * settle_address() - the lease of an address, settled; but in panic, when everything stays as it is
 *
 * Return: false when there is none.
 */
bool settle_address(struct farm *farm, const struct skep_addr *address, struct skep_lease *ret);

/** settle_all() - the same for all, oldest first; what is left is looked at again by settle_left()
 */
void settle_all(struct farm *farm);

/** settle_later() - some could not be settled now; see settle_left() */
void settle_later(struct farm *farm);

/** settle_left() - from time to time: claims whose record was lost, or that led to no lease */
void settle_left(struct farm *farm);

/* bind.c */

/**
 * struct contact - an ask, understood
 * @frame:       the held frame's bytes, @len of them
 * @f:           what it says
 * @mac:         link address of the asked address
 * @prefixlen:   of the segment it is on
 * @gateway:     of that segment, network byte order; 0 for none
 * @gateway_mac: the gateway's link address, as far as skepd can say
 * @group:       of the pool, that the address belongs to
 */
struct contact {
	const struct skep_ask *ask;
	const __u8 *frame;
	size_t len;
	struct frame f;
	__u8 mac[6];
	unsigned int prefixlen;
	__be32 gateway;
	__u8 gateway_mac[6];
	__u32 group;
};

/** bind_is_late() - nobody waits for an answer to this frame any more */
bool bind_is_late(const struct contact *contact);

/** bind_mac() - the link address that an address has on a segment */
void bind_mac(const struct farm *farm, __be32 addr, __u16 vlan, __u8 ret[6]);

/** bind_idle() - gives the asked address to a container that was just taken from the pool, or puts
 * that into quarantine. Return: whether it is bound. */
bool bind_idle(struct farm *farm, const struct contact *contact, __u32 slot);

/** bind_deliver() - sends the held frame to the port of a lease */
void bind_deliver(struct farm *farm, const struct contact *contact, const struct skep_lease *lease);

/** bind_range_of() - the range whose rules an address goes by, in a world that of the root; or NULL
 */
const struct range_config *bind_range_of(const struct farm *farm, const struct skep_addr *address);

/** bind_ask() - answers a ring record: binds the address, or sends the frame again when that is
 * done already */
void bind_ask(struct farm *farm, const struct skep_ask *ask, size_t size);

/** bind_waiting() - lets first contacts that wait have the idle containers of a template */
void bind_waiting(struct farm *farm, __u32 template);

/** bind_group() - the pool's group for an address, or of none: POOL_NO_GROUP */
__u32 bind_group(const struct config *config, const struct skep_addr *address);

/** bind_is_covered() - whether an address may be bound: in a range and not excluded */
bool bind_is_covered(const struct farm *farm, const struct skep_addr *address);

/** bind_account() - a container has got an address, and its answer is on its way: what remains to
 * be done for that. @ask: NULL when nothing is known of it. */
void bind_account(struct farm *farm, __u32 slot, const struct skep_addr *address, __u32 group,
		  const struct skep_lease *lease, enum skep_verdict verdict,
		  const struct skep_ask *ask);

/** bind_failed() - a container that was taken did not take its address: quarantines it. @why: what
 * refused */
void bind_failed(struct farm *farm, __u32 slot, enum skep_verdict why, int err);

/** bind_give_up() - a bound container that has no address (any more) is to be recycled */
void bind_give_up(struct farm *farm, __u32 slot);

/** bind_tell() - lets the control process know of a bind (@ask: as far as it is known) or a release
 */
void bind_tell(struct farm *farm, enum skep_verdict verdict, __u32 slot,
	       const struct skep_addr *address, const struct skep_lease *lease,
	       const struct skep_ask *ask);

/** bind_note_address() - remembers that a container has the address; 0 or -ENOMEM */
int bind_note_address(struct warm *warm, const struct skep_addr *address);

/** bind_release() - makes an address of a bound container dark; with its last address the container
 * is given up */
void bind_release(struct farm *farm, __u32 slot, struct skep_addr address, enum skep_verdict why);

/** bind_move_segment() - gives segment and default route to another address, when the one that has
 * them is not leased any more */
void bind_move_segment(struct farm *farm, __u32 slot);

/** bind_release_slot() - the same for all addresses of a bound container */
void bind_release_slot(struct farm *farm, __u32 slot, enum skep_verdict why);

/** bind_release_address() - the same by address; 0 or -ENOENT */
int bind_release_address(struct farm *farm, const struct skep_addr *address, enum skep_verdict why);

/** bind_release_all() - releases every lease, or those of one address (network byte order) unless
 * it is 0 */
void bind_release_all(struct farm *farm, __be32 addr, enum skep_verdict why);

/** bind_release_uncovered() - releases leases of addresses that may not be bound any more */
void bind_release_uncovered(struct farm *farm);

/* reflect.c */

/** reflect_ask() - the same as bind_ask() for an address inside a world */
void reflect_ask(struct farm *farm, struct contact *contact);

/** reflect_root() - the first address of the container whose world an address is in; NULL when that
 * has none on the wire (any more) */
const struct skep_addr *reflect_root(const struct farm *farm, const struct skep_addr *address);

/** reflect_join() - a bound container is one of a root's world from now on */
void reflect_join(struct farm *farm, __u32 slot, __u32 root);

/** reflect_released() - a container has lost its last address: its world goes with it, and it
 * leaves the one it was in */
void reflect_released(struct farm *farm, __u32 slot);

/* expire.c */

/** expire_some() - looks at some of the leases, others next time, and releases those whose time is
 * over */
void expire_some(struct farm *farm);

/** expire_evict() - has containers released early until @n more are on their way to be idle */
void expire_evict(struct farm *farm, unsigned int n);

/** expire_looked() - a keeper has looked at a bound container; @busy: it has a live connection */
void expire_looked(struct farm *farm, __u32 slot, bool busy);

/* refill.c */

/** refill() - gives the keepers what there is to do */
void refill(struct farm *farm);

/** refill_keeper_news() - reads what a keeper has done, or replaces it when it has died */
void refill_keeper_news(struct farm *farm, unsigned int number);

/** refill_revive() - forks a keeper in the place of one that is gone */
void refill_revive(struct farm *farm, unsigned int number);

/** refill_died() - the container in a slot has ended by itself */
void refill_died(struct farm *farm, __u32 slot);

/** refill_forget() - lets go of what is held of a slot's container */
void refill_forget(struct farm *farm, __u32 slot);

/** refill_look() - has a keeper look for live connections in a bound container; false when too many
 * looks wait */
bool refill_look(struct farm *farm, __u32 slot);

/** refill_hold() - takes what is needed to work with a running container; @fds become ours */
int refill_hold(struct farm *farm, const struct done_message *done, const int fds[DONE_FDS]);

/** refill_failed() - says that a container was quarantined, and what became of its template */
void refill_failed(struct farm *farm, __u32 slot, const struct pool_failure *failure,
		   const char *what, const char *reason);

/** refill_trim() - gives up idle containers that there should not be any more */
void refill_trim(struct farm *farm);

/* change.c */

/** change_targets() - gives the pool its targets: @warm idle containers a template, @max in all; in
 * a dry run there are none */
void change_targets(struct farm *farm, unsigned int warm, unsigned int max);

/**
 * change_config() - goes over to the configuration whose text is in @fd
 * @ret: RESULT_TEXT_LEN bytes; on failure why not
 *
 * Return: 0, or negative errno, and then nothing has changed.
 */
int change_config(struct farm *farm, int fd, char *ret);

/** change_names() - writes the names of the templates where the next skepd finds them; those that
 * are gone with their last container are forgotten then */
void change_names(struct farm *farm);

/** change_groups() - tells the pool who may share addresses with whom; 0 or -ENOMEM */
int change_groups(struct farm *farm);

/* commands.c */

/** commands_read() - carries out a command; 0, or -EPIPE when the control process is gone */
int commands_read(struct farm *farm);

#define COMMANDS_IN_PANIC "the farm is in panic and stays as it is; 'skepctl resume' ends that"

/** commands_notice_panic() - says so when panic has begun, and goes on when it has ended */
void commands_notice_panic(struct farm *farm);

/* links.c */

/** links_attach() - to all uplinks; 0 or negative errno */
int links_attach(struct farm *farm);

/** links_read() - acts on what the kernel says of links and addresses */
void links_read(struct farm *farm, int monitor);

/** links_look_around() - at what news may have been missed */
void links_look_around(struct farm *farm);

/* stop.c */

/** stop_begin() - detaches, releases all leases, and has all containers removed */
void stop_begin(struct farm *farm);

/** stop_go_on() - from time to time while stopping or handing over; ends what is hopeless */
void stop_go_on(struct farm *farm);

/* adopt.c */

/**
 * adopt() - takes over the containers and leases that an earlier skepd left, as the maps tell
 * @leftovers: slots that the container driver found something in
 *
 * What cannot be taken over is released and waits to be recycled.
 * Return: 0 or negative errno.
 */
int adopt(struct farm *farm, const __u32 *leftovers, size_t n_leftovers);

#endif
