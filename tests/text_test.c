// SPDX-License-Identifier: MIT
/* text_test.c - what runner/util.h promises of text and files. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runner/util.h"
#include "unit.h"

#define TEXT(text) text, sizeof(text) - 1

static const struct {
	const char *text;
	size_t len;
	const char *safe;
} cases[] = {
	{ TEXT(""), "" },
	{ TEXT("plain\ttext\n"), "plain\ttext\n" },
	{ TEXT("中文，é, 𝄞"), "中文，é, 𝄞" },
	/* Escape sequences and other controls. */
	{ TEXT("\x1b[31mred\x1b]0;title\a"), "\\x1b[31mred\\x1b]0;title\\x07" },
	{ TEXT("over\rwritten\b\x7f"), "over\\x0dwritten\\x08\\x7f" },
	{ TEXT("a\0b"), "a\\x00b" },
	/* C1 controls: U+009B is a CSI of its own. */
	{ TEXT("\xc2\x9b[m"), "\\xc2\\x9b[m" },
	{ TEXT("\xc2\x80\xc2\x9f\xc2\xa0"), "\\xc2\\x80\\xc2\\x9f\xc2\xa0" },
	/* Marks that reorder or hide text. */
	{ TEXT("\xe2\x80\xae"), "\\xe2\\x80\\xae" },	      /* U+202E */
	{ TEXT("\xe2\x81\xa6"), "\\xe2\\x81\\xa6" },	      /* U+2066 */
	{ TEXT("\xe2\x80\x8f"), "\\xe2\\x80\\x8f" },	      /* U+200F */
	{ TEXT("\xd8\x9c"), "\\xd8\\x9c" },		      /* U+061C */
	{ TEXT("\xe2\x80\xa8"), "\\xe2\\x80\\xa8" },	      /* U+2028 */
	{ TEXT("\xe2\x80\x8b"), "\\xe2\\x80\\x8b" },	      /* U+200B */
	{ TEXT("\xef\xbb\xbf"), "\\xef\\xbb\\xbf" },	      /* U+FEFF */
	{ TEXT("\xf3\xa0\x81\x81"), "\\xf3\\xa0\\x81\\x81" }, /* U+E0041 */
	/* What is not UTF-8. */
	{ TEXT("\x80\xbf"), "\\x80\\xbf" },
	{ TEXT("\xc0\xaf"), "\\xc0\\xaf" },
	{ TEXT("\xe0\x80\xaf"), "\\xe0\\x80\\xaf" },
	{ TEXT("\xf0\x80\x80\xaf"), "\\xf0\\x80\\x80\\xaf" },
	{ TEXT("\xc1\xbf\xe0\x9f\xbf"), "\\xc1\\xbf\\xe0\\x9f\\xbf" },
	{ TEXT("\xed\xa0\x80"), "\\xed\\xa0\\x80" }, /* a surrogate */
	{ TEXT("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80" },
	{ TEXT("\xf8\x88\x80\x80\x80"), "\\xf8\\x88\\x80\\x80\\x80" },
	{ TEXT("\xfe\xff"), "\\xfe\\xff" },
	{ TEXT("\xef\xbf\xbf"), "\\xef\\xbf\\xbf" }, /* U+FFFF */
	/* A character cut short, by another one and by the end. */
	{ TEXT("\xe4\xb8x"), "\\xe4\\xb8x" },
	{ TEXT("\xe4\xb8"), "\\xe4\\xb8" },
	{ TEXT("\xf0\x9d\x84"), "\\xf0\\x9d\\x84" },
	{ TEXT("\xc3"), "\\xc3" },
	/* The smallest and the largest of each length. */
	{ TEXT("\xc3\x80\xdf\xbf\xe0\xa0\x80\xf0\x90\x80\x80"),
	  "\xc3\x80\xdf\xbf\xe0\xa0\x80\xf0\x90\x80\x80" },
};

START_TEST(safe_text_shows_what_cannot_be_printed)
{
	/* A copy of its very size: a read past the end is seen by ASan. */
	char *exact = must_ptr(malloc(cases[_i].len + !cases[_i].len));
	char *safe;

	memcpy(exact, cases[_i].text, cases[_i].len);
	safe = safe_text(exact, cases[_i].len);
	ck_assert_str_eq(safe, cases[_i].safe);
	free(safe);
	free(exact);
}
END_TEST

START_TEST(safe_text_is_safe_already)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].safe);
		char *again = safe_text(cases[i].safe, len);

		ck_assert_str_eq(again, cases[i].safe);
		ck_assert_uint_eq(safe_span(cases[i].safe, len), len);
		free(again);
	}
}
END_TEST

START_TEST(safe_span_ends_before_the_first_unsafe_byte)
{
	ck_assert_uint_eq(safe_span(TEXT("")), 0);
	ck_assert_uint_eq(safe_span(TEXT("中\x1b")), 3);
	ck_assert_uint_eq(safe_span(TEXT("ab\xe4\xb8")), 2);
	ck_assert_uint_eq(safe_span(TEXT("\0")), 0);
}
END_TEST

START_TEST(wide_characters_take_two_columns)
{
	ck_assert_int_eq(text_width(""), 0);
	ck_assert_int_eq(text_width("abc"), 3);
	ck_assert_int_eq(text_width("中文"), 4);
	ck_assert_int_eq(text_width("é"), 1);
	ck_assert_int_eq(text_width("e\u0301"), 1);
	ck_assert_int_eq(text_width("a中b"), 4);
}
END_TEST

START_TEST(long_error_ends_in_a_whole_character)
{
	struct error error;
	char text[2000];

	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "中", 4);
	for (int shift = 0; shift < 3; shift++) {
		ck_assert_int_eq(fail(&error, "%.*s%s", shift, "ab", text), -1);
		ck_assert_uint_ge(strlen(error.text), 1020);
		ck_assert_uint_eq(safe_span(error.text, strlen(error.text)),
				  strlen(error.text));
	}
}
END_TEST

START_TEST(growing_array_keeps_what_it_has)
{
	int *numbers = NULL;
	size_t n = 0;

	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(*push(numbers, n), 0);
		numbers[n - 1] = i;
	}
	ck_assert_uint_eq(n, 100);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(numbers[i], i);
	free(numbers);
}
END_TEST

START_TEST(file_is_read_whole_or_not_at_all)
{
	char *dir = scratch(), *path, *text;
	struct error error;
	size_t len;

	must(asprintf(&path, "%s/f", dir));
	put_bytes(dir, "f", "a\0b", 3);
	text = read_file(path, 3, &len, &error);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(len, 3);
	ck_assert_mem_eq(text, "a\0b", 4);
	free(text);
	ck_assert_ptr_null(read_file(path, 2, &len, &error));
	ck_assert_contains(error.text, "larger than 2 bytes");
	ck_assert_ptr_null(read_file(dir, 2, &len, &error));
	ck_assert_contains(error.text, "Is a directory");
	put_file(dir, "f", "");
	text = read_file(path, 0, &len, &error);
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(len, 0);
	free(text);
	free(path);
	free(dir);
}
END_TEST

START_TEST(replaced_file_is_new_and_alone)
{
	char *dir = scratch(), *below, *path, *text;
	struct error error = { "" };
	struct stat st;

	must(asprintf(&below, "%s/made", dir));
	must(asprintf(&path, "%s/f", below));
	/* The folder is made, and the mode is not the umask's. */
	umask(0077);
	ck_assert_msg(!replace_file(below, "f", "one\n", 4, &error), "%s",
		      error.text);
	ck_assert_msg(!replace_file(below, "f", "t\0o", 3, &error), "%s",
		      error.text);
	text = get_file(below, "f");
	ck_assert_mem_eq(text, "t\0o", 4);
	must(stat(path, &st));
	ck_assert_int_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(count_entries(below), 1);
	free(text);
	free(path);
	free(below);
	free(dir);
}
END_TEST

START_TEST(link_in_the_place_of_a_file_is_replaced_and_not_followed)
{
	char *dir = scratch(), *path, *text;
	struct error error;

	must(asprintf(&path, "%s/f", dir));
	put_file(dir, "elsewhere", "kept");
	must(symlink("elsewhere", path));
	ck_assert_int_eq(replace_file(dir, "f", "new", 3, &error), 0);
	text = get_file(dir, "elsewhere");
	ck_assert_str_eq(text, "kept");
	free(text);
	free(path);
	free(dir);
}
END_TEST

START_TEST(failed_replacement_keeps_the_old_and_leaves_nothing)
{
	char *dir = scratch(), *path;
	struct error error;

	/* rename(2) cannot put a file in the place of a folder. */
	must(asprintf(&path, "%s/f", dir));
	must(mkdir(path, 0755));
	ck_assert_int_eq(replace_file(dir, "f", "new", 3, &error), -1);
	ck_assert_contains(error.text,
			   "Is a directory; what was there is kept");
	ck_assert_int_eq(count_entries(dir), 1);
	free(path);

	/* A file in the place of the folder. */
	put_file(dir, "file", "old");
	must(asprintf(&path, "%s/file", dir));
	ck_assert_int_eq(replace_file(path, "f", "new", 3, &error), -1);
	ck_assert_contains(error.text, "Not a directory");
	free(path);
	free(dir);
}
END_TEST

START_TEST(full_disk_keeps_the_old_file)
{
	char *dir = scratch(), *text;
	struct rlimit limit, old;
	struct error error;
	int ret;

	put_file(dir, "f", "old");
	/* EFBIG instead of ENOSPC: a short write, then an error. */
	signal(SIGXFSZ, SIG_IGN);
	must(getrlimit(RLIMIT_FSIZE, &old));
	limit = (struct rlimit){ 1, old.rlim_max };
	must(setrlimit(RLIMIT_FSIZE, &limit));
	ret = replace_file(dir, "f", "new", 3, &error);
	/* Check itself reports through a file. */
	must(setrlimit(RLIMIT_FSIZE, &old));
	ck_assert_int_eq(ret, -1);
	ck_assert_contains(error.text, "what was there is kept");
	text = get_file(dir, "f");
	ck_assert_str_eq(text, "old");
	ck_assert_int_eq(count_entries(dir), 1);
	free(text);
	free(dir);
}
END_TEST

START_TEST(lack_of_descriptors_leaves_nothing)
{
	char *dir = scratch();
	int next = must(dup(0));
	struct rlimit limit, old;
	struct error error;
	int ret;

	/* One descriptor for the file, none for its folder. */
	close(next);
	must(getrlimit(RLIMIT_NOFILE, &old));
	limit = (struct rlimit){ next + 1, old.rlim_max };
	must(setrlimit(RLIMIT_NOFILE, &limit));
	ret = replace_file(dir, "f", "new", 3, &error);
	must(setrlimit(RLIMIT_NOFILE, &old));
	ck_assert_int_eq(ret, -1);
	ck_assert_contains(error.text, "Too many open files");
	ck_assert_int_eq(count_entries(dir), 0);
	free(dir);
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_loop_test(tests, safe_text_shows_what_cannot_be_printed, 0,
			    ARRAY_SIZE(cases));
	tcase_add_test(tests, safe_text_is_safe_already);
	tcase_add_test(tests, safe_span_ends_before_the_first_unsafe_byte);
	tcase_add_test(tests, wide_characters_take_two_columns);
	tcase_add_test(tests, long_error_ends_in_a_whole_character);
	tcase_add_test(tests, growing_array_keeps_what_it_has);
	tcase_add_test(tests, file_is_read_whole_or_not_at_all);
	tcase_add_test(tests, replaced_file_is_new_and_alone);
	tcase_add_test(
		tests,
		link_in_the_place_of_a_file_is_replaced_and_not_followed);
	tcase_add_test(tests,
		       failed_replacement_keeps_the_old_and_leaves_nothing);
	tcase_add_test(tests, full_disk_keeps_the_old_file);
	tcase_add_test(tests, lack_of_descriptors_leaves_nothing);
}
