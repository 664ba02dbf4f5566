// Bound answers of gpt-oss, through the whole server: channels come as asked for, thoughts are
// free, and nothing that looks like another message gets around its schema.
#include <gtest/gtest.h>

#include <cmath>

#include "server/guide_cache.h"
#include "server/harmony_answer.h"
#include "server/harmony_grammar.h"
#include "server/test_server.h"

namespace freehold::server {
namespace {

const Json kSchema = Json::parse(
    R"({"type":"object","properties":{"x":{"type":"integer","minimum":-5,"maximum":5},
        "name":{"type":"string","maxLength":6}},"required":["x","name"],
        "additionalProperties":false})");
const std::string kThought = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant";

TestOptions harmony() { return {.model = {.context = 20'000, .format = chat::Format::kHarmony}}; }

Json move_tool(bool strict) {
  return Json::array(
      {{{"type", "function"},
        {"function", {{"name", "move"}, {"strict", strict}, {"parameters", kSchema}}}}});
}

Json schema_format() {
  return {{"type", "json_schema"}, {"json_schema", {{"name", "n"}, {"schema", kSchema}}}};
}

Json choice_of(const TestServer& server, const std::string& said, const Json& extra) {
  const auto reply = post(server.port(), "/v1/chat/completions", say(said, extra));
  EXPECT_EQ(reply.status, 200U) << reply.body;
  const Json body = reply.json();
  return body.contains("choices") ? body["choices"][0] : Json::object();
}

void expect_in_schema(const Json& text, const Json& shown) {
  ASSERT_TRUE(text.is_string()) << shown;
  const Json value = Json::parse(text.get<std::string>(), nullptr, false);
  ASSERT_TRUE(value.is_object() && value.size() == 2 && value.contains("x")) << shown;
  EXPECT_LE(std::abs(value["x"].get<int>()), 5) << shown;
}

TEST(Harmony, AnswersKeepToTheSchemaWhateverIsThoughtBefore) {
  TestServer server(harmony());
  int thought = 0;
  for (int seed = 0; seed < 150; ++seed) {
    const Json extra{{"seed", seed}, {"response_format", schema_format()}};
    const Json choice = choice_of(server, "x", extra);
    ASSERT_EQ(choice["finish_reason"], "stop") << choice;
    expect_in_schema(choice["message"]["content"], choice);
    EXPECT_FALSE(choice["message"].contains("tool_calls")) << choice;
    thought += choice["message"].contains("reasoning_content") ? 1 : 0;
  }
  EXPECT_GT(thought, 20);
  EXPECT_LT(thought, 130);
}

TEST(Harmony, WhatTheModelWantsIsTakenWhereItFits) {
  TestServer server(harmony());
  const std::string wanted = R"({"x": 3, "name": "abc"})";
  const Json message = choice_of(server, kThought + "<|channel|>final<|message|>" + wanted,
                                 {{"response_format", schema_format()}})["message"];
  EXPECT_EQ(message["reasoning_content"], "hm");
  EXPECT_EQ(message["content"], wanted);
}

TEST(Harmony, ForcedCallsComeAfterFreeThoughts) {
  TestServer server(harmony());
  int thought = 0;
  for (int seed = 0; seed < 100; ++seed) {
    const Json choice = choice_of(
        server, "no", {{"seed", seed}, {"tools", move_tool(false)}, {"tool_choice", "required"}});
    ASSERT_EQ(choice["finish_reason"], "tool_calls") << choice;
    const Json& message = choice["message"];
    ASSERT_EQ(message["tool_calls"].size(), 1U) << choice;
    EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "move");
    expect_in_schema(message["tool_calls"][0]["function"]["arguments"], choice);
    EXPECT_TRUE(message["content"].is_null()) << choice;
    thought += message.contains("reasoning_content") ? 1 : 0;
  }
  EXPECT_GT(thought, 10);
}

TEST(Harmony, ThinkingIsLeftOutWhereARequestTurnsItDown) {
  TestServer server(harmony());
  const Json off{{"type", "disabled"}};
  for (int seed = 0; seed < 20; ++seed) {
    const Json bound =
        choice_of(server, kThought,
                  {{"seed", seed}, {"thinking", off}, {"response_format", schema_format()}});
    EXPECT_FALSE(bound["message"].contains("reasoning_content")) << bound;
    expect_in_schema(bound["message"]["content"], bound);
  }
  const Json free =
      choice_of(server, "<|channel|>final<|message|>hello world", {{"thinking", off}});
  EXPECT_EQ(free["message"]["content"], "hello world");
}

TEST(Harmony, StrictToolsBindOnlyTheCall) {
  TestServer server(harmony());
  const Json extra{{"tools", move_tool(true)}};
  const Json plain =
      choice_of(server, kThought + "<|channel|>final<|message|>hello world", extra)["message"];
  EXPECT_EQ(plain["reasoning_content"], "hm");
  EXPECT_EQ(plain["content"], "hello world");
  const Json call =
      choice_of(server, kThought + "<|channel|>commentary to=functions.other<|message|>{}", extra);
  ASSERT_EQ(call["finish_reason"], "tool_calls") << call;
  EXPECT_EQ(call["message"]["tool_calls"][0]["function"]["name"], "move");
  expect_in_schema(call["message"]["tool_calls"][0]["function"]["arguments"], call);
}

TEST(Harmony, ABudgetClosesTheThinkingAndNothingElse) {
  TestServer server(harmony());
  const Json budget{{"thinking", {{"type", "enabled"}, {"budget_tokens", 5}}}};
  const Json thought = choice_of(
      server, "<|channel|>analysis<|message|>abcdefghij<|end|><|start|>assistant", budget);
  EXPECT_EQ(thought["message"]["reasoning_content"], "abcde") << thought;
  const Json answer =
      choice_of(server, kThought + "<|channel|>final<|message|>hello world", budget)["message"];
  EXPECT_EQ(answer["reasoning_content"], "hm");
  EXPECT_EQ(answer["content"], "hello world");
  Json tools = budget;
  tools["tools"] = move_tool(false);
  const std::string said = kThought +
                           "<|channel|>commentary to=functions.move <|constrain|>json"
                           "<|message|>{\"anything\": 123456}";
  const Json call = choice_of(server, said, tools)["message"];
  EXPECT_EQ(call["tool_calls"][0]["function"]["arguments"], "{\"anything\": 123456}") << call;
}

TEST(Harmony, MarkersCantBeSpelledOut) {
  FakeModel model({.format = chat::Format::kHarmony});
  const auto trie = std::make_shared<TokenTrie>(model);
  GrammarBuilder builder;
  auto grammar = builder.finish(harmony_messages(builder, {.think = true, .speak = true}, {}));
  ASSERT_TRUE(grammar.has_value());
  HarmonyAnswer answer(std::make_shared<Guide>(std::move(*grammar), trie), trie, 0);
  const auto say = [&](const char* text) {
    const auto ids = model.encode(text, false, true);
    for (const TokenId id : *ids) answer.accept(id);
  };
  const auto allows = [&](const char* text) {
    std::vector<float> logits(model.vocabulary(), 0.0F);
    answer.mask(logits);
    return std::isfinite(logits[static_cast<size_t>(model.encode(text, false, true)->front())]);
  };
  say("<|channel|>analysis<|message|>a <|channel|");
  EXPECT_FALSE(allows(">"));
  EXPECT_TRUE(allows("<"));
  say("x <|channel");
  EXPECT_TRUE(allows("|"));
  EXPECT_TRUE(allows("<|end|>"));
  EXPECT_FALSE(allows("<|channel|>"));
  EXPECT_FALSE(allows("<|return|>"));
  say("<|end|>");
  EXPECT_TRUE(allows("<|start|>"));
  EXPECT_FALSE(allows("a"));
  say("<|start|>assistant<|channel|>final<|message|>a");
  EXPECT_TRUE(allows("<|return|>"));
  EXPECT_FALSE(allows("<|end|>"));
  EXPECT_FALSE(answer.dead());
}

TEST(Harmony, AVocabularyWithoutItsTokensIsRefused) {
  // The template says harmony, the vocabulary does not.
  class Odd : public FakeModel {
   public:
    Odd() : FakeModel({}) {}
    chat::Format format() const override { return chat::Format::kHarmony; }
  };
  Odd model;
  Spec spec;
  spec.format.kind = ResponseFormat::Kind::kJsonObject;
  const auto made = model.guides().constraint(spec, model, "<|start|>assistant");
  ASSERT_FALSE(made.has_value());
  EXPECT_NE(made.error().message.find("<|start|>"), std::string::npos) << made.error().message;
}

}  // namespace
}  // namespace freehold::server
