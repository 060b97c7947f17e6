// SPDX-License-Identifier: MIT
/* forks_away - a daemon that keeps stdout open. */
#include <sys/wait.h>
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	if (must(fork()) == 0) {
		must(setsid());
		if (must(fork()) == 0)
			for (;;)
				pause();
		_exit(0);
	}
	must(wait(NULL));
}

const struct lab lab = {
	.name = "forks_away",
	.demo = demo,
};
