/* SPDX-License-Identifier: GPL-2.0 */
/* The client's side of the control socket. */
#ifndef SKEP_USER_CLIENT_H
#define SKEP_USER_CLIENT_H

#include <jansson.h>
#include <stdio.h>

/** client_open() - opens the control socket. Return: a descriptor, or negative with errno. */
int client_open(const char *path);

/** client_connect() - the same as a stream for both directions, or NULL with errno. */
FILE *client_connect(const char *path);

/** client_set_patience() - how long to wait for an answer; 0 or negative errno */
int client_set_patience(FILE *stream, unsigned int seconds);

/** client_send() - sends a request; takes @request. 0 or negative errno. */
int client_send(FILE *stream, json_t *request);

/** client_receive() - the next line, parsed; the caller's. NULL when the other side is gone or
 * talks nonsense, or with errno EAGAIN when it does not answer. */
json_t *client_receive(FILE *stream);

#endif
