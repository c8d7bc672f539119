/* SPDX-License-Identifier: GPL-2.0 */
/* IPv4 prefixes and link addresses: text to numbers and back. Pure. */
#ifndef SKEP_USER_PREFIX_H
#define SKEP_USER_PREFIX_H

#include <linux/types.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/**
 * struct prefix - an IPv4 prefix
 * @addr: network address, network byte order, host bits zero
 * @len:  0 to 32
 */
struct prefix {
	__be32 addr;
	unsigned int len;
};

#define PREFIX_STRLEN (INET_ADDRSTRLEN + 3)

/**
 * prefix_parse() - "10.66.0.0/16", or "10.66.4.2" for a /32
 *
 * Return: 0; -EINVAL when @text is no prefix; -EDOM when host bits are set, with the prefix that
 * was meant in @ret.
 */
int prefix_parse(const char *text, struct prefix *ret);

/** prefix_format() - writes "10.66.0.0/16" to @buf of PREFIX_STRLEN bytes; returns @buf. */
const char *prefix_format(const struct prefix *p, char *buf);

__be32 prefix_netmask(const struct prefix *p);
__be32 prefix_broadcast(const struct prefix *p);
bool prefix_contains(const struct prefix *p, __be32 addr);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

/**
 * oui_parse() - "00:1b:21" to three bytes
 *
 * Return: 0, or -EINVAL when malformed, multicast or locally administered.
 */
int oui_parse(const char *text, __u8 ret[3]);

/** mac_format() - writes "00:1b:21:01:02:03" to @buf of 18 bytes; returns @buf. */
const char *mac_format(const __u8 mac[6], char *buf);

#endif
