// SPDX-License-Identifier: GPL-2.0
/* The terminal; see top_screen.h. No colour and nothing but ASCII: it looks the same everywhere. */
#include "top_screen.h"

#include <curses.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <term.h>
#include <unistd.h>

static SCREEN *screen;

/* A terminal that is only a printer cannot be drawn on. */
static bool can_move(void)
{
	const char *move = tigetstr("cup");

	return move && move != (const char *)-1;
}

static int refuse(const char *why)
{
	const char *name = getenv("TERM");

	fprintf(stderr,
		"skepctl: TERM is \"%s\", %s; set TERM to what the terminal is, or use "
		"'skepctl --json top'\n",
		name ? name : "", why);
	return -ENOTTY;
}

int screen_open(void)
{
	int known;

	if (setupterm(NULL, STDOUT_FILENO, &known) != OK)
		return refuse("which is not known here");
	if (!can_move())
		return refuse("and such a terminal cannot move its cursor");
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return refuse("and that terminal cannot be used");
	atexit(screen_close);
	cbreak();
	noecho();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	curs_set(0);
	return 0;
}

void screen_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

static void draw_line(void *data, bool heading, const char *text)
{
	int *row = data;

	if (heading)
		attron(A_BOLD);
	mvaddstr((*row)++, 0, text);
	if (heading)
		attroff(A_BOLD);
}

void screen_show(const struct top_view *view)
{
	int row = 0;

	erase();
	top_view_lines(view, COLS > 0 ? (unsigned int)COLS : 1, LINES > 0 ? (unsigned int)LINES : 1,
		       draw_line, &row);
	refresh();
}

enum screen_key screen_key(void)
{
	int key = getch();

	if (key == ERR)
		return SCREEN_NO_KEY;
	if (key == '\f')
		clearok(stdscr, TRUE); /* whatever else has written there */
	return key == 'q' || key == 'Q' ? SCREEN_QUIT : SCREEN_OTHER;
}
