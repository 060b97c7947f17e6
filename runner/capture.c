// SPDX-License-Identifier: MIT
#include "runner/capture.h"

#include <stdlib.h>
#include <string.h>

void capture_start(struct capture *capture,
		   void (*on_line)(void *context, const char *line),
		   void *context)
{
	capture->line_len = capture->line_cut = 0;
	capture->head = capture->tail = NULL;
	capture->head_len = capture->tail_len = capture->tail_start = 0;
	capture->lost = 0;
	capture->on_line = on_line;
	capture->context = context;
}

static char in_tail(const struct capture *c, size_t i)
{
	return c->tail[(c->tail_start + i) % CAPTURE_KEEP];
}

/* A byte that comes when the tail is full pushes the oldest out. */
static void keep_in_tail(struct capture *c, const char *text, size_t len)
{
	if (!c->tail)
		c->tail = xcalloc(1, CAPTURE_KEEP);
	for (size_t i = 0; i < len; i++) {
		c->tail[(c->tail_start + c->tail_len) % CAPTURE_KEEP] = text[i];
		if (c->tail_len < CAPTURE_KEEP) {
			c->tail_len++;
		} else {
			c->tail_start = (c->tail_start + 1) % CAPTURE_KEEP;
			c->lost++;
		}
	}
}

static void keep(struct capture *c, const char *text, size_t len)
{
	size_t room = CAPTURE_KEEP - c->head_len;
	size_t first = len < room ? len : room;

	if (first) {
		/* All at once: pages that no line reaches cost nothing. */
		if (!c->head)
			c->head = xcalloc(1, CAPTURE_KEEP);
		memcpy(c->head + c->head_len, text, first);
		c->head_len += first;
	}
	if (first < len)
		keep_in_tail(c, text + first, len - first);
}

static void end_line(struct capture *c)
{
	char *line = safe_text(c->line, c->line_len);

	if (c->line_cut) {
		char *cut =
			xasprintf("%s [... %zu bytes cut]", line, c->line_cut);

		free(line);
		line = cut;
	}
	if (c->on_line)
		c->on_line(c->context, line);
	keep(c, line, strlen(line));
	keep(c, "\n", 1);
	free(line);
	c->line_len = c->line_cut = 0;
}

void capture_add(struct capture *c, const char *data, size_t len)
{
	while (len) {
		const char *newline = memchr(data, '\n', len);
		size_t part = newline ? (size_t)(newline - data) : len;
		size_t room = CAPTURE_LINE_MAX - c->line_len;
		size_t fits = part < room ? part : room;

		memcpy(c->line + c->line_len, data, fits);
		c->line_len += fits;
		c->line_cut += part - fits;
		if (newline) {
			end_line(c);
			part++;
		}
		data += part;
		len -= part;
	}
}

void capture_end(struct capture *c)
{
	if (c->line_len)
		end_line(c);
}

char *capture_text(const struct capture *c)
{
	size_t head = c->head_len, skip = 0;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	/*
	 * Whole lines: half a character is no UTF-8, and half a verdict may
	 * be another one. Head and tail each hold the end of a line.
	 */
	_Static_assert(CAPTURE_KEEP > 5 * CAPTURE_LINE_MAX, "of \\xNN each");
	if (c->lost) {
		while (c->head[head - 1] != '\n')
			head--;
		while (in_tail(c, skip++) != '\n')
			;
	}
	if (head)
		fwrite(c->head, 1, head, out);
	if (c->lost)
		fprintf(out, "[... %zu bytes cut ...]\n",
			c->lost + c->head_len - head + skip);
	for (; skip < c->tail_len; skip++)
		fputc(in_tail(c, skip), out);
	fclose(out);
	return text;
}

void capture_free(struct capture *c)
{
	free(c->head);
	free(c->tail);
	c->head = c->tail = NULL;
}
