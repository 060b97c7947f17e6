// SPDX-License-Identifier: MIT
/* claim.c - the verdict lines of a lab, in TAP 14. */
#include "common/lab.h"

#include <stdio.h>
#include <unistd.h>

static struct {
	pid_t pid;
	bool verbose;
	int count;
	int unexpected;
} report;

void claim_start(bool verbose)
{
	/* A line goes out at once, so that a crash or a fork loses none. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	report.pid = getpid();
	report.verbose = verbose;
}

/* The next test number. A forked child would count on its own and forge. */
static int next_number(const char *id)
{
	if (getpid() != report.pid)
		die("a forked child reports %s; report it from the parent", id);
	return ++report.count;
}

static void print_evidence(const struct evidence *at)
{
	if (report.verbose)
		printf("# at %s:%d: %s\n", at->file, at->line, at->condition);
}

static void verdict(const struct evidence *at, const char *id, bool holds,
		    bool expected)
{
	int number = next_number(id);

	/* TAP readers count "not ok ... # TODO" as an expected failure. */
	printf("%s %d - %s%s\n", holds ? "ok" : "not ok", number, id,
	       expected ? "" : " # TODO refuted");
	print_evidence(at);
	report.unexpected += holds != expected;
}

void claim_at(const struct evidence *at, const char *id, bool holds)
{
	verdict(at, id, holds, true);
}

void refuted_at(const struct evidence *at, const char *id, bool holds)
{
	verdict(at, id, holds, false);
}

void control_at(const struct evidence *at, const char *id, bool holds)
{
	printf("%s %d - control of %s\n", holds ? "ok" : "not ok",
	       next_number(id), id);
	print_evidence(at);
	report.unexpected += !holds;
}

void no_control(const char *id, const char *reason)
{
	printf("# no control of %s: %s\n", id, reason);
}

void claim_skip(const char *id, const char *need, const char *found,
		const char *remedy)
{
	printf("ok %d - %s # SKIP %s: found %s; remedy: %s\n", next_number(id),
	       id, need, found, remedy);
}

void metric(const char *name, double value, const char *unit)
{
	printf("# metric %s %.15g %s\n", name, value, unit);
}

void point(const char *series, double x, double y)
{
	printf("# point %s %.15g %.15g\n", series, x, y);
}

void expect_in_kernel_log(const char *text)
{
	printf("# expects in the kernel's log: %s\n", text);
}

int claim_summary(void)
{
	printf("1..%d\n", report.count);
	return report.unexpected ? LAB_FAIL : 0;
}
