// SPDX-License-Identifier: MIT
#include "runner/tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runner/util.h"
#include "unit.h"

static struct tap tap;

/* Take in all of @text, to its end. */
static void take(const char *text)
{
	char *copy = must_ptr(strdup(text)), *rest = copy;

	tap_start(&tap);
	for (char *line; (line = strsep(&rest, "\n"));)
		tap_line(&tap, line);
	tap_end(&tap);
	free(copy);
}

static void free_tap(void)
{
	tap_free(&tap);
}

static const struct report *report(const char *id)
{
	const struct report *found = tap_report(&tap, id);

	ck_assert_msg(found != NULL, "nothing on %s", id);
	return found;
}

/* All that was wrong is @words. */
static void assert_problem(const char *words)
{
	ck_assert_uint_eq(tap.n_problems, 1);
	ck_assert_contains(tap.problems[0], words);
}

START_TEST(honest_output_is_understood)
{
	take("A story\n"
	     "ok 1 - holds\n"
	     "# at labs/x/x.c:10: a == b\n"
	     "ok 2 - control of holds\n"
	     "# at labs/x/x.c:11: a != b\n"
	     "not ok 3 - refuted # TODO refuted\n"
	     "# no control of refuted: the call has no other form\n"
	     "ok 4 - skipped # SKIP Linux 6.7: found EPERM; remedy: upgrade\n"
	     "not ok 5 - bad\n"
	     "# metric pages 256 pages\n"
	     "# point mmap 16 6.5e1\n"
	     "1..5");
	ck_assert_uint_eq(tap.n_problems, 0);
	ck_assert_uint_eq(tap.n_reports, 4);
	ck_assert_int_eq(tap.plan, 5);
	ck_assert_int_eq(report("holds")->seen, SEEN_HOLDS);
	ck_assert_int_eq(report("holds")->control, CONTROL_HELD);
	ck_assert(!report("holds")->says_refuted);
	ck_assert_str_eq(report("holds")->where.at, "labs/x/x.c:10");
	ck_assert_str_eq(report("holds")->where.condition, "a == b");
	ck_assert_int_eq(report("refuted")->seen, SEEN_REFUTED);
	ck_assert(report("refuted")->says_refuted);
	ck_assert_int_eq(report("refuted")->control, CONTROL_NONE);
	ck_assert_str_eq(report("refuted")->no_control,
			 "the call has no other form");
	ck_assert_int_eq(report("skipped")->seen, SEEN_SKIPPED);
	ck_assert_str_eq(report("skipped")->skip,
			 "Linux 6.7: found EPERM; remedy: upgrade");
	ck_assert_int_eq(report("bad")->seen, SEEN_REFUTED);
	ck_assert(!report("bad")->says_refuted);
	ck_assert_ptr_null(report("bad")->no_control);
	ck_assert_uint_eq(tap.n_metrics, 1);
	ck_assert_str_eq(tap.metrics[0].unit, "pages");
	ck_assert_uint_eq(tap.n_points, 1);
	ck_assert_double_eq(tap.points[0].y, 65);
}
END_TEST

START_TEST(refuted_that_came_out_true_still_says_so)
{
	take("ok 1 - a # TODO refuted\n1..1");
	ck_assert_uint_eq(tap.n_problems, 0);
	ck_assert_int_eq(report("a")->seen, SEEN_HOLDS);
	ck_assert(report("a")->says_refuted);
}
END_TEST

static const struct {
	const char *text, *problem;
} dishonest[] = {
	{ "ok 2 - a\n1..1", "verdict line 1 has number 2" },
	{ "ok 1 - a\nok 1 - b\n1..2", "verdict line 2 has number 1" },
	{ "ok -1 - a\n1..1", "verdict line 1 has number -1" },
	{ "ok 1 - a\n1..1\n1..1", "a second plan, 1..1" },
	{ "ok 1 - a\n1..2", "the plan says 1..2, but 1 verdict lines came" },
	{ "ok 1 - a\n1..0", "the plan says 1..0, but 1 verdict lines came" },
	{ "ok 1 - a\n1..99999999999999999999", "but 1 verdict lines came" },
	{ "1..1\nok 1 - a", "a verdict line after the plan: 1 - a" },
	{ "ok 1 - a\nok 2 - a\n1..2", "a second verdict on a" },
	{ "ok 1 - a\nok 2 - a # SKIP x\n1..2", "a second verdict on a" },
	{ "ok 1\n1..1", "a verdict line without an id: 1" },
	{ "ok 1 a\n1..1", "a verdict line without an id: 1 a" },
	{ "ok 1 - a b\n1..1", "a verdict line that no lab prints: a b" },
	{ "not ok 1 - a # TODO later\n1..1", "that no lab prints: a # TODO" },
};

START_TEST(output_that_no_honest_lab_prints_is_a_problem)
{
	take(dishonest[_i].text);
	assert_problem(dishonest[_i].problem);
}
END_TEST

START_TEST(of_two_verdicts_the_worse_counts)
{
	take("ok 1 - a\nnot ok 2 - a\n1..2");
	ck_assert_int_eq(report("a")->seen, SEEN_REFUTED);
	tap_free(&tap);
	take("not ok 1 - a\nok 2 - a\n1..2");
	ck_assert_int_eq(report("a")->seen, SEEN_REFUTED);
	tap_free(&tap);
	take("ok 1 - a # SKIP x\nnot ok 2 - a\n1..2");
	ck_assert_int_eq(report("a")->seen, SEEN_REFUTED);
}
END_TEST

START_TEST(no_plan_is_told_apart_from_an_empty_one)
{
	take("ok 1 - a");
	ck_assert_int_eq(tap.plan, -1);
	tap_free(&tap);
	take("1..0 # SKIP no need met");
	ck_assert_int_eq(tap.plan, 0);
	ck_assert_uint_eq(tap.n_problems, 0);
}
END_TEST

START_TEST(failed_control_stays_failed_and_keeps_its_place)
{
	take("ok 1 - control of a\n"
	     "# at x.c:1: one\n"
	     "not ok 2 - control of a\n"
	     "# at x.c:2: two\n"
	     "ok 3 - control of a\n"
	     "# at x.c:3: three\n"
	     "ok 4 - a\n"
	     "# at x.c:4: four\n"
	     "1..4");
	ck_assert_uint_eq(tap.n_problems, 0);
	ck_assert_int_eq(report("a")->control, CONTROL_FAILED);
	ck_assert_str_eq(report("a")->control_where.at, "x.c:2");
	ck_assert_str_eq(report("a")->control_where.condition, "two");
	ck_assert_str_eq(report("a")->where.at, "x.c:4");
}
END_TEST

START_TEST(control_alone_is_no_verdict)
{
	take("ok 1 - control of a\n1..1");
	ck_assert_int_eq(report("a")->seen, SEEN_NOTHING);
	ck_assert_int_eq(report("a")->control, CONTROL_HELD);
}
END_TEST

START_TEST(place_without_a_verdict_before_it_is_text)
{
	tap_start(&tap);
	ck_assert_int_eq(tap_line(&tap, "# at x.c:1: one"), TAP_TEXT);
	ck_assert_int_eq(tap_line(&tap, "ok 1 - a"), TAP_VERDICT);
	ck_assert_int_eq(tap_line(&tap, "# at noon"), TAP_TEXT);
	ck_assert_int_eq(tap_line(&tap, "# at x.c:2: two"), TAP_WHERE);
	/* A second one, perhaps forged, changes nothing. */
	ck_assert_int_eq(tap_line(&tap, "# at x.c:3: three"), TAP_WHERE);
	ck_assert_str_eq(report("a")->where.at, "x.c:2");
	ck_assert_ptr_eq(tap_last(&tap), report("a"));
}
END_TEST

START_TEST(no_control_needs_a_reason)
{
	/* On the heap, so that a read past the end is seen by ASan. */
	char *bare = must_ptr(strdup("# no control of a"));
	char *colon = must_ptr(strdup("# no control of a:"));

	tap_start(&tap);
	ck_assert_int_eq(tap_line(&tap, bare), TAP_NO_CONTROL);
	ck_assert_int_eq(tap_line(&tap, colon), TAP_NO_CONTROL);
	free(bare);
	free(colon);
	ck_assert_ptr_null(report("a")->no_control);
	tap_line(&tap, "# no control of a: first");
	tap_line(&tap, "# no control of a: second");
	ck_assert_str_eq(report("a")->no_control, "first");
}
END_TEST

static const char *const texts[] = {
	"",
	"ok",
	"okay 1 - a",
	" ok 1 - a",
	"OK 1 - a",
	"1..",
	"1..x",
	"1..3x",
	"1..2 verdicts",
	"# metric t nan ns",
	"# metric t -inf ns",
	"# metric t 1e999 ns",
	"# metric t fast ns",
	"# metric t 1",
	"# metric t 1 two words",
	"# metric t 1 a-unit-of-more-than-thirty-one-bytes",
	"# point s 1",
	"# point s nan 1",
	"# point s 1 inf",
	"# point s 1 2 3",
	"# point s 1 2x",
	"# unmet root",
	"# unmet root: found uid 1000",
	"# a comment",
};

START_TEST(all_else_is_text)
{
	tap_start(&tap);
	ck_assert_int_eq(tap_line(&tap, texts[_i]), TAP_TEXT);
	ck_assert_uint_eq(tap.n_metrics + tap.n_points + tap.n_unmet, 0);
	ck_assert_uint_eq(tap.n_reports + tap.n_problems, 0);
	ck_assert_int_eq(tap.numbered, 0);
}
END_TEST

START_TEST(unmet_need_comes_with_what_was_found_and_the_remedy)
{
	take("# unmet tool:gdb: found not on PATH; remedy: install gdb");
	ck_assert_uint_eq(tap.n_unmet, 1);
	ck_assert_str_eq(tap.unmet[0].need, "tool:gdb");
	ck_assert_str_eq(tap.unmet[0].found, "not on PATH");
	ck_assert_str_eq(tap.unmet[0].remedy, "install gdb");
}
END_TEST

START_TEST(line_of_a_megabyte_is_quoted_in_part)
{
	size_t len = 1 << 20;
	char *line = must_ptr(malloc(len + 1));

	memset(line, 'x', len);
	line[len] = '\0';
	memcpy(line, "ok 1 - ", 7);
	line[len / 2] = ' ';
	tap_start(&tap);
	ck_assert_int_eq(tap_line(&tap, line), TAP_VERDICT);
	ck_assert_uint_eq(tap.n_problems, 1);
	ck_assert_uint_lt(strlen(tap.problems[0]), 200);
	/* As the name of a metric, and of a point. */
	memcpy(line, "# metric ", 9);
	ck_assert_int_eq(tap_line(&tap, line), TAP_TEXT);
	memcpy(line, "# point  ", 9);
	ck_assert_int_eq(tap_line(&tap, line), TAP_TEXT);
	free(line);
}
END_TEST

START_TEST(quoted_part_ends_in_a_whole_character)
{
	static const char *const starts[] = { "ok 1 - a ",   "ok 2 - ab ",
					      "ok 3 - abc ", "ok 4 ",
					      "ok  5 ",	     "ok   6 " };

	tap_start(&tap);
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		char line[400];

		strcpy(line, starts[i]);
		for (int n = 0; n < 100; n++)
			strcat(line, "中");
		tap_line(&tap, line);
	}
	ck_assert_uint_eq(tap.n_problems, ARRAY_SIZE(starts));
	for (size_t i = 0; i < tap.n_problems; i++)
		ck_assert_uint_eq(
			safe_span(tap.problems[i], strlen(tap.problems[i])),
			strlen(tap.problems[i]));
}
END_TEST

START_TEST(flood_stays_bounded)
{
	enum { POINTS_MAX = 100000, REPORTS_MAX = 1000 };
	char line[64];

	tap_start(&tap);
	for (int i = 0; i < POINTS_MAX; i++) {
		snprintf(line, sizeof(line), "# point s %d 1", i);
		ck_assert_int_eq(tap_line(&tap, line), TAP_POINT);
	}
	ck_assert_int_eq(tap_line(&tap, "# point s 1 1"), TAP_TEXT);
	ck_assert_uint_eq(tap.n_points, POINTS_MAX);
	ck_assert_double_eq(tap.points[POINTS_MAX - 1].x, POINTS_MAX - 1);
	for (int i = 0; i < 2 * REPORTS_MAX; i++) {
		snprintf(line, sizeof(line), "ok %d - c%d", i + 1, i);
		tap_line(&tap, line);
	}
	ck_assert_uint_eq(tap.n_reports, REPORTS_MAX);
	ck_assert_str_eq(tap.problems[0], "more than 1000 claims");
	ck_assert_uint_le(tap.n_problems, 20);
	/* What spoke of a claim too many speaks of none. */
	ck_assert_ptr_null(tap_last(&tap));
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_checked_fixture(tests, NULL, free_tap);
	tcase_add_test(tests, honest_output_is_understood);
	tcase_add_test(tests, refuted_that_came_out_true_still_says_so);
	tcase_add_loop_test(tests,
			    output_that_no_honest_lab_prints_is_a_problem, 0,
			    ARRAY_SIZE(dishonest));
	tcase_add_test(tests, of_two_verdicts_the_worse_counts);
	tcase_add_test(tests, no_plan_is_told_apart_from_an_empty_one);
	tcase_add_test(tests, failed_control_stays_failed_and_keeps_its_place);
	tcase_add_test(tests, control_alone_is_no_verdict);
	tcase_add_test(tests, place_without_a_verdict_before_it_is_text);
	tcase_add_test(tests, no_control_needs_a_reason);
	tcase_add_loop_test(tests, all_else_is_text, 0, ARRAY_SIZE(texts));
	tcase_add_test(tests,
		       unmet_need_comes_with_what_was_found_and_the_remedy);
	tcase_add_test(tests, line_of_a_megabyte_is_quoted_in_part);
	tcase_add_test(tests, quoted_part_ends_in_a_whole_character);
	tcase_add_test(tests, flood_stays_bounded);
}
