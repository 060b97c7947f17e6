// SPDX-License-Identifier: MIT
/* cmd_run.c - "runner [run] LAB...": run, judge, record, report. */
#include <argp.h>
#include <errno.h>
#include <ftw.h>
#include <regex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "runner/commands.h"
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
	long jobs;
	double timeout_s;
	enum format format;
	enum colour colour;
	bool check, verbose, quiet;
};

enum { KEY_CHECK = 1000, KEY_TIMEOUT, KEY_FORMAT, KEY_COLOUR, KEY_SOURCE };

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
	case KEY_TIMEOUT:
		options->timeout_s = number(state, arg, "--timeout", 86400);
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
	{ "timeout", KEY_TIMEOUT, "SECONDS", 0,
	  "Kill a lab that runs longer (default 60)", 0 },
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
	"Other commands: accept, doctor, list, new; "
	"\"runner COMMAND --help\" tells of each.\n\n"
	"Exit status: 0 all as expected, 1 a failure or a drift, 2 wrong "
	"usage, 77 all were skipped, 99 the runner itself failed.";

struct job {
	struct session *session;
	struct run *run;
	struct task task;
	const char *argv[3];
	char **env;
	char *tmp; /* the lab's own temporary folder, and where it starts */
	bool serial;
	bool running;
};

struct session {
	const struct options *options;
	struct pool *pool;
	struct job *jobs;
	struct run **runs;
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

static void add_run(struct session *session, struct lab_dir lab)
{
	struct run *run = run_new(lab);

	if (wanted(session->options, run))
		*push(session->runs, session->n) = run;
	else
		run_free(run);
}

static int choose(struct session *session, const struct project *project)
{
	const struct options *options = session->options;
	struct lab_dir *all, lab;
	struct error error;

	if (options->n_labs == 0) {
		size_t n = lab_list(project, &all);

		for (size_t i = 0; i < n; i++)
			add_run(session, all[i]);
		free(all);
	}
	for (size_t i = 0; i < options->n_labs; i++) {
		if (lab_find(project, options->labs[i], &lab, &error) == -1) {
			fprintf(stderr, "runner: %s\n", error.text);
			return EXIT_USAGE;
		}
		add_run(session, lab);
	}
	if (session->n == 0) {
		fprintf(stderr, "runner: no lab matches; \"runner list\" shows "
				"all\n");
		return EXIT_USAGE;
	}
	return 0;
}

static void on_data(void *context, bool is_err, const char *data, size_t len)
{
	struct job *job = context;

	capture_add(is_err ? &job->run->err : &job->run->out, data, len);
}

static int count_left;
static int remove_entry(const char *path, const struct stat *st, int kind,
			struct FTW *ftw)
{
	(void)st;
	(void)kind;
	count_left += ftw->level > 0;
	return remove(path) == -1 && errno != ENOENT;
}

/* Remove @tmp with all in it; returns how much was in it. */
static int remove_tmp(const char *tmp)
{
	count_left = 0;
	nftw(tmp, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	return count_left;
}

static char *make_tmp(void)
{
	const char *base = getenv("TMPDIR");
	char *tmp =
		xasprintf("%s/notelab-XXXXXX", base && *base ? base : "/tmp");

	if (mkdtemp(tmp))
		return tmp;
	free(tmp);
	return NULL;
}

/* Our environment, but for the lab's own TMPDIR. */
static char **make_env(const char *tmp)
{
	char **env = NULL;
	size_t n = 0;

	for (char **e = environ; *e; e++)
		if (strncmp(*e, "TMPDIR=", 7) != 0)
			*push(env, n) = *e;
	*push(env, n) = xasprintf("TMPDIR=%s", tmp);
	*push(env, n) = NULL;
	return env;
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
		if (session->jobs[i].running)
			fprintf(stderr, " %s", session->runs[i]->lab.name);
	fputs("\r", stderr);
}

static void clear_progress(const struct session *session)
{
	if (session->progress)
		fputs("\r\033[K", stderr);
}

static void finish_run(struct session *session, struct run *run)
{
	session->done++;
	clear_progress(session);
	print_run(session, run);
	print_progress(session);
}

static void on_end(void *context, const struct outcome *outcome,
		   int left_behind)
{
	struct job *job = context;
	struct run *run = job->run;
	int left = remove_tmp(job->tmp);

	job->running = false;
	run->outcome = *outcome;
	run_judge(run, left_behind);
	if (left)
		run_reason(run, STATUS_FAIL,
			   "it left %d files in its temporary folder", left);
	record_update(run, !job->session->options->check);
	for (char **e = job->env; *e; e++)
		if (!strncmp(*e, "TMPDIR=", 7))
			free(*e);
	free(job->env);
	free(job->tmp);
	finish_run(job->session, run);
}

/* A run that cannot even start has its reasons, and is over. */
static void start(struct session *session, struct job *job)
{
	struct run *run = job->run;
	struct error error;

	if (run->status == STATUS_ERROR) {
		finish_run(session, run);
		return;
	}
	if (access(run->lab.exe, X_OK) == -1) {
		run_reason(run, STATUS_ERROR,
			   "%s is not built: %s; remedy: build it, with "
			   "\"cmake --build\" in the build directory",
			   run->lab.path, strerror(errno));
		finish_run(session, run);
		return;
	}
	job->tmp = make_tmp();
	if (!job->tmp) {
		run_reason(run, STATUS_ERROR,
			   "cannot make a temporary folder: %s; remedy: set "
			   "TMPDIR to a writable one",
			   strerror(errno));
		session->runner_failed = true;
		finish_run(session, run);
		return;
	}
	job->env = make_env(job->tmp);
	job->argv[0] = run->lab.exe;
	job->argv[1] = "--verbose";
	job->task = (struct task){
		.argv = job->argv,
		.env = job->env,
		.cwd = job->tmp,
		.timeout_s = session->options->timeout_s,
		.on_data = on_data,
		.on_end = on_end,
		.context = job,
	};
	job->running = true;
	print_progress(session);
	if (pool_start(session->pool, &job->task, &error) == -1) {
		job->running = false;
		remove_tmp(job->tmp);
		run_reason(run, STATUS_ERROR, "%s", error.text);
		session->runner_failed = true;
		finish_run(session, run);
	}
}

/* Labs that touch global state have the machine to themselves. */
static bool may_start(const struct session *session, const struct job *job)
{
	size_t running = pool_running(session->pool);

	if (running >= (size_t)session->options->jobs)
		return false;
	for (size_t i = 0; i < session->n; i++)
		if (session->jobs[i].running && session->jobs[i].serial)
			return false;
	return !job->serial || running == 0;
}

static void run_all(struct session *session)
{
	size_t next = 0;
	bool stopped = false;

	while (pool_running(session->pool) || (next < session->n && !stopped)) {
		if (!stopped && next < session->n &&
		    may_start(session, &session->jobs[next]))
			start(session, &session->jobs[next++]);
		else
			stopped = !pool_step(session->pool, -1) || stopped;
		/* Nobody reads on: what runs is ended, the rest is not begun.
		 */
		if (ferror(stdout) && !stopped) {
			stopped = true;
			kill(getpid(), SIGTERM);
		}
	}
	clear_progress(session);
	/* What was never begun is no result. */
	for (size_t i = next; i < session->n; i++)
		run_free(session->runs[i]);
	session->n = next;
}

static void report(const struct session *session)
{
	struct run **runs = session->runs;
	size_t n = session->n;

	switch (session->options->format) {
	case FORMAT_TEXT:
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

static void prepare_jobs(struct session *session)
{
	struct utsname uts;

	uname(&uts);
	session->jobs = xcalloc(session->n, sizeof(*session->jobs));
	for (size_t i = 0; i < session->n; i++) {
		struct run *run = session->runs[i];
		char *serial = xasprintf("%s.serial", run->lab.exe);

		run->place = xstrdup("host");
		run->kernel = xstrdup(uts.release);
		run->series = kernel_series(uts.release, uts.version);
		session->jobs[i] = (struct job){
			.session = session,
			.run = run,
			.serial = access(serial, F_OK) == 0,
		};
		free(serial);
	}
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
	struct project project;
	struct error error;
	int status, stop;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (project_open(&project, options.source, &error) == -1) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	status = choose(&session, &project);
	if (status)
		return status;
	session.pool = pool_new(&error);
	if (!session.pool) {
		fprintf(stderr, "runner: %s\n", error.text);
		return EXIT_BROKEN;
	}
	session.colour = want_colour(options.colour);
	session.progress = session.n > 1 && isatty(STDERR_FILENO);
	prepare_jobs(&session);
	run_all(&session);
	report(&session);
	status = exit_status(&session);

	stop = pool_signal(session.pool);
	pool_free(session.pool);
	for (size_t i = 0; i < session.n; i++)
		run_free(session.runs[i]);
	free(session.runs);
	free(session.jobs);
	free(options.labs);
	if (options.has_only)
		regfree(&options.only);
	if (stop && !ferror(stdout)) {
		sigset_t set;

		fflush(stdout);
		fprintf(stderr, "runner: stopped by SIG%s\n",
			sigabbrev_np(stop));
		/* Die by it, so that a shell loop around us ends too. */
		sigemptyset(&set);
		signal(stop, SIG_DFL);
		raise(stop);
		sigprocmask(SIG_SETMASK, &set, NULL);
	}
	return status;
}
