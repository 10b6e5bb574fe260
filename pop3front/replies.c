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
		return "-ERR [AUTH] this user may not log in here";
	case ERR_AUTH_EXPIRED:
		return "-ERR [AUTH] the password has expired";
	case ERR_AUTH_PRIVACY:
		return "-ERR [AUTH] the mail server demands an encrypted connection";
	case ERR_IN_USE:
		return "-ERR [IN-USE] another session has the maildrop";
	case ERR_LIMIT:
		return "-ERR [SYS/TEMP] a limit is reached, try again later";
	case ERR_READ_ONLY:
	case ERR_INVALID:
	case ERR_PERMANENT:
		return "-ERR [SYS/PERM] the maildrop cannot be opened";
	default:
		return "-ERR [SYS/TEMP] the maildrop cannot be opened now, try again later";
	}
}

const char *
reply_to_failed_retrieval(int code)
{
	switch (code) {
	case ERR_GONE:
		return "-ERR message is no longer there";
	case ERR_PERMANENT:
		return "-ERR [SYS/PERM] message cannot be retrieved";
	default:
		return "-ERR [SYS/TEMP] message cannot be retrieved now";
	}
}

bool
reply_is_rejection(int code)
{
	return code == ERR_AUTH || code == ERR_AUTH_DENIED || code == ERR_AUTH_EXPIRED ||
	    code == ERR_AUTH_PRIVACY;
}

bool
reply_is_loss(int code)
{
	switch (code) {
	case ERR_GONE:
	case ERR_IN_USE:
	case ERR_TEMPORARY:
	case ERR_PERMANENT:
	case ERR_INVALID:
		return false;
	default:
		return true;
	}
}
