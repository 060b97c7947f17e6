// SPDX-License-Identifier: MIT
/* removes_cwd - removes its own TMPDIR. */
#include <stdlib.h>
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	must(rmdir(getenv("TMPDIR")));
	control("said-before", !getcwd(NULL, 0));
}

const struct lab lab = {
	.name = "removes_cwd",
	.demo = demo,
};
