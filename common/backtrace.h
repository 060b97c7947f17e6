/* SPDX-License-Identifier: MIT */
/* backtrace.h - a crash that says where. */
#pragma once

/*
 * From now on, a signal that dumps core first prints its name and the stack
 * to stderr, then ends the process as it would have. Handlers that the lab
 * installs itself take precedence.
 */
void backtrace_on_crash(void);
