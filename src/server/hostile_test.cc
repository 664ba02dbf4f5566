// The server stands its ground: wrong types everywhere, broken HTTP, readers that don't read,
// clients that leave. After each the same request gets the same answer, and nothing is left open.
#include <dirent.h>
#include <gtest/gtest.h>

#include <regex>

#include "server/test_server.h"

namespace freehold::server {
namespace {

size_t n_descriptors() {
  size_t n = 0;
  DIR* folder = opendir("/proc/self/fd");
  while (readdir(folder) != nullptr) ++n;
  closedir(folder);
  return n;
}

void expect_alive(TestServer& server) {
  const auto reply = post(server.port(), "/v1/chat/completions", say("hello world"));
  ASSERT_EQ(reply.status, 200U);
  ASSERT_EQ(reply.json()["choices"][0]["message"]["content"], "hello world");
}

constexpr const char* kParameters[] = {"model",
                                       "messages",
                                       "prompt",
                                       "input",
                                       "content",
                                       "tokens",
                                       "temperature",
                                       "top_p",
                                       "top_k",
                                       "min_p",
                                       "n",
                                       "seed",
                                       "stop",
                                       "stop_sequences",
                                       "stream",
                                       "stream_options",
                                       "max_tokens",
                                       "max_completion_tokens",
                                       "max_output_tokens",
                                       "logprobs",
                                       "top_logprobs",
                                       "logit_bias",
                                       "presence_penalty",
                                       "frequency_penalty",
                                       "repetition_penalty",
                                       "tools",
                                       "tool_choice",
                                       "response_format",
                                       "grammar",
                                       "thinking",
                                       "reasoning_effort",
                                       "reasoning",
                                       "user",
                                       "user_id",
                                       "suffix",
                                       "echo",
                                       "best_of",
                                       "ignore_eos",
                                       "chat_template_kwargs",
                                       "metadata",
                                       "system",
                                       "text",
                                       "instructions",
                                       "parallel_tool_calls",
                                       "encoding_format",
                                       "dimensions",
                                       "truncation",
                                       "previous_response_id",
                                       "output_config",
                                       "modalities",
                                       "unknown_field"};

// Every parameter with every wrong value: an error that names no address, or a proper answer;
// never a 5xx, never silence.
TEST(Hostile, TypeConfusion) {
  TestServer server;
  const Json values = Json::parse(
      R"([null, true, -1, 0, 1, 2147483648, 18446744073709551615, 1e308, -1e308, 0.5, "", "x",
          "\u0000", [], {}, [null], [[]], {"a":{}}, [1,2,3], {"type":"x"}, {"type":null}])");
  const std::map<std::string, Json> bases = {
      {"/v1/chat/completions", say("hello")},
      {"/chat/completions", say("hello")},
      {"/v1/completions", {{"model", "fake"}, {"prompt", "say: hello"}}},
      {"/v1/responses", {{"model", "fake"}, {"input", "say: hello"}}},
      {"/v1/embeddings", {{"model", "fake"}, {"input", "hello"}}},
      {"/v1/messages",
       {{"model", "fake"}, {"max_tokens", 5}, {"messages", say("hello")["messages"]}}},
      {"/tokenize", {{"model", "fake"}, {"content", "hello"}}},
      {"/detokenize", {{"model", "fake"}, {"tokens", {1}}}}};
  const std::regex pointer("0x[0-9a-f]{6,}");
  Client client(server.port());
  for (const auto& [path, base] : bases) {
    for (const char* name : kParameters) {
      for (const auto& value : values) {
        Json body = base;
        body[name] = value;
        const auto reply = client.call("POST", path, dump(body));
        ASSERT_TRUE(reply.status >= 200 && reply.status < 500)
            << path << " " << name << "=" << value.dump() << ": " << reply.status << reply.body;
        if (reply.status == 200) continue;
        ASSERT_FALSE(std::regex_search(reply.body, pointer)) << reply.body;
        const Json json = reply.json();
        ASSERT_TRUE(json.contains("error") && json["error"]["message"].is_string()) << reply.body;
      }
    }
  }
  EXPECT_TRUE(server.quiet());
  expect_alive(server);
}

TEST(Hostile, BodiesThatAreNoRequests) {
  TestServer server;
  const std::string deep(100'000, '[');
  for (const std::string& body :
       {std::string(), std::string("{}"), std::string("[]"), std::string("\"\""), std::string("{"),
        std::string("nul"), std::string("{\"a\":\"\xff\"}"), deep, "{\"messages\":" + deep,
        std::string("{\"messages\":[]}"), std::string("{\"messages\":[{}]}"),
        std::string(R"({"messages":[{"role":"user"}]})"),
        std::string(R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})")}) {
    const auto reply = Client(server.port()).call("POST", "/v1/chat/completions", body);
    EXPECT_EQ(reply.status, 400U) << body.substr(0, 60) << reply.body;
  }
  expect_alive(server);
}

TEST(Hostile, BrokenHttp) {
  Limits limits;
  limits.body_bytes = 10'000;
  TestServer server({.limits = limits});
  const std::pair<std::string, unsigned> cases[] = {
      {"GARBAGE\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\n\r\n", 400},
      {"GET /health HTTP/1.1\r\nA: " + std::string(40'000, 'a') + "\r\n\r\n", 431},
      {"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20000\r\n\r\n",
       413},
      {"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
       "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
       "zz\r\n",
       400},
      {std::string("\x16\x03\x01\x02\x00\x01\x00", 7) + std::string(100, 'x') + "\r\n\r\n", 400}};
  for (const auto& [bytes, status] : cases) {
    Client client(server.port());
    client.send(bytes);
    EXPECT_EQ(client.read_reply().status, status) << bytes.substr(0, 60);
  }
  expect_alive(server);
}

TEST(Hostile, PipelinedAndChunkedRequestsAreAnsweredInOrder) {
  TestServer server;
  Client client(server.port());
  const std::string body = dump(say("hello"));
  char size[32];
  std::snprintf(size, sizeof size, "%zx", body.size());
  const std::string chunked =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n" +
      std::string(size) + "\r\n" + body + "\r\n0\r\n\r\n";
  client.send(chunked + "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" + chunked);
  EXPECT_NE(client.read_reply().body.find("hello"), std::string::npos);
  EXPECT_NE(client.read_reply().body.find("ok"), std::string::npos);
  EXPECT_NE(client.read_reply().body.find("hello"), std::string::npos);
}

TEST(Hostile, SlowReaderIsEndedAndOthersDoNotNotice) {
  Limits limits;
  limits.slow_reader_s = 1;
  TestServer server({.model = {.step_us = 20, .context = 200'000}, .limits = limits});
  std::vector<std::unique_ptr<Client>> slow;
  const std::string body = dump(say(std::string(60'000, 'x'), {{"stream", true}}));
  for (int i = 0; i < 8; ++i) {
    slow.push_back(std::make_unique<Client>(server.port(), 4096));
    slow.back()->send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  expect_alive(server);
  EXPECT_TRUE(server.quiet());  // each was paused, then ended
  EXPECT_GE(server.service().metrics().slow_readers_total.load(), 1U);
  expect_alive(server);
}

TEST(Hostile, StormOfCancellationsLeavesNothing) {
  TestServer server({.model = {.step_us = 100}});
  expect_alive(server);
  const size_t before = n_descriptors();
  const std::string body = dump(say(std::string(2000, 'x'), {{"stream", true}}));
  const std::string request =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
      std::to_string(body.size()) + "\r\n\r\n" + body;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        Client client(server.port());
        client.send(request);
        if ((i + t) % 3 != 0) client.receive(64, 50);
        if (i % 2 == 0) client.reset();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(server.quiet());
  for (int i = 0; i < 2000 && server.service().metrics().connections.load() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_LE(n_descriptors(), before + 2);
  expect_alive(server);
}

TEST(Hostile, IdleAndHalfOpenConnectionsCostLittle) {
  Limits limits;
  limits.header_s = 1;
  TestServer server({.limits = limits});
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 400; ++i) {
    idle.push_back(std::make_unique<Client>(server.port()));
    if (i % 2 == 0) idle.back()->send("POST /v1/chat/comp");  // and no more
  }
  expect_alive(server);
  EXPECT_EQ(idle[0]->receive(64, 5000), "") << "closed after header_s";
  idle.clear();
  for (int i = 0; i < 2000 && server.service().metrics().connections.load() > 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(server.service().metrics().connections.load(), 0U);
}

// An engine that hangs in a step is seen from outside, and so is its coming back.
TEST(Hostile, WatchdogTellsOfAnEngineThatMakesNoSteps) {
  Limits limits;
  limits.watchdog_s = 1;
  TestServer server({.model = {.step_us = 2'500'000}, .limits = limits});
  const auto health = [&] { return Client(server.port()).call("GET", "/health"); };
  EXPECT_EQ(health().status, 200U);
  std::thread asker([&] {
    post(server.port(), "/v1/chat/completions", say("x", {{"max_tokens", 1}}));
  });
  unsigned worst = 200;
  std::string why;
  for (int i = 0; i < 200 && worst == 200; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto reply = health();
    worst = std::max(worst, reply.status);
    why = reply.body;
  }
  EXPECT_EQ(worst, 503U);
  EXPECT_NE(why.find("no progress"), std::string::npos) << why;
  asker.join();
  EXPECT_TRUE(server.quiet());
  EXPECT_EQ(health().status, 200U);
}

}  // namespace
}  // namespace freehold::server
