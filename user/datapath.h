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
#include "skep/maps.h"
#include "skep/verdict.h"

struct datapath;

/** verdict_label() - as in every output; verdict_help() - a sentence for people */
const char *verdict_label(unsigned int verdict);
const char *verdict_help(unsigned int verdict);

/**
 * datapath_open() - loads the programs and pins the maps under config->bpf_dir; attaches nothing
 * yet
 * @ret: freed with datapath_close()
 *
 * Nothing may be pinned there yet. Logs what is wrong. Return: 0 or negative errno.
 */
int datapath_open(const struct config *config, struct datapath **ret);

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

/**
 * datapath_attach() - puts the uplink program on the NIC with this ifindex, promiscuous, and pins
 * the link Return: 0; -EBUSY when another XDP program is there; -ENODEV; -EOPNOTSUPP when the mode
 * asked for is not to be had. Logs which mode it is, or what is wrong.
 */
int datapath_attach(struct datapath *dp, __u16 uplink, unsigned int ifindex);

/** datapath_detach() - takes the program off the NIC and undoes promiscuous mode; harmless when not
 * attached */
void datapath_detach(struct datapath *dp, __u16 uplink);

/** datapath_uplink() - the map entry of an uplink; ifindex is 0 while it is not attached */
int datapath_uplink(const struct datapath *dp, __u16 uplink, struct skep_uplink *ret);

/** datapath_set_ranges() - fills `ranges` from the configuration; logs what is wrong */
int datapath_set_ranges(struct datapath *dp);

/** datapath_exclude() - an address of this machine is never bound; harmless when it is in no range
 */
int datapath_exclude(struct datapath *dp, __be32 addr);

/** datapath_is_bindable() - whether an address is in a range and not excluded, as the programs see
 * it */
bool datapath_is_bindable(const struct datapath *dp, const struct skep_addr *address);

/** datapath_lease() - looks an address up; 0 or -ENOENT */
int datapath_lease(const struct datapath *dp, const struct skep_addr *address,
		   struct skep_lease *ret);

/**
 * datapath_lease_insert() - makes the port open and the address leased; on failure neither
 * @lease:   its bound_ns and bind_ns are set, in the moment before it is written
 * @seen_ns: when the who-has was seen
 *
 * Return: 0, -EEXIST, -E2BIG.
 */
int datapath_lease_insert(struct datapath *dp, const struct skep_addr *address,
			  struct skep_lease *lease, __u64 seen_ns);

/** datapath_last_seen_ns() - the last sign of life of a lease: its bind, or a frame either way */
__u64 datapath_last_seen_ns(const struct skep_lease *lease);

/** datapath_lease_delete() - makes the address dark and closes its port; harmless when it is dark
 */
void datapath_lease_delete(struct datapath *dp, const struct skep_addr *address, __u32 port);

void datapath_set_container(struct datapath *dp, __u32 slot, const struct skep_container *c);
int datapath_container(const struct datapath *dp, __u32 slot, struct skep_container *ret);

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
