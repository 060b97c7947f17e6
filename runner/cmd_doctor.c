// SPDX-License-Identifier: MIT
/*
 * cmd_doctor.c - "runner doctor": what this machine has of what the labs
 * need, and how much hangs on it.
 */
#include <argp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/probe.h"
#include "common/spawn.h"
#include "runner/commands.h"
#include "runner/note.h"
#include "runner/project.h"

enum { KEY_SOURCE = 1000, NEEDS_DEADLINE_MS = 5000 };

struct need {
	char *name;
	size_t labs, claims;
};

struct needs {
	struct need *list;
	size_t n;
	size_t labs_settled, labs, claims_settled, claims;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **source = state->input;

	switch (key) {
	case KEY_SOURCE:
		*source = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "doctor takes no arguments");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "source", KEY_SOURCE, "DIR", 0, "The source tree with labs/", 0 },
	{ 0 }
};

static void count(struct needs *needs, const char *name, size_t labs,
		  size_t claims)
{
	struct need *need = NULL;

	for (size_t i = 0; i < needs->n; i++)
		if (!strcmp(needs->list[i].name, name))
			need = &needs->list[i];
	if (!need) {
		need = push(needs->list, needs->n);
		need->name = xstrdup(name);
	}
	need->labs += labs;
	need->claims += claims;
}

/* Count what @lab needs, by its own word; false if it cannot tell. */
static bool ask_lab(struct needs *needs, const struct lab_dir *lab,
		    const struct note *note)
{
	const char *const argv[] = { lab->exe, "--needs", NULL };
	struct spawned out = spawn_program(argv, NULL, 0, NEEDS_DEADLINE_MS);
	char *rest = out.out;
	bool all_met = true;

	if (out.status != 0) {
		free(out.out);
		return false;
	}
	for (char *line; (line = strsep(&rest, "\n")) && *line;) {
		char *name = strsep(&line, "\t");
		char *met = line ? strsep(&line, "\t") : NULL;

		count(needs, name, 1, note->n_claims);
		all_met = all_met && met && !strcmp(met, "met");
	}
	needs->labs_settled += all_met;
	needs->claims_settled += all_met ? note->n_claims : 0;
	free(out.out);
	return true;
}

static void ask_all(struct needs *needs, const struct project *project)
{
	struct lab_dir *labs;
	struct error error;

	needs->labs = lab_list(project, &labs);
	for (size_t i = 0; i < needs->labs; i++) {
		char *path = xasprintf("%s/note.md", labs[i].source);
		struct note note;

		if (note_read(&note, path, &error) == -1) {
			fprintf(stderr, "runner: %s\n", error.text);
		} else {
			needs->claims += note.n_claims;
			if (access(labs[i].exe, X_OK) == -1)
				fprintf(stderr, "runner: %s is not built\n",
					labs[i].path);
			else if (!ask_lab(needs, &labs[i], &note))
				fprintf(stderr,
					"runner: %s does not tell its needs\n",
					labs[i].path);
			note_free(&note);
		}
		free(path);
		lab_dir_free(&labs[i]);
	}
	free(labs);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct need *)a)->name,
		      ((const struct need *)b)->name);
}

static void print_need(const struct need *need)
{
	struct probe p = probe(need->name);

	printf("%-6s %-22s %4zu labs %5zu claims  found %s\n",
	       p.met ? "met" : "UNMET", need->name, need->labs, need->claims,
	       p.found);
	if (!p.met)
		printf("%43sremedy: %s\n", "", p.remedy);
}

int doctor_command(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.doc = "Probe this machine for what labs can need; say what "
		       "was found, the remedy, and how many labs and claims "
		       "depend on it.",
	};
	const char *source = NULL, *meaning;
	struct needs needs = { 0 };
	struct project project;
	struct error error;
	struct utsname uts;
	bool takes_argument;

	argp_parse(&argp, argc, argv, 0, NULL, &source);
	if (project_open(&project, source, &error) == -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	ask_all(&needs, &project);
	for (size_t i = 0;; i++) {
		const char *kind = probe_kind(i, &meaning, &takes_argument);

		if (!kind)
			break;
		if (!takes_argument)
			count(&needs, kind, 0, 0);
	}
	qsort(needs.list, needs.n, sizeof(*needs.list), by_name);

	uname(&uts);
	printf("Linux %s, uid %u\n\n", uts.release, geteuid());
	for (size_t i = 0; i < needs.n; i++) {
		print_need(&needs.list[i]);
		free(needs.list[i].name);
	}
	free(needs.list);
	printf("\n%zu of %zu labs, with %zu of %zu claims, can run on this "
	       "host\n",
	       needs.labs_settled, needs.labs, needs.claims_settled,
	       needs.claims);
	return 0;
}
