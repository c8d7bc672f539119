// SPDX-License-Identifier: GPL-2.0
/*
 * Programs, links and pins; see datapath.h. Owns every descriptor of the kernel side in this
 * process and the names under bpf_dir. What is in the maps is for datapath_maps.c and
 * datapath_ranges.c.
 */
#include "datapath_private.h"

#include <assert.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "clock.h"
#include "link.h"
#include "log.h"

#define VERIFY_SIZE (SKEP_VERIFY_MAX * sizeof(struct skep_verify))

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

/* By number: names in bpffs cannot have the dot that a NIC's name may have. */
static void link_pin_path(const struct datapath *dp, __u16 uplink, char *buf, size_t size)
{
	snprintf(buf, size, "%s/link_%u", dp->config->bpf_dir, uplink);
}

int datapath_store_uplink(struct datapath *dp, __u16 uplink)
{
	__u32 key = uplink;

	return bpf_map_update_elem(dp->uplinks_map, &key, &dp->table[uplink], BPF_ANY);
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
	err = datapath_size_flows(dp->config, skel->maps.flows, skel->maps.redirects);
	if (!err)
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
	err = datapath_size_flows(dp->config, dp->port->maps.flows, dp->port->maps.redirects);
	if (!err)
		err = port_bpf__load(dp->port);
	return err ? load_failed("port", err) : 0;
}

static const struct uplink_bpf *first_uplink(const struct datapath *dp)
{
	for (size_t i = 0; i < SKEP_UPLINKS_MAX; i++)
		if (dp->uplinks[i])
			return dp->uplinks[i];
	return NULL;
}

void *datapath_map_memory(int fd, size_t size, const char *what)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const int err = errno;

	if (memory != MAP_FAILED)
		return memory;
	log_error("cannot map the %s: %s", what, strerror(err));
	errno = err;
	return NULL;
}

static int map_all(struct datapath *dp, const struct uplink_bpf *first)
{
	dp->verify = datapath_map_memory(bpf_map__fd(first->maps.verify), VERIFY_SIZE,
					 "table of verified addresses");
	if (!dp->verify)
		return -errno;
	dp->settings = datapath_map_memory(bpf_map__fd(first->maps.settings), sizeof(*dp->settings),
					   "settings");
	if (!dp->settings)
		return -errno;
	return datapath_map_idle(dp, bpf_map__fd(first->maps.offers),
				 bpf_map__fd(first->maps.last_lease));
}

static int load_all(struct datapath *dp)
{
	const struct uplink_bpf *first;
	int err = 0;

	for (size_t i = 0; !err && i < dp->config->n_uplinks; i++)
		if (dp->config->uplinks[i].name[0])
			err = load_uplink(dp, (__u16)i);
	if (!err)
		err = load_port(dp);
	if (err)
		return err;
	first = first_uplink(dp);
	assert(first); /* a configuration has an uplink */
	dp->leases = bpf_map__fd(first->maps.leases);
	dp->ranges = bpf_map__fd(first->maps.ranges);
	dp->counters = bpf_map__fd(first->maps.counters);
	dp->containers = bpf_map__fd(first->maps.containers);
	dp->templates = bpf_map__fd(first->maps.templates);
	dp->latency_map = bpf_map__fd(first->maps.latency);
	dp->ports = bpf_map__fd(dp->port->maps.ports);
	dp->uplinks_map = bpf_map__fd(dp->port->maps.uplinks);
	dp->policies = bpf_map__fd(dp->port->maps.policies);
	dp->policy_hits = bpf_map__fd(dp->port->maps.policy_hits);
	dp->farm = bpf_map__fd(dp->port->maps.farm);
	dp->flows = bpf_map__fd(dp->port->maps.flows);
	dp->peers = bpf_map__fd(dp->port->maps.peers);
	dp->notices = bpf_map__fd(dp->port->maps.notices);
	dp->hosts = bpf_map__fd(first->maps.hosts);
	dp->would_claim = bpf_map__fd(first->maps.would_claim);
	dp->sweep = bpf_map__fd(first->maps.sweep);
	dp->idle = bpf_map__fd(first->maps.idle);
	return map_all(dp, first);
}

/* What an earlier skepd knew of its uplinks; those that are gone from the configuration are let go.
 */
static void take_over_uplinks(struct datapath *dp)
{
	for (__u32 i = 0; i < SKEP_UPLINKS_MAX; i++) {
		const char *name = i < dp->config->n_uplinks ? dp->config->uplinks[i].name : "";

		bpf_map_lookup_elem(dp->uplinks_map, &i, &dp->table[i]);
		if (!name[0] && dp->table[i].name[0])
			datapath_detach(dp, (__u16)i);
		memset(dp->table[i].name, 0, sizeof(dp->table[i].name));
		memcpy(dp->table[i].name, name, strlen(name));
		datapath_store_uplink(dp, (__u16)i);
	}
}

int datapath_open(const struct config *config, const __u8 *secret, struct datapath **ret)
{
	struct datapath *dp = calloc(1, sizeof(*dp));
	int err;

	if (!dp)
		return -ENOMEM;
	libbpf_set_print(print_libbpf);
	dp->config = config;
	dp->secret = secret;
	for (size_t i = 0; i < SKEP_TEMPLATES_MAX; i++)
		dp->queues[i].fd = -EBADF;
	dp->n_cpus = libbpf_num_possible_cpus();
	err = dp->n_cpus < 0 ? dp->n_cpus : 0;
	if (!err) {
		dp->per_cpu = calloc((size_t)dp->n_cpus, sizeof(*dp->per_cpu));
		err = dp->per_cpu ? load_all(dp) : -ENOMEM;
	}
	if (!err) {
		take_over_uplinks(dp);
		datapath_resume(dp);
		datapath_set_budgets(dp);
		err = datapath_set_policies(dp);
	}
	if (err) {
		datapath_close(dp);
		return err;
	}
	*ret = dp;
	return 0;
}

void datapath_reconfigure(struct datapath *dp, const struct config *config)
{
	dp->config = config;
}

struct datapath *datapath_close(struct datapath *dp)
{
	if (!dp)
		return NULL;
	ring_buffer__free(dp->ring);
	if (dp->verify)
		munmap(dp->verify, VERIFY_SIZE);
	if (dp->settings)
		munmap(dp->settings, sizeof(*dp->settings));
	datapath_unmap_idle(dp);
	for (size_t i = 0; i < SKEP_UPLINKS_MAX; i++)
		uplink_bpf__destroy(dp->uplinks[i]);
	port_bpf__destroy(dp->port);
	free(dp->per_cpu);
	free(dp->own);
	free(dp);
	return NULL;
}

static int open_pin(const char *bpf_dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", bpf_dir, name);
	return bpf_obj_get(path);
}

/* A map of another version may be laid out otherwise, and then is none that we can read. */
static int open_own_pin(const char *bpf_dir, const char *name, size_t key_size, size_t value_size)
{
	cleanup_close int fd = open_pin(bpf_dir, name);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.key_size != key_size ||
	    info.value_size != value_size)
		return -ENOENT;
	return move_fd(&fd);
}

/* What an earlier skepd did to its NICs, from its own table. */
static void undo_promisc(const char *bpf_dir)
{
	struct skep_uplink uplink;
	cleanup_close int map = open_own_pin(bpf_dir, "uplinks", sizeof(__u32), sizeof(uplink));

	for (__u32 i = 0; map >= 0 && i < SKEP_UPLINKS_MAX; i++)
		if (!bpf_map_lookup_elem(map, &i, &uplink) && uplink.flags & SKEP_UPLINK_PROMISC)
			link_set_promisc(uplink.ifindex, false);
}

static int count_pins(const char *bpf_dir, struct datapath_pinned *ret)
{
	cleanup_closedir DIR *dir = opendir(bpf_dir);
	const struct dirent *entry;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		ret->n += entry->d_name[0] != '.';
		ret->watching |= !strncmp(entry->d_name, "link_", strlen("link_"));
	}
	return 0;
}

static void read_names(const char *bpf_dir, struct datapath_pinned *ret)
{
	cleanup_close int uplinks = open_pin(bpf_dir, "uplinks");
	cleanup_close int templates = open_pin(bpf_dir, "templates");
	struct skep_template t;
	struct skep_uplink u;

	for (__u32 i = 0; uplinks >= 0 && i < SKEP_UPLINKS_MAX; i++)
		if (!bpf_map_lookup_elem(uplinks, &i, &u))
			memcpy(ret->uplinks[i], u.name, sizeof(u.name));
	for (__u32 i = 0; templates >= 0 && i < SKEP_TEMPLATES_MAX; i++)
		if (!bpf_map_lookup_elem(templates, &i, &t))
			memcpy(ret->templates[i], t.name, sizeof(t.name));
}

static unsigned int count_leases(const char *bpf_dir)
{
	struct skep_addr address, *prev = NULL;
	cleanup_close int map =
		open_own_pin(bpf_dir, "leases", sizeof(address), sizeof(struct skep_lease));
	unsigned int n = 0;

	for (; map >= 0 && !bpf_map_get_next_key(map, prev, &address); prev = &address)
		n++;
	return n;
}

/* Only the version is read before it is known to be ours: it stands first for ever. */
int datapath_look(const char *bpf_dir, struct datapath_pinned *ret)
{
	__u8 value[4096] = {}; /* larger than settings will ever be */
	struct skep_settings found;
	const __u32 only = 0;
	cleanup_close int settings = -EBADF;
	int err;

	memset(ret, 0, sizeof(*ret));
	err = count_pins(bpf_dir, ret);
	if (err || !ret->n)
		return err;
	settings = open_pin(bpf_dir, "settings");
	if (settings >= 0 && !bpf_map_lookup_elem(settings, &only, value))
		memcpy(&ret->version, value, sizeof(ret->version));
	if (ret->version != SKEP_MAPS_VERSION)
		return 0;
	memcpy(&found, value, sizeof(found));
	ret->dry_run = found.flags & SKEP_SETTING_DRY_RUN;
	ret->leases = count_leases(bpf_dir);
	read_names(bpf_dir, ret);
	return 0;
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

/*
 * The link of an earlier skepd on the same NIC in the same mode gets our program: not a frame
 * passes without one.
 */
static bool take_over_link(struct datapath *dp, __u16 uplink, unsigned int ifindex)
{
	const struct uplink_config *config = &dp->config->uplinks[uplink];
	const bool native = dp->table[uplink].flags & SKEP_UPLINK_NATIVE;
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char path[512];
	cleanup_close int fd = -EBADF;

	link_pin_path(dp, uplink, path, sizeof(path));
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) || info.xdp.ifindex != ifindex ||
	    (config->xdp == XDP_GENERIC && native) || (config->xdp == XDP_NATIVE && !native))
		return false;
	return !bpf_link_update(fd, bpf_program__fd(dp->uplinks[uplink]->progs.uplink), NULL);
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

static int attach_anew(struct datapath *dp, __u16 uplink, unsigned int ifindex)
{
	const struct uplink_config *config = &dp->config->uplinks[uplink];
	struct skep_uplink *entry = &dp->table[uplink];
	bool native = false;
	cleanup_close int fd = -EBADF;
	int err;

	datapath_detach(dp, uplink);
	fd = create_best_link(dp, uplink, ifindex, &native);
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
	return 0;
}

int datapath_attach(struct datapath *dp, __u16 uplink, unsigned int ifindex)
{
	const struct uplink_config *config = &dp->config->uplinks[uplink];
	struct skep_uplink *entry = &dp->table[uplink];
	const bool taken_over = take_over_link(dp, uplink, ifindex);
	int err = taken_over ? 0 : attach_anew(dp, uplink, ifindex);

	if (err)
		return err;
	err = link_set_promisc(ifindex, true);
	if (err < 0)
		log_warn("%s: cannot be made promiscuous (%s); frames to leased link addresses "
			 "may not arrive",
			 config->name, strerror(-err));
	else if (err > 0)
		entry->flags |= SKEP_UPLINK_PROMISC;
	warn_of_stripped_tags(config, ifindex);
	err = datapath_store_uplink(dp, uplink);
	log_info("%s: watching, %s XDP%s", config->name,
		 entry->flags & SKEP_UPLINK_NATIVE ? "native" : "generic",
		 taken_over ? " (taken over)" : "");
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
	datapath_store_uplink(dp, uplink);
}

int datapath_uplink(const struct datapath *dp, __u16 uplink, struct skep_uplink *ret)
{
	__u32 key = uplink;

	return bpf_map_lookup_elem(dp->uplinks_map, &key, ret);
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
	dp->ring = ring_buffer__new(bpf_map__fd(first_uplink(dp)->maps.asks), on_record, dp, NULL);
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
