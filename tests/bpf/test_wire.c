// SPDX-License-Identifier: GPL-2.0
/*
 * Both programs on a wire: veth pairs in a network namespace of this process alone, which goes away
 * with it. Here is seen what a run without a wire can not show: at which interface a frame arrives,
 * and tags, which the kernel keeps beside a frame and not in it. No skepd, no container, no
 * address.
 *
 *	gateway === uplink   [XDP]      port [tc] === inside
 */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>

#include "leases.h"
#include "port.skel.h"
#include "skep/policy.h"
#include "uplink.skel.h"

#define UPLINK 3
#define POLICY 1
#define NO_TAG (-1)
#define NO_PORT 9999 /* no device has this number */

/**
 * struct caught - a frame as it arrived
 * @tag: its VLAN tag, or NO_TAG; the kernel takes it out of the frame
 */
struct caught {
	__u8 frame[FRAME_MAX];
	size_t len;
	int tag;
};

/* Sockets at the two ends where the programs are not, and at the box's side of the uplink. */
static int gateway = -EBADF, inside = -EBADF, box = -EBADF;
static struct uplink_bpf *uplink;
static struct port_bpf *port;

/* ---- the wire -------------------------------------------------------------- */

/* A redirect into a veth needs NAPI at its other end: that is what generic receive offload turns
 * on. */
static const char *const commands[] = {
	"ip link add gateway type veth peer name uplink",
	"ip link add port type veth peer name inside",
	"ethtool -K inside gro on",
	"ip link set gateway up",
	"ip link set uplink up",
	"ip link set port up",
	"ip link set inside up",
};

static int make_wires(void)
{
	cleanup_close int fd = -EBADF;

	if (unshare(CLONE_NEWNET) || setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1))
		return -errno;
	/* The namespace's own chatter would be heard too. */
	fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
	if (fd >= 0 && write(fd, "1", 1) != 1)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (system(commands[i]))
			return -EIO;
	return 0;
}

static int listen_at(const char *name)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name),
	};
	const struct timeval patience = {.tv_sec = 5};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static int tag_of(struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		struct tpacket_auxdata aux;

		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (aux.tp_status & TP_STATUS_VLAN_VALID)
			return aux.tp_vlan_tci;
	}
	return NO_TAG;
}

static void catch (int fd, struct caught *ret)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {ret->frame, sizeof(ret->frame)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, 0);

	if (n < 0)
		fail_msg("no frame arrived: %s", strerror(errno));
	ret->len = (size_t)n;
	ret->tag = tag_of(&msg);
}

static void put(int fd, const struct bytes *frame)
{
	assert_int_equal(send(fd, frame->at, frame->len, 0), frame->len);
}

static void check_arrives(int fd, const struct bytes *frame, int tag)
{
	static struct caught caught;

	catch (fd, &caught);
	assert_int_equal(caught.len, frame->len);
	assert_memory_equal(caught.frame, frame->at, frame->len);
	assert_int_equal(caught.tag, tag);
}

/* ---- the world ------------------------------------------------------------- */

#define MAC_GATEWAY MAC_ROUTER
#define MAC_SECOND "\x00\x25\x90\x21\x21\x21"
#define IP_SECOND "\x0a\x42\x04\x15" /* 10.66.4.21 */

static const struct bytes who_has_leased =
	BYTES(MAC_ALL MAC_GATEWAY TYPE_ARP WHO_HAS(MAC_GATEWAY, IP_ROUTER, IP_LEASED));
static const struct bytes ping_leased =
	BYTES(MAC_LEASE MAC_GATEWAY TYPE_IPV4 IPV4(IP_CLIENT, IP_LEASED));
static const struct bytes ping_leased_tagged =
	BYTES(MAC_LEASE MAC_GATEWAY TAG_7 TYPE_IPV4 IPV4(IP_CLIENT, IP_LEASED));
static const struct bytes who_has_box =
	BYTES(MAC_ALL MAC_GATEWAY TYPE_ARP WHO_HAS(MAC_GATEWAY, IP_ROUTER, IP_FOREIGN));
static const struct bytes pong = BYTES(MAC_GATEWAY MAC_LEASE TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT));

/* Both addresses are one container's; the first one's link address is its own. */
static void set_leases(void)
{
	const __u32 at = if_nametoindex("port");
	const struct lease_spec leases[] = {
		{NULL, NULL, NULL, 0, 0, 0},
		{IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, at},
		{IP_LEASED, MAC_LEASE, NULL, 7, UPLINK, at},
		{IP_SECOND, MAC_SECOND, MAC_LEASE, 0, UPLINK, at},
		{IP_SECOND, MAC_SECOND, MAC_LEASE, 7, UPLINK, at},
	};

	lease_set_all(uplink->maps.leases, leases, ARRAY_SIZE(leases));
	lease_set_all(port->maps.leases, leases, ARRAY_SIZE(leases));
}

/* What may leave is not looked at here. */
static void set_policy(void)
{
	static const struct skep_policy open_policy = {.serial = 1, .verdict = SKEP_RULE_ALLOW};
	__u32 slot = POLICY;

	harness_put(port->maps.policies, &slot, &open_policy);
}

static void set_port(__u16 vlan)
{
	struct skep_port value = {.uplink = UPLINK, .vlan = vlan, .policy = POLICY};
	__u32 key = if_nametoindex("port");

	harness_put(port->maps.ports, &key, &value);
}

static void set_uplink(void)
{
	struct skep_uplink value = {.ifindex = if_nametoindex("uplink")};
	__u32 key = UPLINK;

	harness_put(port->maps.uplinks, &key, &value);
}

static int load(void)
{
	uplink = uplink_bpf__open();
	port = port_bpf__open();
	if (!uplink || !port)
		return -1;
	harness_private_maps(uplink->obj);
	harness_private_maps(port->obj);
	uplink->rodata->uplink_ordinal = UPLINK;
	return uplink_bpf__load(uplink) || port_bpf__load(port) ? -1 : 0;
}

static int attach_port(void)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex("port"),
		    .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = bpf_program__fd(port->progs.port));
	int err = bpf_tc_hook_create(&hook);

	return err ? err : bpf_tc_attach(&hook, &opts);
}

static int setup(void **state)
{
	(void)state;
	if (make_wires() || load() || attach_port())
		return -1;
	gateway = listen_at("gateway");
	inside = listen_at("inside");
	box = listen_at("uplink");
	set_leases();
	set_uplink();
	set_policy();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_fd(gateway);
	close_fd(inside);
	close_fd(box);
	uplink_bpf__destroy(uplink);
	port_bpf__destroy(port);
	return 0;
}

/* ---- the uplink ------------------------------------------------------------ */

static int attach_uplink(__u32 mode)
{
	return bpf_xdp_attach((int)if_nametoindex("uplink"), bpf_program__fd(uplink->progs.uplink),
			      mode, NULL);
}

static int attach_native(void **state)
{
	(void)state;
	return attach_uplink(XDP_FLAGS_DRV_MODE);
}

static int attach_generic(void **state)
{
	(void)state;
	return attach_uplink(XDP_FLAGS_SKB_MODE);
}

static int detach_uplink(void **state)
{
	(void)state;
	bpf_xdp_detach((int)if_nametoindex("uplink"), XDP_FLAGS_DRV_MODE, NULL);
	bpf_xdp_detach((int)if_nametoindex("uplink"), XDP_FLAGS_SKB_MODE, NULL);
	return 0;
}

/*
 * Whatever was sent before and did not arrive would be seen before these: the box sees no frame of
 * a lease, the container none of the box's.
 */
static void frames_of_a_lease_arrive_inside(void **state)
{
	(void)state;
	put(gateway, &who_has_leased);
	check_arrives(inside, &who_has_leased, NO_TAG);
	put(gateway, &who_has_box);
	check_arrives(box, &who_has_box, NO_TAG);
	put(gateway, &ping_leased);
	check_arrives(inside, &ping_leased, NO_TAG);
	put(gateway, &who_has_box);
	check_arrives(box, &who_has_box, NO_TAG);
}

static void a_tag_ends_at_the_port(void **state)
{
	(void)state;
	put(gateway, &ping_leased_tagged);
	check_arrives(inside, &ping_leased, NO_TAG);
}

/* The second address has a link address of its own outside, but inside there is one. */
static void frames_of_a_second_address_are_translated(void **state)
{
	static const struct bytes ping =
		BYTES(MAC_SECOND MAC_GATEWAY TYPE_IPV4 IPV4(IP_CLIENT, IP_SECOND));
	static const struct bytes ping_tagged =
		BYTES(MAC_SECOND MAC_GATEWAY TAG_7 TYPE_IPV4 IPV4(IP_CLIENT, IP_SECOND));
	static const struct bytes ping_inside =
		BYTES(MAC_LEASE MAC_GATEWAY TYPE_IPV4 IPV4(IP_CLIENT, IP_SECOND));
	static const struct bytes is_at = BYTES(MAC_SECOND MAC_GATEWAY TYPE_ARP IS_AT(
		MAC_GATEWAY, IP_ROUTER, MAC_SECOND, IP_SECOND));
	static const struct bytes is_at_inside = BYTES(
		MAC_LEASE MAC_GATEWAY TYPE_ARP IS_AT(MAC_GATEWAY, IP_ROUTER, MAC_LEASE, IP_SECOND));

	(void)state;
	put(gateway, &ping);
	check_arrives(inside, &ping_inside, NO_TAG);
	put(gateway, &ping_tagged);
	check_arrives(inside, &ping_inside, NO_TAG);
	put(gateway, &is_at);
	check_arrives(inside, &is_at_inside, NO_TAG);
	put(gateway, &ping_leased);
	check_arrives(inside, &ping_leased, NO_TAG);
}

/* Which is the same; that it is looked for there shows when the lease has another one. */
static void frames_find_their_port_by_its_slot(void **state)
{
	const struct lease_spec lease = {IP_LEASED, MAC_LEASE, NULL, 0, UPLINK, NO_PORT};
	const struct skep_addr key = lease_key(&lease);
	const struct skep_lease value = lease_value(&lease, 1);
	const struct bpf_map *devices = uplink->maps.port_devices;
	const __u32 slot = value.container, at = if_nametoindex("port");

	(void)state;
	harness_put(devices, &slot, &at);
	harness_put(uplink->maps.leases, &key, &value);
	put(gateway, &ping_leased);
	check_arrives(inside, &ping_leased, NO_TAG);
	harness_remove(devices, &slot);
	set_leases();
	put(gateway, &who_has_leased);
	check_arrives(inside, &who_has_leased, NO_TAG);
}

/* ---- the port -------------------------------------------------------------- */

/* Each sends a marker after the frame that must not arrive: nothing comes before it. */
static void check_dropped(const struct bytes *frame, enum skep_verdict verdict)
{
	const struct bpf_map *counters = port->maps.counters;

	set_port(0);
	harness_mark(counters);
	put(inside, frame);
	put(inside, &pong);
	check_arrives(gateway, &pong, NO_TAG);
	assert_int_equal(harness_counted(counters, SKEP_PORT_OUT_ALLOWED), 1);
	assert_int_equal(harness_counted(counters, verdict), 1);
}

static void frames_leave_through_the_uplink(void **state)
{
	static const struct bytes is_at = BYTES(
		MAC_GATEWAY MAC_LEASE TYPE_ARP IS_AT(MAC_LEASE, IP_LEASED, MAC_GATEWAY, IP_ROUTER));

	(void)state;
	set_port(0);
	put(inside, &is_at);
	check_arrives(gateway, &is_at, NO_TAG);
	put(inside, &pong);
	check_arrives(gateway, &pong, NO_TAG);
}

static void frames_leave_with_their_vlan(void **state)
{
	(void)state;
	set_port(7);
	put(inside, &pong);
	check_arrives(gateway, &pong, 7);
}

/* By the second address. */
static const struct bytes sent = BYTES(MAC_GATEWAY MAC_LEASE TYPE_IPV4 IPV4(IP_SECOND, IP_CLIENT));
static const struct bytes left = BYTES(MAC_GATEWAY MAC_SECOND TYPE_IPV4 IPV4(IP_SECOND, IP_CLIENT));

static void a_second_address_leaves_with_its_own_mac(void **state)
{
	static const struct bytes is_at = BYTES(
		MAC_GATEWAY MAC_LEASE TYPE_ARP IS_AT(MAC_LEASE, IP_SECOND, MAC_GATEWAY, IP_ROUTER));
	static const struct bytes is_at_left = BYTES(MAC_GATEWAY MAC_SECOND TYPE_ARP IS_AT(
		MAC_SECOND, IP_SECOND, MAC_GATEWAY, IP_ROUTER));

	(void)state;
	set_port(0);
	put(inside, &sent);
	check_arrives(gateway, &left, NO_TAG);
	put(inside, &is_at);
	check_arrives(gateway, &is_at_left, NO_TAG);
	set_port(7);
	put(inside, &sent);
	check_arrives(gateway, &left, 7);
	put(inside, &is_at);
	check_arrives(gateway, &is_at_left, 7);
}

/* What a sniffer inside saw of a frame that left (a clone of it) is not written over. */
static void the_container_sees_its_own_frame(void **state)
{
	cleanup_close int sniffer = listen_at("inside");
	int off = 0;

	(void)state;
	assert_int_equal(setsockopt(sniffer, SOL_PACKET, PACKET_IGNORE_OUTGOING, &off, sizeof(off)),
			 0);
	set_port(0);
	put(inside, &sent);
	check_arrives(gateway, &left, NO_TAG);
	check_arrives(sniffer, &sent, NO_TAG);
}

/* The kernel takes the tag out of the frame before the program sees it. */
static void a_container_sends_no_tags(void **state)
{
	static const struct bytes tagged =
		BYTES(MAC_GATEWAY MAC_LEASE TAG_7 TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT));
	static const struct bytes priority =
		BYTES(MAC_GATEWAY MAC_LEASE TAG_0 TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT));
	static const struct bytes provider = BYTES(MAC_GATEWAY MAC_LEASE TYPE_8021AD
						   "\x00\x07" TYPE_IPV4 IPV4(IP_LEASED, IP_CLIENT));

	(void)state;
	check_dropped(&tagged, SKEP_PORT_DROP_TAGGED);
	check_dropped(&priority, SKEP_PORT_DROP_TAGGED);
	check_dropped(&provider, SKEP_PORT_DROP_TAGGED);
}

static void a_forged_address_does_not_leave(void **state)
{
	static const struct bytes forged =
		BYTES(MAC_GATEWAY MAC_LEASE TYPE_IPV4 IPV4(IP_DARK, IP_CLIENT));

	(void)state;
	check_dropped(&forged, SKEP_PORT_DROP_ADDR);
}

/* A run without a wire takes no such frame. */
static void ipv4_cut_off_anywhere(void **state)
{
	(void)state;
	for (size_t len = sizeof(struct ethhdr) + 1; len < 34; len++)
		check_dropped(&(struct bytes){pong.at, len}, SKEP_PORT_DROP_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{"native: frames_of_a_lease_arrive_inside", frames_of_a_lease_arrive_inside,
		 attach_native, detach_uplink, NULL},
		{"native: a_tag_ends_at_the_port", a_tag_ends_at_the_port, attach_native,
		 detach_uplink, NULL},
		{"native: frames_of_a_second_address_are_translated",
		 frames_of_a_second_address_are_translated, attach_native, detach_uplink, NULL},
		{"native: frames_find_their_port_by_its_slot", frames_find_their_port_by_its_slot,
		 attach_native, detach_uplink, NULL},
		{"generic: frames_find_their_port_by_its_slot", frames_find_their_port_by_its_slot,
		 attach_generic, detach_uplink, NULL},
		{"generic: frames_of_a_lease_arrive_inside", frames_of_a_lease_arrive_inside,
		 attach_generic, detach_uplink, NULL},
		{"generic: a_tag_ends_at_the_port", a_tag_ends_at_the_port, attach_generic,
		 detach_uplink, NULL},
		{"generic: frames_of_a_second_address_are_translated",
		 frames_of_a_second_address_are_translated, attach_generic, detach_uplink, NULL},
		cmocka_unit_test(frames_leave_through_the_uplink),
		cmocka_unit_test(frames_leave_with_their_vlan),
		cmocka_unit_test(a_second_address_leaves_with_its_own_mac),
		cmocka_unit_test(the_container_sees_its_own_frame),
		cmocka_unit_test(a_container_sends_no_tags),
		cmocka_unit_test(a_forged_address_does_not_leave),
		cmocka_unit_test(ipv4_cut_off_anywhere),
	};

	return cmocka_run_group_tests_name("wire", tests, setup, teardown);
}
