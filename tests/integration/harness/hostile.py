"""What a hostile or broken IMAP server may do: a table of named cases, told to popgate by the scripted server.

A case is (name, step, action, answer): at STEP the server does ACTION (see scripted_imap.py) to the one user that it is
after. ANSWER is what the POP3 client must see, see test_hostile_cases.py:

    login       "TEMP", "PERM", "AUTH"  -ERR with that code;  n  +OK, and a maildrop of n messages
    body, top   "whole"  the message, octet by octet;  "refused"  -ERR, and the session goes on;
                "lost"  -ERR or an end, and never a complete message
    deletion    "gone"  +OK and the message is gone;  "kept"  -ERR and it is there;  "failed"  -ERR, whatever became of it;
                "truth"  either, but no +OK while it is there
    idle        "whole" or "failed": what becomes of a RETR behind it"""
from collections import namedtuple

from .scripted_imap import close, send_then, stall

Case = namedtuple("Case", "name step action answer")

BIG = b"x" * 70000
OK = b"{tag} OK done\r\n"
CAPABLE = b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR UIDPLUS\r\n"


def forever(octets):
    """OCTETS again and again, until the peer has gone."""
    def action(connection, command):
        connection.send_for(command, octets)
        while True:
            connection.send(octets.replace(b"{tag}", b"X") * (1 + 65536 // len(octets)))
    return action


def before(octets):
    """OCTETS, then the usual answer."""
    def action(connection, command):
        connection.send_for(command, octets)
        return False
    return action


def after(octets):
    """OCTETS behind the usual answer."""
    def action(connection, command):
        connection.usual(command)
        connection.send_for(command, octets)
        return True
    return action


def cut(octets):
    return send_then(octets, close)


def hold(octets):
    return send_then(octets, stall)


GREETING = [
    Case("NUL", "greeting", cut(b"* OK hel\0lo\r\n"), "TEMP"),
    Case("8-bit text", "greeting", b"* OK \xff\xfe\x80 hello\r\n", 3),
    Case("bare LF", "greeting", cut(b"* OK hello\n"), "TEMP"),
    Case("bare CR", "greeting", cut(b"* OK hel\rlo\r\n"), "TEMP"),
    Case("twice", "greeting", b"* OK one\r\n* OK two\r\n", 3),
    Case("with an answer ahead of its turn", "greeting", b"* OK hello\r\n1 OK done\r\n", "TEMP"),
    Case("codes with garbage", "greeting", b"* OK [UIDVALIDITY 99999999999999] [PERMANENTFLAGS ((((] x\r\n", 3),
    Case("referral", "greeting", b"* OK [REFERRAL imap://127.0.0.1/] elsewhere\r\n", 3),
    Case("code without an end", "greeting", b"* OK [ALERT " + b"y" * 1000 + b"\r\n", 3),
    Case("capability without an end", "greeting", cut(b"* OK [CAPABILITY IMAP4rev1\r\n"), "TEMP"),
    Case("capability over the limit of a line", "greeting", cut(b"* OK [CAPABILITY " + b"A " * 40000 + b"]\r\n"), "TEMP"),
    Case("NO", "greeting", b"* NO not today\r\n", "TEMP"),
    Case("BAD", "greeting", b"* BAD not today\r\n", "TEMP"),
    Case("continuation", "greeting", b"+ go ahead\r\n", "TEMP"),
    Case("tagged", "greeting", b"1 OK hello\r\n", "TEMP"),
    Case("empty lines", "greeting", forever(b"\r\n"), "TEMP"),
    Case("blanks", "greeting", forever(b" "), "TEMP"),
    Case("EOF in it", "greeting", cut(b"* OK hel"), "TEMP"),
    Case("stall in it", "greeting", hold(b"* OK hel"), "TEMP"),
    Case("a FETCH", "greeting", b"* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\n", "TEMP"),
    Case("SMTP", "greeting", b"220 mail.example ESMTP\r\n", "TEMP"),
]

CAPABILITY = [
    Case("empty", "CAPABILITY", b"* CAPABILITY\r\n" + OK, "TEMP"),
    Case("none at all", "CAPABILITY", OK, "TEMP"),
    Case("thousands", "CAPABILITY", b"* CAPABILITY" + b" X" * 20000 + b" AUTH=PLAIN SASL-IR\r\n" + OK, 3),
    Case("again and again", "CAPABILITY", forever(CAPABLE), "TEMP"),
    Case("literal", "CAPABILITY", b"* CAPABILITY {10}\r\nAUTH=PLAIN\r\n" + OK, "TEMP"),
    Case("quoted and nested", "CAPABILITY", b'* CAPABILITY AUTH=PLAIN SASL-IR ("a" (b)) "c\r\n' + OK, 3),
    Case("tag without a command", "CAPABILITY", cut(CAPABLE + b"{tag}\r\n"), "TEMP"),
    Case("tag with a blank", "CAPABILITY", cut(CAPABLE + b"{tag} \r\n"), "TEMP"),
    Case("tag that is longer", "CAPABILITY", cut(CAPABLE + b"{tag}0 OK done\r\n"), "TEMP"),
    Case("status that nobody knows", "CAPABILITY", cut(CAPABLE + b"{tag} MAYBE done\r\n"), "TEMP"),
    Case("continuation", "CAPABILITY", cut(b"+ go ahead\r\n" + CAPABLE + OK), "TEMP"),
    Case("BYE before the answer", "CAPABILITY", b"* BYE now\r\n" + CAPABLE + OK, "TEMP"),
    Case("PREAUTH in it", "CAPABILITY", b"* PREAUTH now\r\n" + CAPABLE + OK, "PERM"),
    Case("stall in a word", "CAPABILITY", hold(b"* CAPABILITY IMAP4r"), "TEMP"),
]

LOGIN = [
    Case("tag of another command", "AUTHENTICATE", cut(b"4711 OK done\r\n"), "TEMP"),
    Case("OK with a code of failure", "AUTHENTICATE", b"{tag} OK [AUTHENTICATIONFAILED] done\r\n", 3),
    Case("untagged failure, tagged success", "AUTHENTICATE", b"* NO [AUTHENTICATIONFAILED] no\r\n" + OK, 3),
    Case("untagged success, tagged failure", "AUTHENTICATE", b"* OK done\r\n{tag} NO [AUTHENTICATIONFAILED] x\r\n", "AUTH"),
    Case("code that is too long", "AUTHENTICATE", b"{tag} NO [" + b"A" * 100 + b"] x\r\n", "AUTH"),
    Case("code in lower case, no blank", "AUTHENTICATE", b"{tag} NO [unavailable]x\r\n", "TEMP"),
    Case("code with arguments", "AUTHENTICATE", b'{tag} NO [UNAVAILABLE "a ( b" {5}] x\r\n', "TEMP"),
    Case("OK and something", "AUTHENTICATE", cut(b"{tag} OKAY done\r\n"), "TEMP"),
    Case("tagged PREAUTH", "AUTHENTICATE", cut(b"{tag} PREAUTH done\r\n"), "TEMP"),
    Case("tagged BYE", "AUTHENTICATE", cut(b"{tag} BYE done\r\n"), "TEMP"),
    Case("continuations without an end", "AUTHENTICATE", forever(b"+ \r\n"), "TEMP"),
    Case("continuation over the limit of a line", "AUTHENTICATE", cut(b"+ " + BIG), "TEMP"),
    Case("long text", "AUTHENTICATE", b"{tag} NO [AUTHENTICATIONFAILED] " + b"w" * 60000 + b"\r\n", "AUTH"),
    Case("NUL", "AUTHENTICATE", cut(b"{tag} NO \0\r\n"), "TEMP"),
    Case("bare LF", "AUTHENTICATE", cut(b"{tag} NO x\n"), "TEMP"),
    Case("8-bit", "AUTHENTICATE", b"{tag} NO [AUTHENTICATIONFAILED] \x80\xff\r\n", "AUTH"),
    Case("mailbox data before it", "AUTHENTICATE",
         before(b"* 5 EXISTS\r\n* 1 FETCH (FLAGS (\\Deleted))\r\n* 1 EXPUNGE\r\n* SEARCH 1 2 3\r\n"), 3),
    Case("capabilities without sense", "AUTHENTICATE", b"{tag} OK [CAPABILITY (] done\r\n", "TEMP"),
    Case("LOGINDISABLED after it", "AUTHENTICATE", b"{tag} OK [CAPABILITY IMAP4rev1 LOGINDISABLED] done\r\n", 3),
    Case("BYE behind it", "AUTHENTICATE", cut(OK + b"* BYE now\r\n"), "TEMP"),
    Case("flood behind it", "AUTHENTICATE", forever(OK), "TEMP"),
    Case("EOF in it", "AUTHENTICATE", cut(b"{tag} O"), "TEMP"),
    Case("its answer ahead of its turn", "CAPABILITY", CAPABLE + OK + OK, "TEMP"),
]


def selected(exists=b"* 3 EXISTS\r\n", codes=b"* OK [UIDVALIDITY 1700000000] x\r\n", end=b"{tag} OK [READ-WRITE] done\r\n"):
    return exists + codes + end


SELECT = [
    Case("no EXISTS", "SELECT", selected(exists=b""), "TEMP"),
    Case("EXISTS -1", "SELECT", selected(exists=b"* -1 EXISTS\r\n"), "TEMP"),
    Case("EXISTS over 32 bits", "SELECT", selected(exists=b"* 4294967296 EXISTS\r\n"), "TEMP"),
    Case("EXISTS shrinks", "SELECT", selected(exists=b"* 4294967295 EXISTS\r\n* 3 EXISTS\r\n"), 3),
    Case("EXISTS grows", "SELECT", selected(exists=b"* 1 EXISTS\r\n* 2 EXISTS\r\n"), 3),
    Case("EXISTS again and again", "SELECT", forever(b"* 3 EXISTS\r\n"), "TEMP"),
    Case("EXISTS with more behind it", "SELECT", selected(exists=b"* 3 EXISTS (\r\n"), "TEMP"),
    Case("UIDVALIDITY 0", "SELECT", selected(codes=b"* OK [UIDVALIDITY 0] x\r\n"), "TEMP"),
    Case("UIDVALIDITY over 32 bits", "SELECT", selected(codes=b"* OK [UIDVALIDITY 4294967296] x\r\n"), "TEMP"),
    Case("UIDVALIDITY is a word", "SELECT", selected(codes=b"* OK [UIDVALIDITY soon] x\r\n"), "TEMP"),
    Case("UIDVALIDITY without an end", "SELECT", selected(codes=b"* OK [UIDVALIDITY 17\r\n"), "TEMP"),
    Case("PERMANENTFLAGS without an end", "SELECT",
         selected(codes=b"* OK [UIDVALIDITY 17] x\r\n* OK [PERMANENTFLAGS (\\Deleted\r\n"), "TEMP"),
    Case("thousands of PERMANENTFLAGS", "SELECT",
         selected(codes=b"* OK [UIDVALIDITY 17] x\r\n* OK [PERMANENTFLAGS (" + b"\\Deleted " * 7000 + b"\\Seen)] x\r\n"), 3),
    Case("codes of every kind", "SELECT",
         selected(codes=b"* OK [UIDVALIDITY 17] x\r\n* OK [UNSEEN 99999999999] x\r\n* OK [HIGHESTMODSEQ 1e99] x\r\n"
                        b"* OK [UIDNEXT 1] x\r\n* NO [ALERT] \xff\r\n* OK [X-Y \"(\" {3}] x\r\n* OK [] x\r\n* OK [ ] x\r\n"
                        b"* BAD [CLOSED]\r\n* OK []]]] x\r\n"), 3),
    Case("responses of every kind", "SELECT",
         selected(codes=b"* OK [UIDVALIDITY 17] x\r\n* LIST (\\X) \"/\" {3}\r\na b\r\n* LSUB () NIL x\r\n* FLAGS (a b)\r\n"
                        b"* STATUS \"x\" ()\r\n* NAMESPACE NIL NIL NIL\r\n* ESEARCH (TAG \"1\") ALL 1:9\r\n"
                        b"* QUOTA \"\" (STORAGE 1 2)\r\n* 7 RECENT\r\n* VANISHED 1:4294967295\r\n"), 3),
    Case("nesting of 65", "SELECT", selected(codes=b"* X " + b"(" * 65 + b")" * 65 + b"\r\n"), "TEMP"),
    Case("parenthesis too much", "SELECT", selected(codes=b"* X (a))\r\n"), "TEMP"),
    Case("BYE behind it", "SELECT", cut(selected() + b"* BYE now\r\n"), "TEMP"),
    Case("continuation", "SELECT", cut(b"+ go ahead\r\n" + selected()), "TEMP"),
    Case("stall in a code", "SELECT", hold(b"* OK [UIDVALI"), "TEMP"),
]


def listed(*lines):
    return b"".join(b"* %d FETCH (%s)\r\n" % (i, line) for i, line in enumerate(lines, 1)) + OK


LISTING = [
    Case("size 0", "fetch listing", listed(b"UID 10 RFC822.SIZE 0", b"UID 20 RFC822.SIZE 0"), 2),
    Case("size of 63 bits", "fetch listing", listed(b"UID 10 RFC822.SIZE 9223372036854775807"), 1),
    Case("sizes of more than 63 bits in all", "fetch listing", listed(*[b"UID %d RFC822.SIZE 9223372036854775807" % n for n in (1, 2, 3)]), "TEMP"),
    Case("size of 64 bits", "fetch listing", listed(b"UID 10 RFC822.SIZE 9223372036854775808"), "TEMP"),
    Case("largest UID", "fetch listing", listed(b"UID 4294967295 RFC822.SIZE 1"), 1),
    Case("UID over 32 bits", "fetch listing", listed(b"UID 4294967296 RFC822.SIZE 1"), "TEMP"),
    Case("two UIDs in one response", "fetch listing", listed(b"UID 10 UID 20 RFC822.SIZE 1 RFC822.SIZE 2"), 1),
    Case("all \\Deleted", "fetch listing", listed(b"UID 10 RFC822.SIZE 1 FLAGS (\\Deleted)"), 0),
    Case("FLAGS NIL", "fetch listing", listed(b"UID 10 RFC822.SIZE 1 FLAGS NIL"), "TEMP"),
    Case("nested FLAGS", "fetch listing", listed(b"UID 10 RFC822.SIZE 1 FLAGS ((\\Deleted))"), "TEMP"),
    Case("CRLF in a quoted string", "fetch listing", cut(listed(b'X "a\r\nb" UID 10 RFC822.SIZE 1')), "TEMP"),
    Case("quoted string without an end", "fetch listing", hold(b'* 1 FETCH (X "abc'), "TEMP"),
    Case("escapes in a quoted string", "fetch listing", listed(b'X "a\\"b\\\\" UID 10 RFC822.SIZE 1'), 1),
    Case("literal8", "fetch listing", listed(b"X ~{3}\r\na)b UID 10 RFC822.SIZE 1"), 1),
    Case("LITERAL+", "fetch listing", cut(listed(b"X {3+}\r\nabc UID 10 RFC822.SIZE 1")), "TEMP"),
    Case("literal without a size", "fetch listing", cut(listed(b"X {}\r\nabc UID 10 RFC822.SIZE 1")), "TEMP"),
    Case("literal of negative size", "fetch listing", cut(listed(b"X {-1}\r\n UID 10 RFC822.SIZE 1")), "TEMP"),
    Case("literal with CRLF and parentheses", "fetch listing", listed(b"X {6}\r\n)))\r\n( UID 10 RFC822.SIZE 1"), 1),
    Case("literal at the limit", "fetch listing", listed(b"X {65536}\r\n" + b"y" * 65536 + b" UID 10 RFC822.SIZE 1"), 1),
    Case("literal over the limit", "fetch listing", cut(b"* 1 FETCH (X {65537}\r\n" + BIG), "TEMP"),
    Case("EOF in a literal", "fetch listing", cut(b"* 1 FETCH (UID 10 X {5000}\r\nabc"), "TEMP"),
    Case("stall in a literal", "fetch listing", hold(b"* 1 FETCH (UID 10 X {5000}\r\nabc"), "TEMP"),
    Case("a body that nobody asked for", "fetch listing", listed(b"UID 10 RFC822.SIZE 3 BODY[] {3}\r\nabc"), "TEMP"),
    Case("EXPUNGE storm", "fetch listing", before(b"* 1 EXPUNGE\r\n" * 20000), 3),
    Case("EXPUNGE storm without an end", "fetch listing", forever(b"* 1 EXPUNGE\r\n"), "TEMP"),
    Case("VANISHED", "fetch listing", before(b"* VANISHED (EARLIER) 1:4294967295\r\n* VANISHED 10,20,30\r\n"), 3),
    Case("messages without an end", "fetch listing", forever(b"* 1 FETCH (UID 10 RFC822.SIZE 1)\r\n"), "TEMP"),
    Case("message number 0", "fetch listing", b"* 0 FETCH (UID 10 RFC822.SIZE 1)\r\n" + OK, 1),
    Case("nothing between the parentheses", "fetch listing", listed(b""), "TEMP"),
    Case("OK before the list", "fetch listing", OK + b"* 1 FETCH (UID 10 RFC822.SIZE 1)\r\n", 0),
]

BODY = b"Subject: the one\r\n\r\ntext\r\n.dot\r\n"
LITERAL = b"{%d}\r\n" % len(BODY) + BODY


def fetched(items, more=b"", end=OK):
    return more + b"* 1 FETCH (" + items + b")\r\n" + end


BODIES = [
    Case("literal8", "fetch body", cut(fetched(b"UID 10 BODY[] ~" + LITERAL)), "lost"),
    Case("LITERAL+", "fetch body", cut(fetched(b"UID 10 BODY[] {3+}\r\nabc")), "lost"),
    Case("literal without a size", "fetch body", cut(fetched(b"UID 10 BODY[] {}\r\nabc")), "lost"),
    Case("literal of 2^63", "fetch body", cut(b"* 1 FETCH (UID 10 BODY[] {9223372036854775808}\r\nabc"), "lost"),
    Case("literal of 2^63-1, cut", "fetch body", cut(b"* 1 FETCH (UID 10 BODY[] {9223372036854775807}\r\nabc"), "lost"),
    Case("another section", "fetch body", fetched(b"UID 10 BODY[HEADER] " + LITERAL), "lost"),
    Case("a part", "fetch body", fetched(b"UID 10 BODY[1] " + LITERAL), "lost"),
    Case("RFC822", "fetch body", fetched(b"UID 10 RFC822 " + LITERAL), "refused"),
    Case("partial", "fetch body", fetched(b"UID 10 BODY[]<0> " + LITERAL), "lost"),
    Case("twice in one response", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL + b" BODY[] " + LITERAL), "lost"),
    Case("no UID", "fetch body", fetched(b"BODY[] " + LITERAL), "lost"),
    Case("UID over 32 bits", "fetch body", fetched(b"UID 4294967306 BODY[] " + LITERAL), "lost"),
    Case("two UIDs", "fetch body", fetched(b"UID 20 UID 10 BODY[] " + LITERAL + b" UID 20"), "lost"),
    Case("quoted, with CRLF", "fetch body", cut(fetched(b'UID 10 BODY[] "a\r\nb"')), "lost"),
    Case("quoted, without an end", "fetch body", hold(b'* 1 FETCH (UID 10 BODY[] "abc'), "lost"),
    Case("quoted, over the limit of a line", "fetch body", cut(fetched(b'UID 10 BODY[] "' + BIG + b'"')), "lost"),
    Case("number", "fetch body", cut(fetched(b"UID 10 BODY[] 7")), "lost"),
    Case("list", "fetch body", cut(fetched(b"UID 10 BODY[] (a b)")), "lost"),
    Case("NILL", "fetch body", cut(fetched(b"UID 10 BODY[] NILL")), "lost"),
    Case("wrong tag behind it", "fetch body", cut(fetched(b"UID 10 BODY[] " + LITERAL, end=b"99 OK done\r\n")), "lost"),
    Case("no parenthesis behind it", "fetch body", cut(b"* 1 FETCH (UID 10 BODY[] " + LITERAL + b"\r\n" + OK), "lost"),
    Case("BYE behind it", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL, end=b"* BYE now\r\n" + OK), "lost"),
    Case("EXPUNGE storm before it", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL, b"* 1 EXPUNGE\r\n" * 20000), "whole"),
    Case("EXPUNGE storm without an end", "fetch body", forever(b"* 1 EXPUNGE\r\n"), "lost"),
    Case("VANISHED before it", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL, b"* VANISHED 1:*\r\n"), "whole"),
    Case("flags of others before it", "fetch body",
         fetched(b"UID 10 BODY[] " + LITERAL, b"* 2 FETCH (UID 20 FLAGS (\\Deleted \\Seen))\r\n" * 5000), "whole"),
    Case("EXISTS lies before it", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL, b"* 4294967295 EXISTS\r\n"), "whole"),
    Case("EXISTS 0 before it", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL, b"* 0 EXISTS\r\n"), "whole"),
    Case("search results before it", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL, b"* SEARCH 1 2 3\r\n"), "whole"),
    Case("continuation before it", "fetch body", fetched(b"UID 10 BODY[] " + LITERAL, b"+ go ahead\r\n"), "whole"),
    Case("OK, and then the body", "fetch body", OK + fetched(b"UID 10 BODY[] " + LITERAL, end=b""), "refused"),
    Case("OK only", "fetch body", OK, "refused"),
    Case("NUL outside of it", "fetch body", cut(fetched(b"UID 10 \0 BODY[] " + LITERAL)), "lost"),
    Case("message number over 32 bits", "fetch body", cut(b"* 4294967296 FETCH (UID 10 BODY[] " + LITERAL + b")\r\n"), "lost"),
    Case("stall behind it", "fetch body", hold(b"* 1 FETCH (UID 10 BODY[] " + LITERAL), "lost"),
]

TOP = [
    Case("wrong origin", "fetch body", fetched(b"UID 10 BODY[]<7> " + LITERAL), "lost"),
    Case("origin over 32 bits", "fetch body", fetched(b"UID 10 BODY[]<4294967296> " + LITERAL), "lost"),
    Case("origin without an end", "fetch body", cut(fetched(b"UID 10 BODY[]<0 " + LITERAL)), "lost"),
    Case("more than was asked for", "fetch body", cut(b"* 1 FETCH (UID 10 BODY[]<0> {10000000}\r\n" + BIG), "lost"),
    Case("NIL", "fetch body", fetched(b"UID 10 BODY[]<0> NIL"), "refused"),
    Case("another UID", "fetch body", fetched(b"UID 20 BODY[]<0> " + LITERAL), "lost"),
]


def does_nothing(connection, command):
    connection.done(command)
    return True


def removes_another(connection, command):
    with connection.server.lock:
        connection.remove({message.uid for message in connection.server.messages[:2]})
    return does_nothing(connection, command)


def exists_and_results(connection, _command):
    """What the mailbox is said to hold later does not widen what a search may bring."""
    def results(searching, _search):
        searching.send(b"* SEARCH")
        return forever(b" 20 21 22 23")(searching, None)
    connection.send(b"* 4294967295 EXISTS\r\n")
    connection.server.on("UID SEARCH", results)
    return False


def and_no_search(connection, command):
    connection.server.on("UID SEARCH", OK)
    return does_nothing(connection, command)


DELETION = [
    Case("STORE that stores nothing", "UID STORE", does_nothing, "kept"),
    Case("STORE with [MODIFIED]", "UID STORE", b"{tag} OK [MODIFIED 20] done\r\n", "kept"),
    Case("STORE, flags without an end", "UID STORE", forever(b"* 2 FETCH (UID 20 FLAGS (\\Deleted))\r\n"), "kept"),
    Case("STORE, other flags in the answer", "UID STORE", before(b"* 2 FETCH (UID 20 FLAGS ())\r\n* 1 FETCH (X {3}\r\n)))\r\n"),
         "failed"),
    Case("STORE, literal without an end", "UID STORE", hold(b"* 2 FETCH (UID 20 X {60000}\r\nabc"), "kept"),
    Case("STORE, continuation", "UID STORE", cut(b"+ go ahead\r\n"), "kept"),
    Case("STORE, two tagged answers", "UID STORE", after(OK), "truth"),
    Case("STORE, wrong tag", "UID STORE", cut(b"99 OK done\r\n"), "kept"),
    Case("STORE, BYE behind it", "UID STORE", after(b"* BYE now\r\n"), "truth"),
    Case("STORE, EXISTS lies", "UID STORE", before(b"* 4294967295 EXISTS\r\n"), "gone"),
    Case("STORE, EXPUNGE of all in the answer", "UID STORE", before(b"* 1 EXPUNGE\r\n" * 3), "gone"),
    Case("STORE, PREAUTH", "UID STORE", b"* PREAUTH now\r\n" + OK, "kept"),
    Case("EXPUNGE that removes nothing", "UID EXPUNGE", does_nothing, "kept"),
    Case("EXPUNGE that lies about all", "UID EXPUNGE", b"* 3 EXPUNGE\r\n* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n" + OK, "kept"),
    Case("EXPUNGE that removes others too", "UID EXPUNGE", removes_another, "gone"),
    Case("EXPUNGE storm", "UID EXPUNGE", before(b"* 1 EXPUNGE\r\n" * 20000), "gone"),
    Case("EXPUNGE storm without an end", "UID EXPUNGE", forever(b"* 1 EXPUNGE\r\n"), "truth"),
    Case("EXPUNGE, NO though it is gone", "UID EXPUNGE", lambda c, k: c.remove({20}) or c.done(k, "no", "NO") or True, "gone"),
    Case("EXPUNGE, VANISHED", "UID EXPUNGE", before(b"* VANISHED 20\r\n"), "gone"),
    Case("EXPUNGE, cut in the middle", "UID EXPUNGE", cut(b"* 2 EXPU"), "truth"),
    Case("EXPUNGE, garbage behind it", "UID EXPUNGE", after(b"\0\xff)))\r\n"), "truth"),
    Case("SEARCH that finds others", "UID SEARCH", b"* SEARCH 10 30 40\r\n" + OK, "gone"),
    Case("SEARCH that finds what is gone", "UID SEARCH", b"* SEARCH 20\r\n" + OK, "failed"),
    Case("SEARCH that finds it many times", "UID SEARCH", b"* SEARCH" + b" 20" * 5000 + b"\r\n" + OK, "failed"),
    Case("SEARCH, results without an end", "UID SEARCH",
         lambda c, k: c.send(b"* SEARCH") or forever(b" 20 21 22 23")(c, k), "failed"),
    Case("SEARCH, lines without an end", "UID SEARCH", forever(b"* SEARCH 20\r\n"), "failed"),
    Case("SEARCH, UID 0", "UID SEARCH", b"* SEARCH 0\r\n" + OK, "failed"),
    Case("SEARCH, UID over 32 bits", "UID SEARCH", b"* SEARCH 4294967316\r\n" + OK, "failed"),
    Case("SEARCH, words", "UID SEARCH", b"* SEARCH none\r\n" + OK, "failed"),
    Case("SEARCH, NO", "UID SEARCH", b"{tag} NO [SERVERBUG] x\r\n", "gone"),
    Case("SEARCH, BAD", "UID SEARCH", b"{tag} BAD x\r\n", "failed"),
    Case("SEARCH, EOF in a number", "UID SEARCH", cut(b"* SEARCH 2"), "failed"),
    Case("SEARCH, stall", "UID SEARCH", hold(b"* SEARCH"), "failed"),
    Case("SEARCH, no result line", "UID SEARCH", OK, "gone"),
    Case("SEARCH, ESEARCH instead", "UID SEARCH", b'* ESEARCH (TAG "1") UID ALL 20\r\n' + OK, "gone"),
    Case("EXISTS lies, and results without an end", "UID SEARCH",
         lambda c, k: c.send(b"* 4294967295 EXISTS\r\n* SEARCH") or forever(b" 20 21 22 23")(c, k), "failed"),
    Case("STORE, EXISTS lies, and results without an end", "UID STORE", exists_and_results, "failed"),
    Case("EXPUNGE that removes nothing, SEARCH that does not tell", "UID EXPUNGE", and_no_search, "kept"),
]

# Octets that come while nobody asks.
IDLE = [
    Case("BYE", None, b"* BYE [UNAVAILABLE] now\r\n", "whole"),
    Case("NUL", None, b"\0", "failed"),
    Case("garbage", None, b"\xff\x1b[2J)))\r\n", "failed"),
    Case("tagged answer", None, b"99 OK done\r\n", "failed"),
    Case("half a line", None, b"* OK st", "failed"),
    Case("EXISTS 4294967295", None, b"* 4294967295 EXISTS\r\n", "whole"),
    Case("EXPUNGE of all", None, b"* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n", "whole"),
    Case("another's body", None, b"* 2 FETCH (UID 20 BODY[] {5}\r\nother)\r\n", "failed"),
    Case("a body without a UID", None, b"* 1 FETCH (BODY[] {5}\r\nother)\r\n", "failed"),
    Case("flags", None, b"* 1 FETCH (FLAGS (\\Deleted))\r\n" * 5000, "whole"),
    Case("continuation", None, b"+ go ahead\r\n", "failed"),
]


def in_handshake(octets, end=close):
    """OK to STARTTLS, and OCTETS where the handshake should be."""
    def action(connection, command):
        connection.done(command)
        connection.sock.recv(65536)  # the client has begun, so this is no injection
        connection.send(octets)
        return end(connection, command)
    return action


STARTTLS = [
    Case("a response in the handshake", "STARTTLS", in_handshake(b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] x\r\n"), "TEMP"),
    Case("a greeting of somebody logged in", "STARTTLS", in_handshake(b"* PREAUTH welcome\r\n"), "TEMP"),
    Case("garbage", "STARTTLS", in_handshake(bytes(range(256)) * 64), "TEMP"),
    Case("an alert", "STARTTLS", in_handshake(b"\x15\x03\x03\x00\x02\x02\x28"), "TEMP"),
    Case("warnings without an end", "STARTTLS", in_handshake(b"\x15\x03\x03\x00\x02\x01\x5a" * 1000), "TEMP"),
    Case("empty records", "STARTTLS", in_handshake(b"\x16\x03\x03\x00\x00" * 10000), "TEMP"),
    Case("half a record", "STARTTLS", in_handshake(b"\x16\x03\x03\x40\x00\x02"), "TEMP"),
    Case("stall in a record", "STARTTLS", in_handshake(b"\x16\x03\x03\x40\x00\x02", stall), "TEMP"),
    Case("SSL 2", "STARTTLS", in_handshake(b"\x80\x2e\x04\x00\x01\x00\x02" + b"x" * 40), "TEMP"),
    Case("nothing", "STARTTLS", in_handshake(b""), "TEMP"),
]


