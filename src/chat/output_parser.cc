#include "chat/output_parser.h"

#include <algorithm>
#include <optional>

#include "chat/output_harmony.h"
#include "chat/output_scan.h"

namespace freehold::chat {

using Step = CallReader::Step;

namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kDeepSeekEnd =
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81"
    "of\xE2\x96\x81"
    "sentence\xEF\xBD\x9C>";
constexpr std::string_view kDsmlOpen =
    "<\xEF\xBD\x9C"
    "DSML\xEF\xBD\x9C";

// What begins a call; a reader is made for it.
struct Trigger {
  std::string marker;
  bool keep = false;     // the marker belongs to what the reader reads
  std::string function;  // of <function=NAME>
  bool python = false;   // of <|python_tag|>
};

std::vector<Trigger> triggers_of(Format format, const ToolSchemas& schemas) {
  std::vector<Trigger> out;
  const auto kept = [&](std::string marker) {
    out.push_back({std::move(marker), true, {}, false});
  };
  const auto dropped = [&](std::string marker) {
    out.push_back({std::move(marker), false, {}, false});
  };
  const auto functions = [&] {
    for (const std::string& name : schemas.names()) {
      out.push_back({"<function=" + name + ">", false, name, false});
    }
  };
  switch (format) {
    case Format::kDeepSeekR1:
    case Format::kDeepSeekV31:
      for (const std::string_view bar : {"\xEF\xBD\x9C", "|"}) {
        for (const std::string_view space : {"\xE2\x96\x81", "_", " "}) {
          const std::string s(space);
          const std::string b(bar);
          kept("<" + b + "tool" + s + "calls" + s + "begin" + b + ">");
          kept("<" + b + "tool" + s + "call" + s + "begin" + b + ">");
        }
      }
      break;
    case Format::kDeepSeekV32:
    case Format::kDeepSeekV4:
      dropped(std::string(kDsmlOpen) + "function_calls>");
      dropped(std::string(kDsmlOpen) + "tool_calls>");
      kept(std::string(kDsmlOpen) + "invoke name=\"");
      break;
    case Format::kHermes:
    case Format::kGlm4:
      dropped("<tool_call>");
      break;
    case Format::kQwenXml:
      dropped("<tool_call>");
      functions();
      break;
    case Format::kLlama3:
      functions();
      out.push_back({"<|python_tag|>", false, {}, true});
      break;
    case Format::kKimiK2:
      kept("<|tool_calls_section_begin|>");
      kept("<|tool_call_begin|>");
      break;
    case Format::kMistral:
      dropped("[TOOL_CALLS]");
      break;
    case Format::kGeneric:
    case Format::kHarmony:
      break;
  }
  return out;
}

// Tokens that end an answer; they carry no text.
Markers ends_of(Format format) {
  switch (format) {
    case Format::kDeepSeekR1:
    case Format::kDeepSeekV31:
    case Format::kDeepSeekV32:
    case Format::kDeepSeekV4:
      return {std::string(kDeepSeekEnd)};
    case Format::kHermes:
    case Format::kQwenXml:
      return {"<|im_end|>", "<|endoftext|>"};
    case Format::kLlama3:
      return {"<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"};
    case Format::kKimiK2:
      return {"<|im_end|>", "[EOS]"};
    case Format::kGlm4:
      return {"<|user|>", "<|observation|>", "<|endoftext|>"};
    case Format::kMistral:
      return {"</s>"};
    case Format::kGeneric:
    case Format::kHarmony:
      break;
  }
  return {};
}

}  // namespace

struct OutputParser::State {
  enum class Mode { kStart, kReasoning, kContent, kCalls, kHarmony };

  explicit State(const OutputOptions& options)
      : format(options.format),
        schemas(options.tools),
        sink(
            options.make_id ? options.make_id
                            : [](int32_t index) { return "call_" + std::to_string(index); },
            nullptr),
        triggers(options.calls == CallReading::kNever ? std::vector<Trigger>{}
                                                      : triggers_of(options.format, schemas)) {
    const bool mistral = format == Format::kMistral;
    think = mistral ? "[THINK]" : "<think>";
    end_think = mistral ? "[/THINK]" : "</think>";
    // What begins calls, then the end of thinking, then the ends of an answer.
    for (const Trigger& trigger : triggers) markers.push_back(trigger.marker);
    markers.push_back(end_think);
    for (std::string& end : ends_of(format)) markers.push_back(std::move(end));
    calls_in_content = options.calls != CallReading::kNever;
    const auto n_skipped = options.calls == CallReading::kAnywhere ? 0 : std::ssize(triggers);
    in_reasoning.assign(markers.begin() + n_skipped, markers.end());
    if (format == Format::kHarmony) {
      mode = Mode::kHarmony;
      harmony.emplace(options.prompt_tail);
      return;
    }
    std::string_view tail = options.prompt_tail;
    tail = tail.substr(0, tail.find_last_not_of(kSpace) + 1);
    if (tail.ends_with(think)) mode = Mode::kReasoning;
    if (tail.ends_with(end_think)) mode = Mode::kContent;
  }

  void run(bool final);
  bool step(bool final);
  bool start(bool final);
  bool text(bool final);
  bool calls(bool final);
  void emit(std::string_view piece);
  void found(size_t marker);

  Format format;
  ToolSchemas schemas;
  Sink sink;
  std::vector<Trigger> triggers;
  Markers markers;
  Markers in_reasoning;  // those of them that count there: all, or from end_think on
  bool calls_in_content = true;
  std::string think;
  std::string end_think;
  Mode mode = Mode::kStart;
  std::string in;            // not yet read
  std::string held;          // newlines that may turn out to belong to a marker
  bool at_begin = true;      // newlines here belong to the marker before
  bool after_start = false;  // the answer's first text is past
  bool open_think = false;   // a call ended the reasoning; its end marker may still come
  std::unique_ptr<CallReader> reader;
  std::optional<HarmonyReader> harmony;
};

void OutputParser::State::run(bool final) {
  while (step(final)) continue;
}

bool OutputParser::State::step(bool final) {
  switch (mode) {
    case Mode::kStart:
      return start(final);
    case Mode::kReasoning:
    case Mode::kContent:
      return text(final);
    case Mode::kCalls:
      return calls(final);
    case Mode::kHarmony:
      return harmony->step(in, final, sink);
  }
  return false;
}

// The first text decides: thinking, an object that may be a call (Llama), or content.
bool OutputParser::State::start(bool final) {
  const size_t first = std::min(in.find_first_not_of(kSpace), in.size());
  const std::string_view rest = std::string_view(in).substr(first);
  if (rest.empty() && !final) return false;
  const Match match = begins_with(rest, think, final);
  if (match == Match::kPartly) return false;
  mode = Mode::kContent;
  if (match == Match::kYes) {
    in.erase(0, first + think.size());
    mode = Mode::kReasoning;
  } else if (calls_in_content && format == Format::kLlama3 && rest.starts_with('{')) {
    reader = llama_calls(schemas, false);
    mode = Mode::kCalls;
  } else {
    at_begin = false;
  }
  return true;
}

void OutputParser::State::emit(std::string_view piece) {
  if (at_begin) piece.remove_prefix(std::min(piece.find_first_not_of('\n'), piece.size()));
  if (piece.empty()) return;
  at_begin = false;
  const size_t end = piece.find_last_not_of('\n') + 1;
  if (end > 0) {
    held += piece.substr(0, end);
    sink.text(
        mode == Mode::kReasoning ? OutputEvent::Kind::kReasoning : OutputEvent::Kind::kContent,
        held);
    held.clear();
    after_start = after_start || mode == Mode::kContent;
  }
  held += piece.substr(end);
}

bool OutputParser::State::text(bool final) {
  if (in.empty()) {
    // Newlines at the end of an answer are its own; at the end of reasoning they are nobody's.
    if (!final) return false;
    if (mode == Mode::kContent) sink.text(OutputEvent::Kind::kContent, held);
    held.clear();
    return false;
  }
  if (mode == Mode::kReasoning && at_begin) {
    // A model may open the thinking that the prompt has opened already.
    const size_t first = std::min(in.find_first_not_of(kSpace), in.size());
    const Match match = begins_with(std::string_view(in).substr(first), think, final);
    if (match == Match::kPartly) return false;
    if (match == Match::kYes) in.erase(0, first + think.size());
  }
  std::string piece;
  const Markers& looked_for = mode == Mode::kReasoning ? in_reasoning : markers;
  const int marker = take_until(in, looked_for, final, piece);
  emit(piece);
  if (marker < 0) return final && in.empty() && !held.empty();
  found(static_cast<size_t>(marker) + markers.size() - looked_for.size());
  return true;
}

void OutputParser::State::found(size_t marker) {
  if (marker > triggers.size()) return;  // the end of the answer
  if (marker == triggers.size()) {
    const bool belongs = mode == Mode::kReasoning || open_think || !after_start;
    if (!belongs) return emit(end_think);  // a text that speaks of the marker
    mode = Mode::kContent;
    open_think = false;
    held.clear();
    at_begin = true;
    return;
  }
  const Trigger& trigger = triggers[marker];
  open_think = open_think || mode == Mode::kReasoning;
  held.clear();
  if (trigger.keep) in.insert(0, trigger.marker);
  if (!trigger.function.empty()) {
    reader = function_tag_call(schemas, trigger.function);
  } else if (trigger.python) {
    reader = llama_calls(schemas, true);
  } else if (format == Format::kMistral) {
    reader = mistral_calls();
  } else if (format == Format::kDeepSeekV32 || format == Format::kDeepSeekV4) {
    reader = dsml_calls();
  } else if (format == Format::kHermes || format == Format::kQwenXml || format == Format::kGlm4) {
    reader = tag_calls(schemas);
  } else {
    reader = token_calls(format);
  }
  mode = Mode::kCalls;
}

bool OutputParser::State::calls(bool final) {
  const Step step = reader->step(in, final, sink);
  if (step == Step::kAgain) return true;
  if (step == Step::kNeedMore) return false;
  mode = Mode::kContent;
  at_begin = step == Step::kDone;
  reader.reset();
  return true;
}

OutputParser::OutputParser(const OutputOptions& options)
    : state_(std::make_unique<State>(options)) {}
OutputParser::~OutputParser() = default;
OutputParser::OutputParser(OutputParser&&) noexcept = default;
OutputParser& OutputParser::operator=(OutputParser&&) noexcept = default;

void OutputParser::feed(std::string_view text, std::vector<OutputEvent>& events) {
  state_->sink.redirect(&events);
  state_->in += text;
  state_->run(false);
}

void OutputParser::finish(std::vector<OutputEvent>& events) {
  state_->sink.redirect(&events);
  state_->run(true);
}

bool OutputParser::in_reasoning() const {
  return state_->mode == State::Mode::kReasoning ||
         (state_->harmony && state_->harmony->in_reasoning());
}

int32_t OutputParser::tool_calls() const { return state_->sink.finished(); }

}  // namespace freehold::chat
