// SPDX-License-Identifier: GPL-2.0
/*
 * The idle containers that the uplink program may give away: their queues, one for each template,
 * and the offers that say who has which container. Both sides work on the offers as memory; an
 * exchange of one word decides, and neither waits for the other.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "datapath_private.h"
#include "log.h"

#define OFFERS_SIZE (SKEP_CONTAINERS_MAX * sizeof(struct skep_offer))
#define LEFTOVERS_MAX 4 /* in a queue, before it is tidied */

int datapath_map_idle(struct datapath *dp, int offers, int last_lease)
{
	dp->offers = datapath_map_memory(offers, OFFERS_SIZE, "table of offers");
	if (!dp->offers)
		return -errno;
	dp->last_lease =
		datapath_map_memory(last_lease, sizeof(*dp->last_lease), "last lease's id");
	return dp->last_lease ? 0 : -errno;
}

void datapath_unmap_idle(struct datapath *dp)
{
	if (dp->offers)
		munmap(dp->offers, OFFERS_SIZE);
	if (dp->last_lease)
		munmap(dp->last_lease, sizeof(*dp->last_lease));
	for (size_t i = 0; i < SKEP_TEMPLATES_MAX; i++)
		close_fd(dp->queues[i].fd);
}

__u64 datapath_next_id(struct datapath *dp)
{
	return __atomic_add_fetch(dp->last_lease, 1, __ATOMIC_SEQ_CST);
}

void datapath_count_ids_from(struct datapath *dp, __u64 id)
{
	__u64 last = __atomic_load_n(dp->last_lease, __ATOMIC_SEQ_CST);

	while (last < id && !__atomic_compare_exchange_n(dp->last_lease, &last, id, false,
							 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		;
}

static int make_queue(const struct datapath *dp, __u32 template)
{
	cleanup_close int fd = bpf_map_create(BPF_MAP_TYPE_QUEUE, "idle_queue", 0,
					      sizeof(struct skep_idle), SKEP_CONTAINERS_MAX, NULL);

	if (fd < 0 || bpf_map_update_elem(dp->idle, &template, &fd, BPF_ANY))
		return -errno;
	return move_fd(&fd);
}

/* That of an earlier skepd, or a new one. It lives as long as the map it is in. */
static int open_queue(struct datapath *dp, __u32 template)
{
	struct datapath_queue *queue = &dp->queues[template];
	__u32 id;

	if (queue->fd >= 0)
		return 0;
	if (!bpf_map_lookup_elem(dp->idle, &template, &id)) {
		queue->fd = bpf_map_get_fd_by_id(id);
		queue->leftovers = LEFTOVERS_MAX + 1; /* perhaps */
	} else {
		queue->fd = make_queue(dp, template);
	}
	return queue->fd < 0 ? -errno : 0;
}

static int push(const struct datapath_queue *queue, const struct skep_idle *idle)
{
	return bpf_map_update_elem(queue->fd, NULL, idle, BPF_ANY);
}

static bool pop(const struct datapath_queue *queue, struct skep_idle *ret)
{
	return !bpf_map_lookup_and_delete_elem(queue->fd, NULL, ret);
}

static bool is_leftover(const struct datapath *dp, const struct skep_idle *idle)
{
	return idle->slot >= SKEP_CONTAINERS_MAX ||
	       __atomic_load_n(&dp->offers[idle->slot].serial, __ATOMIC_ACQUIRE) != idle->serial;
}

/* Of all templates: no queue has more that are to be had. */
static unsigned int count_offers(const struct datapath *dp)
{
	unsigned int n = 0;

	for (__u32 slot = 0; slot < SKEP_CONTAINERS_MAX; slot++)
		n += dp->offers[slot].serial != 0;
	return n;
}

/*
 * Once round, one at a time: hardly ever does the uplink program find the queue empty that is not.
 * It takes from the same end meanwhile, and may take what the round began with.
 */
static void tidy(struct datapath *dp, struct datapath_queue *queue)
{
	unsigned int live = count_offers(dp);
	struct skep_idle idle;
	__u64 first = 0;

	queue->leftovers = 0;
	while (pop(queue, &idle)) {
		if (is_leftover(dp, &idle))
			continue;
		push(queue, &idle);
		if (idle.serial == first || !live--)
			return;
		first = first ? first : idle.serial;
	}
}

void datapath_tidy(struct datapath *dp)
{
	for (size_t i = 0; i < SKEP_TEMPLATES_MAX; i++)
		if (dp->queues[i].leftovers > LEFTOVERS_MAX)
			tidy(dp, &dp->queues[i]);
}

int datapath_offer(struct datapath *dp, __u32 slot, __u32 template, __u32 port, const __u8 eth0[6])
{
	struct skep_offer *offer = &dp->offers[slot];
	const struct skep_idle idle = {.serial = datapath_next_id(dp), .slot = slot};
	int err = open_queue(dp, template);

	if (!err)
		err = datapath_port_prepare(dp, port, slot);
	if (err)
		return err;
	offer->port = port;
	memcpy(offer->eth0, eth0, sizeof(offer->eth0));
	memset(&offer->address, 0, sizeof(offer->address));
	__atomic_store_n(&offer->serial, idle.serial, __ATOMIC_RELEASE);
	err = push(&dp->queues[template], &idle);
	if (err == -E2BIG) {
		tidy(dp, &dp->queues[template]);
		err = push(&dp->queues[template], &idle);
	}
	if (err) /* nobody has seen it */
		datapath_take_back(dp, slot, template);
	return err;
}

bool datapath_take_back(struct datapath *dp, __u32 slot, __u32 template)
{
	struct skep_offer *offer = &dp->offers[slot];
	__u64 serial = __atomic_load_n(&offer->serial, __ATOMIC_ACQUIRE);

	if (!offer->port)
		return true; /* it never was offered */
	if (!serial || !__atomic_compare_exchange_n(&offer->serial, &serial, 0, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	datapath_port_close(dp, offer->port);
	offer->port = 0;
	dp->queues[template].leftovers++;
	return true;
}

bool datapath_claimed(const struct datapath *dp, __u32 slot, struct skep_addr *ret)
{
	const struct skep_offer *offer = &dp->offers[slot];

	if (!offer->port || __atomic_load_n(&offer->serial, __ATOMIC_ACQUIRE))
		return false;
	if (ret)
		*ret = offer->address;
	return true;
}

bool datapath_has_offer(const struct datapath *dp, __u32 slot)
{
	return dp->offers[slot].port;
}

void datapath_claim_done(struct datapath *dp, __u32 slot)
{
	dp->offers[slot].port = 0;
	__atomic_store_n(&dp->offers[slot].serial, 0, __ATOMIC_SEQ_CST);
}
