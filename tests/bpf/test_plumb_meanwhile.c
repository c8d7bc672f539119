// SPDX-License-Identifier: GPL-2.0
/*
 * What goes on inside while plumb.h opens, binds and closes a container's network: connections, and
 * what is sent, to itself and outside.
 */
#include "plumb_farm.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define ROUNDS 300

/* As in a farm whose programs translate no more. */
static void tell_outside(const char *ip, const char *mac)
{
	assert_int_equal(run_in(lab.outside, "ip neigh replace %s lladdr %s dev wire nud reachable",
				ip, mac),
			 0);
}

static void send_both_ways(const struct talk *t)
{
	talk(t);
	talk(t);
}

static void a_connection_goes_on(const char *from)
{
	cleanup_close int listener = listen_inside(PORT);
	struct talk t;

	open_it();
	t = connect_from(lab.outside, listener, from, "10.66.4.2", PORT);
	talk(&t);
	bind_it();
	tell_outside("10.66.4.2", BOUND_MAC);
	send_both_ways(&t);
	bind_it();
	send_both_ways(&t);
	end_talk(&t);
}

static void a_connection_on_link_goes_on(void **state)
{
	(void)state;
	a_connection_goes_on(GATEWAY);
}

static void a_connection_off_link_goes_on(void **state)
{
	(void)state;
	a_connection_goes_on(OFF_LINK);
}

static volatile sig_atomic_t ended;

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

static int udp_inside(const char *ip, __u16 port)
{
	struct sockaddr_in here = at(ip, port);
	int fd;

	enter(lab.inside);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	enter(lab.outside);
	return bind(fd, (struct sockaddr *)&here, sizeof(here)) ? -1 : fd;
}

/* Sends to itself until it is ended. Status: whether all of it came. */
static int send_to_itself(int fd)
{
	const struct sockaddr_in self = at("127.0.0.1", 9);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char c;

	while (!ended) {
		if (sendto(fd, "x", 1, 0, (const struct sockaddr *)&self, sizeof(self)) != 1)
			return 1;
		if (poll(&wait, 1, ANSWER_MS) != 1)
			return !ended;
		if (recv(fd, &c, 1, 0) != 1)
			return 2;
	}
	return 0;
}

/* One that came back to it would find nobody, and it would be told. */
static int send_outside(int fd)
{
	const struct sockaddr_in other = at(GATEWAY, 9);

	if (connect(fd, (const struct sockaddr *)&other, sizeof(other)))
		return 1;
	while (!ended)
		if (send(fd, "x", 1, 0) != 1 && errno != ENOBUFS)
			return errno;
	return 0;
}

/* On another CPU than the test; where there is one only, they take turns. */
static pid_t begin(int (*work)(int fd), int fd)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	signal(SIGTERM, on_end);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	cpus_go_to(cpus[1]);
	_exit(work(fd));
}

static void assert_ends_well(pid_t pid)
{
	int status;

	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void loopback_works_throughout(void **state)
{
	cleanup_close int fd = udp_inside("127.0.0.1", 9);
	pid_t pid;

	(void)state;
	assert_true(fd >= 0);
	pid = begin(send_to_itself, fd);
	for (int i = 0; i < ROUNDS; i++) {
		open_it();
		if (i % 2) {
			bind_it();
			assert_int_equal(plumb_unbind(lab.nl, &bound), 0);
		}
		assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
	}
	assert_ends_well(pid);
}

/* Outside somebody takes it all, so that nothing else is told. */
static void what_it_sends_goes_out_throughout(void **state)
{
	const struct sockaddr_in here = at(GATEWAY, 9);
	cleanup_close int sink = socket(AF_INET, SOCK_DGRAM, 0), fd = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(bind(sink, (const struct sockaddr *)&here, sizeof(here)), 0);
	open_it();
	fd = udp_inside("10.66.4.2", 9);
	assert_true(fd >= 0);
	pid = begin(send_outside, fd);
	for (int i = 0; i < ROUNDS; i++) {
		bind_it();
		open_it();
	}
	assert_ends_well(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_LAB(a_connection_on_link_goes_on),
		IN_LAB(a_connection_off_link_goes_on),
		IN_LAB(loopback_works_throughout),
		IN_LAB(what_it_sends_goes_out_throughout),
	};

	return run_in_farms("plumb_meanwhile", tests, ARRAY_SIZE(tests));
}
