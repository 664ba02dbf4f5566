// Talking to a model at a terminal: messages, commands that begin with a slash, Ctrl-C.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "chat_model.h"

namespace freehold::app {

struct ConversationOptions {
  AnswerOptions answer;
  std::string system;
  bool hide_thinking = false;
  bool verbose = false;
};

// What a line that begins with a slash does to the conversation.
class Conversation {
 public:
  explicit Conversation(ConversationOptions options) : options_(std::move(options)) {}

  enum class Next { kAsk, kAnswer, kQuit };
  struct Reply {
    std::string text;  // to be shown; one line or more, without the last line's end
    Next next = Next::kAsk;
  };
  // "/help", "/clear", "/system TEXT", "/set NAME VALUE", "/retry", "/exit". An unknown one gets a
  // reply that says so.
  Reply command(const std::string& line);

  void say(const std::string& message);
  void answered(const Answer& answer);
  // Takes back the last message, when its answer failed.
  void take_back();

  // As ChatModel::answer takes it.
  Json request() const;
  const ConversationOptions& options() const { return options_; }

 private:
  struct Turn {
    std::string role;
    std::string text;
  };

  std::string set(const std::string& name, const std::string& value);

  ConversationOptions options_;
  std::vector<Turn> turns_;
};

// One question on standard output; a piped answer is the answer and nothing else.
base::Status answer_once(ChatModel& model, const std::string& prompt,
                         const ConversationOptions& options, bool raw);
// Until /exit, Ctrl-D, or Ctrl-C twice.
base::Status converse(ChatModel& model, const ConversationOptions& options);

// "answer 120 tokens, 95.2/s; prompt 34 (12 cached), 812/s; first token after 45 ms".
std::string describe(const Answer& answer);

}  // namespace freehold::app
