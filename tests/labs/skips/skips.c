// SPDX-License-Identifier: MIT
/* skips - its needs are unmet everywhere. */
#include "common/lab.h"

static void demo(void)
{
	die("it runs without what it needs");
}

const struct lab lab = {
	.name = "skips",
	.needs = NEEDS("config:NO_SUCH_OPTION", "memfd", "tool:no-such-tool"),
	.demo = demo,
};
