// SPDX-License-Identifier: GPL-2.0
/* Stock templates; see template.h. Builds beside the final place and renames, so nothing half made
 * is ever used. */
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "files.h"

extern char **environ;

static int say(int err, const char *what, const char *path)
{
	fprintf(stderr, "skepctl: %s %s: %s\n", what, path, strerror(-err));
	return err;
}

static int find_script(const char *name, char *ret, size_t size)
{
	static const char *const places[] = {"../templates", "../share/skep/templates"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return -errno;
	self[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		char here[PATH_MAX];

		strcpy(here, self);
		snprintf(ret, size, "%s/%s/%s/build", dirname(here), places[i], name);
		if (!access(ret, X_OK))
			return 0;
	}
	fprintf(stderr, "skepctl: there is no stock template \"%s\"\n", name);
	return -ENOENT;
}

static int run_script(char *script, char *target)
{
	char *argv[] = {script, target, NULL};
	int status;
	pid_t pid;
	int err = posix_spawn(&pid, script, NULL, NULL, argv, environ);

	if (err)
		return say(-err, "cannot run", script);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	fprintf(stderr, "skepctl: %s failed\n", script);
	return -EIO;
}

static bool is_plain_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

/* Exchanges the two when there is an old one, so that the name is never without a tree. */
static int put_in_place(const char *made, const char *path, bool replace)
{
	if (renameat2(AT_FDCWD, made, AT_FDCWD, path, replace ? RENAME_EXCHANGE : RENAME_NOREPLACE))
		return say(-errno, "cannot put in place", path);
	return replace ? files_remove_tree(made) : 0;
}

int template_build(const char *name, const char *state_dir, bool force)
{
	char script[PATH_MAX], dir[PATH_MAX], path[PATH_MAX + NAME_MAX], made[PATH_MAX + NAME_MAX];
	cleanup_close int lock = -EBADF;
	bool there;
	int err;

	if (!is_plain_name(name)) {
		fprintf(stderr, "skepctl: '%s' is no template name\n", name);
		return -EINVAL;
	}
	err = find_script(name, script, sizeof(script));
	if (err)
		return err;
	snprintf(dir, sizeof(dir), "%s/templates", state_dir);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	snprintf(made, sizeof(made), "%s/.%s.new", dir, name);
	there = !access(path, F_OK);
	if (there && !force) {
		fprintf(stderr, "skepctl: %s is there already; use --force to build it anew\n",
			path);
		return -EEXIST;
	}
	err = files_make_dirs(dir, 0755);
	if (err)
		return say(err, "cannot make", dir);
	lock = there ? files_lock(state_dir) : -EBADF;
	if (lock == -EWOULDBLOCK) {
		fprintf(stderr,
			"skepctl: skepd is running on %s, and containers use that template; "
			"stop it first\n",
			state_dir);
		return -EBUSY;
	}
	files_remove_tree(made);
	err = run_script(script, made);
	if (!err)
		err = put_in_place(made, path, there);
	if (err)
		files_remove_tree(made);
	else
		printf("%s\n", path);
	return err;
}
