/* SPDX-License-Identifier: MIT */
/*
 * pool.h - programs that run at the same time, each under a keeper and a
 * deadline, in one event loop. Nothing that a program does can block it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/outcome.h"
#include "runner/util.h"

struct pool;

struct task {
	const char *const *argv; /* absolute path first */
	char *const *env;
	const char *cwd;
	double timeout_s; /* then SIGTERM, a grace of 2 s, SIGKILL */
	/* Bytes of stdout, or with @is_err of stderr. */
	void (*on_data)(void *context, bool is_err, const char *data,
			size_t len);
	/* All is over; @left_behind processes were killed. */
	void (*on_end)(void *context, const struct outcome *outcome,
		       int left_behind);
	void *context;
};

struct pool *pool_new(struct error *error);
void pool_free(struct pool *pool);

/* Start @task, which must stay valid until its on_end() returned. */
int pool_start(struct pool *pool, const struct task *task, struct error *error);

/* From now on @task has @seconds left; 0 ends it. */
void pool_set_deadline(struct pool *pool, const struct task *task,
		       double seconds);

/* How many run. */
size_t pool_running(const struct pool *pool);

/*
 * Wait for something to happen, @wait_ms at most (-1: no limit), and handle
 * it. Returns false if a signal (SIGINT, SIGTERM, SIGHUP) asked to stop; all
 * tasks then are on their way to their end, as if by deadline.
 */
bool pool_step(struct pool *pool, int wait_ms);

/* The signal that asked to stop, or 0. */
int pool_signal(const struct pool *pool);
