// SPDX-License-Identifier: MIT
#include "common/vm.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/lab.h"

struct vm {
	int fd, vcpu;
	void *memory;
	size_t size;
	struct kvm_run *state;
	size_t state_size;
};

struct vm *vm_new(size_t size)
{
	struct vm *vm = must_ptr(calloc(1, sizeof(*vm)));
	int kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC));

	vm->size = size;
	vm->memory = must(mmap(NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	vm->fd = must(ioctl(kvm, KVM_CREATE_VM, 0));
	must(ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION,
		   &(struct kvm_userspace_memory_region){
			   .memory_size = size,
			   .userspace_addr = (uintptr_t)vm->memory,
		   }));
	vm->vcpu = must(ioctl(vm->fd, KVM_CREATE_VCPU, 0));
	vm->state_size = must(ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	vm->state = must(mmap(NULL, vm->state_size, PROT_READ | PROT_WRITE,
			      MAP_SHARED, vm->vcpu, 0));
	close(kvm);
	return vm;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	/* The vCPU holds the VM, which ends with the last descriptor. */
	munmap(vm->state, vm->state_size);
	close(vm->vcpu);
	close(vm->fd);
	munmap(vm->memory, vm->size);
	free(vm);
}

static void make_flat(struct kvm_segment *segment)
{
	segment->base = 0;
	segment->selector = 0;
}

void vm_load(struct vm *vm, size_t address, const void *code, size_t len)
{
	/* Bit 1 of the flags is always set. */
	const struct kvm_regs regs = { .rip = address, .rflags = 1 << 1 };
	struct kvm_sregs sregs;

	if (address > UINT16_MAX || address > vm->size ||
	    len > vm->size - address)
		die("%zu bytes at %#zx are outside of the guest's memory", len,
		    address);
	memcpy((char *)vm->memory + address, code, len);
	must(ioctl(vm->vcpu, KVM_GET_SREGS, &sregs));
	make_flat(&sregs.cs);
	make_flat(&sregs.ds);
	make_flat(&sregs.es);
	make_flat(&sregs.ss);
	must(ioctl(vm->vcpu, KVM_SET_SREGS, &sregs));
	must(ioctl(vm->vcpu, KVM_SET_REGS, &regs));
}

int vm_run(struct vm *vm)
{
	if (ioctl(vm->vcpu, KVM_RUN, 0) == -1)
		return -1;
	return vm->state->exit_reason;
}

struct kvm_run *vm_state(struct vm *vm)
{
	return vm->state;
}

void *vm_memory(struct vm *vm)
{
	return vm->memory;
}

int vm_vcpu_fd(const struct vm *vm)
{
	return vm->vcpu;
}

int vm_fd(const struct vm *vm)
{
	return vm->fd;
}
