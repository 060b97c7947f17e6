// SPDX-License-Identifier: MIT
/* exits_one - status 1 after claims that hold. */
#include <stdio.h>
#include <stdlib.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	puts("1..1");
	exit(LAB_FAIL);
}

const struct lab lab = {
	.name = "exits_one",
	.demo = demo,
};
