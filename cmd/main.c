/* SPDX-License-Identifier: MIT */
/*
 * The `quire` command: picks a subcommand.
 *
 *	quire run      boot the kernel in QEMU, run a program on it   run.c
 *	quire explain  a fault's call graph                           explain.c
 *
 *	options.c  the words of the command line
 *	program.c  which file, and can it run          elf.c  its headers
 *	run.c      the order of events of one run
 *	machine.c  QEMU: found, told what to be, started
 *	streams.c  input, output and signals while it runs
 *	report.c   what the kernel counted             trace.c  its events
 */
#include <stdio.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/explain.h"
#include "cmd/run.h"

static const char help[] =
	"usage: quire COMMAND [ARG...]\n"
	"\n"
	"  run        run a Linux program on Quire's kernel in QEMU\n"
	"  explain    show how a page fault is answered, by its call graph\n"
	"\n"
	"  --help     this text; quire COMMAND --help tells about COMMAND\n"
	"  --version  the version\n"
	"\n"
	"Manual pages: quire(1), quire-run(1), quire-explain(1), "
	"libquire(3).\n";

static int print(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout) == EOF)
		return complain("cannot write to standard output");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fputs(help, stderr);
		return EXIT_QUIRE;
	}
	if (strcmp(argv[1], "run") == 0)
		return command_run(argc - 1, argv + 1);
	if (strcmp(argv[1], "explain") == 0)
		return command_explain(argv + 1);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0)
		return print(help);
	if (strcmp(argv[1], "--version") == 0)
		return print("quire " QUIRE_VERSION "\n");
	return complain("there is no command %s (quire --help lists them)",
			argv[1]);
}
