/* SPDX-License-Identifier: GPL-2.0 */
/* The leases of a test's world, and what a program left in them. Included after harness.h. */
#ifndef SKEP_TESTS_BPF_LEASES_H
#define SKEP_TESTS_BPF_LEASES_H

/**
 * struct lease_spec - a lease of a test's world
 * @eth0: the container's own link address, where it is not @mac
 *
 * A test has an array of them; the first is none.
 */
struct lease_spec {
	const char *ip, *mac, *eth0;
	__u16 vlan, uplink;
	__u32 port;
};

static inline struct skep_addr lease_key(const struct lease_spec *lease)
{
	return (struct skep_addr){
		.ip = harness_ip(lease->ip),
		.vlan = lease->vlan,
		.uplink = lease->uplink,
	};
}

/* As it is made; every count and time has a value that tells it from the others. */
static inline struct skep_lease lease_value(const struct lease_spec *lease, __u32 slot)
{
	struct skep_lease value = {
		.id = 1000 + slot,
		.bound_ns = 1,
		.bind_ns = 2,
		.port = lease->port,
		.container = slot,
		.state = SKEP_LEASE_SETTLED,
		.last_in_ns = 3,
		.packets_in = 10,
		.last_out_ns = 4,
		.packets_out = 20,
	};

	memcpy(value.mac, lease->mac, sizeof(value.mac));
	memcpy(value.eth0, lease->eth0 ? lease->eth0 : lease->mac, sizeof(value.eth0));
	return value;
}

static inline void lease_set(const struct bpf_map *map, const struct lease_spec *lease, __u32 slot)
{
	const struct skep_addr key = lease_key(lease);
	const struct skep_lease value = lease_value(lease, slot);

	harness_put(map, &key, &value);
}

static inline void lease_set_all(const struct bpf_map *map, const struct lease_spec *leases,
				 __u32 n)
{
	for (__u32 slot = 1; slot < n; slot++)
		lease_set(map, &leases[slot], slot);
}

enum direction { IN, OUT };

/* What one frame more leaves behind: a count, and a moment between @since_ns and now. */
static inline void lease_expect_frame(struct skep_lease *expected, const struct skep_lease *value,
				      enum direction direction, __u64 since_ns)
{
	__u64 last_ns = direction == IN ? value->last_in_ns : value->last_out_ns;

	assert_in_range(last_ns, since_ns, harness_clock(CLOCK_MONOTONIC_COARSE));
	*(direction == IN ? &expected->last_in_ns : &expected->last_out_ns) = last_ns;
	(*(direction == IN ? &expected->packets_in : &expected->packets_out))++;
}

/* Every lease is as it was made, but for @touched: one frame more went in this direction. */
static inline void lease_check_all(const struct bpf_map *map, const struct lease_spec *leases,
				   __u32 n, __u32 touched, enum direction direction, __u64 since_ns)
{
	for (__u32 slot = 1; slot < n; slot++) {
		struct skep_lease value, expected = lease_value(&leases[slot], slot);
		struct skep_addr key = lease_key(&leases[slot]);

		harness_get(map, &key, &value);
		if (slot == touched)
			lease_expect_frame(&expected, &value, direction, since_ns);
		assert_memory_equal(&value, &expected, sizeof(value));
	}
}

#endif
