// SPDX-License-Identifier: MIT
#include "runner/capture.h"

#include <stdlib.h>
#include <string.h>

#include "unit.h"

static struct capture capture;
static size_t lines;
static char *last;

static void on_line(void *context, const char *line)
{
	ck_assert_ptr_eq(context, &lines);
	lines++;
	free(last);
	last = must_ptr(strdup(line));
}

static void start(void)
{
	capture_start(&capture, on_line, &lines);
}

static void stop(void)
{
	capture_free(&capture);
	free(last);
}

static void add(const char *text)
{
	capture_add(&capture, text, strlen(text));
}

static void assert_text(const char *expected)
{
	char *text = capture_text(&capture);

	ck_assert_str_eq(text, expected);
	free(text);
}

START_TEST(silence_is_an_empty_text)
{
	capture_end(&capture);
	assert_text("");
	ck_assert_uint_eq(lines, 0);
}
END_TEST

START_TEST(lines_come_whole_however_they_arrive)
{
	add("on");
	add("e\n\ntw");
	ck_assert_uint_eq(lines, 2);
	add("");
	add("o");
	ck_assert_uint_eq(lines, 2);
	add("\n");
	ck_assert_str_eq(last, "two");
	capture_end(&capture);
	ck_assert_uint_eq(lines, 3);
	assert_text("one\n\ntwo\n");
}
END_TEST

START_TEST(last_line_without_newline_counts)
{
	add("1..1");
	ck_assert_uint_eq(lines, 0);
	capture_end(&capture);
	ck_assert_uint_eq(lines, 1);
	ck_assert_str_eq(last, "1..1");
	/* Once. */
	capture_end(&capture);
	ck_assert_uint_eq(lines, 1);
	assert_text("1..1\n");
}
END_TEST

START_TEST(character_may_come_in_parts)
{
	add("\xe4");
	add("\xb8");
	add("\xad\n\xe4\xb8");
	ck_assert_str_eq(last, "中");
	capture_end(&capture);
	assert_text("中\n\\xe4\\xb8\n");
}
END_TEST

START_TEST(lines_are_safe_and_nul_ends_none)
{
	capture_add(&capture, "a\0\x1b[2J\nb\n", 9);
	ck_assert_uint_eq(lines, 2);
	assert_text("a\\x00\\x1b[2J\nb\n");
}
END_TEST

START_TEST(stream_without_a_listener_is_kept_as_well)
{
	capture_start(&capture, NULL, NULL);
	add("one\n");
	capture_end(&capture);
	assert_text("one\n");
}
END_TEST

/* @n bytes that are no newline. */
static void add_bytes(size_t n)
{
	char *bytes = must_ptr(malloc(n));

	memset(bytes, 'x', n);
	capture_add(&capture, bytes, n);
	free(bytes);
}

START_TEST(line_of_the_maximum_is_whole_and_one_byte_more_is_cut)
{
	add_bytes(CAPTURE_LINE_MAX);
	add("\n");
	ck_assert_uint_eq(strlen(last), CAPTURE_LINE_MAX);
	add_bytes(CAPTURE_LINE_MAX - 1);
	add("yz");
	capture_end(&capture);
	ck_assert_str_eq(last + CAPTURE_LINE_MAX - 2, "xy [... 1 bytes cut]");
	ck_assert_uint_eq(lines, 2);
}
END_TEST

START_TEST(line_of_a_megabyte_is_one_line)
{
	for (int i = 0; i < 1 << 10; i++)
		add_bytes(1 << 10);
	add("\nnext\n");
	ck_assert_uint_eq(lines, 2);
	ck_assert_str_eq(last, "next");
	ck_assert_uint_lt(capture.head_len, CAPTURE_LINE_MAX + 100);
}
END_TEST

/* Lines of @line until @bytes are kept. */
static void add_lines(const char *line, size_t bytes)
{
	size_t len = strlen(line);

	for (size_t kept = 0; kept < bytes; kept += len)
		capture_add(&capture, line, len);
}

START_TEST(head_and_tail_hold_two_mebibytes_without_a_cut)
{
	char *text;

	add_lines("0123456789abcde\n", 2 * CAPTURE_KEEP);
	ck_assert_uint_eq(capture.lost, 0);
	text = capture_text(&capture);
	ck_assert_uint_eq(strlen(text), 2 * CAPTURE_KEEP);
	ck_assert_ptr_null(strstr(text, "cut"));
	free(text);
}
END_TEST

START_TEST(longer_stream_keeps_its_ends_and_says_how_much_is_cut)
{
	char *text, *cut;

	add("first\n");
	add_lines("0123456789\n", 5 * CAPTURE_KEEP);
	add("last\n");
	text = capture_text(&capture);
	ck_assert_uint_le(strlen(text), 2 * CAPTURE_KEEP + 100);
	ck_assert(strncmp(text, "first\n", 6) == 0);
	ck_assert_str_eq(text + strlen(text) - 6, "\nlast\n");
	cut = strstr(text, "\n[... ");
	ck_assert_ptr_nonnull(cut);
	/* What was cut and what is left are all that came. */
	ck_assert_uint_eq(strtoul(cut + 6, NULL, 10) + strlen(text) -
				  strcspn(cut + 1, "\n") - 1,
			  6 + (5 * CAPTURE_KEEP + 10) / 11 * 11 + 5);
	free(text);
}
END_TEST

START_TEST(cut_leaves_whole_lines_of_whole_characters)
{
	char *text, *rest;

	/* A size that divides neither the head nor the tail. */
	add_lines("ok 中文中文\n", 5 * CAPTURE_KEEP);
	text = capture_text(&capture);
	ck_assert_uint_eq(safe_span(text, strlen(text)), strlen(text));
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line && strncmp(line, "[... ", 5) != 0)
			ck_assert_str_eq(line, "ok 中文中文");
	free(text);
}
END_TEST

START_TEST(longest_lines_can_be_cut_as_well)
{
	/* Each byte is shown as four. */
	char *line = must_ptr(malloc(CAPTURE_LINE_MAX + 1));
	char *text;

	memset(line, '\x1b', CAPTURE_LINE_MAX);
	line[CAPTURE_LINE_MAX] = '\n';
	for (int i = 0; i < 20; i++)
		capture_add(&capture, line, CAPTURE_LINE_MAX + 1);
	ck_assert_uint_gt(capture.lost, 0);
	text = capture_text(&capture);
	ck_assert(strncmp(text, "\\x1b", 4) == 0);
	ck_assert_ptr_nonnull(strstr(text, "\n[... "));
	ck_assert_ptr_nonnull(strstr(text, "cut ...]\n\\x1b"));
	free(text);
	free(line);
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_checked_fixture(tests, start, stop);
	tcase_add_test(tests, silence_is_an_empty_text);
	tcase_add_test(tests, lines_come_whole_however_they_arrive);
	tcase_add_test(tests, last_line_without_newline_counts);
	tcase_add_test(tests, character_may_come_in_parts);
	tcase_add_test(tests, lines_are_safe_and_nul_ends_none);
	tcase_add_test(tests, stream_without_a_listener_is_kept_as_well);
	tcase_add_test(tests,
		       line_of_the_maximum_is_whole_and_one_byte_more_is_cut);
	tcase_add_test(tests, line_of_a_megabyte_is_one_line);
	tcase_add_test(tests, head_and_tail_hold_two_mebibytes_without_a_cut);
	tcase_add_test(tests,
		       longer_stream_keeps_its_ends_and_says_how_much_is_cut);
	tcase_add_test(tests, cut_leaves_whole_lines_of_whole_characters);
	tcase_add_test(tests, longest_lines_can_be_cut_as_well);
}
