// Structured output through the whole server: whatever the model would rather say, the answer keeps
// to its schema, grammar or tool, and what can't be kept is refused.
#include <gtest/gtest.h>

#include "server/test_server.h"

namespace freehold::server {
namespace {

Json schema_format(Json schema) {
  return {{"type", "json_schema"},
          {"json_schema", {{"name", "n"}, {"strict", true}, {"schema", std::move(schema)}}}};
}

Json no_thinking(Json extra) {
  extra["thinking"] = {{"type", "disabled"}};
  return extra;
}

const Json kPoint = Json::parse(
    R"({"type":"object","properties":{"x":{"type":"integer","minimum":-5,"maximum":5},
        "name":{"type":"string","maxLength":6},"tags":{"type":"array","items":{"enum":["a","b"]},
        "maxItems":2}},"required":["x","name","tags"],"additionalProperties":false})");

TEST(Structured, AnswersAlwaysKeepToTheSchema) {
  TestServer server;
  for (int seed = 0; seed < 40; ++seed) {
    const Json extra = no_thinking({{"seed", seed}, {"response_format", schema_format(kPoint)}});
    const auto reply = post(server.port(), "/v1/chat/completions", say("not json", extra));
    ASSERT_EQ(reply.status, 200U) << reply.body;
    const Json choice = reply.json()["choices"][0];
    ASSERT_EQ(choice["finish_reason"], "stop") << reply.body;
    const Json value = Json::parse(choice["message"]["content"].get<std::string>(), nullptr, false);
    ASSERT_TRUE(value.is_object()) << reply.body;
    EXPECT_EQ(value.size(), 3U);
    EXPECT_LE(std::abs(value["x"].get<int>()), 5);
    EXPECT_LE(value["tags"].size(), 2U);
  }
}

TEST(Structured, WhatTheModelWantsIsTakenWhereItFits) {
  TestServer server;
  const Json extra = no_thinking({{"response_format", schema_format(kPoint)}});
  const std::string wanted = R"({"x": 3, "name": "abc", "tags": ["b"]})";
  const Json body = post(server.port(), "/v1/chat/completions", say(wanted, extra)).json();
  EXPECT_EQ(body["choices"][0]["message"]["content"], wanted);
}

TEST(Structured, ThinkingIsFreeAndTheAnswerIsBound) {
  TestServer server;
  Json extra{{"thinking", {{"type", "enabled"}}}, {"response_format", {{"type", "json_object"}}}};
  const Json body =
      post(server.port(), "/v1/chat/completions", say(R"(any words</think>{"a":1})", extra)).json();
  EXPECT_EQ(body["choices"][0]["message"]["reasoning_content"], "any words");
  EXPECT_EQ(body["choices"][0]["message"]["content"], R"({"a":1})");
}

// A call's marker binds nothing where no call can be: in thinking, in a string of the answer.
TEST(Structured, MarkersOfCallsInThinkingAndInStringsAreText) {
  TestServer server;
  Json extra{{"thinking", {{"type", "enabled"}}}, {"response_format", {{"type", "json_object"}}}};
  const std::string answer = R"({"a":"<tool_call>"})";
  const auto message = [&](const std::string& said) {
    return post(server.port(), "/v1/chat/completions", say(said, extra))
        .json()["choices"][0]["message"];
  };
  const Json formatted = message("so <tool_call> then</think>" + answer);
  EXPECT_EQ(formatted["reasoning_content"], "so <tool_call> then");
  EXPECT_EQ(formatted["content"], answer);

  extra.erase("response_format");
  const Json free = message("so</think>write <tool_call>{}</tool_call>");
  EXPECT_EQ(free["content"], "write <tool_call>{}</tool_call>");
  EXPECT_FALSE(free.contains("tool_calls"));

  extra["tools"] = Json::array(
      {{{"type", "function"}, {"function", {{"name", "move"}, {"parameters", kPoint}}}}});
  extra["tool_choice"] = "required";
  extra["parallel_tool_calls"] = false;
  extra["seed"] = 3;
  const Json called = message("so <tool_call> then</think>no");
  EXPECT_EQ(called["reasoning_content"], "so <tool_call> then");
  ASSERT_TRUE(called.contains("tool_calls")) << called.dump();
  const std::string arguments = called["tool_calls"][0]["function"]["arguments"];
  EXPECT_EQ(Json::parse(arguments).size(), 3U);
}

// A model may open its thinking itself, and say there whatever it likes.
TEST(Structured, ThinkingThatTheModelOpensIsFreeToo) {
  TestServer server;
  int thought = 0;
  for (int seed = 0; seed < 300; ++seed) {
    const Json extra{{"seed", seed}, {"response_format", schema_format(kPoint)}};
    const Json message = post(server.port(), "/v1/chat/completions", say("x", extra))
                             .json()["choices"][0]["message"];
    const Json value = Json::parse(message["content"].get<std::string>(), nullptr, false);
    EXPECT_EQ(value.size(), 3U) << seed << message.dump();
    thought += message.contains("reasoning_content") ? 1 : 0;
  }
  EXPECT_GT(thought, 0);
}

TEST(Structured, StrictCallsFromWithinThinkingAreBoundToo) {
  TestServer server;
  const Json tool{{"type", "function"},
                  {"function", {{"name", "move"}, {"strict", true}, {"parameters", kPoint}}}};
  const Json extra{{"thinking", {{"type", "enabled"}}}, {"tools", Json::array({tool})}};
  const Json message =
      post(server.port(), "/v1/chat/completions", say("well <tool_call>wrong", extra))
          .json()["choices"][0]["message"];
  ASSERT_TRUE(message.contains("tool_calls")) << message.dump();
  const std::string arguments = message["tool_calls"][0]["function"]["arguments"];
  EXPECT_EQ(Json::parse(arguments).size(), 3U);
}

TEST(Structured, ReasoningBudgetClosesTheThinking) {
  TestServer server;
  const Json extra{{"thinking", {{"type", "enabled"}, {"budget_tokens", 5}}}};
  const Json body =
      post(server.port(), "/v1/chat/completions", say("abcdefghijklmnop", extra)).json();
  EXPECT_EQ(body["choices"][0]["message"]["reasoning_content"], "abcde") << body.dump();
}

TEST(Structured, ImpossibleAndUnknownAre400) {
  TestServer server;
  const auto status = [&](const Json& extra) {
    return post(server.port(), "/v1/chat/completions", say("x", extra)).status;
  };
  EXPECT_EQ(status({{"response_format", schema_format(false)}}), 400U);
  EXPECT_EQ(status({{"response_format",
                     schema_format({{"type", "integer"}, {"minimum", 2}, {"maximum", 1}})}}),
            400U);
  EXPECT_EQ(status({{"response_format", schema_format({{"not", Json::object()}})}}), 400U);
  EXPECT_EQ(status({{"grammar", "root ::= root"}}), 400U);
  EXPECT_EQ(status({{"grammar", "root ::= (((("}}), 400U);
  const Json tool{
      {"type", "function"},
      {"function", {{"name", "f"}, {"strict", true}, {"parameters", {{"not", Json::object()}}}}}};
  EXPECT_EQ(status({{"tools", Json::array({tool})}}), 400U);
}

TEST(Structured, GrammarBindsTextToo) {
  TestServer server;
  const Json body{{"model", "fake"},
                  {"prompt", "say: zzz"},
                  {"max_tokens", 64},
                  {"grammar", "root ::= \"yes\" | \"no\""}};
  const std::string text =
      post(server.port(), "/v1/completions", body).json()["choices"][0]["text"];
  EXPECT_TRUE(text == "yes" || text == "no") << text;
}

TEST(Structured, RequiredToolsAreCalled) {
  TestServer server;
  const Json tool{{"type", "function"}, {"function", {{"name", "move"}, {"parameters", kPoint}}}};
  for (const Json& choice :
       {Json("required"), Json{{"type", "function"}, {"function", {{"name", "move"}}}}}) {
    const Json extra{{"tools", Json::array({tool})},
                     {"tool_choice", choice},
                     {"seed", 9},
                     {"parallel_tool_calls", false}};
    const Json body =
        post(server.port(), "/v1/chat/completions", say("no", no_thinking(extra))).json();
    const Json& call = body["choices"][0]["message"]["tool_calls"][0]["function"];
    EXPECT_EQ(call["name"], "move") << body.dump();
    EXPECT_EQ(Json::parse(call["arguments"].get<std::string>()).size(), 3U);
  }
}

TEST(Structured, StrictToolsBindOnlyTheCall) {
  TestServer server;
  const Json tool{{"type", "function"},
                  {"function", {{"name", "move"}, {"strict", true}, {"parameters", kPoint}}}};
  const Json extra = no_thinking({{"tools", Json::array({tool})}});
  const Json plain = post(server.port(), "/v1/chat/completions", say("hello world", extra)).json();
  EXPECT_EQ(plain["choices"][0]["message"]["content"], "hello world");
  const Json call =
      post(server.port(), "/v1/chat/completions", say("well <tool_call>wrong wrong wrong", extra))
          .json();
  EXPECT_EQ(call["choices"][0]["finish_reason"], "tool_calls") << call.dump();
  const Json& made = call["choices"][0]["message"]["tool_calls"][0]["function"];
  EXPECT_EQ(Json::parse(made["arguments"].get<std::string>()).size(), 3U);
}

// Whatever the family writes its calls like: what is forced reads back as a call that keeps to the
// tool's schema.
TEST(Structured, CallsAreForcedInTheFormsOfTheFamilies) {
  using chat::Format;
  const Json tool = Json::parse(R"({"type":"function","function":{"name":"plan","strict":true,
      "parameters":{"type":"object","properties":{"city":{"type":"string"},
      "days":{"type":"integer","minimum":1,"maximum":9},"mode":{"type":"string","enum":["a","b"]},
      "flags":{"type":"array","items":{"type":"boolean"},"maxItems":2}},
      "required":["city","days"],"additionalProperties":false}}})");
  for (const Format format :
       {Format::kHermes, Format::kDeepSeekR1, Format::kDeepSeekV31, Format::kDeepSeekV32,
        Format::kDeepSeekV4, Format::kQwenXml, Format::kLlama3, Format::kKimiK2, Format::kHarmony,
        Format::kGlm4, Format::kMistral}) {
    TestServer server({.model = {.context = 20'000, .format = format}});
    // What ends a string somewhere, which a model that says anything finds too seldom.
    std::string ends;
    for (int i = 0; i < 2000; ++i) ends += "\\n<";
    for (int seed = 0; seed < 6; ++seed) {
      const bool helped = seed % 2 == 0 || format == Format::kQwenXml;
      const Json extra = no_thinking({{"seed", seed},
                                      {"tools", Json::array({tool})},
                                      {"tool_choice", "required"},
                                      {"parallel_tool_calls", false}});
      const auto reply =
          post(server.port(), "/v1/chat/completions", say(helped ? ends : "no", extra));
      ASSERT_EQ(reply.status, 200U) << chat::name(format) << reply.body;
      const Json choice = reply.json()["choices"][0];
      ASSERT_EQ(choice["finish_reason"], "tool_calls") << chat::name(format) << choice.dump();
      ASSERT_EQ(choice["message"]["tool_calls"].size(), 1U) << chat::name(format);
      const Json& call = choice["message"]["tool_calls"][0]["function"];
      EXPECT_EQ(call["name"], "plan") << chat::name(format);
      const Json arguments = Json::parse(call["arguments"].get<std::string>(), nullptr, false);
      ASSERT_TRUE(arguments.is_object()) << chat::name(format) << call["arguments"];
      ASSERT_TRUE(arguments.contains("city") && arguments["city"].is_string()) << arguments;
      ASSERT_TRUE(arguments.contains("days") && arguments["days"].is_number_integer());
      EXPECT_TRUE(arguments["days"] >= 1 && arguments["days"] <= 9) << arguments;
      if (arguments.contains("mode")) {
        EXPECT_TRUE(arguments["mode"] == "a" || arguments["mode"] == "b") << arguments;
      }
      for (const auto& [name, value] : arguments.items()) {
        EXPECT_TRUE(tool["function"]["parameters"]["properties"].contains(name)) << name;
      }
    }
  }
}

// Where no token of the vocabulary goes on, the answer ends, and says that it isn't whole.
TEST(Structured, AVocabularyThatCantGoOnEndsTheAnswerAsTooShort) {
  for (const chat::Format format : {chat::Format::kHermes, chat::Format::kHarmony}) {
    TestServer server({.model = {.format = format, .missing = "}"}});
    const Json schema = Json::parse(
        R"({"type":"object","properties":{"x":{"type":"integer","minimum":0,"maximum":9}},
            "required":["x"],"additionalProperties":false})");
    const Json tool{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", schema}}}};
    for (const Json& extra : {Json{{"response_format", schema_format(schema)}},
                              Json{{"tools", Json::array({tool})}, {"tool_choice", "required"}}}) {
      Json asked = no_thinking(extra);
      for (const bool stream : {false, true}) {
        asked["stream"] = stream;
        if (stream) asked["stream_options"] = {{"include_usage", true}};
        const auto reply = post(server.port(), "/v1/chat/completions", say("x", asked));
        ASSERT_EQ(reply.status, 200U) << reply.body;
        EXPECT_NE(reply.body.find(R"("finish_reason":"length")"), std::string::npos) << reply.body;
        const Json last =
            stream ? Json::parse(reply.events().at(reply.events().size() - 2)) : reply.json();
        EXPECT_LT(last["usage"]["completion_tokens"], 300) << last;  // not the whole context
      }
    }
  }
}

// What max_tokens cuts off is a beginning of what was asked for, and says so; of a call it shows
// what there is.
TEST(Structured, ACutBoundAnswerIsABeginning) {
  for (const chat::Format format : {chat::Format::kHermes, chat::Format::kHarmony}) {
    TestServer server({.model = {.format = format}});
    const Json tool{{"type", "function"}, {"function", {{"name", "f"}, {"parameters", kPoint}}}};
    std::string whole;
    for (int most = 1; most < 80; ++most) {
      const Json extra = no_thinking(
          {{"seed", 4}, {"max_tokens", most}, {"response_format", schema_format(kPoint)}});
      const Json choice = post(server.port(), "/v1/chat/completions",
                               say(R"({"x": 3, "name": "abc", "tags": ["b"]})", extra))
                              .json()["choices"][0];
      const std::string text = choice["message"]["content"];
      const bool cut = choice["finish_reason"] == "length";
      EXPECT_TRUE(text.starts_with(whole)) << text;
      EXPECT_NE(Json::accept(text), cut && !text.ends_with('}')) << choice;
      whole = text;
      if (!cut) break;
    }
    EXPECT_TRUE(Json::accept(whole)) << whole;
    const Json called = post(server.port(), "/v1/chat/completions",
                             say("x", no_thinking({{"max_tokens", 50},
                                                   {"tools", Json::array({tool})},
                                                   {"tool_choice", "required"},
                                                   {"seed", 4}})))
                            .json()["choices"][0];
    EXPECT_EQ(called["finish_reason"], "length") << called;
    const Json& message = called["message"];
    EXPECT_TRUE(message["content"].is_null()) << called;
    const std::string arguments = message["tool_calls"][0]["function"]["arguments"];
    EXPECT_TRUE(arguments.starts_with('{') && !Json::accept(arguments)) << called;
  }
}

TEST(Structured, FormatsWithoutCallsRefuseToForceThem) {
  TestServer server({.model = {.format = chat::Format::kGeneric}});
  const Json tool{{"type", "function"}, {"function", {{"name", "f"}}}};
  const auto reply = post(server.port(), "/v1/chat/completions",
                          say("x", {{"tools", Json::array({tool})}, {"tool_choice", "required"}}));
  EXPECT_EQ(reply.status, 400U);
}

}  // namespace
}  // namespace freehold::server
