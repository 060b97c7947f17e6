// SPDX-License-Identifier: MIT
#include "listen_backlog_refused.h"

#include <limits.h>
#include <unistd.h>

#include "common/lab_test.h"
#include "common/proc.h"

START_TEST(there_is_one_place_more_than_backlog)
{
	ck_assert_uint_eq(places(0, 4096), 1);
	ck_assert_uint_eq(places(3, 4096), 4);
	ck_assert_uint_eq(places(4095, 4096), 4096);
}
END_TEST

START_TEST(somaxconn_is_the_limit)
{
	ck_assert_uint_eq(places(4096, 4096), 4097);
	ck_assert_uint_eq(places(4097, 4096), 4097);
	ck_assert_uint_eq(places(INT_MAX, 128), 129);
	ck_assert_uint_eq(places(5, 0), 1);
}
END_TEST

START_TEST(a_negative_backlog_is_a_large_one)
{
	ck_assert_uint_eq(places(-1, 4096), 4097);
	ck_assert_uint_eq(places(INT_MIN, 128), 129);
}
END_TEST

START_TEST(the_kernel_counts_the_same)
{
	static const int backlogs[] = { 0, 3, 100000, INT_MAX, -1, INT_MIN };
	unsigned int max = proc_long("/proc/sys/net/core/somaxconn");

	for (size_t i = 0; i < ARRAY_SIZE(backlogs); i++) {
		struct address addr;
		int fd = bound_socket(AF_INET, SOCK_STREAM, &addr);

		ck_assert_int_eq(listen(fd, backlogs[i]), 0);
		ck_assert_uint_eq(queue_limit(fd) + 1,
				  places(backlogs[i], max));
		ck_assert_uint_eq(queue_length(fd), 0);
		close(fd);
	}
}
END_TEST

START_TEST(listen_again_changes_the_limit)
{
	struct address addr;
	int fd = bound_socket(AF_INET, SOCK_STREAM, &addr);

	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(listen(fd, 2), 0);
	ck_assert_uint_eq(queue_limit(fd), 2);
	close(fd);
}
END_TEST

START_TEST(a_bound_socket_alone_refuses)
{
	static const int domains[] = { AF_INET, AF_UNIX };

	for (size_t i = 0; i < ARRAY_SIZE(domains); i++) {
		struct address addr;
		int fd = bound_socket(domains[i], SOCK_STREAM, &addr);
		int client = must(socket(domains[i], SOCK_STREAM, 0));

		ck_assert_int_eq(connect_to(client, &addr), ECONNREFUSED);
		must(listen(fd, 0));
		ck_assert_int_eq(connect_to(client, &addr), 0);
		close(client);
		ck_assert_int_eq(connect_to(client, &addr), EBADF);
		close(fd);
	}
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, there_is_one_place_more_than_backlog);
	tcase_add_test(logic, somaxconn_is_the_limit);
	tcase_add_test(logic, a_negative_backlog_is_a_large_one);
	tcase_add_test(live, the_kernel_counts_the_same);
	tcase_add_test(live, listen_again_changes_the_limit);
	tcase_add_test(live, a_bound_socket_alone_refuses);
}
