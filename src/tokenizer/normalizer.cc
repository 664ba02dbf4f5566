// Normal forms by utf8proc's tables, and the small steps.
#include "tokenizer/normalizer.h"

#include <utf8proc.h>

#include <algorithm>

#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace freehold::tokenizer {
namespace {

using CodePoints = std::vector<utf8proc_int32_t>;

utf8proc_option_t options_of(UnicodeForm form) {
  int options = UTF8PROC_STABLE;
  const bool composed = form == UnicodeForm::kNfc || form == UnicodeForm::kNfkc;
  options |= composed ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
  if (form == UnicodeForm::kNfkc || form == UnicodeForm::kNfkd) options |= UTF8PROC_COMPAT;
  return static_cast<utf8proc_option_t>(options);
}

int combining_class(utf8proc_int32_t code) { return utf8proc_get_property(code)->combining_class; }

void append_decomposed(utf8proc_int32_t code, utf8proc_option_t options, CodePoints& out) {
  constexpr size_t kLongest = 32;  // the longest decomposition has 18 code points
  const size_t before = out.size();
  out.resize(before + kLongest);
  int boundary = 0;
  const auto n = utf8proc_decompose_char(
      code, out.data() + before, static_cast<utf8proc_ssize_t>(kLongest), options, &boundary);
  out.resize(before + (n > 0 && static_cast<size_t>(n) <= kLongest ? static_cast<size_t>(n) : 0));
}

// utf8proc would sort marks by insertion, in quadratic time. Equal classes stay in order: a key is
// (class, position, code point).
void sort_marks(CodePoints& codes) {
  constexpr uint32_t kCodeBits = 21;
  std::vector<uint64_t> keys;
  for (size_t i = 0; i < codes.size();) {
    keys.clear();
    size_t end = i;
    for (; end < codes.size() && combining_class(codes[end]) != 0; ++end) {
      keys.push_back((static_cast<uint64_t>(combining_class(codes[end])) << 53U) |
                     ((end - i) << kCodeBits) | static_cast<uint32_t>(codes[end]));
    }
    std::ranges::sort(keys);
    for (const uint64_t key : keys) {
      codes[i++] = static_cast<utf8proc_int32_t>(key & ((1U << kCodeBits) - 1));
    }
    i = end + 1;
  }
}

void append_normalized(std::string_view text, utf8proc_option_t options, std::string& out) {
  CodePoints codes;
  codes.reserve(text.size() + 32);
  for (size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    append_decomposed(static_cast<utf8proc_int32_t>(point.code), options, codes);
    at += point.length;
  }
  sort_marks(codes);
  const auto n =
      utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()), options);
  for (utf8proc_ssize_t i = 0; i < n; ++i) {
    append_utf8(out, static_cast<char32_t>(codes[static_cast<size_t>(i)]));
  }
}

// Code points that NFC may change, move, or join to what stands before them.
class NfcSuspects {
 public:
  static const NfcSuspects& instance() {
    static const NfcSuspects suspects;
    return suspects;
  }
  bool holds(char32_t code) const { return code < kEnd && suspect_[code]; }

 private:
  static constexpr char32_t kEnd = 0x30000;  // above: variation selectors, unassigned

  NfcSuspects() : suspect_(kEnd, false) {
    for (char32_t code = 0x300; code < kEnd; ++code) suspect_[code] = is_suspect(code);
  }
  static bool is_suspect(char32_t code) {
    if (code >= 0x1161 && code <= 0x11C2) return true;  // Hangul vowels and finals
    const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(code));
    if (property->combining_class != 0) return true;
    if (property->comb_index != UINT16_MAX && property->comb_index >= 0x8000) return true;
    if (property->decomp_seqindex == UINT16_MAX || property->decomp_type != 0) return false;
    std::string before;
    std::string after;
    append_utf8(before, code);
    append_normalized(before, options_of(UnicodeForm::kNfc), after);
    return before != after;
  }

  std::vector<bool> suspect_;
};

// Text without suspects stays; around each run of them, what is between the starter before and the
// next code point that is none is normalised.
std::string to_nfc(std::string_view text) {
  const NfcSuspects& suspects = NfcSuspects::instance();
  std::string out;
  size_t copied = 0;    // of `text` into `out`
  size_t previous = 0;  // where the code point before `at` begins
  for (size_t at = 0; at < text.size();) {
    CodePoint point = code_point_at(text, at);
    if (!suspects.holds(point.code)) {
      previous = at;
      at += point.length;
      continue;
    }
    size_t end = at;
    do {
      end += point.length;
      if (end >= text.size()) break;
      point = code_point_at(text, end);
    } while (suspects.holds(point.code));
    out.append(text.substr(copied, previous - copied));
    append_normalized(text.substr(previous, end - previous), options_of(UnicodeForm::kNfc), out);
    copied = previous = at = end;
  }
  out.append(text.substr(copied));
  return out;
}

}  // namespace

std::string normalize(std::string_view text, UnicodeForm form) {
  if (form == UnicodeForm::kNfc) return to_nfc(text);
  std::string out;
  out.reserve(text.size());
  append_normalized(text, options_of(form), out);
  return out;
}

void Normalizer::add_form(UnicodeForm form) {
  steps_.push_back({Step::Kind::kForm, form, {}, {}, {}});
}
void Normalizer::add_prefix(std::string text) {
  steps_.push_back({Step::Kind::kPrefix, {}, {}, std::move(text), {}});
}
void Normalizer::add_replace(std::string from, std::string to) {
  steps_.push_back({Step::Kind::kReplace, {}, std::move(from), std::move(to), {}});
}
void Normalizer::add_replace(Regex from, std::string to) {
  steps_.push_back({Step::Kind::kReplaceMatches, {}, {}, std::move(to), std::move(from)});
}

std::string Normalizer::replace(const Step& step, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t done = 0;
  while (true) {
    const size_t found = text.find(step.from, done);
    out.append(text.substr(done, found - done));
    if (found == std::string_view::npos || out.size() > Tokenizer::kMaxTextBytes) return out;
    out.append(step.to);
    done = found + step.from.size();
  }
}

base::Result<std::string> Normalizer::replace_matches(const Step& step, std::string_view text) {
  std::string out;
  size_t done = 0;
  FREEHOLD_TRY(step.pattern.for_each(text, [&](size_t begin, size_t end) {
    if (out.size() > Tokenizer::kMaxTextBytes) return;
    out.append(text.substr(done, begin - done)).append(step.to);
    done = end;
  }));
  out.append(text.substr(done));
  return out;
}

base::Result<std::string> Normalizer::apply(std::string_view text) const {
  std::string now(text);
  for (const Step& step : steps_) {
    switch (step.kind) {
      case Step::Kind::kForm:
        now = normalize(now, step.form);
        break;
      case Step::Kind::kPrefix:
        if (!now.empty()) now.insert(0, step.to);
        break;
      case Step::Kind::kReplace:
        now = replace(step, now);
        break;
      case Step::Kind::kReplaceMatches: {
        FREEHOLD_ASSIGN(now, replace_matches(step, now));
        break;
      }
    }
    if (now.size() > Tokenizer::kMaxTextBytes) {
      return base::fail(base::ErrorCode::kLimitExceeded,
                        "the text grows over " + std::to_string(Tokenizer::kMaxTextBytes) +
                            " bytes when it is normalised");
    }
  }
  return now;
}

}  // namespace freehold::tokenizer
