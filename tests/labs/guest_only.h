/* SPDX-License-Identifier: MIT */
/* guest_only.h - what keeps these labs from harming a host. */
#pragma once

#include <string.h>
#include <unistd.h>

#include "common/lab.h"

/* Report the claim and go on, if process 1 is the /init of a guest. */
static inline void say_before_in_guest(void)
{
	char init[16] = "";

	must(access("/guest", R_OK));
	must(readlink("/proc/1/exe", init, sizeof(init) - 1));
	if (strcmp(init, "/init") != 0)
		die("process 1 is %s: this would harm a host", init);
	claim("said-before", true);
	no_control("said-before", "it is always so");
}
