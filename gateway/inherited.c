/* inherited.c - see inherited.h. */
#include "gateway/inherited.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

size_t
inherited_promised(const char *fds, const char *pid, pid_t self)
{
	uint64_t count, whose;

	if (fds == NULL || pid == NULL ||
	    text_to_number(pid, strlen(pid), INT32_MAX, &whose) != 0 || whose != (uint64_t) self ||
	    text_to_number(fds, strlen(fds), INHERITED_MAX, &count) != 0)
		return 0;
	return (size_t) count;
}

size_t
inherited_take(void)
{
	size_t promised = inherited_promised(getenv("LISTEN_FDS"), getenv("LISTEN_PID"), getpid());
	size_t count = 0;

	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	while (count < promised && fcntl(INHERITED_FIRST + (int) count, F_SETFD, FD_CLOEXEC) == 0)
		count++;
	return count;
}

static int
socket_option(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

bool
inherited_is_listening(int fd, struct sockaddr_storage *name)
{
	socklen_t size = sizeof(*name);
	int flags = fcntl(fd, F_GETFL);

	return socket_option(fd, SO_TYPE) == SOCK_STREAM && socket_option(fd, SO_ACCEPTCONN) == 1 &&
	       getsockname(fd, (struct sockaddr *) name, &size) == 0 &&
	       (name->ss_family == AF_INET || name->ss_family == AF_INET6) &&
	       fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}
