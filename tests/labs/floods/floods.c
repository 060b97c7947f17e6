// SPDX-License-Identifier: MIT
/* floods - writes without end, all that a runner could keep. */
#include <stdio.h>
#include <string.h>

#include "common/lab.h"

static void flood(long n, const char *text)
{
	printf("text %s\n", text);
	printf("ok %ld - id-%ld-%s # SKIP %s\n", n, n, text, text);
	printf("ok %ld - id-%ld # SKIP %s\n", n, n, text);
	printf("# at %s.c:1: %s\n", text, text);
	printf("not ok %ld - control of id-%ld\n", n, n);
	printf("# at %s.c:1: %s\n", text, text);
	printf("# no control of id-%ld: %s\n", n, text);
	printf("# unmet %s: found %s; remedy: %s\n", text, text, text);
	printf("# metric m%ld 1 %s\n# point p%ld 1 1\n", n, text, n);
}

static char text[50000];

static void demo(void)
{
	const size_t lens[] = { 5, 600, sizeof(text) - 1 };

	claim("said-before", true);
	no_control("said-before", "it is always so");
	memset(text, 'x', sizeof(text) - 1);
	for (long n = 2;; n++)
		flood(n, text + sizeof(text) - 1 - lens[n % ARRAY_SIZE(lens)]);
}

const struct lab lab = {
	.name = "floods",
	.demo = demo,
};
