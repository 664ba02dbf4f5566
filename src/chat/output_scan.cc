#include "chat/output_scan.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace freehold::chat {

using Step = CallReader::Step;

namespace {

constexpr size_t kMaxNesting = 200;
constexpr std::string_view kSpace = " \t\r\n";

bool is_white(char c) { return kSpace.find(c) != std::string_view::npos; }

bool is_json_object(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  return begin != std::string_view::npos && text[begin] == '{' && Json::accept(text);
}

std::string decoded_string(std::string_view json) {
  const Json value = Json::parse(json, nullptr, false);
  return value.is_string() ? value.get<std::string>() : std::string();
}

}  // namespace

Match begins_with(std::string_view in, std::string_view marker, bool final) {
  if (in.starts_with(marker)) return Match::kYes;
  return !final && marker.starts_with(in) ? Match::kPartly : Match::kNo;
}

int take_until(std::string& in, const Markers& markers, bool final, std::string& out) {
  size_t best = std::string::npos;
  int which = -1;
  size_t keep = 0;  // bytes at the end that may begin a marker
  for (size_t m = 0; m < markers.size(); ++m) {
    const size_t at = in.find(markers[m]);
    const bool longer =
        at == best && which >= 0 && markers[m].size() > markers[static_cast<size_t>(which)].size();
    if (at != std::string::npos && (at < best || longer)) {
      best = at;
      which = static_cast<int>(m);
    }
    for (size_t n = std::min(in.size(), markers[m].size() - 1); n > keep && !final; --n) {
      if (in.ends_with(std::string_view(markers[m]).substr(0, n))) keep = n;
    }
  }
  if (which >= 0) {
    out.append(in, 0, best);
    in.erase(0, best + markers[static_cast<size_t>(which)].size());
    return which;
  }
  out.append(in, 0, in.size() - keep);
  in.erase(0, in.size() - keep);
  return -1;
}

void skip_white_space(std::string& in) {
  in.erase(0, std::min(in.find_first_not_of(kSpace), in.size()));
}

std::string json_escaped(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4U];
      out += kHex[byte & 15U];
    } else {
      out += c;
    }
  }
  return out;
}

JsonTracker::Status JsonTracker::feed(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return Status::kMore;
  }
  if (is_white(c)) return Status::kMore;
  if (open_.empty() && c != '{') return Status::kBad;
  if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    if (open_.size() >= kMaxNesting) return Status::kBad;
    open_ += c == '{' ? '}' : ']';
  } else if (c == '}' || c == ']') {
    if (open_.back() != c) return Status::kBad;
    open_.pop_back();
    if (open_.empty()) return Status::kDone;
  } else if (std::string_view(",:+-.0123456789eEtrufalsn").find(c) == std::string_view::npos) {
    return Status::kBad;
  }
  return Status::kMore;
}

ToolSchemas::ToolSchemas(const nlohmann::ordered_json* tools) {
  if (tools == nullptr || !tools->is_array()) return;
  const auto string_at = [](const Json& object, const char* key) {
    const auto it = object.find(key);
    return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  for (const Json& tool : *tools) {
    if (!tool.is_object()) continue;
    const auto nested = tool.find("function");
    const Json& function = nested != tool.end() && nested->is_object() ? *nested : tool;
    const std::string name = string_at(function, "name");
    if (name.empty()) continue;
    Parameters& parameters = tools_[name];
    const auto schema = function.find("parameters");
    if (schema == function.end() || !schema->is_object()) continue;
    const auto properties = schema->find("properties");
    if (properties == schema->end() || !properties->is_object()) continue;
    for (const auto& [key, property] : properties->items()) {
      std::vector<std::string>& types = parameters[key];
      const auto type = property.is_object() ? property.find("type") : property.end();
      if (!property.is_object() || type == property.end()) continue;
      if (type->is_string()) types.push_back(type->get<std::string>());
      for (const Json& one : type->is_array() ? *type : Json::array()) {
        if (one.is_string()) types.push_back(one.get<std::string>());
      }
    }
  }
}

const std::vector<std::string>* ToolSchemas::types(std::string_view tool,
                                                   std::string_view parameter) const {
  const auto parameters = tools_.find(tool);
  if (parameters == tools_.end()) return nullptr;
  const auto it = parameters->second.find(parameter);
  return it == parameters->second.end() ? nullptr : &it->second;
}

std::vector<std::string> ToolSchemas::names() const {
  std::vector<std::string> out;
  for (const auto& [name, parameters] : tools_) out.push_back(name);
  return out;
}

void Sink::text(OutputEvent::Kind kind, std::string_view text) {
  if (text.empty()) return;
  OutputEvent& event = events_->emplace_back();
  event.kind = kind;
  event.text = text;
}

void Sink::start(std::string_view name, std::string_view id) {
  OutputEvent& event = events_->emplace_back();
  event.kind = OutputEvent::Kind::kToolCallStart;
  event.index = next_;
  event.name = name;
  event.id = id.empty() ? make_id_(next_) : std::string(id);
  running_ = true;
  json_.clear();
}

void Sink::arguments(std::string_view fragment) {
  if (fragment.empty()) return;
  OutputEvent& event = events_->emplace_back();
  event.kind = OutputEvent::Kind::kToolCallArguments;
  event.index = next_;
  event.text = fragment;
  json_ += fragment;
}

void Sink::end(std::string_view raw) {
  if (!is_json_object(json_)) return malformed(raw);
  OutputEvent& event = events_->emplace_back();
  event.kind = OutputEvent::Kind::kToolCallEnd;
  event.index = next_++;
  running_ = false;
  ++finished_;
}

void Sink::malformed(std::string_view raw) {
  OutputEvent& event = events_->emplace_back();
  event.kind = OutputEvent::Kind::kMalformed;
  event.text = raw;
  if (running_) event.index = next_++;
  running_ = false;
}

Step JsonArguments::step(std::string& in, bool final, const Markers& ends, std::string& raw,
                         Sink& sink) {
  if (broken_) {
    const int end = take_until(in, ends, final, raw);
    if (end < 0 && !final) return Step::kNeedMore;
    sink.malformed(raw);
    return Step::kDone;
  }
  if (!begun_) {
    // An opening code fence is dropped, and white space.
    skip_white_space(in);
    for (const std::string_view fence : {"```json", "```"}) {
      const Match match = begins_with(in, fence, final);
      if (match == Match::kPartly) return Step::kNeedMore;
      if (match == Match::kNo) continue;
      in.erase(0, fence.size());
      return Step::kAgain;
    }
    for (const std::string& end : ends) {  // no arguments at all
      const Match match = begins_with(in, end, final);
      if (match == Match::kPartly) return Step::kNeedMore;
      if (match == Match::kNo && !(final && in.empty())) continue;
      sink.arguments("{}");
      sink.end(raw);
      return Step::kDone;
    }
    begun_ = true;
  }
  size_t n = 0;
  JsonTracker::Status status = JsonTracker::Status::kMore;
  while (n < in.size() && status == JsonTracker::Status::kMore) status = tracker_.feed(in[n++]);
  const bool bad = status == JsonTracker::Status::kBad;
  const std::string fragment = in.substr(0, bad ? n - 1 : n);
  in.erase(0, fragment.size());
  raw += fragment;
  sink.arguments(fragment);
  if (status == JsonTracker::Status::kDone) {
    sink.end(raw);
    return Step::kDone;
  }
  broken_ = bad || final;
  return broken_ ? Step::kAgain : Step::kNeedMore;
}

void ObjectCall::on_byte(char c, bool was_in_string) {
  const bool top = tracker_.depth() == 1 && !was_in_string && !tracker_.in_string();
  if (!in_value_) {
    if (top && c == ':') {
      in_value_ = true;
      value_.clear();
    } else if (tracker_.in_string() || (c != ',' && !is_white(c) && !(top && c == '{'))) {
      key_ += c;
    }
    return;
  }
  const bool ends = (top && c == ',') || tracker_.depth() == 0;
  if (ends) {
    end_of_value();
    return;
  }
  if (value_.empty() && is_white(c)) return;
  value_ += c;
  const bool is_arguments = key_ == "\"arguments\"" || key_ == "\"parameters\"";
  if (is_arguments && value_[0] == '{') {
    has_arguments_ = true;
    arguments_ += c;
  }
}

void ObjectCall::end_of_value() {
  if (key_ == "\"name\"") {
    name_ = decoded_string(value_);
    has_name_ = true;
  } else if (key_ == "\"id\"" && !has_name_) {
    // One that comes later is too late: the start has been told.
    id_ = decoded_string(value_);
  } else if ((key_ == "\"arguments\"" || key_ == "\"parameters\"") && value_[0] != '{') {
    const std::string inner = decoded_string(value_);
    has_arguments_ = true;
    bad_arguments_ = !is_json_object(inner) && value_ != "null";
    arguments_ = value_ == "null" ? "{}" : inner;
  }
  key_.clear();
  value_.clear();
  in_value_ = false;
}

void ObjectCall::flush(Sink& sink) {
  if (!has_name_ || name_.empty()) return;
  if (!started_) sink.start(name_, id_);
  started_ = true;
  sink.arguments(std::exchange(arguments_, {}));
}

Step ObjectCall::step(std::string& in, bool final,
                      const std::function<bool(std::string_view)>& accepts, Sink& sink) {
  size_t n = 0;
  JsonTracker::Status status = JsonTracker::Status::kMore;
  while (n < in.size() && status == JsonTracker::Status::kMore) {
    const bool was_in_string = tracker_.in_string();
    const char c = in[n];
    status = tracker_.feed(c);
    if (status == JsonTracker::Status::kBad) break;
    ++n;
    on_byte(c, was_in_string);
  }
  raw_.append(in, 0, n);
  in.erase(0, n);
  const bool other_name = has_name_ && !started_ && !accepts(name_);
  const bool over = status != JsonTracker::Status::kMore || final;
  if (other_name || (over && (!has_name_ || name_.empty()))) {
    in.insert(0, raw_);
    return Step::kNotCalls;
  }
  flush(sink);
  if (!over) return Step::kNeedMore;
  if (status != JsonTracker::Status::kDone || bad_arguments_) {
    sink.malformed(raw_);
    return Step::kDone;
  }
  if (!has_arguments_) sink.arguments("{}");
  sink.end(raw_);
  return Step::kDone;
}

void ParameterWriter::begin(Sink& sink) {
  first_ = true;
  sink.arguments("{");
}

void ParameterWriter::key(Sink& sink, std::string_view key) {
  sink.arguments(std::string(first_ ? "\"" : ", \"") + json_escaped(key) + "\": ");
  first_ = false;
}

void ParameterWriter::string_begin(Sink& sink, std::string_view name) {
  key(sink, name);
  sink.arguments("\"");
}

void ParameterWriter::string_piece(Sink& sink, std::string_view text) {
  sink.arguments(json_escaped(text));
}

void ParameterWriter::string_end(Sink& sink) { sink.arguments("\""); }

void ParameterWriter::json_value(Sink& sink, std::string_view name, std::string_view json) {
  key(sink, name);
  sink.arguments(json);
}

void ParameterWriter::end(Sink& sink, std::string_view raw) {
  sink.arguments("}");
  sink.end(raw);
}

bool is_string_only(const std::vector<std::string>* types) {
  return types != nullptr && types->size() == 1 && types->front() == "string";
}

std::string typed_value(std::string_view text, const std::vector<std::string>* types) {
  const size_t begin = std::min(text.find_first_not_of(kSpace), text.size());
  const size_t end = text.find_last_not_of(kSpace) + 1;
  std::string trimmed(text.substr(begin, end > begin ? end - begin : 0));
  if (trimmed == "True") trimmed = "true";
  if (trimmed == "False") trimmed = "false";
  if (trimmed == "None") trimmed = "null";
  const Json value = Json::parse(trimmed, nullptr, false);
  bool as_json = !value.is_discarded();
  if (as_json && types != nullptr && std::ranges::count(*types, "string") > 0) {
    // A string is allowed: JSON only where it is one of the other types by name.
    const std::string_view type = value.is_null()      ? "null"
                                  : value.is_boolean() ? "boolean"
                                  : value.is_object()  ? "object"
                                  : value.is_array()   ? "array"
                                                       : "number";
    as_json = std::ranges::count(*types, type) > 0 ||
              (value.is_number_integer() && std::ranges::count(*types, "integer") > 0);
  }
  return as_json ? trimmed : '"' + json_escaped(text) + '"';
}

}  // namespace freehold::chat
