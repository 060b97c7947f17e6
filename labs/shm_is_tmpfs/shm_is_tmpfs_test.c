// SPDX-License-Identifier: MIT
#include "shm_is_tmpfs.h"

#include <linux/magic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab_test.h"

enum { PAGE = 4096 };

START_TEST(magics_have_names)
{
	ck_assert_str_eq(fs_name(0x01021994), "tmpfs");
	ck_assert_str_eq(fs_name(0x958458f6), "hugetlbfs");
	ck_assert_str_eq(fs_name(0xef53), "ext4");
	ck_assert_str_eq(fs_name(0x5345434d), "secretmem");
}
END_TEST

START_TEST(unknown_magics_have_none)
{
	ck_assert_str_eq(fs_name(0), "?");
	ck_assert_str_eq(fs_name(-1), "-");
}
END_TEST

START_TEST(private_memory_has_no_file)
{
	void *at = must(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0));

	ck_assert_int_eq(errno_of(magic_behind(at, PAGE)), ENOENT);
	must(munmap(at, PAGE));
}
END_TEST

START_TEST(a_memfd_lies_on_tmpfs_until_unmapped)
{
	int fd = must(memfd_create("test", MFD_CLOEXEC));
	void *at = must(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));

	close(fd);
	ck_assert_int_eq(magic_behind(at, PAGE), TMPFS_MAGIC);
	must(munmap(at, PAGE));
	ck_assert_int_eq(errno_of(magic_behind(at, PAGE)), ENOENT);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, magics_have_names);
	tcase_add_test(logic, unknown_magics_have_none);
	tcase_add_test(live, private_memory_has_no_file);
	tcase_add_test(live, a_memfd_lies_on_tmpfs_until_unmapped);
}
