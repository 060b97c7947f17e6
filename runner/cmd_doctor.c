// SPDX-License-Identifier: MIT
/*
 * cmd_doctor.c - "runner doctor": what this machine has of what the labs
 * need, and how much hangs on it.
 */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/probe.h"
#include "runner/commands.h"
#include "runner/needs.h"
#include "runner/note.h"
#include "runner/project.h"

enum { KEY_SOURCE = 1000 };

/* A need, and how much hangs on it. */
struct weight {
	char *name;
	size_t labs, claims;
};

struct tally {
	struct weight *weights;
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

static void count(struct tally *tally, const char *name, size_t labs,
		  size_t claims)
{
	struct weight *weight = NULL;

	for (size_t i = 0; i < tally->n; i++)
		if (!strcmp(tally->weights[i].name, name))
			weight = &tally->weights[i];
	if (!weight) {
		weight = push(tally->weights, tally->n);
		weight->name = xstrdup(name);
	}
	weight->labs += labs;
	weight->claims += claims;
}

static void count_lab(struct tally *tally, const struct lab_dir *lab)
{
	char *path = xasprintf("%s/note.md", lab->source);
	struct needs needs = { 0 };
	struct note note = { 0 };
	struct error error;

	if (note_read(&note, path, &error) == -1 ||
	    needs_ask(lab, &needs, &error) == -1) {
		tally->claims += note.n_claims;
		fprintf(stderr, "runner: %s\n", error.text);
	} else {
		bool settled = needs_met(&needs);

		tally->claims += note.n_claims;
		tally->labs_settled += settled;
		tally->claims_settled += settled ? note.n_claims : 0;
		for (size_t i = 0; i < needs.n; i++)
			count(tally, needs.list[i].name, 1, note.n_claims);
	}
	needs_free(&needs);
	note_free(&note);
	free(path);
}

static void count_all(struct tally *tally, const struct project *project)
{
	struct lab_dir *labs;

	tally->labs = lab_list(project, &labs);
	for (size_t i = 0; i < tally->labs; i++) {
		count_lab(tally, &labs[i]);
		lab_dir_free(&labs[i]);
	}
	free(labs);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct weight *)a)->name,
		      ((const struct weight *)b)->name);
}

static void print_weight(const struct weight *weight)
{
	struct probe p = probe(weight->name);

	printf("%-6s %-22s %4zu labs %5zu claims  found %s\n",
	       p.met ? "met" : "UNMET", weight->name, weight->labs,
	       weight->claims, p.found);
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
	struct tally tally = { 0 };
	struct project project;
	struct error error;
	struct utsname uts;
	bool takes_argument;

	argp_parse(&argp, argc, argv, 0, NULL, &source);
	if (project_open(&project, source, &error) == -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	count_all(&tally, &project);
	for (size_t i = 0;; i++) {
		const char *kind = probe_kind(i, &meaning, &takes_argument);

		if (!kind)
			break;
		if (!takes_argument)
			count(&tally, kind, 0, 0);
	}
	qsort(tally.weights, tally.n, sizeof(*tally.weights), by_name);

	uname(&uts);
	printf("Linux %s, uid %u\n\n", uts.release, geteuid());
	for (size_t i = 0; i < tally.n; i++) {
		print_weight(&tally.weights[i]);
		free(tally.weights[i].name);
	}
	free(tally.weights);
	printf("\n%zu of %zu labs, with %zu of %zu claims, can run on this "
	       "host\n",
	       tally.labs_settled, tally.labs, tally.claims_settled,
	       tally.claims);
	project_close(&project);
	return 0;
}
