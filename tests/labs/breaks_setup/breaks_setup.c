// SPDX-License-Identifier: MIT
/* breaks_setup - a must() that fails. */
#include <fcntl.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	must(open("/no/such/file", O_RDONLY));
}

const struct lab lab = {
	.name = "breaks_setup",
	.demo = demo,
};
