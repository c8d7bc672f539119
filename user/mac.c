// SPDX-License-Identifier: GPL-2.0
/* Link addresses and host names from a keyed hash; see mac.h. Keeps no state and touches no file.
 */
#include "mac.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"

static __u64 rotl(__u64 x, int b)
{
	return (x << b) | (x >> (64 - b));
}

static void sip_round(__u64 v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static void sip_word(__u64 v[4], __u64 word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

static __u64 load_le64(const void *p, size_t n)
{
	__u64 word = 0;

	memcpy(&word, p, n);
	return le64toh(word);
}

__u64 siphash24(const __u8 key[MAC_KEY_LEN], const void *data, size_t len)
{
	__u64 k0 = load_le64(key, 8), k1 = load_le64(key + 8, 8);
	__u64 v[4] = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
	const __u8 *p = data;
	size_t i;

	for (i = 0; i + 8 <= len; i += 8)
		sip_word(v, load_le64(p + i, 8));
	sip_word(v, ((__u64)len << 56) | load_le64(p + i, len - i));
	v[2] ^= 0xff;
	for (int round = 0; round < 4; round++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void mac_of(const __u8 key[MAC_KEY_LEN], __be32 addr, __u16 vlan, const __u8 (*ouis)[3],
	    size_t n_ouis, __u8 ret[6])
{
	struct {
		__be32 addr;
		__u16 vlan;
		char purpose[2];
	} input = {addr, vlan, {'m', 'a'}};
	__u64 hash = siphash24(key, &input, sizeof(input));

	memcpy(ret, ouis[(hash >> 32) % n_ouis], 3);
	ret[3] = (__u8)(hash >> 16);
	ret[4] = (__u8)(hash >> 8);
	ret[5] = (__u8)hash;
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
