/* SPDX-License-Identifier: GPL-2.0 */
/* The terminal of `skepctl top`, by ncurses. Owns its state from opening to closing. */
#ifndef SKEP_USER_TOP_SCREEN_H
#define SKEP_USER_TOP_SCREEN_H

#include "top_view.h"

/** screen_open() - takes the terminal over; says on stderr why it cannot. 0 or negative errno. */
int screen_open(void);

/** screen_close() - gives it back as it was; harmless when it is not open */
void screen_close(void);

/** screen_show() - draws the view in the terminal's present size */
void screen_show(const struct top_view *view);

enum screen_key { SCREEN_NO_KEY, SCREEN_QUIT, SCREEN_OTHER };

/** screen_key() - the next key, if one was pressed; a change of the size is SCREEN_OTHER */
enum screen_key screen_key(void);

#endif
