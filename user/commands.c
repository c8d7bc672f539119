// SPDX-License-Identifier: GPL-2.0
/*
 * What the operator asks for, as the control process hands it on: each command is carried out at
 * once and answered.
 */
#include <errno.h>
#include <stdio.h>

#include "cleanup.h"
#include "farm.h"

static void drain(struct farm *farm, bool on)
{
	if (farm->state == DAEMON_STOPPING)
		return;
	datapath_set_drain(farm->dp, on);
	farm_set_state(farm, on ? DAEMON_DRAINING : DAEMON_RUNNING);
	log_info(on ? "draining: no new binds, leases run out" : "running again");
}

/* Nobody could get through to a container: that was not its silence. */
static void forgive_silence(struct farm *farm)
{
	const __u64 now_ns = monotonic_ns();

	for (__u32 slot = 0; slot < farm->slots_end; slot++)
		farm->warm[slot].looked_ns = now_ns;
}

/* The flag is in a map, and whoever set it need not have told. */
void commands_notice_panic(struct farm *farm)
{
	const bool panicked = datapath_is_panicked(farm->dp);

	if (panicked == farm->panicked)
		return;
	farm->panicked = panicked;
	if (panicked) {
		log_warn("PANIC: nothing is answered and nothing gets out until 'skepctl resume'; "
			 "%u bound containers are kept",
			 pool_count(farm->pool, SKEP_STATE_BOUND));
		return;
	}
	log_warn("resumed: the panic is over");
	forgive_silence(farm);
	settle_all(farm);
	bind_release_uncovered(farm);
	farm_wake_refill(farm, 0);
}

static void hand_over(struct farm *farm)
{
	const struct timeval now = {};

	if (farm->state == DAEMON_STOPPING)
		return;
	farm->handover = true;
	farm->result = ALLOCATOR_HANDOVER;
	farm->stop_ns = monotonic_ns();
	log_info("handing over: %u leases stay as they are",
		 pool_count(farm->pool, SKEP_STATE_BOUND));
	event_add(farm->refill, &now);
}

static int obey(struct farm *farm, const struct command_message *command, char *text)
{
	if (datapath_is_panicked(farm->dp) && command->command != DAEMON_DRAIN &&
	    command->command != DAEMON_HANDOVER) {
		snprintf(text, RESULT_TEXT_LEN, COMMANDS_IN_PANIC);
		return -EBUSY;
	}
	if (datapath_is_dry_run(farm->dp) && command->command == DAEMON_RESIZE) {
		snprintf(text, RESULT_TEXT_LEN, "this is a dry run, which starts no containers");
		return -EINVAL;
	}
	switch (command->command) {
	case DAEMON_RELEASE:
		return bind_release_address(farm, &command->address, SKEP_RELEASED_COMMAND);
	case DAEMON_RESIZE:
		change_targets(farm, command->warm, command->max);
		log_info("resized: warm %u, max %u", command->warm, command->max);
		return 0;
	case DAEMON_DRAIN:
		drain(farm, command->on);
		return 0;
	case DAEMON_HANDOVER:
		hand_over(farm);
		return 0;
	}
	snprintf(text, RESULT_TEXT_LEN, "unknown command");
	return -EINVAL;
}

union from_control {
	enum message_type type;
	struct command_message command;
	struct config_message config;
};

int commands_read(struct farm *farm)
{
	struct result_message result = {.type = MESSAGE_RESULT};
	union from_control message;
	int text = -EBADF;
	ssize_t n = message_receive(farm->control, &message, sizeof(message), &text, 1, true);

	if (n == -EAGAIN)
		return 0;
	if (n <= 0)
		return -EPIPE;
	if (message.type == MESSAGE_CONFIG) {
		result.client = message.config.client;
		result.err = change_config(farm, text, result.text);
	} else {
		result.client = message.command.client;
		result.err = obey(farm, &message.command, result.text);
	}
	close_fd(text);
	farm_answer(farm, &result);
	return 0;
}
