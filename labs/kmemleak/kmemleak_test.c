// SPDX-License-Identifier: MIT
#include "kmemleak.h"

#include <string.h>

#include "common/lab_test.h"

static struct leaks parse(const char *text)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	struct leaks leaks = leaks_parse(file, "ours");

	fclose(file);
	return leaks;
}

#define OBJECT(size, comm, frames)                                             \
	"unreferenced object 0xffff888003a3b400 (size " size "):\n"            \
	"  comm \"" comm "\", pid 97, jiffies 4294893645 (age 6.120s)\n"       \
	"  hex dump (first 32 bytes):\n"                                       \
	"    5b 6f 75 72 73 5d 00 00 00 00 00 00 00 00 00 00  [ours]....\n"    \
	"  backtrace:\n" frames
#define KERNEL_FRAME "    [<ffffffff811b2c30>] __kmalloc+0x40/0x130\n"
#define FRAME(name)  "    [<ffffffffa0000041>] " name "+0x21/0x40 [ours]\n"

START_TEST(report_names_size_process_and_function)
{
	struct leaks leaks =
		parse(OBJECT("128", "some one",
			     KERNEL_FRAME FRAME("leak") FRAME("leaks_ioctl"))
			      OBJECT("8192", "b", KERNEL_FRAME FRAME("leak")));

	ck_assert_uint_eq(leaks.n, 2);
	ck_assert_uint_eq(leaks.list[0].address, 0xffff888003a3b400);
	ck_assert_uint_eq(leaks.list[0].size, 128);
	ck_assert_str_eq(leaks.list[0].comm, "some one");
	ck_assert_int_eq(leaks.list[0].pid, 97);
	ck_assert_str_eq(leaks.list[0].by, "leak");
	ck_assert_uint_eq(leaks.list[1].size, 8192);
	ck_assert_int_eq(leaks_count(&leaks, "leak", "b"), 1);
	ck_assert_int_eq(leaks_count(&leaks, "leaks_ioctl", "b"), 0);
}
END_TEST

START_TEST(objects_of_others_have_no_function)
{
	struct leaks leaks = parse(OBJECT("64", "swapper/0", KERNEL_FRAME));

	ck_assert_uint_eq(leaks.n, 1);
	ck_assert_str_eq(leaks.list[0].by, "");
	ck_assert_int_eq(leaks_count(&leaks, "__kmalloc", "swapper/0"), 0);
}
END_TEST

START_TEST(common_objects_have_the_same_address)
{
	struct leaks a = { 2, { { .address = 1 }, { .address = 2 } } };
	struct leaks b = { 2, { { .address = 2 }, { .address = 3 } } };
	struct leaks none = { 0 };

	ck_assert_int_eq(leaks_common(&a, &b), 1);
	ck_assert_int_eq(leaks_common(&a, &a), 2);
	ck_assert_int_eq(leaks_common(&a, &none), 0);
}
END_TEST

START_TEST(text_that_is_no_report_has_no_leaks)
{
	ck_assert_uint_eq(parse("\n").n, 0);
	ck_assert_uint_eq(parse(FRAME("leak")).n, 0);
	ck_assert_uint_eq(parse("unreferenced object 0x1 (size )").n, 0);
}
END_TEST

START_TEST(a_full_list_takes_no_more)
{
	static char text[(LEAKS_MAX + 2) * 512];

	for (int i = 0; i <= LEAKS_MAX; i++)
		strcat(text, OBJECT("8", "a", FRAME("leak")));
	ck_assert_uint_eq(parse(text).n, LEAKS_MAX);
}
END_TEST

START_TEST(unknown_commands_are_refused)
{
	ck_assert_int_eq(kmemleak_tell("scam"), EINVAL);
	ck_assert_int_eq(kmemleak_tell("stack=on"), 0);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, report_names_size_process_and_function);
	tcase_add_test(logic, objects_of_others_have_no_function);
	tcase_add_test(logic, common_objects_have_the_same_address);
	tcase_add_test(logic, text_that_is_no_report_has_no_leaks);
	tcase_add_test(logic, a_full_list_takes_no_more);
	tcase_add_test(live, unknown_commands_are_refused);
}
