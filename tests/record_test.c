// SPDX-License-Identifier: MIT
#include "runner/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/util.h"
#include "unit.h"

#define FRONT "---\ntitle: T\ntopic: memory\n---\n\n"
#define NOTE  FRONT "## Claims\n\n- `a`: One.\n- `b`: Two.\n"
#define NOTE_B_REFUTED                                                         \
	FRONT "## Claims\n\n- `a`: One.\n\n"                                   \
	      "## Refuted\n\n- `b`: Not so.\n\n  But so.\n"
#define NOTE_A FRONT "## Claims\n\n- `a`: One.\n"

/* What claim() and refuted() print, and claim_skip(). */
#define HOLDS(n, id) "ok " #n " - " id "\n# no control of " id ": none\n"
#define FAILS(n, id) "not ok " #n " - " id "\n# no control of " id ": none\n"
#define REFUTED(n, id)                                                         \
	"not ok " #n " - " id " # TODO refuted\n# no control of " id ": "      \
	"none\n"
#define SKIPS(n, id) "ok " #n " - " id " # SKIP x: found y; remedy: z\n"

#define BOTH_HOLD    HOLDS(1, "a") HOLDS(2, "b") "1..2\n"
#define B_FAILS	     HOLDS(1, "a") FAILS(2, "b") "1..2\n"
#define B_IS_REFUTED HOLDS(1, "a") REFUTED(2, "b") "1..2\n"
#define B_IS_SKIPPED HOLDS(1, "a") SKIPS(2, "b") "1..2\n"
#define A_IS_SKIPPED SKIPS(1, "a") HOLDS(2, "b") "1..2\n"
#define ONLY_A	     HOLDS(1, "a") "1..1\n"

static char *source;  /* the lab's folder */
static char *records; /* its records/ */
static struct run *run;

static void setup(void)
{
	source = scratch();
	must(asprintf(&records, "%s/records", source));
	put_file(source, "note.md", NOTE);
	put_file(source, "x.c", "int main;\n");
}

static void teardown(void)
{
	if (run)
		run_free(run);
	free(source);
	free(records);
}

static struct lab_dir folder(void)
{
	return (struct lab_dir){
		.name = must_ptr(strdup("x")),
		.path = must_ptr(strdup("labs/x")),
		.source = must_ptr(strdup(source)),
		.exe = must_ptr(strdup("/nonexistent")),
	};
}

/* Judge a run that printed @output, but do not record it yet. */
static void judge(const char *output, int exit_status)
{
	if (run)
		run_free(run);
	run = run_new(folder());
	run->place = must_ptr(strdup("host"));
	run->kernel = must_ptr(strdup("6.18.44"));
	run->series = must_ptr(strdup("6.18"));
	capture_add(&run->out, output, strlen(output));
	run->outcome.value = exit_status;
	run_judge(run, 0);
}

static void record(const char *output)
{
	judge(output, 0);
	record_update(run, true);
}

static void assert_recorded(enum status status, enum record_state state)
{
	ck_assert_str_eq(status_words[run->status], status_words[status]);
	ck_assert_str_eq(record_words[run->record], record_words[state]);
}

static void assert_reason(const char *words)
{
	for (size_t i = 0; i < run->n_reasons; i++)
		if (strstr(run->reasons[i], words))
			return;
	ck_abort_msg("none of %zu reasons says \"%s\"; the first: %s",
		     run->n_reasons, words,
		     run->n_reasons ? run->reasons[0] : "");
}

/* The record NAME has a header, and ends with @output. */
static void assert_holds(const char *name, const char *output)
{
	char *text = get_file(records, name);
	size_t len = strlen(text), tail = strlen(output);

	ck_assert_uint_gt(len, tail);
	ck_assert_str_eq(text + len - tail, output);
	free(text);
}

static ino_t inode_of(const char *name)
{
	struct stat st;
	char *path;

	must(asprintf(&path, "%s/%s", records, name));
	must(stat(path, &st));
	free(path);
	return st.st_ino;
}

static int accept_all(struct error *error)
{
	struct lab_dir dir = folder();
	int ret;

	*error = (struct error){ "" };
	ret = record_accept(&dir, error);
	lab_dir_free(&dir);
	return ret;
}

START_TEST(first_run_writes_the_record)
{
	static const char start[] = "# lab: x\n# kernel: Linux 6.18.44\n";
	char *text;

	record(BOTH_HOLD);
	assert_recorded(STATUS_PASS, RECORD_NEW);
	ck_assert_str_eq(run->record_path, "labs/x/records/6.18.out");
	ck_assert_int_eq(count_entries(records), 1);
	text = get_file(records, "6.18.out");
	ck_assert(strncmp(text, start, strlen(start)) == 0);
	ck_assert_contains(text, "\n# place: host\n");
	ck_assert_contains(text, "\n# compiler: ");
	ck_assert_contains(text, "\n# libc: glibc ");
	ck_assert_contains(text, "\n# source: sha256 ");
	ck_assert_contains(text, "\n# date: ");
	assert_holds("6.18.out", BOTH_HOLD);
	free(text);
}
END_TEST

START_TEST(each_series_has_a_record_of_its_own)
{
	record(BOTH_HOLD);
	judge(B_IS_SKIPPED, 0);
	free(run->series);
	run->series = must_ptr(strdup("6.1-rt"));
	record_update(run, true);
	assert_recorded(STATUS_PASS, RECORD_NEW);
	assert_holds("6.18.out", BOTH_HOLD);
	assert_holds("6.1-rt.out", B_IS_SKIPPED);
}
END_TEST

START_TEST(same_verdicts_leave_the_record_untouched)
{
	ino_t before;

	record("first\n" BOTH_HOLD);
	before = inode_of("6.18.out");
	record("other numbers\n" BOTH_HOLD);
	assert_recorded(STATUS_PASS, RECORD_CURRENT);
	ck_assert_uint_eq(inode_of("6.18.out"), before);
	assert_holds("6.18.out", "first\n" BOTH_HOLD);
	ck_assert_int_eq(run->results[0].recorded, VERDICT_HOLDS);
}
END_TEST

START_TEST(run_that_skips_more_leaves_the_record_untouched)
{
	record(BOTH_HOLD);
	record(B_IS_SKIPPED);
	assert_recorded(STATUS_PASS, RECORD_CURRENT);
	assert_holds("6.18.out", BOTH_HOLD);
}
END_TEST

START_TEST(run_that_settles_more_replaces_the_record)
{
	record(B_IS_SKIPPED);
	record(BOTH_HOLD);
	assert_recorded(STATUS_PASS, RECORD_NEW);
	assert_holds("6.18.out", BOTH_HOLD);
}
END_TEST

START_TEST(run_that_settles_one_and_skips_another_loses_nothing)
{
	record(B_IS_SKIPPED);
	record(A_IS_SKIPPED);
	assert_recorded(STATUS_PASS, RECORD_CURRENT);
	assert_holds("6.18.out", B_IS_SKIPPED);
}
END_TEST

START_TEST(claim_that_the_note_gained_or_lost_renews_the_record)
{
	put_file(source, "note.md", NOTE_A);
	record(ONLY_A);
	put_file(source, "note.md", NOTE);
	record(B_IS_SKIPPED);
	assert_recorded(STATUS_PASS, RECORD_NEW);
	put_file(source, "note.md", NOTE_A);
	record(ONLY_A);
	assert_recorded(STATUS_PASS, RECORD_NEW);
	assert_holds("6.18.out", ONLY_A);
}
END_TEST

START_TEST(other_verdict_is_a_drift_beside_the_record)
{
	struct error error;

	record(BOTH_HOLD);
	put_file(source, "note.md", NOTE_B_REFUTED);
	record(B_IS_REFUTED);
	assert_recorded(STATUS_DRIFT, RECORD_DRIFT);
	assert_reason("claim b: recorded holds, now refuted");
	ck_assert_uint_eq(run->n_reasons, 1);
	ck_assert_int_eq(run->results[1].recorded, VERDICT_HOLDS);
	assert_holds("6.18.out", BOTH_HOLD);
	assert_holds("6.18.out.new", B_IS_REFUTED);

	ck_assert_int_eq(accept_all(&error), 1);
	assert_holds("6.18.out", B_IS_REFUTED);
	ck_assert_int_eq(count_entries(records), 1);
	record(B_IS_REFUTED);
	assert_recorded(STATUS_PASS, RECORD_CURRENT);
}
END_TEST

START_TEST(one_contradiction_outweighs_what_else_is_settled)
{
	put_file(source, "note.md", NOTE "- `c`: Three.\n");
	record(HOLDS(1, "a") HOLDS(2, "b") SKIPS(3, "c") "1..3\n");
	judge(HOLDS(1, "a") FAILS(2, "b") HOLDS(3, "c") "1..3\n", 1);
	record_update(run, true);
	assert_recorded(STATUS_FAIL, RECORD_DRIFT);
	assert_reason("claim b: recorded holds, now refuted");
	assert_holds("6.18.out",
		     HOLDS(1, "a") HOLDS(2, "b") SKIPS(3, "c") "1..3\n");
}
END_TEST

START_TEST(run_that_did_not_pass_becomes_no_record)
{
	judge(B_FAILS, 1);
	record_update(run, true);
	assert_recorded(STATUS_FAIL, RECORD_NONE);
	/* Cut off, skipped, silent. */
	judge(HOLDS(1, "a"), 0);
	record_update(run, true);
	judge("# unmet root: found uid 1; remedy: sudo\n", 77);
	record_update(run, true);
	assert_recorded(STATUS_SKIP, RECORD_NONE);
	judge("", 0);
	record_update(run, true);
	ck_assert_int_eq(count_entries(records), -1);

	/* Nor does it replace one, though it settles more. */
	record(B_IS_SKIPPED);
	judge(BOTH_HOLD, 1);
	record_update(run, true);
	ck_assert_int_eq(run->status, STATUS_FAIL);
	assert_holds("6.18.out", B_IS_SKIPPED);
	ck_assert_int_eq(count_entries(records), 1);
}
END_TEST

START_TEST(check_mode_writes_nothing_at_all)
{
	judge(BOTH_HOLD, 0);
	record_update(run, false);
	assert_recorded(STATUS_PASS, RECORD_NONE);
	ck_assert_int_eq(count_entries(records), -1);

	record(B_IS_SKIPPED);
	judge(BOTH_HOLD, 0);
	record_update(run, false);
	ck_assert_int_eq(run->status, STATUS_PASS);
	assert_holds("6.18.out", B_IS_SKIPPED);

	record(BOTH_HOLD);
	judge(B_FAILS, 1);
	record_update(run, false);
	assert_recorded(STATUS_FAIL, RECORD_DRIFT);
	assert_reason("claim b: recorded holds, now refuted");
	put_file(records, "6.18.out", "");
	judge(BOTH_HOLD, 0);
	record_update(run, false);
	assert_recorded(STATUS_DRIFT, RECORD_DRIFT);
	ck_assert_int_eq(count_entries(records), 1);
}
END_TEST

START_TEST(truncated_record_is_a_drift_wherever_it_was_cut)
{
	struct error error;
	char *whole, *text;
	size_t end;

	record(BOTH_HOLD);
	whole = get_file(records, "6.18.out");
	/* Without its last newline alone it is still whole. */
	end = strlen(whole) - 1;
	/* One cut suffices for some of the header, but not of the plan. */
	for (size_t len = 0; len < end; len += len + 100 < end ? 29 : 1) {
		put_bytes(records, "6.18.out", whole, len);
		record(BOTH_HOLD);
		assert_recorded(STATUS_DRIFT, RECORD_DRIFT);
		assert_reason("6.18.out is truncated: its plan is ");
		assert_reason("\"runner accept x\"");
		text = get_file(records, "6.18.out");
		ck_assert_uint_eq(strlen(text), len);
		free(text);
	}
	ck_assert_int_eq(accept_all(&error), 1);
	record(BOTH_HOLD);
	assert_recorded(STATUS_PASS, RECORD_CURRENT);
	free(whole);
}
END_TEST

START_TEST(record_of_garbage_is_a_drift)
{
	record(BOTH_HOLD);
	put_bytes(records, "6.18.out", "\0\xff\x1b[2J\n1..0\n", 12);
	record(BOTH_HOLD);
	assert_recorded(STATUS_DRIFT, RECORD_DRIFT);
	assert_reason("is truncated");
}
END_TEST

START_TEST(record_that_cannot_be_read_is_told)
{
	char *path;

	/* A folder in its place: root may read anything else. */
	must(mkdir(records, 0755));
	must(asprintf(&path, "%s/6.18.out", records));
	must(mkdir(path, 0755));
	record(BOTH_HOLD);
	assert_recorded(STATUS_DRIFT, RECORD_DRIFT);
	assert_reason("6.18.out: Is a directory");
	assert_holds("6.18.out.new", BOTH_HOLD);
	free(path);
}
END_TEST

START_TEST(place_that_cannot_be_written_is_an_error_of_the_runner)
{
	/* A file in the place of the folder: root may write anywhere else. */
	put_file(source, "records", "");
	record(BOTH_HOLD);
	ck_assert_int_eq(run->status, STATUS_ERROR);
	ck_assert(run->could_not_record);
	assert_reason("could not record: ");
	assert_reason("Not a directory");
}
END_TEST

START_TEST(link_to_nowhere_is_no_record_yet)
{
	char *path;

	must(mkdir(records, 0755));
	must(asprintf(&path, "%s/6.18.out", records));
	must(symlink("nowhere", path));
	record(BOTH_HOLD);
	assert_recorded(STATUS_PASS, RECORD_NEW);
	assert_holds("6.18.out", BOTH_HOLD);
	ck_assert_int_eq(count_entries(records), 1);
	free(path);
}
END_TEST

START_TEST(output_too_long_to_keep_is_not_recorded)
{
	static const char line[] = "A line of output that nobody reads.\n";

	judge(BOTH_HOLD, 0);
	for (size_t i = 0; i <= 2 * CAPTURE_KEEP; i += sizeof(line) - 1)
		capture_add(&run->out, line, sizeof(line) - 1);
	record_update(run, true);
	ck_assert_int_eq(run->status, STATUS_ERROR);
	ck_assert(run->could_not_record);
	assert_reason("could not record: the output is longer than 2 MiB");
	ck_assert_int_eq(count_entries(records), 0);
}
END_TEST

START_TEST(unsafe_output_is_recorded_safely)
{
	char *text;

	record("\x1b[2J\xff\xe2\x80\xae\n# lab: forged\n" BOTH_HOLD);
	assert_recorded(STATUS_PASS, RECORD_NEW);
	text = get_file(records, "6.18.out");
	ck_assert_uint_eq(safe_span(text, strlen(text)), strlen(text));
	free(text);
	record(BOTH_HOLD);
	assert_recorded(STATUS_PASS, RECORD_CURRENT);
}
END_TEST

START_TEST(accept_refuses_what_the_note_does_not_expect)
{
	struct error error;

	record(BOTH_HOLD);
	judge(B_FAILS, 1);
	record_update(run, true);
	ck_assert_int_eq(accept_all(&error), -1);
	ck_assert_contains(error.text, "6.18.out.new: the note expects claim b "
				       "to hold, this run says otherwise");
	assert_holds("6.18.out", BOTH_HOLD);
	ck_assert_int_eq(count_entries(records), 2);

	put_file(source, "note.md", NOTE_B_REFUTED);
	ck_assert_int_eq(accept_all(&error), 1);
	assert_holds("6.18.out", B_FAILS);
	ck_assert_int_eq(count_entries(records), 1);
}
END_TEST

START_TEST(accept_refuses_a_truncated_file)
{
	struct error error;

	must(mkdir(records, 0755));
	put_file(records, "6.18.out.new", HOLDS(1, "a"));
	ck_assert_int_eq(accept_all(&error), -1);
	ck_assert_contains(error.text, "6.18.out.new is truncated");
	ck_assert_int_eq(count_entries(records), 1);
}
END_TEST

START_TEST(accept_without_a_drift_does_nothing)
{
	struct error error;

	ck_assert_int_eq(accept_all(&error), 0);
	record(BOTH_HOLD);
	/* Names that only resemble one. */
	put_file(records, ".out.new", "");
	put_file(records, "6.18.new", "");
	ck_assert_int_eq(accept_all(&error), 0);
	ck_assert_int_eq(count_entries(records), 3);
}
END_TEST

START_TEST(accept_takes_each_series)
{
	struct error error;

	must(mkdir(records, 0755));
	put_file(records, "6.1.out.new", "\n" BOTH_HOLD);
	put_file(records, "6.18.out.new", "\n" B_IS_SKIPPED);
	ck_assert_int_eq(accept_all(&error), 2);
	assert_holds("6.1.out", BOTH_HOLD);
	assert_holds("6.18.out", B_IS_SKIPPED);
	ck_assert_int_eq(count_entries(records), 2);
}
END_TEST

START_TEST(accept_needs_a_good_note)
{
	struct error error;

	must(mkdir(records, 0755));
	put_file(records, "6.18.out.new", "\n" BOTH_HOLD);
	put_file(source, "note.md", "");
	ck_assert_int_eq(accept_all(&error), -1);
	ck_assert_contains(error.text, "note.md:1: expected front matter");
	assert_holds("6.18.out.new", BOTH_HOLD);
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, first_run_writes_the_record);
	tcase_add_test(tests, each_series_has_a_record_of_its_own);
	tcase_add_test(tests, same_verdicts_leave_the_record_untouched);
	tcase_add_test(tests, run_that_skips_more_leaves_the_record_untouched);
	tcase_add_test(tests, run_that_settles_more_replaces_the_record);
	tcase_add_test(tests,
		       run_that_settles_one_and_skips_another_loses_nothing);
	tcase_add_test(tests,
		       claim_that_the_note_gained_or_lost_renews_the_record);
	tcase_add_test(tests, other_verdict_is_a_drift_beside_the_record);
	tcase_add_test(tests, one_contradiction_outweighs_what_else_is_settled);
	tcase_add_test(tests, run_that_did_not_pass_becomes_no_record);
	tcase_add_test(tests, check_mode_writes_nothing_at_all);
	tcase_add_test(tests, truncated_record_is_a_drift_wherever_it_was_cut);
	tcase_add_test(tests, record_of_garbage_is_a_drift);
	tcase_add_test(tests, record_that_cannot_be_read_is_told);
	tcase_add_test(tests,
		       place_that_cannot_be_written_is_an_error_of_the_runner);
	tcase_add_test(tests, link_to_nowhere_is_no_record_yet);
	tcase_add_test(tests, output_too_long_to_keep_is_not_recorded);
	tcase_add_test(tests, unsafe_output_is_recorded_safely);
	tcase_add_test(tests, accept_refuses_what_the_note_does_not_expect);
	tcase_add_test(tests, accept_refuses_a_truncated_file);
	tcase_add_test(tests, accept_without_a_drift_does_nothing);
	tcase_add_test(tests, accept_takes_each_series);
	tcase_add_test(tests, accept_needs_a_good_note);
}
