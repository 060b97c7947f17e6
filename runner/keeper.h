/* SPDX-License-Identifier: MIT */
/*
 * keeper.h - the process between the runner and a lab.
 *
 * The runner forks a keeper for each lab. Where it may, the keeper is the
 * init of a new PID namespace, so that with it all that the lab ever
 * started is gone; elsewhere it is a subreaper and kills its descendants
 * one by one. It cannot be the lab itself: as PID 1 a lab would ignore each
 * signal without a handler.
 */
#pragma once

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

enum isolation {
	ISOLATE_GROUP,	   /* process group and subreaper */
	ISOLATE_NAMESPACE, /* PID and mount namespace, by privilege */
	ISOLATE_USER,	   /* the same inside a user namespace */
};

/* What the keeper writes to the runner, once, when the lab is over. */
struct kept {
	int exec_errno; /* why the lab could not start, or 0 */
	int status;	/* of the lab's main process, as waitpid(2) gives it */
	struct rusage usage;
	int left_behind; /* processes that the lab left running */
};

/* Bytes from the runner to the keeper; closing the pipe is KEEPER_KILL. */
enum { KEEPER_TERMINATE = 'T', KEEPER_KILL = 'K' };

struct keeper {
	pid_t pid;
	int pidfd;
	int control; /* the runner writes commands here */
	int kept;    /* and reads one struct kept here */
	int out, err;
};

/* The strongest isolation that works here; tried out, once. */
enum isolation keeper_probe(void);

/*
 * Start @argv (absolute path first) with the environment @env in the folder
 * @cwd under a new keeper. All descriptors of @keeper are non-blocking and
 * close-on-exec, and the caller's. Returns 0, or -1 with errno.
 */
int keeper_start(struct keeper *keeper, enum isolation isolation,
		 const char *const *argv, char *const *env, const char *cwd);
