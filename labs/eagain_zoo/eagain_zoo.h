/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* What ends an EAGAIN. */
enum cure {
	BY_POLL,    /* the descriptor becomes ready, and poll(2) tells */
	BY_WAITING, /* somebody else's act, which poll(2) does not see */
	BY_LOOKING, /* the caller's knowledge is old: read it again */
	BY_CHANGE,  /* nothing, as long as the caller does the same */
};
const char *cure_text(enum cure cure);

/* Whether poll(2) says just now that @fd is ready for all of @events. */
bool says(int fd, int events);

/* The errno of a read of one byte; a read that waits is ended by a signal. */
int read_until_signal(int fd);
