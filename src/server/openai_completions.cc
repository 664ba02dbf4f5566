// Owns the text completion's request and answer, field by field.
#include "server/openai_completions.h"

#include <fmt/format.h>

#include "server/openai_chat.h"
#include "server/sampling_fields.h"

namespace freehold::server {
namespace {

constexpr uint32_t kDefaultTokens = 16;  // as OpenAI's reference has it
constexpr uint32_t kDeepSeekTokens = 4096;
constexpr size_t kMaxPrompts = 64;

bool is_ids(const Json& array) {
  return !array.empty() && std::all_of(array.begin(), array.end(), [](const Json& item) {
    return item.is_number_integer() && item.get<int64_t>() >= 0 && item.get<int64_t>() <= INT32_MAX;
  });
}

class CompletionShape : public Shape {
 public:
  CompletionShape(Head head, Dialect dialect)
      : head_(std::move(head)), dialect_(dialect), offsets_(head_.n_choices, 0) {}

  std::string whole(const std::vector<Choice>& choices, const Totals& totals) override;
  void begin(const Totals& totals, std::string& out) override;
  void piece(uint32_t choice, const Piece& piece, std::string& out) override;
  void choice_done(uint32_t choice, const Choice& end, std::string& out) override;
  void done(const Totals& totals, std::string& out) override;
  void error(const ApiError& error, std::string& out) override;

 private:
  Json frame() const;
  Json chunk(uint32_t choice, const std::string& text, Json finish) const;
  // Text offsets run on from what the choice has said so far.
  Json logprobs(uint32_t choice, const std::vector<ShownToken>& tokens);

  Head head_;
  Dialect dialect_;
  std::vector<size_t> offsets_;
  uint32_t n_done_ = 0;
  Json last_;  // DeepSeek: the last chunk waits for the usage that it carries
};

Json CompletionShape::frame() const {
  return {{"id", "cmpl-" + head_.id},
          {"object", "text_completion"},
          {"created", head_.created_s},
          {"model", head_.model},
          {"system_fingerprint", head_.fingerprint}};
}

Json CompletionShape::logprobs(uint32_t choice, const std::vector<ShownToken>& tokens) {
  if (!head_.logprobs) return nullptr;
  Json names = Json::array();
  Json values = Json::array();
  Json tops = Json::array();
  Json offsets = Json::array();
  for (const auto& token : tokens) {
    names.push_back(token.bytes);
    values.push_back(token.logprob);
    Json top = Json::object();
    for (const auto& [bytes, logprob] : token.top) top[bytes] = logprob;
    tops.push_back(std::move(top));
    offsets.push_back(offsets_[choice]);
    offsets_[choice] += token.bytes.size();
  }
  return {{"tokens", std::move(names)},
          {"token_logprobs", std::move(values)},
          {"top_logprobs", std::move(tops)},
          {"text_offset", std::move(offsets)}};
}

std::string CompletionShape::whole(const std::vector<Choice>& choices, const Totals& totals) {
  Json body = frame();
  Json list = Json::array();
  for (uint32_t i = 0; i < choices.size(); ++i) {
    const std::string prompt = head_.echo ? head_.prompts[i] : "";
    list.push_back({{"text", prompt + choices[i].content},
                    {"index", i},
                    {"logprobs", logprobs(i, choices[i].tokens)},
                    {"finish_reason", finish_name(choices[i].finish)}});
  }
  body["choices"] = std::move(list);
  body["usage"] = usage_json(totals);
  return dump(body);
}

Json CompletionShape::chunk(uint32_t choice, const std::string& text, Json finish) const {
  Json body = frame();
  body["choices"] = Json::array({{{"text", text},
                                  {"index", choice},
                                  {"logprobs", nullptr},
                                  {"finish_reason", std::move(finish)}}});
  if (head_.include_usage) body["usage"] = nullptr;
  return body;
}

void CompletionShape::begin(const Totals& /*totals*/, std::string& out) {
  for (uint32_t i = 0; head_.echo && i < head_.n_choices; ++i) {
    append_sse("", dump(chunk(i, head_.prompts[i], nullptr)), out);
  }
}

void CompletionShape::piece(uint32_t choice, const Piece& piece, std::string& out) {
  Json body = chunk(choice, piece.event.text, nullptr);
  body["choices"][0]["logprobs"] = logprobs(choice, piece.tokens);
  append_sse("", dump(body), out);
}

void CompletionShape::choice_done(uint32_t choice, const Choice& end, std::string& out) {
  Json body = chunk(choice, "", finish_name(end.finish));
  if (dialect_ == Dialect::kDeepSeek && ++n_done_ == head_.n_choices) {
    last_ = std::move(body);
  } else {
    append_sse("", dump(body), out);
  }
}

void CompletionShape::done(const Totals& totals, std::string& out) {
  if (dialect_ == Dialect::kDeepSeek) {
    last_["usage"] = usage_json(totals);
    append_sse("", dump(last_), out);
  } else if (head_.include_usage) {
    Json body = frame();
    body["choices"] = Json::array();
    body["usage"] = usage_json(totals);
    append_sse("", dump(body), out);
  }
  append_sse("", "[DONE]", out);
}

void CompletionShape::error(const ApiError& error, std::string& out) {
  append_sse("", to_body(error, dialect_), out);
}

}  // namespace

void read_texts(Fields& fields, std::string_view name, size_t most, Spec& spec) {
  const auto wrong = [&] {
    fields.fail(name, fmt::format("`{}` must be a string, an array of strings, an array of token "
                                  "ids or an array of those, and not empty",
                                  name));
  };
  const Json* prompt = fields.any(name);
  if (prompt == nullptr) return wrong();
  if (prompt->is_string()) {
    spec.texts.push_back(prompt->get<std::string>());
    return;
  }
  if (!prompt->is_array() || prompt->empty()) return wrong();
  if (is_ids(*prompt)) {
    spec.text_ids.push_back(prompt->get<std::vector<TokenId>>());
    return;
  }
  if (prompt->size() > most) {
    fields.fail(name,
                fmt::format("`{}` has {} items; at most {} are taken", name, prompt->size(), most));
    return;
  }
  for (const auto& item : *prompt) {
    if (item.is_string() && spec.text_ids.empty()) {
      spec.texts.push_back(item.get<std::string>());
    } else if (item.is_array() && is_ids(item) && spec.texts.empty()) {
      spec.text_ids.push_back(item.get<std::vector<TokenId>>());
    } else {
      return wrong();
    }
  }
}

ApiResult<Spec> read_openai_completion(const Json& body, Dialect dialect, const Limits& limits) {
  Spec spec;
  spec.chat = false;
  Fields fields(body);
  read_common(fields, limits, spec);
  read_texts(fields, "prompt", kMaxPrompts, spec);
  if (spec.max_tokens == 0) {
    spec.max_tokens = dialect == Dialect::kDeepSeek ? kDeepSeekTokens : kDefaultTokens;
  }
  if (auto suffix = fields.string("suffix", limits.body_bytes); suffix && !suffix->empty()) {
    spec.suffix = std::move(suffix);
  }
  spec.echo = fields.boolean("echo").value_or(false);
  if (const auto top = fields.integer("logprobs", 0, limits.top_logprobs)) {
    spec.logprobs = true;
    spec.top_logprobs = static_cast<uint32_t>(*top);
  }
  const auto best_of = fields.integer("best_of", 1, limits.choices);
  if (best_of && *best_of != spec.n) {
    fields.fail("best_of", "`best_of` other than `n` is not supported by this server");
  }
  if (auto grammar = fields.string("grammar", limits.schema_bytes)) {
    spec.format = {ResponseFormat::Kind::kGrammar, {}, std::move(*grammar)};
  }
  if (spec.suffix && (spec.echo || !spec.text_ids.empty())) {
    fields.fail("suffix", "`suffix` goes with a `prompt` of text, and not with `echo`");
  }
  if (spec.echo && (spec.logprobs || !spec.text_ids.empty())) {
    fields.fail("echo", "`echo` goes with a `prompt` of text, and not with `logprobs`");
  }
  const size_t n_prompts = spec.texts.size() + spec.text_ids.size();
  if (n_prompts * spec.n > limits.choices && n_prompts > 1) {
    fields.fail("prompt", fmt::format("`prompt` and `n` ask for {} answers; at most {} are made",
                                      n_prompts * spec.n, limits.choices));
  }
  if (auto error = fields.finish()) return std::unexpected(std::move(*error));
  return spec;
}

std::unique_ptr<Shape> openai_completion_shape(Head head, Dialect dialect) {
  return std::make_unique<CompletionShape>(std::move(head), dialect);
}

}  // namespace freehold::server
