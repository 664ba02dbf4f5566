"""Clients from npm against the server: libraries (clients.test.mjs), and an agent at its command
line that reads a file by a tool call.

usage: npm_test.py SERVER_TEST FOLDER

FOLDER keeps the packages between runs. Ends with 77 (skipped) only when they can't be installed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fake_server import FakeServer

HERE = Path(__file__).parent


def install(folder):
    """Where the packages of package.json are, or None."""
    wanted = (HERE / "package.json").read_text()
    done = folder / "installed"
    if done.exists() and done.read_text() == wanted:
        return True
    if shutil.which("npm") is None:
        print("there is no npm")
        return False
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "package.json").write_text(wanted)
    try:
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"],
                       cwd=folder, check=True, timeout=500)
    except (OSError, subprocess.SubprocessError) as error:
        print("the packages can't be installed:", error)
        return False
    done.write_text(wanted)
    return True


def agent(folder, node, url):
    """Asks the agent to read a note; the model makes one call and then says what the note says."""
    with tempfile.TemporaryDirectory() as place:
        note = Path(place) / "note.txt"
        note.write_text("say: the note says forty-two\n")
        question = ('say: <tool_call>\\n{"name": "read_file", "arguments": '
                    f'{{"file_path": "{note}"}}}}\\n</tool_call>')
        result = subprocess.run(
            [node, folder / "node_modules/@qwen-code/qwen-code/cli.js", "--auth-type", "openai",
             "--openai-base-url", url + "/v1", "--openai-api-key", "none", "--model", "fake",
             "--yolo", "--prompt", question],
            cwd=place, env={**os.environ, "HOME": place}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120)
        print(result.stdout, result.stderr)
        return result.returncode == 0 and "the note says forty-two" in result.stdout


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    if not install(folder):
        return 77
    node = folder / "node_modules/.bin/node"
    shutil.copy(HERE / "clients.test.mjs", folder)
    server = FakeServer(program, context=1000000)
    libraries = subprocess.run([node, "--test", "clients.test.mjs"], cwd=folder, timeout=300,
                               env={**os.environ, "FREEHOLD_CLIENT_URL": server.url})
    agent_did = agent(folder, node, server.url)
    if not agent_did:
        print("the agent did not do what it was asked")
    stopped = server.stop()
    return libraries.returncode or stopped or (0 if agent_did else 1)


if __name__ == "__main__":
    sys.exit(main())
