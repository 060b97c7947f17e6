// SPDX-License-Identifier: MIT
/* cmd_new.c - "runner new NAME": a lab's folder, to be filled in. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "runner/commands.h"
#include "runner/project.h"

struct options {
	const char *source, *name, *note, *topic;
};

enum { KEY_SOURCE = 1000, KEY_NOTE, KEY_TOPIC };

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case KEY_SOURCE:
		options->source = arg;
		return 0;
	case KEY_NOTE:
		options->note = arg;
		return 0;
	case KEY_TOPIC:
		options->topic = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (options->name)
			argp_error(state, "one name at a time");
		options->name = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "name the lab");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "note", KEY_NOTE, "ARCHIVE/TITLE", 0,
	  "The note that the lab proves, such as 2023-10/mprotect", 0 },
	{ "topic", KEY_TOPIC, "TOPIC", 0, "memory, process, ... (default misc)",
	  0 },
	{ "source", KEY_SOURCE, "DIR", 0, "The source tree with labs/", 0 },
	{ 0 }
};

/* In the templates, @NAME@, @NOTE@ and @TOPIC@ are replaced. */
static const struct {
	const char *suffix; /* behind NAME if it begins with '_' or '.' */
	const char *text;
} templates[] = {
	{ "CMakeLists.txt", "lab(@NAME@)\n" },
	{ "note.md",
	  "---\n"
	  "title: One sentence that says what the reader will see\n"
	  "topic: @TOPIC@\n"
	  "notes: @NOTE@\n"
	  "sources: the man page, the kernel file\n"
	  "---\n"
	  "\n"
	  "What happens here, why it matters, and what people get wrong.\n"
	  "\n"
	  "## Claims\n"
	  "\n"
	  "- `first-claim`: One observable fact in the present tense, naming "
	  "the call\n"
	  "  and the errno.\n" },
	{ ".h",
	  "/* SPDX-License-Identifier: MIT */\n"
	  "#pragma once\n"
	  "\n"
	  "/* What demo and test share: say what it means, and its errors. */\n"
	  "int answer(void);\n" },
	{ ".c", "// SPDX-License-Identifier: MIT\n"
		"/*\n"
		" * @NAME@ - what the reader will learn, in one sentence.\n"
		" */\n"
		"#include \"@NAME@.h\"\n"
		"\n"
		"#include <stdio.h>\n"
		"\n"
		"#include \"common/lab.h\"\n"
		"\n"
		"int answer(void)\n"
		"{\n"
		"\treturn 42;\n"
		"}\n"
		"\n"
		"static void demo(void)\n"
		"{\n"
		"\tprintf(\"the answer is %d\\n\", answer());\n"
		"\t/*\n"
		"\t * Report each claim of note.md, and its control:\n"
		"\t *\n"
		"\t *\tclaim(\"first-claim\", errno_of(call) == EPERM);\n"
		"\t *\tcontrol(\"first-claim\", errno_of(other call) == 0);\n"
		"\t */\n"
		"}\n"
		"\n"
		"const struct lab lab = {\n"
		"\t.name = \"@NAME@\",\n"
		"\t.demo = demo,\n"
		"};\n" },
	{ "_test.c", "// SPDX-License-Identifier: MIT\n"
		     "#include \"@NAME@.h\"\n"
		     "\n"
		     "#include \"common/lab_test.h\"\n"
		     "\n"
		     "START_TEST(answer_is_what_the_note_says)\n"
		     "{\n"
		     "\tck_assert_int_eq(answer(), 42);\n"
		     "}\n"
		     "END_TEST\n"
		     "\n"
		     "void lab_tests(TCase *logic, TCase *live)\n"
		     "{\n"
		     "\t(void)live;\n"
		     "\ttcase_add_test(logic, answer_is_what_the_note_says);\n"
		     "}\n" },
};

static void fill_in(FILE *out, const char *text, const struct options *options)
{
	while (*text) {
		if (!strncmp(text, "@NAME@", 6)) {
			fputs(options->name, out);
			text += 6;
		} else if (!strncmp(text, "@NOTE@", 6)) {
			fputs(options->note, out);
			text += 6;
		} else if (!strncmp(text, "@TOPIC@", 7)) {
			fputs(options->topic, out);
			text += 7;
		} else {
			fputc(*text++, out);
		}
	}
}

static int write_template(const struct options *options, const char *dir,
			  size_t i, struct error *error)
{
	const char *suffix = templates[i].suffix;
	bool named = *suffix == '.' || *suffix == '_';
	char *name = xasprintf("%s%s", named ? options->name : "", suffix);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	int ret;

	fill_in(out, templates[i].text, options);
	fclose(out);
	ret = replace_file(dir, name, text, len, error);
	free(text);
	free(name);
	return ret;
}

int new_command(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.args_doc = "NAME",
		.doc = "Write the folder of a new lab. It builds, and fails "
		       "until its claims are written.",
	};
	struct options options = { .note = "", .topic = "misc" };
	struct project project;
	struct error error;
	char *dir;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (!lab_name_valid(options.name)) {
		fprintf(stderr,
			"runner: \"%s\" cannot be a lab's name; expected a "
			"lower case letter, then letters, digits and "
			"underscores\n",
			options.name);
		return EXIT_USAGE;
	}
	if (project_open(&project, options.source, &error) == -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	dir = xasprintf("%s/labs/%s", project.source, options.name);
	if (mkdir(dir, 0777) == -1) {
		fprintf(stderr, "runner: cannot make labs/%s: %s\n",
			options.name, strerror(errno));
		return errno == EEXIST ? EXIT_USAGE : EXIT_BROKEN;
	}
	for (size_t i = 0; i < sizeof(templates) / sizeof(*templates); i++)
		if (write_template(&options, dir, i, &error) == -1) {
			fprintf(stderr, "runner: %s\n", error.text);
			return EXIT_BROKEN;
		}
	printf("labs/%s: edit note.md and %s.c, then build and run it\n",
	       options.name, options.name);
	free(dir);
	project_close(&project);
	return 0;
}
