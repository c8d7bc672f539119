// SPDX-License-Identifier: GPL-2.0
/*
 * filter.h: on veth pairs in a network namespace of its own. A frame is sent in from the other end,
 * and a program that counts says whether it was asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "filter.h"

#define WAIT_TRIES 100

static unsigned int port, peer;

/* Adds one to the map's only value, and lets nothing through (TC_ACT_SHOT). */
static int load_counter(int map)
{
	const struct bpf_insn code[] = {
		{.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
		{.code = BPF_LD | BPF_DW | BPF_IMM,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_1, .imm = 1},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_0,
		 .src_reg = BPF_REG_1,
		 .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 2},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "counter", "GPL", code,
			     sizeof(code) / sizeof(code[0]), NULL);
}

struct counter {
	int map;
	int program;
};

static struct counter new_counter(void)
{
	struct counter c = {.map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "count", 4, 8, 1, NULL)};

	assert_true(c.map >= 0);
	c.program = load_counter(c.map);
	assert_true(c.program >= 0);
	return c;
}

static void free_counter(struct counter *c)
{
	close(c->program);
	close(c->map);
}

static __u64 count_of(const struct counter *c)
{
	__u32 key = 0;
	__u64 value = 0;

	assert_int_equal(bpf_map_lookup_elem(c->map, &key, &value), 0);
	return value;
}

static void send_frame(void)
{
	static const char frame[60] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x12, 0x34};
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)peer};
	cleanup_close int fd = socket(AF_PACKET, SOCK_RAW, 0);

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(frame));
}

/* A frame crosses a veth pair in a soft interrupt, at once or nearly. */
static bool sees_a_frame(const struct counter *c)
{
	__u64 before = count_of(c);

	send_frame();
	for (int i = 0; i < WAIT_TRIES && count_of(c) == before; i++)
		usleep(1000);
	return count_of(c) == before + 1;
}

static int make_pair(void **state)
{
	(void)state;
	if (system("ip link add dev port type veth peer name peer && ip link set dev port up && ip "
		   "link set dev peer up"))
		return -1;
	port = if_nametoindex("port");
	peer = if_nametoindex("peer");
	return port && peer ? 0 : -1;
}

static int remove_pair(void **state)
{
	(void)state;
	return system("ip link delete dev port");
}

static void attached_it_sees_every_frame(void **state)
{
	struct counter c = new_counter();

	(void)state;
	assert_int_equal(filter_attach(port, c.program), 0);
	assert_true(sees_a_frame(&c));
	assert_true(sees_a_frame(&c));
	free_counter(&c);
}

static void replaced_only_the_new_one_does(void **state)
{
	struct counter old = new_counter(), new = new_counter();

	(void)state;
	assert_int_equal(filter_attach(port, old.program), 0);
	assert_true(sees_a_frame(&old));
	assert_int_equal(filter_replace(port, new.program), 0);
	assert_true(sees_a_frame(&new));
	assert_int_equal(count_of(&old), 1);
	free_counter(&old);
	free_counter(&new);
}

/* An earlier skepd made clsact. */
static void also_at_the_former_kind_of_qdisc(void **state)
{
	struct counter old = new_counter(), new = new_counter();
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)port, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = old.program, .handle = 1, .priority = 1);

	(void)state;
	assert_int_equal(bpf_tc_hook_create(&hook), 0);
	assert_int_equal(bpf_tc_attach(&hook, &opts), 0);
	assert_int_equal(filter_replace(port, new.program), 0);
	assert_true(sees_a_frame(&new));
	assert_int_equal(count_of(&old), 0);
	free_counter(&old);
	free_counter(&new);
}

static void it_outlives_its_descriptor(void **state)
{
	struct counter c = new_counter();

	(void)state;
	assert_int_equal(filter_attach(port, c.program), 0);
	close(c.program);
	assert_true(sees_a_frame(&c));
	close(c.map);
}

static void no_such_port_is_an_error(void **state)
{
	struct counter c = new_counter();

	(void)state;
	assert_int_equal(filter_attach(999999, c.program), -ENODEV);
	free_counter(&c);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, make_pair, remove_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(attached_it_sees_every_frame),
		WITH_PAIR(replaced_only_the_new_one_does),
		WITH_PAIR(also_at_the_former_kind_of_qdisc),
		WITH_PAIR(it_outlives_its_descriptor),
		cmocka_unit_test(no_such_port_is_an_error),
	};

	if (unshare(CLONE_NEWNET)) {
		perror("test_filter: needs root");
		return 1;
	}
	/* No frames of the kernel's own: they would be counted, too. */
	if (system("test ! -d /proc/sys/net/ipv6 || echo 1 "
		   ">/proc/sys/net/ipv6/conf/default/disable_ipv6"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
