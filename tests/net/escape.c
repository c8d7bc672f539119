// SPDX-License-Identifier: GPL-2.0
/*
 * escape: what an intruder who is root tries in order to get out of a container, each in a process
 *of its own. None does any harm where it is allowed: what would, is asked for with arguments that
 *the kernel looks at after the privilege. So the same program, run by the box's root, shows what
 *would be seen if a try were not refused.
 *
 *	escape HOST_PID NAME          every try, a line "TRY OUTCOME": "open", or the error's name;
 *	                              a process of the box, and an abstract socket it listens at
 *	escape whoami                 the id that counts
 *	escape writable DIRECTORY     its files that can be opened for writing, one a line
 *	escape listen NAME            listens at an abstract socket until it is killed
 *	escape confined COMMAND...    runs it under a filter of system calls that allows all
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PLACE "/tmp/escape.d"
#define FOREIGN_ID 70000 /* no container has it */
#define SHM_KEY 0x736b6570
#define X32 0x40000000
#define NETFILTER 12
#define XFRM 6
#define GENERIC 16
#define UEVENT 15
#define MPTCP 262

static pid_t host_pid;
static const char *host_name;

/* --- files and devices --- */

static int mknod_disk(void)
{
	return mknod(PLACE "/disk", S_IFBLK | 0600, makedev(8, 0));
}

static int mknod_mem(void)
{
	return mknod(PLACE "/mem", S_IFCHR | 0600, makedev(1, 1));
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? -1 : close(fd);
}

static int open_dev_mem(void)
{
	return open_file("/dev/mem", O_RDONLY);
}

static int open_dev_kmsg(void)
{
	return open_file("/dev/kmsg", O_RDONLY);
}

static int open_kcore(void)
{
	return open_file("/proc/kcore", O_RDONLY);
}

static int open_sysrq(void)
{
	return open_file("/proc/sysrq-trigger", O_WRONLY);
}

static int open_core_pattern(void)
{
	return open_file("/proc/sys/kernel/core_pattern", O_WRONLY);
}

static int open_modprobe_path(void)
{
	return open_file("/proc/sys/kernel/modprobe", O_WRONLY);
}

static int open_uevent_helper(void)
{
	return open_file("/sys/kernel/uevent_helper", O_WRONLY);
}

static int open_oom_score(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, "-900", 4) != 4 ? -1 : close(fd);
}

/* The kernel shows addresses to those who may see its log. */
static int read_kernel_addresses(void)
{
	unsigned long long address = 0;
	FILE *file = fopen("/proc/kallsyms", "re");

	if (!file)
		return -1;
	while (!address && fscanf(file, "%llx %*[^\n]", &address) == 1)
		;
	fclose(file);
	errno = EACCES;
	return address ? 0 : -1;
}

/* A file of the box that one has a handle of is there whatever is mounted. */
static int open_by_handle(void)
{
	struct {
		struct file_handle handle;
		unsigned char bytes[8];
	} root = {.handle = {.handle_bytes = 8, .handle_type = 1}, .bytes = {2}};
	int fd = (int)syscall(SYS_open_by_handle_at, AT_FDCWD, &root, O_RDONLY);

	return fd < 0 && (errno == ESTALE || errno == EINVAL || errno == EOPNOTSUPP) ? 0 : fd;
}

static int name_to_handle(void)
{
	struct file_handle handle = {};
	int id;
	int err = name_to_handle_at(AT_FDCWD, "/etc", &handle, &id, 0);

	return err && errno == EOVERFLOW ? 0 : err;
}

/* The well-known way: a directory that stays open outside of the new root. */
static int leave_chroot(void)
{
	struct stat before, after;

	if (stat("/", &before) || chdir("/") || chroot(PLACE))
		return -1;
	for (int i = 0; i < 64; i++)
		if (chdir(".."))
			return -1;
	if (chroot(".") || stat("/", &after))
		return -1;
	errno = EXDEV;
	return before.st_dev == after.st_dev && before.st_ino == after.st_ino ? -1 : 0;
}

static int chown_foreign(void)
{
	return chown(PLACE, FOREIGN_ID, FOREIGN_ID);
}

/* --- mounts --- */

static int mount_tmpfs(void)
{
	return mount("none", PLACE, "tmpfs", 0, NULL);
}

static int mount_proc(void)
{
	return mount("none", PLACE, "proc", 0, NULL);
}

/* With release_agent the box's root would start what we name. */
static int mount_cgroup(void)
{
	return mount("none", PLACE, "cgroup2", 0, NULL);
}

static int mount_overlay(void)
{
	return mount("none", PLACE, "overlay", 0, "lowerdir=/etc:/tmp");
}

static int mount_bind(void)
{
	return mount("/etc", PLACE, NULL, MS_BIND, NULL);
}

static int remount_root(void)
{
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
}

static int unmount_proc(void)
{
	return umount2("/proc", MNT_DETACH);
}

static int call_fsopen(void)
{
	return (int)syscall(SYS_fsopen, "tmpfs", 0);
}

static int call_open_tree(void)
{
	return (int)syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */);
}

/* There is no such directory: what is allowed gets as far as to see that. */
static int call_pivot_root(void)
{
	int err = (int)syscall(SYS_pivot_root, PLACE "/none", PLACE "/none");

	return err && errno == ENOENT ? 0 : err;
}

/* --- namespaces --- */

static int enter_namespace(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -1 : setns(fd, 0);
}

static int unshare_user(void)
{
	return unshare(CLONE_NEWUSER);
}

static int unshare_mounts(void)
{
	return unshare(CLONE_NEWNS);
}

static int unshare_net(void)
{
	return unshare(CLONE_NEWNET);
}

static int clone_with(unsigned long flags)
{
	int pid = (int)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int clone_user(void)
{
	return clone_with(CLONE_NEWUSER);
}

static int clone_pid(void)
{
	return clone_with(CLONE_NEWPID);
}

static int clone3_user(void)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
	int pid = (int)syscall(SYS_clone3, &args, sizeof(args));

	if (!pid)
		_exit(0);
	return pid < 0 ? -1 : 0;
}

static int set_host_name(void)
{
	char name[65];

	return gethostname(name, sizeof(name)) ? -1 : sethostname(name, strlen(name));
}

/* --- processes and other objects of the box --- */

static int kill_outside(void)
{
	return kill(host_pid, 0);
}

static int trace_outside(void)
{
	return (int)ptrace(PTRACE_SEIZE, host_pid, NULL, NULL);
}

static int hold_outside(void)
{
	return (int)syscall(SYS_pidfd_open, host_pid, 0);
}

static int read_outside(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/environ", host_pid);
	return open_file(path, O_RDONLY);
}

static int shared_memory(void)
{
	return shmget(SHM_KEY, 0, 0);
}

static int abstract_address(const char *name, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(ret->sun_path + 1, sizeof(ret->sun_path) - 1, "%s", name);
	return (int)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int abstract_socket(void)
{
	struct sockaddr_un address;
	int len = abstract_address(host_name, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&address, (socklen_t)len);
}

static int take_foreign_id(void)
{
	return setresuid(FOREIGN_ID, FOREIGN_ID, FOREIGN_ID);
}

static int real_time(void)
{
	return sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){1});
}

/* What starts a handler of the box where a pipe is its core_pattern, see core(5). */
static int lower_core_limit(void)
{
	struct rlimit limit = {};

	if (setrlimit(RLIMIT_CORE, &limit) || getrlimit(RLIMIT_CORE, &limit))
		return -1;
	errno = EPERM;
	return limit.rlim_cur == 1 ? -1 : 0;
}

static int raise_core_limit(void)
{
	return prlimit(0, RLIMIT_CORE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}, NULL)
		       ? -1
		       : lower_core_limit();
}

/* --- the kernel's surface --- */

static int bpf_map(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};

	return (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));
}

static int perf_event(void)
{
	struct perf_event_attr attr = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(attr)};

	return (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static int keyrings(void)
{
	return (int)syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

static int add_key(void)
{
	return (int)syscall(SYS_add_key, "user", "skep", "x", 1, KEY_SPEC_PROCESS_KEYRING);
}

static int io_uring(void)
{
	unsigned char params[128] = {};

	return (int)syscall(SYS_io_uring_setup, 1, params);
}

static int fault_handler(void)
{
	return (int)syscall(SYS_userfaultfd, O_CLOEXEC);
}

/* From here on what is allowed fails for its arguments. */
static int gets_to(long result, int err)
{
	return result < 0 && errno == err ? 0 : (int)result;
}

static int load_module(void)
{
	return gets_to(syscall(SYS_init_module, "", 0, ""), ENOEXEC);
}

static int load_module_file(void)
{
	return gets_to(syscall(SYS_finit_module, -1, "", 0), EBADF);
}

static int unload_module(void)
{
	return gets_to(syscall(SYS_delete_module, "no_such_module", O_NONBLOCK), ENOENT);
}

static int load_kernel(void)
{
	return gets_to(syscall(SYS_kexec_load, 0, 1000, NULL, 0), EINVAL);
}

static int restart(void)
{
	return gets_to(syscall(SYS_reboot, 0, 0, 0, NULL), EINVAL);
}

static int set_clock(void)
{
	return gets_to(syscall(SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){0, -1}),
		       EINVAL);
}

static int adjust_clock(void)
{
	return gets_to(adjtimex(&(struct timex){.modes = ADJ_TICK, .tick = 1}), EINVAL);
}

static int swap(void)
{
	return gets_to(syscall(SYS_swapon, PLACE, 0), EISDIR);
}

static int accounting(void)
{
	return gets_to(acct(PLACE), EISDIR);
}

static int port_access(void)
{
	return (int)syscall(SYS_ioperm, 0x80UL, 1UL, 1);
}

static int kernel_log(void)
{
	return (int)syscall(SYS_syslog, 10 /* size of the buffer */, NULL, 0);
}

static int hang_up(void)
{
	return setsid() < 0 ? -1 : (int)syscall(SYS_vhangup);
}

static int fixed_addresses(void)
{
	return personality(ADDR_NO_RANDOMIZE);
}

static int ask_audit(void)
{
	struct nlmsghdr request = {
		.nlmsg_len = sizeof(request), .nlmsg_type = 1000, .nlmsg_flags = 5};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
	} answer = {};
	int fd = socket(AF_NETLINK, SOCK_RAW, 9);

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) < 0)
		return -1;
	errno = -answer.body.error;
	return answer.head.nlmsg_type == NLMSG_ERROR && answer.body.error ? -1 : 0;
}

#ifdef __x86_64__
static int abi_32(void)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(20) /* getpid */
			 : "memory", "r8", "r9", "r10", "r11");
	errno = (int)-result;
	return result > 0 ? 0 : -1;
}

static int abi_x32(void)
{
	return (int)syscall(X32 + SYS_getpid);
}
#endif

/* --- sockets --- */

static int make_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	return fd < 0 ? -1 : close(fd);
}

static int socket_vsock(void)
{
	return make_socket(AF_VSOCK, SOCK_STREAM, 0);
}

static int socket_alg(void)
{
	return make_socket(AF_ALG, SOCK_SEQPACKET, 0);
}

static int socket_key(void)
{
	return make_socket(AF_KEY, SOCK_RAW, 2);
}

static int socket_high_bits(void)
{
	return (int)syscall(SYS_socket, (1UL << 32) | AF_ALG, SOCK_SEQPACKET, 0);
}

static int netlink_netfilter(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, NETFILTER);
}

static int netlink_xfrm(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, XFRM);
}

static int netlink_generic(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, GENERIC);
}

static int netlink_uevent(void)
{
	return make_socket(AF_NETLINK, SOCK_RAW, UEVENT);
}

static int socket_sctp(void)
{
	return make_socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP);
}

static int socket_mptcp(void)
{
	return make_socket(AF_INET, SOCK_STREAM, MPTCP);
}

/* Its memory would be nobody's. */
static int packet_ring(void)
{
	struct tpacket_req request = {.tp_block_size = 1 << 16,
				      .tp_block_nr = 4,
				      .tp_frame_size = 2048,
				      .tp_frame_nr = 128};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request));
}

static int socket_filter(void)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, ~0U);
	struct sock_fprog filter = {1, &all};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

/* eth0 into the network of a process of the box, which would be outside; down, and back, otherwise.
 */
static int netlink_move_link(void)
{
	struct {
		struct nlmsghdr head;
		struct ifinfomsg link;
		struct rtattr attr;
		__u32 pid;
	} request = {
		.head = {.nlmsg_len = sizeof(request),
			 .nlmsg_type = RTM_NEWLINK,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)if_nametoindex("lo")},
		.attr = {.rta_len = sizeof(struct rtattr) + sizeof(__u32),
			 .rta_type = IFLA_NET_NS_PID},
		.pid = (__u32)getpid(),
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
	} answer = {};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < 0)
		return -1;
	errno = -answer.body.error;
	return errno == EPERM ? -1 : 0;
}

static int set_link_flags(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request))
		return -1;
	return ioctl(fd, SIOCSIFFLAGS, &request);
}

/* --- all of them --- */

#define TRY(name)           \
	{                   \
#name, name \
	}

static const struct {
	const char *name;
	int (*function)(void);
} tries[] = {
	TRY(mknod_disk),
	TRY(mknod_mem),
	TRY(open_dev_mem),
	TRY(open_dev_kmsg),
	TRY(open_kcore),
	TRY(open_sysrq),
	TRY(open_core_pattern),
	TRY(open_modprobe_path),
	TRY(open_uevent_helper),
	TRY(open_oom_score),
	TRY(read_kernel_addresses),
	TRY(open_by_handle),
	TRY(name_to_handle),
	TRY(leave_chroot),
	TRY(chown_foreign),
	TRY(enter_namespace),
	TRY(unshare_user),
	TRY(unshare_mounts),
	TRY(unshare_net),
	TRY(clone_user),
	TRY(clone_pid),
	TRY(clone3_user),
	TRY(set_host_name),
	TRY(kill_outside),
	TRY(trace_outside),
	TRY(hold_outside),
	TRY(read_outside),
	TRY(shared_memory),
	TRY(abstract_socket),
	TRY(take_foreign_id),
	TRY(real_time),
	TRY(lower_core_limit),
	TRY(raise_core_limit),
	TRY(bpf_map),
	TRY(perf_event),
	TRY(keyrings),
	TRY(add_key),
	TRY(io_uring),
	TRY(fault_handler),
	TRY(load_module),
	TRY(load_module_file),
	TRY(unload_module),
	TRY(load_kernel),
	TRY(restart),
	TRY(set_clock),
	TRY(adjust_clock),
	TRY(swap),
	TRY(accounting),
	TRY(port_access),
	TRY(kernel_log),
	TRY(hang_up),
	TRY(fixed_addresses),
	TRY(ask_audit),
#ifdef __x86_64__
	TRY(abi_32),
	TRY(abi_x32),
#endif
	TRY(socket_vsock),
	TRY(socket_alg),
	TRY(socket_key),
	TRY(socket_high_bits),
	TRY(netlink_netfilter),
	TRY(netlink_xfrm),
	TRY(netlink_generic),
	TRY(netlink_uevent),
	TRY(socket_sctp),
	TRY(socket_mptcp),
	TRY(packet_ring),
	TRY(socket_filter),
	TRY(netlink_move_link),
	TRY(set_link_flags),
	TRY(mount_tmpfs),
	TRY(mount_proc),
	TRY(mount_cgroup),
	TRY(mount_overlay),
	TRY(mount_bind),
	TRY(remount_root),
	TRY(call_fsopen),
	TRY(call_open_tree),
	TRY(call_pivot_root),
	TRY(unmount_proc), /* the last: the others want it */
};

static void try(size_t i)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(tries[i].function() < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		printf("%s fork\n", tries[i].name);
	else if (WIFSIGNALED(status))
		printf("%s signal %d\n", tries[i].name, WTERMSIG(status));
	else
		printf("%s %s\n", tries[i].name,
		       WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "open");
	fflush(stdout);
}

static int try_all(void)
{
	if (mkdir(PLACE, 0755) && errno != EEXIST)
		return 1;
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++)
		try(i);
	puts("all tried");
	return 0;
}

static int tell_writable(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type == FTW_F && !open_file(path, O_WRONLY | O_NONBLOCK))
		puts(path);
	return 0;
}

static int listen_at(const char *name)
{
	struct sockaddr_un address;
	int len = abstract_address(name, &address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, (socklen_t)len) || listen(fd, 8) ||
	    shmget(SHM_KEY, 4096, IPC_CREAT | 0666) < 0)
		return 1;
	puts("listening");
	fflush(stdout);
	for (;;)
		pause();
}

static int run_confined(char **command)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog filter = {1, &all};

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter))
		return 1;
	execv(command[0], command);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "listen"))
		return listen_at(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "whoami"))
		return printf("%u\n", (unsigned int)geteuid()) < 0;
	if (argc == 3 && !strcmp(argv[1], "writable"))
		return nftw(argv[2], tell_writable, 16, FTW_PHYS) || puts("all seen") < 0;
	if (argc > 2 && !strcmp(argv[1], "confined"))
		return run_confined(argv + 2);
	if (argc != 3) {
		fputs("usage: escape HOST_PID NAME | whoami | writable DIRECTORY | listen NAME | "
		      "confined "
		      "COMMAND...\n",
		      stderr);
		return 2;
	}
	host_pid = (pid_t)strtol(argv[1], NULL, 10);
	host_name = argv[2];
	return try_all();
}
