// SPDX-License-Identifier: GPL-2.0
/*
 * skepd: command line, and the order in which things are set up and taken down. Each step has its
 * undoing, and a start that fails half-way undoes exactly what it did.
 */
#include <errno.h>
#include <getopt.h>
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
#include "version.h"

#define PATH_LEN 512
#define CONTROL_WAIT_MS 2000
#define LOCK_WAIT_MS 10000
#define LOCK_POLL_MS 50

enum exit_code { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_CONFIG };

struct options {
	const char *config;
	bool test;
	bool verbose;
};

struct daemon {
	struct config *config;
	struct datapath *dp;
	struct keepers *keepers;
	int locks[KEEPER_LOCKS];
	int control;
	pid_t control_pid;
	__u8 secret[MAC_KEY_LEN];
	__u32 *leftovers;
	int n_leftovers;
};

static const char usage[] =
	"Usage: skepd [-c FILE] [-v]\n"
	"       skepd -t [-c FILE]\n"
	"Answers for the unused addresses of its ranges with containers; see skepd(8).\n"
	"\n"
	"  -c, --config FILE  configuration (default " CONFIG_DEFAULT_PATH ")\n"
	"  -t, --test         check the configuration and this machine, and exit\n"
	"  -v, --verbose      log debugging lines too\n"
	"  -V, --version      print the version and exit\n"
	"  -h, --help         print this and exit\n"
	"\n"
	"Exit status: 0 stopped by a signal or test passed, 1 failed, 2 wrong usage,\n"
	"3 wrong configuration.\n";

/* Returns an exit code, or -1 to go on. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'}, {"test", no_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},	  {"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},	  {},
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:tvVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			ret->config = optarg;
			break;
		case 't':
			ret->test = true;
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

/*
 * After kill -9: what is pinned goes at once, the containers are recycled by the keepers like any
 * other. The addresses are dark until somebody asks for them again.
 */
static int clear_leftovers(struct daemon *d)
{
	const struct config *config = d->config;
	unsigned int leases = 0;
	int pins = datapath_unpin(config->bpf_dir, &leases);
	char reason[CONTAINER_REASON_LEN];

	if (pins < 0) {
		log_error("cannot remove what is pinned under %s: %s", config->bpf_dir,
			  strerror(-pins));
		return pins;
	}
	d->n_leftovers = container_leftovers(config, &d->leftovers);
	if (d->n_leftovers < 0)
		return d->n_leftovers;
	if (pins || d->n_leftovers)
		log_warn("an earlier skepd left %d containers and %u leases behind: removing them",
			 d->n_leftovers, leases);
	for (int i = 0; i < d->n_leftovers; i++)
		if (d->leftovers[i] >= config->max)
			container_destroy(config, d->leftovers[i], reason);
	container_unprepare(config);
	return 0;
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

/* Two descriptors a container in the allocator, and some for everything else. */
static void raise_limits(const struct config *config)
{
	rlim_t need = 2 * (rlim_t)config->max + 256;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= need)
		return;
	limit.rlim_cur = need;
	if (limit.rlim_max < need)
		limit.rlim_max = need;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_warn("cannot raise the limit of open files to %llu, which pool.max = %u needs: "
			 "%m",
			 (unsigned long long)need, config->max);
}

static int open_datapath(struct daemon *d)
{
	cleanup_free __be32 *own = NULL;
	size_t n_own = 0;
	int err = check_own_addresses(&own, &n_own);

	if (!err)
		err = datapath_open(d->config, &d->dp);
	if (!err)
		err = datapath_set_ranges(d->dp);
	for (size_t i = 0; !err && i < n_own; i++)
		err = datapath_exclude(d->dp, own[i]);
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
	getrlimit(RLIMIT_NOFILE, &context.files);
	memcpy(context.locks, d->locks, sizeof(context.locks));
	err = keepers_new(&context, cores > 0 ? (unsigned int)cores : 1, &d->keepers);
	if (err)
		log_error("cannot fork keepers: %s", strerror(-err));
	return err;
}

static int run(struct daemon *d)
{
	struct allocator_context context;
	int err = take_directories(d);

	if (!err)
		err = clear_leftovers(d);
	if (!err)
		err = read_secret(d);
	if (!err)
		err = container_prepare(d->config);
	if (!err)
		err = open_datapath(d);
	if (!err)
		err = start_helpers(d);
	if (err)
		return err;
	raise_limits(d->config);
	context = (struct allocator_context){
		.config = d->config,
		.dp = d->dp,
		.keepers = d->keepers,
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

/* In reverse order; what was never set up is skipped. */
static void take_down(struct daemon *d)
{
	bool ours = d->locks[KEEPER_LOCKS - 1] >= 0;

	keepers_free(d->keepers);
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

static int run_daemon(struct config *config)
{
	struct daemon d = {
		.config = config,
		.locks = {-EBADF, -EBADF, -EBADF},
		.control = -EBADF,
	};
	char error[CONFIG_ERROR_MAX];
	int err;

	if (geteuid()) {
		log_error("skepd must be started as root");
		return EXIT_FAILED;
	}
	if (check_machine(config, error)) {
		log_error("%s", error);
		return EXIT_FAILED; /* unlike a wrong file, this may be right the next time */
	}
	block_signals();
	err = run(&d);
	take_down(&d);
	if (!err)
		log_info("stopped");
	return err ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	struct options options = {.config = CONFIG_DEFAULT_PATH};
	int code = parse_options(argc, argv, &options);
	char error[CONFIG_ERROR_MAX];
	struct config *config;

	if (code >= 0)
		return code;
	log_init(options.verbose);
	signal(SIGPIPE, SIG_IGN); /* whoever reads the log may go away */
	umask(0022);		  /* containers' directories must be open to their mapped root */
	if (config_load(options.config, &config, error)) {
		fprintf(stderr, "%s\n", error);
		return EXIT_CONFIG;
	}
	code = options.test ? test_only(config) : run_daemon(config);
	config_free(config);
	return code;
}
