// SPDX-License-Identifier: GPL-2.0
/*
 * plumb.h after somebody who was killed at it: opening, binding and closing begins over what is
 * half done, at whichever step, and is whole in the end.
 */
#include "plumb_farm.h"

#define STEPS_MAX 160

struct steps {
	char bytes[16384];
	size_t n;
	const char *end[STEPS_MAX];
};

/* What plumb_bind() or plumb_open() would send. To the latter: there are no routes. */
static struct steps *steps_of(bool bind)
{
	struct steps *s = calloc(1, sizeof(*s));
	char done[NLMSG_HDRLEN + 4] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(done);
	int pair[2], len;

	nlh->nlmsg_type = NLMSG_DONE;
	nlh->nlmsg_flags = NLM_F_MULTI;
	nlh->nlmsg_len = sizeof(done);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	if (bind) {
		assert_int_equal(plumb_bind(pair[0], &bound), -EIO);
	} else {
		assert_int_equal(send(pair[1], done, sizeof(done), 0), sizeof(done));
		assert_int_equal(plumb_open(pair[0], lab.eth0, &wide), -EIO);
		assert_true(recv(pair[1], s->bytes, sizeof(s->bytes), 0) > 0); /* the dump */
	}
	len = (int)recv(pair[1], s->bytes, sizeof(s->bytes), 0);
	for (nlh = (void *)s->bytes; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
		assert_true(s->n < STEPS_MAX);
		s->end[s->n++] = (const char *)nlh + nlh->nlmsg_len;
	}
	close(pair[0]);
	close(pair[1]);
	return s;
}

/* As somebody who is killed after it. */
static void do_steps(const struct steps *s, size_t n)
{
	cleanup_close int nl = netlink_inside();

	if (n)
		assert_true(send(nl, s->bytes, (size_t)(s->end[n - 1] - s->bytes), 0) > 0);
}

static void bound_over_a_half_done_one_it_is_whole(void)
{
	cleanup_free char *plain = look_of_plain();
	cleanup_free struct steps *s = steps_of(true);

	assert_true(s->n > wide.n_segments + 2);
	for (size_t i = 0; i <= s->n; i++) {
		open_it();
		do_steps(s, i);
		bind_it();
		assert_looks_like(plain);
		start_again();
	}
}

/* Those of a skepd that has not opened it: it knows no segments. */
static void closed_and_bound_over_a_half_done_one_too(void)
{
	cleanup_free char *plain = look_of_plain();
	cleanup_free struct steps *s = steps_of(true);
	static const struct plumb_open nothing;

	for (size_t i = 0; i <= s->n; i++) {
		open_it();
		do_steps(s, i);
		assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
		bound.open = &nothing;
		bind_it();
		assert_looks_like(plain);
		start_again();
	}
}

static void closed_over_a_half_done_one_nothing_is_left(void)
{
	cleanup_free char *fresh = look();
	cleanup_free struct steps *s = steps_of(false);

	assert_true(s->n > 1);
	for (size_t i = 0; i <= s->n; i++) {
		do_steps(s, i);
		assert_int_equal(plumb_close(lab.nl, lab.eth0), 0);
		assert_looks_like(fresh);
		start_again();
	}
}

static void opened_over_a_half_done_one_it_is_whole(void)
{
	cleanup_free struct steps *s = steps_of(false);
	cleanup_free char *opened = NULL;

	open_it();
	opened = look();
	for (size_t i = 0; i <= s->n; i++) {
		start_again();
		do_steps(s, i);
		open_it();
		assert_looks_like(opened);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_FIRST(bound_over_a_half_done_one_it_is_whole),
		IN_FIRST(closed_and_bound_over_a_half_done_one_too),
		IN_FIRST(closed_over_a_half_done_one_nothing_is_left),
		IN_FIRST(opened_over_a_half_done_one_it_is_whole),
	};

	return run_in_farms("plumb_half", tests, ARRAY_SIZE(tests));
}
