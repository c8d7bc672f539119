// SPDX-License-Identifier: GPL-2.0
/* Link addresses and host names from a keyed hash; see mac.h. Keeps no state and touches no file.
 */
#include "mac.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "keyed.h"

static __u64 load_le64(const void *p, size_t n)
{
	__u64 word = 0;

	memcpy(&word, p, n);
	return le64toh(word);
}

__u64 siphash24(const __u8 key[MAC_KEY_LEN], const void *data, size_t len)
{
	__u64 v[4];
	const __u8 *p = data;
	size_t i;

	keyed_begin(v, key);
	for (i = 0; i + 8 <= len; i += 8)
		keyed_word(v, load_le64(p + i, 8));
	return keyed_end(v, ((__u64)len << 56) | load_le64(p + i, len - i));
}

void mac_of(const __u8 key[MAC_KEY_LEN], __be32 addr, __u16 vlan, const __u8 (*ouis)[3],
	    size_t n_ouis, __u8 ret[6])
{
	keyed_mac(key, ouis, (__u32)n_ouis, (union skep_ipv4){.addr = addr}, vlan, ret);
}

bool mac_lives(const __u8 key[MAC_KEY_LEN], __be32 addr, __u16 vlan, __u32 density)
{
	return keyed_lives(key, (union skep_ipv4){.addr = addr}, vlan, density);
}

void host_name_of(const __u8 key[MAC_KEY_LEN], __u64 serial, char *ret)
{
	static const char *const roles[] = {"web", "files", "backup", "mail", "db",    "print",
					    "nas", "build", "intra",  "log",  "store", "cam"};
	static const char *const forms[] = {"%s%02u", "%s-%u", "srv-%s%u", "%s%u"};
	__u64 hash = siphash24(key, &serial, sizeof(serial));

	/* The form is one of the four above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(ret, HOST_NAME_LEN, forms[(hash >> 32) % ARRAY_SIZE(forms)],
		 roles[hash % ARRAY_SIZE(roles)], (unsigned int)((hash >> 40) % 24 + 1));
#pragma GCC diagnostic pop
}
