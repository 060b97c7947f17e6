/* SPDX-License-Identifier: MIT */
#pragma once

#define TRACEFS	 "/sys/kernel/tracing"
#define INSTANCE TRACEFS "/instances/notelab"

/*
 * Make the instance INSTANCE of the tracer. When the process exits, also by
 * die(), it is removed, and all events are off. Ends the lab if some are on
 * before: somebody else is tracing.
 */
void tracefs_borrow(void);

/* Write @text to @path. Returns the errno, or 0. */
int put_text(const char *path, const char *text);
