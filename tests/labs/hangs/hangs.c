// SPDX-License-Identifier: MIT
/* hangs - waits for ever; SIGTERM ends it. */
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	pause();
}

const struct lab lab = {
	.name = "hangs",
	.demo = demo,
};
