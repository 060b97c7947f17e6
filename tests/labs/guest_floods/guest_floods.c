// SPDX-License-Identifier: MIT
/* guest_floods - writes to stdout and to the guest's console without end. */
#include <stdio.h>

#include "tests/labs/guest_only.h"

static void demo(void)
{
	static char line[4096];
	int port;

	say_before_in_guest();
	fflush(stdout);
	port = must(fork()) ? STDOUT_FILENO : STDERR_FILENO;
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\n';
	for (;;)
		must(write(port, line, sizeof(line)));
}

const struct lab lab = {
	.name = "guest_floods",
	.demo = demo,
};
