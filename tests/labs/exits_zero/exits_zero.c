// SPDX-License-Identifier: MIT
/* exits_zero - status 0 after a claim that failed. */
#include <stdio.h>
#include <stdlib.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", false);
	no_control("said-before", "it is always so");
	puts("1..1");
	fflush(stdout);
	_Exit(0);
}

const struct lab lab = {
	.name = "exits_zero",
	.demo = demo,
};
