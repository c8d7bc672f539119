// SPDX-License-Identifier: GPL-2.0
/*
 * The filter of system calls: what it answers, call by call, with high bits in registers as well.
 * Needs no privilege: a process that can get none may confine itself.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "confine.h"

#define HIGH (1UL << 32)
#define DONE 0 /* as an error: the call went well */
#define FAMILIES 64
#define ASK 0xffffffffUL /* personality(2): what it is */

struct call {
	const char *name;
	long number;
	unsigned long args[3];
	int err;
};

#define CALL(call, err, ...)                                                \
	{                                                                   \
#call "(" #__VA_ARGS__ ")", SYS_##call, {__VA_ARGS__ }, err \
	}

/* With arguments that the kernel itself refuses or takes without any effect. */
static const struct call calls[] = {
	CALL(getpid, DONE, 0),
	CALL(close, EBADF, ~0UL),
	CALL(keyctl, ENOSYS, 0, 0),
	CALL(add_key, ENOSYS, 0),
	CALL(request_key, ENOSYS, 0),
	CALL(io_uring_setup, ENOSYS, 1, 0),
	CALL(io_uring_enter, ENOSYS, 0),
	CALL(set_mempolicy, ENOSYS, 0),
	CALL(bpf, EINVAL, ~0UL, 0, 0), /* a keeper's; taken from containers by another filter */
	CALL(perf_event_open, EACCES, 0),
	CALL(userfaultfd, EPERM, 0),
	CALL(init_module, EPERM, 0),
	CALL(finit_module, EPERM, ~0UL),
	CALL(delete_module, EPERM, 0),
	CALL(kexec_load, EPERM, 0),
	CALL(reboot, EPERM, 0),
	CALL(swapon, EPERM, 0),
	CALL(acct, EPERM, 0),
	CALL(syslog, EPERM, 10),
	CALL(vhangup, EPERM, 0),
	CALL(open_by_handle_at, EPERM, ~0UL),
	CALL(name_to_handle_at, EOPNOTSUPP, ~0UL),
	CALL(clock_settime, EPERM, 0),
	{"a number that nobody has", 1023, {0}, ENOSYS},
	{"the number -1", -1, {0}, ENOSYS},
	{"getpid of x32", 0x40000000 + SYS_getpid, {0}, ENOSYS},

	CALL(socket, DONE, AF_UNIX, SOCK_STREAM, 0),
	CALL(socket, DONE, AF_INET, SOCK_STREAM, IPPROTO_TCP),
	CALL(socket, EPROTONOSUPPORT, AF_INET, SOCK_STREAM, 33),
	CALL(socket, EPROTONOSUPPORT, AF_INET, SOCK_STREAM, 132),
	CALL(socket, EPROTONOSUPPORT, AF_INET, SOCK_STREAM, HIGH | 132),
	CALL(socket, EPROTONOSUPPORT, AF_INET6, SOCK_DGRAM, 136),
	CALL(socket, EPROTONOSUPPORT, AF_INET6, SOCK_STREAM, 262),
	CALL(socket, EAFNOSUPPORT, HIGH | AF_INET, SOCK_STREAM, 132),
	CALL(socket, DONE, AF_NETLINK, SOCK_RAW, 0),
	CALL(socket, DONE, AF_NETLINK, SOCK_RAW, 4),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 1),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 2),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 3),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 5),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 6),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 7),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 8),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 12),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, 16),
	CALL(socket, EPROTONOSUPPORT, AF_NETLINK, SOCK_RAW, HIGH),
	CALL(socketpair, EFAULT, AF_UNIX, SOCK_STREAM, 0),
	CALL(socketpair, EAFNOSUPPORT, AF_INET, SOCK_STREAM, 0),
	CALL(socketpair, EAFNOSUPPORT, HIGH | AF_UNIX, SOCK_STREAM, 0),

	/* Every level and option but a few gets as far as the descriptor. */
	CALL(setsockopt, EBADF, ~0UL, SOL_SOCKET, SO_REUSEADDR),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_SOCKET, SO_ATTACH_FILTER),
	CALL(setsockopt, EBADF, ~0UL, SOL_SOCKET, SO_DETACH_FILTER),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_SOCKET, 50),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_SOCKET, 51),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_SOCKET, 52),
	CALL(setsockopt, EBADF, ~0UL, SOL_SOCKET, 53),
	CALL(setsockopt, EBADF, ~0UL, SOL_SOCKET, 49),
	CALL(setsockopt, EBADF, ~0UL, SOL_SOCKET, 67),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_SOCKET, HIGH | SO_ATTACH_FILTER),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, HIGH | SOL_SOCKET, SO_ATTACH_FILTER),
	CALL(setsockopt, EBADF, ~0UL, SOL_PACKET, 4),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_PACKET, 5),
	CALL(setsockopt, EBADF, ~0UL, SOL_PACKET, 6),
	CALL(setsockopt, EBADF, ~0UL, SOL_PACKET, 12),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_PACKET, 13),
	CALL(setsockopt, EBADF, ~0UL, SOL_PACKET, 14),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, SOL_PACKET, HIGH | 5),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, HIGH | SOL_PACKET, 5),
	CALL(setsockopt, EBADF, ~0UL, SOL_TCP, 1),
	CALL(setsockopt, ENOENT, ~0UL, SOL_TCP, 31),
	CALL(setsockopt, EBADF, ~0UL, SOL_TCP, 32),
	CALL(setsockopt, EBADF, ~0UL, IPPROTO_IP, 10),
	CALL(setsockopt, EBADF, ~0UL, IPPROTO_UDP, 1),
	CALL(setsockopt, EBADF, ~0UL, IPPROTO_IPV6, 1),
	CALL(setsockopt, EBADF, ~0UL, IPPROTO_RAW, 1),
	CALL(setsockopt, EBADF, ~0UL, 262, 1),
	CALL(setsockopt, EBADF, ~0UL, 264, 1),
	CALL(setsockopt, EBADF, ~0UL, 270 /* netlink */, 1),
	CALL(setsockopt, ENOPROTOOPT, ~0UL, ~0UL, 1),

	/* Whoever sets the limit of core files is told that he did. */
	CALL(setrlimit, DONE, RLIMIT_CORE, 1),
	CALL(setrlimit, EFAULT, RLIMIT_NOFILE, 1),
	CALL(setrlimit, EFAULT, RLIMIT_CPU, 1),
	CALL(setrlimit, EFAULT, 5, 1),
	CALL(setrlimit, EFAULT, 6, 1),
	CALL(setrlimit, EFAULT, 15, 1),
	CALL(setrlimit, EINVAL, 16, 1),
	CALL(setrlimit, EINVAL, HIGH | RLIMIT_CORE, 1),
	CALL(prlimit64, DONE, 0, RLIMIT_CORE, 1),
	CALL(prlimit64, DONE, 0, RLIMIT_CORE, 0),
	CALL(prlimit64, EFAULT, 0, RLIMIT_NOFILE, 1),
	CALL(prlimit64, EINVAL, 0, HIGH | RLIMIT_CORE, 1),

	CALL(personality, DONE, 0),
	CALL(personality, DONE, ASK),
	CALL(personality, ENOSYS, 0x0040000),
	CALL(personality, ENOSYS, HIGH),
};

static int make(const struct call *call)
{
	return syscall(call->number, call->args[0], call->args[1], call->args[2], 0, 0, 0) < 0
		       ? errno
		       : DONE;
}

/* In a process of its own, since there is no way back. */
static int make_confined(const struct call *call)
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || confine() ? 255 : make(call));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void each_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		int err = make_confined(&calls[i]);

		if (err != calls[i].err)
			fail_msg("%s: %s, not %s", calls[i].name, strerror(err),
				 strerror(calls[i].err));
	}
}

/* Of all families those that a service has, and no other. */
static void families(void **state)
{
	(void)state;
	for (unsigned long family = 0; family < FAMILIES; family++) {
		const struct call call = {"socket", SYS_socket, {family, ~0UL, 0}, 0};
		const bool known = family == AF_UNIX || family == AF_INET || family == AF_INET6 ||
				   family == AF_NETLINK || family == AF_PACKET;
		int err = make_confined(&call);

		if ((err == EAFNOSUPPORT) == known)
			fail_msg("family %lu: %s", family, strerror(err));
	}
}

static void cores(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct rlimit limit = {};

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || confine() ||
		    setrlimit(RLIMIT_CORE, &limit) || getrlimit(RLIMIT_CORE, &limit))
			_exit(255);
		_exit(limit.rlim_cur == 1 && limit.rlim_max == 1 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void kernel_can(void **state)
{
	(void)state;
	assert_int_equal(confine_check(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_can),
		cmocka_unit_test(each_call),
		cmocka_unit_test(families),
		cmocka_unit_test(cores),
	};

	return cmocka_run_group_tests_name("confine", tests, NULL, NULL);
}
