/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#define LINK_MAX_LEN 256
/* What /proc/self/fd/@fd says it is; written to @out and returned. */
const char *fd_target(int fd, char out[LINK_MAX_LEN]);

/* Follow the link: a new open file description of the same inode, or -1. */
int reopen(int fd, int flags);

struct fdinfo {
	long long pos;
	int flags; /* as of open(2), O_CLOEXEC among them */
};

/* Read the lines of @text, a file of /proc/self/fdinfo, that all files have. */
bool parse_fdinfo(const char *text, struct fdinfo *info);
