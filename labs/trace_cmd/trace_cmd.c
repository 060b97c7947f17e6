// SPDX-License-Identifier: MIT
/*
 * trace_cmd - let KVM tell how it handles one page fault of a guest.
 *
 * trace-cmd records the events of KVM while a guest of five instructions
 * touches a page. The report tells the way from the exit to the new entries
 * of the page tables, level by level, and back into the guest.
 */
#include "trace_cmd.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "common/kernel.h"
#include "common/lab.h"
#include "common/spawn.h"
#include "common/vm.h"
#include "labs/trace_cmd/guest.h"
#include "labs/trace_cmd/report.h"

#define GROUP	  "kvmmmu"
#define DEBUGFS	  "/sys/kernel/debug"
#define PARAMETER "/sys/module/kvm/parameters/tdp_mmu"

/* Set for the program that trace-cmd starts, which is this one again. */
#define BE_THE_GUEST "TRACE_CMD_BE_THE_GUEST"

enum {
	DEADLINE_MS = 60000,
	CODE_GFN = GUEST_CODE / PAGE,
	DATA_GFN = GUEST_PAGE / PAGE
};

int put_text(const char *path, const char *text)
{
	int fd = must(open(path, O_WRONLY | O_TRUNC | O_CLOEXEC));
	int error = errno_of(write(fd, text, strlen(text)));

	close(fd);
	return error;
}

static char get_char(const char *path)
{
	int fd = must(open(path, O_RDONLY | O_CLOEXEC));
	char c = '\0';

	must(read(fd, &c, 1));
	close(fd);
	return c;
}

/* trace-cmd does most of this itself, unless it was killed. */
static void tracefs_return(void)
{
	rmdir(INSTANCE);
	put_text(TRACEFS "/events/enable", "0");
	put_text(TRACEFS "/set_event_pid", "");
	put_text(TRACEFS "/tracing_on", "1");
}

void tracefs_borrow(void)
{
	if (get_char(TRACEFS "/events/enable") != '0')
		die("events are enabled in " TRACEFS ", by whom? remedy: "
		    "trace-cmd reset");
	rmdir(INSTANCE); /* of a run that was killed */
	must(mkdir(INSTANCE, 0700));
	must_zero(atexit(tracefs_return));
}

/* How many lines of @path begin with @start and contain @part; -errno. */
static int count_lines(const char *path, const char *start, const char *part)
{
	FILE *file = fopen(path, "re");
	char line[512];
	int n = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file))
		n += !strncmp(line, start, strlen(start)) &&
		     strstr(line, part) != NULL;
	fclose(file);
	return n;
}

static int count_events(const char *start, const char *part)
{
	return must_neg(count_lines(TRACEFS "/available_events", start, part));
}

/* Whether the format of @event has all that the note prints. */
static bool has_fields(const char *event)
{
	static const char *const fields[] = { " as_id;", " gfn;", " level;",
					      " old_spte;", " new_spte;" };
	char path[PATH_MAX];
	bool all = true;

	snprintf(path, sizeof(path), TRACEFS "/events/%s/format", event);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		all &= must_neg(count_lines(path, "\tfield:", fields[i])) == 1;
	return all;
}

static void names(void)
{
	int with_colon = count_events("", "kvm:"),
	    all = count_events("kvm", "");
	int functions = count_lines(TRACEFS "/available_filter_functions",
				    "kvm_", "[kvm]\n");

	printf("grep kvm: %4d events, " SPTE_EVENT " %s\n", with_colon,
	       count_events("kvm:", SPTE_EVENT) ? "too" : "not");
	printf("grep ^kvm %4d events, " SPTE_EVENT " %s\n", all,
	       count_events("kvm", SPTE_EVENT) ? "too" : "not");
	refuted("colon-finds-all", count_events("kvm:", SPTE_EVENT) > 0);
	control("colon-finds-all", count_events("kvm:", "kvm_exit") == 1);
	claim("caret-finds-all",
	      count_events("kvm", ":" SPTE_EVENT) == 1 && all > with_colon);
	control("caret-finds-all", count_events("kvm:", SPTE_EVENT) == 0);

	claim("event-fields", has_fields(GROUP "/" SPTE_EVENT));
	control("event-fields", !has_fields("kvm/kvm_page_fault"));

	if (functions < 0) {
		claim_skip("functions-listed", "the function tracer",
			   errno_name(-functions), "a guest of the runner's");
		return;
	}
	printf("functions kvm_* that can be traced: %d\n", functions);
	claim("functions-listed", functions > 0);
	control("functions-listed",
		count_lines(TRACEFS "/available_filter_functions", SPTE_EVENT,
			    "") == 0);
}

static long file_system(const char *path)
{
	struct statfs fs = { 0 };

	return statfs(path, &fs) == -1 ? -errno : fs.f_type;
}

static void two_paths(void)
{
#define ENABLE "/events/" GROUP "/" SPTE_EVENT "/enable"
	/* The slash at the end makes the kernel mount tracefs there. */
	long legacy = file_system(DEBUGFS "/tracing/");
	bool seen, in_instance;

	if (legacy < 0) {
		claim_skip("same-by-debugfs", DEBUGFS "/tracing",
			   errno_name(-legacy), "mount debugfs");
		claim_skip("in-debugfs", DEBUGFS "/tracing",
			   errno_name(-legacy), "mount debugfs");
		return;
	}
	printf("%-26s magic %#lx\n", DEBUGFS, file_system(DEBUGFS));
	printf("%-26s magic %#lx\n", DEBUGFS "/tracing", legacy);
	printf("%-26s magic %#lx\n", TRACEFS, file_system(TRACEFS));
	refuted("in-debugfs", legacy == DEBUGFS_MAGIC);
	control("in-debugfs", file_system(DEBUGFS) == DEBUGFS_MAGIC &&
				      legacy == TRACEFS_MAGIC);

	must_zero(put_text(DEBUGFS "/tracing" ENABLE, "1"));
	seen = get_char(TRACEFS ENABLE) == '1';
	in_instance = get_char(INSTANCE ENABLE) == '1';
	must_zero(put_text(DEBUGFS "/tracing" ENABLE, "0"));
	claim("same-by-debugfs", seen);
	control("same-by-debugfs", !in_instance);
}

/* All that the inner guest does, from its start to its end. */
static _Noreturn void be_the_guest(void)
{
	struct vm *vm = vm_new(16 * PAGE);
	bool done;

	vm_load(vm, GUEST_CODE, guest_code, guest_code_size);
	done = vm_run(vm) == KVM_EXIT_IO && vm_run(vm) == KVM_EXIT_HLT;
	vm_free(vm);
	_exit(done ? 0 : LAB_BROKEN);
}

/* Run trace-cmd, and hand out its output. Returns the exit status. */
static int trace_cmd(const char *const *argv, char **out)
{
	struct spawned run = spawn_program(argv, NULL, 0, DEADLINE_MS);

	*out = run.out;
	return run.timed_out ? -1 : WEXITSTATUS(run.status);
}

/*
 * "trace-cmd record -F @options PROGRAM", where the program is the inner
 * guest: -F leaves out other processes. Returns the exit status.
 */
static int record(const char *const *options)
{
	const char *argv[16] = { "trace-cmd", "record", "-F" };
	char self[PATH_MAX], *out;
	ssize_t len = must(readlink("/proc/self/exe", self, PATH_MAX - 1));
	int n = 3, status;

	self[len] = '\0';
	while (*options)
		argv[n++] = *options++;
	argv[n] = self;
	must(setenv(BE_THE_GUEST, "1", 1));
	status = trace_cmd(argv, &out);
	must(unsetenv(BE_THE_GUEST));
	free(out);
	return status;
}

#define RECORD(...) record((const char *const[]){ __VA_ARGS__, NULL })

/* "trace-cmd report" of trace.dat. Returns the exit status. */
static int read_report(struct report *report)
{
	const char *const argv[] = { "trace-cmd", "report", NULL };
	char *out;
	int status = trace_cmd(argv, &out);

	report_parse(out, report);
	free(out);
	return status;
}

static void must_succeed(const char *what, int status)
{
	if (status)
		die("trace-cmd %s: exit status %d", what, status);
}

static void unknown_event(void)
{
	int status = RECORD("-e", "kvm_no_such_event");
	int error = put_text(TRACEFS "/set_event", "kvm:kvm_no_such_event");

	printf("trace-cmd record -e kvm_no_such_event: exit status %d; "
	       "tracefs says %s\n",
	       status, errno_name(error));
	claim("unknown-event",
	      status != 0 && error == EINVAL &&
		      errno_of(access("trace.dat", F_OK)) == ENOENT);
}

/* The events that matter, and the words from which and to which. */
static const struct {
	const char *name, *from, *to;
} shown[] = {
	{ "kvm_entry", "rip", NULL },
	{ "kvm_exit", "reason", " info1" },
	{ "kvm_page_fault", "address", " error_code" },
	{ SPTE_EVENT, "gfn", NULL },
	{ "kvm_pio", "pio", " val" },
	{ "kvm_userspace_exit", "reason", NULL },
};

static void print_event(const struct event *event, double start)
{
	const char *text = event->text, *from, *to;
	struct change change;
	size_t i = 0;

	while (strcmp(event->name, shown[i].name) != 0)
		if (++i == ARRAY_SIZE(shown))
			return;
	printf("%6.0f  %-24s  ", (event->time - start) * 1e6, event->name);
	if (change_parse(event, &change)) {
		printf("level %d, gfn %lu: %lx -> %lx\n", change.level,
		       change.gfn, change.old_spte, change.new_spte);
		return;
	}
	from = strstr(text, shown[i].from);
	text = from ? from : text;
	to = shown[i].to ? strstr(text, shown[i].to) : NULL;
	printf("%.*s\n", to ? (int)(to - text) : 44, text);
}

/* Up to the exit by which the guest reports. */
static void print_story(const struct report *report)
{
	size_t i = report_find(report, 0, "kvm_entry", "");
	size_t end = report_find(report, i, "kvm_userspace_exit", "");
	double start = i < report->n ? report->list[i].time : 0;

	printf("%6s\n", "us");
	for (; i < report->n && i <= end; i++)
		print_event(&report->list[i], start);
}

enum { CHANGES_MAX = 16 };

/* The changes from event @from to @end; returns how many. */
static size_t changes(const struct report *report, size_t from, size_t end,
		      struct change list[CHANGES_MAX])
{
	size_t n = 0;

	for (; from < end && n < CHANGES_MAX; from++)
		n += change_parse(&report->list[from], &list[n]);
	return n;
}

static bool is_present(uint64_t spte)
{
	return spte & 7; /* readable, writable, executable; on AMD present */
}

/* Down to level 1, one change at each. */
static bool go_down(const struct change *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].level != (int)(n - i))
			return false;
	return n > 0;
}

static bool all_gfns_fit(const struct change *list, size_t n, uint64_t gfn)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].gfn != gfn_at_level(gfn, list[i].level))
			return false;
	return n > 0;
}

static bool all_fill(const struct change *list, size_t n, uint64_t empty)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].old_spte != empty || !is_present(list[i].new_spte))
			return false;
	return n > 0;
}

/* Whether each of @list is taken back in the @n of @later. */
static bool all_undone(const struct change *list, size_t count,
		       const struct change *later, size_t n)
{
	for (size_t i = 0; i < count; i++) {
		size_t j = 0;

		while (j < n && later[j].old_spte != list[i].new_spte)
			j++;
		if (j == n || is_present(later[j].new_spte))
			return false;
	}
	return count > 0;
}

/* Both vendors' names for it: nested page fault, extended page tables. */
static bool is_fault_exit(const struct event *event)
{
	return strstr(event->text, "reason npf") ||
	       strstr(event->text, "reason EPT_VIOLATION");
}

static void judge_faults(const struct report *report)
{
	const uint64_t empty = kernel_since(6, 10) ? 1ul << 63 : 0;
	struct change code[CHANGES_MAX], data[CHANGES_MAX], end[CHANGES_MAX];
	size_t n_code, n_data, n_end, pio, next_exit;
	struct fault first, second;

	if (!fault_find(report, CODE_GFN, &first) ||
	    !fault_find(report, DATA_GFN, &second))
		die("%zu events, and no page fault", report->n);
	next_exit = report_find(report, second.entry, "kvm_exit", "");
	pio = report_find(report, second.entry, "kvm_pio", "");
	n_code = changes(report, first.exit, first.entry, code);
	n_data = changes(report, second.exit, second.entry, data);
	n_end = changes(report, pio, report->n, end);
	if (!n_code || !n_data || !n_end || pio == report->n)
		die("%zu events, and none that tells more", report->n);
	printf("SPTEs set by the first fault: %zu, by the second: %zu; "
	       "changed when the VM ends: %zu\n",
	       n_code, n_data, n_end);

	claim("fault-is-an-exit",
	      is_fault_exit(&report->list[first.exit]) &&
		      is_fault_exit(&report->list[second.exit]) &&
		      first.entry < second.exit && second.entry < pio);
	/* The write to the same page: neither a fault nor an exit. */
	control("fault-is-an-exit",
		next_exit < pio && !is_fault_exit(&report->list[next_exit]));
	claim("level-by-level", n_code >= 4 && go_down(code, n_code));
	control("level-by-level", n_data == 1);
	claim("only-the-leaf",
	      n_data == 1 && data[0].level == 1 && data[0].gfn == DATA_GFN);
	control("only-the-leaf", n_code > 1);
	claim("gfn-of-the-level", all_gfns_fit(code, n_code, CODE_GFN) &&
					  all_gfns_fit(data, n_data, DATA_GFN));
	control("gfn-of-the-level",
		code[0].gfn != CODE_GFN && code[n_code - 1].gfn == CODE_GFN);
	claim("empty-spte",
	      all_fill(code, n_code, empty) && all_fill(data, n_data, empty));
	control("empty-spte", is_present(end[0].old_spte));
	claim("undone-at-the-end",
	      all_undone(code, n_code, end, n_end) &&
		      all_undone(data, n_data, end, n_end));
	control("undone-at-the-end", !all_undone(code, n_code, data, n_data));
}

static size_t count_changes(const struct report *report, uint64_t *gfns_or)
{
	struct change change;
	size_t n = 0;

	for (size_t i = 0; i < report->n; i++)
		if (change_parse(&report->list[i], &change)) {
			n++;
			*gfns_or |= change.gfn;
		}
	return n;
}

/* @all is what a record without a filter has. */
static void filtered(const struct report *all, struct report *report)
{
	uint64_t gfns = 0, filtered_gfns = 0;
	size_t n = count_changes(all, &gfns), left;

	/* The kernel keeps the same events a second time. */
	must_zero(put_text(INSTANCE "/events/" GROUP "/enable", "1"));
	must_succeed("record",
		     RECORD("-e", GROUP ":" SPTE_EVENT, "-f", "gfn==1"));
	must_zero(put_text(INSTANCE "/events/" GROUP "/enable", "0"));
	must_succeed("report", read_report(report));
	left = count_changes(report, &filtered_gfns);
	printf(SPTE_EVENT ": %zu events, with the filter gfn==1 %zu\n", n,
	       left);
	claim("filter-by-gfn", left > 0 && left < n && filtered_gfns == 1);
	control("filter-by-gfn", gfns != 1);
	claim("record-replaces", left == report->n);
	control("record-replaces", count_changes(all, &gfns) < all->n);
}

static void remove_file(struct report *report)
{
	int before = must_neg(count_lines(INSTANCE "/trace", " ", SPTE_EVENT));
	int after, cleared, status;

	claim("record-empties",
	      count_lines(TRACEFS "/trace", " ", SPTE_EVENT) == 0);
	control("record-empties", before > 0);

	must(unlink("trace.dat"));
	status = read_report(report);
	after = must_neg(count_lines(INSTANCE "/trace", " ", SPTE_EVENT));
	must_zero(put_text(INSTANCE "/trace", ""));
	cleared = must_neg(count_lines(INSTANCE "/trace", " ", SPTE_EVENT));
	printf("an instance has them too: %d; after rm trace.dat: %d; after "
	       "> trace: %d\n",
	       before, after, cleared);
	claim("report-reads-file", status != 0 && report->n == 0);
	refuted("rm-clears", after == 0);
	control("rm-clears", cleared == 0);
}

static const char *const by_record[] = {
	"fault-is-an-exit",  "level-by-level",	"only-the-leaf",
	"gfn-of-the-level",  "empty-spte",	"undone-at-the-end",
	"filter-by-gfn",     "record-replaces", "record-empties",
	"report-reads-file", "rm-clears"
};

static void demo(void)
{
	static struct report all, other;

	if (getenv(BE_THE_GUEST))
		be_the_guest();
	tracefs_borrow();
	puts("Where the events are");
	names();
	two_paths();
	unknown_event();

	/* Shadow paging has other events. */
	if (get_char(PARAMETER) != 'Y') {
		for (size_t i = 0; i < ARRAY_SIZE(by_record); i++)
			claim_skip(by_record[i], "the TDP MMU", PARAMETER "=N",
				   "a guest of the runner's");
		return;
	}
	puts("\nA guest touches two pages, then writes to a port");
	must_succeed("record", RECORD("-e", "kvm", "-e", GROUP));
	control("unknown-event", access("trace.dat", F_OK) == 0);
	must_succeed("report", read_report(&all));
	control("report-reads-file", all.n > 0);
	print_story(&all);
	judge_faults(&all);
	metric("events", all.n, "events");

	puts("\nLess of it, and none");
	filtered(&all, &other);
	remove_file(&other);
}

const struct lab lab = {
	.name = "trace_cmd",
	.needs = NEEDS("root", "kvm", "tracefs", "tool:trace-cmd",
		       "event:" GROUP ":" SPTE_EVENT),
	.demo = demo,
};
