// SPDX-License-Identifier: GPL-2.0
/* The uplink of the sweep; see wire.h. Owns its packet socket, and changes nothing else. */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "clock.h"
#include "link.h"
#include "log.h"
#include "parse.h"
#include "probe.h"

#define LOOK_NS (100 * NS_PER_MS)     /* the carrier is looked at this often */
#define HOLD_OFF_NS (40 * NS_PER_SEC) /* twice the forward delay of IEEE 802.1D, and some */
#define ASK_NS (900 * NS_PER_MS)      /* two of them within a probe's patience */
#define FRESH_NS (2 * NS_PER_SEC)     /* whom was heard so lately would be heard now */
#define PATIENCE_NS (10 * NS_PER_SEC) /* with a gateway that does not answer */
#define DRAIN_MAX 1024
#define ROOM (64 << 10)

void wire_close(struct wire *wire)
{
	close_fd(wire->fd);
	*wire = (struct wire){.fd = -EBADF};
}

/* An uplink may have ranges on several VLANs; the gateway is where the one most like it is. */
static __u16 gateway_vlan(const struct uplink_config *config)
{
	__u32 nearest = ~0U;
	__u16 vlan = 0;

	for (size_t i = 0; i < config->n_ranges; i++) {
		const __u32 distance = ntohl(config->ranges[i].prefix.addr ^ config->gateway);

		if (distance < nearest) {
			nearest = distance;
			vlan = config->ranges[i].vlan;
		}
	}
	return vlan;
}

/* Only ARP comes in. */
static void wire_open(struct wire *wire, const struct uplink_config *config, __u32 ifindex)
{
	const struct sockaddr_ll to = {.sll_family = AF_PACKET,
				       .sll_protocol = htons(ETH_P_ARP),
				       .sll_ifindex = (int)ifindex};
	struct ifreq request = {};
	const int room = ROOM;

	wire_close(wire);
	wire->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	memcpy(request.ifr_name, config->name, strnlen(config->name, IFNAMSIZ - 1));
	if (wire->fd < 0 || setsockopt(wire->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) ||
	    bind(wire->fd, (const struct sockaddr *)&to, sizeof(to)) ||
	    ioctl(wire->fd, SIOCGIFHWADDR, &request)) {
		wire_close(wire);
		return;
	}
	memcpy(wire->mac, request.ifr_hwaddr.sa_data, sizeof(wire->mac));
	wire->ifindex = ifindex;
	wire->gateway = config->gateway;
	wire->gateway_vlan = gateway_vlan(config);
}

/* Nothing that was known of the wire holds when its carrier has come or gone. */
static void look(struct wire *wire, __u64 now_ns)
{
	__u32 changes = 0;
	const bool up = link_carrier(wire->ifindex, &changes) > 0;

	if (!wire->looked_ns || up != wire->up || changes != wire->changes) {
		wire->since_ns = now_ns;
		wire->heard_ns = 0;
	}
	wire->up = up;
	wire->changes = changes;
	wire->looked_ns = now_ns;
}

static bool is_gateways(const struct wire *wire, const __u8 *frame, size_t len)
{
	const struct parse_arp *arp = (const void *)(frame + ETH_HLEN);

	return len >= ETH_HLEN + sizeof(*arp) && arp->pro == htons(PARSE_P_IP) && arp->pln == 4 &&
	       !memcmp(arp->spa, &wire->gateway, sizeof(wire->gateway));
}

/* When a frame came is not known, but that it was not there the last time. */
static void hear(struct wire *wire, __u64 now_ns)
{
	__u8 frame[PROBE_LEN] __attribute__((aligned(4)));
	bool heard = false;
	ssize_t n = 0;

	for (int i = 0; i < DRAIN_MAX; i++) {
		n = recv(wire->fd, frame, sizeof(frame), 0);
		if (n < 0)
			break;
		heard |= is_gateways(wire, frame, (size_t)n);
	}
	if (heard && wire->drained_ns > wire->heard_ns) {
		wire->heard_ns = wire->drained_ns;
		wire->unheard_ns = 0;
	}
	if (n < 0 && errno == EAGAIN)
		wire->drained_ns = now_ns;
}

static void tell(struct wire *wire, const struct uplink_config *config, __u64 now_ns)
{
	char gateway[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &wire->gateway, gateway, sizeof(gateway));
	if (wire->warned && !wire->unheard_ns)
		log_info("%s: the gateway %s answers; addresses are verified", config->name,
			 gateway);
	else if (!wire->warned && wire->unheard_ns && now_ns - wire->unheard_ns > PATIENCE_NS)
		log_warn("%s: the gateway %s does not answer, so nothing tells whether this wire "
			 "passes frames: no address is verified until it does; correct 'gateway', "
			 "or leave it out",
			 config->name, gateway);
	else
		return;
	wire->warned = !wire->warned;
}

static void ask(struct wire *wire, __u64 now_ns)
{
	if (!wire->up || now_ns - wire->asked_ns < ASK_NS)
		return;
	wire->asked_ns = now_ns;
	if (!wire->unheard_ns)
		wire->unheard_ns = now_ns;
	wire_probe(wire, wire->gateway_vlan, wire->gateway);
}

void wire_tend(struct wire *wire, const struct uplink_config *config, __u32 ifindex, __u64 now_ns)
{
	if (wire->ifindex != ifindex || wire->fd < 0)
		wire_open(wire, config, ifindex);
	if (wire->fd < 0)
		return;
	hear(wire, now_ns); /* what came before a change must not count after it */
	if (now_ns - wire->looked_ns >= LOOK_NS)
		look(wire, now_ns);
	if (!wire->gateway)
		return;
	tell(wire, config, now_ns);
	ask(wire, now_ns);
}

bool wire_passes(const struct wire *wire, __u64 now_ns)
{
	if (wire->fd < 0 || !wire->up)
		return false;
	if (wire->gateway)
		return wire->heard_ns && now_ns - wire->heard_ns < FRESH_NS;
	return now_ns - wire->since_ns >= HOLD_OFF_NS;
}

bool wire_passed(const struct wire *wire, __u64 sent_ns, __u32 changes)
{
	return wire->fd >= 0 && wire->up && wire->changes == changes &&
	       (!wire->gateway || wire->heard_ns > sent_ns);
}

bool wire_probe(struct wire *wire, __u16 vlan, __be32 address)
{
	__u8 frame[PROBE_LEN];

	probe_fill(frame, wire->mac, vlan, address);
	if (send(wire->fd, frame, sizeof(frame), 0) == (ssize_t)sizeof(frame))
		return true;
	wire_close(wire);
	return false;
}
