/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Idle containers that the uplink program may give away, and a range that it gives them for. What
 * skepd does in a farm, a test does by this. Included after uplink_world.h.
 */
#ifndef SKEP_TESTS_BPF_IDLE_H
#define SKEP_TESTS_BPF_IDLE_H

#define IDLE_PORT(slot) (300 + (slot))
#define IDLE_SERIAL(slot) (7000ULL + (slot))
#define IDLE_POLICY 5
#define IDLE_PREFIXLEN 15
#define IDLE_GATEWAY_MAC "\x00\x1b\x21\x77\x77\x77"

/* Makes the queue of a template. Return: its descriptor, for the caller to close. */
static inline int idle_make_queue(__u32 template, __u32 room)
{
	int queue = bpf_map_create(BPF_MAP_TYPE_QUEUE, "idle_queue", 0, sizeof(struct skep_idle),
				   room, NULL);

	assert_true(queue >= 0);
	harness_put(skel->maps.idle, &template, &queue);
	return queue;
}

static inline struct skep_offer idle_offer_of(__u32 slot)
{
	return (struct skep_offer){
		.serial = IDLE_SERIAL(slot),
		.port = IDLE_PORT(slot),
		.eth0 = {0x02, 0x00, 0x5e, 0x00, (__u8)(slot >> 8), (__u8)slot},
	};
}

static inline void idle_set_offer(__u32 slot, const struct skep_offer *offer)
{
	harness_put(skel->maps.offers, &slot, offer);
}

static inline struct skep_offer idle_get_offer(__u32 slot)
{
	struct skep_offer offer;

	harness_get(skel->maps.offers, &slot, &offer);
	return offer;
}

static inline void idle_push(int queue, __u32 slot, __u64 serial)
{
	const struct skep_idle idle = {.serial = serial, .slot = slot};

	assert_int_equal(bpf_map_update_elem(queue, NULL, &idle, BPF_ANY), 0);
}

static inline bool idle_pop(int queue, struct skep_idle *ret)
{
	return !bpf_map_lookup_and_delete_elem(queue, NULL, ret);
}

static inline void idle_empty(int queue)
{
	struct skep_idle idle;

	while (idle_pop(queue, &idle))
		;
}

/* Of a container that has not been given away. */
static inline void idle_set_port(__u32 slot)
{
	const struct skep_port port = {.container = slot, .shut = 1};
	const __u32 ifindex = IDLE_PORT(slot);

	harness_put(skel->maps.ports, &ifindex, &port);
}

static inline void idle_offer(int queue, __u32 slot)
{
	const struct skep_offer offer = idle_offer_of(slot);

	idle_set_port(slot);
	idle_set_offer(slot, &offer);
	idle_push(queue, slot, offer.serial);
}

static inline bool idle_is_open(__u32 ifindex)
{
	struct skep_port port;

	return harness_find(skel->maps.ports, &ifindex, &port) && !port.shut;
}

static inline unsigned int idle_count_open(void)
{
	const int ports = bpf_map__fd(skel->maps.ports);
	__u32 ifindex, *last = NULL;
	unsigned int n = 0;

	for (; !bpf_map_get_next_key(ports, last, &ifindex); last = &ifindex)
		n += idle_is_open(ifindex);
	return n;
}

#define IDLE_DEFERRED 32 /* records that wait for a CPU's timer at most */

/* As user space sees a CPU's value of `deferred`. */
struct idle_deferred {
	__u32 next;
	__u32 state[IDLE_DEFERRED];
	struct skep_ask_small records[IDLE_DEFERRED];
};

/* Records of binds that no timer has carried to the ring yet; of all CPUs. */
static inline unsigned int idle_count_deferred(void)
{
	const int n_cpus = libbpf_num_possible_cpus();
	cleanup_free struct idle_deferred *cpus = calloc((size_t)n_cpus, sizeof(*cpus));
	const __u32 only = 0;
	unsigned int n = 0;

	assert_non_null(cpus);
	assert_int_equal(bpf_map__value_size(skel->maps.deferred), sizeof(*cpus));
	harness_get(skel->maps.deferred, &only, cpus);
	for (int cpu = 0; cpu < n_cpus; cpu++)
		for (size_t i = 0; i < ARRAY_SIZE(cpus->state); i++)
			n += cpus[cpu].state[i] != 0;
	return n;
}

#define IDLE_TIMER_NS 20000 /* how often the timers come, for a test that waits for them */
#define IDLE_TIMER_GATHERS_NS 1000
#define IDLE_TIMER_LATE_NS 100000000U /* and when they are given up */
#define IDLE_TIMER_COMES_NS 10000000000ULL

static inline void idle_set_timers(const struct uplink_bpf *program, __u64 every_ns, __u64 after_ns,
				   __u64 late_ns)
{
	program->rodata->wake_every_ns = every_ns;
	program->rodata->wake_after_ns = after_ns;
	program->rodata->wake_gather_ns = IDLE_TIMER_GATHERS_NS;
	program->rodata->wake_late_ns = late_ns;
}

/* Until what was bound is told. */
static inline void idle_wait_told(void)
{
	const __u64 until_ns = harness_clock(CLOCK_MONOTONIC) + IDLE_TIMER_COMES_NS;

	while (idle_count_deferred())
		assert_true(harness_clock(CLOCK_MONOTONIC) < until_ns);
}

/* What waits in the ring, and what the timers are still about to bring there. */
static inline unsigned int idle_read_asks(void)
{
	asks_read();
	idle_wait_told();
	return asks_read_on();
}

/* The addresses that begin like this one are given containers of @template. */
static inline void idle_set_range(const char *ip, __u32 bits, __u16 vlan, __u8 flags,
				  __u16 template)
{
	struct skep_range range = {
		.flags = flags,
		.density = ~0U,
		.template = template,
		.policy = IDLE_POLICY,
		.prefixlen = IDLE_PREFIXLEN,
	};

	memcpy(range.gateway_mac, IDLE_GATEWAY_MAC, sizeof(range.gateway_mac));
	world_set_range(ip, bits, vlan, &range);
}

#endif
