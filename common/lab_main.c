// SPDX-License-Identifier: MIT
/* lab_main.c - the main of every demo: needs, the demo, the plan. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/backtrace.h"
#include "common/lab.h"
#include "common/probe.h"

static struct {
	bool list_needs;
	bool verbose;
} options;

static error_t parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	switch (key) {
	case 'n':
		options.list_needs = true;
		return 0;
	case 'v':
		options.verbose = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "a demo takes no arguments");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option argp_options[] = {
	{ "needs", 'n', NULL, 0, "List what the demo needs, and what was found",
	  0 },
	{ "verbose", 'v', NULL, 0,
	  "Say after each verdict where and by which condition it was reached",
	  0 },
	{ 0 }
};

int main(int argc, char **argv)
{
	const struct argp argp = {
		.options = argp_options,
		.parser = parse,
		.doc = "Run this lab's demo. Its output is text with TAP 14 "
		       "lines in it.\vExit status: 0 each claim came out as "
		       "the note says, 1 one did not, 77 a need is unmet, "
		       "99 the set-up failed.",
	};

	argp_parse(&argp, argc, argv, 0, NULL, NULL);
	if (options.list_needs) {
		probe_list(lab.needs);
		return 0;
	}
	claim_start(options.verbose);
	if (probe_report_unmet(lab.needs)) {
		puts("1..0 # SKIP a need is unmet");
		return LAB_SKIP;
	}
	backtrace_on_crash();
	lab.demo();
	return claim_summary();
}
