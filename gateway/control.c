/* control.c - see control.h. */
#include "gateway/control.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What goes over the wire beside descriptors. Both sides are the same program. */
struct head {
	uint32_t word;
	uint32_t worker;
	uint32_t workers;
};

union ancillary {
	char buf[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
	struct cmsghdr align;
};

int
control_pair(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : ERR_NO_MEMORY;
}

int
control_is_end(int fd)
{
	int domain = 0, type = 0;
	socklen_t size = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && domain == AF_UNIX &&
	       type == SOCK_SEQPACKET;
}

int
control_send(int end, const struct control_message *message)
{
	struct head head = { message->word, message->worker, message->workers };
	struct iovec part = { &head, sizeof(head) };
	struct msghdr header = { .msg_iov = &part, .msg_iovlen = 1 };
	size_t len = message->fd_count * sizeof(int);
	union ancillary ancillary;
	struct cmsghdr *fds;
	ssize_t sent;

	if (len > 0) {
		memset(&ancillary, 0, sizeof(ancillary));
		header.msg_control = ancillary.buf;
		header.msg_controllen = CMSG_SPACE(len);
		fds = CMSG_FIRSTHDR(&header);
		fds->cmsg_level = SOL_SOCKET;
		fds->cmsg_type = SCM_RIGHTS;
		fds->cmsg_len = CMSG_LEN(len);
		memcpy(CMSG_DATA(fds), message->fds, len);
	}
	do
		sent = sendmsg(end, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent == (ssize_t) sizeof(head))
		return 0;
	return sent < 0 && errno != EPIPE && errno != ECONNRESET ? ERR_TEMPORARY : ERR_CLOSED;
}

int
control_say(int end, enum control_word word)
{
	const struct control_message message = { .word = word };

	return control_send(end, &message);
}

static void
take_descriptors(struct msghdr *header, struct control_message *message)
{
	const struct cmsghdr *fds = CMSG_FIRSTHDR(header);

	if (fds == NULL || fds->cmsg_level != SOL_SOCKET || fds->cmsg_type != SCM_RIGHTS)
		return;
	message->fd_count = (fds->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(message->fds, CMSG_DATA(fds), message->fd_count * sizeof(int));
}

int
control_receive(int end, struct control_message *message)
{
	struct head head;
	struct iovec part = { &head, sizeof(head) };
	union ancillary ancillary;
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = ancillary.buf,
		.msg_controllen = sizeof(ancillary.buf),
	};
	ssize_t got;

	do
		got = recvmsg(end, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return ERR_TEMPORARY;
	if (got <= 0)
		return ERR_CLOSED;
	message->fd_count = 0;
	take_descriptors(&header, message);
	if (got != (ssize_t) sizeof(head) || (header.msg_flags & MSG_CTRUNC) != 0)
		control_discard(message); /* we may have no more of them */
	if (got != (ssize_t) sizeof(head))
		return ERR_CLOSED;
	message->word = head.word;
	message->worker = head.worker;
	message->workers = head.workers;
	return 0;
}

void
control_wait(int end)
{
	struct pollfd wanted = { .fd = end, .events = POLLIN };

	while (poll(&wanted, 1, -1) < 0 && errno == EINTR)
		;
}

void
control_discard(struct control_message *message)
{
	for (size_t i = 0; i < message->fd_count; i++)
		if (message->fds[i] >= 0)
			close(message->fds[i]);
	message->fd_count = 0;
}
