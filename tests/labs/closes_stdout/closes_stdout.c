// SPDX-License-Identifier: MIT
/* closes_stdout - no output any more, yet no end. */
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	pause();
}

const struct lab lab = {
	.name = "closes_stdout",
	.demo = demo,
};
