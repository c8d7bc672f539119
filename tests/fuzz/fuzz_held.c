// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzz target: world_finish_checksum() on any bytes, alone in memory of exactly their size. It
 * changes nothing but one checksum, and then one that a receiver accepts; done twice it changes
 * nothing more.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "world.h"

#define IP_AT 14

static void check(bool holds)
{
	if (!holds)
		abort();
}

static uint32_t word(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

/* Over the pseudo header, too: 0xffff when all is well. */
static uint32_t sum_at_receiver(const uint8_t *ip)
{
	const size_t head = (ip[0] & 15) * 4U, len = word(ip + 2) - head;
	uint32_t sum = ip[9] + (uint32_t)len;

	for (size_t i = 12; i < 20; i += 2)
		sum += word(ip + i);
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? ip[head + i] : (uint32_t)ip[head + i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_change(const uint8_t *before, const uint8_t *frame, size_t size)
{
	const uint8_t *ip = frame + IP_AT;
	const size_t at = IP_AT + (ip[0] & 15) * 4U + (ip[9] == 6 ? 16 : 6);

	check(ip[9] == 6 || ip[9] == 17);
	check(at + 2 <= size && !memcmp(before, frame, at));
	check(!memcmp(before + at + 2, frame + at + 2, size - at - 2));
	check(sum_at_receiver(ip) == 0xffff);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free uint8_t *frame = malloc(size ? size : 1), *again = malloc(size ? size : 1);

	check(frame != NULL && again != NULL);
	if (size)
		memcpy(frame, data, size);
	world_finish_checksum(frame, size);
	if (size && memcmp(frame, data, size))
		check_change(data, frame, size);
	if (size)
		memcpy(again, frame, size);
	world_finish_checksum(again, size);
	check(!size || !memcmp(again, frame, size));
	return 0;
}
