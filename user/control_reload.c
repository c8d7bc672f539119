// SPDX-License-Identifier: GPL-2.0
/*
 * Reloading in the control process; see control_client.h. It reads and checks the file and has what
 * new templates need prepared; only then the allocator is told, and only when that has taken the
 * new configuration over it holds here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "cleanup.h"
#include "control_client.h"
#include "log.h"
#include "preparer.h"
#include "reload.h"

/* Whether the machine and the farm can go over to @next. */
static int check(const struct control *control, const struct config *next, const char *text,
		 char *error)
{
	int err;

	if (!config_may_replace(control->config, next, error))
		return -EINVAL;
	err = check_machine(next, error);
	if (err)
		return err;
	err = preparer_prepare(control->preparer, text);
	if (err)
		snprintf(error, CONFIG_ERROR_MAX,
			 "%s: the templates cannot be prepared: %s; the log says more", next->file,
			 strerror(-err));
	return err;
}

static int send_text(int channel, const char *text, char *error)
{
	const struct config_message message = {.type = MESSAGE_CONFIG};
	cleanup_close int fd = reload_to_memfd(text, strlen(text));
	int err = fd < 0 ? fd : message_send(channel, &message, sizeof(message), &fd, 1, true);

	if (err == -EAGAIN)
		snprintf(error, CONFIG_ERROR_MAX, "skepd is too busy; try again");
	else if (err)
		snprintf(error, CONFIG_ERROR_MAX, "the configuration cannot be handed on: %s",
			 strerror(-err));
	return err;
}

static int hand_on(struct control *control, char *error)
{
	const struct config *running = control->config;
	cleanup_free char *text = NULL;
	struct config *next = NULL;
	int err = reload_load(running->file, &text, error);

	if (!err)
		err = reload_parse(text, running, &next, error);
	if (!err)
		err = check(control, next, text, error);
	if (!err)
		err = send_text(control->channel, text, error);
	if (err)
		next = config_free(next);
	control->reload.next = next;
	return err;
}

bool reload_may_hand_over(const struct config *running, char *error)
{
	struct config *next;
	bool may;

	if (config_load(running->file, &next, error))
		return false;
	may = config_may_take_over(running, next, error) && !check_machine(next, error);
	config_free(next);
	return may;
}

static void await(struct control *control)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (control->clients[i] && control->clients[i]->reload == RELOAD_COMING)
			control->clients[i]->reload = RELOAD_GOING_ON;
}

static void tell(struct control *control, const char *error)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *client = control->clients[i];

		if (!client || client->reload != RELOAD_GOING_ON)
			continue;
		client->reload = RELOAD_NOT_AWAITED;
		client_done(client, error);
	}
}

static void begin(struct control *control)
{
	char error[CONFIG_ERROR_MAX];
	int err;

	control->reload.again = false;
	await(control);
	err = hand_on(control, error);
	if (err)
		reload_end(control, err, error);
}

void reload_wanted(struct control *control)
{
	if (control->reload.next)
		control->reload.again = true;
	else
		begin(control);
}

void reload_end(struct control *control, int err, const char *error)
{
	struct reload *reload = &control->reload;
	struct config *unused = reload->next;

	if (err) {
		log_error("nothing has changed by the reload: %s", error);
	} else {
		/* That of the start is not only control's: the datapath has it, too. */
		unused = control->own;
		control->config = control->own = reload->next;
		log_info("reloaded %s", control->config->file);
	}
	reload->next = NULL;
	config_free(unused);
	tell(control, err ? error : NULL);
	if (reload->again)
		begin(control);
}
