/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* Whose init calls reboot(2). */
enum place {
	OWN_PIDNS, /* that of a new PID namespace in a new user namespace */
	OUR_PIDNS, /* nobody's: a process in a new user namespace only */
};

struct outcome {
	int refused;	  /* errno of unshare(2): nothing was tried */
	int pid;	  /* what the caller's getpid(2) said */
	int error;	  /* errno of reboot(2) if that returned, else 0 */
	bool child_lives; /* the caller's child, when reboot(2) returned */
	bool all_ended;	  /* the caller and its child, in the end */
	int status;	  /* of the caller, as waitpid(2) gives it */
};

/* Call reboot(2) with @magic2 and @command in @place. */
struct outcome reboot_in(enum place place, unsigned int magic2,
			 unsigned int command);

/* Whether the hexadecimal digits of @magic2 are a date, as "28.12.1969". */
bool magic_date(unsigned int magic2, char out[11]);
