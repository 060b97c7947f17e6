/* SPDX-License-Identifier: MIT */
/*
 * job.h - one lab at one place, from the start to the verdicts: as a child
 * of a keeper on the host, or inside a QEMU that is such a child.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "runner/guest.h"
#include "runner/place.h"
#include "runner/pool.h"
#include "runner/run.h"

struct job {
	/* Set by the caller. */
	struct run *run;
	const struct place *place;
	struct pool *pool;
	double timeout_s;
	bool cold;    /* boot, even where a snapshot could be resumed */
	bool console; /* show all of a guest's, whatever comes of it */
	bool gdb;     /* a guest waits for it, and has no deadline */
	void (*on_over)(struct job *job);
	void *context;

	/* job.c's own. */
	bool running;
	bool runner_failed; /* the fault is not the lab's */
	struct task task;
	const char *argv[3];
	char **env;
	char *tmp; /* the lab's own temporary folder, and where it starts */
	struct guest guest;
	char *modules; /* the folder of those built for the guest's kernel */
	bool started;  /* the lab, in its guest */
	uint64_t boot_deadline;
	int boots;
	char snapshot[PATH_MAX]; /* what the guest resumes, if it can */
	const char *save_argv[5];
	bool saving, saved; /* such a snapshot: now, or before */
};

/*
 * Start the job; on_over() is called when it is over, at once if it cannot
 * even start. The run is judged then, but not yet recorded.
 */
void job_start(struct job *job);

/* To be called now and then: a guest that does not boot has a deadline. */
void job_tick(struct job *job);
