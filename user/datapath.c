// SPDX-License-Identifier: GPL-2.0
/*
 * Programs and maps; see datapath.h. Owns every descriptor of the kernel side in this process and
 * the names under bpf_dir. Decides nothing about leases.
 */
#include "datapath.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "clock.h"
#include "link.h"
#include "log.h"
#include "port.skel.h"
#include "uplink.skel.h"

struct datapath {
	const struct config *config;
	struct uplink_bpf *uplinks[SKEP_UPLINKS_MAX];
	struct skep_uplink table[SKEP_UPLINKS_MAX];
	struct port_bpf *port;
	struct ring_buffer *ring;
	void (*ask)(void *data, const struct skep_ask *ask, size_t size);
	void *ask_data;
	unsigned int budget;
	int n_cpus;
	int leases, ports, ranges, uplinks_map, counters, containers;
	__u64 counted[SKEP_VERDICT_MAX];
	__u64 *per_cpu; /* one counter, as it is passed to and from the kernel */
};

static const char *const labels[] = {
#define LABEL(name, label, help) [SKEP_##name] = label,
	SKEP_VERDICTS(LABEL)
#undef LABEL
};

static const char *const helps[] = {
#define HELP(name, label, help) [SKEP_##name] = help,
	SKEP_VERDICTS(HELP)
#undef HELP
};

const char *verdict_label(unsigned int verdict)
{
	return verdict < SKEP_VERDICT_MAX ? labels[verdict] : "unknown";
}

const char *verdict_help(unsigned int verdict)
{
	return verdict < SKEP_VERDICT_MAX ? helps[verdict] : "unknown";
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char line[LOG_LINE_MAX];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_line(level == LIBBPF_WARN ? LOG_WARNING : LOG_DEBUG, "%s", line);
	return 0;
}

int datapath_make_dir(const char *bpf_dir)
{
	struct statfs fs;

	if (!statfs("/sys/fs/bpf", &fs) && fs.f_type != BPF_FS_MAGIC &&
	    !strncmp(bpf_dir, "/sys/fs/bpf", strlen("/sys/fs/bpf"))) {
		if (mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
			return log_error("cannot mount bpffs at /sys/fs/bpf: %m"), -errno;
		log_info("mounted bpffs at /sys/fs/bpf");
	}
	if (mkdir(bpf_dir, 0700) && errno != EEXIST)
		return log_error("cannot make bpf_dir %s: %m", bpf_dir), -errno;
	if (statfs(bpf_dir, &fs) || fs.f_type != BPF_FS_MAGIC) {
		log_error("bpf_dir %s is not on a BPF file system; choose a path under /sys/fs/bpf",
			  bpf_dir);
		return -EINVAL;
	}
	return 0;
}

static void size_maps(struct bpf_object *object, unsigned int max)
{
	static const char *const sized[] = {"leases", "ports", "containers"};

	for (size_t i = 0; i < ARRAY_SIZE(sized); i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, sized[i]);

		if (map)
			bpf_map__set_max_entries(map, max);
	}
}

static int load_failed(const char *what, int err)
{
	if (err == -EPERM)
		log_error("not allowed to load BPF programs; run skepd as root or with CAP_BPF, "
			  "CAP_NET_ADMIN and CAP_SYS_ADMIN");
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		log_error("this kernel has no BTF (/sys/kernel/btf/vmlinux); skep needs a kernel "
			  "6.1 or newer built with CONFIG_DEBUG_INFO_BTF");
	else
		log_error("cannot load the %s program: %s", what, strerror(-err));
	return err;
}

static int load_uplink(struct datapath *dp, __u16 ordinal)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = dp->config->bpf_dir);
	struct uplink_bpf *skel;
	int err;

	skel = uplink_bpf__open_opts(&opts);
	if (!skel)
		return load_failed("uplink", -errno);
	dp->uplinks[ordinal] = skel;
	skel->rodata->uplink_ordinal = ordinal;
	size_maps(skel->obj, dp->config->max);
	err = uplink_bpf__load(skel);
	return err ? load_failed("uplink", err) : 0;
}

static int load_port(struct datapath *dp)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = dp->config->bpf_dir);
	int err;

	dp->port = port_bpf__open_opts(&opts);
	if (!dp->port)
		return load_failed("port", -errno);
	size_maps(dp->port->obj, dp->config->max);
	err = port_bpf__load(dp->port);
	return err ? load_failed("port", err) : 0;
}

static int load_all(struct datapath *dp)
{
	const struct uplink_bpf *first;
	int err = 0;

	for (size_t i = 0; !err && i < dp->config->n_uplinks; i++)
		err = load_uplink(dp, (__u16)i);
	if (!err)
		err = load_port(dp);
	if (err)
		return err;
	first = dp->uplinks[0];
	assert(first); /* a configuration has an uplink */
	dp->leases = bpf_map__fd(first->maps.leases);
	dp->ranges = bpf_map__fd(first->maps.ranges);
	dp->counters = bpf_map__fd(first->maps.counters);
	dp->containers = bpf_map__fd(first->maps.containers);
	dp->ports = bpf_map__fd(dp->port->maps.ports);
	dp->uplinks_map = bpf_map__fd(dp->port->maps.uplinks);
	return 0;
}

int datapath_open(const struct config *config, struct datapath **ret)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	int err;

	if (!dp)
		return -ENOMEM;
	libbpf_set_print(print_libbpf);
	dp->config = config;
	dp->n_cpus = libbpf_num_possible_cpus();
	err = dp->n_cpus < 0 ? dp->n_cpus : 0;
	if (!err) {
		dp->per_cpu = calloc((size_t)dp->n_cpus, sizeof(*dp->per_cpu));
		err = dp->per_cpu ? load_all(dp) : -ENOMEM;
	}
	if (err) {
		datapath_close(dp);
		return err;
	}
	for (size_t i = 0; i < config->n_uplinks; i++)
		memcpy(dp->table[i].name, config->uplinks[i].name, sizeof(dp->table[i].name));
	*ret = dp;
	return 0;
}

struct datapath *datapath_close(struct datapath *dp)
{
	if (!dp)
		return NULL;
	ring_buffer__free(dp->ring);
	for (size_t i = 0; i < SKEP_UPLINKS_MAX; i++)
		uplink_bpf__destroy(dp->uplinks[i]);
	port_bpf__destroy(dp->port);
	free(dp->per_cpu);
	free(dp);
	return NULL;
}

/* What an earlier skepd did to its NICs, from its own table. */
static void undo_promisc(const char *bpf_dir)
{
	char path[512];
	cleanup_close int map = -EBADF;
	struct skep_uplink uplink;

	snprintf(path, sizeof(path), "%s/uplinks", bpf_dir);
	map = bpf_obj_get(path);
	for (__u32 i = 0; map >= 0 && i < SKEP_UPLINKS_MAX; i++)
		if (!bpf_map_lookup_elem(map, &i, &uplink) && uplink.flags & SKEP_UPLINK_PROMISC)
			link_set_promisc(uplink.ifindex, false);
}

static unsigned int count_leases(const char *bpf_dir)
{
	char path[512];
	cleanup_close int map = -EBADF;
	struct skep_addr address, *prev = NULL;
	unsigned int n = 0;

	snprintf(path, sizeof(path), "%s/leases", bpf_dir);
	map = bpf_obj_get(path);
	for (; map >= 0 && !bpf_map_get_next_key(map, prev, &address); prev = &address)
		n++;
	return n;
}

int datapath_unpin(const char *bpf_dir, unsigned int *ret_leases)
{
	cleanup_closedir DIR *dir = opendir(bpf_dir);
	const struct dirent *entry;
	int n = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	if (ret_leases)
		*ret_leases = count_leases(bpf_dir);
	undo_promisc(bpf_dir);
	for (; (entry = readdir(dir)); n++) {
		if (entry->d_name[0] == '.')
			n--;
		else if (unlinkat(dirfd(dir), entry->d_name, 0))
			return -errno;
	}
	return n;
}

/* By number: names in bpffs cannot have the dot that a NIC's name may have. */
static void link_pin_path(const struct datapath *dp, __u16 uplink, char *buf, size_t size)
{
	snprintf(buf, size, "%s/link_%u", dp->config->bpf_dir, uplink);
}

static int store_uplink(struct datapath *dp, __u16 uplink)
{
	__u32 key = uplink;

	return bpf_map_update_elem(dp->uplinks_map, &key, &dp->table[uplink], BPF_ANY);
}

/* Says whose program is in the way. */
static int attach_busy(const char *name, unsigned int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	cleanup_close int fd = -EBADF;

	if (!bpf_xdp_query((int)ifindex, 0, &query) && query.prog_id)
		fd = bpf_prog_get_fd_by_id(query.prog_id);
	if (fd >= 0)
		bpf_obj_get_info_by_fd(fd, &info, &len);
	log_error("%s already has an XDP program ('%s', id %u)%s", name, info.name, query.prog_id,
		  !strcmp(info.name, "uplink") ? ": another skepd watches this NIC, or left it "
						 "behind under another bpf_dir"
					       : "; detach it first (ip link set dev NIC xdp off)");
	return -EBUSY;
}

static int create_link(int program, unsigned int ifindex, __u32 flags)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = flags);
	int fd = bpf_link_create(program, (int)ifindex, BPF_XDP, &opts);

	if (fd >= 0)
		return fd;
	return errno == EEXIST ? -EBUSY : -errno; /* there is one in the other mode */
}

/* Native if it can be had and is wanted, else generic. */
static int create_best_link(struct datapath *dp, __u16 uplink, unsigned int ifindex,
			    bool *ret_native)
{
	const struct uplink_config *config = &dp->config->uplinks[uplink];
	int program = bpf_program__fd(dp->uplinks[uplink]->progs.uplink);
	int fd = -EOPNOTSUPP;

	if (config->xdp != XDP_GENERIC) {
		fd = create_link(program, ifindex, XDP_FLAGS_DRV_MODE);
		*ret_native = fd >= 0;
	}
	if (fd >= 0 || fd == -EBUSY || fd == -ENODEV || config->xdp == XDP_NATIVE)
		return fd;
	if (config->xdp == XDP_AUTO)
		log_warn("%s: the driver has no native XDP here (%s); using generic XDP, which is "
			 "slower",
			 config->name, strerror(-fd));
	*ret_native = false;
	return create_link(program, ifindex, XDP_FLAGS_SKB_MODE);
}

static int pin_link(struct datapath *dp, __u16 uplink, int fd)
{
	char path[512];

	link_pin_path(dp, uplink, path, sizeof(path));
	unlink(path); /* of a NIC that went away */
	return bpf_obj_pin(fd, path) ? -errno : 0;
}

static void warn_of_stripped_tags(const struct uplink_config *uplink, unsigned int ifindex)
{
	bool tagged = false;

	for (size_t i = 0; i < uplink->n_ranges; i++)
		tagged |= uplink->ranges[i].vlan != 0;
	if (tagged && link_strips_vlan(ifindex))
		log_warn("%s takes VLAN tags off before XDP sees the frame; if tagged ranges stay "
			 "dark, run 'ethtool -K %s rxvlan off'",
			 uplink->name, uplink->name);
}

int datapath_attach(struct datapath *dp, __u16 uplink, unsigned int ifindex)
{
	const struct uplink_config *config = &dp->config->uplinks[uplink];
	struct skep_uplink *entry = &dp->table[uplink];
	bool native = false;
	cleanup_close int fd = create_best_link(dp, uplink, ifindex, &native);
	int err;

	if (fd == -EBUSY)
		return attach_busy(config->name, ifindex);
	if (fd < 0) {
		log_error("%s: cannot attach XDP%s: %s", config->name,
			  config->xdp == XDP_NATIVE
				  ? " in native mode (set xdp = \"auto\" or \"generic\")"
				  : "",
			  strerror(-fd));
		return fd;
	}
	err = pin_link(dp, uplink, fd);
	if (err) {
		log_error("%s: cannot pin the XDP link under %s: %s", config->name,
			  dp->config->bpf_dir, strerror(-err));
		return err;
	}
	entry->ifindex = ifindex;
	entry->flags = native ? SKEP_UPLINK_NATIVE : 0;
	err = link_set_promisc(ifindex, true);
	if (err < 0)
		log_warn("%s: cannot be made promiscuous (%s); frames to leased link addresses "
			 "may not arrive",
			 config->name, strerror(-err));
	else if (err > 0)
		entry->flags |= SKEP_UPLINK_PROMISC;
	warn_of_stripped_tags(config, ifindex);
	err = store_uplink(dp, uplink);
	log_info("%s: watching, %s XDP", config->name, native ? "native" : "generic");
	return err;
}

void datapath_detach(struct datapath *dp, __u16 uplink)
{
	struct skep_uplink *entry = &dp->table[uplink];
	char path[512];

	link_pin_path(dp, uplink, path, sizeof(path));
	unlink(path);
	if (entry->flags & SKEP_UPLINK_PROMISC)
		link_set_promisc(entry->ifindex, false);
	entry->ifindex = 0;
	entry->flags = 0;
	store_uplink(dp, uplink);
}

int datapath_uplink(const struct datapath *dp, __u16 uplink, struct skep_uplink *ret)
{
	__u32 key = uplink;

	return bpf_map_lookup_elem(dp->uplinks_map, &key, ret);
}

static int set_range(struct datapath *dp, __u16 uplink, const struct range_config *range,
		     const struct prefix *prefix, bool excluded)
{
	struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + prefix->len,
		.uplink = uplink,
		.vlan = range->vlan,
		.ip.addr = prefix->addr,
	};
	struct skep_range value = {
		.range = (__u16)(range - dp->config->uplinks[uplink].ranges),
		.excluded = excluded,
	};

	return bpf_map_update_elem(dp->ranges, &key, &value, BPF_ANY);
}

static int exclude_address(struct datapath *dp, __u16 uplink, const struct range_config *range,
			   __be32 addr)
{
	struct prefix host = {addr, 32};

	if (!addr || !prefix_contains(&range->prefix, addr))
		return 0;
	return set_range(dp, uplink, range, &host, true);
}

/* The range, what is excluded from it, and what can be no machine's address. */
static int set_range_and_holes(struct datapath *dp, __u16 uplink, const struct range_config *range)
{
	int err = set_range(dp, uplink, range, &range->prefix, false);

	for (size_t i = 0; !err && i < range->n_excludes; i++)
		err = set_range(dp, uplink, range, &range->excludes[i], true);
	if (!err)
		err = exclude_address(dp, uplink, range, dp->config->uplinks[uplink].gateway);
	if (err || range->prefix.len >= 31) /* RFC 3021: no network or broadcast address */
		return err;
	err = exclude_address(dp, uplink, range, range->prefix.addr);
	return err ? err : exclude_address(dp, uplink, range, prefix_broadcast(&range->prefix));
}

/* Calls @visit for every range of every uplink, until one fails. */
static int for_each_range(struct datapath *dp,
			  int (*visit)(struct datapath *dp, __u16 uplink,
				       const struct range_config *range, __be32 addr),
			  __be32 addr)
{
	for (size_t u = 0; u < dp->config->n_uplinks; u++) {
		const struct uplink_config *uplink = &dp->config->uplinks[u];

		for (size_t r = 0; r < uplink->n_ranges; r++) {
			int err = visit(dp, (__u16)u, &uplink->ranges[r], addr);

			if (err) {
				log_error("%s:%d: cannot store the range: %s", dp->config->file,
					  uplink->ranges[r].line, strerror(-err));
				return err;
			}
		}
	}
	return 0;
}

static int set_one(struct datapath *dp, __u16 uplink, const struct range_config *range,
		   __be32 unused)
{
	(void)unused;
	return set_range_and_holes(dp, uplink, range);
}

int datapath_set_ranges(struct datapath *dp)
{
	return for_each_range(dp, set_one, 0);
}

int datapath_exclude(struct datapath *dp, __be32 addr)
{
	return for_each_range(dp, exclude_address, addr);
}

bool datapath_is_bindable(const struct datapath *dp, const struct skep_addr *address)
{
	struct skep_range_key key = {
		.prefixlen = SKEP_RANGE_KEY_BITS + 32,
		.uplink = address->uplink,
		.vlan = address->vlan,
		.ip = address->ip,
	};
	struct skep_range range;

	return !bpf_map_lookup_elem(dp->ranges, &key, &range) && !range.excluded;
}

int datapath_lease(const struct datapath *dp, const struct skep_addr *address,
		   struct skep_lease *ret)
{
	return bpf_map_lookup_elem(dp->leases, address, ret);
}

int datapath_lease_insert(struct datapath *dp, const struct skep_addr *address,
			  struct skep_lease *lease, __u64 seen_ns)
{
	struct skep_port port = {
		.container = lease->container,
		.uplink = address->uplink,
		.vlan = address->vlan,
	};
	int err = bpf_map_update_elem(dp->ports, &lease->port, &port, BPF_NOEXIST);

	if (err)
		return err;
	lease->bound_ns = monotonic_ns();
	lease->bind_ns = lease->bound_ns - seen_ns < ~0U ? (__u32)(lease->bound_ns - seen_ns) : ~0U;
	err = bpf_map_update_elem(dp->leases, address, lease, BPF_NOEXIST);
	if (err)
		bpf_map_delete_elem(dp->ports, &lease->port);
	return err;
}

__u64 datapath_last_seen_ns(const struct skep_lease *lease)
{
	return later(lease->bound_ns, later(lease->last_in_ns, lease->last_out_ns));
}

void datapath_lease_delete(struct datapath *dp, const struct skep_addr *address, __u32 port)
{
	bpf_map_delete_elem(dp->leases, address);
	bpf_map_delete_elem(dp->ports, &port);
}

void datapath_set_container(struct datapath *dp, __u32 slot, const struct skep_container *c)
{
	bpf_map_update_elem(dp->containers, &slot, c, BPF_ANY);
}

int datapath_container(const struct datapath *dp, __u32 slot, struct skep_container *ret)
{
	return bpf_map_lookup_elem(dp->containers, &slot, ret);
}

void datapath_count(struct datapath *dp, enum skep_verdict verdict)
{
	__u32 slot = verdict;

	/* No program writes these slots, so all of it may stand under the first CPU. */
	memset(dp->per_cpu, 0, sizeof(__u64) * (size_t)dp->n_cpus);
	dp->per_cpu[0] = ++dp->counted[verdict];
	bpf_map_update_elem(dp->counters, &slot, dp->per_cpu, BPF_ANY);
}

__u64 datapath_counter(const struct datapath *dp, enum skep_verdict verdict)
{
	__u32 slot = verdict;
	__u64 sum = 0;

	if (bpf_map_lookup_elem(dp->counters, &slot, dp->per_cpu))
		return 0;
	for (int cpu = 0; cpu < dp->n_cpus; cpu++)
		sum += dp->per_cpu[cpu];
	return sum;
}

void datapath_counters(const struct datapath *dp, __u64 ret[SKEP_VERDICT_MAX])
{
	for (unsigned int i = 0; i < SKEP_VERDICT_MAX; i++)
		ret[i] = datapath_counter(dp, (enum skep_verdict)i);
}

int datapath_port_program(const struct datapath *dp)
{
	return bpf_program__fd(dp->port->progs.port);
}

/* libbpf goes on until the ring is empty unless told to stop; a flood must not keep skepd in here.
 */
static int on_record(void *data, void *record, size_t size)
{
	struct datapath *dp = data;

	dp->ask(dp->ask_data, record, size);
	return --dp->budget ? 0 : -EAGAIN;
}

int datapath_on_ask(struct datapath *dp,
		    void (*ask)(void *data, const struct skep_ask *ask, size_t size), void *data)
{
	dp->ask = ask;
	dp->ask_data = data;
	dp->ring = ring_buffer__new(bpf_map__fd(dp->uplinks[0]->maps.asks), on_record, dp, NULL);
	return dp->ring ? 0 : -errno;
}

int datapath_asks_fd(const struct datapath *dp)
{
	return ring_buffer__epoll_fd(dp->ring);
}

bool datapath_consume(struct datapath *dp, unsigned int budget)
{
	dp->budget = budget;
	ring_buffer__consume(dp->ring);
	return !dp->budget;
}
