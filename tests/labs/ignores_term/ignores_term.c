// SPDX-License-Identifier: MIT
/* ignores_term - only SIGKILL ends it. */
#include <signal.h>
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	signal(SIGTERM, SIG_IGN);
	pause();
}

const struct lab lab = {
	.name = "ignores_term",
	.demo = demo,
};
