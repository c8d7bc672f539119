// SPDX-License-Identifier: GPL-2.0
/*
 * Messages between skepd's processes: whole, in order, with their descriptors, and never waiting
 * when told not to. Both ends are in this process.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#include "cleanup.h"
#include "message.h"

static int setup(void **state)
{
	int *pair = calloc(2, sizeof(*pair));

	*state = pair;
	return pair ? message_pair(pair) : -1;
}

static int teardown(void **state)
{
	int *pair = *state;

	close_fd(pair[0]);
	close_fd(pair[1]);
	free(pair);
	return 0;
}

static unsigned int open_fds(void)
{
	cleanup_closedir DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	return n;
}

/* A pipe with a letter in it tells its read end from every other. */
static int letter(char c)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], &c, 1), 1);
	close(ends[1]);
	return ends[0];
}

static void check_letter(int fd, char expected)
{
	char c = 0;

	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(read(fd, &c, 1), 1);
	assert_int_equal(c, expected);
	close(fd);
}

static void a_pair_is_not_inherited(void **state)
{
	const int *pair = *state;

	for (int i = 0; i < 2; i++) {
		int type = 0;
		socklen_t len = sizeof(type);

		assert_true(fcntl(pair[i], F_GETFD) & FD_CLOEXEC);
		assert_int_equal(getsockopt(pair[i], SOL_SOCKET, SO_TYPE, &type, &len), 0);
		assert_int_equal(type, SOCK_SEQPACKET);
	}
}

static void messages_keep_their_ends_and_order(void **state)
{
	const int *pair = *state;
	char buf[16];

	assert_int_equal(message_send(pair[0], "one", 3, NULL, 0, false), 0);
	assert_int_equal(message_send(pair[0], "second", 6, NULL, 0, true), 0);
	assert_int_equal(message_send(pair[1], "back", 4, NULL, 0, true), 0);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), NULL, 0, false), 3);
	assert_memory_equal(buf, "one", 3);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), NULL, 0, true), 6);
	assert_memory_equal(buf, "second", 6);
	assert_int_equal(message_receive(pair[0], buf, sizeof(buf), NULL, 0, true), 4);
	assert_memory_equal(buf, "back", 4);
}

static void descriptors_arrive(void **state)
{
	const int *pair = *state;
	int sent[DONE_FDS] = {letter('n'), letter('p')}, got[DONE_FDS] = {-1, -1};
	char buf[4];

	assert_int_equal(message_send(pair[0], "done", 4, sent, DONE_FDS, false), 0);
	close(sent[0]);
	close(sent[1]);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), got, DONE_FDS, true), 4);
	assert_memory_equal(buf, "done", 4);
	check_letter(got[0], 'n');
	check_letter(got[1], 'p');
}

static void none_came(void **state)
{
	const int *pair = *state;
	int got[DONE_FDS] = {0, 0};
	char buf[4];

	assert_int_equal(message_send(pair[0], "done", 4, NULL, 0, false), 0);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), got, DONE_FDS, true), 4);
	assert_int_equal(got[0], -EBADF);
	assert_int_equal(got[1], -EBADF);
}

static void fewer_came_than_there_is_room_for(void **state)
{
	const int *pair = *state;
	int sent = letter('n'), got[DONE_FDS] = {0, 0};
	char buf[4];

	assert_int_equal(message_send(pair[0], "done", 4, &sent, 1, false), 0);
	close(sent);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), got, DONE_FDS, true), 4);
	check_letter(got[0], 'n');
	assert_int_equal(got[1], -EBADF);
}

/* Nobody would ever close what there was no room for. */
static void more_came_than_there_is_room_for(void **state)
{
	const int *pair = *state;
	int sent[DONE_FDS] = {letter('n'), letter('p')}, got = -1;
	unsigned int before;
	char buf[4];

	assert_int_equal(message_send(pair[0], "done", 4, sent, DONE_FDS, false), 0);
	close(sent[0]);
	close(sent[1]);
	before = open_fds();
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), &got, 1, true), 4);
	close_fd(got);
	assert_int_equal(open_fds(), before);
}

static void cut_to_the_room_there_is(void **state)
{
	const int *pair = *state;
	char buf[8] = "#######";

	assert_int_equal(message_send(pair[0], "too long", 8, NULL, 0, false), 0);
	assert_int_equal(message_send(pair[0], "next", 4, NULL, 0, false), 0);
	assert_int_equal(message_receive(pair[1], buf, 3, NULL, 0, true), 3);
	assert_memory_equal(buf, "too####", 8);
	/* The rest of it is gone. */
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), NULL, 0, true), 4);
	assert_memory_equal(buf, "next", 4);
}

static void a_full_queue_is_no_reason_to_wait(void **state)
{
	const int *pair = *state;
	struct log_message message = {.type = MESSAGE_LOG}, got;
	int n = 0, err;

	while (!(err = message_send(pair[0], &message, sizeof(message), NULL, 0, true)) &&
	       n < 100000)
		message.priority = ++n;
	assert_int_equal(err, -EAGAIN);
	assert_true(n > 0);
	/* What was taken is whole; what was not left nothing behind. */
	for (int i = 0; i < n; i++) {
		assert_int_equal(message_receive(pair[1], &got, sizeof(got), NULL, 0, true),
				 sizeof(got));
		assert_int_equal(got.priority, i);
	}
	assert_int_equal(message_receive(pair[1], &got, sizeof(got), NULL, 0, true), -EAGAIN);
	assert_int_equal(message_send(pair[0], &message, sizeof(message), NULL, 0, true), 0);
}

static void an_empty_queue_is_no_reason_to_wait(void **state)
{
	const int *pair = *state;
	char buf[4];

	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), NULL, 0, true), -EAGAIN);
}

static void the_other_end_is_gone(void **state)
{
	int *pair = *state;
	char buf[4];

	assert_int_equal(message_send(pair[0], "last", 4, NULL, 0, false), 0);
	pair[0] = close_fd(pair[0]);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), NULL, 0, false), 4);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), NULL, 0, false), 0);
	/* No SIGPIPE. */
	assert_int_equal(message_send(pair[1], "late", 4, NULL, 0, true), -EPIPE);
}

static void errors_are_told(void **state)
{
	const int *pair = *state;
	int closed = -EBADF;
	char buf[4];

	assert_int_equal(message_send(-EBADF, "none", 4, NULL, 0, true), -EBADF);
	assert_int_equal(message_receive(-EBADF, buf, sizeof(buf), NULL, 0, true), -EBADF);
	assert_int_equal(message_send(pair[0], "none", 4, &closed, 1, true), -EBADF);
	assert_int_equal(message_receive(pair[1], buf, sizeof(buf), NULL, 0, true), -EAGAIN);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_pair_is_not_inherited),
		test(messages_keep_their_ends_and_order),
		test(descriptors_arrive),
		test(none_came),
		test(fewer_came_than_there_is_room_for),
		test(more_came_than_there_is_room_for),
		test(cut_to_the_room_there_is),
		test(a_full_queue_is_no_reason_to_wait),
		test(an_empty_queue_is_no_reason_to_wait),
		test(the_other_end_is_gone),
		test(errors_are_told),
	};

	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
