// SPDX-License-Identifier: MIT
/* behaves - every kind of line that an honest lab prints. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "common/lab.h"

static long fill(int fd)
{
	static const char page[4096];
	long taken = 0;

	for (ssize_t put; (put = write(fd, page, sizeof(page))) > 0;)
		taken += put;
	return taken;
}

static void demo(void)
{
	char byte = 'a', back = 0;
	int ends[2];

	must(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
	puts("one byte through a pipe");
	control("byte-comes-back", errno_of(read(ends[0], &back, 1)) == EAGAIN);
	must(write(ends[1], &byte, 1));
	must(read(ends[0], &back, 1));
	claim("byte-comes-back", back == byte);

	metric("capacity", fill(ends[1]), "bytes");
	for (int i = 1; i <= 3; i++)
		point("squares", i, i * i);
	refuted("pipe-is-endless", errno_of(write(ends[1], &byte, 1)) == 0);
	must(fcntl(ends[1], F_SETPIPE_SZ, 2 * fcntl(ends[1], F_GETPIPE_SZ)));
	control("pipe-is-endless", errno_of(write(ends[1], &byte, 1)) == 0);

	must(pipe2(ends, O_CLOEXEC));
	close(ends[1]);
	claim("end-of-file", read(ends[0], &back, 1) == 0);
	no_control("end-of-file", "the read would wait for ever");
	claim_skip("never-settled", "the future", "the present", "wait");
}

const struct lab lab = {
	.name = "behaves",
	.demo = demo,
};
