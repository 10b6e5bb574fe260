/* password_input.h - a password from a person or from another program. */
#pragma once
#include "base/credentials.h"
#include "base/error.h"

/* Reads the password of C from descriptor FD up to a line's end or the end of the file. Returns 0
 * or an error code, with a text in E. Blocks. */
int password_from_descriptor(int fd, struct credentials *c, struct error *e);

/* Asks for it on the terminal, with PROMPT and without echo. A signal that ends the process finds
 * the terminal as it was. */
int password_from_terminal(const char *prompt, struct credentials *c, struct error *e);
