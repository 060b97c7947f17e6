// SPDX-License-Identifier: MIT
/* long_plan - a plan too long. */
#include <stdio.h>
#include <stdlib.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	puts("1..3");
	fflush(stdout);
	_Exit(0);
}

const struct lab lab = {
	.name = "long_plan",
	.demo = demo,
};
