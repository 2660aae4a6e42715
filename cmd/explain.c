/* SPDX-License-Identifier: MIT */
/*
 * `quire explain`: becomes the program that has the instrumented core of the
 * page-table format asked for (explain/), with the same words.
 *
 * One program a format, because each is a compile of the whole core under the
 * same names; and not libraries that are loaded here, because they find their
 * functions by their own symbol table and debug information, which is simplest
 * and surest for a program of its own.
 */
#define _GNU_SOURCE
#include "cmd/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *arch, *format;
} formats[] = {
	{"x86_64", "x86_64"},	  {"i386", "i386"}, {"i386-pae", "i386_pae"},
	{"i386_pae", "i386_pae"}, {"armv7", "arm"}, {"armv6", "arm"},
};

static const char *format_of(const char *arch)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(arch, formats[i].arch) == 0)
			return formats[i].format;
	return NULL;
}

/* The value of --arch; NULL: it needs one. */
static const char *arch_option(char **argv)
{
	const char *arch = formats[0].arch;

	for (; *argv; argv++) {
		if (strcmp(*argv, "--arch") == 0)
			arch = *++argv;
		else if (strncmp(*argv, "--arch=", 7) == 0)
			arch = *argv + 7;
		if (!arch)
			break;
	}
	return arch;
}

int command_explain(char **argv)
{
	const char *arch = arch_option(argv + 1), *format;
	char *here, *there, *path;

	if (!arch)
		return complain("--arch needs a value");
	format = format_of(arch);
	if (!format)
		return complain("--arch %s: x86_64, i386, i386-pae, armv7 or "
				"armv6 is expected",
				arch);
	here = xasprintf("../explain/explain-%s", format);
	there = xasprintf("../lib/quire/explain-%s", format);
	path = own_file((const char *const[]){here, there}, 2);
	if (!path)
		complain("what explains %s is not there (%s); make builds it",
			 arch, there);
	free(here);
	free(there);
	if (!path)
		return EXIT_QUIRE;
	execv(path, argv);
	complain("%s: %s", path, strerror(errno));
	free(path);
	return EXIT_QUIRE;
}
