// SPDX-License-Identifier: MIT
#include "common/probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/proc.h"
#include "unit.h"

/* The last ones lack their argument, or have one too many. */
static const char *const unknown[] = {
	"",	 ":",	 ":tool",   "nosuch",	"roo",
	"roots", "Root", " root",   "tool gdb", "tool",
	"tool:", "cpus", "config:", "root:1",	"swap:x",
};

START_TEST(unknown_need_is_not_met_and_says_so)
{
	struct probe p = probe(unknown[_i]);

	ck_assert(!p.met);
	ck_assert_str_eq(p.found, "no such need");
	ck_assert_contains(p.remedy, "common/probe.c");
}
END_TEST

START_TEST(kinds_are_sorted_and_each_has_a_meaning)
{
	const char *meaning, *kind, *before = "";
	bool takes_argument;
	size_t n = 0;

	for (; (kind = probe_kind(n, &meaning, &takes_argument)); n++) {
		ck_assert_int_lt(strcmp(before, kind), 0);
		ck_assert_uint_gt(strlen(meaning), 0);
		before = kind;
	}
	ck_assert_uint_gt(n, 5);
	ck_assert_ptr_null(probe_kind(n + 1, &meaning, &takes_argument));
}
END_TEST

START_TEST(each_probe_answers_and_leaves_nothing_open)
{
	int fds = proc_count_fds();
	const char *meaning, *kind;
	bool takes_argument;

	for (size_t i = 0; (kind = probe_kind(i, &meaning, &takes_argument));
	     i++) {
		char need[64];
		struct probe p;

		snprintf(need, sizeof(need), "%s%s", kind,
			 takes_argument ? ":1" : "");
		p = probe(need);
		ck_assert_str_ne(p.found, "no such need");
		ck_assert_msg(*p.found && *p.remedy, "%s", need);
		ck_assert_ptr_null(strchr(p.remedy, '%'));
		ck_assert_msg(proc_count_fds() == fds, "%s", need);
		ck_assert_int_eq(errno_of(waitpid(-1, NULL, WNOHANG)), ECHILD);
	}
}
END_TEST

START_TEST(root_is_user_0)
{
	char found[32];

	ck_assert_int_eq(probe("root").met, geteuid() == 0);
	snprintf(found, sizeof(found), "uid %u", geteuid());
	ck_assert_str_eq(probe("root").found, found);
}
END_TEST

START_TEST(cpus_are_counted)
{
	ck_assert(probe("cpus:1").met);
	ck_assert(!probe("cpus:1000000").met);
	ck_assert_str_eq(probe("cpus:1000000").remedy,
			 "a machine or a CPU set with 1000000 CPUs");
}
END_TEST

START_TEST(tool_is_a_program_on_path)
{
	char *dir = scratch(), *path, *list;
	struct probe p;

	put_file(dir, "plain", "");
	put_file(dir, "program", "");
	must(asprintf(&path, "%s/program", dir));
	must(chmod(path, 0755));
	free(path);
	must(asprintf(&path, "%s/folder", dir));
	must(mkdir(path, 0755));
	must(asprintf(&list, "/nonexistent:%s", dir));
	must(setenv("PATH", list, 1));

	p = probe("tool:program");
	ck_assert(p.met);
	ck_assert_contains(p.found, "/program");
	p = probe("tool:plain");
	ck_assert(!p.met);
	ck_assert_str_eq(p.found, "not on PATH");
	ck_assert_str_eq(p.remedy, "install plain");
	ck_assert(!probe("tool:folder").met);
	must(setenv("PATH", "", 1));
	ck_assert(!probe("tool:program").met);
	must(unsetenv("PATH"));
	ck_assert(!probe("tool:program").met);
	free(list);
	free(path);
	free(dir);
}
END_TEST

START_TEST(very_long_argument_is_just_not_met)
{
	static const char *const kinds[] = { "tool:", "event:", "config:" };
	char need[5000];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		memset(need, 'x', sizeof(need) - 1);
		need[sizeof(need) - 1] = '\0';
		memcpy(need, kinds[i], strlen(kinds[i]));
		ck_assert(!probe(need).met);
	}
}
END_TEST

/* What @print does to stdout. */
static char *printed(void (*print)(void))
{
	char *dir = scratch(), *path, *text;
	int saved = must(dup(STDOUT_FILENO));
	int fd;

	must(asprintf(&path, "%s/out", dir));
	fd = must(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	fflush(stdout);
	must(dup2(fd, STDOUT_FILENO));
	print();
	fflush(stdout);
	must(dup2(saved, STDOUT_FILENO));
	close(saved);
	close(fd);
	text = get_file(dir, "out");
	free(path);
	free(dir);
	return text;
}

static void report_two_of_three(void)
{
	ck_assert_int_eq(
		probe_report_unmet(NEEDS("tool:no-such", "cpus:1", "nosuch")),
		2);
	ck_assert_int_eq(probe_report_unmet(NULL), 0);
}

static void list_two(void)
{
	probe_list(NEEDS("tool:no-such", "nosuch"));
	probe_list(NULL);
}

START_TEST(all_unmet_needs_are_reported_as_comments)
{
	char *text = printed(report_two_of_three);

	ck_assert_str_eq(text,
			 "# unmet tool:no-such: found not on PATH; remedy: "
			 "install no-such\n"
			 "# unmet nosuch: found no such need; remedy: see the "
			 "table in common/probe.c\n");
	free(text);
}
END_TEST

START_TEST(needs_are_listed_with_tabs)
{
	char *text = printed(list_two);

	ck_assert_str_eq(text,
			 "tool:no-such\tunmet\tnot on PATH\tinstall no-such\n"
			 "nosuch\tunmet\tno such need\tsee the table in "
			 "common/probe.c\n");
	free(text);
}
END_TEST

void unit_tests(TCase *tests)
{
	tcase_add_loop_test(tests, unknown_need_is_not_met_and_says_so, 0,
			    ARRAY_SIZE(unknown));
	tcase_add_test(tests, kinds_are_sorted_and_each_has_a_meaning);
	tcase_add_test(tests, each_probe_answers_and_leaves_nothing_open);
	tcase_add_test(tests, root_is_user_0);
	tcase_add_test(tests, cpus_are_counted);
	tcase_add_test(tests, tool_is_a_program_on_path);
	tcase_add_test(tests, very_long_argument_is_just_not_met);
	tcase_add_test(tests, all_unmet_needs_are_reported_as_comments);
	tcase_add_test(tests, needs_are_listed_with_tabs);
}
