// SPDX-License-Identifier: MIT
/*
 * unit.c - the main of every unit test, and the folder that its cases write
 * in. Each case is a process of its own, so the folder is removed here.
 */
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CASE_TIMEOUT_S = 30 };

static char *base;

void leave_out(const char *what, const char *reason)
{
	printf("left out: %s: %s\n", what, reason);
}

char *scratch(void)
{
	char *dir;

	must(asprintf(&dir, "%s/XXXXXX", base));
	return must_ptr(mkdtemp(dir));
}

void put_bytes(const char *dir, const char *name, const void *data, size_t len)
{
	char *path;
	int fd;

	must(asprintf(&path, "%s/%s", dir, name));
	fd = must(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
	ck_assert_int_eq(must(write(fd, data, len)), len);
	close(fd);
	free(path);
}

void put_file(const char *dir, const char *name, const char *text)
{
	put_bytes(dir, name, text, strlen(text));
}

char *get_file(const char *dir, const char *name)
{
	struct stat st;
	char *path, *text;
	int fd;

	must(asprintf(&path, "%s/%s", dir, name));
	fd = must(open(path, O_RDONLY | O_CLOEXEC));
	must(fstat(fd, &st));
	text = must_ptr(calloc(1, st.st_size + 1));
	ck_assert_int_eq(must(read(fd, text, st.st_size)), st.st_size);
	close(fd);
	free(path);
	return text;
}

int count_entries(const char *dir)
{
	DIR *folder = opendir(dir);
	int n = -2; /* "." and ".." */

	if (!folder)
		return -1;
	while (readdir(folder))
		n++;
	closedir(folder);
	return n;
}

static int remove_entry(const char *path, const struct stat *st, int kind,
			struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	TCase *tests = tcase_create("unit");
	Suite *suite = suite_create(program_invocation_short_name);
	SRunner *runner = srunner_create(suite);
	int failed, ran;

	/* As the runner has it. */
	setlocale(LC_CTYPE, "C.UTF-8");
	signal(SIGPIPE, SIG_IGN);
	must(asprintf(&base, "%s/notelab-unit-XXXXXX",
		      tmp && *tmp ? tmp : "/tmp"));
	must_ptr(mkdtemp(base));

	tcase_set_timeout(tests, CASE_TIMEOUT_S);
	unit_tests(tests);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	ran = srunner_ntests_run(runner);
	srunner_free(runner);
	/* FTW_PHYS: a link is removed, never followed. */
	nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(base);
	if (failed)
		return EXIT_FAILURE;
	return ran ? EXIT_SUCCESS : LAB_SKIP;
}
