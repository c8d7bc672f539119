// SPDX-License-Identifier: GPL-2.0
/* Reports; see report.h. Reads maps and changes nothing. */
#include "report.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "histogram.h"
#include "report_private.h"
#include "world.h"

static const char *const state_names[] = {
	[SKEP_STATE_NONE] = "none",	      [SKEP_STATE_STARTING] = "starting",
	[SKEP_STATE_IDLE] = "idle",	      [SKEP_STATE_BOUND] = "bound",
	[SKEP_STATE_RECYCLING] = "recycling", [SKEP_STATE_FAILED] = "failed",
};

static const char *const lease_state_names[] = {
	[SKEP_LEASE_CLAIMED] = "claimed",
	[SKEP_LEASE_SETTLING] = "settling",
	[SKEP_LEASE_SETTLED] = "settled",
};

static const char *const daemon_state_names[] = {
	[DAEMON_STARTING] = "starting",
	[DAEMON_RUNNING] = "running",
	[DAEMON_DRAINING] = "draining",
	[DAEMON_STOPPING] = "stopping",
};

json_t *json_ipv4(union skep_ipv4 ip)
{
	char buf[INET_ADDRSTRLEN];

	return json_string(inet_ntop(AF_INET, &ip.addr, buf, sizeof(buf)));
}

json_t *json_mac(const __u8 mac[6])
{
	char buf[18];

	return json_string(mac_format(mac, buf));
}

json_t *json_moment(__u64 monotonic)
{
	char buf[RFC3339_LEN];

	return monotonic ? json_string(rfc3339(realtime_of(monotonic), buf)) : json_null();
}

static json_t *json_container(__u32 slot)
{
	char name[CONTAINER_NAME_LEN];

	return json_string(container_name(slot, name));
}

/* Microseconds with one digit behind the point. */
static json_t *json_us(__u64 ns)
{
	const __u64 tenths = ns / 100;

	return json_real((double)tenths / 10.0);
}

const char *uplink_name(const struct config *config, __u16 ordinal)
{
	if (ordinal == SKEP_UPLINK_REFLECT)
		return WORLD_NAME;
	return ordinal < config->n_uplinks ? config->uplinks[ordinal].name : "?";
}

bool report_take_claim(const struct datapath *dp, __u32 slot, struct skep_container *c)
{
	struct skep_addr address;
	struct skep_lease lease;

	if (!datapath_claimed(dp, slot, &address) || datapath_lease(dp, &address, &lease) ||
	    lease.container != slot)
		return false;
	if (c->state == SKEP_STATE_IDLE) {
		c->state = SKEP_STATE_BOUND;
		c->address = address;
		c->leases = 1;
		c->since_ns = lease.bound_ns;
	}
	return lease.state != SKEP_LEASE_SETTLED;
}

/*
 * What is in the table of containers: by template, in all, how many addresses they have, how many
 * of these are not settled, how many containers are in a world, and how many worlds there are.
 */
struct census {
	json_int_t by_template[SKEP_TEMPLATES_MAX][SKEP_STATE_MAX];
	json_int_t all[SKEP_STATE_MAX];
	json_int_t leases, unsettled;
	json_int_t reflections, worlds;
	bool has_world[SKEP_CONTAINERS_MAX];
};

static void count_reflection(struct census *census, __u16 root)
{
	census->reflections++;
	census->worlds += !census->has_world[root];
	census->has_world[root] = true;
}

static void take_census(const struct datapath *dp, struct census *census)
{
	cleanup_free struct skep_container *containers = NULL;
	int n = datapath_containers(dp, &containers);

	for (int i = 0; i < n; i++) {
		struct skep_container *c = &containers[i];

		if (c->state >= SKEP_STATE_MAX)
			continue;
		census->unsettled += report_take_claim(dp, (__u32)i, c);
		census->all[c->state]++;
		if (c->template <SKEP_TEMPLATES_MAX)
			census->by_template[c->template][c->state]++;
		if (c->state != SKEP_STATE_BOUND)
			continue;
		census->leases += c->leases;
		if (world_has(&c->address))
			count_reflection(census, c->address.vlan);
	}
}

static json_t *states_status(const json_int_t counts[SKEP_STATE_MAX])
{
	return json_pack("{sI sI sI sI sI}", "idle", counts[SKEP_STATE_IDLE], "bound",
			 counts[SKEP_STATE_BOUND], "starting", counts[SKEP_STATE_STARTING],
			 "recycling", counts[SKEP_STATE_RECYCLING], "failed",
			 counts[SKEP_STATE_FAILED]);
}

static json_t *pool_status(const struct state_message *state, const struct census *census)
{
	json_t *pool = states_status(census->all);

	json_object_set_new(pool, "warm", json_integer(state->warm));
	json_object_set_new(pool, "max", json_integer(state->max));
	return pool;
}

static const char *template_word(const struct config *config, const struct state_message *state,
				 size_t template)
{
	if (config->templates[template].gone)
		return "gone";
	if (!config_template_used(config, template))
		return "unused";
	return (state->off >> template & 1) ? "off" : "on";
}

static bool has_containers(const json_int_t counts[SKEP_STATE_MAX])
{
	for (int i = SKEP_STATE_NONE + 1; i < SKEP_STATE_MAX; i++)
		if (counts[i])
			return true;
	return false;
}

static json_t *templates_status(const struct config *config, const struct state_message *state,
				const struct census *census)
{
	json_t *array = json_array();

	for (size_t i = 0; i < config->n_templates && i < SKEP_TEMPLATES_MAX; i++) {
		json_t *row;

		if (config->templates[i].gone && !has_containers(census->by_template[i]))
			continue;
		row = json_pack("{ss ss}", "name", config->templates[i].name, "state",
				template_word(config, state, i));
		json_object_update_new(row, states_status(census->by_template[i]));
		json_array_append_new(array, row);
	}
	return array;
}

/* First contacts that got no address, by the reason. */
static json_t *refused_status(const struct datapath *dp)
{
	static const enum skep_verdict verdicts[] = {
		SKEP_DROP_BUDGET,	 SKEP_DROP_BUDGET_REQUESTER, SKEP_PASS_DRAIN,
		SKEP_DROP_ASK_RING_FULL, SKEP_DROP_ASK_TOO_LONG,     SKEP_NO_BIND_POOL_EMPTY,
		SKEP_NO_BIND_STOPPING,	 SKEP_NO_BIND_NO_RANGE,	     SKEP_NO_BIND_WRONG_MAC,
		SKEP_NO_BIND_BAD_RECORD, SKEP_NO_BIND_PLUMB,	     SKEP_NO_BIND_MAP,
		SKEP_NO_BIND_WORLD,	 SKEP_NO_BIND_REFLECTIONS,   SKEP_REFLECT_DROP_BUDGET,
	};
	__u64 values[SKEP_VERDICT_MAX] = {};
	json_t *object = json_object();

	datapath_counters(dp, values);
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		json_object_set_new(object, verdict_label(verdicts[i]),
				    json_integer((json_int_t)values[verdicts[i]]));
	return object;
}

static json_t *reflections_status(const struct config *config, const struct census *census)
{
	return json_pack("{sI sI sI sI}", "containers", census->reflections, "worlds",
			 census->worlds, "per_container",
			 (json_int_t)config->reflections_per_container, "max",
			 (json_int_t)config->reflections_max);
}

static const char *xdp_word(const struct skep_uplink *uplink)
{
	if (!uplink->ifindex)
		return "missing";
	return uplink->flags & SKEP_UPLINK_NATIVE ? "native" : "generic";
}

static json_t *uplinks_status(const struct config *config, const struct datapath *dp)
{
	json_t *array = json_array();

	for (size_t i = 0; i < config->n_uplinks; i++) {
		const struct uplink_config *u = &config->uplinks[i];
		union skep_ipv4 gateway = {.addr = u->gateway};
		struct skep_uplink entry = {};

		if (!*u->name)
			continue;
		datapath_uplink(dp, (__u16)i, &entry);
		json_array_append_new(
			array, json_pack("{ss ss so}", "name", u->name, "xdp", xdp_word(&entry),
					 "gateway", u->gateway ? json_ipv4(gateway) : json_null()));
	}
	return array;
}

/* The flag itself is asked: the allocator may hang. */
static const char *state_word(const struct datapath *dp, const struct state_message *state)
{
	const bool panic = datapath_is_panicked(dp) && state->state != DAEMON_STOPPING;

	return panic ? "panic" : daemon_state_names[state->state];
}

static const char *const bind_words[] = {[BIND_KERNEL] = "kernel", [BIND_DAEMON] = "daemon"};

json_t *report_status(const struct config *config, const struct datapath *dp,
		      const struct state_message *state, __u64 started_ns)
{
	json_int_t uptime = (json_int_t)((monotonic_ns() - started_ns) / NS_PER_SEC);
	struct census census = {};

	take_census(dp, &census);
	return json_pack("{ss sb sb sI ss sI sI so so so s{sI sI} so so so}", "state",
			 state_word(dp, state), "panic", datapath_is_panicked(dp), "dry_run",
			 datapath_is_dry_run(dp), "uptime_s", uptime, "bind",
			 bind_words[config->bind], "leases", census.leases, "unsettled",
			 census.unsettled, "pool", pool_status(state, &census), "templates",
			 templates_status(config, state, &census), "uplinks",
			 uplinks_status(config, dp), "budgets", "binds_per_second",
			 (json_int_t)config->binds_per_second, "binds_per_requester",
			 (json_int_t)config->binds_per_requester, "refused", refused_status(dp),
			 "reflections", reflections_status(config, &census), "verification",
			 report_verification(config, dp));
}

static const char *lease_state(const struct skep_lease *lease)
{
	const char *name = lease->state < ARRAY_SIZE(lease_state_names)
				   ? lease_state_names[lease->state]
				   : NULL;

	return name ? name : "?";
}

/* Null as long as it is not settled, and when skepd has bound it: then there was nothing to do. */
static json_t *json_settled(const struct skep_lease *lease)
{
	return lease->settle_ns ? json_us(lease->settle_ns) : json_null();
}

json_t *report_lease(const struct config *config, const struct skep_addr *address,
		     const struct skep_lease *lease, __u32 pid)
{
	__u64 seen = datapath_last_seen_ns(lease);

	return json_pack("{so ss si so so si ss so so so so sI sI}", "address",
			 json_ipv4(address->ip), "uplink", uplink_name(config, address->uplink),
			 "vlan", address->vlan, "mac", json_mac(lease->mac), "container",
			 json_container(lease->container), "pid", (int)pid, "state",
			 lease_state(lease), "bound_at", json_moment(lease->bound_ns), "bind_us",
			 json_us(lease->bind_ns), "settle_us", json_settled(lease), "last_seen",
			 json_moment(seen), "packets_in", (json_int_t)lease->packets_in,
			 "packets_out", (json_int_t)lease->packets_out);
}

static json_t *json_reason(const struct skep_container *c)
{
	size_t len = strnlen(c->reason, sizeof(c->reason));

	return len ? json_stringn(c->reason, len) : json_null();
}

json_t *report_container(const struct config *config, __u32 slot, const struct skep_container *c)
{
	const char *template =
		c->template <config->n_templates ? config->templates[c->template].name : "?";
	const bool bound = c->address.ip.addr;
	char port[CONTAINER_NAME_LEN];

	return json_pack("{so ss ss si ss so so si so so}", "container", json_container(slot),
			 "state", state_names[c->state], "template", template, "pid", (int)c->pid,
			 "port", container_port_name(config, slot, port), "address",
			 bound ? json_ipv4(c->address.ip) : json_null(), "uplink",
			 bound ? json_string(uplink_name(config, c->address.uplink)) : json_null(),
			 "leases", (int)c->leases, "reason", json_reason(c), "since",
			 json_moment(c->since_ns));
}

json_t *report_counters(const struct datapath *dp)
{
	__u64 values[SKEP_VERDICT_MAX] = {};
	json_t *object = json_object();

	datapath_counters(dp, values);
	for (unsigned int i = 0; i < SKEP_VERDICT_MAX; i++)
		json_object_set_new(object, verdict_label(i), json_integer((json_int_t)values[i]));
	return json_pack("{so}", "counters", object);
}

/* Null when nothing was counted. */
static json_t *json_quantile(const __u64 counts[SKEP_LATENCY_BUCKETS], unsigned int permille)
{
	__u64 ns = histogram_quantile(counts, SKEP_LATENCY_BUCKETS, permille);

	return ns ? json_us(ns) : json_null();
}

json_t *report_latency(const struct datapath *dp)
{
	__u64 counts[SKEP_LATENCY_BUCKETS] = {};
	json_t *array = json_array();

	datapath_latency(dp, counts);
	for (int i = 0; i < SKEP_LATENCY_BUCKETS; i++)
		json_array_append_new(array, json_pack("{sf sI}", "up_to_us",
						       (double)(2ULL << i) / NS_PER_US, "count",
						       (json_int_t)counts[i]));
	return json_pack("{sI so so so}", "binds",
			 (json_int_t)histogram_total(counts, SKEP_LATENCY_BUCKETS), "p50_us",
			 json_quantile(counts, 500), "p99_us", json_quantile(counts, 990),
			 "buckets", array);
}

static const char *release_reason(__u32 verdict)
{
	switch (verdict) {
	case SKEP_RELEASED_CONFLICT:
		return "conflict";
	case SKEP_RELEASED_COMMAND:
		return "command";
	case SKEP_RELEASED_IDLE:
		return "idle";
	case SKEP_RELEASED_LIFETIME:
		return "lifetime";
	case SKEP_RELEASED_EVICTED:
		return "evicted";
	case SKEP_RELEASED_RANGE:
		return "range";
	case SKEP_RELEASED_ORPHAN:
		return "orphan";
	case SKEP_RELEASED_STOP:
		return "stop";
	case SKEP_RELEASED_EXCLUDED:
		return "excluded";
	case SKEP_RELEASED_ROOT:
		return "root";
	default:
		return "died";
	}
}

json_t *report_event(const struct config *config, const struct event_message *e)
{
	static const __u8 unknown[sizeof(e->host)];
	bool shared = e->verdict == SKEP_SHARED, bound = shared || e->verdict == SKEP_BOUND;
	json_t *object =
		json_pack("{ss so so ss si so so si so}", "event", bound ? "bind" : "release", "at",
			  json_moment(e->at_ns), "address", json_ipv4(e->address.ip), "uplink",
			  uplink_name(config, e->address.uplink), "vlan", e->address.vlan, "mac",
			  json_mac(e->lease.mac), "container", json_container(e->lease.container),
			  "pid", (int)e->pid, "bound_at", json_moment(e->lease.bound_ns));

	if (!object)
		return NULL;
	if (bound) {
		json_object_set_new(object, "requester", json_ipv4(e->requester));
		json_object_set_new(object, "seen_at", json_moment(e->seen_ns));
		json_object_set_new(object, "bind_us", json_us(e->lease.bind_ns));
		json_object_set_new(object, "settle_us", json_settled(&e->lease));
		json_object_set_new(object, "shared", json_boolean(shared));
		return object;
	}
	json_object_set_new(object, "reason", json_string(release_reason(e->verdict)));
	if (memcmp(e->host, unknown, sizeof(unknown)))
		json_object_set_new(object, "host", json_mac(e->host));
	json_object_set_new(object, "packets_in", json_integer((json_int_t)e->lease.packets_in));
	json_object_set_new(object, "packets_out", json_integer((json_int_t)e->lease.packets_out));
	return object;
}

json_t *report_error(const char *text)
{
	return json_pack("{ss}", "error", text);
}
