/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the port program tells skepd of what it has refused, as a test hears it. Included after
 * gate.h.
 */
#ifndef SKEP_TESTS_BPF_NOTICES_H
#define SKEP_TESTS_BPF_NOTICES_H

static struct skep_notice told[8];
static size_t n_told;

static int on_notice(void *data, void *record, size_t size)
{
	(void)data;
	assert_int_equal(size, sizeof(told[0]));
	if (n_told < ARRAY_SIZE(told))
		memcpy(&told[n_told], record, size);
	n_told++;
	return 0;
}

static void listen_to_notices(void)
{
	struct ring_buffer *ring =
		ring_buffer__new(bpf_map__fd(gate_port->maps.notices), on_notice, NULL, NULL);

	assert_non_null(ring);
	n_told = 0;
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
}

#endif
