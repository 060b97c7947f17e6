// SPDX-License-Identifier: MIT
#include "socket_shutdown.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(states_have_the_names_of_the_kernel)
{
	ck_assert_str_eq(state_name(ESTABLISHED), "ESTABLISHED");
	ck_assert_str_eq(state_name(FIN_WAIT2), "FIN_WAIT2");
	ck_assert_str_eq(state_name(CLOSED), "CLOSE");
	ck_assert_str_eq(state_name(CLOSE_WAIT), "CLOSE_WAIT");
	ck_assert_str_eq(state_name(11), "CLOSING");
}
END_TEST

START_TEST(what_is_no_state_has_a_dash)
{
	ck_assert_str_eq(state_name(0), "-");
	ck_assert_str_eq(state_name(12), "-");
	ck_assert_str_eq(state_name(-1), "-");
}
END_TEST

START_TEST(poll_bits_are_joined)
{
	char names[POLL_NAMES_MAX];

	ck_assert_str_eq(poll_names(0, names), "-");
	ck_assert_str_eq(poll_names(POLLOUT, names), "-");
	ck_assert_str_eq(
		poll_names(POLLHUP | POLLIN | POLLERR | POLLRDHUP, names),
		"IN RDHUP ERR HUP");
}
END_TEST

START_TEST(the_ends_of_each_pair_are_connected)
{
	struct pair (*const make[])(void) = { tcp_pair, unix_pair, udp_pair };

	for (size_t i = 0; i < ARRAY_SIZE(make); i++) {
		struct pair p = make[i]();
		char byte;

		ck_assert_int_eq(poll_bits(p.a), 0);
		ck_assert_int_eq(poll_bits(p.b), 0);
		ck_assert_int_eq(send(p.a, "x", 1, 0), 1);
		ck_assert_int_eq(recv(p.b, &byte, 1, 0), 1);
		ck_assert_int_eq(send(p.b, "x", 1, 0), 1);
		ck_assert_int_eq(recv(p.a, &byte, 1, 0), 1);
		close(p.a);
		close(p.b);
	}
}
END_TEST

START_TEST(only_tcp_has_a_state)
{
	struct pair tcp = tcp_pair(), local = unix_pair();

	ck_assert_int_eq(tcp_state(tcp.a), ESTABLISHED);
	ck_assert_int_eq(tcp_state(local.a), 0);
	ck_assert_int_eq(tcp_state(-1), 0);
	close(tcp.a);
	close(tcp.b);
	close(local.a);
	close(local.b);
}
END_TEST

START_TEST(the_same_direction_closes_twice)
{
	struct pair p = unix_pair();

	ck_assert_int_eq(shutdown(p.a, SHUT_RD), 0);
	ck_assert_int_eq(shutdown(p.a, SHUT_RD), 0);
	close(p.a);
	ck_assert_int_eq(errno_of(shutdown(p.a, SHUT_RD)), EBADF);
	close(p.b);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, states_have_the_names_of_the_kernel);
	tcase_add_test(logic, what_is_no_state_has_a_dash);
	tcase_add_test(logic, poll_bits_are_joined);
	tcase_add_test(live, the_ends_of_each_pair_are_connected);
	tcase_add_test(live, only_tcp_has_a_state);
	tcase_add_test(live, the_same_direction_closes_twice);
}
