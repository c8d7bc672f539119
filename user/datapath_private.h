/* SPDX-License-Identifier: GPL-2.0 */
/* The inside of struct datapath, shared by datapath*.c. Nothing outside these files sees it. */
#ifndef SKEP_USER_DATAPATH_PRIVATE_H
#define SKEP_USER_DATAPATH_PRIVATE_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath.h"
#include "port.skel.h"
#include "uplink.skel.h"

/**
 * struct datapath_queue - of a template's idle containers
 * @fd:        -EBADF until it is needed
 * @leftovers: entries of containers that were taken back
 */
struct datapath_queue {
	int fd;
	unsigned int leftovers;
};

/**
 * struct datapath - programs, maps, and what of them is remembered on this side
 * @table:   copy of `uplinks`
 * @counted: copy of skepd's own slots of `counters`
 * @latency: copy of the map of this name
 * @per_cpu: one counter, as it is passed to and from the kernel
 * @own:     addresses of this machine, never bound
 * @policy_slot: of each policy of the configuration, in the map `policies`
 * @verify:  the map of this name, as memory
 * @settings: likewise; of its flags each is written by itself, see set_flag()
 * @set:     the rest of it, as it is to be
 * @offers:  the map of this name, as memory; @last_lease likewise
 * @queues:  by template, those in the map `idle`
 */
struct datapath {
	const struct config *config;
	struct uplink_bpf *uplinks[SKEP_UPLINKS_MAX];
	struct skep_uplink table[SKEP_UPLINKS_MAX];
	struct port_bpf *port;
	struct ring_buffer *ring;
	void (*ask)(void *data, const struct skep_ask *ask, size_t size);
	void *ask_data;
	unsigned int budget;
	int n_cpus;
	int leases, ports, ranges, uplinks_map, counters;
	int containers, templates, latency_map;
	int hosts, would_claim, sweep, idle;
	int policies, policy_hits, farm, flows, peers, notices;
	__u32 policy_slot[SKEP_POLICIES_MAX];
	const __u8 *secret;
	struct skep_verify *verify;
	struct skep_settings *settings;
	struct skep_settings set;
	struct skep_offer *offers;
	__u64 *last_lease;
	struct datapath_queue queues[SKEP_TEMPLATES_MAX];
	__u64 counted[SKEP_VERDICT_MAX];
	__u64 latency[SKEP_LATENCY_BUCKETS];
	__u64 *per_cpu;
	__be32 *own;
	size_t n_own;
};

/** datapath_store_uplink() - writes an entry of `uplinks` from the copy; 0 or negative errno */
int datapath_store_uplink(struct datapath *dp, __u16 uplink);

/** datapath_size_flows() - before a program is loaded: makes its maps as large as they are to be */
int datapath_size_flows(const struct config *config, struct bpf_map *flows,
			struct bpf_map *redirects);

/** datapath_set_farm() - makes `farm` what the configuration and this machine's addresses say; logs
 * what is wrong */
int datapath_set_farm(struct datapath *dp);

/** datapath_port_prepare() - an entry for an idle container, shut; 0 or negative errno */
int datapath_port_prepare(struct datapath *dp, __u32 ifindex, __u32 slot);

/** datapath_map_memory() - a map as memory; NULL with errno, and @what it is has been logged */
void *datapath_map_memory(int fd, size_t size, const char *what);

/** datapath_map_idle() - maps `offers` and `last_lease` as memory; logs what is wrong */
int datapath_map_idle(struct datapath *dp, int offers, int last_lease);

/** datapath_unmap_idle() - undoes it, and lets go of the queues */
void datapath_unmap_idle(struct datapath *dp);

/** datapath_resume() - goes on with settings and counts where the maps stand */
void datapath_resume(struct datapath *dp);

/**
 * datapath_read_pairs() - every entry of a hash, each once, whatever changes meanwhile
 * @ret_keys, @ret_values: where the pointers to the two arrays go; the caller frees them
 *
 * Return: how many, or negative errno.
 */
int datapath_read_pairs(int map, size_t key_size, size_t value_size, void *ret_keys,
			void *ret_values);

#endif
