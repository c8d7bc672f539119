// SPDX-License-Identifier: GPL-2.0
/*
 * What skepd reads and writes in the maps: leases, containers, counters, settings. Decides nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "datapath_private.h"

#define BATCH 4096U
#define EGRESS_SEGMENTS 64 /* of the largest packet that a container's kernel cuts late */
#define EGRESS_KIB 128	   /* two of them */
#define TRIES 8

/* A failure must not be taken for a lease that has ended. */
int datapath_lease(const struct datapath *dp, const struct skep_addr *address,
		   struct skep_lease *ret)
{
	int err = -ENOENT;

	for (int tries = TRIES; tries; tries--) {
		err = bpf_map_lookup_elem(dp->leases, address, ret);
		if (!err || err == -ENOENT)
			break;
	}
	return err;
}

int datapath_host(const struct datapath *dp, const struct skep_addr *address, struct skep_host *ret)
{
	return bpf_map_lookup_elem(dp->hosts, address, ret);
}

bool datapath_is_hosts(const struct datapath *dp, const struct skep_addr *address)
{
	struct skep_host host;

	return !datapath_host(dp, address, &host) && host.until_ns > monotonic_ns();
}

bool datapath_gateway(const struct datapath *dp, __u32 uplink, __u16 vlan, __u8 ret[6])
{
	static const __u8 unheard[6];
	const struct uplink_bpf *u = uplink < SKEP_UPLINKS_MAX ? dp->uplinks[uplink] : NULL;

	if (!u || u->bss->hosts_gateway.vlan != vlan)
		return false;
	memcpy(ret, u->bss->hosts_gateway.mac, 6);
	return memcmp(ret, unheard, sizeof(unheard)) != 0;
}

bool datapath_is_gateway(const struct datapath *dp, const struct skep_addr *address,
			 const __u8 mac[6])
{
	__u8 gateway[6];

	return datapath_gateway(dp, address->uplink, address->vlan, gateway) &&
	       !memcmp(gateway, mac, sizeof(gateway));
}

struct skep_verify *datapath_verify(const struct datapath *dp)
{
	return dp->verify;
}

int datapath_leases(const struct datapath *dp, struct skep_addr **ret_addresses,
		    struct skep_lease **ret_leases)
{
	return datapath_read_pairs(dp->leases, sizeof(**ret_addresses), sizeof(**ret_leases),
				   ret_addresses, ret_leases);
}

/* The kernel may not get a bucket's lock in time; what stayed would have no owner. */
static void delete_surely(int map, const void *key)
{
	for (int tries = TRIES; tries; tries--)
		if (!bpf_map_delete_elem(map, key) || errno == ENOENT)
			return;
}

int datapath_port_open(struct datapath *dp, __u32 ifindex, const struct skep_port *port)
{
	return bpf_map_update_elem(dp->ports, &ifindex, port, BPF_NOEXIST);
}

int datapath_port_prepare(struct datapath *dp, __u32 ifindex, __u32 slot)
{
	const struct skep_port port = {.container = slot, .shut = 1};

	return bpf_map_update_elem(dp->ports, &ifindex, &port, BPF_ANY);
}

int datapath_set_device(struct datapath *dp, __u32 slot, __u32 ifindex)
{
	int err = 0;

	for (size_t i = 0; !err && i < SKEP_UPLINKS_MAX; i++)
		if (dp->uplinks[i])
			err = bpf_map_update_elem(bpf_map__fd(dp->uplinks[i]->maps.port_devices),
						  &slot, &ifindex, BPF_ANY);
	return err;
}

void datapath_port_set_policy(struct datapath *dp, __u32 ifindex, __u16 policy)
{
	struct skep_port port;

	if (bpf_map_lookup_elem(dp->ports, &ifindex, &port) || port.shut || port.policy == policy)
		return;
	port.policy = policy;
	bpf_map_update_elem(dp->ports, &ifindex, &port, BPF_EXIST);
}

void datapath_port_close(struct datapath *dp, __u32 port)
{
	delete_surely(dp->ports, &port);
}

int datapath_ports(const struct datapath *dp, struct datapath_port **ret)
{
	struct datapath_port *ports = calloc(SKEP_CONTAINERS_MAX, sizeof(*ports));
	const __u32 *after = NULL;
	__u32 n = 0;

	if (!ports)
		return -ENOMEM;
	while (n < SKEP_CONTAINERS_MAX &&
	       !bpf_map_get_next_key(dp->ports, after, &ports[n].ifindex)) {
		struct skep_port port = {};

		bpf_map_lookup_elem(dp->ports, &ports[n].ifindex, &port);
		ports[n].slot = port.container < SKEP_CONTAINERS_MAX ? port.container : 0;
		after = &ports[n++].ifindex;
	}
	*ret = ports;
	return (int)n;
}

int datapath_lease_insert(struct datapath *dp, const struct skep_addr *address,
			  struct skep_lease *lease, __u64 seen_ns)
{
	lease->bound_ns = monotonic_ns();
	lease->bind_ns = lease->bound_ns - seen_ns < ~0U ? (__u32)(lease->bound_ns - seen_ns) : ~0U;
	return bpf_map_update_elem(dp->leases, address, lease, BPF_NOEXIST);
}

int datapath_lease_update(struct datapath *dp, const struct skep_addr *address,
			  const struct skep_lease *lease)
{
	return bpf_map_update_elem(dp->leases, address, lease, BPF_EXIST);
}

__u64 datapath_last_seen_ns(const struct skep_lease *lease)
{
	return later(lease->bound_ns, later(lease->last_in_ns, lease->last_out_ns));
}

void datapath_lease_delete(struct datapath *dp, const struct skep_addr *address)
{
	delete_surely(dp->leases, address);
}

void datapath_set_container(struct datapath *dp, __u32 slot, const struct skep_container *c)
{
	bpf_map_update_elem(dp->containers, &slot, c, BPF_ANY);
}

int datapath_container(const struct datapath *dp, __u32 slot, struct skep_container *ret)
{
	return bpf_map_lookup_elem(dp->containers, &slot, ret);
}

int datapath_containers(const struct datapath *dp, struct skep_container **ret)
{
	struct skep_container *table = calloc(SKEP_CONTAINERS_MAX, sizeof(*table));
	__u32 *slots = calloc(SKEP_CONTAINERS_MAX, sizeof(*slots));
	__u32 place, *after = NULL, n = 0, end = 0;
	int err = table && slots ? 0 : -ENOMEM;

	while (!err && n < SKEP_CONTAINERS_MAX) {
		__u32 count = BATCH;

		err = bpf_map_lookup_batch(dp->containers, after, &place, slots + n, table + n,
					   &count, NULL);
		n += !err || err == -ENOENT ? count : 0;
		after = &place;
	}
	free(slots);
	if (err && err != -ENOENT) {
		free(table);
		return err;
	}
	for (__u32 i = 0; i < n; i++)
		if (table[i].state != SKEP_STATE_NONE)
			end = i + 1;
	*ret = table;
	return (int)end;
}

/* All but the flags. */
static void store_settings(struct datapath *dp)
{
	const size_t at = offsetof(struct skep_settings, bind_interval_ns);

	dp->settings->version = dp->set.version;
	memcpy((char *)dp->settings + at, (char *)&dp->set + at, sizeof(dp->set) - at);
}

/* Each by itself: another process may be setting another one. */
static void set_flag(const struct datapath *dp, __u32 flag, bool on)
{
	if (on)
		__atomic_or_fetch(&dp->settings->flags, flag, __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(&dp->settings->flags, ~flag, __ATOMIC_SEQ_CST);
}

static bool has_flag(const struct datapath *dp, __u32 flag)
{
	return __atomic_load_n(&dp->settings->flags, __ATOMIC_ACQUIRE) & flag;
}

/* A bucket of @per_second holds one second's worth. */
static void set_budget(unsigned int per_second, __u64 *interval_ns, __u64 *burst_ns)
{
	*interval_ns = per_second ? NS_PER_SEC / per_second : 0;
	*burst_ns = per_second ? NS_PER_SEC : 0;
}

static void set_keys(struct datapath *dp)
{
	const struct config *config = dp->config;

	memcpy(dp->set.key, dp->secret, sizeof(dp->set.key));
	memset(dp->set.ouis, 0, sizeof(dp->set.ouis));
	memcpy(dp->set.ouis, config->ouis, config->n_ouis * sizeof(config->ouis[0]));
	dp->set.n_ouis = (__u32)config->n_ouis;
}

/* What may come at once: a tenth of a second's worth, but at least a few of the largest packets
 * that containers hand over. */
static void set_egress(struct datapath *dp)
{
	const unsigned int packets = dp->config->egress_max_packets;
	const __u64 bits = dp->config->egress_max_bits;
	struct skep_settings *set = &dp->set;

	set->egress_packet_interval_ns = packets ? NS_PER_SEC / packets : 0;
	set->egress_packet_burst_ns =
		later(NS_PER_SEC / 10, EGRESS_SEGMENTS * set->egress_packet_interval_ns);
	set->egress_kib_interval_ns = bits ? 8 * 1024 * NS_PER_SEC / bits : 0;
	set->egress_kib_burst_ns = later(NS_PER_SEC / 10, EGRESS_KIB * set->egress_kib_interval_ns);
}

void datapath_set_budgets(struct datapath *dp)
{
	dp->set.version = SKEP_MAPS_VERSION;
	dp->set.host_memory_ns = dp->config->host_memory * NS_PER_SEC;
	set_keys(dp);
	set_budget(dp->config->binds_per_second, &dp->set.bind_interval_ns, &dp->set.bind_burst_ns);
	set_budget(dp->config->binds_per_requester, &dp->set.requester_interval_ns,
		   &dp->set.requester_burst_ns);
	set_budget(dp->config->reflections_per_second, &dp->set.reflect_interval_ns,
		   &dp->set.reflect_burst_ns);
	set_budget(dp->config->reflections_per_container + 1, &dp->set.world_interval_ns,
		   &dp->set.world_burst_ns);
	set_egress(dp);
	store_settings(dp);
}

void datapath_set_drain(const struct datapath *dp, bool on)
{
	set_flag(dp, SKEP_SETTING_DRAIN, on);
}

bool datapath_is_draining(const struct datapath *dp)
{
	return has_flag(dp, SKEP_SETTING_DRAIN);
}

void datapath_set_panic(const struct datapath *dp, bool on)
{
	set_flag(dp, SKEP_SETTING_PANIC, on);
}

bool datapath_is_panicked(const struct datapath *dp)
{
	return has_flag(dp, SKEP_SETTING_PANIC);
}

void datapath_set_dry_run(const struct datapath *dp, bool on)
{
	set_flag(dp, SKEP_SETTING_DRY_RUN, on);
}

bool datapath_is_dry_run(const struct datapath *dp)
{
	return has_flag(dp, SKEP_SETTING_DRY_RUN);
}

int datapath_name_template(struct datapath *dp, __u32 template, const char *name)
{
	struct skep_template t = {};

	strncpy(t.name, name, sizeof(t.name) - 1);
	return bpf_map_update_elem(dp->templates, &template, &t, BPF_ANY);
}

static unsigned int bucket_of(__u32 bind_ns)
{
	return bind_ns ? 31U - (unsigned int)__builtin_clz(bind_ns) : 0;
}

void datapath_count_latency(struct datapath *dp, __u32 bind_ns)
{
	__u32 bucket = bucket_of(bind_ns);

	dp->latency[bucket]++;
	bpf_map_update_elem(dp->latency_map, &bucket, &dp->latency[bucket], BPF_ANY);
}

void datapath_latency(const struct datapath *dp, __u64 ret[SKEP_LATENCY_BUCKETS])
{
	for (__u32 i = 0; i < SKEP_LATENCY_BUCKETS; i++)
		if (bpf_map_lookup_elem(dp->latency_map, &i, &ret[i]))
			ret[i] = 0;
}

void datapath_count(struct datapath *dp, enum skep_verdict verdict)
{
	__u32 slot = verdict;

	/* No program writes these slots, so all of it may stand under the first CPU. */
	memset(dp->per_cpu, 0, sizeof(__u64) * (size_t)dp->n_cpus);
	dp->per_cpu[0] = ++dp->counted[verdict];
	bpf_map_update_elem(dp->counters, &slot, dp->per_cpu, BPF_ANY);
}

__u64 datapath_counter(const struct datapath *dp, enum skep_verdict verdict)
{
	__u32 slot = verdict;
	__u64 sum = 0;

	if (bpf_map_lookup_elem(dp->counters, &slot, dp->per_cpu))
		return 0;
	for (int cpu = 0; cpu < dp->n_cpus; cpu++)
		sum += dp->per_cpu[cpu];
	return sum;
}

void datapath_counters(const struct datapath *dp, __u64 ret[SKEP_VERDICT_MAX])
{
	for (unsigned int i = 0; i < SKEP_VERDICT_MAX; i++)
		ret[i] = datapath_counter(dp, (enum skep_verdict)i);
}

void datapath_resume(struct datapath *dp)
{
	dp->set = *dp->settings;
	datapath_counters(dp, dp->counted);
	datapath_latency(dp, dp->latency);
}
