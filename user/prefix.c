// SPDX-License-Identifier: GPL-2.0
/* IPv4 prefixes and link addresses; see prefix.h. Keeps no state and makes no system call. */
#include "prefix.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define MAC_MULTICAST 0x01
#define MAC_LOCAL 0x02

/* One or two digits and nothing else: strtoul() would take signs, blanks and "/08". */
static int length_parse(const char *text, unsigned int *ret)
{
	unsigned int len = 0;
	size_t digits = strlen(text);

	if (digits < 1 || digits > 2 || (digits == 2 && text[0] == '0'))
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		len = len * 10 + (unsigned int)(*text - '0');
	}
	if (len > 32)
		return -EINVAL;
	*ret = len;
	return 0;
}

int prefix_parse(const char *text, struct prefix *ret)
{
	size_t n = strcspn(text, "/");
	char addr[INET_ADDRSTRLEN];
	struct prefix p = {.len = 32};
	__be32 given;

	if (n >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (inet_pton(AF_INET, addr, &given) != 1)
		return -EINVAL;
	if (text[n] && length_parse(text + n + 1, &p.len) < 0)
		return -EINVAL;
	p.addr = given & prefix_netmask(&p);
	*ret = p;
	return p.addr == given ? 0 : -EDOM;
}

const char *prefix_format(const struct prefix *p, char *buf)
{
	char addr[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &p->addr, addr, sizeof(addr));
	snprintf(buf, PREFIX_STRLEN, "%s/%u", addr, p->len);
	return buf;
}

__be32 prefix_netmask(const struct prefix *p)
{
	/* Shifting 32 bits by 32 is undefined. */
	return p->len ? htonl(~0U << (32 - p->len)) : 0;
}

__be32 prefix_broadcast(const struct prefix *p)
{
	return p->addr | ~prefix_netmask(p);
}

bool prefix_contains(const struct prefix *p, __be32 addr)
{
	return ((p->addr ^ addr) & prefix_netmask(p)) == 0;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
	return a->len < b->len ? prefix_contains(a, b->addr) : prefix_contains(b, a->addr);
}

static int octet_parse(const char *text, __u8 *ret)
{
	if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
		return -EINVAL;
	return sscanf(text, "%2hhx", ret) == 1 ? 0 : -EINVAL;
}

int oui_parse(const char *text, __u8 ret[3])
{
	__u8 oui[3];

	if (strlen(text) != strlen("xx:xx:xx") || text[2] != ':' || text[5] != ':')
		return -EINVAL;
	for (size_t i = 0; i < 3; i++) {
		if (octet_parse(text + 3 * i, &oui[i]) < 0)
			return -EINVAL;
	}
	if (oui[0] & (MAC_MULTICAST | MAC_LOCAL))
		return -EINVAL;
	memcpy(ret, oui, sizeof(oui));
	return 0;
}

const char *mac_format(const __u8 mac[6], char *buf)
{
	snprintf(buf, sizeof("xx:xx:xx:xx:xx:xx"), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1],
		 mac[2], mac[3], mac[4], mac[5]);
	return buf;
}
