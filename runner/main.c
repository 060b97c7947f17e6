// SPDX-License-Identifier: MIT
/* main.c - "runner COMMAND ...", where a bare "runner ..." runs labs. */
#include <argp.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/lab.h"
#include "runner/commands.h"
#include "runner/kernels.h"
#include "runner/util.h"

const char *argp_program_version = "notelab " VERSION;

static const struct {
	const char *name;
	int (*command)(int argc, char **argv);
} commands[] = {
	{ "accept", accept_command },	{ "doctor", doctor_command },
	{ "kernels", kernels_command }, { "list", list_command },
	{ "new", new_command },		{ "run", run_command },
};

static int dispatch(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		argv[1] = xasprintf("runner %s", commands[i].name);
		return commands[i].command(argc - 1, argv + 1);
	}
	return run_command(argc, argv);
}

/* Also behind --help, which ends in argp. */
static void close_stdout(void)
{
	if (fflush(stdout) == EOF || ferror(stdout)) {
		fprintf(stderr, "runner: cannot write to stdout: %m\n");
		_exit(EXIT_BROKEN);
	}
}

int main(int argc, char **argv)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	argp_err_exit_status = EXIT_USAGE;
	/* A reader that goes away is an error of write(), told at the end. */
	signal(SIGPIPE, SIG_IGN);
	atexit(close_stdout);
	return dispatch(argc, argv);
}
