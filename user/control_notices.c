// SPDX-License-Identifier: GPL-2.0
/*
 * What containers were refused, from the ring `notices` to the clients that watch; see
 * control_client.h. The programs write at most one record a second for each container and verdict,
 * so a container that tries everything makes no flood of events, and the allocator has no part in
 * it.
 */
#include <bpf/libbpf.h>
#include <errno.h>

#include "clock.h"
#include "control_client.h"
#include "log.h"
#include "report.h"

#define AT_ONCE 64
#define LOG_INTERVAL (60 * NS_PER_SEC) /* the brake bites for as long as somebody pushes */

struct notices {
	struct control *control;
	struct ring_buffer *ring;
	struct event *event;
	__u64 logged_ns;
	unsigned int left;
};

static void log_brake(struct notices *notices, const struct skep_notice *notice)
{
	const __u64 now_ns = monotonic_ns();

	if (notices->logged_ns && now_ns < notices->logged_ns + LOG_INTERVAL)
		return;
	notices->logged_ns = now_ns;
	log_warn("the farm sends more than pool.egress_max_packets or egress_max_bits: %u packets "
		 "dropped; 'skepctl flows' and 'skepctl policy' show who sends what",
		 notice->count);
}

static int on_record(void *data, void *record, size_t size)
{
	struct notices *notices = data;
	const struct skep_notice *notice = record;

	if (size < sizeof(*notice))
		return 0;
	if (notice->verdict == SKEP_PORT_DROP_BRAKE)
		log_brake(notices, notice);
	control_tell(notices->control,
		     report_notice(notices->control->config, notices->control->dp, notice));
	return --notices->left ? 0 : -EAGAIN;
}

static void on_readable(evutil_socket_t fd, short what, void *data)
{
	struct notices *notices = data;

	(void)fd;
	(void)what;
	notices->left = AT_ONCE;
	ring_buffer__consume(notices->ring);
}

/* Without it the farm works as well, and nobody is told what it refuses. */
void notices_start(struct control *control)
{
	static struct notices notices;

	notices.control = control;
	notices.ring =
		ring_buffer__new(datapath_notices_fd(control->dp), on_record, &notices, NULL);
	if (notices.ring)
		notices.event = event_new(control->base, ring_buffer__epoll_fd(notices.ring),
					  EV_READ | EV_PERSIST, on_readable, &notices);
	if (!notices.event || event_add(notices.event, NULL))
		log_warn("cannot read what is refused: %m; there will be no events of it");
}
