// The pieces that readers of a model's answer share: markers in a stream, JSON that arrives in
// fragments, tools' schemas, and the sink that turns findings into events.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/output_parser.h"
#include "chat/template.h"

namespace freehold::chat {

using Markers = std::vector<std::string>;

enum class Match { kNo, kPartly, kYes };

// Whether `in` begins with the marker; kPartly when it may yet, once more text has come.
Match begins_with(std::string_view in, std::string_view marker, bool final);

// Moves text from the front of `in` to `out`, up to the first of the markers, which is removed; its
// index is returned. -1: none is there yet; what might become one stays in `in`, unless `final`.
int take_until(std::string& in, const Markers& markers, bool final, std::string& out);

// Drops white space from the front.
void skip_white_space(std::string& in);

// A copy of the text as the inside of a JSON string.
std::string json_escaped(std::string_view text);

// Follows a JSON object byte by byte, to know where it ends.
class JsonTracker {
 public:
  enum class Status { kMore, kDone, kBad };
  Status feed(char c);
  bool in_string() const { return in_string_; }
  size_t depth() const { return open_.size(); }

 private:
  bool in_string_ = false;
  bool escaped_ = false;
  std::string open_;  // the brackets that wait for their end
};

// What the request's tools say of their parameters.
class ToolSchemas {
 public:
  ToolSchemas() = default;
  explicit ToolSchemas(const nlohmann::ordered_json* tools);

  bool knows(std::string_view tool) const { return tools_.find(tool) != tools_.end(); }
  // The declared types of a parameter; null when there is no such tool or parameter.
  const std::vector<std::string>* types(std::string_view tool, std::string_view parameter) const;
  std::vector<std::string> names() const;

 private:
  using Parameters = std::map<std::string, std::vector<std::string>, std::less<>>;
  std::map<std::string, Parameters, std::less<>> tools_;
};

// Makes events; counts the calls.
class Sink {
 public:
  Sink(std::function<std::string(int32_t)> make_id, std::vector<OutputEvent>* events)
      : make_id_(std::move(make_id)), events_(events) {}

  void redirect(std::vector<OutputEvent>* events) { events_ = events; }
  void text(OutputEvent::Kind kind, std::string_view text);
  void start(std::string_view name, std::string_view id = {});
  void arguments(std::string_view fragment);
  // Ends the running call: well if its arguments are one JSON object, else as malformed.
  void end(std::string_view raw);
  // A call that was started or not, given up.
  void malformed(std::string_view raw);
  bool running() const { return running_; }
  int32_t finished() const { return finished_; }

 private:
  std::function<std::string(int32_t)> make_id_;
  std::vector<OutputEvent>* events_;
  int32_t next_ = 0;
  int32_t finished_ = 0;
  bool running_ = false;
  std::string json_;  // of the running call
};

// Reads calls from the text that follows a marker, until they are over.
class CallReader {
 public:
  enum class Step {
    kAgain,     // did something; ask again
    kNeedMore,  // nothing to do with what there is
    kDone,      // the rest of `in` isn't calls
    kNotCalls,  // it never was a call: `in` holds all of it, as content
  };
  virtual ~CallReader() = default;
  virtual Step step(std::string& in, bool final, Sink& sink) = 0;
};

// JSON arguments whose tool is known: passes them on as they come.
class JsonArguments {
 public:
  // `raw` collects what belongs to the call, for the case that it turns out malformed. `ends` are
  // the markers that end a broken one.
  CallReader::Step step(std::string& in, bool final, const Markers& ends, std::string& raw,
                        Sink& sink);

 private:
  JsonTracker tracker_;
  bool begun_ = false;
  bool broken_ = false;
};

// {"name": ..., "arguments": {...}}: the arguments may come before the name, be called parameters,
// or be a string that holds JSON.
class ObjectCall {
 public:
  // `accepts` says whether a name is a tool's. kNotCalls: another name, or no such object; `in` is
  // then what it was, all of it.
  CallReader::Step step(std::string& in, bool final,
                        const std::function<bool(std::string_view)>& accepts, Sink& sink);
  const std::string& raw() const { return raw_; }

 private:
  void on_byte(char c, bool was_in_string);
  void end_of_value();
  void flush(Sink& sink);

  JsonTracker tracker_;
  std::string raw_;
  std::string key_;
  std::string value_;
  bool in_value_ = false;
  std::string name_;
  std::string id_;
  bool has_name_ = false;
  bool started_ = false;
  bool has_arguments_ = false;
  bool bad_arguments_ = false;
  std::string arguments_;  // not yet passed on
};

// Builds the arguments' JSON from parameters that come one by one.
class ParameterWriter {
 public:
  void begin(Sink& sink);
  void string_begin(Sink& sink, std::string_view key);
  void string_piece(Sink& sink, std::string_view text);
  void string_end(Sink& sink);
  void json_value(Sink& sink, std::string_view key, std::string_view json);
  void end(Sink& sink, std::string_view raw);

 private:
  void key(Sink& sink, std::string_view key);
  bool first_ = true;
};

// The JSON for a parameter's raw text by its declared types: as it stands if it is JSON and need
// not be a string, else as a string.
std::string typed_value(std::string_view text, const std::vector<std::string>* types);
// Whether it can only be a string, so that it may be passed on piece by piece.
bool is_string_only(const std::vector<std::string>* types);

// Readers by family of format.
std::unique_ptr<CallReader> token_calls(Format format);             // R1, V3.1, Kimi
std::unique_ptr<CallReader> dsml_calls();                           // V3.2, V4
std::unique_ptr<CallReader> tag_calls(const ToolSchemas& schemas);  // <tool_call>
std::unique_ptr<CallReader> function_tag_call(const ToolSchemas& schemas, std::string name);
std::unique_ptr<CallReader> mistral_calls();
std::unique_ptr<CallReader> llama_calls(const ToolSchemas& schemas, bool after_python_tag);

}  // namespace freehold::chat
