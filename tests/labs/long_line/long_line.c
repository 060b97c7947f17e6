// SPDX-License-Identifier: MIT
/* long_line - 100 MB without a newline. */
#include <stdio.h>
#include <string.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	static char text[1000000];

	memset(text, 'x', sizeof(text));
	for (int i = 0; i < 100; i++)
		fwrite(text, 1, sizeof(text), stdout);
	puts("");
}

const struct lab lab = {
	.name = "long_line",
	.demo = demo,
};
