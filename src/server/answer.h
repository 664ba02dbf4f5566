// One choice's way from token ids to pieces of an answer: bytes, text, stop strings, reasoning and
// tool calls. No JSON, no sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "chat/output_parser.h"
#include "freehold/engine.h"
#include "server/model.h"
#include "server/spec.h"
#include "tokenizer/text_stream.h"

namespace freehold::server {

// A token as the client sees it.
struct ShownToken {
  std::string bytes;
  float logprob = 0.0F;
  std::vector<std::pair<std::string, float>> top;  // bytes, logprob
  bool reasoning = false;
};

// A stretch of the answer: an output event, and the tokens used since the last stretch.
struct Piece {
  chat::OutputEvent event;
  std::vector<ShownToken> tokens;  // only when logprobs were asked for
};

enum class Finish { kStop, kLength, kToolCalls, kCancelled, kError };

class Answer {
 public:
  // `tail` is the prompt's end; `spec` is read by the constructor only.
  Answer(const Spec& spec, const Model& model, std::string_view tail, std::string id_prefix);

  // Takes a token event; appends what it made certain. True: a stop string was met, the answer is
  // over and the engine's request should be cancelled.
  bool push(const Event& event, std::vector<Piece>& out);
  // The engine is done.
  void finish(FinishReason reason, std::vector<Piece>& out);

  bool finished() const { return finished_; }
  Finish reason() const { return reason_; }
  // The stop string that ended it, or "".
  const std::string& stop_string() const { return stop_string_; }
  uint32_t tokens() const { return tokens_; }
  uint32_t reasoning_tokens() const { return reasoning_tokens_; }

 private:
  void emit(std::vector<chat::OutputEvent> events, std::vector<Piece>& out);
  // Passes content on, less what may be the beginning of a stop string. True: one was met.
  bool emit_content(std::string_view text, std::vector<Piece>& out);
  void emit_one(chat::OutputEvent event, std::vector<Piece>& out);
  ShownToken shown(const Event& event) const;

  const Model& model_;
  std::vector<std::string> stop_;
  bool logprobs_;
  tokenizer::Utf8Stream utf8_;
  std::unique_ptr<chat::OutputParser> parser_;  // none for plain text
  std::string held_;                            // content that may begin a stop string
  std::vector<ShownToken> waiting_;             // tokens whose text has not come out yet
  bool finished_ = false;
  bool cut_ = false;  // by length
  Finish reason_ = Finish::kStop;
  std::string stop_string_;
  uint32_t tokens_ = 0;
  uint32_t reasoning_tokens_ = 0;
};

}  // namespace freehold::server
