// SPDX-License-Identifier: GPL-2.0
/* skepctl: the command line of a running skepd. Asks, and shows the answer to people or, with
 * --json, as it came. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "config.h"
#include "table.h"
#include "template.h"
#include "version.h"

#define DEFAULT_SOCKET "/run/skep/skepd.sock"
#define DEFAULT_STATE_DIR "/var/lib/skep"

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
	"  release ADDR         take an address back: ADDR[%UPLINK[.VLAN]]\n"
	"  watch                binds and releases as they happen, until interrupted\n"
	"  template build NAME  make the root file system of a stock template\n"
	"\n"
	"  -s, --socket SOCKET  control socket (default " DEFAULT_SOCKET ")\n"
	"  -j, --json           print JSON\n"
	"  -c, --config FILE    template build: whose state_dir to use (default\n"
	"                       " CONFIG_DEFAULT_PATH " if there is one,\n"
	"                       else state_dir is " DEFAULT_STATE_DIR ")\n"
	"  -f, --force          template build: replace one that is there\n"
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

static void show_status(const json_t *status)
{
	static const struct column pool[] = {
		{"idle", "IDLE", ""},	      {"bound", "BOUND", ""},
		{"starting", "STARTING", ""}, {"recycling", "RECYCLING", ""},
		{"failed", "FAILED", ""},     {"warm", "WARM", ""},
		{"max", "MAX", ""},
	};
	static const struct column uplinks[] = {
		{"name", "UPLINK", ""},
		{"xdp", "XDP", ""},
		{"gateway", "GATEWAY", ""},
	};
	json_t *row = json_pack("[O]", json_object_get(status, "pool"));

	printf("state   %s\n", json_string_value(json_object_get(status, "state")));
	printf("uptime  %" JSON_INTEGER_FORMAT " s\n",
	       json_integer_value(json_object_get(status, "uptime_s")));
	printf("leases  %" JSON_INTEGER_FORMAT "\n\n",
	       json_integer_value(json_object_get(status, "leases")));
	table_print(stdout, row, pool, ARRAY_SIZE(pool));
	putchar('\n');
	table_print(stdout, json_object_get(status, "uplinks"), uplinks, ARRAY_SIZE(uplinks));
	json_decref(row);
}

static void show_leases(const json_t *answer)
{
	static const struct column columns[] = {
		{"address", "ADDRESS", ""},	{"uplink", "UPLINK", ""},
		{"vlan", "VLAN", ""},		{"mac", "MAC", ""},
		{"container", "CONTAINER", ""}, {"pid", "PID", ""},
		{"bind_us", "BIND", " us"},	{"packets_in", "IN", ""},
		{"packets_out", "OUT", ""},	{"bound_at", "BOUND AT", ""},
		{"last_seen", "LAST SEEN", ""},
	};

	table_print(stdout, json_object_get(answer, "leases"), columns, ARRAY_SIZE(columns));
}

static void show_containers(const json_t *answer)
{
	static const struct column columns[] = {
		{"container", "CONTAINER", ""}, {"state", "STATE", ""},
		{"template", "TEMPLATE", ""},	{"pid", "PID", ""},
		{"address", "ADDRESS", ""},	{"uplink", "UPLINK", ""},
		{"since", "SINCE", ""},
	};

	table_print(stdout, json_object_get(answer, "containers"), columns, ARRAY_SIZE(columns));
}

static void show_counters(const json_t *answer)
{
	static const struct column columns[] = {{"verdict", "VERDICT", ""}, {"count", "COUNT", ""}};
	json_t *rows = json_array(), *value;
	const char *key;

	json_object_foreach (json_object_get(answer, "counters"), key, value)
		json_array_append_new(rows, json_pack("{ss sO}", "verdict", key, "count", value));
	table_print(stdout, rows, columns, ARRAY_SIZE(columns));
	json_decref(rows);
}

static void show_event(const json_t *event)
{
	static const char *const keys[] = {"at", "event", "address", "uplink", "mac", "container"};
	const json_t *bind_us = json_object_get(event, "bind_us");
	char buf[128];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		printf("%s  ", table_value(json_object_get(event, keys[i]), "", buf, sizeof(buf)));
	if (bind_us)
		printf("for %s in %s\n", json_string_value(json_object_get(event, "requester")),
		       table_value(bind_us, " us", buf, sizeof(buf)));
	else
		printf("%s\n", json_string_value(json_object_get(event, "reason")));
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
	int code;
	json_t *answer = ask(options, release_request(args[0]), &code);

	if (!answer)
		return code;
	if (options->json)
		print_json(answer);
	else
		printf("%s released\n", args[0]);
	json_decref(answer);
	return EXIT_OK;
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

	if (strcmp(args[0], "build"))
		return wrong_usage("'template' knows only 'build'");
	state_dir = state_dir_of(options);
	return state_dir && !template_build(args[1], state_dir, options->force) ? EXIT_OK
										: EXIT_FAILED;
}

static const struct {
	const char *name;
	int n_args;
	int (*run)(const struct options *options, char **args);
} commands[] = {
	{"status", 0, run_status},	   {"leases", 0, run_leases},
	{"containers", 0, run_containers}, {"counters", 0, run_counters},
	{"release", 1, run_release},	   {"watch", 0, run_watch},
	{"template", 2, run_template},
};

static int run_command(const struct options *options, int argc, char **argv)
{
	if (argc < 1)
		return wrong_usage("no command given");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[0], commands[i].name))
			continue;
		if (argc - 1 != commands[i].n_args)
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
