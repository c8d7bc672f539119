// SPDX-License-Identifier: GPL-2.0
/*
 * Stopping: the uplinks first, then the leases, then the containers. Bounded: what cannot be
 * removed is left to the next start.
 */
#include "farm.h"
#include "notify.h"

#define PATIENCE_NS (10 * NS_PER_SEC)

/* What is to be looked into is kept; the programs let nothing through without skepd, too. */
static void leave(struct farm *farm)
{
	farm->handover = true;
	farm->result = ALLOCATOR_LEFT;
	farm->stop_ns = monotonic_ns();
	notify_stopping();
	log_warn("stopping in panic: containers and leases stay as they are; start skepd again to "
		 "go on with them, or end the farm with 'skepd --clear -c %s'",
		 farm->config->file);
	farm_wake_refill(farm, 0);
}

void stop_begin(struct farm *farm)
{
	const struct timeval now = {};

	if (datapath_is_panicked(farm->dp))
		return leave(farm);
	farm->handover = false;
	farm->result = ALLOCATOR_STOPPED;
	farm_set_state(farm, DAEMON_STOPPING);
	notify_stopping();
	log_info("stopping: detaching and removing %u containers",
		 SKEP_CONTAINERS_MAX - pool_count(farm->pool, SKEP_STATE_NONE));
	for (size_t i = 0; i < farm->config->n_uplinks; i++)
		datapath_detach(farm->dp, (__u16)i);
	settle_all(farm);
	bind_release_all(farm, 0, SKEP_RELEASED_STOP);
	for (__u32 slot = 0; slot < farm->slots_end; slot++)
		if (pool_state(farm->pool, slot) == SKEP_STATE_IDLE)
			offer_take_back(farm, slot);
	pool_drain(farm->pool);
	for (__u32 slot = 0; slot < farm->slots_end; slot++)
		if (pool_state(farm->pool, slot) == SKEP_STATE_RECYCLING)
			farm_show(farm, slot);
	farm->stop_ns = monotonic_ns();
	event_add(farm->refill, &now);
}

/* Nobody waits for services that are to end; a job in hand may still get into a nursery. */
static void empty_nurseries(struct farm *farm)
{
	struct job_message job;

	while (!keepers_take_back(farm->keepers, &job)) {
		pool_give_up(farm->pool, job.slot);
		farm_show(farm, job.slot);
		farm_wake_refill(farm, 0);
	}
}

/* A stop is bounded: what cannot be removed is left to the next start, which says so. */
static void end_hopeless(struct farm *farm)
{
	unsigned int left = SKEP_CONTAINERS_MAX - pool_count(farm->pool, SKEP_STATE_NONE);

	if (monotonic_ns() - farm->stop_ns < PATIENCE_NS)
		return;
	if (farm->handover) {
		event_base_loopbreak(farm->base);
	} else if (left == pool_count(farm->pool, SKEP_STATE_FAILED)) {
		log_error("%u containers were not removed: the next start will try again", left);
		farm->result = ALLOCATOR_STOPPED_HALF;
		event_base_loopbreak(farm->base);
	}
}

void stop_go_on(struct farm *farm)
{
	if (farm->state == DAEMON_STOPPING)
		empty_nurseries(farm);
	end_hopeless(farm);
}
