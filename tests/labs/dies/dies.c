// SPDX-License-Identifier: MIT
/* dies - SIGSEGV, in a function with a name. */
#include <sys/mman.h>

#include "common/lab.h"

static __attribute__((noinline)) char load_forbidden_byte(
	const volatile char *page)
{
	return page[0];
}

static void demo(void)
{
	const char *page = must(mmap(NULL, 4096, PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	claim("said-before", true);
	no_control("said-before", "it is always so");
	claim("said-after", load_forbidden_byte(page));
}

const struct lab lab = {
	.name = "dies",
	.demo = demo,
};
