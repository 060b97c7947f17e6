// SPDX-License-Identifier: MIT
#include "runner/project.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

/*
 * TOP/src/labs/{memfd_seal,eventfd,mprotect}, TOP/src/tests/labs/hangs, and
 * the build tree of the same shape in TOP/src/build.
 */
static char *top;
static struct project project;

static void make(const char *path)
{
	char *full;

	must(asprintf(&full, "%s/%s", top, path));
	must(mkdir(full, 0755));
	free(full);
}

static void setup(void)
{
	char *dir = scratch();

	top = must_ptr(realpath(dir, NULL));
	free(dir);
	make("src");
	make("src/labs");
	make("src/labs/memfd_seal");
	make("src/labs/eventfd");
	make("src/labs/mprotect");
	make("src/tests");
	make("src/tests/labs");
	make("src/tests/labs/hangs");
	make("src/build");
	make("src/build/labs");
	make("src/build/labs/memfd_seal");
	must(asprintf(&project.source, "%s/src", top));
	must(asprintf(&project.build, "%s/src/build", top));
}

static void teardown(void)
{
	free(project.source);
	free(project.build);
	free(top);
}

static void stand_in(const char *path)
{
	char *full;

	must(asprintf(&full, "%s/%s", top, path));
	must(chdir(full));
	free(full);
}

/* From TOP/@cwd, the lab that @arg names is @path. */
static void assert_finds(const char *cwd, const char *arg, const char *path)
{
	struct error error = { "" };
	struct lab_dir dir;
	char *full;

	stand_in(cwd);
	ck_assert_msg(lab_find(&project, arg, &dir, &error) == 0,
		      "%s in %s: %s", arg, cwd, error.text);
	ck_assert_str_eq(dir.path, path);
	ck_assert_str_eq(dir.name, strrchr(path, '/') + 1);
	must(asprintf(&full, "%s/src/%s", top, path));
	ck_assert_str_eq(dir.source, full);
	free(full);
	must(asprintf(&full, "%s/src/build/%s/%s", top, path, dir.name));
	ck_assert_str_eq(dir.exe, full);
	free(full);
	lab_dir_free(&dir);
}

/* From TOP/@cwd, @arg names no lab; the error says @words. */
static void assert_finds_none(const char *cwd, const char *arg,
			      const char *words)
{
	struct error error = { "" };
	struct lab_dir dir;

	stand_in(cwd);
	ck_assert_msg(lab_find(&project, arg, &dir, &error) == -1,
		      "%s in %s is %s", arg, cwd, dir.path);
	ck_assert_contains(error.text, words);
}

START_TEST(name_is_the_same_lab_from_everywhere)
{
	static const char *const cwds[] = { "", "src", "src/build", "src/labs",
					    "src/labs/eventfd" };

	for (size_t i = 0; i < ARRAY_SIZE(cwds); i++) {
		assert_finds(cwds[i], "memfd_seal", "labs/memfd_seal");
		assert_finds(cwds[i], "labs/memfd_seal", "labs/memfd_seal");
		assert_finds(cwds[i], "tests/labs/hangs", "tests/labs/hangs");
	}
}
END_TEST

START_TEST(trailing_slashes_and_dots_do_not_matter)
{
	assert_finds("src", "memfd_seal/", "labs/memfd_seal");
	assert_finds("", "labs/memfd_seal///", "labs/memfd_seal");
	assert_finds("src", "./labs/memfd_seal/", "labs/memfd_seal");
	assert_finds("src", "labs/./memfd_seal/.", "labs/memfd_seal");
	assert_finds("src", "labs//memfd_seal", "labs/memfd_seal");
}
END_TEST

START_TEST(path_is_taken_from_where_the_user_stands)
{
	assert_finds("src/labs", "./eventfd", "labs/eventfd");
	assert_finds("src/labs/memfd_seal", ".", "labs/memfd_seal");
	assert_finds("src/labs/memfd_seal", "../eventfd", "labs/eventfd");
	assert_finds("src/build", "../labs/eventfd", "labs/eventfd");
	assert_finds("src/build/labs", "./memfd_seal", "labs/memfd_seal");
	assert_finds("src/build/labs/memfd_seal", ".", "labs/memfd_seal");
	assert_finds("src/tests", "labs/hangs", "tests/labs/hangs");
}
END_TEST

START_TEST(absolute_path_is_the_lab)
{
	char *path;

	must(asprintf(&path, "%s/src/labs/eventfd/", top));
	assert_finds("", path, "labs/eventfd");
	free(path);
	must(asprintf(&path, "%s/src/build/labs/memfd_seal", top));
	assert_finds("", path, "labs/memfd_seal");
	free(path);
}
END_TEST

START_TEST(path_through_a_link_to_the_tree_is_the_lab)
{
	char *link, *path;

	must(asprintf(&link, "%s/link", top));
	must(symlink("src", link));
	assert_finds("", "link/labs/eventfd", "labs/eventfd");
	must(asprintf(&path, "%s/labs/eventfd", link));
	assert_finds("src", path, "labs/eventfd");
	free(path);
	free(link);
}
END_TEST

START_TEST(nothing_leads_out_of_the_labs)
{
	static const char *const args[] = {
		"",
		"/",
		".",
		"..",
		"../..",
		"labs",
		"labs/",
		"labs/..",
		"labs/../labs",
		"../etc",
		"labs/../../elsewhere",
		"labs/../../../../../../etc",
		"labs/memfd_seal/records",
		"/etc",
		"/nonexistent/labs/memfd_seal",
		"tests",
		"tests/labs",
		"hangs",
		"labs/hangs",
		"Memfd_Seal",
		"memfd_seal\n",
		"memfd_seal.c",
	};

	make("elsewhere");
	make("elsewhere/labs");
	make("elsewhere/labs/memfd_seal");
	make("src/labs/memfd_seal/records");
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		assert_finds_none("src", args[i], "no lab \"");
	assert_finds_none("elsewhere", "./labs/memfd_seal", "no lab \"");
	/* A name that only begins like the source's. */
	make("src2");
	make("src2/labs");
	make("src2/labs/memfd_seal");
	assert_finds_none("src2", "./labs/memfd_seal", "no lab \"");
}
END_TEST

START_TEST(linked_folder_is_no_lab)
{
	struct lab_dir *labs;
	char *link;
	size_t n;

	make("elsewhere");
	must(asprintf(&link, "%s/src/labs/linked", top));
	must(symlink("../../elsewhere", link));
	assert_finds_none("src", "linked", "no lab \"linked\"");
	assert_finds_none("src", "labs/linked", "no lab \"labs/linked\"");
	n = lab_list(&project, &labs);
	ck_assert_uint_eq(n, 3);
	for (size_t i = 0; i < n; i++)
		lab_dir_free(&labs[i]);
	free(labs);
	free(link);
}
END_TEST

START_TEST(unknown_name_offers_the_nearest)
{
	assert_finds_none("src", "memfd_sael",
			  "no lab \"memfd_sael\"; did you mean memfd_seal?");
	assert_finds_none("src", "seal", "did you mean memfd_seal?");
	assert_finds_none("src", "labs/evenfd", "did you mean eventfd?");
	assert_finds_none("src", "labs/evenfd//", "did you mean eventfd?");
	assert_finds_none("src", "mfd", "did you mean memfd_seal?");
	assert_finds_none("src", "fd", "shows all 3");
	assert_finds_none("src", "xyz", "shows all 3");
}
END_TEST

START_TEST(longest_names_have_a_distance)
{
	char name[5000], *path;

	memset(name, 'a', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_finds_none("src", name, "no lab \"aaa");
	name[65] = '\0';
	ck_assert(!lab_name_valid(name));
	name[64] = '\0';
	ck_assert(lab_name_valid(name));
	must(asprintf(&path, "src/labs/%s", name));
	make(path);
	free(path);
	name[63] = 'b';
	assert_finds_none("src", name, "did you mean aaa");
}
END_TEST

START_TEST(labs_are_listed_by_name)
{
	struct lab_dir *labs;
	size_t n;

	put_file(project.source, "labs/CMakeLists.txt", "");
	put_file(project.source, "labs/a_file", "");
	make("src/labs/.hidden");
	make("src/labs/Upper");
	n = lab_list(&project, &labs);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(labs[0].name, "eventfd");
	ck_assert_str_eq(labs[1].name, "memfd_seal");
	ck_assert_str_eq(labs[2].name, "mprotect");
	for (size_t i = 0; i < n; i++)
		lab_dir_free(&labs[i]);
	free(labs);
	/* No tree, no labs. */
	free(project.source);
	project.source = must_ptr(strdup("/nonexistent"));
	ck_assert_uint_eq(lab_list(&project, &labs), 0);
	ck_assert_ptr_null(labs);
}
END_TEST

START_TEST(source_tree_that_is_not_there_is_told)
{
	struct error error = { "" };
	struct project opened;

	ck_assert_int_eq(project_open(&opened, "/nonexistent", &error), -1);
	ck_assert_contains(error.text,
			   "no source tree at /nonexistent: No such");
	ck_assert_contains(error.text, "--source");
	free(opened.build);
	ck_assert_int_eq(project_open(&opened, project.source, &error), 0);
	ck_assert_str_eq(opened.source, project.source);
	free(opened.build);
	free(opened.source);
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_checked_fixture(tests, setup, teardown);
	tcase_add_test(tests, name_is_the_same_lab_from_everywhere);
	tcase_add_test(tests, trailing_slashes_and_dots_do_not_matter);
	tcase_add_test(tests, path_is_taken_from_where_the_user_stands);
	tcase_add_test(tests, absolute_path_is_the_lab);
	tcase_add_test(tests, path_through_a_link_to_the_tree_is_the_lab);
	tcase_add_test(tests, nothing_leads_out_of_the_labs);
	tcase_add_test(tests, linked_folder_is_no_lab);
	tcase_add_test(tests, unknown_name_offers_the_nearest);
	tcase_add_test(tests, longest_names_have_a_distance);
	tcase_add_test(tests, labs_are_listed_by_name);
	tcase_add_test(tests, source_tree_that_is_not_there_is_told);
}
