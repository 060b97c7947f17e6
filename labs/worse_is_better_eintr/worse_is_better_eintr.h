/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* What the kernel says to itself when a signal ends a wait. */
enum {
	ERESTARTSYS = 512,
	ERESTARTNOINTR = 513,
	ERESTARTNOHAND = 514,
	ERESTART_RESTARTBLOCK = 516,
};

/* What becomes of the signal that ends a wait. */
enum fate {
	HANDLED,	 /* a handler runs */
	HANDLED_RESTART, /* one installed with SA_RESTART runs */
	SWALLOWED,	 /* none runs: a debugger keeps the signal */
	FATES
};

/* "ERESTARTSYS" for -512, "EINTR" for -4. */
const char *hidden_name(long result);

/* Whether the kernel repeats a call with that result; else it is EINTR. */
bool is_repeated(long result, enum fate fate);

/* The state in a line of /proc/PID/stat, such as 'S'; 0 if there is none. */
char stat_state(const char *line);
