// SPDX-License-Identifier: GPL-2.0
/*
 * The sweeper's process; see sweeper.h. Owns a packet socket for each uplink and the probes that
 * wait to be judged. It raises `quiet`, and never decides that an address is bound.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "clock.h"
#include "log.h"
#include "mac.h"
#include "message.h"
#include "pace.h"
#include "privileges.h"
#include "reload.h"
#include "sweep.h"
#include "sweeper.h"
#include "verified.h"
#include "wire.h"

#define PATH_LEN 512
#define PENDING_MAX 4096	       /* more than verify_rate's most in PATIENCE_NS */
#define PATIENCE_NS (1500 * NS_PER_MS) /* RFC 5227 has 1 to 2 s between two probes */
#define NOTED_NS NS_PER_SEC	       /* the uplink program notes a host once in so long */
#define LOOKS_AT_ONCE 64	       /* addresses that are passed over for one probe */
#define REST_NS (100 * NS_PER_MS)      /* while no wire passes anything, or panic */
#define RATE_NS (5 * NS_PER_SEC)
#define SAVE_NS (60 * NS_PER_SEC)
#define LAST_WORDS_S 5

/* An entry of `verify`, all at once; see raise_quiet(). */
typedef __u64 __attribute__((may_alias)) verify_word;

/** struct pending - a probe that may be answered yet; @ifindex, @changes: the wire's then */
struct pending {
	struct skep_addr address;
	__u32 ifindex;
	__u32 changes;
	__u64 sent_ns;
};

/**
 * struct run - the process
 * @verify:    the map, as memory
 * @own:       the configuration, unless it is that of the start
 * @first, @n: of @pending, a ring, oldest first
 * @unsettled: the round has met an address that is neither known to be quiet nor a host's
 * @rate_at_ns, @rate_sent: when the rate was reckoned, and the probes until then
 */
struct run {
	const struct datapath *dp;
	const struct config *config;
	struct config *own;
	int channel;
	struct skep_verify *verify;
	struct sweep *sweep;
	struct wire wires[SKEP_UPLINKS_MAX];
	struct pending pending[PENDING_MAX];
	unsigned int first, n;
	__u8 key[MAC_KEY_LEN];
	__u64 counter;
	__u64 next_ns, saved_ns;
	bool unsettled;
	struct skep_sweep progress;
	__u64 rate_at_ns, rate_sent;
};

static __u64 random_bits(struct run *run)
{
	run->counter++;
	return siphash24(run->key, &run->counter, sizeof(run->counter));
}

static bool verifies_any(const struct uplink_config *uplink)
{
	for (size_t i = 0; i < uplink->n_ranges; i++)
		if (uplink->ranges[i].verify)
			return true;
	return false;
}

/* A NIC that the program does not watch is none. */
static void tend_wires(struct run *run, __u64 now_ns)
{
	for (size_t u = 0; u < run->config->n_uplinks; u++) {
		const struct uplink_config *config = &run->config->uplinks[u];
		struct skep_uplink uplink;

		if (!verifies_any(config))
			continue;
		if (datapath_uplink(run->dp, u, &uplink) || !uplink.ifindex)
			wire_close(&run->wires[u]);
		else
			wire_tend(&run->wires[u], config, uplink.ifindex, now_ns);
	}
}

static bool send_probe(struct run *run, const struct skep_addr *address)
{
	struct wire *wire = &run->wires[address->uplink];
	struct pending *pending = &run->pending[(run->first + run->n) % PENDING_MAX];
	const __u64 now_ns = monotonic_ns();

	if (run->n == PENDING_MAX || !wire_passes(wire, now_ns))
		return false;
	*pending = (struct pending){*address, wire->ifindex, wire->changes, now_ns};
	if (!wire_probe(wire, address->vlan, address->ip.addr))
		return false;
	run->n++;
	run->progress.sent++;
	return true;
}

/* Finds the slot of an address that is probed; false when it is not, or not any more. */
static bool find_slot(const struct run *run, const struct skep_addr *address,
		      struct skep_range *ret, __u64 *ret_slot)
{
	if (datapath_range(run->dp, address, ret) || ret->flags & SKEP_RANGE_EXCLUDED ||
	    !(ret->flags & SKEP_RANGE_VERIFY))
		return false;
	*ret_slot = (__u64)ret->verify + ntohl(address->ip.addr) - ntohl(ret->first.addr);
	return *ret_slot < SKEP_VERIFY_MAX;
}

/* That of an excluded one, too: what is said of excluded addresses does not tell. */
static void note_skipped(const struct run *run, const struct skep_addr *address)
{
	const struct range_config *range =
		config_range_of(run->config, address->uplink, address->vlan, address->ip.addr);
	struct skep_range whole;
	__u64 slot;

	if (!range || datapath_range_whole(run->dp, address->uplink, range, &whole) ||
	    whole.flags & SKEP_RANGE_EXCLUDED)
		return;
	slot = (__u64)whole.verify + ntohl(address->ip.addr) - ntohl(range->prefix.addr);
	if (slot < SKEP_VERIFY_MAX)
		run->verify[slot] = (struct skep_verify){.skipped = 1};
}

/* Looks at the next address of the round. Return: whether a probe was sent. */
static bool visit(struct run *run, const struct skep_addr *address)
{
	const __u64 now_s = monotonic_ns() / NS_PER_SEC;
	struct skep_verify *slot;
	struct skep_range range;
	__u64 number;
	bool settled;

	if (!find_slot(run, address, &range, &number) || !datapath_is_bindable(run->dp, address)) {
		note_skipped(run, address);
		return false;
	}
	slot = &run->verify[number];
	slot->skipped = 0;
	settled = slot->quiet >= range.quiet || datapath_is_hosts(run->dp, address);
	run->unsettled |= !settled;
	if (!sweep_is_due(settled, slot->probed_s ? (__u32)now_s - slot->probed_s : ~0U,
			  run->config->host_memory) ||
	    !send_probe(run, address))
		return false;
	slot->probed_s = (__u32)now_s;
	return true;
}

static bool was_heard(const struct run *run, const struct pending *probe)
{
	struct skep_host host;

	return !datapath_host(run->dp, &probe->address, &host) &&
	       host.seen_ns + NOTED_NS >= probe->sent_ns;
}

/*
 * In one step with the check that nobody has changed it: the uplink program makes it zero when it
 * hears a host. Whom it heard before that, `hosts` tells.
 */
static void raise_quiet(const struct run *run, const struct pending *probe,
			struct skep_verify *slot)
{
	verify_word *word = (verify_word *)slot, old = __atomic_load_n(word, __ATOMIC_ACQUIRE), new;
	struct skep_verify raised;

	memcpy(&raised, &old, sizeof(raised));
	raised.quiet += raised.quiet < 255;
	memcpy(&new, &raised, sizeof(new));
	if (!__atomic_compare_exchange_n(word, &old, new, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_RELAXED))
		return;
	if (was_heard(run, probe))
		__atomic_store_n(&slot->quiet, 0, __ATOMIC_RELEASE);
}

/* What could not be answered, since the wire passed nothing meanwhile, says nothing. */
static void judge(struct run *run, const struct pending *probe)
{
	const struct wire *wire = &run->wires[probe->address.uplink];
	struct skep_range range;
	__u64 slot;

	if (was_heard(run, probe))
		run->progress.answered++;
	else if (wire->ifindex == probe->ifindex &&
		 wire_passed(wire, probe->sent_ns, probe->changes) &&
		 find_slot(run, &probe->address, &range, &slot))
		raise_quiet(run, probe, &run->verify[slot]);
}

static void judge_all(struct run *run, __u64 now_ns)
{
	while (run->n && now_ns >= run->pending[run->first].sent_ns + PATIENCE_NS) {
		judge(run, &run->pending[run->first]);
		run->first = (run->first + 1) % PENDING_MAX;
		run->n--;
	}
}

static size_t collect(const struct run *run, struct verified *ret)
{
	const struct config *config = run->config;
	struct skep_range whole;
	size_t n = 0;

	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++) {
			const struct range_config *range = &config->uplinks[u].ranges[r];

			if (!range->verify ||
			    datapath_range_whole(run->dp, (__u16)u, range, &whole) ||
			    whole.flags & SKEP_RANGE_EXCLUDED || whole.verify >= SKEP_VERIFY_MAX)
				continue;
			memcpy(ret[n].uplink, config->uplinks[u].name, sizeof(ret[n].uplink));
			ret[n].quiet = (__u8)range->verify_quiet;
			ret[n].vlan = range->vlan;
			ret[n].prefix = range->prefix;
			ret[n++].slots = &run->verify[whole.verify];
		}
	return n;
}

enum exchange { LOAD, SAVE, SAVE_LAST };

/* Between the file and the map, one way or the other. */
static void exchange(struct run *run, enum exchange what)
{
	const struct verified_now now = {monotonic_ns() / NS_PER_SEC,
					 clock_ns(CLOCK_REALTIME) / NS_PER_SEC};
	cleanup_free struct verified *ranges = calloc(SKEP_RANGES_MAX, sizeof(*ranges));
	char path[PATH_LEN];
	const bool save = what != LOAD;
	size_t n = ranges ? collect(run, ranges) : 0;
	int err = 0;

	snprintf(path, sizeof(path), "%s/verified", run->config->state_dir);
	run->saved_ns = monotonic_ns();
	if (save && n)
		err = verified_save(path, ranges, n, &now, what == SAVE_LAST);
	else if (n)
		err = verified_load(path, ranges, n, &now, run->config->host_memory);
	if (err && err != -ENOENT)
		log_warn("cannot %s %s: %s; addresses are verified anew after a restart",
			 save ? "write" : "read", path, strerror(-err));
}

static void tell(struct run *run)
{
	run->progress.at = sweep_at(run->sweep);
	run->progress.total = sweep_total(run->sweep);
	datapath_set_sweep(run->dp, &run->progress);
}

static void reckon_rate(struct run *run, __u64 now_ns)
{
	const __u64 passed_ns = now_ns - run->rate_at_ns;

	if (passed_ns < RATE_NS)
		return;
	run->progress.rate_mhz =
		(__u32)((run->progress.sent - run->rate_sent) * 1000 * NS_PER_SEC / passed_ns);
	run->rate_at_ns = now_ns;
	run->rate_sent = run->progress.sent;
}

static void begin_round(struct run *run, __u64 now_ns)
{
	const __u64 key[2] = {random_bits(run), random_bits(run)};

	run->progress.round++;
	run->progress.begun_ns = now_ns;
	run->progress.hurry = run->unsettled;
	run->unsettled = false;
	sweep_begin(run->sweep, (const __u8 *)key);
	if (now_ns - run->saved_ns >= SAVE_NS)
		exchange(run, SAVE);
}

static bool any_passes(const struct run *run, __u64 now_ns)
{
	for (size_t u = 0; u < run->config->n_uplinks; u++)
		if (wire_passes(&run->wires[u], now_ns))
			return true;
	return false;
}

/* The next probe of the round. What the last round has sent is judged before another one begins. */
static void go_on(struct run *run, __u64 now_ns)
{
	struct skep_addr address;
	bool more = true;

	if (!run->n && !any_passes(run, now_ns)) {
		run->next_ns = now_ns + REST_NS;
		return;
	}
	for (int i = 0; more && i < LOOKS_AT_ONCE; i++) {
		more = sweep_next(run->sweep, &address);
		if (more && visit(run, &address))
			break;
	}
	if (!more && !run->n)
		begin_round(run, now_ns);
	reckon_rate(run, now_ns);
	tell(run);
	run->next_ns = pace_next_ns(monotonic_ns(), pace_bound_ns(run->config->verify_rate),
				    sweep_mean_ns(run->sweep, run->config->host_memory,
						  run->progress.hurry),
				    random_bits(run));
	if (!more && run->n) {
		const unsigned int last = (run->first + run->n - 1) % PENDING_MAX;

		run->next_ns = run->pending[last].sent_ns + PATIENCE_NS;
	}
}

static void warn_of_rate(const struct run *run)
{
	const __u64 round_s = sweep_round_s(run->sweep, run->config->verify_rate);

	if (2 * round_s > run->config->host_memory)
		log_warn("%s: at %u probes a second a round over the %llu addresses that are "
			 "verified takes %llu s, and a silent host may be forgotten between two "
			 "(host_memory %u s); raise verify_rate or host_memory",
			 run->config->file, run->config->verify_rate, sweep_total(run->sweep),
			 round_s, run->config->host_memory);
}

/* New ranges are looked at from the beginning, and in a hurry. */
static void begin(struct run *run)
{
	for (size_t i = 0; i < SKEP_UPLINKS_MAX; i++)
		wire_close(&run->wires[i]);
	run->n = 0;
	run->unsettled = true;
	run->next_ns = 0;
	sweep_free(run->sweep);
	if (sweep_new(run->config, &run->sweep))
		_exit(EXIT_FAILURE);
	if (sweep_total(run->sweep))
		warn_of_rate(run);
	tell(run);
}

static void configure(struct run *run, int fd)
{
	struct config *config;

	if (reload_read(fd, run->config, &config))
		_exit(EXIT_FAILURE); /* another one takes its place */
	run->config = config;
	config_free(run->own);
	run->own = config;
	begin(run);
}

/* Whoever replaces it goes on from the maps; and the file is for when they are gone. */
static _Noreturn void end(struct run *run, bool for_good)
{
	exchange(run, for_good ? SAVE_LAST : SAVE);
	_exit(EXIT_SUCCESS);
}

static void read_channel(struct run *run)
{
	struct config_message message;
	cleanup_close int fd = -EBADF;
	ssize_t n = message_receive(run->channel, &message, sizeof(message), &fd, 1, true);

	if (n == -EAGAIN)
		return;
	if (n != sizeof(message) || message.type != MESSAGE_CONFIG)
		end(run, n == sizeof(message) && message.type == MESSAGE_END);
	configure(run, fd);
}

/* Until a probe is due or one is to be judged; for ever when there is nothing to look at. */
static void wait_for_work(struct run *run)
{
	const __u64 now_ns = monotonic_ns();
	struct pollfd channel = {.fd = run->channel, .events = POLLIN};
	__u64 due_ns = run->next_ns, left_ns;
	struct timespec left;

	if (run->n && run->pending[run->first].sent_ns + PATIENCE_NS < due_ns)
		due_ns = run->pending[run->first].sent_ns + PATIENCE_NS;
	if (run->n && now_ns + REST_NS < due_ns) /* the wires want to be tended meanwhile */
		due_ns = now_ns + REST_NS;
	left_ns = due_ns > now_ns ? due_ns - now_ns : 0;
	left = (struct timespec){(time_t)(left_ns / NS_PER_SEC), (long)(left_ns % NS_PER_SEC)};
	if (ppoll(&channel, 1, sweep_total(run->sweep) ? &left : NULL, NULL) > 0)
		read_channel(run);
}

static void on_parent_death(int number)
{
	(void)number;
	alarm(LAST_WORDS_S);
}

_Noreturn void sweeper_run(const struct sweeper_context *context, const struct config *config,
			   int channel)
{
	static struct run run;

	prctl(PR_SET_NAME, "skepd-sweeper");
	/* The channel tells when skepd ends; but stderr may be stalled just then. */
	signal(SIGUSR1, on_parent_death);
	prctl(PR_SET_PDEATHSIG, SIGUSR1);
	run = (struct run){.dp = context->dp,
			   .config = config,
			   .channel = channel,
			   .verify = datapath_verify(context->dp)};
	for (size_t i = 0; i < SKEP_UPLINKS_MAX; i++)
		run.wires[i].fd = -EBADF;
	if (getrandom(run.key, sizeof(run.key), 0) != sizeof(run.key) ||
	    privileges_drop(PRIVILEGES_SWEEPER))
		_exit(EXIT_FAILURE);
	datapath_sweep(run.dp, &run.progress);
	if (context->fresh)
		exchange(&run, LOAD);
	exchange(&run, SAVE); /* the last word was that of the farm before */
	begin(&run);
	for (;;) {
		const __u64 now_ns = monotonic_ns();

		if (sweep_total(run.sweep) && (run.n || now_ns >= run.next_ns))
			tend_wires(&run, now_ns);
		judge_all(&run, now_ns);
		if (datapath_is_panicked(run.dp))
			run.next_ns = now_ns + REST_NS;
		if (sweep_total(run.sweep) && now_ns >= run.next_ns)
			go_on(&run, now_ns);
		wait_for_work(&run);
	}
}
