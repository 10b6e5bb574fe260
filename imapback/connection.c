/* connection.c - an IMAP connection from TCP to its end; see imap.h. */
#include <stdlib.h>

#include "imapback/imap_internal.h"

enum { LOGOUT_MS = 1000 };

static int
start_tls(struct imap *imap, struct error *e)
{
	const struct imap_options *o = &imap->options;
	const char *name = o->verify_name != NULL ? o->verify_name : o->host;

	return stream_start_tls_client(imap->stream, o->tls, name, fiber_deadline(o->tls_ms), e);
}

/* The first line of a connection. libetpan would take PREAUTH for a login and leaks a greeting of
 * BYE, but neither gets past the guard. */
static int
read_greeting(struct imap *imap, mailstream *stream, struct error *e)
{
	int rc;

	imap->session->imap_stream = stream;
	rc = mailimap_connect(imap->session, stream);
	/* On failure libetpan may have let go of the stream; the connection owns it all the same.
	 */
	imap->session->imap_stream = stream;
	if (rc == MAILIMAP_NO_ERROR_NON_AUTHENTICATED && !imap->dead) {
		imap_driver_rest(imap);
		return 0;
	}
	imap_fail(imap, ERR_PROTOCOL, "the greeting makes no sense (libetpan %d)", rc);
	return imap_dead_error(imap, e);
}

/* STARTTLS (RFC 3501 section 6.2.1) is a must once the administrator chose it: it is sent even
 * where it is not announced, for who can hide the announcement can do so to get our password in the
 * clear. */
static int
upgrade(struct imap *imap, struct error *e)
{
	struct imap_outcome outcome;
	int rc;

	rc = imap_command(imap, "STARTTLS", GUARD_EXPECT_RESPONSE, &outcome);
	if (rc != 0)
		return imap_dead_error(imap, e);
	if (!outcome.ok) {
		imap_fail(imap, ERR_TLS, "the server refuses STARTTLS: %s", outcome.text);
		return imap_dead_error(imap, e);
	}
	/* What was sent ahead of the handshake would be taken for something that the server said
	 * inside TLS. */
	if (imap_has_unread(imap)) {
		imap_fail(imap, ERR_PROTOCOL, "octets behind the answer to STARTTLS");
		return imap_dead_error(imap, e);
	}
	if ((rc = start_tls(imap, e)) != 0) {
		imap_fail(imap, rc, "TLS failed");
		return rc;
	}
	imap_forget_capabilities(imap);
	return 0;
}

/* The connected socket becomes an IMAP session with known capabilities. */
static int
establish(struct imap *imap, struct error *e)
{
	enum imap_security security = imap->options.security;
	mailstream *stream;
	int rc;

	if (security == IMAP_TLS_IMPLICIT && (rc = start_tls(imap, e)) != 0)
		return rc;
	if ((imap->session = mailimap_new(0, NULL)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if ((stream = imap_driver_new(imap)) == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	if ((rc = read_greeting(imap, stream, e)) != 0)
		return rc;
	if (security == IMAP_TLS_STARTTLS && (rc = upgrade(imap, e)) != 0)
		return rc;
	return imap_learn_capabilities(imap, e);
}

int
imap_open(const struct imap_options *options, struct imap **out, struct error *e)
{
	struct imap *imap = calloc(1, sizeof(*imap));
	struct error why = { 0 };
	int rc;

	if (imap == NULL)
		return error_set(e, ERR_NO_MEMORY, "out of memory");
	imap->options = *options;
	imap->mechanism = "";
	guard_init(&imap->guard);
	rc = stream_connect(
	    options->host, options->port, fiber_deadline(options->connect_ms), &imap->stream, &why);
	if (rc == 0)
		rc = establish(imap, &why);
	if (rc != 0) {
		imap_close(imap);
		return error_set(
		    e, rc, "%s port %u: %s", options->host, (unsigned) options->port, why.text);
	}
	*out = imap;
	return 0;
}

unsigned
imap_capabilities(const struct imap *imap)
{
	return imap->capabilities;
}

const char *
imap_capability_line(const struct imap *imap)
{
	return imap->capability_line == NULL ? "" : imap->capability_line;
}

const char *
imap_mechanism(const struct imap *imap)
{
	return imap->mechanism;
}

const char *
imap_tls_version(const struct imap *imap)
{
	return stream_tls_version(imap->stream);
}

const char *
imap_tls_cipher(const struct imap *imap)
{
	return stream_tls_cipher(imap->stream);
}

bool
imap_is_dead(const struct imap *imap)
{
	return imap->dead;
}

void
imap_logout(struct imap *imap)
{
	static const char logout[] = "bye LOGOUT\r\n";

	if (imap == NULL)
		return;
	/* The farewell of the server tells nothing that we need, so nobody waits for it, nor for
	 * long for a server that does not even read. */
	imap->options.command_ms = LOGOUT_MS;
	imap->logged_in = true;
	imap_wait_anew(imap);
	if (!imap->dead && imap->stream != NULL)
		imap_write_raw(imap, logout, sizeof(logout) - 1);
	imap_close(imap);
}

void
imap_close(struct imap *imap)
{
	mailstream *stream;

	if (imap == NULL)
		return;
	imap->dead = true;
	free(imap->batch.kept);
	imap_forget_foreseen(imap);
	if (imap->session != NULL) {
		/* With a stream, mailimap_free would send LOGOUT and wait. */
		stream = imap->session->imap_stream;
		imap->session->imap_stream = NULL;
		mailimap_free(imap->session);
		if (stream != NULL)
			mailstream_close(stream);
	}
	stream_close(imap->stream);
	free(imap->in);
	free(imap->capability_line);
	free(imap);
}
