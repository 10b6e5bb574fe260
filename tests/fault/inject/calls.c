/* calls.c - system calls that fail when a test says so. All others go straight to the kernel.
 *
 * With _GNU_SOURCE, glibc declares addresses of sockets as a union of pointers, and so must we. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "control.h"

enum { DESCRIPTORS = 65536 };

struct control *control;

static _Atomic unsigned char kinds[DESCRIPTORS];

__attribute__((constructor)) static void
find_control(void)
{
	const char *name = getenv("POPGATE_INJECT_CONTROL");
	struct control *found;
	int fd;

	if (name == NULL)
		return;
	fd = (int) syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		abort();
	found = (struct control *) syscall(
	    SYS_mmap, NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (found == MAP_FAILED || found->magic != CONTROL_MAGIC)
		abort();
	control = found;
}

static unsigned
kind_of(int fd)
{
	unsigned kind = fd >= 0 && fd < DESCRIPTORS ? kinds[fd] : 0;

	return kind == 0 ? KIND_UNKNOWN : kind;
}

static int
remember(int fd, unsigned kind)
{
	if (fd >= 0 && fd < DESCRIPTORS)
		kinds[fd] = (unsigned char) kind;
	return fd;
}

int
call_fails(enum call call, unsigned kind)
{
	struct rule *rule;
	uint64_t number;

	if (control == NULL || control->armed == 0)
		return 0;
	rule = &control->rules[call];
	if (rule->kinds != 0 && (rule->kinds & kind) == 0)
		return 0;
	number = ++rule->seen;
	if (rule->from == 0 || number < rule->from || number - rule->from >= rule->times)
		return 0;
	rule->failed++;
	errno = (int) rule->error;
	return 1;
}

/* ---- descriptors ---- */

int
accept4(int listener, __SOCKADDR_ARG peer, socklen_t *restrict size, int flags)
{
	if (call_fails(CALL_ACCEPT, KIND_CLIENT))
		return -1;
	return remember(
	    (int) syscall(SYS_accept4, listener, peer.__sockaddr__, size, flags), KIND_CLIENT);
}

int
socket(int domain, int type, int protocol)
{
	if (call_fails(CALL_SOCKET, KIND_UPSTREAM))
		return -1;
	return remember((int) syscall(SYS_socket, domain, type, protocol), KIND_UPSTREAM);
}

int
connect(int fd, __CONST_SOCKADDR_ARG peer, socklen_t size)
{
	int fails = call_fails(CALL_CONNECT, kind_of(fd));

	if (fails && control->rules[CALL_CONNECT].error != EINTR)
		return -1;
	if (!fails)
		return (int) syscall(SYS_connect, fd, peer.__sockaddr__, size);
	syscall(SYS_connect, fd, peer.__sockaddr__, size);
	errno = EINTR;
	return -1;
}

static int
open_at(int folder, const char *name, int flags, mode_t mode)
{
	unsigned kind = KIND_FILE;

	if (control != NULL && control->path[0] != '\0' && strstr(name, control->path) != NULL)
		kind = KIND_PLACE;
	if (call_fails(CALL_OPEN, kind))
		return -1;
	return remember((int) syscall(SYS_openat, folder, name, flags, mode), kind);
}

/* The mode is there only where a file may be made (open(2)). */
static mode_t
mode_of(int flags, va_list *args)
{
	return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(*args, mode_t) : 0;
}

int
open(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, &args);
	va_end(args);
	return open_at(AT_FDCWD, name, flags, mode);
}

int
open64(const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, &args);
	va_end(args);
	return open_at(AT_FDCWD, name, flags, mode);
}

int
openat(int folder, const char *name, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = mode_of(flags, &args);
	va_end(args);
	return open_at(folder, name, flags, mode);
}

int
close(int fd)
{
	remember(fd, 0);
	return (int) syscall(SYS_close, fd);
}

/* By what each descriptor is watched. */
static struct {
	int epoll; /* 0: by nothing */
	struct epoll_event event;
} watches[DESCRIPTORS];

/* As call_fails for FD. A kernel that says EAGAIN tells by epoll when that changes, and who is told of
 * changes only waits for that; so it is told at once. */
static int
socket_fails(enum call call, int fd)
{
	if (!call_fails(call, kind_of(fd)))
		return 0;
	if (errno != EAGAIN || fd < 0 || fd >= DESCRIPTORS || watches[fd].epoll == 0)
		return 1;
	syscall(SYS_epoll_ctl, watches[fd].epoll, EPOLL_CTL_MOD, fd, &watches[fd].event);
	errno = EAGAIN;
	return 1;
}

/* Changing what is waited for needs no memory, and never fails; nor does the kernel begin to look
 * for memory where it knows the descriptor already. */
int
epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	int saved, rc = (int) syscall(SYS_epoll_ctl, epoll, operation, fd, event);

	if (rc == 0 && operation == EPOLL_CTL_ADD && fd < DESCRIPTORS) {
		watches[fd].epoll = epoll;
		watches[fd].event = *event;
	}
	if (rc != 0 || operation != EPOLL_CTL_ADD || !call_fails(CALL_EPOLL_CTL, kind_of(fd)))
		return rc;
	saved = errno;
	syscall(SYS_epoll_ctl, epoll, EPOLL_CTL_DEL, fd, NULL);
	errno = saved;
	return -1;
}

/* ---- octets ---- */

ssize_t
read(int fd, void *buf, size_t room)
{
	if (call_fails(CALL_READ, kind_of(fd)))
		return -1;
	return syscall(SYS_read, fd, buf, room);
}

ssize_t
pread(int fd, void *buf, size_t room, off_t at)
{
	if (call_fails(CALL_READ, kind_of(fd)))
		return -1;
	return syscall(SYS_pread64, fd, buf, room, at);
}

ssize_t
pread64(int fd, void *buf, size_t room, off64_t at)
{
	return pread(fd, buf, room, at);
}

ssize_t
write(int fd, const void *buf, size_t len)
{
	if (call_fails(CALL_WRITE, kind_of(fd)))
		return -1;
	return syscall(SYS_write, fd, buf, len);
}

ssize_t
pwrite(int fd, const void *buf, size_t len, off_t at)
{
	if (call_fails(CALL_WRITE, kind_of(fd)))
		return -1;
	return syscall(SYS_pwrite64, fd, buf, len, at);
}

ssize_t
pwrite64(int fd, const void *buf, size_t len, off64_t at)
{
	return pwrite(fd, buf, len, at);
}

ssize_t
writev(int fd, const struct iovec *parts, int count)
{
	if (call_fails(CALL_WRITE, kind_of(fd)))
		return -1;
	return syscall(SYS_writev, fd, parts, count);
}

ssize_t
send(int fd, const void *buf, size_t len, int flags)
{
	if (socket_fails(CALL_SEND, fd))
		return -1;
	return syscall(SYS_sendto, fd, buf, len, flags, NULL, 0);
}

ssize_t
sendto(int fd, const void *buf, size_t len, int flags, __CONST_SOCKADDR_ARG to, socklen_t size)
{
	if (socket_fails(CALL_SEND, fd))
		return -1;
	return syscall(SYS_sendto, fd, buf, len, flags, to.__sockaddr__, size);
}

ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (socket_fails(CALL_SEND, fd))
		return -1;
	return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t
recv(int fd, void *buf, size_t room, int flags)
{
	if (socket_fails(CALL_RECV, fd))
		return -1;
	return syscall(SYS_recvfrom, fd, buf, room, flags, NULL, NULL);
}

ssize_t
recvfrom(int fd, void *restrict buf, size_t room, int flags, __SOCKADDR_ARG from,
    socklen_t *restrict size)
{
	if (socket_fails(CALL_RECV, fd))
		return -1;
	return syscall(SYS_recvfrom, fd, buf, room, flags, from.__sockaddr__, size);
}

ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
	if (socket_fails(CALL_RECV, fd))
		return -1;
	return syscall(SYS_recvmsg, fd, message, flags);
}

/* ---- what files and chance are made of ---- */

int
fsync(int fd)
{
	if (call_fails(CALL_SYNC, kind_of(fd)))
		return -1;
	return (int) syscall(SYS_fsync, fd);
}

int
fdatasync(int fd)
{
	if (call_fails(CALL_SYNC, kind_of(fd)))
		return -1;
	return (int) syscall(SYS_fdatasync, fd);
}

int
ftruncate(int fd, off_t octets)
{
	if (call_fails(CALL_TRUNCATE, kind_of(fd)))
		return -1;
	return (int) syscall(SYS_ftruncate, fd, octets);
}

int
ftruncate64(int fd, off64_t octets)
{
	return ftruncate(fd, octets);
}

ssize_t
getrandom(void *buf, size_t room, unsigned flags)
{
	if (call_fails(CALL_RANDOM, KIND_UNKNOWN))
		return -1;
	return syscall(SYS_getrandom, buf, room, flags);
}

int
getentropy(void *buf, size_t room)
{
	if (call_fails(CALL_RANDOM, KIND_UNKNOWN))
		return -1;
	return syscall(SYS_getrandom, buf, room, 0) == (ssize_t) room ? 0 : -1;
}
