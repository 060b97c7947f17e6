// SPDX-License-Identifier: MIT
/* ends_silent - closes stdout before its plan. */
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	close(STDOUT_FILENO);
}

const struct lab lab = {
	.name = "ends_silent",
	.demo = demo,
};
