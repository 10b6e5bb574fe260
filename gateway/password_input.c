/* password_input.c - a password from a person or from another program. */
#include "gateway/password_input.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <openssl/crypto.h>

/* The signal that came while echo was off; only while a password is being typed. */
static volatile sig_atomic_t caught;

static void
on_signal(int number)
{
	caught = number;
}

/* Reads one line, octet by octet, so that nothing behind it is taken from FD. */
static int
read_line(int fd, char *buf, size_t room, size_t *len)
{
	ssize_t got;

	for (*len = 0;; (*len)++) {
		if (*len == room)
			return ERR_LIMIT;
		do
			got = read(fd, buf + *len, 1);
		while (got < 0 && errno == EINTR && !caught);
		if (got < 0)
			return ERR_PERMANENT;
		if (got == 0 || buf[*len] == '\n')
			return 0;
	}
}

int
password_from_descriptor(int fd, struct credentials *c, struct error *e)
{
	char buf[PASSWORD_MAX + 2];
	size_t len;
	int rc;

	rc = read_line(fd, buf, sizeof(buf), &len);
	if (rc == ERR_PERMANENT) {
		error_set(e, ERR_PERMANENT, "cannot read the password: %s", strerror(errno));
	} else if (rc == 0) {
		if (len > 0 && buf[len - 1] == '\r')
			len--;
		rc = credentials_set_password(c, buf, len);
	}
	OPENSSL_cleanse(buf, sizeof(buf));
	if (rc == ERR_INVALID)
		error_set(e, ERR_INVALID, "the password is empty or holds CR or NUL");
	else if (rc == ERR_LIMIT)
		error_set(e, ERR_LIMIT, "the password is too long");
	else if (rc == ERR_NO_MEMORY)
		error_set(e, ERR_NO_MEMORY, "no memory for the password");
	return rc;
}

enum { CAUGHT_SIGNALS = 4 };
static const int signals[CAUGHT_SIGNALS] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };

/* Reads from TERMINAL without echo; whatever happens, its modes and the signals are put back. */
static int
ask_without_echo(int terminal, const char *prompt, struct credentials *c, struct error *e)
{
	struct sigaction action = { .sa_handler = on_signal }, old[CAUGHT_SIGNALS];
	struct termios before, silent;
	int rc;

	if (tcgetattr(terminal, &before) != 0)
		return error_set(e, ERR_PERMANENT, "no terminal to ask on; use --password-fd");
	for (size_t i = 0; i < CAUGHT_SIGNALS; i++)
		sigaction(signals[i], &action, &old[i]);
	silent = before;
	silent.c_lflag &= ~(tcflag_t) (ECHO | ECHOE | ECHOK);
	silent.c_lflag |= ECHONL;
	tcsetattr(terminal, TCSAFLUSH, &silent);
	if (write(terminal, prompt, strlen(prompt)) < 0)
		rc = error_set(
		    e, ERR_PERMANENT, "cannot write to the terminal: %s", strerror(errno));
	else
		rc = password_from_descriptor(terminal, c, e);
	tcsetattr(terminal, TCSAFLUSH, &before);
	for (size_t i = 0; i < CAUGHT_SIGNALS; i++)
		sigaction(signals[i], &old[i], NULL);
	return rc;
}

int
password_from_terminal(const char *prompt, struct credentials *c, struct error *e)
{
	int terminal, rc;

	if ((terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
		return error_set(e, ERR_PERMANENT, "no terminal to ask on; use --password-fd");
	caught = 0;
	rc = ask_without_echo(terminal, prompt, c, e);
	close(terminal);
	if (caught != 0)
		raise(caught);
	return rc;
}
