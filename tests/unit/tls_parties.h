/* tls_parties.h - the two sides of a TLS connection under test: fibers of ours, and OpenSSL on
 * blocking sockets. */
#pragma once
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "fiberio/stream.h"
#include "fiberio/stream_internal.h"
#include "fiberio/tls_internal.h"
#include "fibers.h"
#include "identities.h"
#include "sockets.h"

static struct files files;
static struct identity authority, mail;
static struct tls_server *server;
static struct tls_client *client;

/* A server that a client of ours can talk to: a real one wants pop3, our client imap, and ALPN
 * keeps them apart. */
static inline struct tls_server *
new_tolerant_server(const char *certificate_file)
{
	struct tls_server *made = NULL;

	CU_ASSERT_EQUAL_FATAL(load_server(certificate_file, files.key, &made, NULL), 0);
	SSL_CTX_set_alpn_select_cb(made->context, NULL, NULL);
	return made;
}

static inline void
begin_tls(void)
{
	static const struct identity_form authority_form = { .common_name = "authority",
		.authority = true };
	struct identity_form mail_form = {
		.common_name = "mail", .names = "DNS:mail.test", .issuer = &authority
	};

	make_files(&files);
	authority = new_identity(&authority_form);
	mail = new_identity(&mail_form);
	write_certificate(files.authority, authority.certificate);
	write_certificate(files.certificate, mail.certificate);
	write_key(files.key, mail.key, NULL);
	begin();
	server = new_tolerant_server(files.certificate);
	CU_ASSERT_EQUAL_FATAL(load_client(files.authority, &client, NULL), 0);
}

static inline void
end_tls(void)
{
	tls_server_unref(server);
	tls_client_unref(client);
	end();
	free_identity(&authority);
	free_identity(&mail);
	remove_files(&files);
}

/* ---- our side ---- */

enum role {
	AS_SERVER,
	AS_CLIENT,
};

/* A fiber with a stream. */
struct party {
	enum role role;
	struct stream *s;
	struct tls_server *server;
	struct tls_client *client;
	const char *name;
	uint64_t ms; /* for the handshake; 0: no deadline */
	int rc;
	struct error e;
	bool done;
	char buf[40000];
	size_t got;
};

static inline void
init_party(struct party *p, enum role role, int fd)
{
	*p = (struct party){
		.role = role, .server = server, .client = client, .name = "mail.test", .rc = -1
	};
	p->s = adopt(runtime, fd);
}

static inline void
shake_main(void *arg)
{
	struct party *p = arg;
	uint64_t deadline = p->ms == 0 ? FIBER_NO_DEADLINE : fiber_deadline(p->ms);

	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR); /* left by another fiber */
	p->rc = p->role == AS_SERVER
		    ? stream_start_tls_server(p->s, p->server, deadline, &p->e)
		    : stream_start_tls_client(p->s, p->client, p->name, deadline, &p->e);
	p->done = true;
}

static inline void
read_main(void *arg)
{
	struct party *p = arg;

	ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
	p->rc = stream_read(p->s, p->buf, sizeof(p->buf), &p->got, FIBER_NO_DEADLINE);
	p->done = true;
}

static inline void
read_five_main(void *arg)
{
	struct party *p = arg;

	p->rc = stream_read(p->s, p->buf, 5, &p->got, FIBER_NO_DEADLINE);
}

static inline void
write_main(void *arg)
{
	struct party *p = arg;

	do {
		ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR);
		p->rc = stream_write(p->s, p->buf, sizeof(p->buf), p->ms);
		p->got += p->rc == 0 ? sizeof(p->buf) : 0;
	} while (p->rc == 0);
	p->done = true;
}

static inline void
say_main(void *arg)
{
	struct party *p = arg;

	p->rc = stream_write(p->s, p->buf, p->got, 1000);
}

static inline void
say(struct party *p, const char *text)
{
	p->got = strlen(text);
	memcpy(p->buf, text, p->got);
	spawn(say_main, p);
	run_all();
	CU_ASSERT_EQUAL(p->rc, 0);
}

/* Two parties of ours over FDS, shaking hands; the results are theirs. */
static inline void
introduce(struct party *s, struct party *c, int fds[2])
{
	init_party(s, AS_SERVER, fds[0]);
	init_party(c, AS_CLIENT, fds[1]);
	spawn(shake_main, s);
	spawn(shake_main, c);
	run_all();
}

static inline void
part(struct party *s, struct party *c)
{
	stream_close(s->s);
	stream_close(c->s);
}

/* One connection of TO to AT under NAME, on which the server says something, so that the client
 * reads the tickets before it. Returns what became of the handshake; *RESUMED says which it was. */
static inline int
meet(struct tls_client *to, struct tls_server *at, const char *name, bool *resumed)
{
	static struct party s, c;
	int fds[2], rc;

	unix_pair(fds);
	init_party(&s, AS_SERVER, fds[0]);
	init_party(&c, AS_CLIENT, fds[1]);
	s.server = at;
	s.ms = 2000;
	c.client = to;
	c.name = name;
	spawn(shake_main, &s);
	spawn(shake_main, &c);
	while (!c.done)
		uv_run(&loop, UV_RUN_ONCE);
	rc = c.rc;
	*resumed = rc == 0 && SSL_session_reused(c.s->ssl);
	if (rc == 0) {
		run_all();
		say(&s, "hello");
		spawn(read_main, &c);
		run_all();
		CU_ASSERT_EQUAL(c.rc, 0);
	}
	stream_close(c.s);
	run_all();
	stream_close(s.s);
	return rc;
}

/* ---- the other side: OpenSSL in a thread ---- */

struct peer {
	enum role role;
	int fd;
	SSL_CTX *context;
	SSL *ssl;
	void (*script)(struct peer *peer);
	uv_thread_t thread;
	int shaken; /* what SSL_accept or SSL_connect gave */
	int last;   /* what the last SSL_read gave */
	int reason; /* and SSL_get_error for it */
	char server_name[64];
	unsigned char
	    chosen[8]; /* the protocol that this server chooses, with its length before it */
};

static inline int
on_server_name(SSL *ssl, int *alert, void *arg)
{
	struct peer *peer = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void) alert;
	snprintf(peer->server_name, sizeof(peer->server_name), "%s", name == NULL ? "" : name);
	return SSL_TLSEXT_ERR_OK;
}

static inline int
on_protocols(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
    unsigned in_len, void *arg)
{
	struct peer *peer = arg;

	(void) ssl;
	(void) in;
	(void) in_len;
	*out = peer->chosen + 1;
	*out_len = peer->chosen[0];
	return SSL_TLSEXT_ERR_OK;
}

/* A peer of VERSION that takes ROLE on FD. */
static inline void
init_peer(struct peer *peer, enum role role, int fd, int version, void (*script)(struct peer *peer))
{
	static const struct timeval patience = { .tv_sec = 60 };

	*peer = (struct peer){ .role = role, .fd = fd, .script = script, .chosen = "\x04imap" };
	peer->context = SSL_CTX_new(role == AS_SERVER ? TLS_server_method() : TLS_client_method());
	SSL_CTX_set_security_level(peer->context, 0);
	SSL_CTX_set_min_proto_version(peer->context, version);
	SSL_CTX_set_max_proto_version(peer->context, version);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (role == AS_CLIENT)
		return;
	SSL_CTX_use_certificate_file(peer->context, files.certificate, SSL_FILETYPE_PEM);
	SSL_CTX_use_PrivateKey_file(peer->context, files.key, SSL_FILETYPE_PEM);
	SSL_CTX_set_tlsext_servername_callback(peer->context, on_server_name);
	SSL_CTX_set_tlsext_servername_arg(peer->context, peer);
	SSL_CTX_set_alpn_select_cb(peer->context, on_protocols, peer);
}

static inline void
peer_main(void *arg)
{
	struct peer *peer = arg;

	peer->ssl = SSL_new(peer->context);
	SSL_set_fd(peer->ssl, peer->fd);
	peer->shaken = peer->role == AS_SERVER ? SSL_accept(peer->ssl) : SSL_connect(peer->ssl);
	if (peer->shaken == 1 && peer->script != NULL)
		peer->script(peer);
	SSL_free(peer->ssl);
	close(peer->fd);
	ERR_clear_error();
}

static inline void
start_peer(struct peer *peer)
{
	CU_ASSERT_EQUAL_FATAL(uv_thread_create(&peer->thread, peer_main, peer), 0);
}

static inline void
finish_peer(struct peer *peer)
{
	uv_thread_join(&peer->thread);
	SSL_CTX_free(peer->context);
}

static inline void
read_script(struct peer *peer)
{
	char buf[64];

	while ((peer->last = SSL_read(peer->ssl, buf, sizeof(buf))) > 0)
		;
	peer->reason = SSL_get_error(peer->ssl, peer->last);
}
