// SPDX-License-Identifier: MIT
#include "eventfd.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(count_is_hexadecimal_and_padded)
{
	uint64_t count = 0;

	ck_assert(parse_count("pos:\t0\nflags:\t02\n"
			      "eventfd-count:               1f\n"
			      "eventfd-id: 3\n",
			      &count));
	ck_assert_uint_eq(count, 0x1f);
	ck_assert(parse_count("eventfd-count: fffffffffffffffe\n", &count));
	ck_assert_uint_eq(count, COUNT_MAX);
}
END_TEST

START_TEST(text_without_a_count_is_refused)
{
	uint64_t count;

	ck_assert(!parse_count("", &count));
	ck_assert(!parse_count("pos:\t0\nflags:\t02\n", &count));
	ck_assert(!parse_count("eventfd-count:", &count));
}
END_TEST

START_TEST(event_names_are_joined)
{
	char names[EVENT_NAMES_MAX];

	ck_assert_str_eq(event_names(0, names), "none");
	ck_assert_str_eq(event_names(POLLOUT, names), "OUT");
	ck_assert_str_eq(event_names(POLLIN | POLLERR, names), "IN|ERR");
	ck_assert_str_eq(event_names(-1, names), "IN|OUT|ERR");
}
END_TEST

START_TEST(looking_at_the_count_leaves_it)
{
	int fd = must(eventfd(5, EFD_NONBLOCK));
	eventfd_t value;

	ck_assert_uint_eq(eventfd_count(fd), 5);
	ck_assert_uint_eq(eventfd_count(fd), 5);
	must(eventfd_read(fd, &value));
	ck_assert_uint_eq(value, 5);
	close(fd);
}
END_TEST

START_TEST(three_calls_agree_at_both_ends)
{
	int fd = must(eventfd(0, EFD_NONBLOCK));

	ck_assert_int_eq(by_poll(fd), POLLOUT);
	ck_assert_int_eq(by_select(fd), POLLOUT);
	ck_assert_int_eq(by_epoll(fd), POLLOUT);
	must(eventfd_write(fd, COUNT_MAX));
	ck_assert_int_eq(by_poll(fd), POLLIN);
	ck_assert_int_eq(by_select(fd), POLLIN);
	ck_assert_int_eq(by_epoll(fd), POLLIN);
	close(fd);
}
END_TEST

START_TEST(failed_writes_leave_the_count)
{
	int fd = must(eventfd(1, EFD_NONBLOCK));

	ck_assert_int_eq(errno_of(write(fd, "1234", 4)), EINVAL);
	ck_assert_int_eq(errno_of(eventfd_write(fd, UINT64_MAX)), EINVAL);
	ck_assert_int_eq(errno_of(eventfd_write(fd, COUNT_MAX)), EAGAIN);
	ck_assert_uint_eq(eventfd_count(fd), 1);
	close(fd);
}
END_TEST

START_TEST(unknown_flags_are_refused)
{
	ck_assert_int_eq(errno_of(eventfd(0, 1 << 30)), EINVAL);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, count_is_hexadecimal_and_padded);
	tcase_add_test(logic, text_without_a_count_is_refused);
	tcase_add_test(logic, event_names_are_joined);
	tcase_add_test(live, looking_at_the_count_leaves_it);
	tcase_add_test(live, three_calls_agree_at_both_ends);
	tcase_add_test(live, failed_writes_leave_the_count);
	tcase_add_test(live, unknown_flags_are_refused);
}
