// Cuts text into the words that merging never crosses: a list of stages, each applied to every
// piece that the ones before left.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"
#include "tokenizer/regex.h"
#include "tokenizer/scanners.h"

namespace freehold::tokenizer {

class PreTokenizer {
 public:
  using OnWord = base::FunctionRef<void(std::string_view word)>;

  void add(Scanner scanner) { stages_.push_back({scanner, {}, false}); }
  // One of patterns.h by its scanner, any other by PCRE2. `drop_gaps`: what no match covers is
  // left out. Errors: those of Regex::compile.
  base::Status add_pattern(std::string_view pattern, bool drop_gaps = false);

  // `fragment` is valid UTF-8; words come in order and none is empty. Errors: see Regex::for_each.
  base::Status split(std::string_view fragment, OnWord on_word) const;

  // What GGUF calls these stages where words that are tokens are (or are not) looked up whole
  // before merging; nothing when it has no name for them.
  std::optional<std::string_view> gguf_name(bool ignore_merges) const;

 private:
  struct Stage {
    Scanner scanner = nullptr;  // or else:
    Regex regex;
    bool drop_gaps = false;
  };
  base::Status run(size_t stage, std::string_view fragment, OnWord on_word) const;

  std::vector<Stage> stages_;
};

// A byte-level pre-tokenizer as GGUF names them (`tokenizer.ggml.pre`).
struct NamedPreTokenizer {
  PreTokenizer stages;
  bool ignore_merges = false;
  bool add_bos = false;  // where the file does not say
};

// Errors: kUnsupported, naming the pre-tokenizer.
base::Result<NamedPreTokenizer> named_pre_tokenizer(std::string_view name);

}  // namespace freehold::tokenizer
