// The one place that calls PCRE2.
#include "tokenizer/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;

constexpr size_t kMaxPatternBytes = 64 * 1024;
constexpr uint32_t kMatchLimit = 10'000'000;
constexpr uint32_t kHeapLimitKib = 64 * 1024;
constexpr size_t kJitStackBytes = 1024 * 1024;

// White_Space, and what a word is made of (Alphabetic, M, Nd, Pc), without brackets; PCRE2's own \s
// and \w have too many or too few.
constexpr std::string_view kSpaceClass =
    R"(\x09-\x0d\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kWordClass =
    R"(\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169})"
    R"(\x{1f170}-\x{1f189})";

struct Free {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
  void operator()(pcre2_jit_stack* stack) const { pcre2_jit_stack_free(stack); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

// Rewrites one escape `\x` at pattern[at]; gives how many characters of the pattern it used.
base::Result<size_t> translate_escape(std::string_view pattern, size_t at, bool in_class,
                                      std::string& out) {
  if (at + 1 >= pattern.size()) {
    return fail(ErrorCode::kBadFormat, "the pattern ends in a backslash");
  }
  const char kind = pattern[at + 1];
  const auto bracketed = [&](std::string_view set, bool negated) {
    out.append(in_class ? "" : negated ? "[^" : "[").append(set).append(in_class ? "" : "]");
  };
  if (in_class && (kind == 'W' || kind == 'S')) {
    // [\s\S] is a usual way to say "anything"; PCRE2's own \S differs in U+180E only.
    if (kind == 'S') {
      out.append("\\S");
      return 2;
    }
    return fail(ErrorCode::kUnsupported, "`\\W` inside a class is not supported");
  }
  if (kind == 's' || kind == 'S') {
    bracketed(kSpaceClass, kind == 'S');
  } else if (kind == 'w' || kind == 'W') {
    bracketed(kWordClass, kind == 'W');
  } else if (kind == 'h' || kind == 'H') {
    return fail(ErrorCode::kUnsupported, "`\\h` in a pattern is not supported");
  } else if ((kind == 'p' || kind == 'P') && pattern.substr(at + 2, 5) == "{Han}") {
    out.append(1, '\\').append(1, kind).append("{sc:Han}");  // without script extensions
    return 7;
  } else {
    out.append(pattern.substr(at, 2));
  }
  return 2;
}

base::Result<std::string> translate(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    if (c == '\\') {
      FREEHOLD_ASSIGN(const size_t used, translate_escape(pattern, at, in_class, out));
      at += used;
      continue;
    }
    if (!in_class && c == '[') {
      in_class = true;
      out.push_back(c);
      ++at;
      if (at < pattern.size() && pattern[at] == '^') out.push_back(pattern[at++]);
      // A bracket that stands first is an ordinary character.
      if (at < pattern.size() && pattern[at] == ']') out.append("\\]"), ++at;
      continue;
    }
    if (in_class && (c == '[' || pattern.substr(at, 2) == "&&")) {
      return fail(ErrorCode::kUnsupported, "classes inside classes are not supported");
    }
    if (in_class && c == ']') in_class = false;
    out.push_back(c);
    ++at;
  }
  return out;
}

}  // namespace

base::Result<Regex> Regex::compile(std::string_view pattern) {
  if (pattern.size() > kMaxPatternBytes) {
    return fail(ErrorCode::kLimitExceeded, "a pattern of " + std::to_string(pattern.size()) +
                                               " bytes; at most " +
                                               std::to_string(kMaxPatternBytes) + " are read");
  }
  auto translated = translate(pattern);
  if (!translated)
    return base::in_context("pattern `" + std::string(pattern) + "`", translated.error());
  const Owned<pcre2_compile_context> context(pcre2_compile_context_create(nullptr));
  if (!context) return fail(ErrorCode::kOutOfMemory, "no memory for a pattern");
  pcre2_set_parens_nest_limit(context.get(), 100);
  int code = 0;
  PCRE2_SIZE where = 0;
  pcre2_code* compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated->data()), translated->size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &code, &where, context.get());
  if (compiled == nullptr) {
    unsigned char message[256] = {};
    pcre2_get_error_message(code, message, sizeof(message));
    return fail(ErrorCode::kBadFormat, "pattern `" + std::string(pattern) +
                                           "`: " + reinterpret_cast<const char*>(message));
  }
  Regex regex;
  regex.code_ = std::shared_ptr<const void>(compiled, [](const void* p) {
    pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p)));
  });
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);  // without JIT it is merely slower
  return regex;
}

base::Status Regex::for_each(std::string_view text,
                             base::FunctionRef<void(size_t, size_t)> on_match) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const Owned<pcre2_match_data> data(pcre2_match_data_create_from_pattern(code, nullptr));
  const Owned<pcre2_match_context> context(pcre2_match_context_create(nullptr));
  const Owned<pcre2_jit_stack> stack(pcre2_jit_stack_create(32 * 1024, kJitStackBytes, nullptr));
  if (!data || !context) return fail(ErrorCode::kOutOfMemory, "no memory to match a pattern");
  pcre2_set_match_limit(context.get(), kMatchLimit);
  pcre2_set_heap_limit(context.get(), kHeapLimitKib);
  if (stack) pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
  size_t at = 0;
  while (at < text.size()) {
    const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                                  PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, data.get(), context.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) {
      return fail(ErrorCode::kLimitExceeded,
                  "the model's pre-tokenizer pattern needs too many steps for this text");
    }
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    if (range[1] <= at || range[0] < at) {  // a look-behind with \K; nothing sensible to do
      return fail(ErrorCode::kUnsupported, "the pre-tokenizer pattern moves backwards");
    }
    on_match(range[0], range[1]);
    at = range[1];
  }
  return {};
}

}  // namespace freehold::tokenizer
