// SPDX-License-Identifier: GPL-2.0
/* skepctl: the command line of a running skepd. Asks, and shows the answer to people or, with
 * --json, as it came. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "client.h"
#include "config.h"
#include "panic.h"
#include "show.h"
#include "skep/maps.h"
#include "template.h"
#include "top.h"
#include "version.h"

#define DEFAULT_SOCKET "/run/skep/skepd.sock"
#define DEFAULT_STATE_DIR "/var/lib/skep"
#define ANSWER_PATIENCE_S 2
#define HANDOVER_PATIENCE_S 60

enum exit_code { EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_NO_DAEMON };

struct options {
	const char *socket;
	const char *config;
	bool json;
	bool force;
};

static const char usage[] =
	"Usage: skepctl [-s SOCKET] [--json] COMMAND\n"
	"Shows and steers a running skepd; see skepctl(8).\n"
	"\n"
	"  status               pool, uplinks, state\n"
	"  leases               who has which address\n"
	"  containers           every container and what it does\n"
	"  counters             what became of all frames, by verdict\n"
	"  latency              how long binds took\n"
	"  hosts                addresses that machines of others have\n"
	"  flows [ADDR]         who talks to whom, and who began it\n"
	"  policy               the rules, and what each of them has met\n"
	"  would                what a dry run would have claimed, and for whom\n"
	"  top                  all that live, full screen; q quits\n"
	"  release ADDR         take an address back: ADDR[%UPLINK[.VLAN]]\n"
	"  watch                binds and releases as they happen, until interrupted\n"
	"  reload               read the configuration file again\n"
	"  pool resize WARM MAX keep WARM idle containers of each template, MAX in all\n"
	"  drain [off]          no new binds; with off: binds again\n"
	"  panic                answer nothing and let nothing out, from the next frame on\n"
	"  resume               end the panic\n"
	"  handover             run the skepd installed by now, with the farm as it is\n"
	"  template build NAME  make the root file system of a stock template\n"
	"  template import NAME SOURCE\n"
	"                       make one of a DIR, a TAR, an LXC container or an OCI image\n"
	"\n"
	"  -s, --socket SOCKET  control socket (default " DEFAULT_SOCKET ")\n"
	"  -j, --json           print JSON\n"
	"  -c, --config FILE    template: whose state_dir to use; panic, resume: whose maps,\n"
	"                       when no skepd answers (default " CONFIG_DEFAULT_PATH "\n"
	"                       if there is one, else state_dir is " DEFAULT_STATE_DIR ")\n"
	"  -f, --force          template: replace one that is there\n"
	"  -V, --version        print the version and exit\n"
	"  -h, --help           print this and exit\n"
	"\n"
	"Exit status: 0 done, 1 skepd refused or it failed, 2 wrong usage, 3 no skepd\n"
	"answers at the socket.\n";

static int wrong_usage(const char *what)
{
	fprintf(stderr, "skepctl: %s. Try 'skepctl --help'.\n", what);
	return EXIT_USAGE;
}

static FILE *connect_or_say(const struct options *options)
{
	FILE *stream = client_connect(options->socket);

	if (!stream)
		fprintf(stderr, "skepctl: no skepd at %s: %m%s\n", options->socket,
			errno == EACCES ? "; you must be root or in the socket's group" : "");
	return stream;
}

/* The daemon's answer, or NULL after saying why there is none; *code is what to exit with then. */
static json_t *ask(const struct options *options, json_t *request, int *code)
{
	cleanup_fclose FILE *stream = connect_or_say(options);
	json_t *answer;
	const char *error;

	if (!stream) {
		json_decref(request);
		*code = EXIT_NO_DAEMON;
		return NULL;
	}
	*code = EXIT_FAILED;
	answer = client_send(stream, request) ? NULL : client_receive(stream);
	error = json_string_value(json_object_get(answer, "error"));
	if (!answer || error) {
		fprintf(stderr, "skepctl: %s\n", error ? error : "skepd went away");
		json_decref(answer);
		return NULL;
	}
	*code = EXIT_OK;
	return answer;
}

static void print_json(const json_t *object)
{
	json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	fflush(stdout);
}

static int simple(const struct options *options, const char *command,
		  void (*show)(const json_t *answer))
{
	int code;
	json_t *answer = ask(options, json_pack("{ss}", "command", command), &code);

	if (!answer)
		return code;
	if (options->json)
		print_json(answer);
	else
		show(answer);
	json_decref(answer);
	return EXIT_OK;
}

static int run_status(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "status", show_status);
}

static int run_leases(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "leases", show_leases);
}

static int run_containers(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "containers", show_containers);
}

static int run_counters(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "counters", show_counters);
}

static int run_latency(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "latency", show_latency);
}

static int run_hosts(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "hosts", show_hosts);
}

static int run_flows(const struct options *options, char **args)
{
	json_t *request = json_pack("{ss}", "command", "flows"), *answer;
	int code;

	if (args[0])
		json_object_set_new(request, "address", json_string(args[0]));
	answer = ask(options, request, &code);
	if (!answer)
		return code;
	if (options->json)
		print_json(answer);
	else
		show_flows(answer);
	json_decref(answer);
	return EXIT_OK;
}

static int run_policy(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "policy", show_policy);
}

static int run_would(const struct options *options, char **args)
{
	(void)args;
	return simple(options, "would", show_would);
}

static int run_top(const struct options *options, char **args)
{
	cleanup_fclose FILE *stream = connect_or_say(options);

	(void)args;
	if (!stream)
		return EXIT_NO_DAEMON;
	return top_run(stream, options->socket, options->json) ? EXIT_FAILED : EXIT_OK;
}

/* Takes @request; on success @done is told to people, without a line's end. */
static int order(const struct options *options, json_t *request, const char *done)
{
	int code;
	json_t *answer = ask(options, request, &code);

	if (!answer)
		return code;
	if (options->json)
		print_json(answer);
	else
		puts(done);
	json_decref(answer);
	return EXIT_OK;
}

static int run_reload(const struct options *options, char **args)
{
	(void)args;
	return order(options, json_pack("{ss}", "command", "reload"), "reloaded");
}

/* A number of containers; 0 for what is none. */
static unsigned int parse_containers(const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	return *text >= '0' && *text <= '9' && !*end && n <= SKEP_CONTAINERS_MAX ? (unsigned int)n
										 : 0;
}

static int run_pool(const struct options *options, char **args)
{
	unsigned int warm, max;
	char done[64];

	if (strcmp(args[0], "resize"))
		return wrong_usage("'pool' knows only 'resize'");
	warm = parse_containers(args[1]);
	max = parse_containers(args[2]);
	if (!warm || warm > max)
		return wrong_usage("WARM and MAX are numbers from 1 to 65536, and WARM is no "
				   "more than MAX");
	snprintf(done, sizeof(done), "resized: warm %u, max %u", warm, max);
	return order(options,
		     json_pack("{ss si si}", "command", "resize", "warm", (int)warm, "max",
			       (int)max),
		     done);
}

static int run_drain(const struct options *options, char **args)
{
	if (args[0] && strcmp(args[0], "off"))
		return wrong_usage("'drain' knows only 'off'");
	return order(options, json_pack("{ss sb}", "command", "drain", "on", !args[0]),
		     args[0] ? "resumed" : "draining");
}

/* The maps themselves, when nobody answers at the socket. */
static int throw_switch(const struct options *options, bool on)
{
	const char *path = options->config ? options->config : CONFIG_DEFAULT_PATH;
	char error[CONFIG_ERROR_MAX];
	struct config *config;
	int err, marked;

	if (config_load(path, &config, error)) {
		fprintf(stderr, "%s\n", error);
		return EXIT_FAILED;
	}
	err = panic_switch(config->bpf_dir, on);
	marked = panic_mark(config->state_dir, on);
	if (err && err != -ENOENT)
		fprintf(stderr, "skepctl: the maps under %s cannot be written: %s\n",
			config->bpf_dir, strerror(-err));
	else if (marked)
		fprintf(stderr, "skepctl: cannot %s %s/panic: %s; the next start will not know\n",
			on ? "make" : "remove", config->state_dir, strerror(-marked));
	else
		printf("%s, without skepd%s\n", on ? "panic" : "resumed",
		       err ? ": no farm is there, it holds for the next start" : "");
	config_free(config);
	return (err && err != -ENOENT) || marked ? EXIT_FAILED : EXIT_OK;
}

/* Takes @request. Return: the answer, the caller's, or NULL: none within two seconds. */
static json_t *ask_in_haste(const char *socket, json_t *request)
{
	cleanup_fclose FILE *stream = client_connect(socket);

	if (!stream || client_set_patience(stream, ANSWER_PATIENCE_S)) {
		json_decref(request);
		return NULL;
	}
	return client_send(stream, request) ? NULL : client_receive(stream);
}

static int switch_panic(const struct options *options, bool on)
{
	json_t *answer =
		ask_in_haste(options->socket, json_pack("{ss sb}", "command", "panic", "on", on));

	if (!json_object_get(answer, "result")) {
		json_decref(answer);
		return throw_switch(options, on);
	}
	if (options->json)
		print_json(answer);
	else
		puts(on ? "panic: nothing is answered and nothing gets out until 'skepctl resume'"
			: "resumed");
	json_decref(answer);
	return EXIT_OK;
}

static int run_panic(const struct options *options, char **args)
{
	(void)args;
	return switch_panic(options, true);
}

static int run_resume(const struct options *options, char **args)
{
	(void)args;
	return switch_panic(options, false);
}

static bool is_answered(const char *socket)
{
	json_t *answer = ask_in_haste(socket, json_pack("{ss}", "command", "status"));
	const bool answered = answer != NULL;

	json_decref(answer);
	return answered;
}

/* Whoever has a skepd replaced may have something to ask of the next one. */
static int await_next(const char *socket)
{
	const struct timespec again = {.tv_nsec = 50000000};
	const time_t until = time(NULL) + HANDOVER_PATIENCE_S;

	while (!is_answered(socket)) {
		if (time(NULL) > until) {
			fprintf(stderr,
				"skepctl: the next skepd does not answer at %s: its log says why\n",
				socket);
			return EXIT_NO_DAEMON;
		}
		nanosleep(&again, NULL);
	}
	return EXIT_OK;
}

static int run_handover(const struct options *options, char **args)
{
	cleanup_fclose FILE *stream = connect_or_say(options); /* ends with this skepd */
	int code;

	(void)args;
	if (!stream || client_set_patience(stream, HANDOVER_PATIENCE_S))
		return EXIT_NO_DAEMON;
	code = order(options, json_pack("{ss}", "command", "handover"), "handing over");
	if (code)
		return code;
	fflush(stdout);
	fgetc(stream);
	return await_next(options->socket);
}

/* ADDR[%UPLINK[.VLAN]]; a NIC's own name may have dots, so the VLAN is what follows the last, if a
 * number. */
static json_t *release_request(char *text)
{
	json_t *request = json_pack("{ss}", "command", "release");
	char *uplink = strchr(text, '%');
	char *vlan = uplink ? strrchr(uplink, '.') : NULL;
	char *end = NULL;
	long id = vlan && vlan[1] ? strtol(vlan + 1, &end, 10) : -1;

	if (uplink)
		*uplink++ = '\0';
	if (end && !*end) {
		*vlan = '\0';
		json_object_set_new(request, "vlan", json_integer(id));
	}
	if (uplink)
		json_object_set_new(request, "uplink", json_string(uplink));
	json_object_set_new(request, "address", json_string(text));
	return request;
}

static int run_release(const struct options *options, char **args)
{
	char done[128];

	snprintf(done, sizeof(done), "%.100s released", args[0]);
	return order(options, release_request(args[0]), done);
}

static int run_watch(const struct options *options, char **args)
{
	cleanup_fclose FILE *stream = connect_or_say(options);
	json_t *event;

	(void)args;
	if (!stream)
		return EXIT_NO_DAEMON;
	if (client_send(stream, json_pack("{ss}", "command", "watch")))
		return EXIT_FAILED;
	json_decref(client_receive(stream)); /* says that it watches */
	while ((event = client_receive(stream))) {
		if (options->json)
			print_json(event);
		else
			show_event(event);
		json_decref(event);
	}
	fputs("skepctl: skepd went away\n", stderr);
	return EXIT_FAILED;
}

/* The configured state_dir; the default when there is no configuration, and nobody named one. */
static char *state_dir_of(const struct options *options)
{
	const char *path = options->config ? options->config : CONFIG_DEFAULT_PATH;
	char error[CONFIG_ERROR_MAX];
	struct config *config;
	char *dir;
	int err = config_load(path, &config, error);

	if (err == -ENOENT && !options->config)
		return strdup(DEFAULT_STATE_DIR);
	if (err) {
		fprintf(stderr, "%s\n", error);
		return NULL;
	}
	dir = strdup(config->state_dir);
	config_free(config);
	return dir;
}

static int run_template(const struct options *options, char **args)
{
	cleanup_free char *state_dir = NULL;
	bool build = !strcmp(args[0], "build") && !args[2];
	bool import = !strcmp(args[0], "import") && args[2];
	int err;

	if (!build && !import)
		return wrong_usage("'template' knows 'build NAME' and 'import NAME SOURCE'");
	state_dir = state_dir_of(options);
	if (!state_dir)
		return EXIT_FAILED;
	err = build ? template_build(args[1], state_dir, options->force)
		    : template_import(args[1], args[2], state_dir, options->force);
	return err ? EXIT_FAILED : EXIT_OK;
}

/* struct - what follows the name: @n_args words, and up to @n_more that may be left out */
static const struct {
	const char *name;
	int n_args;
	int n_more;
	int (*run)(const struct options *options, char **args);
} commands[] = {
	{"status", 0, 0, run_status},	      {"leases", 0, 0, run_leases},
	{"containers", 0, 0, run_containers}, {"counters", 0, 0, run_counters},
	{"latency", 0, 0, run_latency},	      {"top", 0, 0, run_top},
	{"release", 1, 0, run_release},	      {"watch", 0, 0, run_watch},
	{"reload", 0, 0, run_reload},	      {"pool", 3, 0, run_pool},
	{"drain", 0, 1, run_drain},	      {"handover", 0, 0, run_handover},
	{"hosts", 0, 0, run_hosts},	      {"would", 0, 0, run_would},
	{"flows", 0, 1, run_flows},	      {"policy", 0, 0, run_policy},
	{"panic", 0, 0, run_panic},	      {"resume", 0, 0, run_resume},
	{"template", 2, 1, run_template},
};

static int run_command(const struct options *options, int argc, char **argv)
{
	const int n_args = argc - 1;

	if (argc < 1)
		return wrong_usage("no command given");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		if (n_args < commands[i].n_args || n_args > commands[i].n_args + commands[i].n_more)
			return wrong_usage("wrong number of arguments");
		return commands[i].run(options, argv + 1);
	}
	return wrong_usage("no such command");
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"config", required_argument, NULL, 'c'},
		{"force", no_argument, NULL, 'f'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	struct options options = {.socket = DEFAULT_SOCKET};
	int c;

	while ((c = getopt_long(argc, argv, "s:jc:fVh", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			options.socket = optarg;
			break;
		case 'j':
			options.json = true;
			break;
		case 'c':
			options.config = optarg;
			break;
		case 'f':
			options.force = true;
			break;
		case 'V':
			puts("skepctl " SKEP_VERSION);
			return EXIT_OK;
		case 'h':
			fputs(usage, stdout);
			return EXIT_OK;
		default:
			fputs("Try 'skepctl --help'.\n", stderr);
			return EXIT_USAGE;
		}
	}
	return run_command(&options, argc - optind, argv + optind);
}
