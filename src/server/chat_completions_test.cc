// POST /v1/chat/completions over HTTP, OpenAI's and DeepSeek's shapes.
#include <gtest/gtest.h>

#include "server/test_server.h"

namespace freehold::server {
namespace {

TEST(ChatCompletions, WholeAnswer) {
  TestServer server;
  const auto reply = post(server.port(), "/v1/chat/completions", say("hello world"));
  ASSERT_EQ(reply.status, 200U) << reply.body;
  const Json body = reply.json();
  EXPECT_EQ(body["object"], "chat.completion");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "hello world");
  EXPECT_EQ(body["choices"][0]["message"]["role"], "assistant");
  EXPECT_EQ(body["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(body["usage"]["completion_tokens"], 2);
  const auto& usage = body["usage"];
  EXPECT_EQ(
      usage["prompt_cache_hit_tokens"].get<int>() + usage["prompt_cache_miss_tokens"].get<int>(),
      usage["prompt_tokens"].get<int>());
  EXPECT_FALSE(reply.headers.at("x-request-id").empty());
}

TEST(ChatCompletions, StreamHasRoleTextFinishAndUsage) {
  TestServer server;
  const auto reply =
      post(server.port(), "/v1/chat/completions",
           say("hello world", {{"stream", true}, {"stream_options", {{"include_usage", true}}}}));
  ASSERT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.headers.at("content-type"), "text/event-stream");
  const auto events = reply.events();
  ASSERT_GE(events.size(), 5U);
  EXPECT_EQ(events.back(), "[DONE]");
  EXPECT_EQ(Json::parse(events[0])["choices"][0]["delta"]["role"], "assistant");
  std::string text;
  for (size_t i = 0; i + 2 < events.size(); ++i) {
    const Json chunk = Json::parse(events[i]);
    EXPECT_TRUE(chunk["usage"].is_null());
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    text += chunk["choices"][0]["delta"].value("content", "");
  }
  EXPECT_EQ(text, "hello world");
  const Json usage = Json::parse(events[events.size() - 2]);
  EXPECT_TRUE(usage["choices"].empty());
  EXPECT_EQ(usage["usage"]["completion_tokens"], 2);
  EXPECT_EQ(Json::parse(events[events.size() - 3])["choices"][0]["finish_reason"], "stop");
}

TEST(ChatCompletions, DeepSeekThinksByDefaultAndPutsUsageOnTheLastChunk) {
  TestServer server;
  const auto reply =
      post(server.port(), "/chat/completions", say("because</think>hello", {{"stream", true}}));
  const auto events = reply.events();
  ASSERT_GE(events.size(), 3U) << reply.body;
  std::string reasoning;
  std::string text;
  for (size_t i = 0; i + 1 < events.size(); ++i) {
    const Json delta = Json::parse(events[i])["choices"][0]["delta"];
    reasoning += delta.value("reasoning_content", "");
    text += delta.value("content", "");
  }
  EXPECT_EQ(reasoning, "because");
  EXPECT_EQ(text, "hello");
  const Json last = Json::parse(events[events.size() - 2]);
  EXPECT_EQ(last["choices"][0]["finish_reason"], "stop");
  EXPECT_GT(last["usage"]["completion_tokens_details"]["reasoning_tokens"].get<int>(), 0);

  const Json off{{"thinking", {{"type", "disabled"}}}};
  const Json body = post(server.port(), "/chat/completions", say("hello", off)).json();
  EXPECT_FALSE(body["choices"][0]["message"].contains("reasoning_content"));
}

TEST(ChatCompletions, StopStringsEndTheAnswerAcrossTokens) {
  TestServer server;
  for (const bool stream : {false, true}) {
    const auto reply =
        post(server.port(), "/v1/chat/completions",
             say("one two xSTOPy rest", {{"stop", {"STOP", "never"}}, {"stream", stream}}));
    std::string text;
    if (stream) {
      for (const auto& event : reply.events()) {
        if (event == "[DONE]") break;
        text += Json::parse(event)["choices"][0]["delta"].value("content", "");
      }
    } else {
      text = reply.json()["choices"][0]["message"]["content"];
      EXPECT_EQ(reply.json()["choices"][0]["finish_reason"], "stop");
      EXPECT_EQ(reply.json()["usage"]["completion_tokens"], 13);
    }
    EXPECT_EQ(text, "one two x");
  }
}

TEST(ChatCompletions, ManyChoicesAndMaxTokens) {
  TestServer server;
  const Json body =
      post(server.port(), "/v1/chat/completions", say("abcdefgh", {{"n", 3}, {"max_tokens", 4}}))
          .json();
  ASSERT_EQ(body["choices"].size(), 3U);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(body["choices"][i]["index"], i);
    EXPECT_EQ(body["choices"][i]["message"]["content"], "abcd");
    EXPECT_EQ(body["choices"][i]["finish_reason"], "length");
  }
  EXPECT_EQ(body["usage"]["completion_tokens"], 12);
}

TEST(ChatCompletions, LogprobsNameEveryToken) {
  TestServer server;
  const Json body = post(server.port(), "/v1/chat/completions",
                         say("hello 日x", {{"logprobs", true}, {"top_logprobs", 2}}))
                        .json();
  const Json& content = body["choices"][0]["logprobs"]["content"];
  std::string joined;
  for (const auto& token : content) {
    EXPECT_EQ(token["top_logprobs"].size(), 2U);
    for (const auto& byte : token["bytes"]) joined += static_cast<char>(byte.get<int>());
  }
  EXPECT_EQ(joined, "hello 日x");
  EXPECT_EQ(body["choices"][0]["message"]["content"], "hello 日x");
}

TEST(ChatCompletions, ToolCallsComeApart) {
  TestServer server;
  const Json tools{
      {"tools", Json::array({{{"type", "function"}, {"function", {{"name", "add"}}}}})}};
  const std::string call = R"(<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>)";
  const Json body = post(server.port(), "/v1/chat/completions", say(call, tools)).json();
  const Json& choice = body["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls") << body.dump();
  EXPECT_EQ(choice["message"]["tool_calls"][0]["function"]["name"], "add");
  EXPECT_EQ(
      Json::parse(
          choice["message"]["tool_calls"][0]["function"]["arguments"].get<std::string>())["a"],
      1);
}

TEST(ChatCompletions, EngineErrorsAreErrorsInBothForms) {
  TestServer server({.model = {.error = "secret /path 0xdeadbeef"}});
  const auto whole = post(server.port(), "/v1/chat/completions", say("hello world"));
  EXPECT_EQ(whole.status, 500U);
  EXPECT_EQ(whole.body.find("deadbeef"), std::string::npos);
  const auto stream =
      post(server.port(), "/v1/chat/completions", say("hello world", {{"stream", true}}));
  EXPECT_NE(stream.body.find("server_error"), std::string::npos);
  EXPECT_EQ(stream.body.find("[DONE]"), std::string::npos);
}

TEST(ChatCompletions, TooLongAPromptSaysBothNumbers) {
  TestServer server({.model = {.context = 64}});
  const auto reply = post(server.port(), "/v1/chat/completions", say(std::string(100, 'x')));
  EXPECT_EQ(reply.status, 400U);
  EXPECT_EQ(reply.json()["error"]["code"], "context_length_exceeded");
  EXPECT_NE(reply.body.find("64"), std::string::npos);
  EXPECT_TRUE(server.ledger().usage({})->front().requests == 0);
}

TEST(ChatCompletions, UsageIsInTheLedgerWhenTheAnswerIs) {
  TestServer server;
  const Json usage =
      post(server.port(), "/v1/chat/completions", say("hello world")).json()["usage"];
  const auto rows = server.ledger().usage({.by = {"model", "finish"}});
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().group, (std::vector<std::string>{"fake", "stop"}));
  EXPECT_EQ(rows->front().prompt_tokens, usage["prompt_tokens"].get<uint64_t>());
  EXPECT_EQ(rows->front().completion_tokens, usage["completion_tokens"].get<uint64_t>());
}

TEST(ChatCompletions, ClientGoneStopsTheWork) {
  TestServer server({.model = {.step_us = 2000}});
  {
    Client client(server.port());
    const std::string body = dump(say(std::string(3000, 'x'), {{"stream", true}}));
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_FALSE(client.receive(100).empty());
  }
  EXPECT_TRUE(server.quiet());
  std::vector<ledger::UsageRow> rows;
  for (int i = 0; i < 100 && rows.empty(); ++i) {
    rows = *server.ledger().usage({.by = {"finish"}});
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.front().group.front(), "cancelled");
  EXPECT_GT(rows.front().completion_tokens, 0U);
  EXPECT_LT(rows.front().completion_tokens, 250U);
}

TEST(ChatCompletions, DrainFinishesWhatRuns) {
  TestServer server({.model = {.step_us = 1000}});
  ClientReply reply;
  std::thread client(
      [&] { reply = post(server.port(), "/v1/chat/completions", say(std::string(300, 'x'))); });
  while (server.service().running() == 0) std::this_thread::yield();
  server.stop();
  client.join();
  EXPECT_EQ(reply.status, 200U);
  EXPECT_EQ(reply.json()["choices"][0]["message"]["content"].get<std::string>().size(), 300U);
}

TEST(ChatCompletions, KeepAliveConnectionServesMany) {
  TestServer server;
  Client client(server.port());
  for (int i = 0; i < 5; ++i) {
    const Json extra = i % 2 == 0 ? Json{{"stream", true}} : Json::object();
    const auto reply = client.call("POST", "/v1/chat/completions", dump(say("hello", extra)));
    ASSERT_EQ(reply.status, 200U) << i;
    EXPECT_NE(reply.body.find("hello"), std::string::npos);
  }
}

}  // namespace
}  // namespace freehold::server
