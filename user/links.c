// SPDX-License-Identifier: GPL-2.0
/*
 * The machine's own side: NICs that vanish and come back, and addresses that the box itself gets,
 * which are never bound. Knows nothing of containers.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "check.h"
#include "cleanup.h"
#include "farm.h"
#include "link.h"

static int find_uplink(const struct farm *farm, const char *name)
{
	for (size_t i = 0; *name && i < farm->config->n_uplinks; i++)
		if (!strcmp(farm->config->uplinks[i].name, name))
			return (int)i;
	return -1;
}

/* The NIC went away, or is here again, perhaps as another one of the same name. */
static void on_link_changed(void *data, const char *name, unsigned int ifindex, bool gone)
{
	struct farm *farm = data;
	int uplink = find_uplink(farm, name);
	struct skep_uplink entry;

	if (uplink < 0 || farm->state == DAEMON_STOPPING ||
	    datapath_uplink(farm->dp, (__u16)uplink, &entry))
		return;
	if (gone && entry.ifindex == ifindex) {
		log_warn("%s vanished; waiting for it to come back", name);
		datapath_detach(farm->dp, (__u16)uplink);
	} else if (!gone && entry.ifindex != ifindex) {
		datapath_attach(farm->dp, (__u16)uplink, ifindex);
	}
}

static void on_own_address(void *data, __be32 addr)
{
	struct farm *farm = data;

	datapath_exclude(farm->dp, &addr, 1);
	/* In panic nothing is released; what is not covered any more goes when that ends. */
	if (farm->state != DAEMON_STOPPING && !datapath_is_panicked(farm->dp))
		bind_release_all(farm, addr, SKEP_RELEASED_EXCLUDED);
}

void links_look_around(struct farm *farm)
{
	cleanup_free __be32 *own = NULL;
	size_t n_own = 0;

	for (size_t i = 0; i < farm->config->n_uplinks; i++) {
		const char *name = farm->config->uplinks[i].name;
		unsigned int ifindex = if_nametoindex(name);
		struct skep_uplink entry;

		if (!*name)
			continue; /* an ordinal not in use */
		if (ifindex)
			on_link_changed(farm, name, ifindex, false);
		else if (!datapath_uplink(farm->dp, (__u16)i, &entry) && entry.ifindex)
			on_link_changed(farm, name, entry.ifindex, true);
	}
	if (check_own_addresses(&own, &n_own))
		return;
	for (size_t i = 0; i < n_own; i++)
		on_own_address(farm, own[i]);
}

void links_read(struct farm *farm, int monitor)
{
	const struct link_news news = {on_link_changed, on_own_address, farm};

	if (link_monitor_read(monitor, &news) == -ENOBUFS)
		links_look_around(farm);
}

int links_attach(struct farm *farm)
{
	int err = 0;

	for (size_t i = 0; !err && i < farm->config->n_uplinks; i++) {
		const char *name = farm->config->uplinks[i].name;
		unsigned int ifindex = *name ? if_nametoindex(name) : 0;

		if (!*name)
			continue; /* an ordinal not in use */
		err = ifindex ? datapath_attach(farm->dp, (__u16)i, ifindex) : -ENODEV;
	}
	return err;
}
