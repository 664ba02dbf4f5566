"""`freehold serve` as a process, on a small model of tests/data, in a folder of its own."""

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from wide_model import widen  # noqa: E402

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant:"


class Home:
    """A folder with a model, a template and a store; gone at the end."""

    def __init__(self, freehold, data):
        self.freehold = freehold
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.model = self.path / "micro.gguf"
        packed = Path(data) / "logits" / "micro-llama.gguf.gz"
        self.model.write_bytes(gzip.decompress(packed.read_bytes()))
        (self.path / "micro.jinja").write_text(TEMPLATE)
        self.environment = dict(os.environ, FREEHOLD_HOME=str(self.path / "home"))

    def widen_model(self):
        """Large enough for what is kept of large models only."""
        widen(self.model, self.model, 16384)

    def run(self, *arguments):
        return subprocess.run([self.freehold, *map(str, arguments)], env=self.environment,
                              capture_output=True, text=True, timeout=120)

    def config(self, name="serve.toml", before="", after=""):
        """Writes a configuration that serves the model as `micro`."""
        file = self.path / name
        file.write_text(f'port = 0\n{before}\n[[models]]\nname = "micro"\npath = "{self.model}"\n'
                        f'template = "{self.path}/micro.jinja"\npreload = true\n{after}\n')
        return file

    def serve(self, *arguments):
        return Program(self, arguments)

    def close(self):
        self.folder.cleanup()


class Program:
    def __init__(self, home, arguments):
        self.log = open(home.path / "log", "a+")
        self.process = subprocess.Popen(
            [home.freehold, "serve", *map(str, arguments)], env=home.environment, text=True,
            stdout=subprocess.PIPE, stderr=self.log)
        for line in self.process.stdout:
            if line.startswith("Freehold serves at "):
                self.url = urllib.parse.urlsplit(line.split()[3])
                self.keys_line = self.process.stdout.readline()
                return
        self.log.seek(0)
        raise RuntimeError(f"the server did not start: {self.log.read()}")

    def connect(self, timeout=60):
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=timeout)

    def call(self, method, path, body=None, key=None):
        """Status and JSON (or text) of one request."""
        connection = self.connect()
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = "Bearer " + key
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        is_json = response.headers["Content-Type"].startswith("application/json")
        return response.status, json.loads(text) if is_json else text

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.stdout.read()
        self.process.stdout.close()
        self.log.close()
        return self.process.wait(timeout=60)


def chat(text, **more):
    return {"model": "micro", "temperature": 0, "max_tokens": 8, "ignore_eos": True,
            "messages": [{"role": "user", "content": text}], **more}
