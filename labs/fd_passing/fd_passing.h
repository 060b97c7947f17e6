/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* One more than Linux lets through in one message. */
#define FDS_MAX 254

/* A number as data, and descriptors beside it, in one message. */
struct parcel {
	struct msghdr msg; /* points into the rest: do not copy */
	struct iovec iov;
	int number;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
};

/* Make @p ready for sendmsg(2), with @n descriptors, FDS_MAX at most. */
void pack_fds(struct parcel *p, int number, const int *fds, size_t n);

/* Make @p ready for recvmsg(2), with @room bytes for ancillary data. */
void make_room(struct parcel *p, size_t room);

/* How many descriptors the received @p holds; they are written to @fds. */
size_t unpack_fds(struct parcel *p, int fds[FDS_MAX]);
