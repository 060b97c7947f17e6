/* SPDX-License-Identifier: MIT */
/*
 * vm.h - the smallest KVM guest: memory from address 0, and one vCPU that
 * starts in real mode. What goes wrong in setting it up ends the lab.
 */
#pragma once

#include <linux/kvm.h>
#include <stddef.h>

struct vm;

/* A guest with @size bytes of memory, whole pages, all of them untouched. */
struct vm *vm_new(size_t size);

/* End the guest and free all that belongs to it; NULL is fine. */
void vm_free(struct vm *vm);

/*
 * Copy the @len bytes of @code to @address, and let the vCPU go on from there
 * with flat segments (base 0), so @address is below 64 KiB. Interrupts are off.
 */
void vm_load(struct vm *vm, size_t address, const void *code, size_t len);

/*
 * Run until the guest needs user space. Returns the exit reason (KVM_EXIT_IO,
 * KVM_EXIT_HLT...), or -1 with the errno of KVM_RUN, such as EINTR for a
 * signal; either way vm_state() says more, and the next call goes on.
 */
int vm_run(struct vm *vm);

/* What KVM shares with us about the vCPU; it stays at one place. */
struct kvm_run *vm_state(struct vm *vm);

/* The guest's memory; a first touch from here is no fault of the guest's. */
void *vm_memory(struct vm *vm);

/* For ioctls of the lab's own, on the vCPU and on the VM. */
int vm_vcpu_fd(const struct vm *vm);
int vm_fd(const struct vm *vm);
