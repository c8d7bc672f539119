// SPDX-License-Identifier: GPL-2.0
/* Reports; see report.h. Reads maps and changes nothing. */
#include "report.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"

static const char *const state_names[] = {
	[SKEP_STATE_NONE] = "none",	      [SKEP_STATE_STARTING] = "starting",
	[SKEP_STATE_IDLE] = "idle",	      [SKEP_STATE_BOUND] = "bound",
	[SKEP_STATE_RECYCLING] = "recycling", [SKEP_STATE_FAILED] = "failed",
};

static const char *const daemon_state_names[] = {
	[DAEMON_STARTING] = "starting",
	[DAEMON_RUNNING] = "running",
	[DAEMON_STOPPING] = "stopping",
};

static json_t *json_ipv4(union skep_ipv4 ip)
{
	char buf[INET_ADDRSTRLEN];

	return json_string(inet_ntop(AF_INET, &ip.addr, buf, sizeof(buf)));
}

static json_t *json_mac(const __u8 mac[6])
{
	char buf[18];

	return json_string(mac_format(mac, buf));
}

/* A moment of the monotonic clock as wall-clock time; null when it never was. */
static json_t *json_moment(__u64 monotonic)
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

static const char *uplink_name(const struct config *config, __u16 ordinal)
{
	return ordinal < config->n_uplinks ? config->uplinks[ordinal].name : "?";
}

static void count_states(const struct config *config, const struct datapath *dp,
			 json_int_t counts[SKEP_STATE_MAX])
{
	struct skep_container c;

	for (__u32 slot = 0; slot < config->max; slot++)
		if (!datapath_container(dp, slot, &c) && c.state < SKEP_STATE_MAX)
			counts[c.state]++;
}

static json_t *pool_status(const struct config *config, const json_int_t counts[SKEP_STATE_MAX])
{
	return json_pack("{sI sI sI sI sI sI sI}", "idle", counts[SKEP_STATE_IDLE], "bound",
			 counts[SKEP_STATE_BOUND], "starting", counts[SKEP_STATE_STARTING],
			 "recycling", counts[SKEP_STATE_RECYCLING], "failed",
			 counts[SKEP_STATE_FAILED], "warm", (json_int_t)config->warm, "max",
			 (json_int_t)config->max);
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

		datapath_uplink(dp, (__u16)i, &entry);
		json_array_append_new(
			array, json_pack("{ss ss so}", "name", u->name, "xdp", xdp_word(&entry),
					 "gateway", u->gateway ? json_ipv4(gateway) : json_null()));
	}
	return array;
}

json_t *report_status(const struct config *config, const struct datapath *dp,
		      enum daemon_state state, __u64 started_ns)
{
	json_int_t counts[SKEP_STATE_MAX] = {};
	json_int_t uptime = (json_int_t)((monotonic_ns() - started_ns) / NS_PER_SEC);

	count_states(config, dp, counts);
	return json_pack("{ss sI sI so so}", "state", daemon_state_names[state], "uptime_s", uptime,
			 "leases", counts[SKEP_STATE_BOUND], "pool", pool_status(config, counts),
			 "uplinks", uplinks_status(config, dp));
}

static json_t *lease_report(const struct config *config, const struct skep_container *c,
			    const struct skep_lease *lease)
{
	const struct skep_addr *address = &c->address;
	__u64 seen = datapath_last_seen_ns(lease);

	return json_pack("{so ss si so so si so so so sI sI}", "address", json_ipv4(address->ip),
			 "uplink", uplink_name(config, address->uplink), "vlan", address->vlan,
			 "mac", json_mac(lease->mac), "container", json_container(lease->container),
			 "pid", (int)c->pid, "bound_at", json_moment(lease->bound_ns), "bind_us",
			 json_us(lease->bind_ns), "last_seen", json_moment(seen), "packets_in",
			 (json_int_t)lease->packets_in, "packets_out",
			 (json_int_t)lease->packets_out);
}

/* By way of the containers: a walk through a hash map that changes may see an entry twice. */
json_t *report_leases(const struct config *config, const struct datapath *dp)
{
	json_t *array = json_array();
	struct skep_container c;
	struct skep_lease lease;

	for (__u32 slot = 0; slot < config->max; slot++)
		if (!datapath_container(dp, slot, &c) && c.state == SKEP_STATE_BOUND &&
		    !datapath_lease(dp, &c.address, &lease))
			json_array_append_new(array, lease_report(config, &c, &lease));
	return json_pack("{so}", "leases", array);
}

static json_t *container_report(const struct config *config, __u32 slot,
				const struct skep_container *c)
{
	const char *template =
		c->template <config->n_templates ? config->templates[c->template].name : "?";
	char port[CONTAINER_NAME_LEN];

	return json_pack("{so ss ss si ss so so so}", "container", json_container(slot), "state",
			 state_names[c->state], "template", template, "pid", (int)c->pid, "port",
			 container_port_name(config, slot, port), "address",
			 c->address.ip.addr ? json_ipv4(c->address.ip) : json_null(), "uplink",
			 c->address.ip.addr ? json_string(uplink_name(config, c->address.uplink))
					    : json_null(),
			 "since", json_moment(c->since_ns));
}

json_t *report_containers(const struct config *config, const struct datapath *dp)
{
	json_t *array = json_array();
	struct skep_container c;

	for (__u32 slot = 0; slot < config->max; slot++)
		if (!datapath_container(dp, slot, &c) && c.state > SKEP_STATE_NONE &&
		    c.state < SKEP_STATE_MAX)
			json_array_append_new(array, container_report(config, slot, &c));
	return json_pack("{so}", "containers", array);
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

static const char *release_reason(__u32 verdict)
{
	switch (verdict) {
	case SKEP_RELEASED_COMMAND:
		return "command";
	case SKEP_RELEASED_IDLE:
		return "idle";
	case SKEP_RELEASED_STOP:
		return "stop";
	case SKEP_RELEASED_EXCLUDED:
		return "excluded";
	default:
		return "died";
	}
}

json_t *report_event(const struct config *config, const struct event_message *e)
{
	bool bound = e->verdict == SKEP_BOUND;
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
		return object;
	}
	json_object_set_new(object, "reason", json_string(release_reason(e->verdict)));
	json_object_set_new(object, "packets_in", json_integer((json_int_t)e->lease.packets_in));
	json_object_set_new(object, "packets_out", json_integer((json_int_t)e->lease.packets_out));
	return object;
}

json_t *report_error(const char *text)
{
	return json_pack("{ss}", "error", text);
}
