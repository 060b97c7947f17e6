// SPDX-License-Identifier: MIT
#include "runner/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/util.h"
#include "unit.h"

#define NOTE                                                                   \
	"---\ntitle: T\ntopic: memory\n---\n\n"                                \
	"## Claims\n\n- `a`: One.\n\n"                                         \
	"## Refuted\n\n- `r`: Not so.\n\n  But so.\n"

/* What an honest lab of this note says of each. */
#define A "ok 1 - a\n# at x.c:1: a()\nok 2 - control of a\n"
#define R "not ok 3 - r # TODO refuted\n# at x.c:3: r()\nok 4 - control of r\n"

static struct run *run;

/* A run of a lab with @note; NULL: with none. */
static void begin(const char *note)
{
	char *dir = scratch();

	if (note)
		put_file(dir, "note.md", note);
	run = run_new((struct lab_dir){
		.name = must_ptr(strdup("x")),
		.path = must_ptr(strdup("labs/x")),
		.source = dir,
		.exe = must_ptr(strdup("/nonexistent")),
	});
}

/* The lab printed @output and ended like this. */
static void judge_end(const char *output, enum end end, int value)
{
	begin(NOTE);
	capture_add(&run->out, output, strlen(output));
	run->outcome.end = end;
	run->outcome.value = value;
	run_judge(run, 0);
}

static void judge(const char *output, int exit_status)
{
	judge_end(output, END_EXIT, exit_status);
}

static void teardown(void)
{
	if (run)
		run_free(run);
}

static void assert_reason(size_t i, const char *words)
{
	ck_assert_uint_gt(run->n_reasons, i);
	ck_assert_contains(run->reasons[i], words);
}

static void assert_result(const char *id, enum verdict verdict, bool expected)
{
	for (size_t i = 0; i < run->n_results; i++) {
		const struct result *result = &run->results[i];

		if (strcmp(result->id, id) != 0)
			continue;
		ck_assert_str_eq(verdict_words[result->verdict],
				 verdict_words[verdict]);
		ck_assert_int_eq(result->expected, expected);
		/* Whatever is not expected says why. */
		ck_assert_int_eq(result->reason == NULL, expected);
		return;
	}
	ck_abort_msg("no result for %s", id);
}

START_TEST(verdicts_as_the_note_has_them_pass)
{
	judge(A R "1..4\n", 0);
	ck_assert_int_eq(run->status, STATUS_PASS);
	ck_assert_uint_eq(run->n_reasons, 0);
	ck_assert_uint_eq(run->n_results, 2);
	assert_result("a", VERDICT_HOLDS, true);
	assert_result("r", VERDICT_REFUTED, true);
}
END_TEST

START_TEST(skipped_claim_is_expected_and_needs_no_control)
{
	judge("ok 1 - a # SKIP x: found y; remedy: z\n"
	      "not ok 2 - r # TODO refuted\nok 3 - control of r\n1..3\n",
	      0);
	ck_assert_int_eq(run->status, STATUS_PASS);
	assert_result("a", VERDICT_SKIPPED, true);
}
END_TEST

START_TEST(reason_in_place_of_a_control_is_enough)
{
	judge("ok 1 - a\n# no control of a: it has no other side\n"
	      "not ok 2 - r # TODO refuted\n# no control of r: nor "
	      "that\n1..2\n",
	      0);
	ck_assert_int_eq(run->status, STATUS_PASS);
}
END_TEST

static const struct {
	const char *output;
	int exit_status;
	const char *id;
	enum verdict verdict;
	const char *reason;
} bad[] = {
	/* The kernel says otherwise. */
	{ "not ok 1 - a\n# at x.c:1: a()\nok 2 - control of a\n" R "1..4\n", 1,
	  "a", VERDICT_REFUTED,
	  "claim a: expected to hold, came out false: x.c:1: a()" },
	{ A "ok 3 - r # TODO refuted\n# at x.c:3: r()\nok 4 - control of r\n"
	    "1..4\n",
	  1, "r", VERDICT_HOLDS,
	  "claim r: expected refuted, came out true: x.c:3: r()" },
	/* An exit status of 0 changes nothing. */
	{ "not ok 1 - a\nok 2 - control of a\n" R "1..4\n", 0, "a",
	  VERDICT_REFUTED, "expected to hold, came out false" },
	/* Only one side knows it. */
	{ A "1..2\n", 0, "r", VERDICT_MISSING,
	  "claim r: the note lists it (labs/x/note.md:12), but the lab never "
	  "reported it" },
	{ A R "ok 5 - b\n# at x.c:5: b()\n1..5\n", 0, "b", VERDICT_UNDECLARED,
	  "claim b: x.c:5 reports it, but labs/x/note.md does not list it" },
	{ A R "ok 5 - control of b\n# at x.c:5: b()\n1..5\n", 0, "b",
	  VERDICT_UNDECLARED, "x.c:5 reports it" },
	{ A R "ok 5 - b # SKIP x\n1..5\n", 0, "b", VERDICT_UNDECLARED,
	  "the lab's source reports it" },
	/* A control is no verdict. */
	{ "ok 1 - control of a\nok 2 - control of a\n" R "1..4\n", 0, "a",
	  VERDICT_MISSING, "never reported it" },
	/* It proves nothing. */
	{ "ok 1 - a\nnot ok 2 - control of a\n# at x.c:2: b()\n" R "1..4\n", 1,
	  "a", VERDICT_VACUOUS,
	  "its control failed, so it proves nothing: x.c:2: b()" },
	{ "ok 1 - a\nnot ok 2 - control of a\n" R "ok 5 - control of a\n1..5\n",
	  0, "a", VERDICT_VACUOUS, "its control failed" },
	{ "ok 1 - a\n# at x.c:1: a()\n" /* none */
	  "not ok 2 - r # TODO refuted\nok 3 - control of r\n1..3\n",
	  0, "a", VERDICT_HOLDS,
	  "it has neither control() nor no_control(): x.c:1" },
	{ "ok 1 - a\n# no control of a:\n"
	  "not ok 2 - r # TODO refuted\nok 3 - control of r\n1..3\n",
	  0, "a", VERDICT_HOLDS, "neither control() nor no_control()" },
	/* claim() and refuted() mixed up, yet right by chance. */
	{ A "not ok 3 - r\n# at x.c:3: r()\nok 4 - control of r\n1..4\n", 1,
	  "r", VERDICT_REFUTED,
	  "the note lists it under Refuted (labs/x/note.md:12), but x.c:3 "
	  "reports it with claim()" },
	{ "ok 1 - a # TODO refuted\n# at x.c:1: a()\nok 2 - control of a\n" R
	  "1..4\n",
	  1, "a", VERDICT_HOLDS,
	  "the note lists it under Claims (labs/x/note.md:8), but x.c:1 "
	  "reports it with refuted()" },
};

START_TEST(unexpected_claim_fails_and_says_why)
{
	judge(bad[_i].output, bad[_i].exit_status);
	ck_assert_int_eq(run->status, STATUS_FAIL);
	ck_assert_uint_eq(run->n_reasons, 1);
	assert_reason(0, bad[_i].reason);
	assert_result(bad[_i].id, bad[_i].verdict, false);
}
END_TEST

static const struct {
	const char *output;
	enum end end;
	int value;
	enum status status;
	const char *reason;
} ends[] = {
	{ A R "1..4\n", END_EXIT, 1, STATUS_FAIL,
	  "exit status 1, though each verdict is as expected" },
	{ A R "1..4\n", END_EXIT, 3, STATUS_FAIL, "exit status 3" },
	{ A R "1..4\n", END_EXIT, 77, STATUS_FAIL, "exit status 77" },
	{ A R, END_EXIT, 0, STATUS_FAIL, "the output has no plan" },
	{ A R "1..5\n", END_EXIT, 0, STATUS_FAIL, "the plan says 1..5" },
	{ A R "1..4\n1..4\n", END_EXIT, 0, STATUS_FAIL, "a second plan" },
	{ A R "1..4\n", END_EXIT, 99, STATUS_ERROR, "the lab's set-up failed" },
	{ A R "1..4\n", END_SIGNAL, SIGSEGV, STATUS_FAIL, "killed by SIGSEGV" },
	{ A R, END_SIGNAL, SIGSEGV, STATUS_FAIL, "killed by SIGSEGV" },
	{ A R, END_TIMEOUT, 10, STATUS_FAIL, "no end within 10 s; killed" },
	{ A R "1..4\n", END_LOST, 0, STATUS_ERROR, "its exit status was lost" },
	{ A R "1..4\n", END_PANIC, 0, STATUS_FAIL, "the guest panicked" },
};

START_TEST(bad_end_is_never_a_pass)
{
	judge_end(ends[_i].output, ends[_i].end, ends[_i].value);
	ck_assert_str_eq(status_words[run->status],
			 status_words[ends[_i].status]);
	ck_assert_uint_eq(run->n_reasons, 1);
	assert_reason(0, ends[_i].reason);
}
END_TEST

START_TEST(nothing_at_all_is_a_failure)
{
	judge("", 0);
	ck_assert_int_eq(run->status, STATUS_FAIL);
	assert_result("a", VERDICT_MISSING, false);
	assert_result("r", VERDICT_MISSING, false);
}
END_TEST

START_TEST(each_unmet_need_is_a_reason_to_skip)
{
	judge("# unmet root: found uid 1000; remedy: run it with sudo\n"
	      "# unmet swap: found 0 kB; remedy: swapon\n",
	      77);
	ck_assert_int_eq(run->status, STATUS_SKIP);
	ck_assert_uint_eq(run->n_reasons, 2);
	assert_reason(0, "need root: found uid 1000; remedy: run it with sudo");
	assert_reason(1, "need swap: found 0 kB; remedy: swapon");
	ck_assert_uint_eq(run->n_results, 0);
}
END_TEST

START_TEST(skip_without_a_need_is_an_error)
{
	judge("nothing to see\n", 77);
	ck_assert_int_eq(run->status, STATUS_ERROR);
	assert_reason(0, "it skipped without naming a need");
}
END_TEST

START_TEST(nothing_settled_is_a_skip)
{
	judge("ok 1 - a # SKIP x: found y; remedy: z\n"
	      "ok 2 - r # SKIP x: found y; remedy: z\n1..2\n",
	      0);
	ck_assert_int_eq(run->status, STATUS_SKIP);
	assert_reason(0, "no claim could be settled here: x: found y");
}
END_TEST

START_TEST(processes_left_behind_fail_the_run)
{
	begin(NOTE);
	capture_add(&run->out, A R "1..4", strlen(A R "1..4"));
	run_judge(run, 2);
	ck_assert_int_eq(run->status, STATUS_FAIL);
	assert_reason(0, "it left 2 processes running; they were killed");
}
END_TEST

START_TEST(lab_without_a_good_note_is_an_error_that_names_it)
{
	begin(NULL);
	ck_assert(!run->has_note);
	ck_assert_int_eq(run->status, STATUS_ERROR);
	assert_reason(0, "cannot read labs/x/note.md: No such file");
	run_free(run);
	begin("---\ntitle: T\n---\n");
	ck_assert_int_eq(run->status, STATUS_ERROR);
	assert_reason(0, "labs/x/note.md:2: expected a line \"topic: ...\"");
}
END_TEST

START_TEST(worst_status_counts)
{
	begin(NOTE);
	run_reason(run, STATUS_FAIL, "one");
	run_reason(run, STATUS_DRIFT, "%s", "two");
	ck_assert_int_eq(run->status, STATUS_FAIL);
	ck_assert_uint_eq(run->n_reasons, 2);
}
END_TEST

START_TEST(series_is_version_and_flavour)
{
	static const struct {
		const char *release, *version, *series;
	} cases[] = {
		{ "6.18.44", "#1 SMP PREEMPT_DYNAMIC", "6.18" },
		{ "6.1.0-28-amd64", "#1 SMP Debian 6.1.119-1", "6.1" },
		{ "6.1.0-28-rt-amd64", "#1 SMP PREEMPT_RT Debian", "6.1-rt" },
		{ "6.1.90-rt30", "", "6.1-rt" },
		{ "6.1.0-56-rt-amd64", "", "6.1-rt" },
		{ "6.1.0-rtl-amd64", "", "6.1" },
		{ "6.12.7-debug", "#1 SMP", "6.12-debug" },
		{ "6.12-rc1", "#1", "6.12" },
		{ "10.123.4", "#1", "10.123" },
		{ "7", "#1", "7" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *series =
			kernel_series(cases[i].release, cases[i].version);

		ck_assert_str_eq(series, cases[i].series);
		free(series);
	}
}
END_TEST

START_TEST(each_end_has_its_words)
{
	static const struct {
		struct outcome outcome;
		const char *text;
	} cases[] = {
		{ { .end = END_EXIT, .value = 3 }, "exit status 3" },
		{ { .end = END_SIGNAL, .value = SIGKILL },
		  "killed by SIGKILL" },
		{ { .end = END_SIGNAL, .value = 40 }, "killed by signal 40" },
		{ { .end = END_TIMEOUT, .value = 10 },
		  "no end within 10 s; killed" },
		{ { .end = END_TIMEOUT, .reason = "stopped by SIGINT" },
		  "stopped by SIGINT" },
		{ { .end = END_PANIC, .reason = "Kernel panic" },
		  "the guest panicked: Kernel panic" },
		{ { .end = END_BOOT_FAILURE }, "the guest did not boot" },
		{ { .end = END_LOST, .reason = "its keeper died" },
		  "its exit status was lost: its keeper died" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = outcome_text(&cases[i].outcome);

		ck_assert_str_eq(text, cases[i].text);
		free(text);
	}
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_checked_fixture(tests, NULL, teardown);
	tcase_add_test(tests, verdicts_as_the_note_has_them_pass);
	tcase_add_test(tests, skipped_claim_is_expected_and_needs_no_control);
	tcase_add_test(tests, reason_in_place_of_a_control_is_enough);
	tcase_add_loop_test(tests, unexpected_claim_fails_and_says_why, 0,
			    ARRAY_SIZE(bad));
	tcase_add_loop_test(tests, bad_end_is_never_a_pass, 0,
			    ARRAY_SIZE(ends));
	tcase_add_test(tests, nothing_at_all_is_a_failure);
	tcase_add_test(tests, each_unmet_need_is_a_reason_to_skip);
	tcase_add_test(tests, skip_without_a_need_is_an_error);
	tcase_add_test(tests, nothing_settled_is_a_skip);
	tcase_add_test(tests, processes_left_behind_fail_the_run);
	tcase_add_test(tests,
		       lab_without_a_good_note_is_an_error_that_names_it);
	tcase_add_test(tests, worst_status_counts);
	tcase_add_test(tests, series_is_version_and_flavour);
	tcase_add_test(tests, each_end_has_its_words);
}
