// SPDX-License-Identifier: MIT
/* no_control_at_all - nothing is said about a control. */
#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
}

const struct lab lab = {
	.name = "no_control_at_all",
	.demo = demo,
};
