// SPDX-License-Identifier: MIT
/* backtrace.c - the stack of a crashed demo, by libunwind. */
#include "common/backtrace.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/lab.h"

static char stack[64 * 1024];

/*
 * dprintf() is not async-signal-safe by the letter. The process is lost
 * anyway, and SA_RESETHAND lets a second crash end it.
 */
static void print_stack(int sig, siginfo_t *info, void *context)
{
	unw_cursor_t cursor;
	unw_word_t ip, offset;
	char name[128];

	dprintf(STDERR_FILENO, "crash: SIG%s at %p\n", sigabbrev_np(sig),
		info->si_addr);
	unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME);
	do {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		if (unw_get_proc_name(&cursor, name, sizeof(name), &offset))
			strcpy(name, "?");
		dprintf(STDERR_FILENO, "  %#lx %s\n", (unsigned long)ip, name);
	} while (unw_step(&cursor) > 0);
	raise(sig);
}

void backtrace_on_crash(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE,
				       SIGABRT };
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = {
		.sa_sigaction = print_stack,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND,
	};

	/* Sanitizers print better reports of their own. */
	if (SANITIZED)
		return;
	must(sigaltstack(&alternate, NULL));
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		must(sigaction(signals[i], &action, NULL));
}
