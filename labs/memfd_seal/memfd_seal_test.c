// SPDX-License-Identifier: MIT
#include "memfd_seal.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab_test.h"

START_TEST(seal_names_are_joined)
{
	char names[SEAL_NAMES_MAX];

	ck_assert_str_eq(seal_names(0, names), "none");
	ck_assert_str_eq(seal_names(F_SEAL_GROW | F_SEAL_WRITE, names),
			 "WRITE|GROW");
	ck_assert_str_eq(seal_names(-1, names),
			 "WRITE|SHRINK|GROW|SEAL|FUTURE_WRITE");
}
END_TEST

START_TEST(sealed_memfd_keeps_its_bytes)
{
	int fd = sealed_memfd("abc", 3);
	char got[4] = "";

	ck_assert(is_immutable(fd));
	ck_assert_int_eq(errno_of(ftruncate(fd, 0)), EPERM);
	ck_assert_int_eq(errno_of(pwrite(fd, "x", 1, 0)), EPERM);
	ck_assert_int_eq(pread(fd, got, 3, 0), 3);
	ck_assert_str_eq(got, "abc");
}
END_TEST

START_TEST(empty_memfd_cannot_grow)
{
	int fd = sealed_memfd("", 0);

	ck_assert(is_immutable(fd));
	ck_assert_int_eq(errno_of(ftruncate(fd, 1)), EPERM);
}
END_TEST

START_TEST(other_descriptors_are_not_immutable)
{
	int two_of_three = must(memfd_create("two", MFD_ALLOW_SEALING));

	must(fcntl(two_of_three, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
	ck_assert(!is_immutable(two_of_three));
	ck_assert(!is_immutable(must(open("/dev/null", O_RDWR))));
	ck_assert(!is_immutable(-1));
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, seal_names_are_joined);
	tcase_add_test(live, sealed_memfd_keeps_its_bytes);
	tcase_add_test(live, empty_memfd_cannot_grow);
	tcase_add_test(live, other_descriptors_are_not_immutable);
}
