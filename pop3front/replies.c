/* replies.c - see replies.h. */
#include "pop3front/replies.h"

#include "base/error.h"

const char *
reply_to_failed_login(int code)
{
	switch (code) {
	case ERR_AUTH:
		return "-ERR [AUTH] user name or password is wrong";
	case ERR_AUTH_DENIED:
		return "-ERR [AUTH] this account is not allowed to log in here";
	case ERR_AUTH_EXPIRED:
		return "-ERR [AUTH] the password has expired";
	case ERR_AUTH_PRIVACY:
		return "-ERR [AUTH] this account needs an encrypted connection";
	case ERR_IN_USE:
		return "-ERR [IN-USE] another session has this maildrop";
	case ERR_PERMANENT:
	case ERR_READ_ONLY:
		return "-ERR [SYS/PERM] this mailbox cannot be opened, ask the administrator";
	default:
		return "-ERR [SYS/TEMP] mailbox is not available now, try again later";
	}
}

const char *
reply_to_failed_command(int code)
{
	switch (code) {
	case ERR_GONE:
		return "-ERR message is no longer there";
	case ERR_PERMANENT:
	case ERR_READ_ONLY:
		return "-ERR [SYS/PERM] the mail server refuses";
	default:
		return "-ERR [SYS/TEMP] the mail server has failed, try again later";
	}
}
