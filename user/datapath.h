/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel side as skepd sees it: programs, pinned maps and XDP links. The maps are the truth
 * about leases; whatever is pinned outlives the daemon and goes on working.
 */
#ifndef SKEP_USER_DATAPATH_H
#define SKEP_USER_DATAPATH_H

#include <stdbool.h>

#include "config.h"
#include "skep/ask.h"
#include "skep/flow.h"
#include "skep/maps.h"
#include "skep/policy.h"
#include "skep/verdict.h"

struct datapath;
struct frame;

/** verdict_label() - as in every output; verdict_help() - a sentence for people */
const char *verdict_label(unsigned int verdict);
const char *verdict_help(unsigned int verdict);

/**
 * struct datapath_pinned - what an earlier skepd left pinned
 * @n:         pins
 * @watching:  an uplink program is attached
 * @leases:    how many there are
 * @dry_run:   it only watched
 * @version:   of the maps, SKEP_MAPS_VERSION then; 0 when none was written
 * @uplinks:   names by ordinal, only if the version is ours; "" where there is none
 * @templates: likewise
 */
struct datapath_pinned {
	unsigned int n;
	bool watching;
	unsigned int leases;
	bool dry_run;
	__u32 version;
	char uplinks[SKEP_UPLINKS_MAX][IFNAMSIZ];
	char templates[SKEP_TEMPLATES_MAX][64];
};

/** datapath_look() - looks what is pinned under a bpf_dir; 0 or negative errno */
int datapath_look(const char *bpf_dir, struct datapath_pinned *ret);

/**
 * datapath_open() - loads the programs and pins the maps under config->bpf_dir; attaches nothing
 * yet
 * @secret: the farm's, SKEP_KEY_LEN bytes; it is written into `settings`, too
 * @ret:    freed with datapath_close()
 *
 * Maps that are pinned there already are taken over with what is in them; the configuration's
 * ordinals must be theirs (config_align()). Logs what is wrong. Return: 0 or negative errno.
 */
int datapath_open(const struct config *config, const __u8 *secret, struct datapath **ret);

/** datapath_close() - lets go of the descriptors; what is pinned stays. Accepts NULL, returns NULL.
 */
struct datapath *datapath_close(struct datapath *dp);

/**
 * datapath_unpin() - removes what is pinned under a bpf_dir, and undoes promiscuous mode; needs no
 * datapath
 * @ret_leases: how many leases there were; may be NULL
 *
 * The directory itself stays. Return: how many pins there were, or negative errno.
 */
int datapath_unpin(const char *bpf_dir, unsigned int *ret_leases);

/** datapath_make_dir() - bpf_dir, with bpffs mounted if nobody has; logs what is wrong */
int datapath_make_dir(const char *bpf_dir);

/** datapath_reconfigure() - goes over to a configuration with the same uplinks; nothing is written
 * yet */
void datapath_reconfigure(struct datapath *dp, const struct config *config);

/**
 * datapath_attach() - puts the uplink program on the NIC with this ifindex, promiscuous, and pins
 * the link. One that an earlier skepd attached there is replaced between two frames.
 *
 * Return: 0; -EBUSY when another XDP program is there; -ENODEV; -EOPNOTSUPP when the mode
 * asked for is not to be had. Logs which mode it is, or what is wrong.
 */
int datapath_attach(struct datapath *dp, __u16 uplink, unsigned int ifindex);

/** datapath_detach() - takes the program off the NIC and undoes promiscuous mode; harmless when not
 * attached */
void datapath_detach(struct datapath *dp, __u16 uplink);

/** datapath_uplink() - the map entry of an uplink; ifindex is 0 while it is not attached */
int datapath_uplink(const struct datapath *dp, __u16 uplink, struct skep_uplink *ret);

/** datapath_set_ranges() - makes `ranges` what the configuration says; logs what is wrong */
int datapath_set_ranges(struct datapath *dp);

/** datapath_ranges_fit() - whether there is room for the ranges of a configuration */
bool datapath_ranges_fit(const struct datapath *dp, const struct config *config);

/** datapath_set_budgets() - writes `settings` from the configuration: budgets, what link addresses
 * and density follow from, and the maps' version */
void datapath_set_budgets(struct datapath *dp);

/*
 * The three switches that the programs know at once. Each may be thrown by any process that has the
 * datapath, whatever the others do meanwhile.
 */

/**
 * datapath_set_policies() - makes `policies` what the configuration says, and gives each open port
 * the one it has now; logs what is wrong
 */
int datapath_set_policies(struct datapath *dp);

/** datapath_policy_of() - the slot of the policy of an address; SKEP_POLICY_NONE in a world */
__u16 datapath_policy_of(const struct datapath *dp, const struct skep_addr *address);

/** datapath_policy() - the policy in a slot; 0 or -ENOENT. datapath_policy_hits() - its counts. */
int datapath_policy(const struct datapath *dp, __u32 slot, struct skep_policy *ret);
int datapath_policy_hits(const struct datapath *dp, __u32 slot,
			 struct skep_hits ret[SKEP_POLICY_HITS]);

/**
 * datapath_note_flow() - a frame that was held is going to be sent to the port of a lease
 * @f: what it says; the container may answer, as if the frame had come by the uplink program
 */
void datapath_note_flow(const struct datapath *dp, const struct skep_addr *address,
			const struct skep_lease *lease, const struct frame *f, const __u8 *frame,
			size_t len);

/** datapath_flow() - looks a flow up; 0, or -ENOENT when it is over, or its lease is */
int datapath_flow(const struct datapath *dp, const struct skep_flow_key *key,
		  struct skep_flow *ret);

/**
 * datapath_flows() - the flows of an address, or all
 * @address: network byte order; 0 for all
 * @ret:     array; the caller frees it
 *
 * Return: how many, or negative errno.
 */
int datapath_flows(const struct datapath *dp, __be32 address, struct skep_flow_key **ret);

/** datapath_notices_fd() - the map `notices`, owned by @dp */
int datapath_notices_fd(const struct datapath *dp);

/** datapath_set_drain() - whether dark addresses stay dark */
void datapath_set_drain(const struct datapath *dp, bool on);
bool datapath_is_draining(const struct datapath *dp);

/** datapath_set_panic() - whether nothing is answered and nothing gets out */
void datapath_set_panic(const struct datapath *dp, bool on);
bool datapath_is_panicked(const struct datapath *dp);

/** datapath_set_dry_run() - whether what would be bound is only noted */
void datapath_set_dry_run(const struct datapath *dp, bool on);
bool datapath_is_dry_run(const struct datapath *dp);

/** datapath_name_template() - writes an entry of `templates` */
int datapath_name_template(struct datapath *dp, __u32 template, const char *name);

/** datapath_exclude() - addresses of this machine are never bound; those in no range are harmless
 */
int datapath_exclude(struct datapath *dp, const __be32 *addrs, size_t n);

/** datapath_is_bindable() - whether an address is in a range, not excluded, and one of those that
 * live, as the programs see it */
bool datapath_is_bindable(const struct datapath *dp, const struct skep_addr *address);

/** datapath_is_hosts() - whether a machine that is not ours has the address */
bool datapath_is_hosts(const struct datapath *dp, const struct skep_addr *address);

/** datapath_gateway() - the link address by which the gateway of an uplink's VLAN was heard last,
 * by ARP, since this skepd runs; false when it was not */
bool datapath_gateway(const struct datapath *dp, __u32 uplink, __u16 vlan, __u8 ret[6]);

/** datapath_is_gateway() - whether this is the link address by which the gateway of an address's
 * segment was heard last, by ARP, since this skepd runs */
bool datapath_is_gateway(const struct datapath *dp, const struct skep_addr *address,
			 const __u8 mac[6]);

/** datapath_host() - the entry of an address in `hosts`, which may be over; 0 or -ENOENT */
int datapath_host(const struct datapath *dp, const struct skep_addr *address,
		  struct skep_host *ret);

/**
 * datapath_verify() - the map `verify`, as memory that the program works on, too
 *
 * Return: SKEP_VERIFY_MAX entries, owned by @dp.
 */
struct skep_verify *datapath_verify(const struct datapath *dp);

/** datapath_range() - the entry of `ranges` that an address meets; 0 or -ENOENT */
int datapath_range(const struct datapath *dp, const struct skep_addr *address,
		   struct skep_range *ret);

/** datapath_range_whole() - the entry of a range itself, or of an exclusion that covers it; 0 or
 * -ENOENT */
int datapath_range_whole(const struct datapath *dp, __u16 uplink, const struct range_config *range,
			 struct skep_range *ret);

/**
 * datapath_hosts() - every entry of `hosts`, each once; some may be over
 * @ret_addresses, @ret_hosts: arrays; the caller frees both
 *
 * Return: how many, or negative errno.
 */
int datapath_hosts(const struct datapath *dp, struct skep_addr **ret_addresses,
		   struct skep_host **ret_hosts);

/** datapath_would() - the same for `would_claim` */
int datapath_would(const struct datapath *dp, struct skep_pair **ret_pairs,
		   struct skep_would **ret_would);

/** datapath_sweep() - how far the verification has come, and datapath_set_sweep() */
int datapath_sweep(const struct datapath *dp, struct skep_sweep *ret);
void datapath_set_sweep(const struct datapath *dp, const struct skep_sweep *sweep);

#define DATAPATH_SWEEP_FDS 4

/** datapath_sweep_fds() - the descriptors of @dp that the sweeper needs; it closes all others */
void datapath_sweep_fds(const struct datapath *dp, int ret[DATAPATH_SWEEP_FDS]);

/** datapath_lease() - looks an address up; 0 or -ENOENT */
int datapath_lease(const struct datapath *dp, const struct skep_addr *address,
		   struct skep_lease *ret);

/**
 * datapath_leases() - every lease, each once
 * @ret_addresses, @ret_leases: arrays; the caller frees both
 *
 * Return: how many, or negative errno.
 */
int datapath_leases(const struct datapath *dp, struct skep_addr **ret_addresses,
		    struct skep_lease **ret_leases);

/** datapath_set_device() - the port of a slot, by which redirected frames find it faster; 0 or
 * negative errno */
int datapath_set_device(struct datapath *dp, __u32 slot, __u32 ifindex);

/** datapath_port_open() - lets the frames of a bound container out, as @port says; 0, -EEXIST,
 * -E2BIG */
int datapath_port_open(struct datapath *dp, __u32 ifindex, const struct skep_port *port);

/** datapath_port_set_policy() - of an open port; harmless when it is closed, or has it already */
void datapath_port_set_policy(struct datapath *dp, __u32 ifindex, __u16 policy);

/** datapath_port_close() - nothing gets out any more; harmless when it is closed */
void datapath_port_close(struct datapath *dp, __u32 port);

/** struct datapath_port - a port, open or shut until its container is given away: @slot is that of
 * its container, as the map says */
struct datapath_port {
	__u32 ifindex;
	__u32 slot;
};

/**
 * datapath_ports() - the ports in the map
 * @ret: array; the caller frees it
 *
 * Return: how many, or negative errno.
 */
int datapath_ports(const struct datapath *dp, struct datapath_port **ret);

/**
 * datapath_lease_insert() - makes the address leased
 * @lease:   its bound_ns and bind_ns are set, in the moment before it is written
 * @seen_ns: when the who-has was seen
 *
 * Return: 0, -EEXIST, -E2BIG.
 */
int datapath_lease_insert(struct datapath *dp, const struct skep_addr *address,
			  struct skep_lease *lease, __u64 seen_ns);

/** datapath_lease_update() - writes over a lease that there is; 0 or -ENOENT. What the programs
 * count in the moment since it was read is lost. */
int datapath_lease_update(struct datapath *dp, const struct skep_addr *address,
			  const struct skep_lease *lease);

/** datapath_last_seen_ns() - the last sign of life of a lease: its bind, or a frame either way */
__u64 datapath_last_seen_ns(const struct skep_lease *lease);

/** datapath_lease_delete() - makes the address dark; harmless when it is */
void datapath_lease_delete(struct datapath *dp, const struct skep_addr *address);

/*
 * The idle containers that the uplink program may give away; see struct skep_offer.
 */

/**
 * datapath_offer() - from now on the uplink program may give an idle container away
 * @port: ifindex
 * @eth0: link address inside
 *
 * Return: 0, or negative errno when it is not offered.
 */
int datapath_offer(struct datapath *dp, __u32 slot, __u32 template, __u32 port, const __u8 eth0[6]);

/** datapath_take_back() - ends an offer, if there is one. Return: false when the uplink program has
 * given the container away, or is about to. */
bool datapath_take_back(struct datapath *dp, __u32 slot, __u32 template);

/**
 * datapath_claimed() - whether the uplink program has given a container away
 * @ret: for which address (may be NULL), as far as the program has come: the lease may not be there
 * yet, and if it has lost a race for the address, the container will be to be had again
 */
bool datapath_claimed(const struct datapath *dp, __u32 slot, struct skep_addr *ret);

/** datapath_has_offer() - whether the uplink program may give a container away, or has; until
 * datapath_claim_done() */
bool datapath_has_offer(const struct datapath *dp, __u32 slot);

/** datapath_claim_done() - what was claimed is taken note of; were it to be had again, it is no
 * more */
void datapath_claim_done(struct datapath *dp, __u32 slot);

/** datapath_tidy() - takes what is left over out of the queues, where there is too much of it */
void datapath_tidy(struct datapath *dp);

/** datapath_next_id() - a number that no lease and no offer has had; both sides count on */
__u64 datapath_next_id(struct datapath *dp);

/** datapath_count_ids_from() - those up to @id are not used any more */
void datapath_count_ids_from(struct datapath *dp, __u64 id);

void datapath_set_container(struct datapath *dp, __u32 slot, const struct skep_container *c);
int datapath_container(const struct datapath *dp, __u32 slot, struct skep_container *ret);

/**
 * datapath_containers() - the whole table, by slot
 * @ret: array of SKEP_CONTAINERS_MAX; the caller frees it
 *
 * Return: one more than the last slot that is not in SKEP_STATE_NONE, or negative errno.
 */
int datapath_containers(const struct datapath *dp, struct skep_container **ret);

/** datapath_count_latency() - adds one to the histogram of bind_ns */
void datapath_count_latency(struct datapath *dp, __u32 bind_ns);

/** datapath_latency() - the histogram: slot N counts binds of 2^N up to 2^(N+1) ns */
void datapath_latency(const struct datapath *dp, __u64 ret[SKEP_LATENCY_BUCKETS]);

/** datapath_count() - counts a verdict of skepd's own; the programs count theirs themselves */
void datapath_count(struct datapath *dp, enum skep_verdict verdict);

/** datapath_counter() - sum over CPUs; 0 when it cannot be read */
__u64 datapath_counter(const struct datapath *dp, enum skep_verdict verdict);

/** datapath_counters() - the same for every verdict */
void datapath_counters(const struct datapath *dp, __u64 ret[SKEP_VERDICT_MAX]);

/** datapath_port_program() - descriptor of the tc program, owned by @dp */
int datapath_port_program(const struct datapath *dp);

/**
 * datapath_on_ask() - who gets the ring records
 * @ask: called with a record and its size in bytes; the record is the ring's and valid during the
 * call
 */
int datapath_on_ask(struct datapath *dp,
		    void (*ask)(void *data, const struct skep_ask *ask, size_t size), void *data);

/** datapath_asks_fd() - readable while records wait */
int datapath_asks_fd(const struct datapath *dp);

/** datapath_consume() - hands on at most @budget records. Return: whether there may be more. */
bool datapath_consume(struct datapath *dp, unsigned int budget);

#endif
