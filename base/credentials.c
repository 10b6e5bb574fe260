/* credentials.c - see credentials.h. */
#include "base/credentials.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/error.h"
#include "base/text.h"

/* A NUL-terminated copy of TEXT, or NULL. */
static char *
copy_text(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy == NULL)
		return NULL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static int
has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) text[i] < 0x20 || text[i] == 0x7f)
			return 1;
	return 0;
}

int
credentials_check_user(const char *user, size_t len)
{
	if (len > USER_NAME_MAX)
		return ERR_LIMIT;
	return len == 0 || has_control(user, len) || !text_is_utf8(user, len) ? ERR_INVALID : 0;
}

static int
set_name(char **field, const char *name, size_t len)
{
	char *copy;
	int rc;

	if ((rc = credentials_check_user(name, len)) != 0)
		return rc;
	if ((copy = copy_text(name, len)) == NULL)
		return ERR_NO_MEMORY;
	free(*field);
	*field = copy;
	return 0;
}

int
credentials_set_user(struct credentials *c, const char *user, size_t len)
{
	return set_name(&c->user, user, len);
}

int
credentials_set_master(struct credentials *c, const char *master, size_t len)
{
	return set_name(&c->master, master, len);
}

int
credentials_set_password(struct credentials *c, const char *password, size_t len)
{
	char *copy;

	if (len > PASSWORD_MAX)
		return ERR_LIMIT;
	if (len == 0 || memchr(password, '\0', len) != NULL ||
	    memchr(password, '\r', len) != NULL || memchr(password, '\n', len) != NULL)
		return ERR_INVALID;
	if ((copy = copy_text(password, len)) == NULL)
		return ERR_NO_MEMORY;
	credentials_forget_password(c);
	c->password = copy;
	c->password_len = len;
	return 0;
}

int
credentials_set_token(struct credentials *c, const char *token, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char) token[i] <= ' ' || (unsigned char) token[i] > '~')
			return ERR_INVALID;
	return credentials_set_password(c, token, len);
}

bool
credentials_are_token(const struct credentials *c)
{
	return c->kind == CREDENTIALS_XOAUTH2 || c->kind == CREDENTIALS_OAUTHBEARER;
}

int
credentials_copy(struct credentials *to, const struct credentials *from)
{
	int rc = 0;

	to->kind = from->kind;
	if (from->user != NULL)
		rc = credentials_set_user(to, from->user, strlen(from->user));
	if (rc == 0 && from->master != NULL)
		rc = credentials_set_master(to, from->master, strlen(from->master));
	if (rc == 0 && from->password != NULL)
		rc = credentials_set_password(to, from->password, from->password_len);
	return rc;
}

void
credentials_forget_password(struct credentials *c)
{
	if (c->password == NULL)
		return;
	OPENSSL_cleanse(c->password, c->password_len);
	free(c->password);
	c->password = NULL;
	c->password_len = 0;
}

void
credentials_clear(struct credentials *c)
{
	credentials_forget_password(c);
	free(c->user);
	free(c->master);
	*c = (struct credentials){ 0 };
}
