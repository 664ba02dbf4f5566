// The shape of an answer on the wire: each API makes its bytes from the same pieces, whole or as a
// stream of server-sent events.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/answer.h"
#include "server/api_error.h"
#include "server/spec.h"

namespace freehold::server {

struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;  // JSON text
};

// A choice gathered whole.
struct Choice {
  std::string reasoning;
  std::string content;
  std::vector<ToolCall> calls;
  std::vector<ShownToken> tokens;
  Finish finish = Finish::kStop;
  std::string stop_string;

  void add(const Piece& piece);
};

struct Totals {
  uint32_t prompt_tokens = 0;
  uint32_t cached_tokens = 0;
  uint32_t completion_tokens = 0;
  uint32_t reasoning_tokens = 0;
};

struct Head {
  std::string id;  // without the API's prefix
  int64_t created_s = 0;
  std::string model;
  std::string fingerprint;
  uint32_t n_choices = 1;
  bool include_usage = false;
  bool logprobs = false;
  bool echo = false;
  std::vector<std::string> prompts;  // texts to echo, one a choice
};

class Shape {
 public:
  virtual ~Shape() = default;
  virtual std::string whole(const std::vector<Choice>& choices, const Totals& totals) = 0;

  // The stream, in this order; each appends events to `out`. `begin` knows only the prompt's size.
  virtual void begin(const Totals& totals, std::string& out) = 0;
  virtual void piece(uint32_t choice, const Piece& piece, std::string& out) = 0;
  virtual void choice_done(uint32_t choice, const Choice& end, std::string& out) = 0;
  virtual void done(const Totals& totals, std::string& out) = 0;
  // Instead of `done`, after the status has been sent.
  virtual void error(const ApiError& error, std::string& out) = 0;
  // A sign of life that clients skip.
  virtual void keep_alive(std::string& out) { out += ": keep-alive\n\n"; }
};

// "data: ...\n\n", with "event: NAME\n" before it where a name is given.
void append_sse(std::string_view event, const std::string& data, std::string& out);

}  // namespace freehold::server
