"""A private nginx: an auth_http service, and the mail proxy that such services were made for."""
import os
import shutil
import signal

from . import ports, workspace
from .process import Process

MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"
CONFIG = """
daemon off;
pid {folder}/pid;
error_log stderr info;
master_process off;
{modules}
events {{
}}
{rest}
"""


class Nginx:
    """REST: what the configuration says besides; it listens at ADDRESS."""

    def __init__(self, folder, rest, address, modules=""):
        if not shutil.which("nginx"):
            raise AssertionError("nginx is not installed (nginx-light)")
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write(CONFIG.format(folder=folder, modules=modules, rest=rest))
        self.process = Process(["nginx", "-e", "stderr", "-p", folder, "-c", path])
        self.process.wait_connect(address).close()

    def log(self):
        return self.process.output()

    def stop(self):
        if self.process.alive():
            self.process.signal(signal.SIGTERM)
            self.process.wait()


HTTP = """
http {{
  log_format asked '$connection $status $http_auth_user';
  access_log {folder}/access asked;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{maps}
  server {{
    listen {host}:{port}{ssl};
    location /auth {{
{fields}
      if ($goes_to) {{
        rewrite ^ $goes_to last;
      }}
      return 200;
    }}
    location /broken {{
      return 500;
    }}
    location /slow {{
      proxy_pass http://{host}:{slow};
      proxy_read_timeout 60s;
    }}
    location /impatient {{
      proxy_pass http://{host}:{slow};
      proxy_read_timeout 100ms;
    }}
  }}
}}
"""


class Service(Nginx):
    """Says of each user what ANSWERS (user as nginx's clients write it -> field -> value) has, and of others that they
    are not known. A path instead of the fields ("/broken", "/slow", "/impatient") is one above. SLOW: a port that never
    answers."""

    def __init__(self, answers, slow=1, certificate=None):
        folder = workspace.folder("nginx")
        self.port = ports.free_port()
        self.url = f"http://{ports.HOST}:{self.port}/auth"
        ssl = ""
        if certificate:
            self.url = f"https://localhost:{self.port}/auth"
            ssl = f" ssl;\n    ssl_certificate {certificate.cert};\n    ssl_certificate_key {certificate.key}"
        self._access = os.path.join(folder, "access")
        fields = {user: said for user, said in answers.items() if not isinstance(said, str)}
        names = sorted({name for said in fields.values() for name in said} | {"Auth-Status"})
        maps = [self._map(self._variable(name), "Unknown user" if name == "Auth-Status" else "",
                          {user: said.get(name, "") for user, said in fields.items()}) for name in names]
        maps.append(self._map("$goes_to", "", {user: said for user, said in answers.items() if isinstance(said, str)}))
        added = "\n".join(f"      add_header {name} {self._variable(name)};" for name in names)
        super().__init__(folder, HTTP.format(folder=folder, maps="\n".join(maps), fields=added, host=ports.HOST,
                                             port=self.port, slow=slow, ssl=ssl), (ports.HOST, self.port))

    @staticmethod
    def _variable(name):
        return "$said_" + name.lower().replace("-", "_")

    @staticmethod
    def _map(variable, default, values):
        def quoted(text):
            return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'
        lines = "".join(f"    {quoted(user)} {quoted(value)};\n" for user, value in values.items())
        return f"  map $http_auth_user {variable} {{\n    default {quoted(default)};\n{lines}  }}"

    def asked(self):
        """(connection, status, user) of each request that was answered, in order."""
        with open(self._access, encoding="utf-8") as log:
            return [tuple(line.rstrip("\n").split(" ", 2)) for line in log]


MAIL = """
mail {{
  server_name popgate.test;
  auth_http_timeout 10s;
  auth_http {url};
  {header}
  pop3_auth plain external;
  ssl_protocols TLSv1.3;
  ssl_certificate {cert};
  ssl_certificate_key {key};
  server {{
    listen {host}:{port};
    protocol pop3;
    proxy on;
    starttls on;
  }}
}}
"""


class MailProxy(Nginx):
    """nginx's own client of the service at URL, in front of POP3 servers; its POP3 is at ADDRESS."""

    def __init__(self, url, certificate, header=""):
        self.address = (ports.HOST, ports.free_port())
        super().__init__(workspace.folder("nginx-mail"), MAIL.format(
            url=url, header=header and f"auth_http_header {header};", cert=certificate.cert, key=certificate.key,
            host=ports.HOST, port=self.address[1]), self.address, f"load_module {MODULE};")
