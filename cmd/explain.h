/* SPDX-License-Identifier: MIT */
#ifndef CMD_EXPLAIN_H
#define CMD_EXPLAIN_H

#include "cmd/cmd.h"

/*
 * command_explain: argv[0] is "explain".  Returns only when the program that
 * explains cannot be started: the exit status; a line about it was printed.
 */
int command_explain(char **argv);

#endif
