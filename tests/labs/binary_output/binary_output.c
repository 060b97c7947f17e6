// SPDX-License-Identifier: MIT
/* binary_output - bytes that no terminal should see. */
#include <stdio.h>

#include "common/lab.h"

/* Clear the screen, set its title, overlong '/', bidi override, C1 CSI. */
#define NASTY "\033[2J\033]0;owned\a\xff\xc0\xaf\xe2\x80\xae\xc2\x9b\x7f\b\r"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	fwrite("NUL\0" NASTY "\n", 1, sizeof("NUL\0" NASTY), stdout);
	fwrite("NUL\0" NASTY "\n", 1, sizeof("NUL\0" NASTY), stderr);
	claim_skip("skipped-badly", NASTY, NASTY, NASTY);
	puts("plain text: 中文");
}

const struct lab lab = {
	.name = "binary_output",
	.demo = demo,
};
