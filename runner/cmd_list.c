// SPDX-License-Identifier: MIT
/* cmd_list.c - "runner list": the labs, from their notes. */
#include <argp.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "runner/commands.h"
#include "runner/note.h"
#include "runner/project.h"

struct options {
	const char *source;
	const char *label;
	bool markdown;
};

enum { KEY_SOURCE = 1000, KEY_MARKDOWN };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'L':
		options->label = arg;
		return 0;
	case KEY_SOURCE:
		options->source = arg;
		return 0;
	case KEY_MARKDOWN:
		options->markdown = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "list takes no arguments");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "label", 'L', "TOPIC", 0, "Only labs of this topic", 0 },
	{ "markdown", KEY_MARKDOWN, NULL, 0, "Print the README's table", 0 },
	{ "source", KEY_SOURCE, "DIR", 0, "The source tree with labs/", 0 },
	{ 0 }
};

static int is_record(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 4 && entry->d_name[0] != '.' &&
	       !strcmp(entry->d_name + len - 4, ".out");
}

/* "6.1, 6.18" */
static char *recorded_series(const struct lab_dir *lab)
{
	char *dir = xasprintf("%s/records", lab->source);
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_record, versionsort);
	char *text = xstrdup("");

	for (int i = 0; i < n; i++) {
		char *more = xasprintf("%s%s%.*s", text, i ? ", " : "",
				       (int)strlen(names[i]->d_name) - 4,
				       names[i]->d_name);

		free(text);
		text = more;
		free(names[i]);
	}
	free(names);
	free(dir);
	return text;
}

static size_t count_refuted(const struct note *note)
{
	size_t n = 0;

	for (size_t i = 0; i < note->n_claims; i++)
		n += note->claims[i].refuted;
	return n;
}

static void print_lab(const struct options *options, const struct lab_dir *lab,
		      const struct note *note)
{
	char *series = recorded_series(lab);
	size_t refuted = count_refuted(note);

	if (options->markdown)
		printf("| [`%s`](%s/note.md) | %s | %s | %zu | %zu | %s |\n",
		       lab->name, lab->path, note->topic, note->title,
		       note->n_claims - refuted, refuted, series);
	else
		printf("%-20s %-10s %3zu claims  %s\n", lab->name, note->topic,
		       note->n_claims, note->title);
	free(series);
}

int list_command(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.doc = "List the labs: name, topic, claims, title.",
	};
	struct options options = { 0 };
	struct project project;
	struct lab_dir *labs;
	struct error error;
	int status = 0;
	size_t n;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (project_open(&project, options.source, &error) == -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	if (options.markdown)
		puts("| lab | topic | what it shows | claims | refuted | "
		     "recorded on Linux |\n"
		     "| --- | --- | --- | ---: | ---: | --- |");
	n = lab_list(&project, &labs);
	for (size_t i = 0; i < n; i++) {
		char *path = xasprintf("%s/note.md", labs[i].source);
		struct note note;

		if (note_read(&note, path, &error) == -1) {
			fprintf(stderr, "runner: %s\n", error.text);
			status = EXIT_UNEXPECTED;
		} else {
			if (!options.label ||
			    !strcmp(options.label, note.topic))
				print_lab(&options, &labs[i], &note);
			note_free(&note);
		}
		free(path);
		lab_dir_free(&labs[i]);
	}
	free(labs);
	project_close(&project);
	return status;
}
