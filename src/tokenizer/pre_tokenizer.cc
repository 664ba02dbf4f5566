// Stages, and the table of names.
#include "tokenizer/pre_tokenizer.h"

#include <algorithm>

#include "tokenizer/patterns.h"

namespace freehold::tokenizer {
namespace {

using namespace patterns;  // NOLINT(google-build-using-namespace): the table below is made of them

struct Row {
  std::string_view name;
  std::vector<std::string_view> stages;
  bool ignore_merges = false;
  bool add_bos = false;
};

// The names that llama.cpp's converter writes, each for the tokenizer.json it was read from.
const std::vector<Row>& rows() {
  static const std::vector<Row> table = [] {
    const auto row = [](std::string_view name, std::vector<std::string_view> stages) {
      return Row{name, std::move(stages), false, false};
    };
    const auto llama3 = [](std::string_view name) { return Row{name, {kLlama3}, true, true}; };
    return std::vector<Row>{
        row("gpt-2", {kGpt2}),
        row("gpt2", {kGpt2}),
        row("phi-2", {kGpt2}),
        row("smollm", {kEachNumber, kGpt2}),
        row("starcoder", {kEachNumber, kGpt2}),
        row("codeshell", {kEachNumber, kGpt2}),
        row("command-r", {kEachNumber, kGpt2}),
        row("refact", {kEachNumber, kGpt2}),
        llama3("llama-bpe"),
        llama3("llama3"),
        llama3("llama-v3"),
        llama3("falcon3"),
        llama3("pixtral"),
        llama3("lfm2"),
        row("smaug-bpe", {kLlama3}),
        row("dbrx", {kLlama3}),
        row("glm4", {kLlama3}),
        row("chatglm-bpe", {kLlama3}),
        row("qwen2", {kQwen2}),
        row("deepseek-r1-qwen", {kQwen2}),
        row("megrez", {kQwen2}),
        row("qwen35", {kQwen35}),
        row("gpt-4o", {kGpt4o}),
        row("llama4", {kGpt4o}),
        Row{"tekken", {kTekken}, true, true},
        row("kimi-k2", {kKimiK2}),
        row("deepseek-llm",
            {kLineBreak, kListedLetters, kListedMarks, kFinalSpace, kDeepSeekCjk, kNumbers}),
        row("deepseek-coder",
            {kLineBreak, kSpacedLetters, kSpacedMarks, kDeepSeekCjk, kEachNumber}),
        row("deepseek-v3", {kThreeNumbers, kDeepSeekV3Cjk, kDeepSeekV3}),
        row("default", {kDefaultMarks, kGpt2, kNumbers, kThreeDigits}),
    };
  }();
  return table;
}

}  // namespace

base::Status PreTokenizer::add_pattern(std::string_view pattern, bool drop_gaps) {
  const Scanner scanner = drop_gaps ? nullptr : scanner_for(pattern);
  if (scanner != nullptr) {
    add(scanner);
    return {};
  }
  FREEHOLD_ASSIGN(Regex regex, Regex::compile(pattern));
  stages_.push_back({nullptr, std::move(regex), drop_gaps});
  return {};
}

base::Status PreTokenizer::split(std::string_view fragment, OnWord on_word) const {
  return run(0, fragment, on_word);
}

base::Status PreTokenizer::run(size_t stage, std::string_view fragment, OnWord on_word) const {
  if (stage == stages_.size()) {
    if (!fragment.empty()) on_word(fragment);
    return {};
  }
  const Stage& now = stages_[stage];
  if (now.scanner != nullptr) {
    const bool last = stage + 1 == stages_.size();
    for (size_t at = 0; at < fragment.size();) {
      const size_t end = now.scanner(fragment, at);
      if (last) {
        on_word(fragment.substr(at, end - at));
      } else {
        FREEHOLD_TRY(run(stage + 1, fragment.substr(at, end - at), on_word));
      }
      at = end;
    }
    return {};
  }
  base::Status status;
  size_t done = 0;
  const auto pass_on = [&](size_t begin, size_t end) {
    if (status && end > begin)
      status = run(stage + 1, fragment.substr(begin, end - begin), on_word);
  };
  FREEHOLD_TRY(now.regex.for_each(fragment, [&](size_t begin, size_t end) {
    if (!now.drop_gaps) pass_on(done, begin);
    pass_on(begin, end);
    done = end;
  }));
  if (!now.drop_gaps) pass_on(done, fragment.size());
  return status;
}

std::optional<std::string_view> PreTokenizer::gguf_name(bool ignore_merges) const {
  const auto same = [](const Stage& stage, std::string_view pattern) {
    return stage.scanner != nullptr && stage.scanner == scanner_for(pattern);
  };
  for (const Row& row : rows()) {
    if (row.ignore_merges == ignore_merges && std::ranges::equal(stages_, row.stages, same)) {
      return row.name;
    }
  }
  return std::nullopt;
}

base::Result<NamedPreTokenizer> named_pre_tokenizer(std::string_view name) {
  const auto row = std::ranges::find(rows(), name, &Row::name);
  if (row == rows().end()) {
    return base::fail(base::ErrorCode::kUnsupported,
                      "pre-tokenizer `" + std::string(name) +
                          "` is not known; its text would be cut in the wrong places");
  }
  NamedPreTokenizer out;
  out.ignore_merges = row->ignore_merges;
  out.add_bos = row->add_bos;
  for (const std::string_view pattern : row->stages) FREEHOLD_TRY(out.stages.add_pattern(pattern));
  return out;
}

}  // namespace freehold::tokenizer
