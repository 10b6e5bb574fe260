"""What a POP3 client must get for given IMAP octets, and how both are compared."""
import hashlib


def expected(body):
    """BODY: what IMAP's BODY.PEEK[] gives. Bare LF becomes CRLF, a missing final CRLF is added."""
    body = body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return body if body.endswith(b"\r\n") else body + b"\r\n"


def digest(octets):
    return hashlib.sha256(octets).hexdigest()


def describe_difference(want, got):
    """Empty if equal; else one line that says where the first difference is."""
    if want == got:
        return ""
    low, high = 0, min(len(want), len(got))
    while low < high:
        middle = (low + high + 1) // 2
        if want[:middle] == got[:middle]:
            low = middle
        else:
            high = middle - 1
    at = max(0, low - 20)
    return (f"lengths {len(want)} and {len(got)}, equal up to {low}: expected "
            f"...{want[at:low + 20]!r}, got ...{got[at:low + 20]!r}")


def top(message, lines):
    """The octets of TOP n LINES for a message MESSAGE as RETR gives it: header, blank line, LINES lines."""
    if message.startswith(b"\r\n"):
        end = 2
    else:
        end = message.find(b"\r\n\r\n")
        if end < 0:
            return message
        end += 4
    for _ in range(lines):
        following = message.find(b"\r\n", end)
        if following < 0:
            return message
        end = following + 2
        if end == len(message):
            break
    return message[:end]
