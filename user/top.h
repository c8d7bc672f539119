/* SPDX-License-Identifier: GPL-2.0 */
/* `skepctl top`: how skepd is doing, live. */
#ifndef SKEP_USER_TOP_H
#define SKEP_USER_TOP_H

#include <stdbool.h>
#include <stdio.h>

/**
 * top_run() - full screen until 'q' is pressed; without a terminal, or with @json, one snapshot
 * @stream: connection to skepd, for its answers
 * @socket: where another one is opened, for events
 *
 * Says on stderr why it fails. A signal that ends the program restores the terminal first. Return:
 * 0 or negative errno.
 */
int top_run(FILE *stream, const char *socket, bool json);

#endif
