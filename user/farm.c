// SPDX-License-Identifier: GPL-2.0
/*
 * What all parts of the allocator say and show: counts and log lines, the table of containers, and
 * the messages to the control process. Sends what fits and never waits; what must arrive is kept,
 * and events for a moment.
 */
#include <stdio.h>
#include <string.h>

#include "farm.h"

#define EVENTS_WAIT_US 5000

static const char *problem(enum skep_verdict verdict)
{
	switch (verdict) {
	case SKEP_NO_BIND_POOL_EMPTY:
		return "no idle container for a first contact, the address stays dark";
	case SKEP_NO_BIND_PLUMB:
		return "a container refused its address; rolled back";
	case SKEP_NO_BIND_MAP:
		return "a map refused a lease; rolled back";
	case SKEP_SEND_FAILED:
		return "a held frame could not be sent to its port";
	default:
		return verdict_label(verdict);
	}
}

void farm_count(struct farm *farm, enum skep_verdict verdict, const char *text)
{
	unsigned long left_out;

	datapath_count(farm->dp, verdict);
	if (!text || !log_limit_pass(&farm->limits[verdict], monotonic_ns(), &left_out))
		return;
	if (left_out)
		log_warn("%s (%s; and %lu times more)", problem(verdict), text, left_out);
	else
		log_warn("%s (%s)", problem(verdict), text);
}

void farm_show(struct farm *farm, __u32 slot)
{
	const struct warm *warm = &farm->warm[slot];
	struct skep_container c = {
		.serial = warm->serial,
		.since_ns = warm->since_ns,
		.state = pool_state(farm->pool, slot),
		.pid = (__u32)warm->pid,
		.port = warm->port,
		.template = pool_template(farm->pool, slot),
		.eth0 = warm->eth0,
		.leases = warm->n_addresses,
	};

	if (warm->n_addresses)
		c.address = warm->addresses[0];
	if (c.state == SKEP_STATE_FAILED)
		memcpy(c.reason, warm->reason, sizeof(c.reason));

	datapath_set_container(farm->dp, slot, &c);
}

static void send_or_count(struct farm *farm, const void *message, size_t size)
{
	if (message_send(farm->control, message, size, NULL, 0, true))
		datapath_count(farm->dp, SKEP_LOG_DROPPED);
}

void farm_tell_events(struct farm *farm)
{
	for (unsigned int i = 0; i < farm->n_events; i++)
		send_or_count(farm, &farm->events[i], sizeof(farm->events[i]));
	farm->n_events = 0;
}

void farm_tell_event(struct farm *farm, const struct event_message *event)
{
	static const struct timeval wait = {.tv_usec = EVENTS_WAIT_US};

	if (farm->n_events == EVENTS_MAX)
		farm_tell_events(farm);
	if (!farm->n_events)
		event_add(farm->tell, &wait);
	farm->events[farm->n_events++] = *event;
}

/* In the order in which things happened. */
void farm_tell(struct farm *farm, const void *message, size_t size)
{
	farm_tell_events(farm);
	send_or_count(farm, message, size);
}

/* Unlike lines and events, these must arrive: what finds the queue full is sent again later. */
void farm_tell_untold(struct farm *farm)
{
	struct state_message state = {
		.type = MESSAGE_STATE,
		.state = farm->state,
		.warm = farm->warm_target,
		.max = farm->max,
		.off = pool_off(farm->pool),
	};

	farm_tell_events(farm);
	if (farm->state_untold &&
	    !message_send(farm->control, &state, sizeof(state), NULL, 0, true))
		farm->state_untold = false;
	while (farm->n_results) {
		const struct result_message *last = &farm->results[farm->n_results - 1];

		if (message_send(farm->control, last, sizeof(*last), NULL, 0, true))
			return;
		farm->n_results--;
	}
}

void farm_tell_state(struct farm *farm)
{
	farm->state_untold = true;
	farm_tell_untold(farm);
}

void farm_set_state(struct farm *farm, enum daemon_state state)
{
	farm->state = state;
	farm_tell_state(farm);
}

void farm_answer(struct farm *farm, const struct result_message *result)
{
	if (farm->n_results < RESULTS_MAX)
		farm->results[farm->n_results++] = *result;
	farm_tell_untold(farm);
}

void farm_wake_refill(struct farm *farm, __u64 wake_ns)
{
	__u64 now_ns = monotonic_ns();
	__u64 wait_us = wake_ns > now_ns ? (wake_ns - now_ns) / NS_PER_US + 1 : 0;
	struct timeval wait = {(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)};

	if (wait_us)
		event_add(farm->refill, &wait);
	else
		event_active(farm->refill, EV_TIMEOUT, 0);
}
