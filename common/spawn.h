/* SPDX-License-Identifier: MIT */
/*
 * spawn.h - a child with a deadline: a function of the lab's own, or a
 * program. A child that is late is killed with all of its process group.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct spawned {
	int status;	/* as waitpid(2) gives it */
	bool timed_out; /* killed at the deadline */
	char *out;	/* stdout of a program, NUL behind it; free() it */
	size_t out_len;
};

/*
 * Fork, run @fn(@arg) in the child, which exits with what @fn returns, and
 * wait @deadline_ms at most. @out stays NULL: the child shares stdout.
 */
struct spawned spawn_fn(int (*fn)(void *arg), void *arg, int deadline_ms);

/*
 * Run @argv (NULL-terminated, searched on PATH), give it the @in_len bytes
 * of @in as stdin (none if NULL), keep its stdout, and wait @deadline_ms at
 * most. stderr is the caller's.
 */
struct spawned spawn_program(const char *const *argv, const void *in,
			     size_t in_len, int deadline_ms);

/*
 * Fork like fork(2), for a child that outlives the call; it dies with the
 * caller (PR_SET_PDEATHSIG). End it with reap().
 */
pid_t fork_tied(void);

/*
 * Wait @deadline_ms for @pid to end by itself, else kill it; either way it
 * is reaped. Returns its status, as waitpid(2) gives it.
 */
int reap(pid_t pid, int deadline_ms);
