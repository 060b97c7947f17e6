// SPDX-License-Identifier: MIT
#include "trace_cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/lab_test.h"
#include "common/spawn.h"
#include "labs/trace_cmd/report.h"

#define LINE(time, event) "  a b-93   [001]  " time ": " event "\n"
#define EXIT(time)	  LINE(time, "kvm_exit:    vcpu 0 reason npf rip 0x0")
#define ENTRY(time)	  LINE(time, "kvm_entry:   vcpu 0, rip 0x1000")
#define FAULT(time, address)                                                   \
	LINE(time, "kvm_page_fault: vcpu 0 rip 0x0 address " address           \
		   " error_code 0x14")

static struct report report;

START_TEST(report_lines_become_events)
{
	report_parse("cpus=2\n\n" LINE("3.426123", "kvm_fpu:      load")
			     EXIT("4.5"),
		     &report);
	ck_assert_uint_eq(report.n, 2);
	ck_assert_str_eq(report.list[0].name, "kvm_fpu");
	ck_assert_str_eq(report.list[0].text, "load");
	ck_assert_double_eq_tol(report.list[0].time, 3.426123, 1e-9);
	ck_assert_str_eq(report.list[1].text, "vcpu 0 reason npf rip 0x0");
	ck_assert_uint_eq(report_find(&report, 0, "kvm_exit", "npf"), 1);
	ck_assert_uint_eq(report_find(&report, 0, "kvm_exit", "hlt"), 2);
	ck_assert_uint_eq(report_find(&report, 2, "kvm_exit", ""), 2);
}
END_TEST

START_TEST(text_without_events_is_an_empty_report)
{
	report_parse("", &report);
	ck_assert_uint_eq(report.n, 0);
	report_parse("cpus=2\nCPU 1 is empty\n  task-1 [000]\n", &report);
	ck_assert_uint_eq(report.n, 0);
}
END_TEST

START_TEST(a_full_report_takes_no_more)
{
	static char text[(EVENTS_MAX + 2) * 64];
	char *end = text;

	for (int i = 0; i <= EVENTS_MAX; i++)
		end += sprintf(end, "%s", ENTRY("1.0"));
	report_parse(text, &report);
	ck_assert_uint_eq(report.n, EVENTS_MAX);
}
END_TEST

START_TEST(changes_are_read_in_hexadecimal)
{
	struct event event = {
		.name = "kvm_tdp_mmu_spte_changed",
		.text = "as id 0 gfn 1f level 2 old_spte 8000000000000000 "
			"new_spte e67",
	};
	struct change change;

	ck_assert(change_parse(&event, &change));
	ck_assert_uint_eq(change.gfn, 0x1f);
	ck_assert_int_eq(change.level, 2);
	ck_assert_uint_eq(change.old_spte, 1ul << 63);
	ck_assert_uint_eq(change.new_spte, 0xe67);
	strcpy(event.name, "kvm_mmu_set_spte");
	ck_assert(!change_parse(&event, &change));
}
END_TEST

START_TEST(gfns_are_rounded_to_what_an_entry_covers)
{
	ck_assert_uint_eq(gfn_at_level(0x3ff, 1), 0x3ff);
	ck_assert_uint_eq(gfn_at_level(0x1ff, 2), 0);
	ck_assert_uint_eq(gfn_at_level(0x3ff, 2), 0x200);
	ck_assert_uint_eq(gfn_at_level(0x7ffff, 3), 0x40000);
	ck_assert_uint_eq(gfn_at_level(UINT64_MAX, 5), 0xfffffff000000000);
}
END_TEST

START_TEST(a_fault_that_is_tried_again_is_one)
{
	struct fault fault;

	report_parse(ENTRY("1.0") EXIT("2.0") FAULT("3.0", "0x1000")
			     ENTRY("4.0") EXIT("5.0") FAULT("6.0", "0x1ff8")
				     ENTRY("7.0") ENTRY("8.0"),
		     &report);
	ck_assert(fault_find(&report, 1, &fault));
	ck_assert_uint_eq(fault.exit, 1);
	ck_assert_uint_eq(fault.entry, 6);
	ck_assert(!fault_find(&report, 2, &fault));
}
END_TEST

START_TEST(a_fault_without_exit_or_entry_is_none)
{
	struct fault fault;

	report_parse(FAULT("3.0", "0x1000") ENTRY("4.0"), &report);
	ck_assert(!fault_find(&report, 1, &fault));
	report_parse(EXIT("2.0") FAULT("3.0", "0x1000"), &report);
	ck_assert(!fault_find(&report, 1, &fault));
}
END_TEST

static int borrow_and_die(void *arg)
{
	tracefs_borrow();
	put_text(TRACEFS "/events/kvm/enable", "1");
	die("%s", (const char *)arg);
}

START_TEST(tracefs_is_given_back_by_a_lab_that_dies)
{
	struct spawned child = spawn_fn(borrow_and_die, "on purpose", 10000);
	FILE *file = fopen(TRACEFS "/events/kvm/enable", "re");

	ck_assert_int_eq(WEXITSTATUS(child.status), LAB_BROKEN);
	ck_assert_int_eq(errno_of(access(INSTANCE, F_OK)), ENOENT);
	ck_assert_int_eq(fgetc(file), '0');
	fclose(file);
}
END_TEST

START_TEST(unknown_events_are_refused)
{
	ck_assert_int_eq(put_text(TRACEFS "/set_event", "kvm:no_such"), EINVAL);
}
END_TEST

void lab_tests(TCase *logic, TCase *live)
{
	tcase_add_test(logic, report_lines_become_events);
	tcase_add_test(logic, text_without_events_is_an_empty_report);
	tcase_add_test(logic, a_full_report_takes_no_more);
	tcase_add_test(logic, changes_are_read_in_hexadecimal);
	tcase_add_test(logic, gfns_are_rounded_to_what_an_entry_covers);
	tcase_add_test(logic, a_fault_that_is_tried_again_is_one);
	tcase_add_test(logic, a_fault_without_exit_or_entry_is_none);
	tcase_add_test(live, tracefs_is_given_back_by_a_lab_that_dies);
	tcase_add_test(live, unknown_events_are_refused);
}
