// SPDX-License-Identifier: GPL-2.0
/*
 * The verifier's budget: how many instructions it walks through until it believes a program. The
 * kernel gives up at a million; a program that nears its budget here has become harder to verify
 * than to read, and might be refused by an older kernel. Loads the programs and runs nothing.
 */
#include "harness.h"

#include "port.skel.h"
#include "uplink.skel.h"

/* Well above what Linux 6.18 walks: 39,000 and 34,000. */
#define UPLINK_BUDGET 45000
#define PORT_BUDGET 45000

static void check_budget(const struct bpf_program *program, __u32 budget)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);

	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &len), 0);
	print_message("# %s: %u instructions verified, %u in the program, budget %u\n",
		      bpf_program__name(program), info.verified_insns,
		      info.xlated_prog_len / (__u32)sizeof(struct bpf_insn), budget);
	assert_in_range(info.verified_insns, 1, budget);
}

static void uplink(void **state)
{
	struct uplink_bpf *skel = uplink_bpf__open();

	(void)state;
	assert_non_null(skel);
	harness_private_maps(skel->obj);
	assert_int_equal(uplink_bpf__load(skel), 0);
	check_budget(skel->progs.uplink, UPLINK_BUDGET);
	uplink_bpf__destroy(skel);
}

static void port(void **state)
{
	struct port_bpf *skel = port_bpf__open();

	(void)state;
	assert_non_null(skel);
	harness_private_maps(skel->obj);
	assert_int_equal(port_bpf__load(skel), 0);
	check_budget(skel->progs.port, PORT_BUDGET);
	port_bpf__destroy(skel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(uplink), cmocka_unit_test(port)};

	return cmocka_run_group_tests_name("verifier", tests, NULL, NULL);
}
