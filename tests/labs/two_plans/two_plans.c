// SPDX-License-Identifier: MIT
/* two_plans - a plan too many. */
#include <stdio.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	puts("1..1");
}

const struct lab lab = {
	.name = "two_plans",
	.demo = demo,
};
