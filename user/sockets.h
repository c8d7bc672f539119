/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What TCP does in a network namespace, asked of the kernel by sock_diag(7). A diag socket belongs
 * to the namespace it was opened in, wherever it is used.
 */
#ifndef SKEP_USER_SOCKETS_H
#define SKEP_USER_SOCKETS_H

#include <linux/types.h>
#include <stddef.h>

/** sockets_open() - a diag socket in the caller's network namespace; or negative errno */
int sockets_open(void);

/**
 * sockets_listening() - whether all of these TCP ports are listened at, for others than the machine
 * itself
 * @ports: host order
 *
 * Return: 1 or 0, or negative errno.
 */
int sockets_listening(int fd, const __u16 *ports, size_t n);

/**
 * sockets_established() - whether there is an established TCP connection with another machine
 *
 * Return: 1 or 0, or negative errno.
 */
int sockets_established(int fd);

#endif
