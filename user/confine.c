// SPDX-License-Identifier: GPL-2.0
/*
 * The list of system calls as a filter; see confine.h. Owns what is decided by arguments.
 *
 * The kernel takes the low half of a register where an argument is an int, the filter sees all of
 * it: so nothing here is allowed for being unlike something else, or a high bit would be the way
 * around it.
 */
#include "confine.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"

#define BINARY_TREE 2 /* of the ways to arrange a filter; see seccomp_attr_set(3) */
#define ALLOWED (-1)
#define UNAME_26 0x20000U /* these two change what uname(2) says, and hardly anything else */
#define LINUX_32 0x8U
#define ASK_ONLY 0xffffffffU
#define L2TP 115 /* IPPROTO_L2TP, which older headers do not have */

struct call {
	const char *name;
	int err;
};

struct rule {
	int call;
	int err; /* what it fails with, or ALLOWED; 0: nothing is done, and it succeeds */
	unsigned int n;
	struct scmp_arg_cmp args[2];
};

#define IS(arg, value)                     \
	{                                  \
		arg, SCMP_CMP_EQ, value, 0 \
	}
#define BELOW(arg, value)                  \
	{                                  \
		arg, SCMP_CMP_LT, value, 0 \
	}
#define ABOVE(arg, value)                  \
	{                                  \
		arg, SCMP_CMP_GT, value, 0 \
	}
/* @n numbers, a power of two that divides the first */
#define FROM(arg, value, n)                                            \
	{                                                              \
		arg, SCMP_CMP_MASKED_EQ, ~((scmp_datum_t)(n)-1), value \
	}

static const struct call calls[] = {
#include "seccomp_calls.inc"
};

/*
 * A handler of core files runs on the box, as its root, with what the intruder feeds it. It is not
 * started where the limit is 1 (core(5)), but would be at 0, which everyone may set.
 */
#define LIMITS(call, arg)                                                                     \
	{call, ALLOWED, 1, {BELOW(arg, RLIMIT_CORE)}}, {call, ALLOWED, 1, {IS(arg, 5)}},      \
		{call, ALLOWED, 1, {FROM(arg, 6, 2)}}, {call, ALLOWED, 1, {FROM(arg, 8, 8)}}, \
	{                                                                                     \
		call, EINVAL, 1,                                                              \
		{                                                                             \
			ABOVE(arg, RLIM_NLIMITS - 1)                                          \
		}                                                                             \
	}

/* DCCP, L2TP, SCTP, UDP-Lite and, above the last number of IP, MPTCP: modules with a past. */
#define IP(family)                                                                               \
	{SCMP_SYS(socket), ALLOWED, 2, {IS(0, family), BELOW(2, IPPROTO_DCCP)}},                 \
		{SCMP_SYS(socket), ALLOWED, 2, {IS(0, family), IS(2, IPPROTO_GRE)}},             \
		{SCMP_SYS(socket), ALLOWED, 2, {IS(0, family), IS(2, IPPROTO_ICMPV6)}},          \
		{SCMP_SYS(socket), ALLOWED, 2, {IS(0, family), IS(2, IPPROTO_RAW)}},             \
		{SCMP_SYS(socket), EPROTONOSUPPORT, 2, {IS(0, family), IS(2, IPPROTO_DCCP)}},    \
		{SCMP_SYS(socket), EPROTONOSUPPORT, 2, {IS(0, family), IS(2, L2TP)}},            \
		{SCMP_SYS(socket), EPROTONOSUPPORT, 2, {IS(0, family), IS(2, IPPROTO_SCTP)}},    \
		{SCMP_SYS(socket), EPROTONOSUPPORT, 2, {IS(0, family), IS(2, IPPROTO_UDPLITE)}}, \
	{                                                                                        \
		SCMP_SYS(socket), EPROTONOSUPPORT, 2,                                            \
		{                                                                                \
			IS(0, family), ABOVE(2, IPPROTO_RAW)                                     \
		}                                                                                \
	}

#define NETLINK(protocol)                                  \
	{                                                  \
		SCMP_SYS(socket), ALLOWED, 2,              \
		{                                          \
			IS(0, AF_NETLINK), IS(2, protocol) \
		}                                          \
	}
#define NO_NETLINK(cmp)                               \
	{                                             \
		SCMP_SYS(socket), EPROTONOSUPPORT, 2, \
		{                                     \
			IS(0, AF_NETLINK), cmp        \
		}                                     \
	}
#define NO_FAMILY(call, cmp)           \
	{                              \
		call, EAFNOSUPPORT, 1, \
		{                      \
			cmp            \
		}                      \
	}

/*
 * The memory of a packet ring is nobody's: one container could have all of the box's. Socket
 * filters take from what all programs of the machine together may have, and without which no
 * container starts. TLS in the kernel is more than a service needs.
 */
#define OPTION_LEVEL(...)                         \
	{                                         \
		SCMP_SYS(setsockopt), ALLOWED, 1, \
		{                                 \
			__VA_ARGS__               \
		}                                 \
	}
#define OPTION(level, ...)                        \
	{                                         \
		SCMP_SYS(setsockopt), ALLOWED, 2, \
		{                                 \
			IS(1, level), __VA_ARGS__ \
		}                                 \
	}
#define NO_OPTION(err, level, ...)                \
	{                                         \
		SCMP_SYS(setsockopt), err, 2,     \
		{                                 \
			IS(1, level), __VA_ARGS__ \
		}                                 \
	}

static const struct rule rules[] = {
	LIMITS(SCMP_SYS(setrlimit), 0),
	{SCMP_SYS(setrlimit), 0, 1, {IS(0, RLIMIT_CORE)}},
	LIMITS(SCMP_SYS(prlimit64), 1),
	{SCMP_SYS(prlimit64), ALLOWED, 2, {IS(1, RLIMIT_CORE), IS(2, 0)}},
	{SCMP_SYS(prlimit64), 0, 2, {IS(1, RLIMIT_CORE), ABOVE(2, 0)}},

	{SCMP_SYS(personality), ALLOWED, 1, {IS(0, 0)}},
	{SCMP_SYS(personality), ALLOWED, 1, {IS(0, LINUX_32)}},
	{SCMP_SYS(personality), ALLOWED, 1, {IS(0, UNAME_26)}},
	{SCMP_SYS(personality), ALLOWED, 1, {IS(0, UNAME_26 | LINUX_32)}},
	{SCMP_SYS(personality), ALLOWED, 1, {IS(0, ASK_ONLY)}},

	{SCMP_SYS(socket), ALLOWED, 1, {IS(0, AF_UNIX)}},
	IP(AF_INET),
	IP(AF_INET6),
	{SCMP_SYS(socket), ALLOWED, 1, {IS(0, AF_PACKET)}},
	/* Routes, sockets, and what a log-in asks of audit, which answers nobody in a container. */
	NETLINK(NETLINK_ROUTE),
	NETLINK(NETLINK_SOCK_DIAG),
	NETLINK(NETLINK_AUDIT),
	NO_NETLINK(IS(2, 1)),
	NO_NETLINK(FROM(2, 2, 2)),
	NO_NETLINK(IS(2, 5)),
	NO_NETLINK(FROM(2, 6, 2)),
	NO_NETLINK(IS(2, 8)),
	NO_NETLINK(ABOVE(2, NETLINK_AUDIT)),
	NO_FAMILY(SCMP_SYS(socket), IS(0, AF_UNSPEC)),
	NO_FAMILY(SCMP_SYS(socket), IS(0, 3)),
	NO_FAMILY(SCMP_SYS(socket), FROM(0, 4, 4)),
	NO_FAMILY(SCMP_SYS(socket), FROM(0, 8, 2)),
	NO_FAMILY(SCMP_SYS(socket), IS(0, 11)),
	NO_FAMILY(SCMP_SYS(socket), FROM(0, 12, 4)),
	NO_FAMILY(SCMP_SYS(socket), ABOVE(0, AF_PACKET)),

	OPTION_LEVEL(IS(1, SOL_IP)),
	OPTION(SOL_SOCKET, BELOW(2, SO_ATTACH_FILTER)),
	NO_OPTION(ENOPROTOOPT, SOL_SOCKET, IS(2, SO_ATTACH_FILTER)),
	OPTION(SOL_SOCKET, IS(2, 27)),
	OPTION(SOL_SOCKET, FROM(2, 28, 4)),
	OPTION(SOL_SOCKET, FROM(2, 32, 16)),
	OPTION(SOL_SOCKET, FROM(2, 48, 2)),
	NO_OPTION(ENOPROTOOPT, SOL_SOCKET, FROM(2, SO_ATTACH_BPF, 2)),
	NO_OPTION(ENOPROTOOPT, SOL_SOCKET, IS(2, SO_ATTACH_REUSEPORT_EBPF)),
	OPTION(SOL_SOCKET, IS(2, 53)),
	OPTION(SOL_SOCKET, FROM(2, 54, 2)),
	OPTION(SOL_SOCKET, FROM(2, 56, 8)),
	OPTION(SOL_SOCKET, FROM(2, 64, 64)),
	NO_OPTION(ENOPROTOOPT, SOL_SOCKET, ABOVE(2, 127)),
	OPTION_LEVEL(FROM(1, 2, 2)),
	OPTION_LEVEL(FROM(1, 4, 2)),
	OPTION(SOL_TCP, BELOW(2, TCP_ULP)),
	NO_OPTION(ENOENT, SOL_TCP, IS(2, TCP_ULP)),
	OPTION(SOL_TCP, FROM(2, 32, 32)),
	NO_OPTION(ENOPROTOOPT, SOL_TCP, ABOVE(2, 63)),
	OPTION_LEVEL(IS(1, 7)),
	OPTION_LEVEL(FROM(1, 8, 8)),
	OPTION_LEVEL(FROM(1, 16, 16)),
	OPTION_LEVEL(FROM(1, 32, 32)),
	OPTION_LEVEL(FROM(1, 64, 64)),
	OPTION_LEVEL(FROM(1, 128, 128)),
	OPTION_LEVEL(FROM(1, 256, 4)),
	OPTION_LEVEL(FROM(1, 260, 2)),
	OPTION_LEVEL(IS(1, 262)),
	OPTION(SOL_PACKET, BELOW(2, PACKET_RX_RING)),
	NO_OPTION(ENOPROTOOPT, SOL_PACKET, IS(2, PACKET_RX_RING)),
	OPTION(SOL_PACKET, FROM(2, 6, 2)),
	OPTION(SOL_PACKET, FROM(2, 8, 4)),
	OPTION(SOL_PACKET, IS(2, 12)),
	NO_OPTION(ENOPROTOOPT, SOL_PACKET, IS(2, PACKET_TX_RING)),
	OPTION(SOL_PACKET, FROM(2, 14, 2)),
	OPTION(SOL_PACKET, FROM(2, 16, 16)),
	NO_OPTION(ENOPROTOOPT, SOL_PACKET, ABOVE(2, 31)),
	OPTION_LEVEL(FROM(1, 264, 8)),
	OPTION_LEVEL(FROM(1, 272, 16)),
	OPTION_LEVEL(FROM(1, 288, 32)),
	{SCMP_SYS(setsockopt), ENOPROTOOPT, 1, {ABOVE(1, 319)}},

	{SCMP_SYS(socketpair), ALLOWED, 1, {IS(0, AF_UNIX)}},
	NO_FAMILY(SCMP_SYS(socketpair), IS(0, AF_UNSPEC)),
	NO_FAMILY(SCMP_SYS(socketpair), ABOVE(0, AF_UNIX)),
};

/* --- the filter --- */

static __u32 action(int err)
{
	return err == ALLOWED ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO((__u32)err);
}

/* One that this libseccomp has no name for is one that it cannot allow. */
static int add_call(scmp_filter_ctx filter, const struct call *call)
{
	const int number = seccomp_syscall_resolve_name(call->name);

	return number == __NR_SCMP_ERROR ? 0
					 : seccomp_rule_add(filter, action(call->err), number, 0);
}

static int add_rule(scmp_filter_ctx filter, const struct rule *rule)
{
	return seccomp_rule_add_array(filter, action(rule->err), rule->call, rule->n, rule->args);
}

/* The 32-bit calls of this machine, and those of x32, are not there either. */
static int set_attributes(scmp_filter_ctx filter)
{
	int err = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));

	if (!err)
		err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
	return err ? err : seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE);
}

static int fill(scmp_filter_ctx filter)
{
	int err = set_attributes(filter);

	for (size_t i = 0; !err && i < ARRAY_SIZE(calls); i++)
		err = add_call(filter, &calls[i]);
	for (size_t i = 0; !err && i < ARRAY_SIZE(rules); i++)
		err = add_rule(filter, &rules[i]);
	return err;
}

static int limit_cores(void)
{
	const struct rlimit limit = {1, 1};

	return setrlimit(RLIMIT_CORE, &limit) ? -errno : 0;
}

int confine_check(void)
{
	const __u32 wanted = SECCOMP_RET_ERRNO;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &wanted) ? -errno : 0;
}

int confine(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int err = filter ? fill(filter) : -ENOMEM;

	if (!err)
		err = limit_cores();
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
