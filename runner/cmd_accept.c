// SPDX-License-Identifier: MIT
/* cmd_accept.c - "runner accept LAB...": adopt what drifted. */
#include <argp.h>
#include <stdlib.h>

#include "runner/commands.h"
#include "runner/project.h"
#include "runner/record.h"

struct options {
	const char *source;
	const char **labs;
	size_t n_labs;
};

enum { KEY_SOURCE = 1000 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_SOURCE:
		options->source = arg;
		return 0;
	case ARGP_KEY_ARG:
		*push(options->labs, options->n_labs) = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "name the labs whose new output to adopt");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "source", KEY_SOURCE, "DIR", 0, "The source tree with labs/", 0 },
	{ 0 }
};

static int accept_lab(const struct project *project, const char *arg)
{
	struct lab_dir lab;
	struct error error;
	int accepted;

	if (lab_find(project, arg, &lab, &error) == -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_USAGE;
	}
	accepted = record_accept(&lab, &error);
	if (accepted == -1)
		fprintf(stderr, "runner: %s\n", error.text);
	if (accepted == 0)
		fprintf(stderr,
			"runner: %s has no drift to adopt (no *.out.new in "
			"%s/records)\n",
			lab.name, lab.path);
	lab_dir_free(&lab);
	return accepted > 0 ? 0 : EXIT_UNEXPECTED;
}

int accept_command(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.args_doc = "LAB...",
		.doc = "Make the output of a run that drifted the lab's "
		       "record.",
	};
	struct options options = { 0 };
	struct project project;
	struct error error;
	int status = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (project_open(&project, options.source, &error) == -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	for (size_t i = 0; i < options.n_labs; i++) {
		int one = accept_lab(&project, options.labs[i]);

		status = one ? one : status;
	}
	free(options.labs);
	project_close(&project);
	return status;
}
