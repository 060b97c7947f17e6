// SPDX-License-Identifier: MIT
/* kills_parent - SIGKILL for its parent and its process group. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/lab.h"

/* Started by hand, it spares the shell. */
static bool parent_is_keeper(void)
{
	char path[32], name[16] = "";
	FILE *file;

	sprintf(path, "/proc/%d/comm", getppid());
	file = must_ptr(fopen(path, "r"));
	must_ptr(fgets(name, sizeof(name), file));
	fclose(file);
	return !strcmp(name, "keeper\n");
}

/* Two processes in a session of their own, which exist on return. */
static void leave_family(void)
{
	int ready[2];
	char byte = 0;

	must(pipe(ready));
	if (must(fork()) == 0) {
		must(setsid());
		if (must(fork()) == 0)
			must(write(ready[1], &byte, 1));
		for (;;)
			pause();
	}
	must(read(ready[0], &byte, 1));
}

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	if (!parent_is_keeper())
		die("only a keeper is fair game");
	leave_family();
	must(kill(getppid(), SIGKILL));
	must(kill(0, SIGKILL));
}

const struct lab lab = {
	.name = "kills_parent",
	.demo = demo,
};
