// SPDX-License-Identifier: MIT
#include "runner/needs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/spawn.h"

enum { DEADLINE_MS = 5000 };

/* One line: name, met or unmet, what was found, the remedy. */
static bool add_line(struct needs *needs, char *line)
{
	char *field[4];
	struct need *need;

	for (int i = 0; i < 4; i++) {
		field[i] = strsep(&line, "\t");
		if (!field[i])
			return false;
	}
	need = push(needs->list, needs->n);
	need->name = safe_text(field[0], strlen(field[0]));
	need->met = !strcmp(field[1], "met");
	need->found = safe_text(field[2], strlen(field[2]));
	need->remedy = safe_text(field[3], strlen(field[3]));
	return true;
}

int needs_ask(const struct lab_dir *lab, struct needs *needs,
	      struct error *error)
{
	const char *const argv[] = { lab->exe, "--needs", NULL };
	struct spawned out;
	char *rest;
	bool good;

	*needs = (struct needs){ 0 };
	if (access(lab->exe, X_OK) == -1)
		return fail(error,
			    "%s is not built: %s; remedy: build it, with "
			    "\"cmake --build\" in the build directory",
			    lab->path, strerror(errno));
	out = spawn_program(argv, NULL, 0, DEADLINE_MS);
	good = out.status == 0;
	rest = out.out;
	for (char *line; good && (line = strsep(&rest, "\n")) && *line;)
		good = add_line(needs, line);
	free(out.out);
	if (good)
		return 0;
	needs_free(needs);
	return fail(error, "%s does not tell its needs (--needs)", lab->path);
}

void needs_free(struct needs *needs)
{
	for (size_t i = 0; i < needs->n; i++) {
		free(needs->list[i].name);
		free(needs->list[i].found);
		free(needs->list[i].remedy);
	}
	free(needs->list);
	*needs = (struct needs){ 0 };
}

bool needs_met(const struct needs *needs)
{
	for (size_t i = 0; i < needs->n; i++)
		if (!needs->list[i].met)
			return false;
	return true;
}

const struct need *needs_find(const struct needs *needs, const char *name)
{
	for (size_t i = 0; i < needs->n; i++)
		if (!strcmp(needs->list[i].name, name))
			return &needs->list[i];
	return NULL;
}
