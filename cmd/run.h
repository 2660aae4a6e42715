/* SPDX-License-Identifier: MIT */
#ifndef CMD_RUN_H
#define CMD_RUN_H

/* command_run: `quire run`, from its command line (argv[0] is "run") to the
 * exit status, which it returns. */
int command_run(int argc, char **argv);

#endif
