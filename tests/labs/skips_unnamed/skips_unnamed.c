// SPDX-License-Identifier: MIT
/* skips_unnamed - status 77 without a need. */
#include <stdlib.h>

#include "common/lab.h"

static void demo(void)
{
	exit(LAB_SKIP);
}

const struct lab lab = {
	.name = "skips_unnamed",
	.demo = demo,
};
