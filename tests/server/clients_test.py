"""The packages that people use against the server, with nothing but a changed base URL.

usage: clients_test.py SERVER_TEST FOLDER

SERVER_TEST is the server's own test program (see fake_server.py). FOLDER keeps the packages
between runs. Ends with 77 (skipped) only when they can't be installed.
"""

import json
import os
import subprocess
import sys
import tarfile
import unittest
import urllib.error
import urllib.request
import venv

from fake_server import FakeServer

# Packages that want the same things at different versions live apart: for each environment its
# packages and the tests that run there.
ENVIRONMENTS = {
    "apis": (["openai==3.54.0", "anthropic==2.12.0", "jsonschema==4.26.0"],
             ["OpenAI", "Anthropic", "OpenApi"]),
    "langchain": (["langchain-openai==1.6.0"], ["LangChain"]),
}


def install(folder, packages):
    """The Python of an environment that has the packages, or None."""
    python = os.path.join(folder, "bin", "python3")
    done = os.path.join(folder, "installed")
    wanted = "\n".join(packages)
    if os.path.exists(done) and open(done).read() == wanted:
        return python
    try:
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages],
                       check=True, timeout=400)
    except (OSError, subprocess.SubprocessError) as error:
        print("the clients can't be installed:", error)
        return None
    with open(done, "w") as file:
        file.write(wanted)
    return python


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
            thinking={"type": "disabled"},  # random thoughts know no end
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


class LangChain(unittest.TestCase):
    def setUp(self):
        from langchain_openai import ChatOpenAI, OpenAIEmbeddings

        self.model = ChatOpenAI(model="fake", base_url=URL + "/v1", api_key="none", max_retries=0)
        self.embeddings = OpenAIEmbeddings(model="fake", base_url=URL + "/v1", api_key="none",
                                           check_embedding_ctx_length=False)

    def test_invoke_and_stream(self):
        answer = self.model.invoke("say: hello world")
        self.assertEqual(answer.content, "hello world")
        self.assertEqual(answer.usage_metadata["output_tokens"], 2)
        pieces = [piece.content for piece in self.model.stream("say: hello world")]
        self.assertEqual("".join(pieces), "hello world")

    def test_tools_and_structure(self):
        tool = {"type": "function", "function": {"name": "add", "parameters": ADD, "strict": True}}
        bound = self.model.bind_tools([tool], tool_choice="add", parallel_tool_calls=False)
        call = bound.invoke("say: anything").tool_calls[0]
        self.assertEqual(call["name"], "add")
        self.assertEqual(sorted(call["args"]), ["a", "b"])
        schema = {**ADD, "title": "add", "description": "two numbers"}
        value = self.model.with_structured_output(schema, method="json_schema").invoke("say: x")
        self.assertEqual(sorted(value), ["a", "b"])

    def test_embeddings(self):
        one, two = self.embeddings.embed_documents(["one", "two"])
        self.assertEqual(len(one), len(two))


def example(path):
    """Requests of a route that it answers, as many as say something new."""
    messages = {"model": "fake", "messages": said("hello world")}
    tool = {"type": "function", "function": {"name": "add", "parameters": ADD, "strict": True}}
    if path.endswith("/chat/completions"):
        call = '<tool_call>\\n{"name": "add", "arguments": {"a": 1}}\\n</tool_call>'
        return [messages, {**messages, "stream": True, "stream_options": {"include_usage": True}},
                {**messages, "logprobs": True, "top_logprobs": 2, "n": 2, "stop": ["x"], "seed": 1,
                 "max_tokens": 1, "logit_bias": {"5": -1}},
                {**messages, "messages": said(call), "tools": [tool],
                 "thinking": {"type": "disabled"}},
                {**messages, "messages": said(call), "tools": [tool], "stream": True,
                 "reasoning_effort": "none"},
                {**messages, "messages": said("a</think>b"), "reasoning_effort": "high"},
                {**messages, "messages": said("a</think>b"), "stream": True, "logprobs": True,
                 "thinking": {"type": "enabled"}},
                {**messages, "response_format": {"type": "json_schema", "json_schema": {
                    "name": "n", "schema": ADD}}, "thinking": {"type": "disabled"}}]
    if path.endswith("/completions"):
        text = {"model": "fake", "prompt": "say: hello world"}
        return [text, {**text, "stream": True}, {**text, "logprobs": 1, "max_tokens": 3},
                {**text, "suffix": "end"}, {"model": "fake", "prompt": [[72, 73], [74]]},
                {**text, "echo": True, "n": 2, "stream": True}]
    if path.endswith("/responses"):
        text = {"model": "fake", "input": "say: hello world"}
        flat = {"type": "function", "name": "add", "parameters": ADD, "strict": True}
        return [text, {**text, "stream": True},
                {**text, "tools": [flat], "tool_choice": "required", "stream": True,
                 "parallel_tool_calls": False},
                {**text, "reasoning": {"effort": "high"}, "max_output_tokens": 3},
                {"model": "fake", "instructions": "be", "input": [
                    {"role": "user", "content": [{"type": "input_text", "text": "say: x"}]}]}]
    if path.endswith("/count_tokens"):
        return [messages]
    if path.endswith("/messages"):
        most = {**messages, "max_tokens": 400}
        mine = {"name": "add", "input_schema": ADD, "strict": True}
        return [most, {**most, "stream": True}, {**most, "system": "be", "stop_sequences": ["w"]},
                {**most, "tools": [mine], "stream": True, "tool_choice": {
                    "type": "any", "disable_parallel_tool_use": True}},
                {**most, "messages": said("a</think>b"), "stream": True,
                 "thinking": {"type": "enabled", "budget_tokens": 50}}]
    if path.endswith("/embeddings"):
        return [{"model": "fake", "input": ["a", "b"]},
                {"model": "fake", "input": "a", "encoding_format": "base64"}]
    if path == "/tokenize":
        return [{"model": "fake", "content": "hello"},
                {"model": "fake", "content": "hello", "with_pieces": True}]
    return [{"model": "fake", "tokens": [72, 73]}]


class OpenApi(unittest.TestCase):
    """What goes in and out is what the server's own document says."""

    def setUp(self):
        self.document = self.call("GET", "/openapi.json")[2]

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"},
                                         method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                status, kind, text = reply.status, reply.headers["Content-Type"], reply.read()
        except urllib.error.HTTPError as error:
            status, kind, text = error.code, error.headers["Content-Type"], error.read()
        kind = kind.split(";")[0]
        return status, kind, json.loads(text) if kind == "application/json" else text.decode()

    def check(self, value, schema):
        import jsonschema

        whole = {**schema, "components": self.document["components"]}
        jsonschema.Draft202012Validator(whole).validate(value)

    def check_reply(self, operation, reply):
        status, kind, value = reply
        responses = operation["responses"]
        schemas = responses.get(str(status), responses.get("default"))["content"]
        self.assertIn(kind, schemas)
        if kind != "text/event-stream":
            self.check(value, schemas[kind]["schema"])
            return
        for line in value.splitlines():
            if line.startswith("data: ") and line != "data: [DONE]":
                self.check(json.loads(line[6:]), schemas[kind]["schema"])

    def test_every_route(self):
        n_replies = 0
        for path, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if method == "get":
                    self.check_reply(operation, self.call("GET", path.replace("{model}", "fake")))
                    n_replies += 1
                if method != "post":
                    continue
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                for body in example(path):
                    with self.subTest(path=path, body=body):
                        self.check(body, schema)
                        reply = self.call("POST", path, body)
                        self.assertEqual(reply[0], 200, reply[2])
                        self.check_reply(operation, reply)
                        n_replies += 1
        self.assertGreater(n_replies, 60)

    def test_fields_are_those_of_the_document_and_no_others(self):
        import jsonschema

        for path, methods in self.document["paths"].items():
            if "post" not in methods:
                continue
            schema = methods["post"]["requestBody"]["content"]["application/json"]["schema"]
            named = self.document["components"]["schemas"][schema["$ref"].split("/")[-1]]
            first = example(path)[0]
            for field in [*named["properties"], "unknown_field"]:
                wrong = {**first, field: {"no": ["such", "value"]}}
                reply = self.call("POST", path, wrong)
                known = field != "unknown_field"
                with self.subTest(path=path, field=field):
                    message = reply[2].get("error", {}).get("message", "") if reply[0] != 200 else ""
                    self.assertEqual(f"`{field}` is not a field" in message, not known,
                                     message)
                    if reply[0] != 200:
                        self.check_reply(methods["post"], reply)
                    if not known:
                        with self.assertRaises(jsonschema.ValidationError):
                            self.check(wrong, schema)


def install_suite(folder, python):
    """Where the JSON Schema test suite is, which the sources of jsonschema bring along; or None."""
    source = "jsonschema-4.26.0"
    suite = os.path.join(folder, source, "json", "tests", "draft2020-12")
    try:
        if not os.path.exists(suite):
            subprocess.run([python, "-m", "pip", "download", "-q", "--no-deps", "--no-binary",
                            "jsonschema", "-d", folder, "jsonschema==4.26.0"],
                           check=True, timeout=400)
            with tarfile.open(os.path.join(folder, source + ".tar.gz")) as archive:
                archive.extractall(folder, filter="data")
    except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        print("the schema suite can't be had:", error)
        return None
    return suite


def main():
    program, folder = sys.argv[1:3]
    pythons = {name: install(os.path.join(folder, name), packages)
               for name, (packages, _) in ENVIRONMENTS.items()}
    if None in pythons.values():
        return 77
    suite = install_suite(folder, pythons["apis"])
    if suite is None:
        return 77
    server = FakeServer(program)
    worst = 0
    for name, (_, tests) in ENVIRONMENTS.items():
        result = subprocess.run([pythons[name], __file__, *tests], timeout=400,
                                env={**os.environ, "FREEHOLD_CLIENT_URL": server.url})
        worst = worst or result.returncode
    script = os.path.join(os.path.dirname(__file__), "schema_suite.py")
    result = subprocess.run([pythons["apis"], script, suite], timeout=400,
                            env={**os.environ, "FREEHOLD_CLIENT_URL": server.url})
    worst = worst or result.returncode
    return worst or server.stop()


if __name__ == "__main__":
    if os.environ.get("FREEHOLD_CLIENT_URL"):
        URL = os.environ["FREEHOLD_CLIENT_URL"]
        unittest.main()
    sys.exit(main())
