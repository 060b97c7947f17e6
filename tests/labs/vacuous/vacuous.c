// SPDX-License-Identifier: MIT
/* vacuous - its control fails. */
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	control("getpid-works", getpid() <= 0);
	alarm(1000);
	claim("getpid-works", getpid() > 0);
}

const struct lab lab = {
	.name = "vacuous",
	.demo = demo,
};
