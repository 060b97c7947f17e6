// SPDX-License-Identifier: MIT
/*
 * kthread_family - who is a kernel thread, and how does one tell?
 *
 * A census of all tasks by the rule "kernel threads are the children of
 * PID 2", then tasks that break it: made of kernel code without being a
 * kernel thread, in brackets without being one, a child of PID 2 without
 * being one.
 */
#include "kthread_family.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/kvm.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/kernel.h"
#include "common/lab.h"
#include "common/probe.h"
#include "common/proc.h"
#include "common/spawn.h"

enum { KTHREADD = 2, DEADLINE_MS = 10000 };

static int own_proc; /* shows the PIDs that we use ourselves */

bool parse_stat(const char *text, struct task *task)
{
	/* A name may hold blanks and parentheses, but the last one is ours. */
	const char *open = strchr(text, '('), *close = strrchr(text, ')');

	if (!open || !close || close < open ||
	    sscanf(text, "%d", &task->pid) != 1)
		return false;
	snprintf(task->comm, sizeof(task->comm), "%.*s",
		 (int)(close - open - 1), open + 1);
	return sscanf(close, ") %c %d %*d %*d %*d %*d %u", &task->state,
		      &task->ppid, &task->flags) == 3;
}

/* What is in @file of @folder; its length, -1 if there is no such file. */
static ssize_t read_text(int proc, const char *folder, const char *file,
			 char *text, size_t size)
{
	char path[300];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	len = read(fd, text, size - 1);
	close(fd);
	text[len > 0 ? len : 0] = '\0';
	return len;
}

bool read_task(int proc, const char *folder, struct task *task)
{
	char text[1024];

	return read_text(proc, folder, "stat", text, sizeof(text)) > 0 &&
	       parse_stat(text, task);
}

static struct task must_read_task(int proc, const char *folder)
{
	struct task task;

	if (!read_task(proc, folder, &task))
		die("no task %s in /proc", folder);
	return task;
}

static int exe_errno(int proc, const char *folder)
{
	char path[300], target[16];

	snprintf(path, sizeof(path), "%s/exe", folder);
	return errno_of(readlinkat(proc, path, target, sizeof(target)));
}

/* The digit of the line "Kthread:" of /proc/PID/status, or -1. */
static int kthread_line(int proc, const char *folder)
{
	char text[4096];
	const char *line;

	if (read_text(proc, folder, "status", text, sizeof(text)) <= 0)
		return -1;
	line = strstr(text, "\nKthread:\t");
	return line ? atoi(line + strlen("\nKthread:\t")) : -1;
}

static bool shows_kthreadd(int proc)
{
	struct task task;

	return read_task(proc, "2", &task) && !strcmp(task.comm, "kthreadd");
}

/*
 * The /proc of the whole machine, -1 if it is out of sight. If ours shows a
 * PID namespace, it may hide the machine's, below it. A child that shares
 * nothing with us but the descriptors takes the upper one away and looks.
 */
static int machines_proc(void)
{
	int before = dup(own_proc), status;
	pid_t pid;

	if (shows_kthreadd(own_proc))
		return before;
	pid = must(syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));
	if (pid == 0)
		_exit(unshare(CLONE_NEWNS) == -1 ||
		      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
		      umount2("/proc", MNT_DETACH) == -1 ||
		      dup2(open("/proc", O_RDONLY | O_CLOEXEC), before) == -1);
	must(waitpid(pid, &status, 0));
	return status == 0 && shows_kthreadd(before) ? before : -1;
}

/* One row of the table; of tasks with PF_KTHREAD or of those without. */
struct tally {
	int tasks, by_ppid[4]; /* 0, 1, 2, others */
	int no_cmdline, no_exe;
	int line_agrees, line_differs; /* "Kthread:", where there is one */
};

static void count_task(struct tally *row, int proc, const struct task *task,
		       const char *folder)
{
	bool kernel = task->flags & PF_KTHREAD;
	int line = kthread_line(proc, folder);
	char cmdline[16];

	row->tasks++;
	row->by_ppid[task->ppid < 3 ? task->ppid : 3]++;
	row->no_cmdline += read_text(proc, folder, "cmdline", cmdline,
				     sizeof(cmdline)) == 0;
	row->no_exe += exe_errno(proc, folder) == ENOENT;
	row->line_agrees += line == kernel;
	row->line_differs += line == !kernel;
}

static void count_all(int proc, struct tally rows[2])
{
	int fd = must(openat(proc, ".", O_RDONLY | O_CLOEXEC));
	DIR *dir = must_ptr(fdopendir(fd));
	struct task task;

	for (struct dirent *e; (e = readdir(dir));)
		if (*e->d_name >= '1' && *e->d_name <= '9' &&
		    read_task(proc, e->d_name, &task))
			count_task(&rows[!(task.flags & PF_KTHREAD)], proc,
				   &task, e->d_name);
	closedir(dir);
}

static void print_tally(const char *name, const struct tally *row)
{
	printf("%-14s %5d  %6d %6d %6d %6d  %10d %6d\n", name, row->tasks,
	       row->by_ppid[0], row->by_ppid[1], row->by_ppid[2],
	       row->by_ppid[3], row->no_cmdline, row->no_exe);
}

/* Returns how many tasks without PF_KTHREAD there are, 0 if out of sight. */
static int family(int proc)
{
	static const char *const ids[] = { "pid-2-by-pid-0", "kthreads-ppid-2",
					   "users-ppid-1", "kthreads-no-exe",
					   "kthread-line" };
	struct tally rows[2] = { 0 }, *kernel = &rows[0], *user = &rows[1];
	struct task two, self;

	for (size_t i = 0; proc == -1 && i < ARRAY_SIZE(ids); i++)
		claim_skip(ids[i], "the PIDs of the whole machine",
			   "those of a PID namespace",
			   "run it outside of the container");
	if (proc == -1)
		return 0;
	count_all(proc, rows);
	two = must_read_task(proc, "2");
	self = must_read_task(proc, "self");
	printf("%-14s %5s  %6s %6s %6s %6s  %10s %6s\n", "", "tasks", "ppid 0",
	       "1", "2", "other", "no cmdline", "no exe");
	print_tally("PF_KTHREAD", kernel);
	print_tally("the others", user);
	claim("pid-2-by-pid-0", two.ppid == 0 && two.flags & PF_KTHREAD);
	control("pid-2-by-pid-0", self.ppid != 0);
	claim("kthreads-ppid-2",
	      kernel->by_ppid[0] == 1 &&
		      kernel->by_ppid[2] == kernel->tasks - 1);
	control("kthreads-ppid-2", self.ppid != 2);
	claim("users-ppid-1", user->by_ppid[1] > 0);
	control("users-ppid-1", kernel->by_ppid[1] == 0);
	claim("kthreads-no-exe", kernel->no_exe == kernel->tasks);
	control("kthreads-no-exe", exe_errno(proc, "self") == 0);
	if (!kernel->line_agrees && !kernel->line_differs) {
		claim_skip("kthread-line", "a line Kthread in /proc/PID/status",
			   "none", "a newer kernel");
	} else {
		claim("kthread-line",
		      !kernel->line_differs && !user->line_differs);
		control("kthread-line",
			kernel->line_agrees == kernel->tasks &&
				kthread_line(proc, "self") == 0);
	}
	return user->tasks;
}

static bool look_for_thread(const char *name, struct task *task)
{
	DIR *dir = must_ptr(opendir("/proc/self/task"));
	char folder[300];
	bool found = false;

	for (struct dirent *e; !found && (e = readdir(dir));) {
		snprintf(folder, sizeof(folder), "self/task/%s", e->d_name);
		found = read_task(own_proc, folder, task) &&
			!strncmp(task->comm, name, strlen(name));
	}
	closedir(dir);
	return found;
}

static void print_task(const char *what, const struct task *task)
{
	struct task parent;
	char folder[16];

	sprintf(folder, "%d", task->ppid);
	if (!read_task(own_proc, folder, &parent))
		strcpy(parent.comm, "(out of sight)");
	printf("%-22s %-16s %-14s parent: %d %s\n", what, task->comm,
	       task->flags & PF_KTHREAD	      ? "PF_KTHREAD"
	       : task->flags & PF_IO_WORKER   ? "PF_IO_WORKER"
	       : task->flags & PF_USER_WORKER ? "PF_USER_WORKER"
					      : "no mark",
	       task->ppid, parent.comm);
}

/* In a PID namespace, PID 2 is anybody. */
static bool child_of_kthreadd(const struct task *task)
{
	return task->ppid == KTHREADD && shows_kthreadd(own_proc);
}

/* It polls a ring of ours, for ever in kernel mode. */
static void io_uring_thread(void)
{
	struct io_uring_params params = { .flags = IORING_SETUP_SQPOLL,
					  .sq_thread_idle = 1 };
	int ring = syscall(SYS_io_uring_setup, 1, &params);
	uint64_t deadline = now_ns() + DEADLINE_MS * 1000000ull;
	const unsigned int kernel_code = PF_IO_WORKER | PF_USER_WORKER;
	struct task task, self;
	bool found;

	if (ring == -1) {
		claim_skip("kernel-code-is-kthread", "io_uring",
			   errno_name(errno),
			   "sysctl kernel.io_uring_disabled=0");
		return;
	}
	/* It gives itself its name, when it gets to run. */
	while (!(found = look_for_thread("iou-sqp", &task)) &&
	       now_ns() < deadline)
		sched_yield();
	if (!found)
		die("io_uring has no thread that polls");
	self = must_read_task(own_proc, "self");
	print_task("a thread of io_uring", &task);
	refuted("kernel-code-is-kthread",
		task.flags & PF_KTHREAD || child_of_kthreadd(&task));
	control("kernel-code-is-kthread",
		task.flags & kernel_code && !(self.flags & kernel_code));
	close(ring);
}

/* A VM without anything in it: the attempt to run it is enough. */
static void kvm_thread(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	struct task task;
	bool before;

	vm = kvm == -1 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
	vcpu = vm == -1 ? -1 : ioctl(vm, KVM_CREATE_VCPU, 0);
	if (vcpu == -1 || !kernel_since(6, 13)) {
		claim_skip("kvm-worker", "Linux 6.13 and /dev/kvm",
			   vcpu == -1 ? errno_name(errno) : "an older Linux",
			   "a newer kernel, and the group kvm");
		return;
	}
	before = look_for_thread("kvm-nx", &task);
	ioctl(vcpu, KVM_RUN, 0);
	if (look_for_thread("kvm-nx", &task)) {
		print_task("a thread of KVM", &task);
		claim("kvm-worker", !(task.flags & PF_KTHREAD) &&
					    task.flags & PF_USER_WORKER);
		control("kvm-worker", !before);
	} else {
		claim_skip("kvm-worker", "KVM's recovery of huge pages", "none",
			   "the module kvm without nx_huge_pages=never");
	}
	close(vcpu);
	close(vm);
	close(kvm);
}

/* The first word that ps prints for the command line of @pid. */
static void ask_ps(pid_t pid, char word[64])
{
	char number[16];
	const char *const argv[] = { "ps", "-o", "args=", "-p", number, NULL };
	struct spawned ps;

	sprintf(number, "%d", pid);
	ps = spawn_program(argv, NULL, 0, DEADLINE_MS);
	snprintf(word, 64, "%.*s", (int)strcspn(ps.out, " \n"), ps.out);
	free(ps.out);
}

static void zombie(void)
{
	int go[2];
	char cmdline[300], folder[16], word[64], own_word[64];
	ssize_t alive, dead;
	struct task task;
	siginfo_t info;
	pid_t pid;

	must(pipe2(go, O_CLOEXEC));
	pid = fork_tied();
	if (pid == 0)
		_exit(read(go[0], folder, 1) != 1);
	sprintf(folder, "%d", pid);
	alive = read_text(own_proc, folder, "cmdline", cmdline,
			  sizeof(cmdline));
	must(write(go[1], "", 1));
	must(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	dead = read_text(own_proc, folder, "cmdline", cmdline, sizeof(cmdline));
	task = must_read_task(own_proc, folder);
	print_task("a dead child of ours", &task);
	printf("its command line: %zd bytes, when it lived %zd\n", dead, alive);
	refuted("brackets-ppid-2", child_of_kthreadd(&task));
	control("brackets-ppid-2", dead == 0 && alive > 0);
	if (probe("tool:ps").met) {
		ask_ps(pid, word);
		ask_ps(getpid(), own_word);
		printf("ps shows: %s\n", word);
		claim("brackets-are-ps", *word == '[');
		control("brackets-are-ps", *own_word && *own_word != '[');
	} else {
		claim_skip("brackets-are-ps", "ps", "none on PATH",
			   "install procps");
	}
	reap(pid, DEADLINE_MS);
}

/* The socket by which the kernel's helper reports; a name without a file. */
static const struct sockaddr_un meeting = { AF_UNIX, "\0notelab-kthread" };

/*
 * Started by the kernel when our child crashed, as the program that takes
 * its core: be looked at, until the demo has seen enough.
 */
static _Noreturn void be_the_helper(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char end;

	if (connect(fd, (const struct sockaddr *)&meeting, sizeof(meeting)) ==
	    0)
		(void)!read(fd, &end, 1);
	_exit(0);
}

/*
 * A program that the kernel starts. core_pattern is the machine's, so only
 * where nobody else can crash.
 */
static void kernels_helper(bool alone)
{
	int listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct pollfd wait = { listener, POLLIN, 0 };
	struct ucred peer = { 0 };
	socklen_t len = sizeof(peer);
	struct task task;
	char folder[16];
	pid_t victim;
	int fd;

	if (!alone) {
		claim_skip("ppid-2-is-kernel", "a machine of one's own",
			   "other processes",
			   "runner --kernel 6.12 kthread_family");
		return;
	}
	must(bind(listener, (const struct sockaddr *)&meeting,
		  sizeof(meeting)));
	must(listen(listener, 1));
	proc_set("/proc/sys/kernel/core_pattern", "|/proc/%P/exe");
	victim = fork_tied();
	if (victim == 0) {
		signal(SIGQUIT, SIG_DFL);
		_exit(raise(SIGQUIT));
	}
	if (must(poll(&wait, 1, DEADLINE_MS)) == 0)
		die("the kernel has started no helper");
	fd = must(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
	must(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len));
	sprintf(folder, "%d", peer.pid);
	task = must_read_task(own_proc, folder);
	print_task("a helper of the kernel", &task);
	refuted("ppid-2-is-kernel",
		!child_of_kthreadd(&task) || task.flags & PF_KTHREAD);
	control("ppid-2-is-kernel", exe_errno(own_proc, folder) == 0);
	close(fd);
	close(listener);
	reap(victim, DEADLINE_MS);
}

static void demo(void)
{
	int proc, users;

	own_proc = must(open("/proc", O_RDONLY | O_CLOEXEC));
	if (getppid() == KTHREADD && shows_kthreadd(own_proc))
		be_the_helper();
	puts("All tasks of the machine, by parent");
	proc = machines_proc();
	users = family(proc);
	puts("\nTasks that break the rule");
	io_uring_thread();
	kvm_thread();
	zombie();
	/* Only init and we; and it is really init that we see. */
	kernels_helper(users == 2 && getppid() == 1 && getpid() != 1 &&
		       shows_kthreadd(own_proc));
	close(proc);
}

const struct lab lab = {
	.name = "kthread_family",
	.needs = NEEDS("root"),
	.demo = demo,
};
