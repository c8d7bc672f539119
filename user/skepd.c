// SPDX-License-Identifier: GPL-2.0
/*
 * skepd: command line, and the order in which things are set up and taken down. Each step has its
 * undoing, and a start that fails half-way undoes exactly what it did.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "allocator.h"
#include "check.h"
#include "cleanup.h"
#include "config.h"
#include "container.h"
#include "control.h"
#include "datapath.h"
#include "files.h"
#include "keeper.h"
#include "log.h"
#include "mac.h"
#include "panic.h"
#include "privileges.h"
#include "sweeper.h"
#include "version.h"
#include "would.h"

#define PATH_LEN 512
#define CONTROL_WAIT_MS 2000
#define LOCK_WAIT_MS 10000
#define LOCK_POLL_MS 50

enum exit_code { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG };

struct options {
	const char *config;
	bool test;
	bool clear;
	bool dry_run;
	bool verbose;
};

/**
 * struct daemon - what is set up, in this order
 * @config: the allocator may put a newer one in its place
 * @files:  limit of open files before it was raised
 * @found:  an earlier skepd's farm is there; a start that fails leaves it as it is
 * @fresh:  nothing was pinned
 * @answers, @n_leases: that farm's leases, and whether it answers for addresses, or may
 */
struct daemon {
	struct config *config;
	struct rlimit files;
	bool found;
	bool fresh;
	bool answers;
	unsigned int n_leases;
	bool dry_run;
	struct datapath *dp;
	struct keepers *keepers;
	struct sweeper *sweeper;
	int locks[KEEPER_LOCKS];
	int control;
	pid_t control_pid;
	__u8 secret[MAC_KEY_LEN];
	__u32 *leftovers;
	int n_leftovers;
};

static const char usage[] =
	"Usage: skepd [-c FILE] [-v]\n"
	"       skepd --dry-run [-c FILE] [-v]\n"
	"       skepd -t [-c FILE]\n"
	"       skepd --clear [-c FILE]\n"
	"Answers for the unused addresses of its ranges with containers; see skepd(8).\n"
	"\n"
	"  -c, --config FILE  configuration (default " CONFIG_DEFAULT_PATH ")\n"
	"  -n, --dry-run      watch, learn and probe, but answer nothing; 'skepctl would'\n"
	"                     shows what would have been answered, and for whom\n"
	"  -t, --test         check the configuration and this machine, and exit\n"
	"  -x, --clear        remove containers and leases that a skepd left, and exit\n"
	"  -v, --verbose      log debugging lines too\n"
	"  -V, --version      print the version and exit\n"
	"  -h, --help         print this and exit\n"
	"\n"
	"Exit status: 0 stopped by a signal, test passed or cleared, 1 failed, 2 wrong usage,\n"
	"3 wrong configuration.\n";

/* Returns an exit code, or -1 to go on. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'}, {"test", no_argument, NULL, 't'},
		{"clear", no_argument, NULL, 'x'},	  {"dry-run", no_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'v'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:txnvVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 't':
			ret->test = true;
			break;
		case 'x':
			ret->clear = true;
			break;
		case 'n':
			ret->dry_run = true;
			break;
		case 'v':
			ret->verbose = true;
			break;
		case 'V':
			puts("skepd " SKEP_VERSION);
			return EXIT_OK;
		case 'h':
			fputs(usage, stdout);
			return EXIT_OK;
		default:
			fputs("Try 'skepd --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "skepd: unexpected argument '%s'. Try 'skepd --help'.\n", argv[optind]);
	return EXIT_USAGE;
}

static int make_dir(const char *path, mode_t mode)
{
	int err = files_make_dirs(path, mode);

	if (err)
		log_error("cannot make %s: %s", path, strerror(-err));
	return err;
}

static int make_directories(const struct config *c)
{
	int err = make_dir(c->state_dir, 0711);

	if (!err)
		err = make_dir(c->run_dir, 0711);
	return err ? err : datapath_make_dir(c->bpf_dir);
}

static int lock_failed(const char *dir, int err)
{
	if (err == -EWOULDBLOCK)
		log_error("another skepd uses %s; stop it, or give this one directories of its own",
			  dir);
	else
		log_error("cannot lock %s: %s", dir, strerror(-err));
	return err;
}

/*
 * All or none. Whoever has them may be on the way out: keepers of a skepd that was killed hold them
 * until they have finished what they were doing, and one that stops removes what it made.
 */
static int lock_directories(struct daemon *d, const char **ret_busy)
{
	const char *dirs[KEEPER_LOCKS] = {d->config->state_dir, d->config->run_dir,
					  d->config->bpf_dir};
	int err = make_directories(d->config);

	for (size_t i = 0; !err && i < KEEPER_LOCKS; i++) {
		d->locks[i] = files_lock(dirs[i]);
		err = d->locks[i] < 0 ? d->locks[i] : 0;
		*ret_busy = dirs[i];
	}
	for (size_t i = 0; err && i < KEEPER_LOCKS; i++)
		d->locks[i] = close_fd(d->locks[i]);
	return err;
}

static int take_directories(struct daemon *d)
{
	const struct timespec pause = {0, LOCK_POLL_MS * 1000000L};
	const char *busy = "";
	int err = lock_directories(d, &busy);

	for (int ms = 0; (err == -EWOULDBLOCK || err == -ENOENT) && ms < LOCK_WAIT_MS;
	     ms += LOCK_POLL_MS) {
		if (!ms)
			log_info("%s is in use; waiting up to %d s for the other skepd to go", busy,
				 LOCK_WAIT_MS / 1000);
		nanosleep(&pause, NULL);
		err = lock_directories(d, &busy);
	}
	return err ? lock_failed(busy, err) : 0;
}

/* Nothing that an earlier skepd left goes on. */
static int clear_leftovers(struct daemon *d)
{
	const struct config *config = d->config;
	cleanup_free __u32 *slots = NULL;
	unsigned int leases = 0, failed = 0;
	int pins = datapath_unpin(config->bpf_dir, &leases);
	char reason[CONTAINER_REASON_LEN];
	int n;

	if (pins < 0) {
		log_error("cannot remove what is pinned under %s: %s", config->bpf_dir,
			  strerror(-pins));
		return pins;
	}
	n = container_leftovers(config, &slots);
	for (int i = 0; i < n; i++)
		if (container_destroy(config, slots[i], reason)) {
			log_error("container c%u cannot be removed: %s", slots[i], reason);
			failed++;
		}
	container_unprepare(config);
	log_info("removed: %u leases, %d containers", leases, n < 0 ? 0 : n - (int)failed);
	return n < 0 ? n : failed ? -EBUSY : 0;
}

/*
 * Maps of our own version are taken over. Those of another are left as they are, and their
 * addresses go on answering; unless nothing was ever attached to them, so that nobody can miss
 * them.
 */
static int look_at_pins(struct daemon *d)
{
	struct datapath_pinned pinned;
	int err = datapath_look(d->config->bpf_dir, &pinned);

	d->found = err || pinned.watching;
	d->fresh = !pinned.n;
	d->n_leases = pinned.leases;
	d->answers = pinned.leases || (pinned.watching && !pinned.dry_run);
	if (err) {
		log_error("cannot look into %s: %s", d->config->bpf_dir, strerror(-err));
		return err;
	}
	if (pinned.n && pinned.version != SKEP_MAPS_VERSION && !pinned.watching) {
		d->fresh = true;
		err = datapath_unpin(d->config->bpf_dir, NULL);
		return err < 0 ? err : 0;
	}
	if (pinned.n && pinned.version != SKEP_MAPS_VERSION) {
		log_error(
			"the maps in %s are of another skepd's version (%u, this one has %d) and "
			"go on working; run that skepd, or end the farm with 'skepd --clear -c %s' "
			"and start again",
			d->config->bpf_dir, pinned.version, SKEP_MAPS_VERSION, d->config->file);
		return -EPROTO;
	}
	err = config_align(d->config, (const char(*)[IFNAMSIZ])pinned.uplinks, SKEP_UPLINKS_MAX,
			   (const char(*)[64])pinned.templates, SKEP_TEMPLATES_MAX);
	if (err)
		log_error("%s: templates or uplinks are more than there is room for beside those "
			  "of the farm that is there; end that with 'skepd --clear -c %s'",
			  d->config->file, d->config->file);
	return err;
}

static int find_leftovers(struct daemon *d)
{
	d->n_leftovers = container_leftovers(d->config, &d->leftovers);
	if (d->n_leftovers >= 0)
		return 0;
	log_error("cannot look for containers of an earlier skepd: %s", strerror(-d->n_leftovers));
	return d->n_leftovers;
}

/*
 * What runs already would be answered no more. To be asked before anything of it is touched: its
 * maps are pinned.
 */
static int check_dry_run(struct daemon *d)
{
	if (!d->answers && !d->n_leftovers)
		return 0;
	log_error("a farm is there already (%u leases, %d containers): end it with 'skepd --clear "
		  "-c %s', or give the dry run directories of its own",
		  d->n_leases, d->n_leftovers, d->config->file);
	d->found = true;
	return -EBUSY;
}

/* The farm's secret makes link addresses stay the same over restarts. */
static int read_secret(struct daemon *d)
{
	char path[PATH_LEN];
	ssize_t n;
	int err = 0;

	snprintf(path, sizeof(path), "%s/secret", d->config->state_dir);
	n = files_read(path, d->secret, sizeof(d->secret));
	if (n == sizeof(d->secret))
		return 0;
	if (n >= 0 || n == -ENOENT) {
		if (getrandom(d->secret, sizeof(d->secret), 0) != sizeof(d->secret))
			return -EIO;
		err = files_write(path, d->secret, sizeof(d->secret), 0600);
	} else {
		err = (int)n;
	}
	if (err)
		log_error("cannot read or make the secret %s: %s", path, strerror(-err));
	return err;
}

/*
 * Two descriptors a container in the allocator, and some for everything else. The pool may be
 * resized later, so as many as can be had; what this configuration needs must be among them.
 */
static void raise_limits(const struct config *config)
{
	const rlim_t want = 2 * (rlim_t)SKEP_CONTAINERS_MAX + 256;
	const rlim_t need = 2 * (rlim_t)config->max + 256;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= want)
		return;
	if (limit.rlim_max >= want || setrlimit(RLIMIT_NOFILE, &(struct rlimit){want, want})) {
		limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < need)
		log_warn("open files are limited to %llu, and pool.max = %u needs %llu: run skepd "
			 "with a higher limit (LimitNOFILE= in the unit, or ulimit -n)",
			 (unsigned long long)limit.rlim_cur, config->max, (unsigned long long)need);
}

static int open_datapath(struct daemon *d)
{
	cleanup_free __be32 *own = NULL;
	size_t n_own = 0;
	int err = check_own_addresses(&own, &n_own);

	if (!err)
		err = datapath_open(d->config, d->secret, &d->dp);
	if (!err)
		err = datapath_exclude(d->dp, own, n_own);
	return err ? err : datapath_set_ranges(d->dp);
}

/* Before anything is attached. */
static void throw_switches(const struct daemon *d)
{
	datapath_set_dry_run(d->dp, d->dry_run);
	if (panic_is_marked(d->config->state_dir))
		datapath_set_panic(d->dp, true);
}

static int start_sweeper(struct daemon *d)
{
	struct sweeper_context context = {.dp = d->dp, .fresh = d->fresh};
	int err;

	memcpy(context.locks, d->locks, sizeof(context.locks));
	err = sweeper_new(&context, d->config, &d->sweeper);
	if (err)
		log_error("cannot fork the sweeper: %s", strerror(-err));
	return err;
}

static int start_helpers(struct daemon *d)
{
	struct keeper_context context = {
		.config = d->config,
		.port_program = datapath_port_program(d->dp),
		.secret = d->secret,
	};
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int pid = control_start(d->config, d->dp, &d->control);
	int err;

	if (pid < 0)
		return pid;
	d->control_pid = pid;
	err = start_sweeper(d);
	if (err)
		return err;
	context.files = d->files;
	memcpy(context.locks, d->locks, sizeof(context.locks));
	err = keepers_new(&context, KEEPERS_PER_CORE * (cores > 0 ? (unsigned int)cores : 1),
			  &d->keepers);
	if (err)
		log_error("cannot fork keepers: %s", strerror(-err));
	return err;
}

static int run(struct daemon *d)
{
	struct allocator_context context;
	int err = take_directories(d);

	if (!err)
		err = look_at_pins(d);
	if (!err)
		err = find_leftovers(d);
	if (!err && d->dry_run)
		err = check_dry_run(d);
	if (!err)
		err = read_secret(d);
	if (!err)
		err = container_prepare(d->config);
	if (!err)
		err = open_datapath(d);
	if (err)
		return err;
	throw_switches(d);
	err = start_helpers(d);
	if (err)
		return err;
	raise_limits(d->config);
	context = (struct allocator_context){
		.config = &d->config,
		.dp = d->dp,
		.keepers = d->keepers,
		.sweeper = d->sweeper,
		.secret = d->secret,
		.control = d->control,
		.leftovers = d->leftovers,
		.n_leftovers = (size_t)d->n_leftovers,
	};
	return allocator_run(&context);
}

static void remove_run_files(const struct config *config)
{
	char path[PATH_LEN];
	cleanup_closedir DIR *dir = opendir(config->run_dir);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", config->run_dir, entry->d_name);
		if (!strcmp(entry->d_name, CONTROL_SOCKET_NAME) ||
		    !strncmp(entry->d_name, "keeper", strlen("keeper")))
			unlink(path);
	}
	rmdir(config->run_dir); /* stays when something else is in it */
}

/* It writes what is left to write, unless stderr is stalled. */
static void await_control(pid_t pid)
{
	const struct timespec pause = {0, LOCK_POLL_MS * 1000000L};

	for (int ms = 0; pid > 0 && ms < CONTROL_WAIT_MS; ms += LOCK_POLL_MS) {
		if (waitpid(pid, NULL, WNOHANG))
			return;
		nanosleep(&pause, NULL);
	}
	if (pid > 0 && !kill(pid, SIGKILL))
		waitpid(pid, NULL, 0);
}

/*
 * In reverse order; what was never set up is skipped. For a handover, and when what an earlier
 * skepd left could not be taken over, everything that others depend on stays.
 */
static void take_down(struct daemon *d, bool keep)
{
	bool ours = d->locks[KEEPER_LOCKS - 1] >= 0 && !keep;

	keepers_free(d->keepers);
	sweeper_free(d->sweeper, ours);
	if (ours) {
		datapath_unpin(d->config->bpf_dir, NULL);
		rmdir(d->config->bpf_dir);
	}
	datapath_close(d->dp);
	close_fd(d->control);
	await_control(d->control_pid);
	if (ours) {
		container_unprepare(d->config);
		remove_run_files(d->config);
	}
	for (size_t i = 0; i < KEEPER_LOCKS; i++)
		close_fd(d->locks[i]);
	free(d->leftovers);
}

static int test_only(const struct config *config)
{
	char error[CONFIG_ERROR_MAX];

	if (check_machine(config, error)) {
		fprintf(stderr, "%s\n", error);
		return EXIT_CONFIG;
	}
	printf("%s: correct, and this machine has what it needs\n", config->file);
	return EXIT_OK;
}

/* A signal that comes while things are being set up is served when the allocator runs. */
static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static struct daemon new_daemon(struct config *config)
{
	struct daemon d = {
		.config = config,
		.locks = {-EBADF, -EBADF, -EBADF},
		.control = -EBADF,
	};

	getrlimit(RLIMIT_NOFILE, &d.files);
	return d;
}

static bool is_root(void)
{
	if (geteuid())
		log_error("skepd must be started as root");
	return !geteuid();
}

static int run_clear(struct config **config)
{
	struct daemon d = new_daemon(*config);
	int err = is_root() ? take_directories(&d) : -EPERM;

	if (!err)
		err = clear_leftovers(&d);
	take_down(&d, err != 0);
	return err ? EXIT_FAILED : EXIT_OK;
}

/*
 * The binary that is installed by now goes on as the same process: /proc/self/exe would name the
 * old one. Limits and priority become again what they were.
 */
static int go_on_as(const char *program, char **argv, const struct rlimit *files)
{
	const struct sched_param ordinary = {};

	sched_setscheduler(0, SCHED_OTHER, &ordinary);
	setrlimit(RLIMIT_NOFILE, files);
	execv(program, argv);
	log_error("cannot run %s: %m; the farm goes on by itself, start skepd again", program);
	return EXIT_FAILED;
}

/* One that was replaced on disk is shown with this behind its name. */
static const char *own_path(char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	ssize_t n = readlink("/proc/self/exe", buf, size - 1);

	if (n < 0)
		return NULL;
	buf[n] = '\0';
	if ((size_t)n >= sizeof(deleted) && !strcmp(buf + n - (sizeof(deleted) - 1), deleted))
		buf[(size_t)n - (sizeof(deleted) - 1)] = '\0';
	return buf;
}

static int run_daemon(struct config **config, bool dry_run, char **argv)
{
	struct daemon d = new_daemon(*config);
	char error[CONFIG_ERROR_MAX], self[PATH_MAX];
	bool keep;
	const char *program = own_path(self, sizeof(self));
	int result;

	if (!is_root())
		return EXIT_FAILED;
	if (check_machine(*config, error)) {
		log_error("%s", error);
		return EXIT_FAILED; /* unlike a wrong file, this may be right the next time */
	}
	if (privileges_drop(PRIVILEGES_SKEPD)) {
		log_error("cannot give up what privileges are not needed: %m; CAP_SETPCAP is");
		return EXIT_FAILED;
	}
	block_signals();
	d.dry_run = dry_run;
	result = run(&d);
	*config = d.config;
	keep = result == ALLOCATOR_HANDOVER || result == ALLOCATOR_LEFT || (result < 0 && d.found);
	if (result == ALLOCATOR_STOPPED && dry_run)
		would_log(d.config, d.dp);
	take_down(&d, keep);
	if (result == ALLOCATOR_HANDOVER && program)
		return go_on_as(program, argv, &d.files);
	if (result == ALLOCATOR_STOPPED)
		log_info("stopped");
	return result == ALLOCATOR_STOPPED || result == ALLOCATOR_LEFT ? EXIT_OK : EXIT_FAILED;
}

/* skepd may be asked to read it again from anywhere. */
static char *absolute(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path); /* then reading it says what is wrong */
}

int main(int argc, char **argv)
{
	struct options options = {.config = CONFIG_DEFAULT_PATH};
	int code = parse_options(argc, argv, &options);
	char error[CONFIG_ERROR_MAX];
	cleanup_free char *path = NULL;
	struct config *config;

	if (code >= 0)
		return code;
	log_init(options.verbose);
	signal(SIGPIPE, SIG_IGN); /* whoever reads the log may go away */
	umask(0022);		  /* containers' directories must be open to their mapped root */
	path = absolute(options.config);
	if (config_load(path, &config, error)) {
		fprintf(stderr, "%s\n", error);
		return EXIT_CONFIG;
	}
	if (options.test)
		code = test_only(config);
	else
		code = options.clear ? run_clear(&config)
				     : run_daemon(&config, options.dry_run, argv);
	config_free(config);
	return code;
}
