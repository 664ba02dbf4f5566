// Conversations, how answers are shown, and thinking that is closed at its budget.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "answer_view.h"
#include "conversation.h"
#include "line_editor.h"

namespace freehold::app {
namespace {

TEST(Message, WantsMoreAfterABackslashAndInsideAFence) {
  std::string one = "hello";
  EXPECT_FALSE(wants_more(one));
  std::string continued = "hello \\";
  EXPECT_TRUE(wants_more(continued));
  EXPECT_EQ(continued, "hello ");
  std::string open = "\"\"\"one";
  EXPECT_TRUE(wants_more(open));
  std::string closed = "\"\"\"\none\\\ntwo\n\"\"\"";
  EXPECT_FALSE(wants_more(closed));
  EXPECT_EQ(closed, "one\\\ntwo");
}

TEST(Conversation, KeepsTurnsAndForgetsThem) {
  Conversation conversation({{}, "Be brief.", false, false});
  conversation.say("Hi");
  Answer answer;
  answer.content = "Hello";
  answer.reasoning = "they greet";
  conversation.answered(answer);
  conversation.say("Bye");
  EXPECT_EQ(to_text(conversation.request()),
            R"({"messages":[{"role":"system","content":"Be brief."},)"
            R"({"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},)"
            R"({"role":"user","content":"Bye"}]})");
  conversation.take_back();
  EXPECT_EQ(conversation.request()["messages"].size(), 3);
  conversation.command("/clear");
  EXPECT_EQ(conversation.request()["messages"].size(), 1);
}

TEST(Conversation, CommandsChangeSettings) {
  Conversation conversation({});
  conversation.command("/set temperature 0.25");
  conversation.command("/set top_k  40");
  conversation.command("/set think off");
  conversation.command("/set reasoning_budget 100");
  const AnswerOptions& answer = conversation.options().answer;
  EXPECT_FLOAT_EQ(answer.sampling.temperature, 0.25F);
  EXPECT_EQ(answer.sampling.top_k, 40);
  EXPECT_EQ(answer.thinking, chat::Thinking::kOff);
  EXPECT_EQ(answer.reasoning_budget, 100);
  conversation.command("/system You are a poet.");
  EXPECT_EQ(conversation.options().system, "You are a poet.");
}

TEST(Conversation, WhatDoesNotFitIsSaidAndChangesNothing) {
  Conversation conversation({});
  for (const char* line : {"/set temperature hot", "/set temperature", "/set top_k -1",
                           "/set top_k 1x", "/set think maybe"}) {
    EXPECT_NE(conversation.command(line).text.find("does not suit"), std::string::npos) << line;
  }
  EXPECT_NE(conversation.command("/set colour red").text.find("No setting"), std::string::npos);
  EXPECT_NE(conversation.command("/frobnicate").text.find("No command"), std::string::npos);
  EXPECT_EQ(conversation.options().answer.sampling.temperature, Sampling{}.temperature);
}

TEST(Conversation, RetryAnswersTheLastMessageWithAnotherSeed) {
  Conversation conversation({});
  EXPECT_EQ(conversation.command("/retry").next, Conversation::Next::kAsk);
  conversation.say("Hi");
  conversation.answered({});
  EXPECT_EQ(conversation.command("/retry").next, Conversation::Next::kAnswer);
  EXPECT_EQ(conversation.request()["messages"].size(), 1);
  EXPECT_EQ(conversation.options().answer.sampling.seed, 1);
  EXPECT_EQ(conversation.command("/exit").next, Conversation::Next::kQuit);
}

std::string shown(AnswerView::Options options,
                  const std::vector<std::pair<std::string, std::string>>& pieces) {
  std::string out;
  AnswerView view(options, [&](std::string_view text) { out += text; });
  const AnswerSink sink = view.sink();
  for (const auto& [reasoning, content] : pieces) {
    if (!reasoning.empty()) sink.reasoning(reasoning);
    if (!content.empty()) sink.content(content);
  }
  view.finish();
  return out;
}

TEST(AnswerView, DimsThinkingOnATerminal) {
  EXPECT_EQ(shown({true, false}, {{"\nHm", ""}, {"m.\n", ""}, {"", "\n\nYes"}, {"", "."}}),
            "\x1b[2mHmm.\n\x1b[0m\nYes.\n");
  EXPECT_EQ(shown({true, false}, {{"Hmm", ""}}), "\x1b[2mHmm\x1b[0m\n\n");
}

TEST(AnswerView, HidesThinkingWhenAskedTo) {
  const std::string text = shown({true, true}, {{"Secret", "Yes"}});
  EXPECT_EQ(text.find("Secret"), std::string::npos);
  EXPECT_NE(text.find("thought for"), std::string::npos);
  EXPECT_TRUE(text.ends_with("Yes\n"));
}

TEST(AnswerView, APipeGetsTheAnswerAlone) {
  EXPECT_EQ(shown({false, false}, {{"Hmm", "Yes"}, {"", "\x1b[1m!\n"}}), "Yes\x1b[1m!\n");
}

TEST(AnswerView, AModelCannotCommandTheTerminal) {
  EXPECT_EQ(shown({true, false}, {{"", "a\x1b]0;x\x07\tb\r"}}),
            "a\xEF\xBF\xBD]0;x\xEF\xBF\xBD\tb\xEF\xBF\xBD\n");
}

}  // namespace
}  // namespace freehold::app
