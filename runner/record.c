// SPDX-License-Identifier: MIT
#include "runner/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "runner/digest.h"

enum { RECORD_MAX = 16 << 20 };

/* The first value of "model name" in /proc/cpuinfo. */
static char *cpu_model(void)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256], *model = NULL;

	while (file && !model && fgets(line, sizeof(line), file)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, "model name", 10) != 0 || !colon)
			continue;
		line[strcspn(line, "\n")] = '\0';
		model = xstrdup(colon + 2);
	}
	if (file)
		fclose(file);
	return model ? model : xstrdup("unknown");
}

static char *first_line(const char *path)
{
	struct error error;
	size_t len;
	char *text = read_file(path, 1 << 16, &len, &error);
	char *line = safe_text(text ? text : "unknown",
			       text ? strcspn(text, "\n") : 7);

	free(text);
	return line;
}

/* What the kernel itself was told: behind " -- " it is init's. */
static char *command_line(void)
{
	char *line = first_line("/proc/cmdline");
	char *init = strstr(line, " -- ");

	if (init)
		*init = '\0';
	return line;
}

/* The environment that the output was true in. */
static void print_header(const struct run *run, FILE *out)
{
	char *digest = source_digest(&run->lab);
	time_t now = time(NULL);
	struct tm tm;
	char date[32];

	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	fprintf(out, "# lab: %s\n", run->lab.name);
	fprintf(out, "# kernel: Linux %s\n", run->kernel);
	fprintf(out, "# place: %s\n", run->place);
	if (run->accel) {
		fprintf(out, "# accelerator: %s\n", run->accel);
	} else {
		char *cmdline = command_line(), *cpu = cpu_model();
		struct utsname uts;

		uname(&uts);
		fprintf(out, "# build: %s %s\n", uts.version, uts.machine);
		fprintf(out, "# command line: %s\n", cmdline);
		fprintf(out, "# cpu: %s, %ld online\n", cpu,
			sysconf(_SC_NPROCESSORS_ONLN));
		free(cmdline);
		free(cpu);
	}
	fprintf(out, "# compiler: %s\n", COMPILER);
	fprintf(out, "# libc: glibc %s\n", gnu_get_libc_version());
	fprintf(out, "# source: sha256 %s\n", digest);
	fprintf(out, "# date: %s\n", date);
	free(digest);
}

/* Read the verdicts of the record @path. */
static int read_record(const char *path, struct tap *tap, struct error *error)
{
	size_t len;
	char *text = read_file(path, RECORD_MAX, &len, error);
	char *rest = text;

	if (!text)
		return -1;
	tap_start(tap);
	for (char *line; (line = strsep(&rest, "\n"));)
		tap_line(tap, line);
	free(text);
	/* The plan comes last, so what has none was cut. */
	if (tap->plan == -1 || tap->plan != tap->numbered) {
		fail(error,
		     "%s is truncated: its plan is %ld, it has %ld verdict "
		     "lines",
		     path, tap->plan, tap->numbered);
		tap_free(tap);
		return -1;
	}
	return 0;
}

enum difference { SAME, SETTLES_MORE, CONTRADICTS };

static bool settled(enum seen seen)
{
	return seen == SEEN_HOLDS || seen == SEEN_REFUTED;
}

/* Compare the verdicts, and note in each result what was recorded. */
static enum difference compare(struct run *run, const struct tap *old)
{
	enum difference difference = SAME;
	bool unsettles = false;

	for (size_t i = 0; i < run->n_results; i++) {
		struct result *result = &run->results[i];
		const struct report *was = tap_report(old, result->id);
		enum seen before = was ? was->seen : SEEN_NOTHING;
		enum seen now =
			result->report ? result->report->seen : SEEN_NOTHING;

		if (settled(before))
			result->recorded = before == SEEN_HOLDS
						   ? VERDICT_HOLDS
						   : VERDICT_REFUTED;
		unsettles = unsettles || (settled(before) && !settled(now));
		if (settled(before) && settled(now) && before != now)
			difference = CONTRADICTS;
		else if ((settled(now) && !settled(before)) || !was)
			difference =
				difference == SAME ? SETTLES_MORE : difference;
	}
	/* A record with claims that the note has lost is out of date. */
	for (size_t i = 0; i < old->n_reports; i++)
		if (!note_claim(&run->note, old->reports[i].id) &&
		    difference == SAME)
			difference = SETTLES_MORE;
	/* What this machine has to skip, another one found out. */
	return difference == SETTLES_MORE && unsettles ? SAME : difference;
}

static char *record_text(const struct run *run, size_t *len)
{
	char *output = capture_text(&run->out);
	char *text = NULL;
	FILE *out = open_memstream(&text, len);

	print_header(run, out);
	fputs(output, out);
	fclose(out);
	free(output);
	return text;
}

static void write_record(struct run *run, const char *dir, const char *name,
			 enum record_state state)
{
	struct error error;
	size_t len;
	char *text = record_text(run, &len);
	int ret;

	/* Without all of its verdicts it would be no record. */
	if (run->out.lost)
		ret = fail(&error, "the output is longer than %d MiB",
			   2 * CAPTURE_KEEP >> 20);
	else
		ret = replace_file(dir, name, text, len, &error);
	if (ret == 0) {
		run->record = state;
	} else {
		run->could_not_record = true;
		run_reason(run, STATUS_ERROR, "could not record: %s",
			   error.text);
	}
	free(text);
}

static void drift(struct run *run, bool may_write, const char *dir,
		  const char *name)
{
	char *pending = xasprintf("%s.new", name);

	for (size_t i = 0; i < run->n_results; i++) {
		const struct result *r = &run->results[i];

		if (r->recorded != -1 && r->verdict <= VERDICT_REFUTED &&
		    r->recorded != (int)r->verdict)
			run_reason(run, STATUS_DRIFT,
				   "claim %s: recorded %s, now %s", r->id,
				   verdict_words[r->recorded],
				   verdict_words[r->verdict]);
	}
	if (may_write)
		write_record(run, dir, pending, RECORD_DRIFT);
	run->record = RECORD_DRIFT;
	free(pending);
}

/* Two runners on one lab take turns. */
static int lock(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd != -1)
		flock(fd, LOCK_EX);
	return fd;
}

static void update(struct run *run, bool may_write, const char *dir,
		   const char *name, const char *path)
{
	char *pending;
	struct error error;
	struct tap old;

	if (access(path, F_OK) == -1 && errno == ENOENT) {
		if (may_write && run->status == STATUS_PASS)
			write_record(run, dir, name, RECORD_NEW);
		return;
	}
	if (read_record(path, &old, &error) == -1) {
		run_reason(run, STATUS_DRIFT,
			   "%s; adopt this run's with \"runner accept %s\"",
			   error.text, run->lab.name);
		drift(run, may_write, dir, name);
		return;
	}
	pending = xasprintf("%s.new", path);
	switch (compare(run, &old)) {
	case SAME:
		run->record = RECORD_CURRENT;
		break;
	case SETTLES_MORE:
		if (may_write && run->status == STATUS_PASS)
			write_record(run, dir, name, RECORD_NEW);
		else
			run->record = RECORD_CURRENT;
		break;
	case CONTRADICTS:
		drift(run, may_write, dir, name);
		break;
	}
	/* A drift that no longer is one must not be adopted. */
	if (may_write &&
	    (run->record == RECORD_CURRENT || run->record == RECORD_NEW))
		unlink(pending);
	free(pending);
	tap_free(&old);
}

void record_update(struct run *run, bool may_write)
{
	char *dir = xasprintf("%s/records", run->lab.source);
	char *name = xasprintf("%s.out", run->series);
	char *path = xasprintf("%s/%s", dir, name);
	int fd;

	run->record_path = xasprintf("%s/records/%s", run->lab.path, name);
	/* Whoever was cut off left no verdicts to compare. */
	if (run->status != STATUS_SKIP && run->tap.plan != -1) {
		if (may_write && run->status == STATUS_PASS)
			mkdir(dir, 0777);
		fd = lock(dir);
		update(run, may_write, dir, name, path);
		if (fd != -1)
			close(fd);
	}
	free(dir);
	free(name);
	free(path);
}

/* Whether each settled verdict is the one that the note expects. */
static int agrees(const struct note *note, const struct tap *tap,
		  const char *path, struct error *error)
{
	for (size_t i = 0; i < note->n_claims; i++) {
		const struct claim *claim = &note->claims[i];
		const struct report *report = tap_report(tap, claim->id);

		if (report && settled(report->seen) &&
		    claim->refuted != (report->seen == SEEN_REFUTED))
			return fail(error,
				    "%s: the note expects claim %s %s, this "
				    "run says otherwise; change the note (and "
				    "the lab) first, or remove the file",
				    path, claim->id,
				    claim->refuted ? "refuted" : "to hold");
	}
	return 0;
}

static int accept_one(const struct lab_dir *lab, const struct note *note,
		      const char *dir, const char *name, struct error *error)
{
	char *from = xasprintf("%s/%s", dir, name);
	char *to = xstrndup(from, strlen(from) - strlen(".new"));
	struct tap tap;
	int ret = read_record(from, &tap, error);

	if (ret == 0) {
		ret = agrees(note, &tap, from, error);
		tap_free(&tap);
	}
	if (ret == 0 && rename(from, to) == -1)
		ret = fail(error, "cannot rename %s: %m", from);
	if (ret == 0)
		printf("%s: adopted %s\n", lab->name, strrchr(to, '/') + 1);
	free(from);
	free(to);
	return ret;
}

static int is_pending(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return len > 8 && !strcmp(entry->d_name + len - 8, ".out.new");
}

int record_accept(const struct lab_dir *lab, struct error *error)
{
	char *dir = xasprintf("%s/records", lab->source);
	char *note_path = xasprintf("%s/note.md", lab->source);
	struct dirent **names = NULL;
	struct note note = { 0 };
	int fd = lock(dir), accepted = 0;
	int n = scandir(dir, &names, is_pending, alphasort);

	if (note_read(&note, note_path, error) == -1)
		accepted = -1;
	for (int i = 0; i < n; i++) {
		if (accepted != -1 &&
		    accept_one(lab, &note, dir, names[i]->d_name, error) == 0)
			accepted++;
		else
			accepted = -1;
		free(names[i]);
	}
	free(names);
	note_free(&note);
	if (fd != -1)
		close(fd);
	free(dir);
	free(note_path);
	return accepted;
}
