"""The server's own test program as a process: it serves a model that says what the last "say: ..."
of its prompt tells it to, until its standard input ends. See FakeServer in src/server."""

import os
import subprocess


class FakeServer:
    def __init__(self, program, **settings):
        """`settings` are those that FREEHOLD_FAKE_SERVER takes: step_us, header_s, ..."""
        wanted = " ".join(f"{name}={value}" for name, value in settings.items())
        self.process = subprocess.Popen(
            [program, "--gtest_filter=FakeServer.*"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
            env={**os.environ, "FREEHOLD_FAKE_SERVER": wanted or "on"})
        for line in self.process.stdout:
            if line.startswith("port "):
                self.port = int(line.split()[1])
                self.url = f"http://127.0.0.1:{self.port}"
                return
        raise RuntimeError("the server did not start")

    def stop(self):
        """Ends it; its exit status, which is 0 only if nothing was left running."""
        self.process.stdin.close()
        self.process.stdout.read()
        return self.process.wait(timeout=60)
