/* notify.c - telling systemd how the service is doing. */
#include "gateway/notify.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"

void
notify_send(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len == 0 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0'; /* an abstract socket */
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return;
	sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *) &address,
	    (socklen_t) (offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

void
notify_reloading(void)
{
	struct timespec now;
	char state[80];

	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long) now.tv_sec * 1000000 + (unsigned long long) now.tv_nsec / 1000);
	notify_send(state);
}

/* The number that NAME is in the environment; 0: none. */
static uint64_t
environment_number(const char *name)
{
	const char *text = getenv(name);
	uint64_t number;

	return text != NULL && text_to_number(text, strlen(text), INT64_MAX, &number) == 0 ? number
											   : 0;
}

uint64_t
notify_watchdog_ms(void)
{
	uint64_t usec = environment_number("WATCHDOG_USEC"), pid = environment_number("WATCHDOG_PID");

	if (usec == 0 || (pid != 0 && pid != (uint64_t) getpid()))
		return 0;
	return usec < 2000 ? 1 : usec / 2000;
}
