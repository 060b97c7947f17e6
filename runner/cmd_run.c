// SPDX-License-Identifier: MIT
/* cmd_run.c - "runner [run] LAB...": run, judge, record, report. */
#include <argp.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runner/commands.h"
#include "runner/job.h"
#include "runner/place.h"
#include "runner/pool.h"
#include "runner/project.h"
#include "runner/record.h"
#include "runner/report.h"
#include "runner/run.h"

enum format { FORMAT_TEXT, FORMAT_TAP, FORMAT_JUNIT, FORMAT_JSON };
static const char *const formats[] = { "text", "tap", "junit", "json" };

enum colour { COLOUR_AUTO, COLOUR_ALWAYS, COLOUR_NEVER };
static const char *const colour_words[] = { "auto", "always", "never" };

struct options {
	const char *source;
	const char **labs;
	size_t n_labs;
	regex_t only;
	bool has_only;
	const char *label;
	char *kernels; /* "host,6.1", or NULL: wherever it can run */
	long jobs;
	double timeout_s;
	enum format format;
	enum colour colour;
	bool check, console, gdb, verbose, quiet, warm;
};

/* A week; what the pool waits for must fit an int of milliseconds. */
enum { NO_DEADLINE_S = 7 * 86400 };

enum {
	KEY_CHECK = 1000,
	KEY_TIMEOUT,
	KEY_FORMAT,
	KEY_COLOUR,
	KEY_SOURCE,
	KEY_KERNEL,
	KEY_WARM,
	KEY_CONSOLE,
	KEY_GDB
};

static int word(struct argp_state *state, const char *arg, const char *what,
		const char *const *words, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(arg, words[i]))
			return i;
	argp_error(state, "unknown %s \"%s\"", what, arg);
	return 0;
}

static double number(struct argp_state *state, const char *arg,
		     const char *what, double max)
{
	char *end;
	double value = strtod(arg, &end);

	if (*end || end == arg || !(value > 0) || value > max)
		argp_error(state,
			   "%s must be a number above 0, at most %g; "
			   "found \"%s\"",
			   what, max, arg);
	return value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'j':
		options->jobs = number(state, arg, "-j", 1024);
		return 0;
	case 'k':
		if (regcomp(&options->only, arg, REG_EXTENDED | REG_NOSUB))
			argp_error(state, "not a regular expression: \"%s\"",
				   arg);
		options->has_only = true;
		return 0;
	case 'L':
		options->label = arg;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case KEY_CHECK:
		options->check = true;
		return 0;
	case KEY_WARM:
		options->warm = true;
		return 0;
	case KEY_TIMEOUT:
		options->timeout_s = number(state, arg, "--timeout", 86400);
		return 0;
	case KEY_KERNEL:
		options->kernels = arg;
		return 0;
	case KEY_CONSOLE:
		options->console = true;
		return 0;
	case KEY_GDB:
		options->gdb = true;
		return 0;
	case KEY_FORMAT:
		options->format = word(state, arg, "format", formats, 4);
		return 0;
	case KEY_COLOUR:
		options->colour = word(state, arg, "colour", colour_words, 3);
		return 0;
	case KEY_SOURCE:
		options->source = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->gdb)
			return 0;
		if (!options->kernels || options->jobs > 1)
			argp_error(state,
				   "--gdb is for one guest at a time, which "
				   "--kernel names");
		options->timeout_s = NO_DEADLINE_S;
		return 0;
	case ARGP_KEY_ARG:
		*push(options->labs, options->n_labs) = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "jobs", 'j', "N", 0, "Run N labs at a time (default 1)", 0 },
	{ NULL, 'k', "REGEX", 0, "Only labs whose name matches REGEX", 0 },
	{ "label", 'L', "TOPIC", 0, "Only labs of this topic", 0 },
	{ "check", KEY_CHECK, NULL, 0,
	  "Compare with the records and write nothing; the default when CI is "
	  "set",
	  0 },
	{ "kernel", KEY_KERNEL, "K[,K...]", 0,
	  "Run on each of these: host, or a kernel of \"runner kernels\" "
	  "(default: the host, else the cheapest guest that has what the lab "
	  "needs)",
	  0 },
	{ "warm", KEY_WARM, NULL, 0,
	  "Resume a guest from a snapshot of its kernel, made on the first "
	  "run, instead of booting it; labs with KVM or a module boot anyway",
	  0 },
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0,
	  "Kill a lab that runs longer (default 60)", 0 },
	{ "console", KEY_CONSOLE, NULL, 0,
	  "Show the whole console of each guest, its boot included", 0 },
	{ "gdb", KEY_GDB, NULL, 0,
	  "Let the guest wait for gdb, without a deadline; needs --kernel", 0 },
	{ "format", KEY_FORMAT, "text|tap|junit|json", 0,
	  "What to print (default text)", 0 },
	{ "color", KEY_COLOUR, "auto|always|never", 0,
	  "Colour the text; auto is for a terminal without NO_COLOR", 0 },
	{ "source", KEY_SOURCE, "DIR", 0,
	  "The source tree with labs/ (default: the one this was built from)",
	  0 },
	{ "verbose", 'v', NULL, 0,
	  "Show controls, conditions and stderr as well", 0 },
	{ "quiet", 'q', NULL, 0, "Only the totals, and what did not pass", 0 },
	{ 0 }
};

static const char doc[] =
	"Run labs, judge their claims against their notes, record what came "
	"out.\vWithout LAB, all labs run. A LAB is a name or a folder.\n\n"
	"Other commands: accept, doctor, kernels, list, new; "
	"\"runner COMMAND --help\" tells of each.\n\n"
	"Exit status: 0 all as expected, 1 a failure or a drift, 2 wrong "
	"usage, 77 all were skipped, 99 the runner itself failed.";

/* A lab to run: at one place, or wherever it can. */
struct slot {
	struct session *session;
	struct job job;
	struct run *run;   /* the result, once it is done */
	size_t next_place; /* to try, if the lab must skip at this one */
	bool any_place;
	bool serial;
	bool running;
};

struct session {
	const struct options *options;
	struct project project;
	struct pool *pool;
	struct place *places;
	size_t n_places;
	struct slot *slots;
	struct run **runs; /* what is done, in the order of the slots */
	size_t n, done;
	bool colour, progress, runner_failed;
};

static bool wanted(const struct options *options, const struct run *run)
{
	if (options->has_only &&
	    regexec(&options->only, run->lab.name, 0, NULL, 0) != 0)
		return false;
	return !options->label ||
	       (run->has_note && !strcmp(run->note.topic, options->label));
}

/* Take over @dir: a slot at each of the chosen places, or one at any. */
static void add_lab(struct session *session, struct lab_dir dir)
{
	char *serial = xasprintf("%s.serial", dir.exe);
	size_t n = session->options->kernels ? session->n_places : 1;

	for (size_t i = 0; i < n; i++) {
		struct run *run = run_new(lab_dir_copy(&dir));
		struct slot *slot;

		if (!wanted(session->options, run)) {
			run_free(run);
			continue;
		}
		slot = push(session->slots, session->n);
		slot->run = run;
		slot->next_place = i;
		slot->any_place = !session->options->kernels;
		slot->serial = access(serial, F_OK) == 0;
	}
	lab_dir_free(&dir);
	free(serial);
}

static int choose_labs(struct session *session)
{
	const struct options *options = session->options;
	struct lab_dir *all, lab;
	struct error error;

	if (options->n_labs == 0) {
		size_t n = lab_list(&session->project, &all);

		for (size_t i = 0; i < n; i++)
			add_lab(session, all[i]);
		free(all);
	}
	for (size_t i = 0; i < options->n_labs; i++) {
		if (lab_find(&session->project, options->labs[i], &lab,
			     &error) == -1) {
			fprintf(stderr, "runner: %s\n", error.text);
			return EXIT_USAGE;
		}
		add_lab(session, lab);
	}
	if (session->n == 0) {
		fprintf(stderr, "runner: no lab matches; \"runner list\" shows "
				"all\n");
		return EXIT_USAGE;
	}
	return 0;
}

static int choose_places(struct session *session)
{
	char *rest = session->options->kernels;
	struct error error;

	if (!rest) {
		session->n_places = place_list(&session->places);
		return 0;
	}
	for (char *name; (name = strsep(&rest, ","));) {
		struct place place;

		if (place_find(name, &place, &error) == -1) {
			fprintf(stderr, "runner: %s\n", error.text);
			return EXIT_USAGE;
		}
		*push(session->places, session->n_places) = place;
	}
	return 0;
}

static void print_run(struct session *session, const struct run *run)
{
	const struct options *options = session->options;

	if (options->format != FORMAT_TEXT ||
	    (options->quiet && run->status <= STATUS_SKIP))
		return;
	if (session->done > 1 && !options->quiet)
		puts("");
	report_text(stdout, run, session->colour, options->verbose);
	fflush(stdout);
}

static void print_progress(const struct session *session)
{
	if (!session->progress)
		return;
	fprintf(stderr, "\r\033[K[%zu/%zu]", session->done, session->n);
	for (size_t i = 0; i < session->n; i++)
		if (session->slots[i].running)
			fprintf(stderr, " %s on %s",
				session->slots[i].job.run->lab.name,
				session->slots[i].job.place->name);
	fputs("\r", stderr);
}

static void clear_progress(const struct session *session)
{
	if (session->progress)
		fputs("\r\033[K", stderr);
}

static void start(struct slot *slot, struct run *run);

/* The next place that may have what the lab skipped for; false without. */
static bool try_elsewhere(struct slot *slot)
{
	struct session *session = slot->session;
	struct needs needs;
	struct error error;
	bool found = false;

	if (needs_ask(&slot->run->lab, &needs, &error) == -1)
		return false;
	while (!found && slot->next_place < session->n_places) {
		char *why;

		found = place_offers(&session->places[slot->next_place], &needs,
				     &why);
		free(why);
		slot->next_place += !found;
	}
	if (found) {
		start(slot, run_new(lab_dir_copy(&slot->run->lab)));
	} else {
		char *line = place_remedy(&needs, session->project.source);

		if (line)
			run_reason(slot->run, STATUS_SKIP,
				   "it can run in a guest; prepare one with: "
				   "%s",
				   line);
		free(line);
	}
	needs_free(&needs);
	return found;
}

static void on_over(struct job *job)
{
	struct slot *slot = job->context;
	struct session *session = slot->session;

	slot->running = false;
	session->runner_failed = session->runner_failed || job->runner_failed;
	record_update(job->run, !session->options->check);
	/* What one place skips, the last and the first to say so tell. */
	if (job->run != slot->run) {
		if (job->run->status == STATUS_SKIP) {
			run_free(job->run);
		} else {
			run_free(slot->run);
			slot->run = job->run;
		}
	}
	if (slot->any_place && slot->run->status == STATUS_SKIP &&
	    !pool_signal(session->pool) && try_elsewhere(slot))
		return;
	session->done++;
	clear_progress(session);
	print_run(session, slot->run);
	print_progress(session);
}

/* Begin @run at the slot's next place. */
static void start(struct slot *slot, struct run *run)
{
	struct session *session = slot->session;

	slot->job = (struct job){
		.run = run,
		.place = &session->places[slot->next_place++],
		.pool = session->pool,
		.timeout_s = session->options->timeout_s,
		.cold = !session->options->warm,
		.console = session->options->console,
		.gdb = session->options->gdb,
		.on_over = on_over,
		.context = slot,
	};
	slot->running = true;
	print_progress(session);
	job_start(&slot->job);
}

/* Labs that touch global state have the machine to themselves. */
static bool may_start(const struct session *session, const struct slot *slot)
{
	size_t running = 0;

	for (size_t i = 0; i < session->n; i++) {
		running += session->slots[i].running;
		if (session->slots[i].running && session->slots[i].serial)
			return false;
	}
	return running < (size_t)session->options->jobs &&
	       (!slot->serial || running == 0);
}

/* See to guests that boot; returns how long the next look may wait. */
static int tick(struct session *session)
{
	int wait_ms = -1;

	for (size_t i = 0; i < session->n; i++) {
		struct slot *slot = &session->slots[i];

		if (!slot->running || slot->job.place->is_host)
			continue;
		job_tick(&slot->job);
		wait_ms = slot->job.started ? wait_ms : 100;
	}
	return wait_ms;
}

static void run_all(struct session *session)
{
	bool stopped = false;
	size_t next = 0;

	while (pool_running(session->pool) || (next < session->n && !stopped)) {
		if (!stopped && next < session->n &&
		    may_start(session, &session->slots[next])) {
			start(&session->slots[next], session->slots[next].run);
			next++;
			continue;
		}
		stopped = !pool_step(session->pool, tick(session)) || stopped;
		/* Nobody reads on: what runs is ended, the rest not begun. */
		if (ferror(stdout) && !stopped) {
			stopped = true;
			kill(getpid(), SIGTERM);
		}
	}
	clear_progress(session);
	/* What was never begun is no result. */
	for (size_t i = next; i < session->n; i++)
		run_free(session->slots[i].run);
	session->n = next;
	session->runs = xcalloc(next + 1, sizeof(*session->runs));
	for (size_t i = 0; i < next; i++)
		session->runs[i] = session->slots[i].run;
}

static void report(const struct session *session)
{
	struct run **runs = session->runs;
	size_t n = session->n;

	switch (session->options->format) {
	case FORMAT_TEXT:
		if (session->options->kernels && session->n_places > 1)
			report_table(stdout, runs, n);
		if (n > 1)
			report_totals(stdout, runs, n, session->colour);
		break;
	case FORMAT_TAP:
		report_tap(stdout, runs, n);
		break;
	case FORMAT_JUNIT:
		report_junit(stdout, runs, n);
		break;
	case FORMAT_JSON:
		report_json(stdout, runs, n);
		break;
	}
}

static int exit_status(const struct session *session)
{
	struct totals t = totals_of(session->runs, session->n);

	for (size_t i = 0; i < session->n; i++)
		if (session->runs[i]->could_not_record)
			return EXIT_BROKEN;
	if (session->runner_failed)
		return EXIT_BROKEN;
	if (t.by_status[STATUS_ERROR] || t.by_status[STATUS_FAIL] ||
	    t.by_status[STATUS_DRIFT])
		return EXIT_UNEXPECTED;
	return t.by_status[STATUS_PASS] ? 0 : EXIT_SKIPPED;
}

static bool want_colour(enum colour colour)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

	if (colour != COLOUR_AUTO)
		return colour == COLOUR_ALWAYS;
	return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term &&
	       strcmp(term, "dumb") != 0;
}

/* Die by the signal that stopped us, so that a shell loop around ends too. */
static void die_by(int stop)
{
	sigset_t none;

	fflush(stdout);
	fprintf(stderr, "runner: stopped by SIG%s\n", sigabbrev_np(stop));
	sigemptyset(&none);
	signal(stop, SIG_DFL);
	raise(stop);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int prepare(struct session *session)
{
	struct error error;
	int status;

	if (project_open(&session->project, session->options->source, &error) ==
	    -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	status = choose_places(session);
	if (status == 0)
		status = choose_labs(session);
	if (status)
		return status;
	/* Only now: pushing moves them. */
	for (size_t i = 0; i < session->n; i++)
		session->slots[i].session = session;
	session->pool = pool_new(&error);
	if (!session->pool) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	session->colour = want_colour(session->options->colour);
	session->progress = session->n > 1 && isatty(STDERR_FILENO);
	return 0;
}

static void clean_up(struct session *session)
{
	for (size_t i = 0; i < session->n; i++)
		run_free(session->slots[i].run);
	for (size_t i = 0; i < session->n_places; i++)
		free(session->places[i].name);
	free(session->places);
	free(session->slots);
	free(session->runs);
	project_close(&session->project);
	pool_free(session->pool);
}

int run_command(int argc, char **argv)
{
	const struct argp argp = { argp_options, parse, "[LAB...]", doc,
				   NULL,	 NULL,	NULL };
	const char *ci = getenv("CI");
	struct options options = {
		.jobs = 1,
		.timeout_s = 60,
		.check = ci && *ci,
	};
	struct session session = { .options = &options };
	int status, stop = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	status = prepare(&session);
	if (status == 0) {
		run_all(&session);
		report(&session);
		status = exit_status(&session);
		stop = pool_signal(session.pool);
	}
	clean_up(&session);
	free(options.labs);
	if (options.has_only)
		regfree(&options.only);
	if (stop && !ferror(stdout))
		die_by(stop);
	return status;
}
