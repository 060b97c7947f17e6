// SPDX-License-Identifier: MIT
#include "runner/job.h"

#include <errno.h>
#include <fts.h>
#include <glob.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/clock.h"
#include "runner/module.h"
#include "runner/snapshot.h"

enum { BOOT_MAX_S = 30, BOOTS_MAX = 2, CONSOLE_LINES = 20 };

/* To resume takes 0.3 s where to boot takes 3. */
enum { RESUME_MAX_S = 10 };

/* Only from this machine: who debugs a guest rules it. */
#define GDB_PORT "127.0.0.1:1234"

/* How much longer than the host an emulated machine may take. */
enum { TCG_SLOWDOWN = 3 };

/*
 * Remove @tmp with all in it, also from folders that the lab has locked;
 * returns how much was in it.
 */
static int remove_tmp(char *tmp)
{
	char *const paths[] = { tmp, NULL };
	FTS *tree =
		fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	int left = 0;

	if (!tree)
		return 0;
	for (FTSENT *entry; (entry = fts_read(tree));) {
		if (entry->fts_info == FTS_D) {
			chmod(entry->fts_path, 0700);
			continue;
		}
		left += entry->fts_level > 0;
		remove(entry->fts_path);
	}
	fts_close(tree);
	return left;
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

/* Our environment, but for the lab's own TMPDIR, which comes first. */
static char **make_env(const char *tmp)
{
	char **env = NULL;
	size_t n = 0;

	*push(env, n) = xasprintf("TMPDIR=%s", tmp);
	for (char **e = environ; *e; e++)
		if (strncmp(*e, "TMPDIR=", 7) != 0)
			*push(env, n) = *e;
	*push(env, n) = NULL;
	return env;
}

static void on_data(void *context, bool is_err, const char *data, size_t len)
{
	struct job *job = context;

	capture_add(is_err ? &job->run->err : &job->run->out, data, len);
}

static void over(struct job *job)
{
	free(job->modules);
	job->modules = NULL;
	job->running = false;
	job->on_over(job);
}

/* Remove the folder that the job has been given; how much was in it. */
static int drop_tmp(struct job *job)
{
	int left = remove_tmp(job->tmp);

	free(job->env[0]);
	free(job->env);
	free(job->tmp);
	return left;
}

static void on_host_end(void *context, const struct outcome *outcome,
			int left_behind)
{
	struct job *job = context;
	int left = drop_tmp(job);

	job->run->outcome = *outcome;
	run_judge(job->run, left_behind);
	if (left)
		run_reason(job->run, STATUS_FAIL,
			   "it left %d files in its temporary folder", left);
	over(job);
}

static double guest_timeout_s(const struct job *job)
{
	bool emulated = !strcmp(job->guest.accel, "tcg");

	return job->timeout_s * (emulated ? TCG_SLOWDOWN : 1);
}

/* Keep it aside; what went wrong in a guest mostly stands there. */
static void keep_console(struct job *job)
{
	char *tail = guest_console_tail(&job->guest,
					job->console ? INT_MAX : CONSOLE_LINES);

	if (tail)
		capture_add(&job->run->err, tail, strlen(tail));
	free(tail);
}

static void start_guest(struct job *job);

/* Among the lab's stderr, which --verbose shows. */
static void remark(struct job *job, const char *text)
{
	char *line = xasprintf("runner: %s\n", text);

	capture_add(&job->run->err, line, strlen(line));
	free(line);
}

/* The snapshot is no good: remove it, and boot. */
static void boot_instead(struct job *job)
{
	char *text = xasprintf("the snapshot of %s did not resume: %s; "
			       "removed it and booted",
			       job->place->name, job->run->outcome.reason);

	remark(job, text);
	free(text);
	unlink(job->snapshot);
	guest_remove(&job->guest);
	job->cold = true;
	job->boots = 0;
	start_guest(job);
}

static void on_guest_end(void *context, const struct outcome *qemu,
			 int left_behind)
{
	struct job *job = context;
	struct run *run = job->run;
	char trouble[256];
	bool troubled;

	(void)left_behind; /* QEMU's affair, and its keeper saw to it */
	guest_finish(&job->guest, qemu, &run->outcome);
	if (run->outcome.end == END_TIMEOUT)
		run->outcome.value = ceil(guest_timeout_s(job));
	/* Not if it is us who are stopped. */
	if (job->guest.resumes && !guest_has_started(&job->guest) &&
	    !pool_signal(job->pool)) {
		boot_instead(job);
		return;
	}
	if (run->outcome.end == END_BOOT_FAILURE && job->boots < BOOTS_MAX &&
	    !pool_signal(job->pool)) {
		guest_remove(&job->guest);
		start_guest(job);
		return;
	}
	troubled = guest_trouble(&job->guest, run->tap.expected_in_log,
				 run->tap.n_expected_in_log, trouble,
				 sizeof(trouble));
	run_judge(run, 0);
	/* A panic has been told. */
	if (troubled && !strstr(run->outcome.reason, trouble))
		run_reason(run, STATUS_FAIL, "the guest's kernel said: %s",
			   trouble);
	if (run->status == STATUS_SKIP && module_exists(&run->lab) &&
	    !job->modules)
		run_reason(run, STATUS_SKIP,
			   "kernel %s has no headers to build %s/mod with; "
			   "run: runner kernels fetch --headers %s",
			   run->place, run->lab.path, run->place);
	run->show_err = job->console;
	if (run->status >= STATUS_FAIL || job->console)
		keep_console(job);
	capture_end(&run->err);
	guest_remove(&job->guest);
	over(job);
}

/* The run cannot be done, and that is not the lab's fault. */
static void give_up(struct job *job, const char *text)
{
	run_reason(job->run, STATUS_ERROR, "%s", text);
	job->runner_failed = true;
	over(job);
}

static void submit(struct job *job)
{
	struct error error;

	job->running = true;
	if (pool_start(job->pool, &job->task, &error) == -1)
		give_up(job, error.text);
}

static void start_on_host(struct job *job)
{
	struct utsname uts;
	char *text;

	uname(&uts);
	job->run->kernel = xstrdup(uts.release);
	job->run->series = kernel_series(uts.release, uts.version);
	job->tmp = make_tmp();
	if (!job->tmp) {
		text = xasprintf("cannot make a temporary folder: %s; remedy: "
				 "set TMPDIR to a writable one",
				 strerror(errno));
		give_up(job, text);
		free(text);
		return;
	}
	job->env = make_env(job->tmp);
	job->task = (struct task){
		.argv = job->argv,
		.env = job->env,
		.cwd = job->tmp,
		.timeout_s = job->timeout_s,
		.on_data = on_data,
		.on_end = on_host_end,
		.context = job,
	};
	submit(job);
}

/* NULL-terminated lists for a guest that is being prepared. */
struct words {
	const char **list;
	size_t n;
};

static void add_word(struct words *words, const char *word)
{
	*push(words->list, words->n) = word;
}

/* All modules in @dir. */
static int add_modules(struct words *files, const char *dir,
		       struct error *error)
{
	char *pattern = xasprintf("%s/*.ko", dir);
	glob_t found;
	int ret = glob(pattern, 0, NULL, &found);

	for (size_t i = 0; ret == 0 && i < found.gl_pathc; i++)
		add_word(files, xstrdup(found.gl_pathv[i]));
	globfree(&found);
	free(pattern);
	return ret ? fail(error, "%s has no module (*.ko)", dir) : 0;
}

static const char *const wait_for_gdb[] = { "-S", "-gdb", "tcp:" GDB_PORT,
					    NULL };

/* A guest that loads modules is not quite the one that was saved. */
static bool may_resume(struct job *job, const struct guest_options *options)
{
	return !job->cold && !job->console && !job->gdb && !job->modules &&
	       snapshot_path(&job->place->kernel, options, job->snapshot);
}

/*
 * The guest gets what the lab's needs name, and its own modules. Without a
 * snapshot that it could resume, only @save is set, unless that was tried.
 */
static int prepare_guest(struct job *job, bool *save, struct error *error)
{
	const struct lab_dir *lab = &job->run->lab;
	struct words tools = { 0 }, files = { 0 }, env = { 0 };
	struct guest_options options = { 0 };
	char *variable = NULL;
	struct needs needs;
	int ret = 0;

	if (needs_ask(lab, &needs, error) == -1)
		return -1;
	options.svm =
		needs_find(&needs, "kvm") || needs_find(&needs, "kvm:npt=0");
	options.npt = !needs_find(&needs, "kvm:npt=0");
	if (may_resume(job, &options)) {
		if (access(job->snapshot, R_OK) == 0)
			options.snapshot = job->snapshot;
		else if (!job->saved)
			*save = true;
	}
	for (size_t i = 0; i < needs.n; i++)
		if (!strncmp(needs.list[i].name, "tool:", 5))
			add_word(&tools, needs.list[i].name + 5);
	if (job->modules) {
		ret = add_modules(&files, job->modules, error);
		variable = xasprintf("NOTELAB_MODULES=%s", job->modules);
		add_word(&env, variable);
	}
	if (ret == 0 && !*save) {
		add_word(&tools, NULL);
		add_word(&files, NULL);
		add_word(&env, NULL);
		options.tools = tools.list;
		options.files = files.list;
		options.env = env.list;
		if (job->console)
			options.append = "ignore_loglevel";
		if (job->gdb) {
			options.qemu = wait_for_gdb;
			options.append = "ignore_loglevel nokaslr";
		}
		ret = guest_prepare(&job->guest, &job->place->kernel, job->argv,
				    &options, error->text);
	}
	for (size_t i = 0; i < files.n; i++)
		free((char *)files.list[i]);
	free(tools.list);
	free(files.list);
	free(env.list);
	free(variable);
	needs_free(&needs);
	return ret;
}

/* Without headers there is no module, and the lab says that it needs one. */
static int build_modules(struct job *job, struct error *error)
{
	const struct lab_dir *lab = &job->run->lab;

	if (job->modules || !job->place->kernel.build[0] || !module_exists(lab))
		return 0;
	job->modules = module_build(lab, &job->place->kernel, error);
	return job->modules ? 0 : -1;
}

/* What it complains of; the rest of the run does not depend on it. */
static void on_saving(void *context, bool is_err, const char *data, size_t len)
{
	struct job *job = context;

	if (is_err)
		capture_add(&job->run->err, data, len);
}

static void on_saved(void *context, const struct outcome *outcome,
		     int left_behind)
{
	struct job *job = context;

	(void)left_behind;
	job->saving = false;
	drop_tmp(job);
	if (pool_signal(job->pool)) {
		job->run->outcome = *outcome;
		run_reason(job->run, STATUS_ERROR,
			   "stopped while the snapshot was made");
		over(job);
		return;
	}
	if (outcome->end != END_EXIT || outcome->value != 0)
		remark(job, "no snapshot could be made, so the guest booted");
	start_guest(job);
}

/* In a process of its own: labs of other guests go on. */
static void save_first(struct job *job)
{
	static const char *const command[] = { "/proc/self/exe", "kernels",
					       "snapshot" };

	for (size_t i = 0; i < 3; i++)
		job->save_argv[i] = command[i];
	job->save_argv[3] = job->place->name;
	job->saved = true;
	job->tmp = make_tmp();
	if (!job->tmp) {
		start_guest(job); /* and say why there */
		return;
	}
	job->env = make_env(job->tmp);
	job->saving = true;
	job->task = (struct task){
		.argv = job->save_argv,
		.env = job->env,
		.cwd = "/",
		.timeout_s = 2 * BOOT_MAX_S,
		.on_data = on_saving,
		.on_end = on_saved,
		.context = job,
	};
	submit(job);
}

static void start_guest(struct job *job)
{
	struct error error;
	bool save = false;

	if (build_modules(job, &error) == -1) {
		run_reason(job->run, STATUS_ERROR, "%s", error.text);
		over(job);
		return;
	}
	if (prepare_guest(job, &save, &error) == -1) {
		give_up(job, error.text);
		return;
	}
	if (save) {
		save_first(job);
		return;
	}
	job->boots++;
	job->started = false;
	job->boot_deadline =
		now_ns() + (job->guest.resumes ? RESUME_MAX_S : BOOT_MAX_S) *
				   1000000000ull;
	free(job->run->accel);
	job->run->accel = xstrdup(job->guest.accel);
	job->task = (struct task){
		.argv = (const char *const *)job->guest.argv,
		.env = environ,
		.cwd = "/",
		.timeout_s = BOOT_MAX_S + job->timeout_s,
		.on_data = on_data,
		.on_end = on_guest_end,
		.context = job,
	};
	if (job->gdb)
		fprintf(stderr,
			"runner: %s waits in its guest; attach with: gdb %s "
			"-ex 'target remote " GDB_PORT "'\n",
			job->run->lab.name, job->place->kernel.image);
	submit(job);
}

void job_tick(struct job *job)
{
	if (!job->running || job->place->is_host || job->started || job->saving)
		return;
	if (guest_has_started(&job->guest)) {
		job->started = true;
		pool_set_deadline(job->pool, &job->task, guest_timeout_s(job));
	} else if (now_ns() > job->boot_deadline && !job->gdb) {
		pool_set_deadline(job->pool, &job->task, 0);
	}
}

void job_start(struct job *job)
{
	struct run *run = job->run;

	run->place = xstrdup(job->place->name);
	if (!job->place->is_host) {
		run->kernel = xstrdup(job->place->kernel.release);
		run->series = kernel_series(run->kernel, "");
	}
	if (run->status == STATUS_ERROR) {
		over(job);
		return;
	}
	if (access(run->lab.exe, X_OK) == -1) {
		run_reason(run, STATUS_ERROR,
			   "%s is not built: %s; remedy: build it, with "
			   "\"cmake --build\" in the build directory",
			   run->lab.path, strerror(errno));
		over(job);
		return;
	}
	job->argv[0] = run->lab.exe;
	job->argv[1] = "--verbose";
	if (job->place->is_host)
		start_on_host(job);
	else
		start_guest(job);
}
