/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Places: who has which slots of a table, each one in a row of slots. Those that stay keep theirs,
 * new ones get the first gap that is large enough. Pure.
 */
#ifndef SKEP_USER_PLACES_H
#define SKEP_USER_PLACES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/** struct place - @n slots from @first on; an array of them is sorted, and none overlap */
struct place {
	__u32 first;
	__u32 n;
};

/**
 * places_take() - takes @n slots from @first on, if they are free
 * @places:   room for one more than @n_places
 * @n_places: how many there are; one more afterwards
 * @size:     of the table
 *
 * Return: false when they are not, or the table ends before them; nothing is taken then.
 */
bool places_take(struct place *places, size_t *n_places, __u32 size, __u32 first, __u32 n);

/** places_find() - the same in the first gap of @n slots; @ret: where that is */
bool places_find(struct place *places, size_t *n_places, __u32 size, __u32 n, __u32 *ret);

#endif
