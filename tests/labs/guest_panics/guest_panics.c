// SPDX-License-Identifier: MIT
/* guest_panics - takes the whole guest down, by sysrq. */
#include <fcntl.h>

#include "tests/labs/guest_only.h"

static void demo(void)
{
	int fd;

	say_before_in_guest();
	fd = must(open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC));
	must(write(fd, "c", 1));
}

const struct lab lab = {
	.name = "guest_panics",
	.demo = demo,
};
