// SPDX-License-Identifier: MIT
#include "signals.h"

#include <stdio.h>
#include <sys/mman.h>

#include "common/lab_test.h"

START_TEST(judge_knows_every_outcome)
{
	const char *text = "one\ntwo\n", *line = "hit\n";

	ck_assert_int_eq(judge("hit\none\ntwo\n", text, line), WHOLE);
	ck_assert_int_eq(judge("one\nhit\ntwo\n", text, line), WHOLE);
	ck_assert_int_eq(judge("one\ntwo\nhit\n", text, line), WHOLE);
	ck_assert_int_eq(judge("one\nthit\nwo\n", text, line), SPLIT);
	ck_assert_int_eq(judge("one\ntwohit\n\n", text, line), SPLIT);
	ck_assert_int_eq(judge("one\none\ntwo\nhit\n", text, line), DOUBLED);
	ck_assert_int_eq(judge("one\ntwo\n", text, line), LOST);
	ck_assert_int_eq(judge("one\nhit\ntwh\n", text, line), LOST);
}
END_TEST

START_TEST(no_output_is_lost_text)
{
	ck_assert_int_eq(judge("", "one\n", "hit\n"), LOST);
	ck_assert_int_eq(judge("", "", "hit\n"), LOST);
	ck_assert_int_eq(judge("hit\n", "", "hit\n"), WHOLE);
}
END_TEST

START_TEST(line_that_starts_like_the_text_is_found)
{
	ck_assert_int_eq(judge("two\ntoo\n", "two\n", "too\n"), WHOLE);
	ck_assert_int_eq(judge("too\ntwo\n", "two\n", "too\n"), WHOLE);
	ck_assert_int_eq(judge("twtoo\no\n", "two\n", "too\n"), SPLIT);
}
END_TEST

START_TEST(only_a_printf_on_both_sides_of_the_signal_counts)
{
	const struct stack hung = {
		5, { "lock", "_IO_printf", "handler", SIGNAL_FRAME, "vfprintf" }
	};
	struct stack other = hung;

	ck_assert(printf_over_printf(&hung, "handler"));
	ck_assert(!printf_over_printf(&hung, "other"));
	other.depth = 4;
	ck_assert(!printf_over_printf(&other, "handler"));
	other.depth = 0;
	ck_assert(!printf_over_printf(&other, "handler"));
	other = hung;
	sprintf(other.name[1], "write");
	ck_assert(!printf_over_printf(&other, "handler"));
}
END_TEST

START_TEST(versions_compare_by_number)
{
	ck_assert(version_since("2.37", 2, 37));
	ck_assert(version_since("2.100", 2, 37));
	ck_assert(version_since("3.0", 2, 37));
	ck_assert(!version_since("2.36", 2, 37));
	ck_assert(!version_since("2.4", 2, 37));
	ck_assert(!version_since("", 2, 37));
}
END_TEST

static struct exploration *explored(enum manner manner, bool second_thread)
{
	const struct experiment experiment = { .manner = manner,
					       .second_thread = second_thread };
	struct exploration *found =
		must(mmap(NULL, sizeof(*found), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	ck_assert(explore(&experiment, found));
	ck_assert_uint_gt(found->points, 100);
	return found;
}

START_TEST(writing_handler_leaves_every_line_whole)
{
	struct exploration *found = explored(BY_WRITE, false);

	ck_assert_uint_eq(count(found, WHOLE), found->points);
}
END_TEST

START_TEST(printing_handler_hangs_beside_a_thread)
{
	struct exploration *found = explored(BY_PRINTF, true);

	ck_assert_uint_gt(count(found, HUNG), 0);
	ck_assert_uint_lt(count(found, WHOLE), found->points);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, judge_knows_every_outcome);
	tcase_add_test(logic, no_output_is_lost_text);
	tcase_add_test(logic, line_that_starts_like_the_text_is_found);
	tcase_add_test(logic, only_a_printf_on_both_sides_of_the_signal_counts);
	tcase_add_test(logic, versions_compare_by_number);
	if (cannot_explore()) {
		printf("left out: the live cases, %s\n", cannot_explore());
		return;
	}
	tcase_add_test(live, writing_handler_leaves_every_line_whole);
	tcase_add_test(live, printing_handler_hangs_beside_a_thread);
}
