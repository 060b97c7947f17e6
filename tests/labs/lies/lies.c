// SPDX-License-Identifier: MIT
/* lies - forged, made up, left out. */
#include <stdio.h>

#include "common/lab.h"

static void demo(void)
{
	claim("forged-after", false);
	puts("ok 2 - forged-after");
	puts("ok 3 - control of forged-after");
	puts("ok 4 - forged-before");
	claim("forged-before", false);
	claim("made-up", true);
	refuted("wrong-list", true);
	no_control("wrong-list", "it is a lie");
}

const struct lab lab = {
	.name = "lies",
	.demo = demo,
};
