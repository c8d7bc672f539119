// SPDX-License-Identifier: GPL-2.0
/* Making templates by script; see template.h. Works beside the final place and renames, so nothing
 * half made is ever used. */
#include "template.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "cleanup.h"
#include "files.h"
#include "idmap.h"

#define ARGS_MAX 4

extern char **environ;

/* Where one template is made and where it goes. */
struct place {
	char dir[PATH_MAX];
	char path[PATH_MAX + NAME_MAX];
	char made[PATH_MAX + NAME_MAX];
	bool there;
};

static int say(int err, const char *what, const char *path)
{
	fprintf(stderr, "skepctl: %s %s: %s\n", what, path, strerror(-err));
	return err;
}

/* @file: below the directory of templates */
static int find_script(const char *file, char *ret, size_t size)
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
		snprintf(ret, size, "%s/%s/%s", dirname(here), places[i], file);
		if (!access(ret, X_OK))
			return 0;
	}
	return -ENOENT;
}

/* -1 when the wait itself fails. */
static int exit_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_script(char *const *argv)
{
	pid_t pid;
	int err = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);

	if (err)
		return say(-err, "cannot run", argv[0]);
	if (!exit_status(pid))
		return 0;
	fprintf(stderr, "skepctl: %s failed\n", argv[0]);
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

static int check_idmap(const char *made)
{
	int err = idmap_try(made);

	if (err)
		fprintf(stderr,
			"skepctl: %s cannot be mounted with mapped owners: %s; state_dir must be "
			"on a file system that can (ext4, xfs, btrfs, tmpfs)\n",
			made, strerror(-err));
	return err ? -EINVAL : 0;
}

static int find_place(const char *name, const char *state_dir, bool force, struct place *ret)
{
	if (!is_plain_name(name)) {
		fprintf(stderr, "skepctl: '%s' is no template name\n", name);
		return -EINVAL;
	}
	snprintf(ret->dir, sizeof(ret->dir), "%s/templates", state_dir);
	snprintf(ret->path, sizeof(ret->path), "%s/%s", ret->dir, name);
	snprintf(ret->made, sizeof(ret->made), "%s/.%s.new", ret->dir, name);
	ret->there = !access(ret->path, F_OK);
	if (ret->there && !force) {
		fprintf(stderr, "skepctl: %s is there already; use --force to make it anew\n",
			ret->path);
		return -EEXIST;
	}
	return 0;
}

/* A tree that is replaced must not have a skepd on it; the lock lasts until it is closed. */
static int take_place(const struct place *place, const char *state_dir, int *ret_lock)
{
	int err = files_make_dirs(place->dir, 0755);

	if (err)
		return say(err, "cannot make", place->dir);
	*ret_lock = place->there ? files_lock(state_dir) : -EBADF;
	if (*ret_lock != -EWOULDBLOCK)
		return 0;
	fprintf(stderr,
		"skepctl: skepd is running on %s, and containers use that template; stop it "
		"first\n",
		state_dir);
	return -EBUSY;
}

/* The last of @argv is the place where the script makes it. */
static int make(const struct place *place, const char *state_dir, char *const *argv)
{
	cleanup_close int lock = -EBADF;
	int err = take_place(place, state_dir, &lock);

	if (err)
		return err;
	files_remove_tree(place->made);
	err = run_script(argv);
	if (!err)
		err = check_idmap(place->made);
	if (!err)
		err = put_in_place(place->made, place->path, place->there);
	if (err)
		files_remove_tree(place->made);
	else
		printf("%s\n", place->path);
	return err;
}

int template_build(const char *name, const char *state_dir, bool force)
{
	struct place place;
	char file[NAME_MAX + sizeof("/build")], script[PATH_MAX];
	char *argv[ARGS_MAX + 1] = {script, place.made};
	int err = find_place(name, state_dir, force, &place);

	if (err)
		return err;
	snprintf(file, sizeof(file), "%s/build", name);
	err = find_script(file, script, sizeof(script));
	if (err) {
		fprintf(stderr, "skepctl: there is no stock template \"%s\"\n", name);
		return err;
	}
	return make(&place, state_dir, argv);
}

int template_import(const char *name, const char *source, const char *state_dir, bool force)
{
	struct place place;
	char script[PATH_MAX];
	char *argv[ARGS_MAX + 1] = {script, (char *)name, (char *)source, place.made};
	int err = find_place(name, state_dir, force, &place);

	if (err)
		return err;
	err = find_script("import", script, sizeof(script));
	if (err)
		return say(err, "cannot find the script", "templates/import");
	return make(&place, state_dir, argv);
}
