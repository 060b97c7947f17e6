/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* The kernel's marks in field 9 of /proc/PID/stat; not in any header. */
#define PF_IO_WORKER   0x00000010
#define PF_USER_WORKER 0x00004000
#define PF_KTHREAD     0x00200000

struct task {
	int pid;
	char comm[64];
	char state;
	int ppid;
	unsigned int flags; /* PF_... */
};

/* Read @text, a file /proc/PID/stat; false if it is none. */
bool parse_stat(const char *text, struct task *task);

/* The task "PID" or "self/task/TID" of the /proc behind @proc, if it lives. */
bool read_task(int proc, const char *folder, struct task *task);
