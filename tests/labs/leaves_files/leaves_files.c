// SPDX-License-Identifier: MIT
/* leaves_files - files in its TMPDIR. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/lab.h"

static void demo(void)
{
	claim("said-before", true);
	no_control("said-before", "it is always so");
	must(chdir(getenv("TMPDIR")));
	must(open("file", O_CREAT | O_WRONLY, 0600));
	must(mkdir("locked", 0700));
	must(open("locked/file", O_CREAT | O_WRONLY, 0000));
	must(chmod("locked", 0000));
}

const struct lab lab = {
	.name = "leaves_files",
	.demo = demo,
};
