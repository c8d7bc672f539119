/* SPDX-License-Identifier: GPL-2.0 */
/* The client's side of the control socket. */
#ifndef SKEP_USER_CLIENT_H
#define SKEP_USER_CLIENT_H

#include <jansson.h>
#include <stdio.h>

/** client_connect() - opens the control socket. Return: a stream for both directions, or NULL with
 * errno. */
FILE *client_connect(const char *path);

/** client_send() - sends a request; takes @request. 0 or negative errno. */
int client_send(FILE *stream, json_t *request);

/** client_receive() - the next line, parsed; the caller's. NULL when the other side is gone or
 * talks nonsense. */
json_t *client_receive(FILE *stream);

#endif
