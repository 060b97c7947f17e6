/* SPDX-License-Identifier: MIT */
/*
 * capture.h - a stream of bytes, cut into lines fit for printing, of which
 * the head and the tail are kept: however much comes, memory stays bounded.
 */
#pragma once

#include <stddef.h>

#include "runner/util.h"

enum { CAPTURE_LINE_MAX = 64 << 10, CAPTURE_KEEP = 1 << 20 };

struct capture {
	char line[CAPTURE_LINE_MAX]; /* raw, not yet ended */
	size_t line_len;
	size_t line_cut;   /* bytes of the line beyond the maximum */
	char *head, *tail; /* safe text; tail is a ring */
	size_t head_len, tail_len, tail_start;
	size_t lost; /* bytes between head and tail */
	void (*on_line)(void *context, const char *line);
	void *context;
};

/* @on_line may be NULL; it gets each line as safe text, without newline. */
void capture_start(struct capture *capture,
		   void (*on_line)(void *context, const char *line),
		   void *context);
void capture_add(struct capture *capture, const char *data, size_t len);

/* The stream is over; a last line without newline counts. */
void capture_end(struct capture *capture);

/* What was kept, with the cut marked; free() it. */
char *capture_text(const struct capture *capture);
void capture_free(struct capture *capture);
