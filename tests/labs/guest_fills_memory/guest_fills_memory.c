// SPDX-License-Identifier: MIT
/* guest_fills_memory - takes all memory that there is. */
#include <sys/mman.h>

#include "tests/labs/guest_only.h"

static void demo(void)
{
	const size_t step = 16 << 20;
	void *more;

	say_before_in_guest();
	for (;;) {
		more = must(mmap(NULL, step, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		memset(more, 1, step);
	}
}

const struct lab lab = {
	.name = "guest_fills_memory",
	.demo = demo,
};
