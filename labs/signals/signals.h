/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What became of the text when a handler interrupted a printf; mild first. */
enum outcome { WHOLE, SPLIT, DOUBLED, LOST, HUNG, OUTCOMES };

/*
 * Compare @out with @text, into which @line was to be inserted: WHOLE at the
 * start of a line, SPLIT inside of one, else DOUBLED if it is longer than
 * both together, and LOST if not.
 */
enum outcome judge(const char *out, const char *text, const char *line);

/* How a handler reports its signal. */
enum manner { BY_PRINTF, BY_WRITE, BY_FLAG };

struct experiment {
	const char *name;
	enum manner manner;
	bool to_file;	    /* fully buffered, else by lines as a terminal */
	bool second_thread; /* idle, but libc then locks in earnest */
};

#define POINTS_MAX 65536
/* The outcome for a signal before each instruction of one printf. */
struct exploration {
	size_t points;
	unsigned char outcome[POINTS_MAX];
};

/*
 * Step through one printf; before each instruction fork, and let the fork
 * take a SIGINT there and then run on. @found is memory shared with forks.
 * False if the process that steps came to a bad end.
 */
bool explore(const struct experiment *experiment, struct exploration *found);

size_t count(const struct exploration *found, enum outcome outcome);

/* What stands in the way of explore() here, or NULL. */
const char *cannot_explore(void);

#define FRAMES_MAX   24
#define FRAME_NAME   48
#define SIGNAL_FRAME "<signal>"
struct stack {
	size_t depth;
	char name[FRAMES_MAX][FRAME_NAME]; /* innermost first */
};

/* Whether a printf called by @handler interrupted another printf. */
bool printf_over_printf(const struct stack *stack, const char *handler);

/* Whether libc's @version, such as "2.36", is @major.@minor or later. */
bool version_since(const char *version, int major, int minor);
