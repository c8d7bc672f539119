// SPDX-License-Identifier: GPL-2.0
/*
 * The flood: turns each frame that bench/flood runs through it into a who-has for a random address,
 * or leaves a datagram as it is, and redirects it to an end of a wire. Attached to nothing.
 */
#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "parse.h"

char LICENSE[] SEC("license") = "GPL";

/* Set before loading; addresses in host order. */
const volatile __u32 wire = 0;
const volatile bool datagrams = false;
const volatile __u32 first_target = 0, targets = 1;
const volatile __u32 first_sender = 0, senders = 1;

static __always_inline void put_any(__u8 *field, __u32 first, __u32 n)
{
	__be32 address = bpf_htonl(first + bpf_get_prandom_u32() % n);

	__builtin_memcpy(field, &address, sizeof(address));
}

SEC("xdp")
int flood(struct xdp_md *ctx)
{
	struct parse_arp *arp = (void *)(long)ctx->data + sizeof(struct ethhdr);

	if (datagrams)
		return bpf_redirect(wire, 0);
	if ((void *)(arp + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	put_any(arp->tpa, first_target, targets);
	put_any(arp->spa, first_sender, senders);
	return bpf_redirect(wire, 0);
}
