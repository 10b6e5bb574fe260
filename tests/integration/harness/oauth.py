"""A private Dovecot that takes bearer tokens and has a master user; and the service that it asks about tokens."""
import http.server
import json
import threading
import urllib.parse

from . import ports
from .dovecot import Dovecot

TOKEN_OF = "token-of-"  # a good token is this and the user's name
EXTRA = """
auth_mechanisms = plain login xoauth2 oauthbearer
auth_master_user_separator = *
# a master sees what the user sees
plugin {{
  acl_user = %u
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {dir}/masters
  master = yes
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2
}}
"""
OAUTH2 = """
introspection_mode = post
introspection_url = http://127.0.0.1:{port}/introspect
username_attribute = username
active_attribute = active
active_value = true
"""


class Introspection:
    """Token introspection (RFC 7662) for tokens of the form above; "broken" makes it fail."""

    def __init__(self):
        service = self
        self.broken = False
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                token = urllib.parse.parse_qs(form).get("token", [""])[0]
                service.asked.append(token)
                if service.broken:
                    self.send_error(503)
                    return
                answer = {"active": token.startswith(TOKEN_OF)}
                if answer["active"]:
                    answer["username"] = token[len(TOKEN_OF):].split(".")[0]
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((ports.HOST, 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class OAuthDovecot(Dovecot):
    """As Dovecot, where the passwords are TOKEN_OF and the user's name; "boss" with "key" is a master."""

    def __init__(self):
        self.introspection = Introspection()
        super().__init__(extra=EXTRA, files={
            "masters": "boss:key\n", "oauth2": OAUTH2.format(port=self.introspection.port)})

    def stop(self):
        super().stop()
        self.introspection.stop()
