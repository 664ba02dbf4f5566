"""The server as somebody runs it: configuration, signals, TLS, keys, restarts.

usage: operations_test.py FREEHOLD DATA     FREEHOLD: the program; DATA: tests/data
"""

import http.client
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

from program import Home, chat


class Operations(unittest.TestCase):
    def setUp(self):
        self.home = Home(*sys.argv[1:3])
        self.running = []

    def tearDown(self):
        for program in self.running:
            if program.process.poll() is None:
                program.stop(signal.SIGKILL)
        self.home.close()

    def serve(self, *arguments):
        self.running.append(self.home.serve(*arguments))
        return self.running[-1]

    def until(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it never came true")
            time.sleep(0.02)

    # --- configuration

    def test_check_says_what_is_wrong_and_where(self):
        good = self.home.run("serve", "--config", self.home.config(), "--check")
        self.assertEqual(good.returncode, 0, good.stderr)
        for before, after, complaint in [
                ("colour = 1", "", "line 2: there is no setting `colour`"),
                ("", "[limits]\nrequests = 0", "`limits.requests` must be a whole number"),
                ("", "[limits]\nreqests = 5", "there is no setting `limits.reqests`"),
                ("", "[engine]\nkv = \"f17\"", "must be f16, f32 or q8_0"),
                ("io_threads = \"two\"", "", "`io_threads` must be a whole number"),
                ("port = 1", "", "line 2"),  # twice
                ("", "[[models]]\nname = \"micro\"\npath = \"/x\"", "two models are named `micro`"),
                ("", "[[models]]\nname = \"x\"\npath = \"/no/such\"", "there is no file /no/such"),
                ("", "[[models]]\nname = \"../x\"\npath = \"/x\"", "a model's name")]:
            file = self.home.config("bad.toml", before, after)
            bad = self.home.run("serve", "--config", file, "--check")
            self.assertIn(bad.returncode, (1, 2), bad.stdout)
            self.assertIn(complaint, bad.stderr)

    def test_every_flag_is_a_setting(self):
        listing = self.home.run("serve", "--help").stdout
        flags = set(re.findall(r"--([a-z-]+)", listing.split("Example")[0]))
        settings = {"host": '"127.0.0.1"', "port": "0", "certificate": '""', "key": '""',
                    "ledger": f'"{self.home.path}/l.db"'}
        engine = {"threads": "1", "context": "64", "sequences": "2", "max_stall_ms": "100",
                  "prefix_folder": f'"{self.home.path}/prefix"', "speculate": '"off"',
                  "panel_files": "false"}
        elsewhere = {"help", "config", "check", "model"}  # [[models]]
        known = {name.replace("_", "-") for name in [*settings, *engine]} | elsewhere
        known = known - {"panel-files"} | {"no-panel-files"}
        self.assertEqual(flags - known, set(), "flags without a setting in the file")
        self.assertEqual({f for f in known if f not in flags}, set(), "settings without a flag")
        lines = [f"{k} = {v}" for k, v in settings.items() if k != "port"]
        tables = ["[engine]"] + [f"{k} = {v}" for k, v in engine.items()]
        file = self.home.config("all.toml", "\n".join(lines), "\n".join(tables))
        result = self.home.run("serve", "--config", file, "--check")
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_reachable_from_outside_needs_a_key(self):
        refused = self.home.run("serve", "--config", self.home.config(), "--host", "0.0.0.0")
        self.assertIn(refused.returncode, (1, 2))
        self.assertIn("freehold keys add", refused.stderr)
        self.home.run("keys", "add", "a")
        server = self.serve("--config", self.home.config(), "--host", "0.0.0.0")
        self.assertEqual(server.call("GET", "/v1/models")[0], 401)

    def test_prepared_weights_are_kept_unless_told_not_to(self):
        panels = self.home.path / "home" / "panels"
        self.home.widen_model()
        for config, flags in [(self.home.config(after="[engine]\npanel_files = false"), []),
                              (self.home.config("plain.toml"), ["--no-panel-files"])]:
            self.serve("--config", config, *flags).stop()
            self.assertFalse(panels.exists(), f"{flags} made {panels}")
        self.serve("--config", self.home.config()).stop()
        self.assertTrue(list(panels.glob("*.panels")), "nothing is kept")

    # --- signals

    def test_sigterm_lets_answers_finish(self):
        server = self.serve("--config", self.home.config())
        connection = server.connect()
        body = chat("count", max_tokens=400, stream=True)
        connection.request("POST", "/v1/chat/completions", json.dumps(body))
        response = connection.getresponse()
        first = response.readline()
        self.assertTrue(first.startswith(b"data: "), first)
        server.process.send_signal(signal.SIGTERM)
        rest = response.read()
        self.assertIn(b"[DONE]", rest)
        self.assertIn(b'"finish_reason":"length"', rest)
        self.assertEqual(server.stop(), 0)
        with self.assertRaises(OSError):
            server.connect(timeout=2).request("GET", "/health")
        usage = self.home.run("usage", "--by", "model", "--format", "csv").stdout
        self.assertRegex(usage, r"micro,1,")

    def test_a_second_signal_ends_at_once(self):
        config = self.home.config(after="[limits]\ndrain_s = 60")
        server = self.serve("--config", config)
        connection = server.connect()
        connection.request("POST", "/v1/chat/completions",
                           json.dumps(chat("x", max_tokens=100000, stream=True)))
        connection.getresponse().readline()
        begin = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 20)

    def test_sighup_reloads_keys_and_models(self):
        config = self.home.config()
        server = self.serve("--config", config)
        self.assertIn("no key", server.keys_line)
        self.assertEqual(server.call("GET", "/v1/models")[0], 200)
        key = re.search(r"fh-\S+|[A-Za-z0-9_-]{30,}", self.home.run("keys", "add", "first").stdout)
        self.assertIsNotNone(key)
        key = key.group()
        server.hang_up()
        self.until(lambda: server.call("GET", "/v1/models")[0] == 401)

        names = lambda: [m["id"] for m in server.call("GET", "/v1/models", key=key)[1]["data"]]
        self.assertEqual(names(), ["micro"])
        self.home.config(after=f'[[models]]\nname = "second"\npath = "{self.home.model}"')
        server.hang_up()
        self.until(lambda: names() == ["micro", "second"])
        body = {"model": "second", "prompt": "x", "max_tokens": 2}
        self.assertEqual(server.call("POST", "/v1/completions", body, key)[0], 200)

        config.write_text("this is no TOML")
        server.hang_up()
        time.sleep(0.3)
        self.assertEqual(names(), ["micro", "second"], "a bad file changes nothing")
        self.home.run("keys", "revoke", "first")
        self.assertEqual(server.call("GET", "/v1/models", key=key)[0], 401, "at once")

    # --- readers that don't read

    def slow_reader(self, server, body):
        """A client that asks and doesn't read, once the engine waits for it."""
        slow = socket.socket()
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(30)
        self.addCleanup(slow.close)
        slow.connect(("127.0.0.1", server.url.port))
        text = json.dumps(body)
        slow.sendall(f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}"
                     .encode())

        def stands_still():
            steps = []
            for _ in range(2):
                time.sleep(0.3)
                steps.append(self.metric(server, "engine_steps_total{model=\"micro\"}"))
            return steps[0] == steps[1]
        self.until(lambda: self.metric(server, "requests") == 1)
        self.until(stands_still)
        self.assertEqual(self.metric(server, "requests"), 1, "it has its answer already")
        return slow

    def metric(self, server, name):
        text = server.call("GET", "/metrics")[1]
        return int(re.search(rf"(?m)^freehold_{re.escape(name)} (\d+)", text).group(1))

    @staticmethod
    def read_all(slow):
        data = b""
        try:
            while piece := slow.recv(1 << 16):
                data += piece
        except ConnectionError:
            pass
        return data

    def test_a_reader_that_stops_gives_way_and_loses_its_stream(self):
        config = self.home.config(after="[engine]\nsequences = 1\n[limits]\nslow_reader_s = 6")
        server = self.serve("--config", config)
        ask = lambda: server.call("POST", "/v1/chat/completions", chat("hello", max_tokens=20))
        alone = ask()[1]["choices"]
        # More than may wait for a reader: the engine pauses after 2,048 tokens.
        long = chat("a long one", max_tokens=1800, n=3, stream=True, logprobs=True, top_logprobs=20)
        connection = server.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(long))
        whole = self.tokens_of(connection.getresponse().read())
        self.assertEqual([len(tokens) for tokens in whole], [1800] * 3)

        # It has the only place there is, and another one waits for it.
        slow = self.slow_reader(server, long)
        begin = time.monotonic()
        status, answer = ask()
        self.assertEqual((status, answer["choices"]), (200, alone))
        self.assertLess(time.monotonic() - begin, 5, "it waited for the slow reader's end")
        data = self.read_all(slow)  # reading again in time, it gets what it would have got
        self.assertIn(b"[DONE]", data)
        self.assertEqual(self.tokens_of(data), whole)
        self.assertEqual(self.metric(server, "slow_readers_total"), 0)

        slow = self.slow_reader(server, long)
        self.assertEqual(ask()[1]["choices"], alone)
        self.until(lambda: self.metric(server, "slow_readers_total") == 1)
        data = self.read_all(slow)
        self.assertNotIn(b"[DONE]", data)
        self.assertTrue(0 < sum(map(len, self.tokens_of(data))) < 3 * 1800)
        self.assertEqual(ask()[1]["choices"], alone)
        self.until(lambda: self.metric(server, "requests") == 0)

    @staticmethod
    def tokens_of(stream):
        """The tokens' bytes that a stream told for each of three choices."""
        tokens = [[], [], []]
        for line in stream.decode(errors="replace").splitlines():
            if not line.startswith("data: {") or not line.endswith("}"):
                continue
            for choice in json.loads(line[6:])["choices"]:
                logprobs = choice.get("logprobs") or {}
                tokens[choice["index"]] += [t["bytes"] for t in logprobs.get("content") or []]
        return tokens

    # --- TLS

    def test_tls(self):
        certificate, key = self.home.path / "cert.pem", self.home.path / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        config = self.home.config(after="[limits]\nheader_s = 1")
        server = self.serve("--config", config, "--certificate", certificate, "--key", key)
        self.assertEqual(server.url.scheme, "https")
        trusting = ssl.create_default_context(cafile=str(certificate))
        connection = http.client.HTTPSConnection("127.0.0.1", server.url.port, context=trusting,
                                                 timeout=30)
        for _ in range(3):  # on one connection
            connection.request("POST", "/v1/chat/completions", json.dumps(chat("x", stream=True)))
            self.assertIn(b"[DONE]", connection.getresponse().read())
        with self.assertRaises(ssl.SSLError):
            http.client.HTTPSConnection("127.0.0.1", server.url.port, timeout=10).request("GET", "/")
        old = ssl.create_default_context(cafile=str(certificate))
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, OSError)):
            with socket.create_connection(("127.0.0.1", server.url.port)) as plain:
                old.wrap_socket(plain, server_hostname="127.0.0.1")
        # One that speaks no TLS, and one that says nothing, are let go; others do not notice.
        silent = socket.create_connection(("127.0.0.1", server.url.port))
        with socket.create_connection(("127.0.0.1", server.url.port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.settimeout(10)
            self.assertNotIn(b"HTTP/1.1 2", plain.recv(100))
        silent.settimeout(10)
        self.assertEqual(silent.recv(100), b"")
        connection.request("GET", "/health")
        self.assertEqual(connection.getresponse().status, 200)
        server.stop()

        for wrong in (self.home.config(), self.home.path / "nothing.pem"):
            failed = self.home.run("serve", "--config", self.home.config(), "--certificate", wrong,
                                   "--key", key)
            self.assertIn(failed.returncode, (1, 2))
            self.assertIn("certificate", failed.stderr)

    # --- restarts

    def test_the_prefix_cache_outlives_the_server(self):
        config = self.home.config(after=f'[engine]\nprefix_folder = "{self.home.path}/prefix"')
        body = chat("a long story of a river and a bridge " * 6)
        server = self.serve("--config", config)
        _, before = server.call("POST", "/v1/chat/completions", body)
        self.assertEqual(before["usage"]["prompt_cache_hit_tokens"], 0)
        self.assertEqual(server.stop(), 0)

        server = self.serve("--config", config)
        other = server.call("POST", "/v1/chat/completions", {**body, "user": "somebody"})[1]
        self.assertEqual(other["usage"]["prompt_cache_hit_tokens"], 0, "another tenant")
        _, after = server.call("POST", "/v1/chat/completions", body)
        cached = after["usage"]["prompt_cache_hit_tokens"]
        self.assertGreaterEqual(cached, before["usage"]["prompt_tokens"] - 32)
        self.assertEqual(after["choices"], before["choices"])
        self.assertEqual(server.stop(), 0)

        # Another model's cache is not read: one byte of its file is enough.
        weights = bytearray(self.home.model.read_bytes())
        weights[-1] ^= 1
        self.home.model.write_bytes(weights)
        server = self.serve("--config", config)
        _, changed = server.call("POST", "/v1/chat/completions", body)
        self.assertEqual(changed["usage"]["prompt_cache_hit_tokens"], 0)

    def test_a_prefix_cache_that_cant_be_kept_is_told_once_and_counted(self):
        prefix = self.home.path / "prefix"
        config = self.home.config(
            before="models_bytes = 1",
            after=f'[[models]]\nname = "other"\npath = "{self.home.model}"\n'
                  f'[engine]\nprefix_folder = "{prefix}"')
        server = self.serve("--config", config)
        ask = lambda model: server.call("POST", "/v1/completions",
                                        {"model": model, "prompt": "a b c", "max_tokens": 2})
        failures = lambda: re.search(r"(?m)^freehold_prefix_write_failures_total (\d+)",
                                     server.call("GET", "/metrics")[1]).group(1)
        told = lambda: (self.home.path / "log").read_text().count("prefix_not_kept")
        self.assertEqual(ask("other")[0], 200)  # there is memory for one, so the first must go
        self.until(lambda: ask("micro")[0] == 200)
        self.assertEqual((failures(), told()), ("0", 0))
        for file in prefix.glob("*.prefix"):
            file.unlink()
            file.mkdir()  # what can't be replaced by a file
        for n, model in enumerate(["other", "micro"]):
            self.until(lambda: ask(model)[0] == 200)
            self.assertEqual((failures(), told()), (str(n + 1), 1))
        self.assertEqual(server.stop(), 0)
        self.assertEqual(told(), 1)
        log = (self.home.path / "log").read_text()
        self.assertRegex(log, rf"{prefix}/\S+: Is a directory")

    def test_killed_in_the_middle_the_usage_is_kept(self):
        server = self.serve("--config", self.home.config())
        server.call("POST", "/v1/chat/completions", chat("done"))
        connection = server.connect()
        connection.request("POST", "/v1/chat/completions",
                           json.dumps(chat("x", max_tokens=100000, stream=True)))
        connection.getresponse().readline()
        server.stop(signal.SIGKILL)
        server = self.serve("--config", self.home.config())
        usage = self.home.run("usage", "--by", "model", "--format", "csv").stdout
        self.assertRegex(usage, r"micro,2,")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
