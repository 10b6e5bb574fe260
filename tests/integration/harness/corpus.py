"""Messages that are hard to carry, as (name, octets). CRLF line ends except where the name says otherwise."""
HEADER = b"From: Sender <sender@example.org>\r\nTo: user@example.org\r\nSubject: %s\r\n"
FILL = b"The quick brown fox jumps over the lazy dog, and it does so line by line.\r\n"

MEGABYTE = 1 << 20


def message(name, body, blank=b"\r\n"):
    return HEADER % name.encode() + blank + body


def of_size(size):
    """A message of exactly SIZE octets that ends in CRLF."""
    text = message(f"size {size}", b"")
    return text + (FILL * (size // len(FILL) + 1))[:size - len(text) - 2] + b"\r\n"


def with_dot_at(offset):
    """A message with a line of one dot such that the dot stands at OFFSET (where buffers tend to end)."""
    text = message(f"dot at {offset}", b"")
    filler = (FILL * (offset // len(FILL) + 1))[:offset - len(text) - 2]
    return text + filler.replace(b"\r", b"x").replace(b"\n", b"x") + b"\r\n.\r\n.second\r\nend\r\n"


def with_crlf_cut_at(offset):
    """A message whose CR is the octet before OFFSET and whose LF is at OFFSET."""
    text = message(f"CRLF cut at {offset}", b"")
    return text + b"y" * (offset - 1 - len(text)) + b"\r\n.cut\r\n" + FILL


SMALL = [
    ("plain", message("plain", b"Hello,\r\nworld.\r\n")),
    ("dot line", message("dot line", b"before\r\n.\r\nafter\r\n")),
    ("dot line only", message("dot line only", b".\r\n")),
    ("dot line last", message("dot line last", b"before\r\n.\r\n")),
    ("dots of every length", message("dots", b".a\r\n..b\r\n...c\r\n....\r\n.....\r\n. \r\n .\r\na.\r\n")),
    ("many dot lines", message("many dot lines", b".\r\n" * 5000)),
    ("dot without line end last", message("dot last", b"before\r\n.")),
    ("two dots without line end last", message("two dots last", b"before\r\n..")),
    ("dot begins the body", message("dot begins", b".first line of the body\r\n")),
    ("header begins with a dot", b".Odd: header\r\n" + message("dot header", b"text\r\n")),
    ("end mark inside", message("end mark", b"one\r\n.\r\n\r\n.\r\n.\r\n\r\ntwo\r\n")),
    ("answers inside", message("answers", b"-ERR no\r\n+OK yes\r\n.\r\nQUIT\r\n+OK 3 octets\r\n")),
    ("IMAP answers inside", message("IMAP", b")\r\n* 1 FETCH (UID 1)\r\n* BYE no\r\n{5}\r\nA1 OK done\r\n")),
    ("no final line end", message("no final line end", b"the end")),
    ("no final line end in a long message", message("long", FILL * 2000 + b"the end")),
    ("empty body", message("empty body", b"")),
    ("no body", HEADER % b"no body"),
    ("header without line end", (HEADER % b"no line end")[:-2]),
    ("blank lines only", message("blank lines", b"\r\n" * 50)),
    ("blank lines last", message("blank lines last", b"text\r\n\r\n\r\n\r\n")),
    ("blank line first", b"\r\n" + b"No header at all.\r\n"),
    ("one line", message("one line", b"x\r\n")),
    ("8-bit body", message("8-bit", "Grüße, Ünïcödé, \u2603\r\n".encode() + bytes(range(128, 256)) + b"\r\n")),
    ("8-bit header", b"Subject: gr\xfc\xdfe \xc3\xa4\r\nFrom: a@example.org\r\n\r\ntext\r\n"),
    ("control characters", message("controls", bytes(c for c in range(1, 32) if c not in (10, 13)) + b"\x7f\r\n")),
    ("blanks at line ends", message("blanks", b"a \r\nb\t\r\n  \r\n\t\r\nc\r\n")),
    ("long header", b"X-Long: " + b"h" * 20000 + b"\r\n" + message("long header", b"text\r\n")),
    ("folded header", b"X-Folded: a\r\n\tb\r\n  c\r\n .d\r\n" + message("folded", b"text\r\n")),
    ("3,000 headers", b"".join(b"X-Number-%d: %d\r\n" % (i, i) for i in range(3000)) + message("many", b"text\r\n")),
    ("nested parts", message("parts", b"", b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=b\"\r\n\r\n")
     + b"--=b\r\nContent-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\n.in\r\n--=b\r\n\r\ntext\r\n--=b--\r\n"),
    ("long lines", message("long lines", (b"l" * 998 + b"\r\n") * 50 + (b"m" * 9000 + b"\r\n") * 5)),
    ("trailing spaces for ever", message("spaces", b" " * 50000 + b"\r\n")),
    *((f"size {size}", of_size(size))
      for size in (511, 512, 513, 1023, 1024, 2048, 4095, 4096, 4097, 8191, 8192, 8193,
                   16383, 16384, 16385, 32768, 65535, 65536, 65537)),
    *((f"dot at {offset}", with_dot_at(offset)) for offset in (4096, 16384, 65536)),
    *((f"CRLF cut at {offset}", with_crlf_cut_at(offset)) for offset in (4096, 16384, 65536)),
]

# What some servers refuse or change on the way in; what counts is what their IMAP side then says.
IRREGULAR = [
    ("bare LF everywhere", message("bare LF", b"one\r\ntwo\r\n.three\r\n.\r\nfour\r\n").replace(b"\r\n", b"\n")),
    ("bare LF here and there", message("mixed", b"one\ntwo\r\n.three\n.four\n\n.\nfive\r\n")),
    ("bare LF last", message("bare LF last", b"one\r\ntwo\n")),
    ("lone CR", message("lone CR", b"one\rtwo\r\rthree\r\n.\rfour\r\n\r\r\nfive\r\n")),
    ("CR last", message("CR last", b"one\r\ntwo\r")),
    ("LF CR", message("LF CR", b"one\n\rtwo\n\r.three\r\n")),
    ("dot after bare LF", message("dot after LF", b"a\n.\n.b\n..\n.")),
    ("NUL", message("NUL", b"a\0b\r\n\0\r\n.\0\r\n")),
]

LARGE = [
    ("1 MB line", message("1 MB line", b"z" * MEGABYTE + b"\r\n.\r\nend\r\n")),
    ("5 MB of dots", message("5 MB of dots", b"..............................................................\r\n"
                             * (5 * MEGABYTE // 64))),
]


def huge():
    """60 MB; made when it is needed."""
    return ("60 MB", message("60 MB", FILL * (60 * MEGABYTE // len(FILL)) + b".\r\n..end"))
