// SPDX-License-Identifier: MIT
/* stops_itself - SIGSTOP. */
#include <signal.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	raise(SIGSTOP);
}

const struct lab lab = {
	.name = "stops_itself",
	.demo = demo,
};
