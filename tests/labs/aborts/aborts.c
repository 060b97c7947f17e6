// SPDX-License-Identifier: MIT
/* aborts - SIGABRT. */
#include <stdlib.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	abort();
}

const struct lab lab = {
	.name = "aborts",
	.demo = demo,
};
