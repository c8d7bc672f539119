// SPDX-License-Identifier: GPL-2.0
/*
 * The super-server of the template `basic`: one process waits at all ports of /etc/inetd.conf and
 * starts a service for each connection. Thousands of it wait, so it is linked statically, needs
 * next to no memory, and does no more than it must: TCP, nowait. Its own state is the sockets and
 * who serves whom; SIGHUP begins anew.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONFIG "/etc/inetd.conf"
#define SERVICES_MAX 16
#define CONNECTIONS_MAX 40 /* of one service at a time; the next wait in its backlog */
#define BACKLOG 128
#define ARGS_MAX 16
#define LINE_LEN 512

struct service {
	char line[LINE_LEN]; /* the strings below point into it */
	char *name;
	char *user;
	char *program;
	char *argv[ARGS_MAX + 1];
	pid_t served_by[CONNECTIONS_MAX]; /* 0: free */
};

static struct service services[SERVICES_MAX];
static struct pollfd sockets[SERVICES_MAX];
static size_t n_services;
static volatile sig_atomic_t hung_up;

/* --- what there is to serve --- */

/* By /etc/services; libc's own look-up would load libraries, which a static program cannot. */
static int port_of(const char *name)
{
	char line[LINE_LEN], entry[LINE_LEN], protocol[8];
	FILE *file = fopen("/etc/services", "re");
	int port, found = atoi(name);

	while (!found && file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%511s %d/%7s", entry, &port, protocol) == 3 &&
		    !strcmp(entry, name) && !strcmp(protocol, "tcp"))
			found = port;
	if (file)
		fclose(file);
	return found;
}

/* "http stream tcp nowait www-data /usr/sbin/httpd httpd -i" */
static bool parse(struct service *s)
{
	char *words[6 + ARGS_MAX];
	size_t n = 0;

	s->line[strcspn(s->line, "#\n")] = '\0';
	for (char *word = strtok(s->line, " \t"); word && n < 6 + ARGS_MAX;
	     word = strtok(NULL, " \t"))
		words[n++] = word;
	if (n < 7 || strcmp(words[1], "stream") != 0 || strcmp(words[2], "tcp") != 0)
		return false;
	s->name = words[0];
	s->user = words[4];
	s->program = words[5];
	memcpy(s->argv, words + 6, (n - 6) * sizeof(*words));
	s->argv[n - 6] = NULL;
	return true;
}

static int listen_at(int port)
{
	const struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    !bind(fd, (const struct sockaddr *)&any, sizeof(any)) && !listen(fd, BACKLOG))
		return fd;
	close(fd);
	return -1;
}

static void read_services(void)
{
	FILE *file = fopen(CONFIG, "re");

	while (file && n_services < SERVICES_MAX) {
		struct service *s = &services[n_services];

		if (!fgets(s->line, sizeof(s->line), file))
			break;
		if (!parse(s))
			continue;
		sockets[n_services].fd = listen_at(port_of(s->name));
		if (sockets[n_services].fd < 0)
			fprintf(stderr, "inetd: %s: %s\n", s->name, strerror(errno));
		else
			n_services++;
	}
	if (file)
		fclose(file);
}

/* --- serving --- */

static bool become(const char *user)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	while (file && (entry = fgetpwent(file)))
		if (!strcmp(entry->pw_name, user))
			return !setgroups(1, &entry->pw_gid) && !setgid(entry->pw_gid) &&
			       !setuid(entry->pw_uid);
	return false;
}

static _Noreturn void run(const struct service *s, int connection, const sigset_t *unblocked)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(connection, fd);
	if (connection > STDERR_FILENO)
		close(connection);
	sigprocmask(SIG_SETMASK, unblocked, NULL);
	if (become(s->user))
		execv(s->program, s->argv);
	_exit(EXIT_FAILURE);
}

static pid_t *place_of(struct service *s, pid_t pid)
{
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		if (s->served_by[i] == pid)
			return &s->served_by[i];
	return NULL;
}

/* There is a place, or it would not have been waited for. */
static void serve(struct service *s, int listener, const sigset_t *unblocked)
{
	int connection = accept(listener, NULL, NULL);
	pid_t pid;

	if (connection < 0)
		return;
	pid = fork();
	if (!pid)
		run(s, connection, unblocked);
	if (pid > 0)
		*place_of(s, 0) = pid;
	close(connection);
}

static void reap(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < n_services; i++) {
			pid_t *place = place_of(&services[i], pid);

			if (place)
				*place = 0;
		}
}

static void serve_next(const sigset_t *unblocked)
{
	for (size_t i = 0; i < n_services; i++)
		sockets[i].events = place_of(&services[i], 0) ? POLLIN : 0;
	if (ppoll(sockets, n_services, NULL, unblocked) > 0)
		for (size_t i = 0; i < n_services; i++)
			if (sockets[i].revents & POLLIN)
				serve(&services[i], sockets[i].fd, unblocked);
	reap();
}

static void on_signal(int signal)
{
	hung_up = hung_up || signal == SIGHUP;
}

int main(int argc, char *argv[])
{
	const struct sigaction action = {.sa_handler = on_signal};
	sigset_t blocked, unblocked;

	(void)argc;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGHUP);
	sigprocmask(SIG_BLOCK, &blocked, &unblocked);
	sigaction(SIGCHLD, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	sigdelset(&unblocked, SIGCHLD);
	sigdelset(&unblocked, SIGHUP);
	read_services();
	while (n_services && !hung_up)
		serve_next(&unblocked);
	if (hung_up)
		execv("/proc/self/exe", argv);
	fprintf(stderr, "inetd: nothing to serve in " CONFIG "\n");
	return EXIT_FAILURE;
}
