// SPDX-License-Identifier: MIT
#include "common/vm.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/probe.h"
#include "common/proc.h"
#include "common/spawn.h"
#include "unit.h"

enum { PAGE = 4096, SIZE = 16 * PAGE, CODE = 0x1000 };

/* The whole guest, in any mode of the processor. */
extern const unsigned char hlt[1];
__asm__(".pushsection .rodata\nhlt: hlt\n.popsection");

START_TEST(guest_runs_to_its_halt)
{
	struct vm *vm = vm_new(SIZE);

	vm_load(vm, CODE, hlt, sizeof(hlt));
	ck_assert_int_eq(vm_run(vm), KVM_EXIT_HLT);
	ck_assert_uint_eq(vm_state(vm)->exit_reason, KVM_EXIT_HLT);
	vm_free(vm);
}
END_TEST

START_TEST(code_loaded_anew_runs_from_there)
{
	struct vm *vm = vm_new(SIZE);

	for (size_t at = SIZE - 1; at > 0; at /= 2) {
		vm_load(vm, at, hlt, sizeof(hlt));
		ck_assert_int_eq(vm_run(vm), KVM_EXIT_HLT);
		ck_assert_uint_eq(((unsigned char *)vm_memory(vm))[at], *hlt);
	}
	vm_free(vm);
}
END_TEST

START_TEST(memory_is_as_large_as_asked_for_and_zero)
{
	struct vm *vm = vm_new(PAGE);
	unsigned char *memory = vm_memory(vm);

	for (size_t i = 0; i < PAGE; i++)
		ck_assert_uint_eq(memory[i], 0);
	vm_load(vm, PAGE - 1, hlt, sizeof(hlt));
	ck_assert_int_eq(vm_run(vm), KVM_EXIT_HLT);
	vm_free(vm);
}
END_TEST

static int load_beyond(void *arg)
{
	vm_load(vm_new(PAGE), *(size_t *)arg, (const char[2]){ 0 }, 2);
	return 0;
}

START_TEST(code_outside_of_the_memory_ends_the_lab)
{
	size_t inside = PAGE - 2, across = PAGE - 1, far = SIZE;

	ck_assert_int_eq(spawn_fn(load_beyond, &inside, 10000).status, 0);
	ck_assert_int_eq(
		WEXITSTATUS(spawn_fn(load_beyond, &across, 10000).status),
		LAB_BROKEN);
	ck_assert_int_eq(WEXITSTATUS(spawn_fn(load_beyond, &far, 10000).status),
			 LAB_BROKEN);
}
END_TEST

START_TEST(freed_guests_leave_no_descriptor)
{
	int before = proc_count_fds();

	vm_free(vm_new(PAGE));
	vm_free(NULL);
	ck_assert_int_eq(proc_count_fds(), before);
}
END_TEST

void unit_tests(TCase *tests)
{
	struct probe kvm = probe("kvm");

	if (!kvm.met) {
		leave_out("vm", kvm.found);
		return;
	}
	tcase_add_test(tests, guest_runs_to_its_halt);
	tcase_add_test(tests, code_loaded_anew_runs_from_there);
	tcase_add_test(tests, memory_is_as_large_as_asked_for_and_zero);
	tcase_add_test(tests, code_outside_of_the_memory_ends_the_lab);
	tcase_add_test(tests, freed_guests_leave_no_descriptor);
}
