#!/usr/bin/env python3
"""Drives any server with OpenAI's chat API and says how fast it answers.

Standard library only. Each client streams one request after the other over a connection of its own;
the clocks are this program's, so what is measured is what a user sees.

    serve_bench.py --url http://127.0.0.1:8080 --model m --clients 8 --requests 4 \\
        --prompt-words 100 --tokens 64 [--prefix-words 300] [--json]
"""

import argparse
import http.client
import json
import random
import statistics
import sys
import threading
import time
import urllib.parse

WORDS = (
    "river stone lantern harvest copper window meadow signal anchor paper garden winter engine "
    "bridge candle orchard market thunder valley pencil harbour cotton ladder mirror forest needle"
).split()


def words(count, seed):
    chooser = random.Random(seed)
    return " ".join(chooser.choice(WORDS) for _ in range(count))


class Sample:
    """One answer: when it was asked, when each piece came, how many tokens the server counted."""

    def __init__(self):
        self.asked = time.perf_counter()
        self.pieces = []
        self.tokens = 0
        self.error = None


def ask(connection, path, headers, body):
    sample = Sample()
    try:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        if response.status != 200:
            sample.error = f"{response.status}: {response.read(300).decode(errors='replace')}"
            return sample
        for line in response:
            if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                continue
            now = time.perf_counter()
            event = json.loads(line[6:])
            usage = event.get("usage")
            if usage:
                sample.tokens = usage["completion_tokens"]
            for choice in event.get("choices", []):
                delta = choice.get("delta", {})
                if delta.get("content") or delta.get("reasoning_content"):
                    sample.pieces.append(now)
    except (OSError, http.client.HTTPException, ValueError) as error:
        sample.error = f"{type(error).__name__}: {error}"
    return sample


def client(number, options, barrier, samples):
    target = urllib.parse.urlsplit(options.url)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.netloc, timeout=600)
    headers = {"Content-Type": "application/json"}
    if options.key:
        headers["Authorization"] = "Bearer " + options.key
    prefix = words(options.prefix_words, "prefix") + " " if options.prefix_words else ""
    barrier.wait()
    for turn in range(options.requests):
        text = prefix + words(options.prompt_words, f"{options.seed}-{number}-{turn}")
        body = {
            "model": options.model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": options.tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if options.ignore_eos:
            body["ignore_eos"] = True
        samples.append(ask(connection, target.path + "/v1/chat/completions", headers, body))
    connection.close()


def spread(values):
    if not values:
        return None
    ordered = sorted(values)
    pick = lambda share: ordered[min(len(ordered) - 1, int(share * len(ordered)))]
    return {"p50": pick(0.50), "p95": pick(0.95), "p99": pick(0.99), "mean": statistics.mean(ordered)}


def report(samples, wall):
    good = [s for s in samples if s.error is None and s.pieces]
    gaps = [b - a for s in good for a, b in zip(s.pieces, s.pieces[1:])]
    tokens = sum(s.tokens or len(s.pieces) for s in good)
    return {
        "requests": len(samples),
        "failed": len(samples) - len(good),
        "errors": sorted({s.error for s in samples if s.error})[:5],
        "generated_tokens": tokens,
        "wall_s": wall,
        "generated_tps": tokens / wall,
        "first_token_s": spread([s.pieces[0] - s.asked for s in good]),
        "gap_s": spread(gaps),
        "answer_s": spread([s.pieces[-1] - s.asked for s in good]),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--model", required=True)
    parser.add_argument("--key", default="")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=4, help="of each client")
    parser.add_argument("--prompt-words", type=int, default=100)
    parser.add_argument("--prefix-words", type=int, default=0, help="the same for all requests")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--ignore-eos", action="store_true", help="where the server knows it")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    samples = []
    barrier = threading.Barrier(options.clients + 1)
    threads = [
        threading.Thread(target=client, args=(i, options, barrier, samples))
        for i in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    barrier.wait()
    begin = time.perf_counter()
    for thread in threads:
        thread.join()
    result = report(samples, time.perf_counter() - begin)
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        print(f"{result['requests']} requests, {result['failed']} failed, {result['wall_s']:.2f} s")
        print(f"generated  {result['generated_tokens']} tokens, {result['generated_tps']:.1f} tokens/s")
        for name in ("first_token_s", "gap_s", "answer_s"):
            values = result[name]
            if values:
                line = "  ".join(f"{k} {v * 1000:.1f}" for k, v in values.items())
                print(f"{name[:-2]:<12} {line}  ms")
        for error in result["errors"]:
            print("error:", error, file=sys.stderr)
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
