"""The public JSON Schema test suite (draft 2020-12) against structured output: whatever schema the
server takes, every answer keeps to it; every other it refuses by name.

usage: schema_suite.py FOLDER     FOLDER: draft2020-12 of the suite

FREEHOLD_CLIENT_URL: a fake server (see fake_server.py), whose model would rather say something else.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path

import jsonschema

URL = os.environ["FREEHOLD_CLIENT_URL"]
SEEDS = range(4)
# A ratchet: schemas of the suite that are taken. docs/server.md states the figure.
ACCEPTED_AT_LEAST = 155


def ask(schema, seed):
    body = {"model": "fake", "messages": [{"role": "user", "content": "say: anything"}],
            "seed": seed, "max_tokens": 2000, "thinking": {"type": "disabled"},
            "response_format": {"type": "json_schema",
                                "json_schema": {"name": "n", "schema": schema}}}
    request = urllib.request.Request(URL + "/v1/chat/completions", json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.load(reply)["choices"][0]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]


def main():
    accepted, refused, answers, cut, wrong = 0, {}, 0, 0, []
    for file in sorted(Path(sys.argv[1]).glob("*.json")):
        for group in json.loads(file.read_text()):
            schema = group["schema"]
            if not isinstance(schema, dict):
                continue  # the API takes objects
            name = f"{file.stem}: {group['description']}"
            for seed in SEEDS:
                status, choice = ask(schema, seed)
                if status == 400:
                    refused[name] = choice["message"]
                    break
                if status != 200:
                    wrong.append(f"{name}: status {status}")
                    break
                if choice["finish_reason"] == "length":
                    cut += 1
                    continue
                answers += 1
                text = choice["message"]["content"]
                try:
                    validator = jsonschema.Draft202012Validator(schema)
                    validator.validate(json.loads(text))
                except (ValueError, jsonschema.ValidationError) as error:
                    wrong.append(f"{name}: {text[:100]!r}: {str(error).splitlines()[0]}")
            else:
                accepted += 1
    print(f"schemas taken {accepted}, refused {len(refused)}; answers {answers}, cut off {cut}, "
          f"against their schema {len(wrong)}")
    if "-v" in sys.argv:
        for name, message in refused.items():
            print("  refused", name, "|", message)
    for line in wrong:
        print("WRONG", line)
    return 1 if wrong or accepted < ACCEPTED_AT_LEAST or answers < 3 * accepted else 0


if __name__ == "__main__":
    sys.exit(main())
