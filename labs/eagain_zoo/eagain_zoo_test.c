// SPDX-License-Identifier: MIT
#include "eagain_zoo.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(each_cure_has_a_text_of_its_own)
{
	for (int i = BY_POLL; i <= BY_CHANGE; i++) {
		ck_assert_ptr_nonnull(cure_text(i));
		for (int j = BY_POLL; j < i; j++)
			ck_assert_str_ne(cure_text(i), cure_text(j));
	}
}
END_TEST

START_TEST(a_switch_needs_one_of_the_names_only)
{
	/* A case for EWOULDBLOCK as well would not compile. */
	switch (EWOULDBLOCK) {
	case EAGAIN:
		break;
	default:
		ck_abort_msg("EWOULDBLOCK is another number");
	}
	ck_assert_str_eq(errno_name(EWOULDBLOCK), "EAGAIN");
}
END_TEST

START_TEST(a_pipe_is_ready_when_it_has_data_or_room)
{
	int fds[2];

	must(pipe(fds));
	ck_assert(!says(fds[0], POLLIN));
	ck_assert(says(fds[1], POLLOUT));
	must(write(fds[1], "x", 1));
	ck_assert(says(fds[0], POLLIN));
	ck_assert(!says(fds[0], POLLIN | POLLOUT));
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(a_signal_ends_only_a_read_that_waits)
{
	int fds[2];

	must(pipe(fds));
	ck_assert_int_eq(read_until_signal(fds[0]), EINTR);
	must(write(fds[1], "x", 1));
	ck_assert_int_eq(read_until_signal(fds[0]), 0);
	must(fcntl(fds[0], F_SETFL, O_NONBLOCK));
	ck_assert_int_eq(read_until_signal(fds[0]), EAGAIN);
	close(fds[1]);
	ck_assert_int_eq(read_until_signal(fds[0]), 0);
	close(fds[0]);
}
END_TEST

START_TEST(reading_the_write_end_is_refused)
{
	int fds[2];

	must(pipe(fds));
	ck_assert_int_eq(read_until_signal(fds[1]), EBADF);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, each_cure_has_a_text_of_its_own);
	tcase_add_test(logic, a_switch_needs_one_of_the_names_only);
	tcase_add_test(live, a_pipe_is_ready_when_it_has_data_or_room);
	tcase_add_test(live, a_signal_ends_only_a_read_that_waits);
	tcase_add_test(live, reading_the_write_end_is_refused);
}
