// Reads a model's answer piece by piece: reasoning, content, tool calls. Text in, events out; the
// markers themselves never come out as content, and any cutting of the text into pieces gives the
// same events once neighbours of a kind are joined.
//
// Refuses nothing: text that looks like a call but isn't one comes out whole as kMalformed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "chat/format.h"

namespace freehold::chat {

struct OutputEvent {
  enum class Kind {
    kReasoning,          // text
    kContent,            // text
    kToolCallStart,      // index, id, name
    kToolCallArguments,  // index, text: the next fragment of the arguments' JSON
    kToolCallEnd,        // index; the arguments' fragments joined are one JSON object
    kMalformed,          // text: the raw call; index when a start was already reported, else -1
  };
  Kind kind = Kind::kContent;
  std::string text;
  int32_t index = -1;
  std::string id;
  std::string name;
  bool operator==(const OutputEvent&) const = default;
};

// Where markers of tool calls are read as such; elsewhere they are text. Has no say in harmony,
// whose calls have a channel of their own.
enum class CallReading {
  kAnywhere,        // models also call from within their reasoning
  kAfterReasoning,  // for answers bound to a grammar, which begins where the reasoning was closed
  kNever,           // nobody offered a tool
};

struct OutputOptions {
  Format format = Format::kGeneric;
  CallReading calls = CallReading::kAnywhere;
  // The request's tools as the API has them ([{"type":"function","function":{...}}]); null: none.
  // Names tell calls from ordinary JSON, schemas tell strings from numbers in the XML formats.
  const nlohmann::ordered_json* tools = nullptr;  // read by the constructor only
  // The end of the prompt's text (64 bytes are enough): tells whether thinking was opened there.
  std::string prompt_tail;
  // Makes the id of the call with that index where the format has none. Default: "call_INDEX".
  std::function<std::string(int32_t index)> make_id;
};

// One answer. Not thread-safe. Feed it text in which control tokens are rendered as their text.
class OutputParser {
 public:
  explicit OutputParser(const OutputOptions& options);
  ~OutputParser();
  OutputParser(OutputParser&&) noexcept;
  OutputParser& operator=(OutputParser&&) noexcept;

  // Appends to `events` what `text` made certain. Text that might be the beginning of a marker is
  // held back.
  void feed(std::string_view text, std::vector<OutputEvent>& events);
  // The answer is over (for whatever reason): lets go of what was held back. A call cut off in the
  // middle comes out as kMalformed.
  void finish(std::vector<OutputEvent>& events);

  // Whether the text so far ends inside reasoning (what a reasoning budget counts).
  bool in_reasoning() const;
  // Calls that ended well so far.
  int32_t tool_calls() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace freehold::chat
