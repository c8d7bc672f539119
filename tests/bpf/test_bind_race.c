// SPDX-License-Identifier: GPL-2.0
/*
 * Two CPUs at once in the uplink program, at the same instant and a little beside it: for the same
 * address, for the last container, and one for an address that the other one hears a host on; and
 * skepd's hand in it, which takes containers back, and leases. However it goes, an address has one
 * lease, and no container is lost or given twice.
 */
#include "uplink_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "cpus.h"
#include "idle.h"

#define TEMPLATE 2
#define SLOTS 4
#define ROUNDS harness_times(100000)
#define LAST_ROUNDS harness_times(50000)
#define HOST_ROUNDS harness_times(50000)
#define TAKING_ROUNDS harness_times(30000)
#define RELEASING_ROUNDS harness_times(20000)
#define SPREAD_NS 800
#define STEP_NS 20

#define IP_DARK_2 "\x0a\x42\x04\x09"

static const struct bytes ask = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK));
static const struct bytes ask_2 = BYTES(TO_ALL TYPE_ARP ASK(IP_DARK_2));
static const struct bytes announce =
	BYTES(MAC_ALL MAC_OTHER TYPE_ARP WHO_HAS(MAC_OTHER, IP_DARK, IP_DARK));

/* Where a container is when it is not to be had. */
enum owner { NOBODY, A_LEASE, A_TAKER };

static struct skep_offer *offers;
static int queue;
static __u32 cpus[2];
static _Atomic __u64 last_serial;
static _Atomic int owners[SLOTS];

/* Of this round's records. */
static unsigned int told(enum skep_verdict verdict)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < asks.n; i++)
		n += asks_nth(i)->verdict == verdict;
	return n;
}

/* The container that was given, or whose lease gave way; asks name none. */
static __u32 container_told(void)
{
	__u32 container = 0;

	for (unsigned int i = 0; i < asks.n; i++)
		if (asks_nth(i)->verdict != SKEP_ASK_ARP)
			container = asks_nth(i)->container;
	return container;
}

/* ---- containers, as skepd deals with them ------------------------------------------ */

static void offer(__u32 slot)
{
	const __u64 serial = atomic_fetch_add(&last_serial, 1) + 1;

	idle_set_port(slot);
	atomic_store(&owners[slot], NOBODY);
	offers[slot].port = IDLE_PORT(slot);
	__atomic_store_n(&offers[slot].serial, serial, __ATOMIC_RELEASE);
	idle_push(queue, slot, serial);
}

static bool is_to_be_had(__u32 slot)
{
	return __atomic_load_n(&offers[slot].serial, __ATOMIC_ACQUIRE);
}

static unsigned int count_to_be_had(void)
{
	unsigned int n = 0;

	for (__u32 slot = 0; slot < SLOTS; slot++)
		n += is_to_be_had(slot);
	return n;
}

/* The lease is over, and the container as good as new. */
static void recycle(__u32 slot)
{
	assert_in_range(slot, 0, SLOTS - 1);
	assert_false(is_to_be_had(slot));
	assert_true(idle_is_open(IDLE_PORT(slot)));
	offer(slot);
}

/* Return: whether the address was leased; its container is recycled then. */
static bool end_lease(const char *ip, __u32 *ret_slot)
{
	const struct skep_addr key = world_address(ip, 0);
	struct skep_lease lease;

	if (bpf_map_lookup_and_delete_elem(bpf_map__fd(skel->maps.leases), &key, &lease))
		return false;
	assert_int_equal(lease.state, SKEP_LEASE_CLAIMED);
	assert_int_equal(lease.port, IDLE_PORT(lease.container));
	assert_in_range(lease.container, 0, SLOTS - 1);
	assert_int_equal(atomic_exchange(&owners[lease.container], A_LEASE), NOBODY);
	recycle(lease.container);
	*ret_slot = lease.container;
	return true;
}

static __u64 last_lease(void)
{
	return harness_get_only_u64(skel->maps.last_lease);
}

/* Every container is to be had just once, by what the queue says. */
static void check_nobody_lost(unsigned int slots)
{
	bool seen[SLOTS] = {};
	struct skep_idle idle;

	while (idle_pop(queue, &idle)) {
		assert_in_range(idle.slot, 0, slots - 1);
		if (idle.serial != offers[idle.slot].serial)
			continue; /* a leftover */
		assert_false(seen[idle.slot]);
		seen[idle.slot] = true;
	}
	for (unsigned int slot = 0; slot < slots; slot++)
		assert_true(seen[slot]);
	assert_int_equal(idle_count_open(), 0);
}

static void set_world(unsigned int slots)
{
	idle_empty(queue);
	for (__u32 slot = 0; slot < SLOTS; slot++)
		offers[slot].serial = 0;
	for (__u32 slot = 0; slot < slots; slot++)
		offer(slot);
	idle_read_asks();
	harness_mark(skel->maps.counters);
}

static __u64 counted(enum skep_verdict verdict)
{
	return harness_counted(skel->maps.counters, verdict);
}

/* ---- two at once -------------------------------------------------------------------- */

/* The other CPU: runs its frame whenever the first one begins a round. */
static struct {
	pthread_t thread;
	const struct bytes *frame;
	_Atomic __s64 delay_ns;
	_Atomic unsigned int round, ready, done;
	_Atomic bool over;
	__u32 action;
} other;

static __u32 run(const struct bytes *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->at,
		    .data_size_in = (__u32)frame->len, .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.uplink), &opts))
		abort();
	return opts.retval;
}

static void wait_ns(__s64 ns)
{
	const __s64 begun = (__s64)harness_clock(CLOCK_MONOTONIC);

	while (ns > 0 && (__s64)harness_clock(CLOCK_MONOTONIC) - begun < ns)
		;
}

static void *run_each_round(void *data)
{
	(void)data;
	cpus_go_to(cpus[1]);
	for (unsigned int round = 1;; round++) {
		other.ready = round;
		while (other.round < round)
			if (other.over)
				return NULL;
		wait_ns(other.delay_ns);
		other.action = run(other.frame);
		other.done = round;
	}
}

static void end(void)
{
	if (!other.frame)
		return;
	other.over = true;
	pthread_join(other.thread, NULL);
	other.frame = NULL;
}

/* One that a test has left behind is ended first. */
static void begin(const struct bytes *frame)
{
	end();
	other.round = other.ready = other.done = 0;
	other.over = false;
	other.frame = frame;
	cpus_go_to(cpus[0]);
	assert_int_equal(pthread_create(&other.thread, NULL, run_each_round, NULL), 0);
}

/* Both at once, the other one @ahead_ns earlier, or later where that is negative. */
static __u32 run_both(const struct bytes *frame, unsigned int round, __s64 ahead_ns)
{
	__u32 action;

	while (other.ready < round)
		;
	other.delay_ns = -ahead_ns;
	other.round = round;
	wait_ns(ahead_ns);
	action = run(frame);
	while (other.done < round)
		;
	idle_read_asks();
	return action;
}

/* Now the one is first and now the other, by so little that they meet. */
static __s64 ahead_in(unsigned int round)
{
	return (__s64)(round * 37 % (2 * SPREAD_NS)) - SPREAD_NS;
}

static void the_same_address(void **state)
{
	const __u64 ids = last_lease();

	(void)state;
	set_world(SLOTS);
	begin(&ask);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		__u32 slot;

		assert_int_equal(run_both(&ask, round, ahead_in(round)), XDP_REDIRECT);
		assert_int_equal(other.action, XDP_REDIRECT);
		assert_int_equal(count_to_be_had(), SLOTS - 1);
		assert_int_equal(told(SKEP_BOUND_ARP), 1);
		assert_true(end_lease(IP_DARK, &slot));
		assert_int_equal(container_told(), slot);
	}
	end();
	assert_int_equal(counted(SKEP_BOUND_ARP), ROUNDS);
	assert_int_equal(counted(SKEP_LEASED_ARP), ROUNDS);
	check_nobody_lost(SLOTS);
	/* Who comes too late for the insert has taken an id: else there was no race at all. */
	print_message("# %llu of %u rounds were lost at the last moment\n",
		      last_lease() - ids - ROUNDS, ROUNDS);
	assert_in_range(last_lease() - ids - ROUNDS, ROUNDS / 1000, ROUNDS);
}

/* Who is first gets a little less ahead. */
static void the_last_container(void **state)
{
	unsigned int first = 0;
	__s64 ahead_ns = 0;

	(void)state;
	set_world(1);
	begin(&ask_2);
	for (unsigned int round = 1; round <= LAST_ROUNDS; round++) {
		const __u32 action = run_both(&ask, round, ahead_ns + ahead_in(round));
		const bool mine = action == XDP_REDIRECT;
		__u32 slot;

		assert_int_equal(action, mine ? XDP_REDIRECT : XDP_DROP);
		assert_int_equal(other.action, mine ? XDP_DROP : XDP_REDIRECT);
		assert_int_equal(told(SKEP_BOUND_ARP), 1);
		assert_int_equal(told(SKEP_ASK_ARP), 1);
		assert_int_equal(count_to_be_had(), 0);
		assert_true(end_lease(mine ? IP_DARK : IP_DARK_2, &slot));
		assert_false(end_lease(mine ? IP_DARK_2 : IP_DARK, &slot));
		first += mine;
		ahead_ns += mine ? STEP_NS : -STEP_NS;
	}
	end();
	check_nobody_lost(1);
	assert_in_range(first, LAST_ROUNDS / 100, LAST_ROUNDS - LAST_ROUNDS / 100);
}

/* ---- a host is heard meanwhile --------------------------------------------------------- */

/* Return: whether the lease was there already, and skepd was told that it gave way. */
static bool check_host_has_it(__u32 action)
{
	const struct skep_addr key = world_address(IP_DARK, 0);
	struct skep_lease lease;
	struct skep_host host;

	harness_get(skel->maps.hosts, &key, &host);
	assert_false(harness_find(skel->maps.leases, &key, &lease));
	harness_remove(skel->maps.hosts, &key);
	assert_int_equal(told(SKEP_ASK_ARP), 0);
	if (!told(SKEP_CONFLICT)) {
		assert_int_equal(action, XDP_PASS);
		assert_int_equal(told(SKEP_BOUND_ARP), 0);
		assert_int_equal(count_to_be_had(), SLOTS);
		return false;
	}
	assert_int_equal(told(SKEP_CONFLICT), 1);
	assert_int_not_equal(action, XDP_DROP);
	assert_int_equal(count_to_be_had(), SLOTS - 1);
	recycle(container_told());
	return true;
}

/* The moment is looked for at which the host is heard while the lease is being made. */
static void a_host_is_heard_meanwhile(void **state)
{
	unsigned int withdrawn = 0, conflicts = 0;
	__s64 ahead_ns = 0;

	(void)state;
	set_world(SLOTS);
	begin(&announce);
	for (unsigned int round = 1; round <= HOST_ROUNDS; round++) {
		const __u64 ids = last_lease();
		const __u32 action = run_both(&ask, round, ahead_ns + round * 7 % (SPREAD_NS / 2));
		const bool conflict = check_host_has_it(action);

		conflicts += conflict;
		withdrawn += !conflict && last_lease() != ids;
		ahead_ns += conflict ? STEP_NS : -STEP_NS;
	}
	end();
	check_nobody_lost(SLOTS);
	print_message("# %u leases were withdrawn, %u gave way, in %u rounds\n", withdrawn,
		      conflicts, HOST_ROUNDS);
	assert_in_range(withdrawn, 1, HOST_ROUNDS);
	assert_in_range(conflicts, HOST_ROUNDS / 100, HOST_ROUNDS);
}

/* ---- skepd takes containers back --------------------------------------------------------- */

static struct {
	pthread_t thread;
	_Atomic bool over;
	bool under_way;
	unsigned int taken;
} taker;

static void take_back(__u32 slot)
{
	static const struct timespec a_little = {.tv_nsec = 5000};
	__u64 serial = __atomic_load_n(&offers[slot].serial, __ATOMIC_ACQUIRE);

	if (!serial || !__atomic_compare_exchange_n(&offers[slot].serial, &serial, 0, false,
						    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	if (atomic_exchange(&owners[slot], A_TAKER) != NOBODY)
		abort();
	taker.taken++;
	nanosleep(&a_little, NULL);
	offer(slot);
}

static void *take_back_all_the_time(void *data)
{
	static const struct timespec a_little = {.tv_nsec = 5000};
	(void)data;
	for (__u32 slot = 0; !taker.over; slot = (slot + 1) % SLOTS) {
		take_back(slot);
		nanosleep(&a_little, NULL);
	}
	return NULL;
}

static void stop_taking(void)
{
	if (!taker.under_way)
		return;
	taker.over = true;
	pthread_join(taker.thread, NULL);
	taker.under_way = false;
}

static void skepd_takes_containers_back(void **state)
{
	unsigned int bound = 0;

	(void)state;
	set_world(SLOTS);
	assert_int_equal(pthread_create(&taker.thread, NULL, take_back_all_the_time, NULL), 0);
	taker.under_way = true;
	begin(&ask);
	for (unsigned int round = 1; round <= TAKING_ROUNDS; round++) {
		__u32 slot;
		bool leased;

		run_both(&ask, round, ahead_in(round));
		leased = end_lease(IP_DARK, &slot);
		assert_int_equal(told(SKEP_BOUND_ARP), leased);
		bound += leased;
	}
	end();
	stop_taking();
	assert_int_equal(counted(SKEP_BOUND_ARP), bound);
	check_nobody_lost(SLOTS);
	print_message("# %u containers were taken back, in %u rounds with %u binds\n", taker.taken,
		      TAKING_ROUNDS, bound);
	assert_in_range(taker.taken, TAKING_ROUNDS / 1000, UINT32_MAX);
	assert_in_range(bound, TAKING_ROUNDS / 2, TAKING_ROUNDS);
}

/* ---- skepd releases leases ---------------------------------------------------------------- */

static struct {
	pthread_t thread;
	_Atomic bool over;
	bool under_way;
	_Atomic unsigned int released;
} releaser;

static void *release_all_the_time(void *data)
{
	const struct skep_addr key = world_address(IP_DARK, 0);

	(void)data;
	cpus_go_to(cpus[1]);
	while (!releaser.over)
		if (!bpf_map_delete_elem(bpf_map__fd(skel->maps.leases), &key))
			releaser.released++;
	return NULL;
}

static void stop_releasing(void)
{
	if (!releaser.under_way)
		return;
	releaser.over = true;
	pthread_join(releaser.thread, NULL);
	releaser.under_way = false;
}

/* Nobody has the address then: its first frame is skepd's, and not the box's. */
static void skepd_releases_meanwhile(void **state)
{
	unsigned int gone = 0;

	(void)state;
	set_world(SLOTS);
	cpus_go_to(cpus[0]);
	assert_int_equal(pthread_create(&releaser.thread, NULL, release_all_the_time, NULL), 0);
	releaser.under_way = true;
	for (unsigned int round = 1; round <= RELEASING_ROUNDS; round++) {
		const __u32 action = run(&ask);

		idle_read_asks();
		assert_true(action == XDP_DROP || action == XDP_REDIRECT);
		assert_int_equal(told(SKEP_BOUND_ARP), 1);
		assert_int_equal(told(SKEP_ASK_ARP), action == XDP_DROP);
		gone += action == XDP_DROP;
		while (releaser.released < round)
			;
		recycle(container_told());
	}
	stop_releasing();
	assert_int_equal(counted(SKEP_ASK_ARP), gone);
	assert_int_equal(counted(SKEP_BOUND_ARP), RELEASING_ROUNDS);
	check_nobody_lost(SLOTS);
	print_message("# %u of %u leases were released before their first frame had gone on\n",
		      gone, RELEASING_ROUNDS);
	assert_in_range(gone, RELEASING_ROUNDS / 1000, RELEASING_ROUNDS);
}

/* ---- setting up --------------------------------------------------------------------------- */

static void set_maps(void)
{
	static const struct skep_uplink uplink = {.first = 0x0a420000, .last = 0x0a42ffff};

	queue = idle_make_queue(TEMPLATE, SKEP_CONTAINERS_MAX);
	idle_set_range(IP_NETWORK, 16, 0, SKEP_RANGE_BIND, TEMPLATE);
	idle_set_range(IP_NETWORK, 24, 0, SKEP_RANGE_EXCLUDED, TEMPLATE);
	world_set_uplink(&uplink);
	world_set_settings(&(struct skep_settings){.host_memory_ns = 1000000000000ULL});
}

static int setup(void **state)
{
	(void)state;
	cpus_find(cpus);
	if (cpus[0] == cpus[1]) {
		print_error("two CPUs are needed\n");
		return -1;
	}
	if (world_open())
		return -1;
	idle_set_timers(skel, IDLE_TIMER_NS, 0, IDLE_TIMER_LATE_NS);
	if (world_load())
		return -1;
	offers = mmap(NULL, SKEP_CONTAINERS_MAX * sizeof(*offers), PROT_READ | PROT_WRITE,
		      MAP_SHARED, bpf_map__fd(skel->maps.offers), 0);
	if (offers == MAP_FAILED)
		return -1;
	set_maps();
	return 0;
}

static int teardown(void **state)
{
	end();
	stop_taking();
	stop_releasing();
	close(queue);
	munmap(offers, SKEP_CONTAINERS_MAX * sizeof(*offers));
	return world_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_address),
		cmocka_unit_test(the_last_container),
		cmocka_unit_test(a_host_is_heard_meanwhile),
		cmocka_unit_test(skepd_takes_containers_back),
		cmocka_unit_test(skepd_releases_meanwhile),
	};

	return cmocka_run_group_tests_name("bind_race", tests, setup, teardown);
}
