/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Panic: nothing is answered and nothing gets out, from one frame to the next. It is one flag in
 * the pinned map `settings`, which any process of root's may set, and a file in state_dir, so that
 * it holds for the next start, too. skepd need not run for either.
 */
#ifndef SKEP_USER_PANIC_H
#define SKEP_USER_PANIC_H

#include <stdbool.h>

/** panic_switch() - sets or clears the flag in the maps under @bpf_dir. Return: 0; -ENOENT when
 * there are none; -EPROTO when they are of another version; or negative errno. */
int panic_switch(const char *bpf_dir, bool on);

/** panic_mark() - makes or removes the file; 0 or negative errno */
int panic_mark(const char *state_dir, bool on);

/** panic_is_marked() - whether the file is there */
bool panic_is_marked(const char *state_dir);

#endif
