/* sandbox_calls.c - the system calls that a worker needs, see sandbox_close_calls.
 *
 * An allow-list: what is missing here fails with ENOSYS, as on a kernel that does not have it, for
 * libraries know how to live with that. What no library tries by itself ends the process. Arguments
 * are looked at where a call is both needed and of use to an intruder. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#include "gateway/sandbox.h"

#define CALL(name) SCMP_SYS(name)

static const int allowed[] = {
	/* sockets */
	CALL(accept4), CALL(bind), CALL(connect), CALL(getpeername), CALL(getsockname),
	CALL(getsockopt), CALL(recv), CALL(recvfrom), CALL(recvmsg), CALL(recvmmsg), CALL(send),
	CALL(sendmmsg), CALL(sendmsg), CALL(sendto), CALL(setsockopt), CALL(shutdown),
	CALL(socketcall),
	/* waiting */
	CALL(clock_nanosleep), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_pwait),
	CALL(epoll_wait), CALL(eventfd2), CALL(futex), CALL(nanosleep), CALL(pipe2), CALL(poll),
	CALL(ppoll), CALL(pselect6), CALL(restart_syscall), CALL(sched_yield), CALL(select),
	/* descriptors and files, as far as Landlock lets them be reached */
	CALL(access), CALL(close), CALL(dup), CALL(dup3), CALL(faccessat), CALL(faccessat2),
	CALL(fallocate), CALL(fchmod), CALL(fchown), CALL(fcntl), CALL(fcntl64), CALL(fdatasync),
	CALL(flock), CALL(fstat), CALL(fstat64), CALL(fstatat64), CALL(fstatfs), CALL(fsync),
	CALL(ftruncate), CALL(ftruncate64), CALL(getcwd), CALL(getdents64), CALL(ioctl),
	CALL(lseek), CALL(lstat), CALL(mkdir), CALL(mkdirat), CALL(newfstatat), CALL(open),
	CALL(openat), CALL(pread64), CALL(preadv2), CALL(pwrite64), CALL(read), CALL(readlink),
	CALL(readlinkat), CALL(readv), CALL(rename), CALL(renameat), CALL(renameat2),
	CALL(rmdir), CALL(stat), CALL(statfs), CALL(statx), CALL(unlink), CALL(unlinkat),
	CALL(utimensat), CALL(write), CALL(writev),
	/* memory */
	CALL(brk), CALL(madvise), CALL(mremap), CALL(munmap),
	/* the process itself */
	CALL(clock_getres), CALL(clock_gettime), CALL(exit), CALL(exit_group), CALL(getegid),
	CALL(geteuid), CALL(getgid), CALL(getpid), CALL(getppid), CALL(getrandom),
	CALL(getrusage), CALL(gettid), CALL(gettimeofday), CALL(getuid), CALL(membarrier),
	CALL(prlimit64), CALL(rseq), CALL(rt_sigaction), CALL(rt_sigpending),
	CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sched_getaffinity), CALL(set_robust_list),
	CALL(sigaltstack), CALL(sigreturn), CALL(sysinfo), CALL(time), CALL(uname),
};

/* What only somebody tries who is not us. */
static const int deadly[] = {
	CALL(execve), CALL(execveat), CALL(ptrace), CALL(process_vm_readv),
	CALL(process_vm_writev), CALL(kexec_load), CALL(init_module), CALL(finit_module),
	CALL(mount), CALL(pivot_root), CALL(chroot), CALL(setns), CALL(unshare), CALL(bpf),
	CALL(keyctl), CALL(add_key), CALL(request_key), CALL(userfaultfd), CALL(perf_event_open),
};

static const int families[] = { AF_UNIX, AF_INET, AF_INET6,
	AF_NETLINK /* getaddrinfo(3) asks which addresses this machine has */ };

/* That argument NUMBER of a call is VALUE. */
static struct scmp_arg_cmp
argument_is(unsigned number, scmp_datum_t value)
{
	return (struct scmp_arg_cmp){ .arg = number, .op = SCMP_CMP_EQ, .datum_a = value };
}

/* That argument NUMBER of a call has no bit of MASK. */
static struct scmp_arg_cmp
argument_lacks(unsigned number, scmp_datum_t mask)
{
	return (struct scmp_arg_cmp){
		.arg = number, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = 0
	};
}

static int
allow_if(scmp_filter_ctx filter, int call, const struct scmp_arg_cmp condition)
{
	return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

static int
allow_each(scmp_filter_ctx filter)
{
	int rc = 0;

	/* A call that this architecture does not have needs no rule. */
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && rc == 0; i++)
		if (allowed[i] >= 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]) && rc == 0; i++)
		if (deadly[i] >= 0)
			rc = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
	return rc;
}

/* No memory that is both written and executed. Libraries are still loaded, as libc does to look up
 * names. */
static int
allow_memory(scmp_filter_ctx filter)
{
	static const int maps[] = { CALL(mmap), CALL(mmap2) };
	int rc = 0;

	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]) && rc == 0; i++) {
		if (maps[i] < 0)
			continue;
		rc = allow_if(filter, maps[i], argument_lacks(2, PROT_EXEC));
		if (rc == 0)
			rc = allow_if(filter, maps[i], argument_lacks(2, PROT_WRITE));
	}
	if (rc == 0)
		rc = allow_if(filter, CALL(mprotect), argument_lacks(2, PROT_EXEC));
	return rc;
}

static int
allow_sockets(scmp_filter_ctx filter)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]) && rc == 0; i++)
		rc = allow_if(
		    filter, CALL(socket), argument_is(0, (scmp_datum_t) families[i]));
	return rc;
}

/* To itself: abort(3), and fail points. */
static int
allow_signals(scmp_filter_ctx filter)
{
	const scmp_datum_t self = (scmp_datum_t) getpid();
	int rc = allow_if(filter, CALL(kill), argument_is(0, self));

	return rc == 0 ? allow_if(filter, CALL(tgkill), argument_is(0, self)) : rc;
}

int
sandbox_close_calls(struct error *e)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	int rc = filter == NULL ? -ENOMEM : 0;

	/* All threads: those of the pool run already. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* Some of the calls come with every octet of mail. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0 && (rc = allow_each(filter)) == 0 && (rc = allow_memory(filter)) == 0 &&
	    (rc = allow_sockets(filter)) == 0 && (rc = allow_signals(filter)) == 0)
		rc = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	return rc == 0 ? 0 : error_set(e, ERR_PERMANENT, "seccomp: %s", strerror(-rc));
}
