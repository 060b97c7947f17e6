// SPDX-License-Identifier: MIT
#include "fd_passing.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/lab_test.h"

/* Send @n times @fd and receive with @room bytes; msg_flags, or -errno. */
static int pass(int fd, size_t n, size_t room, struct parcel *in)
{
	int sock[2], fds[FDS_MAX];
	struct parcel out;

	for (size_t i = 0; i < n; i++)
		fds[i] = fd;
	must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sock));
	pack_fds(&out, 42, fds, n);
	if (sendmsg(sock[0], &out.msg, 0) == -1)
		return -errno;
	make_room(in, room);
	must(recvmsg(sock[1], &in->msg, 0));
	close(sock[0]);
	close(sock[1]);
	return in->msg.msg_flags;
}

START_TEST(lengths_count_bytes_and_only_one_counts_padding)
{
	const int fds[] = { 7, 8, 9 };
	struct parcel p;

	pack_fds(&p, 1, fds, 3);
	ck_assert_uint_eq(p.control.head.cmsg_len, CMSG_LEN(12));
	ck_assert_uint_eq(p.msg.msg_controllen, CMSG_SPACE(12));
	ck_assert_uint_gt(CMSG_SPACE(12), CMSG_LEN(12));
	pack_fds(&p, 1, fds, 2);
	ck_assert_uint_eq(p.msg.msg_controllen, p.control.head.cmsg_len);
}
END_TEST

START_TEST(packed_descriptors_are_unpacked)
{
	const int fds[] = { 7, 8, 9 };
	int got[FDS_MAX];
	struct parcel p;

	pack_fds(&p, 1, fds, 3);
	ck_assert_uint_eq(unpack_fds(&p, got), 3);
	ck_assert_mem_eq(got, fds, sizeof(fds));
	pack_fds(&p, 1, NULL, 0);
	ck_assert_uint_eq(p.msg.msg_controllen, 0);
	ck_assert_uint_eq(unpack_fds(&p, got), 0);
}
END_TEST

START_TEST(descriptors_are_found_behind_credentials)
{
	int got[FDS_MAX];
	struct parcel p;
	struct cmsghdr *second;

	make_room(&p, CMSG_SPACE(sizeof(struct ucred)) + CMSG_LEN(sizeof(int)));
	p.control.head = (struct cmsghdr){ CMSG_LEN(sizeof(struct ucred)),
					   SOL_SOCKET, SCM_CREDENTIALS };
	ck_assert_uint_eq(unpack_fds(&p, got), 0);
	second = CMSG_NXTHDR(&p.msg, &p.control.head);
	ck_assert_ptr_nonnull(second);
	*second = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET,
				    SCM_RIGHTS };
	memcpy(CMSG_DATA(second), &(int){ 9 }, sizeof(int));
	ck_assert_uint_eq(unpack_fds(&p, got), 1);
	ck_assert_int_eq(got[0], 9);
}
END_TEST

START_TEST(number_and_descriptor_arrive)
{
	int file = must(open("/dev/null", O_WRONLY)), got[FDS_MAX];
	struct parcel in;

	ck_assert_int_eq(pass(file, 1, sizeof(in.control), &in), 0);
	ck_assert_int_eq(in.number, 42);
	ck_assert_uint_eq(unpack_fds(&in, got), 1);
	ck_assert_int_ne(got[0], file);
	ck_assert_int_eq(must(write(got[0], "x", 1)), 1);
}
END_TEST

START_TEST(no_room_is_reported_and_takes_none)
{
	struct parcel in;
	int got[FDS_MAX];

	ck_assert_int_eq(pass(0, 1, 0, &in), MSG_CTRUNC);
	ck_assert_uint_eq(unpack_fds(&in, got), 0);
}
END_TEST

START_TEST(closed_descriptor_is_not_sent)
{
	struct parcel in;

	ck_assert_int_eq(pass(-1, 1, sizeof(in.control), &in), -EBADF);
}
END_TEST

START_TEST(limit_is_253)
{
	struct parcel in;
	int got[FDS_MAX];

	ck_assert_int_eq(pass(0, FDS_MAX - 1, sizeof(in.control), &in), 0);
	ck_assert_uint_eq(unpack_fds(&in, got), FDS_MAX - 1);
	ck_assert_int_eq(pass(0, FDS_MAX, sizeof(in.control), &in), -EINVAL);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, lengths_count_bytes_and_only_one_counts_padding);
	tcase_add_test(logic, packed_descriptors_are_unpacked);
	tcase_add_test(logic, descriptors_are_found_behind_credentials);
	tcase_add_test(live, number_and_descriptor_arrive);
	tcase_add_test(live, no_room_is_reported_and_takes_none);
	tcase_add_test(live, closed_descriptor_is_not_sent);
	tcase_add_test(live, limit_is_253);
}
