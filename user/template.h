/* SPDX-License-Identifier: GPL-2.0 */
/* Making the root file systems of templates. */
#ifndef SKEP_USER_TEMPLATE_H
#define SKEP_USER_TEMPLATE_H

#include <stdbool.h>

/**
 * template_build() - runs the build script of a stock template
 * @name:      of the template
 * @state_dir: it becomes state_dir/templates/NAME, whole or not at all
 * @force:     replace one that is there
 *
 * Scripts are found beside this program: ../templates in a build tree, ../share/skep/templates when
 * installed. Says what is wrong on stderr. Return: 0 or negative errno.
 */
int template_build(const char *name, const char *state_dir, bool force);

/**
 * template_import() - makes a template of a system that is there already
 * @source: directory, archive, LXC container or OCI image, as templates/import takes it
 *
 * The rest, and what it returns, as template_build(). Prints the lines to configure it with, too.
 */
int template_import(const char *name, const char *source, const char *state_dir, bool force);

#endif
