// SPDX-License-Identifier: MIT
/* fork_bomb - as many processes as it can, within bounds. */
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab.h"

enum { PROCESSES = 300 };

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	atomic_int *count = must(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				      MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	signal(SIGTERM, SIG_IGN);
	while (atomic_fetch_add(count, 1) < PROCESSES)
		fork();
	for (;;)
		pause();
}

const struct lab lab = {
	.name = "fork_bomb",
	.demo = demo,
};
