// SPDX-License-Identifier: GPL-2.0
/* The file of the sweep; see verified.h. Knows no clock, and logs nothing. */
#include "verified.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"

#define PATH_LEN 512

#define MAGIC_LEN 8

/* That of a file that was the last word, and of any other. */
static const char magic_last[] = "skeplast", magic_more[] = "skepmore";

/* In the byte order of the machine: the file goes nowhere else. The entries follow. */
struct file_range {
	char uplink[IFNAMSIZ];
	__be32 addr;
	__u16 vlan;
	__u16 len;
};

/* struct file_entry - @probed_s: of the wall clock, 0 for never */
struct file_entry {
	__u64 probed_s : 40;
	__u64 quiet : 24;
};

static size_t count_of(const struct prefix *prefix)
{
	return (size_t)1 << (32 - prefix->len);
}

static __u64 to_wall(const struct verified_now *now, const struct skep_verify *slot)
{
	const __u64 age = now->monotonic_s - slot->probed_s;

	return slot->probed_s && slot->probed_s <= now->monotonic_s && age < now->wall_s
		       ? now->wall_s - age
		       : 0;
}

static void write_range(FILE *f, const struct verified *range, const struct verified_now *now)
{
	struct file_range head = {
		.addr = range->prefix.addr, .vlan = range->vlan, .len = range->prefix.len};

	memcpy(head.uplink, range->uplink, sizeof(head.uplink));
	fwrite(&head, sizeof(head), 1, f);
	for (size_t i = 0; i < count_of(&range->prefix); i++) {
		const struct skep_verify slot = range->slots[i]; /* it changes meanwhile */
		const struct file_entry entry = {to_wall(now, &slot), slot.quiet};

		fwrite(&entry, sizeof(entry), 1, f);
	}
}

static int write_file(const char *path, const struct verified *ranges, size_t n,
		      const struct verified_now *now, bool last)
{
	cleanup_fclose FILE *f = fopen(path, "we");

	if (!f)
		return -errno;
	fchmod(fileno(f), 0600);
	fwrite(last ? magic_last : magic_more, MAGIC_LEN, 1, f);
	for (size_t i = 0; i < n; i++)
		write_range(f, &ranges[i], now);
	return fflush(f) || ferror(f) ? -EIO : 0;
}

int verified_save(const char *path, const struct verified *ranges, size_t n,
		  const struct verified_now *now, bool last)
{
	char next[PATH_LEN];
	int err;

	if (snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next))
		return -ENAMETOOLONG;
	err = write_file(next, ranges, n, now, last);
	if (!err && rename(next, path))
		err = -errno;
	if (err)
		unlink(next);
	return err;
}

static const struct verified *find(const struct verified *ranges, size_t n,
				   const struct file_range *head)
{
	for (size_t i = 0; i < n; i++)
		if (!strncmp(ranges[i].uplink, head->uplink, sizeof(head->uplink)) &&
		    ranges[i].vlan == head->vlan && ranges[i].prefix.addr == head->addr &&
		    ranges[i].prefix.len == head->len)
			return &ranges[i];
	return NULL;
}

static void fill(struct skep_verify *slot, const struct file_entry *entry, unsigned int most,
		 const struct verified_now *now, unsigned int memory_s)
{
	const __u64 age = now->wall_s - entry->probed_s;

	if (slot->probed_s || slot->quiet || !entry->probed_s || entry->probed_s > now->wall_s ||
	    age > memory_s)
		return;
	/* Before the machine was up there is no monotonic time; 0 is for those due first. */
	slot->probed_s = age < now->monotonic_s ? (__u32)(now->monotonic_s - age) : 0;
	slot->quiet = (__u8)(entry->quiet < most ? entry->quiet : most);
}

static int read_range(FILE *f, const struct verified *range, const struct file_range *head,
		      bool last, const struct verified_now *now, unsigned int memory_s)
{
	const unsigned int most = last ? 255 : range && range->quiet ? range->quiet - 1U : 0;
	const struct prefix prefix = {head->addr, (__u8)head->len};
	struct file_entry entry;

	for (size_t i = 0; i < count_of(&prefix); i++) {
		if (fread(&entry, sizeof(entry), 1, f) != 1)
			return -EBADMSG;
		if (range)
			fill(&range->slots[i], &entry, most, now, memory_s);
	}
	return 0;
}

int verified_load(const char *path, const struct verified *ranges, size_t n,
		  const struct verified_now *now, unsigned int memory_s)
{
	cleanup_fclose FILE *f = fopen(path, "re");
	struct file_range head;
	char found[MAGIC_LEN];
	bool last;
	int err = 0;
	size_t got;

	if (!f)
		return -errno;
	if (fread(found, sizeof(found), 1, f) != 1)
		return -EBADMSG;
	last = !memcmp(found, magic_last, sizeof(found));
	if (!last && memcmp(found, magic_more, sizeof(found)))
		return -EBADMSG;
	while (!err && (got = fread(&head, 1, sizeof(head), f))) {
		if (got != sizeof(head) || head.len < 1 || head.len > 32)
			return -EBADMSG;
		err = read_range(f, find(ranges, n, &head), &head, last, now, memory_s);
	}
	return err;
}
