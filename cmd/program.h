/* SPDX-License-Identifier: MIT */
#ifndef CMD_PROGRAM_H
#define CMD_PROGRAM_H

#include "cmd/options.h"

struct found_program {
	char *path;
	enum arch arch;	 /* of the file, or of a script's interpreter */
	bool hard_float; /* ARM: made for floating-point registers */
};

/*
 * find_program: find o->program[0] under o->root (or, below SHARE_MOUNT, under
 * o->share) and judge whether the kernel can run it: a name without a slash
 * is searched in search_path (as $PATH; NULL: a default), one with a slash is
 * taken from `cwd`, the program's working directory, when it is relative.
 * Symbolic links are followed inside the root.
 *
 * Returns 0 with found->path set to the absolute path in the root (malloc'ed),
 * found->arch to the machine it is for (o->arch when that was given: then a
 * program for another is an error), or EXIT_NOT_FOUND or EXIT_CANNOT_RUN after
 * one line on stderr.
 */
int find_program(const struct run_options *o, const char *search_path,
		 const char *cwd, struct found_program *found);

#endif
