// SPDX-License-Identifier: MIT
/* leaves_children - children that nobody waits for. */
#include <signal.h>
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	for (int i = 0; i < 3; i++)
		if (must(fork()) == 0) {
			if (i == 0)
				signal(SIGTERM, SIG_IGN);
			for (;;)
				pause();
		}
}

const struct lab lab = {
	.name = "leaves_children",
	.demo = demo,
};
