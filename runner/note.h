/* SPDX-License-Identifier: MIT */
/* note.h - a lab's note.md: front matter, and the sentences of its claims. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "runner/util.h"

enum { CLAIM_ID_MAX = 64 };

/* One item of "## Claims" or "## Refuted". */
struct claim {
	char *id;
	char *sentence; /* one line of plain text */
	char *really;	/* what is really so; NULL under Claims */
	bool refuted;	/* listed under Refuted */
	int line;	/* in note.md */
};

struct note {
	char *title;
	char *topic;
	char *sources; /* or NULL */
	char **notes;  /* "2023-10/memfd-create", ... */
	size_t n_notes;
	struct claim *claims; /* in the order of the note */
	size_t n_claims;
};

/*
 * Read @path. What is malformed is an error that names file, line and what
 * was expected. On success note_free() releases it.
 */
int note_read(struct note *note, const char *path, struct error *error);
void note_free(struct note *note);

/* The claim @id, or NULL. */
const struct claim *note_claim(const struct note *note, const char *id);

/* Whether @id is lower case words and digits joined by single hyphens. */
bool claim_id_valid(const char *id);
