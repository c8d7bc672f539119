// SPDX-License-Identifier: GPL-2.0
/* What clients ask; see control_client.h. Reads maps itself; what changes something goes to the
 * allocator. */
#include <errno.h>
#include <string.h>

#include "control_client.h"
#include "log.h"
#include "panic.h"
#include "pool.h"
#include "report.h"
#include "world.h"

static bool asked_for(const struct control *control, const struct request *request, size_t uplink,
		      __u16 vlan)
{
	if (request->vlan >= 0 && vlan != request->vlan)
		return false;
	return !*request->uplink || !strcmp(request->uplink, control->config->uplinks[uplink].name);
}

/* Looks where the address may have a lease; a walk through the map could see one lease twice. */
static unsigned int find_on_uplink(const struct control *control, const struct request *request,
				   size_t u, struct skep_addr *ret)
{
	const struct uplink_config *uplink = &control->config->uplinks[u];
	unsigned int found = 0;

	for (size_t r = 0; r < uplink->n_ranges; r++) {
		const struct range_config *range = &uplink->ranges[r];
		struct skep_addr address = {
			.ip.addr = request->address, .vlan = range->vlan, .uplink = (__u16)u};
		struct skep_lease lease;

		if (prefix_contains(&range->prefix, request->address) &&
		    asked_for(control, request, u, range->vlan) &&
		    !datapath_lease(control->dp, &address, &lease)) {
			*ret = address;
			found++;
		}
	}
	return found;
}

static int find_in_world(const struct control *control, const struct request *request,
			 struct skep_addr *ret)
{
	struct skep_lease lease;

	if (request->vlan < 0)
		return -ENOTUNIQ;
	*ret = (struct skep_addr){
		{.addr = request->address}, (__u16)request->vlan, SKEP_UPLINK_REFLECT};
	return datapath_lease(control->dp, ret, &lease) ? -ENOENT : 0;
}

/* The one lease that is meant; 0, -ENOENT, or -ENOTUNIQ. */
static int find_lease(const struct control *control, const struct request *request,
		      struct skep_addr *ret)
{
	unsigned int found = 0;

	if (!strcmp(request->uplink, WORLD_NAME))
		return find_in_world(control, request, ret);
	for (size_t u = 0; u < control->config->n_uplinks; u++)
		found += find_on_uplink(control, request, u, ret);
	if (found > 1)
		return -ENOTUNIQ;
	return found ? 0 : -ENOENT;
}

/* Passes it on to the allocator; @done is the result when it is done. */
static void command(struct client *client, struct command_message *message, const char *done)
{
	message->type = MESSAGE_COMMAND;
	message->client = client->id;
	client->awaited = done;
	if (message_send(client->control->channel, message, sizeof(*message), NULL, 0, true)) {
		client->awaited = NULL;
		client_refuse(client, "skepd is too busy; try again");
	}
}

static void release(struct client *client, const struct request *request)
{
	struct command_message message = {.command = DAEMON_RELEASE};
	int err = find_lease(client->control, request, &message.address);

	if (err == -ENOTUNIQ)
		return client_refuse(client,
				     "several leases have this address; name uplink and vlan: "
				     "ADDRESS%UPLINK.VLAN");
	if (err)
		return client_refuse(client, "no lease has this address");
	command(client, &message, "released");
}

static void resize(struct client *client, const struct request *request)
{
	struct command_message message = {
		.command = DAEMON_RESIZE, .warm = request->warm, .max = request->max};
	unsigned int used = config_templates_used(client->control->config);
	char error[CONFIG_ERROR_MAX];

	if (request->max + POOL_QUARANTINE_MAX > config_slots(client->control->config)) {
		snprintf(error, sizeof(error),
			 "above id_base there are not enough ids for max %u; lower max",
			 request->max);
		return client_refuse(client, error);
	}
	if ((__u64)used * request->warm <= request->max)
		return command(client, &message, "resized");
	snprintf(error, sizeof(error),
		 "max %u leaves no room for warm %u of each of the %u templates in use; raise max "
		 "or lower warm",
		 request->max, request->warm, used);
	client_refuse(client, error);
}

static void drain(struct client *client, const struct request *request)
{
	struct command_message message = {.command = DAEMON_DRAIN, .on = request->on};

	command(client, &message, request->on ? "draining" : "resumed");
}

/* Done here and at once, whatever the allocator is doing; it notices by itself. */
static void panic(struct client *client, const struct request *request)
{
	struct control *control = client->control;
	int err;

	datapath_set_panic(control->dp, request->on);
	err = panic_mark(control->config->state_dir, request->on);
	if (err)
		log_warn("cannot %s %s/panic: %s; the next start will not know",
			 request->on ? "make" : "remove", control->config->state_dir,
			 strerror(-err));
	control_tell(control, report_panic_event(request->on));
	client_reply(client, json_pack("{ss}", "result", request->on ? "panic" : "resumed"));
}

static void handover(struct client *client)
{
	struct command_message message = {.command = DAEMON_HANDOVER};
	char error[CONFIG_ERROR_MAX];

	if (reload_may_hand_over(client->control->config, error))
		command(client, &message, "handing over");
	else
		client_refuse(client, error);
}

static void reload(struct client *client)
{
	client->awaited = "reloaded";
	client->reload = RELOAD_COMING;
	reload_wanted(client->control);
}

void request_list_on(struct client *client)
{
	const struct control *control = client->control;

	if (!listing_next(client->listing, control->config, control->dp,
			  bufferevent_get_output(client->connection)))
		client->listing = listing_free(client->listing);
}

/* Takes @listing. */
static void list(struct client *client, struct listing *listing)
{
	if (!listing)
		return client_drop(client);
	client->listing = listing;
	request_list_on(client);
}

static void watch(struct client *client)
{
	client->watching = true;
	bufferevent_set_timeouts(client->connection, NULL, NULL);
	client_reply(client, json_pack("{ss}", "event", "watching"));
}

void request_answer(struct client *client, const struct request *request)
{
	const struct control *control = client->control;

	switch (request->command) {
	case COMMAND_STATUS:
		client_reply(client, report_status(control->config, control->dp, &control->state,
						   control->started_ns));
		break;
	case COMMAND_LEASES:
		return list(client, listing_leases(control->dp));
	case COMMAND_CONTAINERS:
		return list(client, listing_containers(control->dp));
	case COMMAND_COUNTERS:
		client_reply(client, report_counters(control->dp));
		break;
	case COMMAND_LATENCY:
		client_reply(client, report_latency(control->dp));
		break;
	case COMMAND_WATCH:
		return watch(client);
	case COMMAND_RELEASE:
		return release(client, request);
	case COMMAND_RESIZE:
		return resize(client, request);
	case COMMAND_DRAIN:
		return drain(client, request);
	case COMMAND_RELOAD:
		return reload(client);
	case COMMAND_HANDOVER:
		return handover(client);
	case COMMAND_HOSTS:
		return list(client, listing_hosts(control->dp));
	case COMMAND_WOULD:
		return list(client, listing_would(control->dp));
	case COMMAND_PANIC:
		return panic(client, request);
	case COMMAND_FLOWS:
		return list(client, listing_flows(control->dp, request->address));
	case COMMAND_POLICY:
		client_reply(client, report_policies(control->dp));
		break;
	case COMMAND_MAX:
		break;
	}
}
