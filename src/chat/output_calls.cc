// The readers of tool calls, one for each family of formats (see format.h for what they look like).
#include <algorithm>
#include <optional>

#include "chat/output_scan.h"

namespace freehold::chat {

namespace {

using Step = CallReader::Step;

constexpr std::string_view kSpace = " \t\r\n";

std::string trimmed(std::string_view text) {
  const size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  return std::string(text.substr(begin, text.find_last_not_of(kSpace) + 1 - begin));
}

bool any_name(std::string_view) { return true; }

// The first marker that `in` begins with, or whether it may yet begin with one.
struct Front {
  Match match = Match::kNo;
  size_t which = 0;
};

Front front(std::string_view in, const Markers& markers, bool final) {
  Front out;
  for (size_t m = 0; m < markers.size(); ++m) {
    const Match match = begins_with(in, markers[m], final);
    if (match == Match::kYes) return {match, m};
    if (match == Match::kPartly) out.match = match;
  }
  return out;
}

// --- DeepSeek R1 and V3.1, Kimi K2: every part between tokens of its own

struct Tokens {
  Markers section_begin;
  Markers call_begin;
  Markers separator;  // before the arguments; in R1 before the name
  Markers call_end;
  Markers section_end;
};

class TokenCalls : public CallReader {
 public:
  TokenCalls(Format format, Tokens tokens) : format_(format), tokens_(std::move(tokens)) {
    header_ends_ = tokens_.separator;
    header_ends_.insert(header_ends_.end(), tokens_.call_end.begin(), tokens_.call_end.end());
  }

  Step step(std::string& in, bool final, Sink& sink) override {
    switch (state_) {
      case State::kBetween:
        return between(in, final);
      case State::kHeader:
        return header(in, final, sink);
      case State::kName:
        return name(in, final, sink);
      case State::kArguments: {
        const Step step = arguments_.step(in, final, tokens_.call_end, raw_, sink);
        if (step != Step::kDone) return step;
        state_ = State::kAfter;
        return Step::kAgain;
      }
      case State::kAfter:
        return after(in, final);
    }
    return Step::kDone;
  }

 private:
  enum class State { kBetween, kHeader, kName, kArguments, kAfter };

  Step between(std::string& in, bool final) {
    skip_white_space(in);
    Match partly = Match::kNo;
    for (const Markers* markers :
         {&tokens_.call_begin, &tokens_.section_begin, &tokens_.section_end}) {
      const Front found = front(in, *markers, final);
      if (found.match == Match::kPartly) partly = Match::kPartly;
      if (found.match != Match::kYes) continue;
      in.erase(0, (*markers)[found.which].size());
      if (markers == &tokens_.section_end) return Step::kDone;
      if (markers == &tokens_.section_begin) return Step::kAgain;
      raw_.clear();
      header_.clear();
      arguments_ = {};
      state_ = State::kHeader;
      return Step::kAgain;
    }
    return partly == Match::kPartly ? Step::kNeedMore : Step::kDone;
  }

  Step header(std::string& in, bool final, Sink& sink) {
    const int end = take_until(in, header_ends_, final, header_);
    if (end < 0 && !final) return Step::kNeedMore;
    if (end < 0 || static_cast<size_t>(end) >= tokens_.separator.size()) {
      sink.malformed(header_);
      state_ = State::kBetween;
      return Step::kAgain;
    }
    raw_ = header_;
    if (format_ == Format::kDeepSeekR1 && trimmed(header_) == "function") {
      header_.clear();
      state_ = State::kName;
      return Step::kAgain;
    }
    start(sink, trimmed(header_));
    return Step::kAgain;
  }

  // R1: the name ends where its line or the arguments begin.
  Step name(std::string& in, bool final, Sink& sink) {
    const size_t end = in.find_first_of("\n{`");
    const bool ended = end != std::string::npos;
    const size_t n = std::min(end, in.size());
    // The end of the call, or the beginning of it, isn't part of a name either.
    std::string text = in.substr(0, n);
    const int call_end = take_until(text, tokens_.call_end, ended || final, header_);
    in.erase(0, n - text.size());
    if (!ended && call_end < 0 && !final) return Step::kNeedMore;
    raw_ += header_;
    if (call_end < 0) {
      start(sink, trimmed(header_));
      return Step::kAgain;
    }
    sink.start(trimmed(header_));
    sink.arguments("{}");
    sink.end(raw_);
    state_ = State::kBetween;
    return Step::kAgain;
  }

  void start(Sink& sink, std::string name) {
    std::string id;
    if (format_ == Format::kKimiK2) {
      id = name;
      if (name.starts_with("functions.")) name.erase(0, 10);
      const size_t colon = name.rfind(':');
      if (colon != std::string::npos) name.erase(colon);
    }
    sink.start(name, id);
    state_ = State::kArguments;
  }

  Step after(std::string& in, bool final) {
    skip_white_space(in);
    const Match fence = begins_with(in, "```", final);
    if (fence == Match::kPartly) return Step::kNeedMore;
    if (fence == Match::kYes) {
      in.erase(0, 3);
      return Step::kAgain;
    }
    const Front end = front(in, tokens_.call_end, final);
    if (end.match == Match::kPartly) return Step::kNeedMore;
    if (end.match == Match::kYes) in.erase(0, tokens_.call_end[end.which].size());
    state_ = State::kBetween;
    return Step::kAgain;
  }

  Format format_;
  Tokens tokens_;
  Markers header_ends_;
  State state_ = State::kBetween;
  std::string header_;
  std::string raw_;
  JsonArguments arguments_;
};

// R1 writes its markers with look-alikes now and then.
Markers deepseek_variants(std::string_view words) {
  Markers out;
  for (const std::string_view bar : {"\xEF\xBD\x9C", "|"}) {
    for (const std::string_view space : {"\xE2\x96\x81", "_", " "}) {
      std::string marker = "<" + std::string(bar);
      for (const char c : words) {
        if (c == ' ') {
          marker += space;
        } else {
          marker += c;
        }
      }
      out.push_back(marker + std::string(bar) + ">");
    }
  }
  return out;
}

// --- parameters one by one: DSML, the XML of Qwen, GLM

// A value that is passed on as it comes when it can only be a string, else when it is whole.
class ParameterReader {
 public:
  void begin(std::string key, const std::vector<std::string>* types, bool is_string) {
    key_ = std::move(key);
    types_ = types;
    is_string_ = is_string;
    value_.clear();
    begun_ = false;
  }

  // True when the value has ended.
  bool step(std::string& in, bool final, const Markers& ends, std::string& raw,
            ParameterWriter& writer, Sink& sink) {
    std::string piece;
    const int end = take_until(in, ends, final, piece);
    raw += piece;
    if (is_string_) {
      if (!begun_) writer.string_begin(sink, key_);
      begun_ = true;
      writer.string_piece(sink, piece);
      if (end >= 0) writer.string_end(sink);
    } else {
      value_ += piece;
      if (end >= 0) writer.json_value(sink, key_, typed_value(value_, types_));
    }
    return end >= 0;
  }

 private:
  std::string key_;
  std::string value_;
  const std::vector<std::string>* types_ = nullptr;
  bool is_string_ = false;
  bool begun_ = false;
};

constexpr std::string_view kDsml =
    "\xEF\xBD\x9C"
    "DSML"
    "\xEF\xBD\x9C";

class DsmlCalls : public CallReader {
 public:
  Step step(std::string& in, bool final, Sink& sink) override {
    switch (state_) {
      case State::kBlock:
        return block(in, final);
      case State::kName:
        return name(in, final, sink);
      case State::kParameters:
        return parameters(in, final, sink);
      case State::kAttributes:
        return attributes(in, final, sink);
      case State::kValue:
        if (value_.step(in, final, {close_ + "parameter>"}, raw_, writer_, sink)) {
          state_ = State::kParameters;
          return Step::kAgain;
        }
        return final ? broken(sink) : Step::kNeedMore;
    }
    return Step::kDone;
  }

 private:
  enum class State { kBlock, kName, kParameters, kAttributes, kValue };

  Step block(std::string& in, bool final) {
    skip_white_space(in);
    const Markers markers = {open_ + "invoke name=\"", close_ + "function_calls>",
                             close_ + "tool_calls>"};
    const Front found = front(in, markers, final);
    if (found.match == Match::kPartly) return Step::kNeedMore;
    if (found.match == Match::kNo) return Step::kDone;
    in.erase(0, markers[found.which].size());
    if (found.which > 0) return Step::kDone;
    raw_ = markers[0];
    text_.clear();
    state_ = State::kName;
    return Step::kAgain;
  }

  Step name(std::string& in, bool final, Sink& sink) {
    const int end = take_until(in, {"\">"}, final, text_);
    if (end < 0) {
      if (!final) return Step::kNeedMore;
      raw_ += text_;
      return broken(sink);
    }
    raw_ += text_ + "\">";
    sink.start(text_);
    writer_.begin(sink);
    state_ = State::kParameters;
    return Step::kAgain;
  }

  Step parameters(std::string& in, bool final, Sink& sink) {
    skip_white_space(in);
    const Markers markers = {open_ + "parameter name=\"", close_ + "invoke>",
                             close_ + "function_calls>", close_ + "tool_calls>"};
    const Front found = front(in, markers, final);
    if (found.match == Match::kPartly) return Step::kNeedMore;
    if (found.match == Match::kNo) return broken(sink);
    if (found.which == 0) {
      in.erase(0, markers[0].size());
      raw_ += markers[0];
      text_.clear();
      state_ = State::kAttributes;
      return Step::kAgain;
    }
    // The end of the block ends a call that was left open.
    if (found.which == 1) in.erase(0, markers[1].size());
    writer_.end(sink, raw_);
    state_ = State::kBlock;
    return Step::kAgain;
  }

  // NAME" string="true">
  Step attributes(std::string& in, bool final, Sink& sink) {
    const int end = take_until(in, {">"}, final, text_);
    if (end < 0) {
      if (!final) return Step::kNeedMore;
      raw_ += text_;
      return broken(sink);
    }
    raw_ += text_ + ">";
    const size_t quote = std::min(text_.find('"'), text_.size());
    const bool is_string = text_.find("string=\"false\"", quote) == std::string::npos;
    value_.begin(text_.substr(0, quote), nullptr, is_string);
    state_ = State::kValue;
    return Step::kAgain;
  }

  Step broken(Sink& sink) {
    sink.malformed(raw_);
    state_ = State::kBlock;
    return Step::kAgain;
  }

  const std::string open_ = "<" + std::string(kDsml);
  const std::string close_ = "</" + std::string(kDsml);
  State state_ = State::kBlock;
  std::string raw_;
  std::string text_;
  ParameterWriter writer_;
  ParameterReader value_;
};

// One call after <tool_call>: Hermes JSON, Qwen's <function=...>, or GLM's name and arg_keys; which
// it is shows at its first character. Also <function=NAME> without <tool_call> around it.
class TagCall : public CallReader {
 public:
  explicit TagCall(const ToolSchemas& schemas) : schemas_(schemas) {}
  TagCall(const ToolSchemas& schemas, std::string name)
      : schemas_(schemas), name_(std::move(name)), state_(State::kStart) {}

  Step step(std::string& in, bool final, Sink& sink) override {
    switch (state_) {
      case State::kOpen:
        return open(in, final);
      case State::kObject:
        return object(in, final, sink);
      case State::kFunctionName:
        return function_name(in, final, sink);
      case State::kGlmName:
        return glm_name(in, final, sink);
      case State::kStart:
        raw_ += "<function=" + name_ + ">";
        sink.start(name_);
        state_ = State::kFirst;
        return Step::kAgain;
      case State::kFirst:
        return first(in, final, sink);
      case State::kJson: {
        const Step step = json_.step(in, final, {"</function>", "</tool_call>"}, raw_, sink);
        if (step == Step::kDone) state_ = State::kAfter;
        return step == Step::kDone ? Step::kAgain : step;
      }
      case State::kParameters:
        return parameters(in, final, sink);
      case State::kKey:
        return key(in, final, sink);
      case State::kGap:
        return gap(in, final, sink);
      case State::kValueStart:
        return value_start(in, final);
      case State::kValue:
        return value(in, final, sink);
      case State::kBroken:
        return broken(in, final, sink);
      case State::kAfter:
        return after(in, final);
    }
    return Step::kDone;
  }

 private:
  enum class State {
    kOpen,
    kObject,
    kFunctionName,
    kGlmName,
    kStart,
    kFirst,
    kJson,
    kParameters,
    kKey,
    kGap,
    kValueStart,
    kValue,
    kBroken,
    kAfter,
  };

  Step go(State state) {
    state_ = state;
    return Step::kAgain;
  }

  Step open(std::string& in, bool final) {
    skip_white_space(in);
    if (in.empty()) return final ? go(State::kBroken) : Step::kNeedMore;
    if (in[0] == '{') return go(State::kObject);
    const Match function = begins_with(in, "<function=", final);
    if (function == Match::kPartly) return Step::kNeedMore;
    if (function == Match::kNo) return go(State::kGlmName);
    in.erase(0, 10);
    return go(State::kFunctionName);
  }

  Step object(std::string& in, bool final, Sink& sink) {
    const Step step = object_.step(in, final, any_name, sink);
    if (step == Step::kNotCalls) return go(State::kBroken);
    return step == Step::kDone ? go(State::kAfter) : step;
  }

  Step function_name(std::string& in, bool final, Sink&) {
    const int end = take_until(in, {">", "\n"}, final, name_);
    if (end == 0) return go(State::kStart);
    if (end < 0 && !final) return Step::kNeedMore;
    raw_ += "<function=" + name_;
    return go(State::kBroken);
  }

  Step glm_name(std::string& in, bool final, Sink& sink) {
    is_glm_ = true;
    const int end = take_until(in, {"<arg_key>", "</tool_call>", "\n"}, final, name_);
    if (end < 0 && !final) return Step::kNeedMore;
    raw_ += name_;
    name_ = trimmed(name_);
    const bool plausible = !name_.empty() && name_.find_first_of(" <{\"") == std::string::npos;
    if (end < 0 || !plausible) {
      if (end >= 0)
        in.insert(0, std::string(end == 0 ? "<arg_key>" : end == 1 ? "</tool_call>" : "\n"));
      return go(State::kBroken);
    }
    if (end == 0) in.insert(0, "<arg_key>");
    if (end == 1) in.insert(0, "</tool_call>");
    sink.start(name_);
    writer_.begin(sink);
    return go(State::kParameters);
  }

  // After <function=NAME>: parameters, or JSON at once (Llama).
  Step first(std::string& in, bool final, Sink& sink) {
    skip_white_space(in);
    if (in.empty() && !final) return Step::kNeedMore;
    if (in.starts_with('{')) return go(State::kJson);
    writer_.begin(sink);
    return go(State::kParameters);
  }

  Step parameters(std::string& in, bool final, Sink& sink) {
    skip_white_space(in);
    const Markers markers = is_glm_ ? Markers{"<arg_key>", "</tool_call>"}
                                    : Markers{"<parameter=", "</function>", "</tool_call>"};
    const Front found = front(in, markers, final);
    if (found.match == Match::kPartly) return Step::kNeedMore;
    if (found.match == Match::kNo) return go(State::kBroken);
    if (found.which > 0) {
      writer_.end(sink, raw_);
      return go(State::kAfter);
    }
    in.erase(0, markers[0].size());
    raw_ += markers[0];
    key_.clear();
    return go(State::kKey);
  }

  Step key(std::string& in, bool final, Sink&) {
    const std::string end = is_glm_ ? "</arg_key>" : ">";
    const int found = take_until(in, {end}, final, key_);
    if (found < 0 && !final) return Step::kNeedMore;
    raw_ += key_;
    if (found < 0) return go(State::kBroken);
    raw_ += end;
    key_ = trimmed(key_);
    const auto* types = schemas_.types(name_, key_);
    value_.begin(key_, types, is_string_only(types));
    ends_ = {is_glm_ ? "</arg_value>" : "</parameter>"};
    return go(is_glm_ ? State::kGap : State::kValueStart);
  }

  Step gap(std::string& in, bool final, Sink&) {
    skip_white_space(in);
    const Match match = begins_with(in, "<arg_value>", final);
    if (match == Match::kPartly) return Step::kNeedMore;
    if (match == Match::kNo) return go(State::kBroken);
    in.erase(0, 11);
    raw_ += "<arg_value>";
    return go(State::kValue);
  }

  // A value that begins on a line of its own ends with one.
  Step value_start(std::string& in, bool final) {
    if (in.empty() && !final) return Step::kNeedMore;
    if (!in.starts_with('\n')) return go(State::kValue);
    ends_ = {"\n</parameter>"};
    const Match empty = begins_with(in, ends_[0], final);
    if (empty == Match::kPartly) return Step::kNeedMore;
    if (empty == Match::kNo) in.erase(0, 1);
    return go(State::kValue);
  }

  Step value(std::string& in, bool final, Sink& sink) {
    if (value_.step(in, final, ends_, raw_, writer_, sink)) {
      raw_ += ends_[0];
      return go(State::kParameters);
    }
    return final ? go(State::kBroken) : Step::kNeedMore;
  }

  Step broken(std::string& in, bool final, Sink& sink) {
    if (take_until(in, {"</tool_call>"}, final, raw_) < 0 && !final) return Step::kNeedMore;
    sink.malformed(raw_);
    return Step::kDone;
  }

  Step after(std::string& in, bool final) {
    skip_white_space(in);
    const Markers markers = {"</tool_call>", "</function>"};
    const Front found = front(in, markers, final);
    if (found.match == Match::kPartly) return Step::kNeedMore;
    if (found.match == Match::kNo) return Step::kDone;
    in.erase(0, markers[found.which].size());
    return found.which == 0 ? Step::kDone : Step::kAgain;
  }

  const ToolSchemas& schemas_;
  std::string name_;
  State state_ = State::kOpen;
  bool is_glm_ = false;
  std::string raw_;
  std::string key_;
  Markers ends_;
  ObjectCall object_;
  JsonArguments json_;
  ParameterWriter writer_;
  ParameterReader value_;
};

// --- Mistral: [TOOL_CALLS][{...}, {...}] or [TOOL_CALLS]NAME[ARGS]{...}

class MistralCalls : public CallReader {
 public:
  Step step(std::string& in, bool final, Sink& sink) override {
    switch (state_) {
      case State::kOpen:
        skip_white_space(in);
        if (in.empty()) return final ? Step::kDone : Step::kNeedMore;
        state_ = in[0] == '[' ? State::kElement : State::kHeader;
        if (in[0] == '[') in.erase(0, 1);
        return Step::kAgain;
      case State::kElement:
        return element(in, final);
      case State::kObject:
        return object(in, final, sink);
      case State::kHeader:
        return header(in, final, sink);
      case State::kArguments:
        return arguments_.step(in, final, {"[TOOL_CALLS]"}, raw_, sink);
      case State::kBroken:
        raw_ += std::exchange(in, {});
        if (!final) return Step::kNeedMore;
        sink.malformed(raw_);
        return Step::kDone;
    }
    return Step::kDone;
  }

 private:
  enum class State { kOpen, kElement, kObject, kHeader, kArguments, kBroken };

  Step element(std::string& in, bool final) {
    in.erase(0, std::min(in.find_first_not_of(" \t\r\n,"), in.size()));
    if (in.empty() && !final) return Step::kNeedMore;
    if (in.starts_with('{')) {
      object_ = {};
      state_ = State::kObject;
      return Step::kAgain;
    }
    if (!in.starts_with(']') && !in.empty()) return broken();
    in.erase(0, 1);
    return Step::kDone;
  }

  // A list that isn't one of calls: all that comes is part of it.
  Step broken() {
    state_ = State::kBroken;
    return Step::kAgain;
  }

  Step object(std::string& in, bool final, Sink& sink) {
    const Step step = object_.step(in, final, any_name, sink);
    if (step == Step::kNotCalls) return broken();
    if (step == Step::kDone) state_ = State::kElement;
    return step == Step::kDone ? Step::kAgain : step;
  }

  Step header(std::string& in, bool final, Sink& sink) {
    const int end = take_until(in, {"[ARGS]", "{"}, final, raw_);
    if (end < 0 && !final) return Step::kNeedMore;
    const size_t id_at = std::min(raw_.find("[CALL_ID]"), raw_.size());
    const std::string name = trimmed(raw_.substr(0, id_at));
    if (end < 0 || name.empty()) {
      sink.malformed(raw_);
      return Step::kDone;
    }
    if (end == 1) in.insert(0, "{");
    sink.start(name, id_at < raw_.size() ? trimmed(raw_.substr(id_at + 9)) : "");
    state_ = State::kArguments;
    return Step::kAgain;
  }

  State state_ = State::kOpen;
  std::string raw_;
  ObjectCall object_;
  JsonArguments arguments_;
};

// --- Llama 3: the whole message is a JSON object, or what follows <|python_tag|>

class LlamaCalls : public CallReader {
 public:
  LlamaCalls(const ToolSchemas& schemas, bool after_python_tag)
      : schemas_(schemas), python_(after_python_tag) {}

  Step step(std::string& in, bool final, Sink& sink) override {
    if (in_code_) return code(in, final, sink);
    if (!in_object_) {
      if (started_ && !python_) skip_separator(in);
      if (!started_ || python_) skip_white_space(in);
      if (in.empty()) return final ? Step::kDone : Step::kNeedMore;
      if (!in.starts_with('{')) {
        if (!python_ || started_) return Step::kDone;
        in_code_ = true;
        return Step::kAgain;
      }
      in_object_ = true;
      object_ = {};
    }
    const Step step = object_.step(
        in, final, [&](std::string_view name) { return python_ || schemas_.knows(name); }, sink);
    if (step == Step::kNotCalls && python_) {
      in_object_ = false;
      in_code_ = true;
      return Step::kAgain;
    }
    if (step != Step::kDone) return step;
    in_object_ = false;
    started_ = true;
    return Step::kAgain;
  }

 private:
  // Several calls are joined by "; ".
  static void skip_separator(std::string& in) {
    in.erase(0, std::min(in.find_first_not_of(" \t\r\n;"), in.size()));
  }

  // name.call(key="value", ...) is a built-in tool, all else Python for the interpreter; both last
  // until the message ends.
  Step code(std::string& in, bool final, Sink& sink) {
    const Markers ends = {"<|eom_id|>", "<|eot_id|>", "<|end_of_text|>"};
    if (take_until(in, ends, final, code_) < 0 && !final) return Step::kNeedMore;
    const std::string text = trimmed(code_);
    const size_t call = text.find(".call(");
    const bool is_call =
        call != std::string::npos && text.ends_with(')') && text.find_first_of(" \n(\"'=") > call;
    const auto arguments =
        is_call ? python_arguments(text.substr(call + 6, text.size() - call - 7)) : std::nullopt;
    ParameterWriter writer;
    if (arguments) {
      sink.start(text.substr(0, call));
      sink.arguments(*arguments);
      sink.end(code_);
      return Step::kDone;
    }
    sink.start("code_interpreter");
    writer.begin(sink);
    writer.json_value(sink, "code", '"' + json_escaped(text) + '"');
    writer.end(sink, code_);
    return Step::kDone;
  }

  // a="x", b=1 as a JSON object; nothing when it isn't that.
  static std::optional<std::string> python_arguments(std::string_view text) {
    std::string out = "{";
    for (size_t i = 0; i < text.size();) {
      const size_t equals = text.find('=', i);
      if (equals == std::string_view::npos) return std::nullopt;
      const std::string key = trimmed(text.substr(i, equals - i));
      size_t end = equals + 1;
      const char quote = end < text.size() ? text[end] : ' ';
      const bool quoted = quote == '"' || quote == '\'';
      if (quoted) {
        for (++end; end < text.size() && text[end] != quote; ++end) {
          if (text[end] == '\\') ++end;
        }
        if (end++ >= text.size()) return std::nullopt;
      } else {
        end = std::min(text.find(',', end), text.size());
      }
      std::string_view value = text.substr(equals + 1, end - equals - 1);
      if (quoted) value = value.substr(1, value.size() - 2);
      if (out.size() > 1) out += ", ";
      out += '"' + json_escaped(key) + "\": ";
      out += quoted ? '"' + json_escaped(value) + '"' : typed_value(value, nullptr);
      i = std::min(text.find_first_not_of(" ,", end), text.size());
    }
    return out + "}";
  }

  const ToolSchemas& schemas_;
  bool python_;
  bool started_ = false;
  bool in_object_ = false;
  bool in_code_ = false;
  std::string code_;
  ObjectCall object_;
};

}  // namespace

std::unique_ptr<CallReader> token_calls(Format format) {
  if (format == Format::kKimiK2) {
    return std::make_unique<TokenCalls>(format, Tokens{{"<|tool_calls_section_begin|>"},
                                                       {"<|tool_call_begin|>"},
                                                       {"<|tool_call_argument_begin|>"},
                                                       {"<|tool_call_end|>"},
                                                       {"<|tool_calls_section_end|>"}});
  }
  return std::make_unique<TokenCalls>(
      format, Tokens{deepseek_variants("tool calls begin"), deepseek_variants("tool call begin"),
                     deepseek_variants("tool sep"), deepseek_variants("tool call end"),
                     deepseek_variants("tool calls end")});
}

std::unique_ptr<CallReader> dsml_calls() { return std::make_unique<DsmlCalls>(); }

std::unique_ptr<CallReader> tag_calls(const ToolSchemas& schemas) {
  return std::make_unique<TagCall>(schemas);
}

std::unique_ptr<CallReader> function_tag_call(const ToolSchemas& schemas, std::string name) {
  return std::make_unique<TagCall>(schemas, std::move(name));
}

std::unique_ptr<CallReader> mistral_calls() { return std::make_unique<MistralCalls>(); }

std::unique_ptr<CallReader> llama_calls(const ToolSchemas& schemas, bool after_python_tag) {
  return std::make_unique<LlamaCalls>(schemas, after_python_tag);
}

}  // namespace freehold::chat
