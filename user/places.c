// SPDX-License-Identifier: GPL-2.0
/* Slots of a table and who has them; see places.h. Keeps no state. */
#include "places.h"

#include <string.h>

/* Subtractions only: the sums might not fit. */
bool places_take(struct place *places, size_t *n_places, __u32 size, __u32 first, __u32 n)
{
	size_t at = *n_places;

	while (at && places[at - 1].first >= first)
		at--;
	if (first > size || n > size - first ||
	    (at && places[at - 1].n > first - places[at - 1].first) ||
	    (at < *n_places && n > places[at].first - first))
		return false;
	memmove(&places[at + 1], &places[at], (*n_places - at) * sizeof(*places));
	places[at] = (struct place){first, n};
	(*n_places)++;
	return true;
}

bool places_find(struct place *places, size_t *n_places, __u32 size, __u32 n, __u32 *ret)
{
	*ret = 0;
	for (size_t i = 0; i < *n_places && places[i].first - *ret < n; i++)
		*ret = places[i].first + places[i].n;
	return places_take(places, n_places, size, *ret, n);
}
