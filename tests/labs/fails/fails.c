// SPDX-License-Identifier: MIT
/* fails - a claim comes out false. */
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	int fd = must(dup(STDOUT_FILENO));

	claim("said-before", fd > 2);
	no_control("said-before", "nothing else is open");
	control("close-twice", errno_of(close(fd)) == 0);
	claim("close-twice", errno_of(close(fd)) == 0);
}

const struct lab lab = {
	.name = "fails",
	.demo = demo,
};
