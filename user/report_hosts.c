// SPDX-License-Identifier: GPL-2.0
/* Reports of hosts, of their search, of dry runs and of panic; see report.h. Changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "clock.h"
#include "report_private.h"

/* struct tally - the addresses of a range, each in one of these */
struct tally {
	json_int_t claimable, waiting, hosts, skipped;
};

static void tally_slots(const struct skep_verify *slots, size_t n, __u8 needed, struct tally *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct skep_verify slot = slots[i];

		if (slot.skipped)
			ret->skipped++;
		else if (slot.quiet >= needed)
			ret->claimable++;
		else
			ret->waiting++;
	}
}

/* A host may have gone silent a while ago: then its address is quiet, and still its own. */
static void tally_host(const struct skep_verify *slots, const struct range_config *range,
		       const struct skep_addr *address, __u8 needed, struct tally *ret)
{
	const struct skep_verify slot = slots[ntohl(address->ip.addr) - ntohl(range->prefix.addr)];

	if (slot.skipped)
		return;
	ret->hosts++;
	if (slot.quiet >= needed)
		ret->claimable--;
	else
		ret->waiting--;
}

/* struct known - every entry of `hosts` */
struct known {
	struct skep_addr *addresses;
	struct skep_host *hosts;
	int n;
};

static json_t *range_status(const struct config *config, const struct datapath *dp, __u16 uplink,
			    const struct range_config *range, const struct known *known)
{
	const struct skep_verify *slots = datapath_verify(dp);
	const size_t n = (size_t)1 << (32 - range->prefix.len);
	struct tally tally = {};
	struct skep_range whole;
	char prefix[PREFIX_STRLEN];

	if (!datapath_range_whole(dp, uplink, range, &whole) && whole.verify < SKEP_VERIFY_MAX &&
	    n <= SKEP_VERIFY_MAX - whole.verify) {
		slots += whole.verify;
		tally_slots(slots, n, whole.quiet, &tally);
		for (int i = 0; i < known->n; i++) {
			const struct skep_addr *a = &known->addresses[i];

			if (a->uplink == uplink && a->vlan == range->vlan &&
			    prefix_contains(&range->prefix, a->ip.addr) &&
			    known->hosts[i].until_ns > monotonic_ns())
				tally_host(slots, range, a, whole.quiet, &tally);
		}
	}
	return json_pack("{ss ss si sI sI sI sI si}", "range",
			 prefix_format(&range->prefix, prefix), "uplink",
			 config->uplinks[uplink].name, "vlan", range->vlan, "claimable",
			 tally.claimable, "waiting", tally.waiting, "hosts", tally.hosts,
			 "left_out", tally.skipped, "verify_quiet", (int)range->verify_quiet);
}

static json_t *ranges_status(const struct config *config, const struct datapath *dp)
{
	struct known known = {};
	json_t *array = json_array();

	known.n = datapath_hosts(dp, &known.addresses, &known.hosts);
	for (size_t u = 0; u < config->n_uplinks; u++)
		for (size_t r = 0; r < config->uplinks[u].n_ranges; r++) {
			const struct range_config *range = &config->uplinks[u].ranges[r];

			if (range->verify)
				json_array_append_new(array, range_status(config, dp, (__u16)u,
									  range, &known));
		}
	free(known.addresses);
	free(known.hosts);
	return array;
}

json_t *report_verification(const struct config *config, const struct datapath *dp)
{
	struct skep_sweep sweep = {};

	datapath_sweep(dp, &sweep);
	return json_pack("{sI sI sI sI sI sf si sb so}", "round", (json_int_t)sweep.round, "at",
			 (json_int_t)sweep.at, "of", (json_int_t)sweep.total, "probes",
			 (json_int_t)sweep.sent, "answered", (json_int_t)sweep.answered,
			 "probes_per_s", (double)sweep.rate_mhz / 1000, "verify_rate",
			 (int)config->verify_rate, "hurry", (int)sweep.hurry, "ranges",
			 ranges_status(config, dp));
}

json_t *report_host(const struct config *config, const struct skep_addr *address,
		    const struct skep_host *host)
{
	const __u64 now_ns = monotonic_ns();

	return json_pack("{so ss si so so so so so so sI}", "address", json_ipv4(address->ip),
			 "uplink", uplink_name(config, address->uplink), "vlan", address->vlan,
			 "mac", json_mac(host->mac), "first_seen", json_moment(host->first_ns),
			 "last_seen", json_moment(host->seen_ns), "until",
			 json_moment(host->until_ns), "handed_on_from",
			 host->hand_on_ns > now_ns ? json_mac(host->ours) : json_null(),
			 "handed_on_until",
			 host->hand_on_ns > now_ns ? json_moment(host->hand_on_ns) : json_null(),
			 "conflicts", (json_int_t)host->conflicts);
}

json_t *report_would(const struct config *config, const struct skep_pair *pair,
		     const struct skep_would *would)
{
	return json_pack("{so ss si so sI so so sI}", "address", json_ipv4(pair->address.ip),
			 "uplink", uplink_name(config, pair->address.uplink), "vlan",
			 pair->address.vlan, "requester",
			 pair->other.addr ? json_ipv4(pair->other) : json_null(), "times",
			 (json_int_t)would->count, "first", json_moment(would->first_ns), "last",
			 json_moment(would->last_ns), "conflicts", (json_int_t)would->conflicts);
}

json_t *report_panic_event(bool on)
{
	return json_pack("{ss so}", "event", on ? "panic" : "resume", "at",
			 json_moment(monotonic_ns()));
}
