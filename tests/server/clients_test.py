"""The packages that people use against the server, with nothing but a changed base URL.

usage: clients_test.py SERVER_TEST FOLDER

SERVER_TEST is the server's own test program: with FREEHOLD_FAKE_SERVER set it serves a model that
says what the last "say: ..." of its prompt tells it to, until its standard input ends. FOLDER keeps
the packages between runs. Ends with 77 (skipped) only when they can't be installed.
"""

import json
import os
import subprocess
import sys
import unittest
import venv

PACKAGES = ["openai==3.54.0", "anthropic==2.12.0"]


def install(folder):
    """The Python of an environment that has the packages, or None."""
    python = os.path.join(folder, "bin", "python3")
    done = os.path.join(folder, "installed")
    wanted = "\n".join(PACKAGES)
    if os.path.exists(done) and open(done).read() == wanted:
        return python
    try:
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *PACKAGES],
                       check=True, timeout=400)
    except (OSError, subprocess.SubprocessError) as error:
        print("the clients can't be installed:", error)
        return None
    with open(done, "w") as file:
        file.write(wanted)
    return python


class Server:
    def __init__(self, program):
        self.process = subprocess.Popen(
            [program, "--gtest_filter=FakeServer.*"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "FREEHOLD_FAKE_SERVER": "1"})
        for line in self.process.stdout:
            if line.startswith("port "):
                self.url = "http://127.0.0.1:" + line.split()[1]
                return
        raise RuntimeError("the server did not start")

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.read()
        return self.process.wait(timeout=30)


def said(text):
    return [{"role": "user", "content": "say: " + text}]


ADD = {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
       "required": ["a", "b"], "additionalProperties": False}


class OpenAI(unittest.TestCase):
    def setUp(self):
        import openai

        self.openai = openai
        self.client = openai.OpenAI(base_url=URL + "/v1", api_key="none", max_retries=0)

    def test_models(self):
        self.assertEqual([m.id for m in self.client.models.list()], ["fake"])
        self.assertEqual(self.client.models.retrieve("fake").id, "fake")

    def test_chat(self):
        answer = self.client.chat.completions.create(model="fake", messages=said("hello world"))
        self.assertEqual(answer.choices[0].message.content, "hello world")
        self.assertEqual(answer.usage.total_tokens,
                         answer.usage.prompt_tokens + answer.usage.completion_tokens)

    def test_chat_stream(self):
        stream = self.client.chat.completions.create(
            model="fake", messages=said("hello world"), stream=True,
            stream_options={"include_usage": True})
        chunks = list(stream)
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertEqual(text, "hello world")
        self.assertEqual(chunks[-1].usage.completion_tokens, 2)

    def test_tools(self):
        tool = {"type": "function", "function": {"name": "add", "parameters": ADD, "strict": True}}
        answer = self.client.chat.completions.create(
            model="fake", messages=said("anything"), tools=[tool], tool_choice="required", seed=5,
            parallel_tool_calls=False)
        call = answer.choices[0].message.tool_calls[0]
        self.assertEqual(answer.choices[0].finish_reason, "tool_calls")
        self.assertEqual(call.function.name, "add")
        self.assertEqual(sorted(json.loads(call.function.arguments)), ["a", "b"])

    def test_structured_output(self):
        schema = {"type": "object", "additionalProperties": False, "required": ["name", "ok"],
                  "properties": {"name": {"enum": ["x", "yy"]}, "ok": {"type": "boolean"}}}
        for seed in range(5):
            answer = self.client.chat.completions.create(
                model="fake", messages=said("anything"), seed=seed,
                extra_body={"thinking": {"type": "disabled"}},
                response_format={"type": "json_schema",
                                 "json_schema": {"name": "n", "strict": True, "schema": schema}})
            value = json.loads(answer.choices[0].message.content)
            self.assertIn(value["name"], ["x", "yy"])
            self.assertIsInstance(value["ok"], bool)

    def test_errors(self):
        with self.assertRaises(self.openai.NotFoundError):
            self.client.chat.completions.create(model="none", messages=said("x"))
        with self.assertRaises(self.openai.BadRequestError) as caught:
            self.client.chat.completions.create(model="fake", messages=said("x"), temperature=9)
        self.assertEqual(caught.exception.param, "temperature")
        with self.assertRaises(self.openai.BadRequestError) as caught:
            self.client.chat.completions.create(model="fake", messages=said("x"),
                                                extra_body={"colour": "red"})
        self.assertEqual(caught.exception.param, "colour")

    def test_completions_and_embeddings(self):
        answer = self.client.completions.create(model="fake", prompt="say: hello", echo=True)
        self.assertEqual(answer.choices[0].text, "say: hellohello")
        vectors = self.client.embeddings.create(model="fake", input=["one", "two"])
        self.assertEqual([v.index for v in vectors.data], [0, 1])
        self.assertAlmostEqual(sum(x * x for x in vectors.data[0].embedding), 1, places=4)

    def test_responses(self):
        answer = self.client.responses.create(model="fake", input="say: hello world")
        self.assertEqual(answer.output_text, "hello world")
        kinds = []
        text = ""
        for event in self.client.responses.create(model="fake", input="say: hello", stream=True):
            kinds.append(event.type)
            if event.type == "response.output_text.delta":
                text += event.delta
        self.assertEqual(text, "hello")
        self.assertEqual(kinds[0], "response.created")
        self.assertEqual(kinds[-1], "response.completed")

    def test_deepseek(self):
        client = self.openai.OpenAI(base_url=URL, api_key="none", max_retries=0)
        answer = client.chat.completions.create(model="fake", messages=said("why</think>hello"))
        self.assertEqual(answer.choices[0].message.reasoning_content, "why")
        self.assertEqual(answer.choices[0].message.content, "hello")
        self.assertEqual(answer.usage.prompt_cache_hit_tokens
                         + answer.usage.prompt_cache_miss_tokens, answer.usage.prompt_tokens)
        with self.assertRaises(self.openai.UnprocessableEntityError):
            client.chat.completions.create(model="fake", messages=said("x"), temperature=9)


class Anthropic(unittest.TestCase):
    def setUp(self):
        import anthropic

        self.anthropic = anthropic
        self.client = anthropic.Anthropic(base_url=URL, api_key="none", max_retries=0)

    def test_message(self):
        answer = self.client.messages.create(model="fake", max_tokens=50,
                                             messages=said("hello world"))
        self.assertEqual(answer.content[0].text, "hello world")
        self.assertEqual(answer.stop_reason, "end_turn")

    def test_stream_with_thinking(self):
        with self.client.messages.stream(
                model="fake", max_tokens=2000, messages=said("why</think>hello"),
                thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
            kinds = [event.type for event in stream]
            answer = stream.get_final_message()
        self.assertEqual([block.type for block in answer.content], ["thinking", "text"])
        self.assertEqual(answer.content[1].text, "hello")
        self.assertEqual(kinds[0], "message_start")
        self.assertEqual(kinds[-1], "message_stop")

    def test_tool_use_and_result(self):
        tools = [{"name": "add", "input_schema": ADD}]
        answer = self.client.messages.create(
            model="fake", max_tokens=500, messages=said("anything"), tools=tools,
            tool_choice={"type": "tool", "name": "add", "disable_parallel_tool_use": True})
        call = answer.content[-1]
        self.assertEqual(answer.stop_reason, "tool_use")
        self.assertEqual(call.name, "add")
        self.assertEqual(sorted(call.input), ["a", "b"])
        again = self.client.messages.create(model="fake", max_tokens=50, tools=tools, messages=[
            *said("anything"), {"role": "assistant", "content": answer.content},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id,
                                          "content": "say: done"}]}])
        self.assertEqual(again.content[0].text, "done")

    def test_count_and_errors(self):
        count = self.client.messages.count_tokens(model="fake", messages=said("hello"))
        self.assertGreater(count.input_tokens, 3)
        with self.assertRaises(self.anthropic.BadRequestError):
            self.client.messages.create(model="fake", max_tokens=50, messages=[
                {"role": "user", "content": [{"type": "image", "source": {
                    "type": "base64", "media_type": "image/png", "data": "AA=="}}]}])


if __name__ == "__main__":
    if os.environ.get("FREEHOLD_CLIENT_URL"):
        URL = os.environ["FREEHOLD_CLIENT_URL"]
        unittest.main(argv=sys.argv[:1])
    program, folder = sys.argv[1:3]
    python = install(folder)
    if python is None:
        sys.exit(77)
    server = Server(program)
    result = subprocess.run([python, __file__], timeout=400,
                            env={**os.environ, "FREEHOLD_CLIENT_URL": server.url})
    stopped = server.stop()
    sys.exit(result.returncode or stopped)
