// SPDX-License-Identifier: MIT
/* probe.c - one row per kind of need: its probe, and the remedy in words. */
#include "common/probe.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <linux/kvm.h>
#include <linux/magic.h>
#include <unistd.h>
#include <zlib.h>

#include "common/lab.h"
#include "common/proc.h"

#define TRACEFS "/sys/kernel/tracing"

static void __attribute__((format(printf, 2, 3)))
found(struct probe *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->found, sizeof(p->found), format, args);
	va_end(args);
}

/* Whether @ret is a descriptor; closes it, and says what was found if not. */
static bool opens(struct probe *p, const char *what, int ret)
{
	if (ret == -1) {
		found(p, "%s: %s", what, errno_name(errno));
		return false;
	}
	found(p, "%s works", what);
	close(ret);
	return true;
}

static bool probe_root(struct probe *p, const char *arg)
{
	(void)arg;
	found(p, "uid %u", geteuid());
	return geteuid() == 0;
}

static bool probe_memfd(struct probe *p, const char *arg)
{
	(void)arg;
	return opens(p, "memfd_create",
		     memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING));
}

static bool probe_io_uring(struct probe *p, const char *arg)
{
	struct io_uring_params params = { 0 };

	(void)arg;
	return opens(p, "io_uring_setup",
		     syscall(SYS_io_uring_setup, 1, &params));
}

static bool probe_userfaultfd(struct probe *p, const char *arg)
{
	(void)arg;
	return opens(p, "userfaultfd",
		     syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY));
}

/* "npt=0": KVM on AMD with shadow paging instead of nested paging. */
static bool probe_npt(struct probe *p, const char *arg)
{
	FILE *file = fopen("/sys/module/kvm_amd/parameters/npt", "re");
	int npt = file ? fgetc(file) : EOF;
	char want = !strcmp(arg, "npt=0") ? 'N' : 'Y';

	if (file)
		fclose(file);
	if (npt == EOF)
		found(p, "no kvm_amd");
	else
		found(p, "kvm_amd with npt=%c", npt);
	/* Older kernels print the number. */
	return npt == want || npt == (want == 'Y' ? '1' : '0');
}

static bool probe_kvm(struct probe *p, const char *arg)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm;
	bool met;

	if (kvm == -1) {
		found(p, "open /dev/kvm: %s", errno_name(errno));
		return false;
	}
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	met = opens(p, "KVM_CREATE_VM", vm);
	close(kvm);
	return met && (!*arg || probe_npt(p, arg));
}

static bool probe_tracefs(struct probe *p, const char *arg)
{
	struct statfs fs;

	(void)arg;
	if (statfs(TRACEFS, &fs) == -1 || fs.f_type != TRACEFS_MAGIC) {
		found(p, "no tracefs on " TRACEFS);
		return false;
	}
	return opens(p, TRACEFS "/trace_marker",
		     open(TRACEFS "/trace_marker", O_WRONLY | O_CLOEXEC));
}

static bool probe_event(struct probe *p, const char *arg)
{
	char path[256];

	/* "kvm:kvm_exit" is the folder events/kvm/kvm_exit. */
	snprintf(path, sizeof(path), TRACEFS "/events/%s/enable", arg);
	for (char *c = path; *c; c++)
		if (*c == ':')
			*c = '/';
	return opens(p, path, open(path, O_WRONLY | O_CLOEXEC));
}

static bool probe_hugepages(struct probe *p, const char *arg)
{
	long need = atol(arg);
	long free_pages = proc_field("/proc/meminfo", "HugePages_Free");

	found(p, "%ld free", free_pages);
	return free_pages >= need;
}

static bool probe_swap(struct probe *p, const char *arg)
{
	long total = proc_field("/proc/meminfo", "SwapTotal");

	(void)arg;
	found(p, "%ld kB", total);
	return total > 0;
}

static bool probe_cpus(struct probe *p, const char *arg)
{
	cpu_set_t set;
	int n;

	must(sched_getaffinity(0, sizeof(set), &set));
	n = CPU_COUNT(&set);
	found(p, "%d", n);
	return n >= atoi(arg);
}

static bool probe_tool(struct probe *p, const char *arg)
{
	const char *dir = getenv("PATH");
	struct stat st;
	char path[512];

	for (size_t len; dir && *dir; dir += len + (dir[len] == ':')) {
		len = strcspn(dir, ":");
		snprintf(path, sizeof(path), "%.*s/%s", (int)len, dir, arg);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
		    access(path, X_OK) == 0) {
			found(p, "%.150s", path);
			return true;
		}
	}
	found(p, "not on PATH");
	return false;
}

/* Built for this kernel by the runner, which does so for guests only. */
static bool probe_module(struct probe *p, const char *arg)
{
	const char *dir = getenv("NOTELAB_MODULES");

	(void)arg;
	if (!dir) {
		found(p, "no module built for this kernel");
		return false;
	}
	found(p, "modules in %.120s", dir);
	return access(dir, R_OK | X_OK) == 0;
}

/* The running kernel's own configuration, then the distribution's copy. */
static gzFile open_config(void)
{
	struct utsname uts;
	char path[300];
	gzFile config = gzopen("/proc/config.gz", "r");

	if (config)
		return config;
	uname(&uts);
	snprintf(path, sizeof(path), "/boot/config-%s", uts.release);
	return gzopen(path, "r");
}

static bool probe_config(struct probe *p, const char *arg)
{
	gzFile config = open_config();
	char want[128], line[1024];
	size_t len;

	if (!config) {
		found(p, "neither /proc/config.gz nor /boot/config");
		return false;
	}
	len = snprintf(want, sizeof(want), "CONFIG_%s=", arg);
	found(p, "CONFIG_%s is not set", arg);
	while (!p->met && gzgets(config, line, sizeof(line))) {
		if (strncmp(line, want, len) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		found(p, "%.150s", line);
		p->met = line[len] == 'y' || line[len] == 'm';
	}
	gzclose(config);
	return p->met;
}

/* In @remedy, %s stands for the argument. */
static const struct {
	const char *kind;
	enum { BARE, ARGUMENT, EITHER } form;
	bool (*probe)(struct probe *p, const char *arg);
	const char *meaning;
	const char *remedy;
} kinds[] = {
	{ "config", ARGUMENT, probe_config, "a kernel configuration option",
	  "a kernel built with CONFIG_%s" },
	{ "cpus", ARGUMENT, probe_cpus, "this many CPUs to run on",
	  "a machine or a CPU set with %s CPUs" },
	{ "event", ARGUMENT, probe_event, "a trace event that can be enabled",
	  "root, and a kernel with the event %s" },
	{ "hugepages", ARGUMENT, probe_hugepages, "free huge pages",
	  "sysctl vm.nr_hugepages=%s" },
	{ "io_uring", BARE, probe_io_uring, "io_uring",
	  "sysctl kernel.io_uring_disabled=0, outside of a container" },
	{ "kvm", EITHER, probe_kvm, "/dev/kvm, creating a VM",
	  "hardware virtualisation, and membership of the group kvm" },
	{ "memfd", BARE, probe_memfd, "memfd_create(2) with sealing",
	  "Linux 3.17 or later" },
	{ "module", BARE, probe_module, "the lab's own kernel module",
	  "a guest; \"runner kernels\" lists what is prepared" },
	{ "root", BARE, probe_root, "user id 0", "run it with sudo" },
	{ "swap", BARE, probe_swap, "swap space",
	  "swapon a file or a partition" },
	{ "tool", ARGUMENT, probe_tool, "a program on PATH", "install %s" },
	{ "tracefs", BARE, probe_tracefs, "tracefs, mounted and writable",
	  "root, and mount -t tracefs tracefs " TRACEFS },
	{ "userfaultfd", BARE, probe_userfaultfd, "userfaultfd(2)",
	  "a kernel with CONFIG_USERFAULTFD" },
};

struct probe probe(const char *need)
{
	size_t len = strcspn(need, ":");
	const char *arg = need[len] ? need + len + 1 : "";
	struct probe p = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strncmp(kinds[i].kind, need, len) != 0 ||
		    kinds[i].kind[len] != '\0' ||
		    (kinds[i].form == BARE && *arg) ||
		    (kinds[i].form == ARGUMENT && !*arg))
			continue;
		p.met = kinds[i].probe(&p, arg);
		/* The format comes from the table above, one %s at most. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(p.remedy, sizeof(p.remedy), kinds[i].remedy, arg);
#pragma GCC diagnostic pop
		return p;
	}
	found(&p, "no such need");
	snprintf(p.remedy, sizeof(p.remedy), "see the table in common/probe.c");
	return p;
}

const char *probe_kind(size_t i, const char **meaning, bool *takes_argument)
{
	if (i >= ARRAY_SIZE(kinds))
		return NULL;
	*meaning = kinds[i].meaning;
	*takes_argument = kinds[i].form == ARGUMENT;
	return kinds[i].kind;
}

int probe_report_unmet(const char *const *needs)
{
	int unmet = 0;

	for (; needs && *needs; needs++) {
		struct probe p = probe(*needs);

		if (p.met)
			continue;
		unmet++;
		printf("# unmet %s: found %s; remedy: %s\n", *needs, p.found,
		       p.remedy);
	}
	return unmet;
}

void probe_list(const char *const *needs)
{
	for (; needs && *needs; needs++) {
		struct probe p = probe(*needs);

		printf("%s\t%s\t%s\t%s\n", *needs, p.met ? "met" : "unmet",
		       p.found, p.remedy);
	}
}
