/* SPDX-License-Identifier: GPL-2.0 */
/* The port program at its place: a tc filter on the ingress of a port. */
#ifndef SKEP_USER_FILTER_H
#define SKEP_USER_FILTER_H

/**
 * filter_attach() - on a port that was just made
 * @program: descriptor
 *
 * Return: 0 or negative errno.
 */
int filter_attach(unsigned int ifindex, int program);

/** filter_replace() - puts another program in the place of the one that is there; not a frame
 * passes without one. Return: 0 or negative errno. */
int filter_replace(unsigned int ifindex, int program);

#endif
