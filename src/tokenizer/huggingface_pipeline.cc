// Normaliser, pre-tokenizer and decoder of tokenizer.json.
#include "tokenizer/huggingface.h"
#include "tokenizer/patterns.h"

namespace freehold::tokenizer {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr int kMaxDepth = 16;
constexpr std::string_view kMetaspace = "\u2581";

std::unexpected<base::Error> unsupported(std::string_view part, std::string_view what) {
  return fail(ErrorCode::kUnsupported,
              std::string(part) + " `" + std::string(what) + "` is not supported");
}

// Applies `read` to each element of `key` where the object is a Sequence.
template <typename Read>
Status each(Json object, std::string_view key, int depth, const Read& read) {
  if (depth > kMaxDepth) return fail(ErrorCode::kLimitExceeded, "sequences nested too deeply");
  FREEHOLD_ASSIGN(const std::optional<simdjson::dom::array> list, array_member(object, key));
  if (!list) return fail(ErrorCode::kBadFormat, "a Sequence without `" + std::string(key) + "`");
  for (const Json element : *list) FREEHOLD_TRY(read(element));
  return {};
}

Result<std::string_view> required_text(Json object, std::string_view key) {
  FREEHOLD_ASSIGN(const std::optional<std::string_view> text, text_member(object, key));
  if (!text) return fail(ErrorCode::kBadFormat, "`" + std::string(key) + "` is missing");
  return *text;
}

struct Pattern {
  bool is_regex = false;
  std::string_view text;
};

Result<Pattern> read_pattern(Json object) {
  const std::optional<Json> pattern = member(object, "pattern");
  if (!pattern) return fail(ErrorCode::kBadFormat, "`pattern` is missing");
  FREEHOLD_ASSIGN(const std::optional<std::string_view> regex, text_member(*pattern, "Regex"));
  if (regex) return Pattern{true, *regex};
  FREEHOLD_ASSIGN(const std::string_view text, required_text(*pattern, "String"));
  return Pattern{false, text};
}

// A literal as a regular expression.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const bool plain = byte >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       (c >= '0' && c <= '9') || c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (!plain) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

class PipelineReader {
 public:
  explicit PipelineReader(Tokenizer::Parts& parts) : parts_(parts) {}

  Status normalizer(Json object, int depth) {
    FREEHOLD_ASSIGN(const std::string_view type, type_of(object));
    if (type == "Sequence") {
      return each(object, "normalizers", depth,
                  [&](Json element) { return normalizer(element, depth + 1); });
    }
    if (type == "NFC") return form(UnicodeForm::kNfc);
    if (type == "NFD") return form(UnicodeForm::kNfd);
    if (type == "NFKC") return form(UnicodeForm::kNfkc);
    if (type == "NFKD") return form(UnicodeForm::kNfkd);
    if (type == "Prepend") {
      FREEHOLD_ASSIGN(const std::string_view text, required_text(object, "prepend"));
      parts_.normalizer.add_prefix(std::string(text));
      return {};
    }
    if (type == "Replace") return replace(object);
    return unsupported("normaliser", type);
  }

  Status pre_tokenizer(Json object, int depth) {
    FREEHOLD_ASSIGN(const std::string_view type, type_of(object));
    if (type == "Sequence") {
      return each(object, "pretokenizers", depth,
                  [&](Json element) { return pre_tokenizer(element, depth + 1); });
    }
    Status status;
    if (type == "Split") {
      status = split(object);
    } else if (type == "ByteLevel") {
      status = byte_level(object);
    } else if (type == "Digits") {
      status = digits(object);
    } else if (type == "Metaspace") {
      status = metaspace(object);
    } else {
      return unsupported("pre-tokenizer", type);
    }
    ++stages_;
    return status;
  }

  // Byte-level vocabularies need no decoder here; of others, the steps that make text of pieces.
  Status decoder(Json object, int depth) {
    FREEHOLD_ASSIGN(const std::string_view type, type_of(object));
    if (type == "Sequence") {
      return each(object, "decoders", depth,
                  [&](Json element) { return decoder(element, depth + 1); });
    }
    if (type == "ByteLevel") {
      decodes_bytes_ = true;
      return {};
    }
    if (type == "ByteFallback" || type == "Fuse") return {};
    if (type == "Metaspace") {
      plan_.metaspace = true;
      parts_.strip_first_space = true;
      return {};
    }
    if (type == "Replace") {
      FREEHOLD_ASSIGN(const Pattern pattern, read_pattern(object));
      FREEHOLD_ASSIGN(const std::string_view content, required_text(object, "content"));
      if (pattern.text != kMetaspace || content != " ") return unsupported("decoder", "Replace");
      plan_.metaspace = true;
      return {};
    }
    if (type == "Strip") {
      FREEHOLD_ASSIGN(const std::string_view content, required_text(object, "content"));
      FREEHOLD_ASSIGN(const std::optional<int64_t> start, integer_member(object, "start"));
      FREEHOLD_ASSIGN(const std::optional<int64_t> stop, integer_member(object, "stop"));
      if (content != " " || start.value_or(0) > 1 || stop.value_or(0) != 0) {
        return unsupported("decoder", "Strip");
      }
      parts_.strip_first_space = start.value_or(0) == 1;
      return {};
    }
    return unsupported("decoder", type);
  }

  Result<HuggingFacePlan> finish(bool has_decoder) {
    if (has_decoder && decodes_bytes_ != plan_.byte_level) {
      return fail(ErrorCode::kUnsupported,
                  "pre-tokenizer and decoder disagree on whether the vocabulary is byte-level");
    }
    if (plan_.byte_level && plan_.metaspace) {
      return fail(ErrorCode::kUnsupported, "a vocabulary both byte-level and with U+2581");
    }
    parts_.metaspace = plan_.metaspace;
    return plan_;
  }

 private:
  Status form(UnicodeForm form) {
    parts_.normalizer.add_form(form);
    return {};
  }

  Status replace(Json object) {
    FREEHOLD_ASSIGN(const Pattern pattern, read_pattern(object));
    FREEHOLD_ASSIGN(const std::string_view content, required_text(object, "content"));
    if (pattern.text.empty()) return fail(ErrorCode::kBadFormat, "a Replace of nothing");
    if (pattern.is_regex) {
      FREEHOLD_ASSIGN(Regex regex, Regex::compile(pattern.text));
      parts_.normalizer.add_replace(std::move(regex), std::string(content));
      return {};
    }
    if (pattern.text == " " && content == kMetaspace) plan_.metaspace = true;
    parts_.normalizer.add_replace(std::string(pattern.text), std::string(content));
    return {};
  }

  Status split(Json object) {
    FREEHOLD_ASSIGN(const Pattern pattern, read_pattern(object));
    FREEHOLD_ASSIGN(const std::string_view behavior, required_text(object, "behavior"));
    FREEHOLD_ASSIGN(const std::optional<bool> invert, flag_member(object, "invert"));
    const bool isolated = behavior == "Isolated";
    if (!isolated && !(behavior == "Removed" && invert.value_or(false))) {
      return unsupported("Split behaviour", behavior);
    }
    if (!pattern.is_regex) {
      return parts_.pre_tokenizer.add_pattern(escaped(pattern.text), !isolated);
    }
    return parts_.pre_tokenizer.add_pattern(with_escaped_line_breaks(pattern.text), !isolated);
  }

  // Files have line breaks in patterns either as they are or escaped.
  static std::string with_escaped_line_breaks(std::string_view pattern) {
    std::string out;
    for (const char c : pattern) {
      if (c == '\n') {
        out.append("\\n");
      } else if (c == '\r') {
        out.append("\\r");
      } else {
        out.push_back(c);
      }
    }
    return out;
  }

  Status byte_level(Json object) {
    FREEHOLD_ASSIGN(const std::optional<bool> prefix, flag_member(object, "add_prefix_space"));
    FREEHOLD_ASSIGN(const std::optional<bool> regex, flag_member(object, "use_regex"));
    plan_.byte_level = true;
    if (prefix.value_or(true)) {
      if (stages_ > 0) return unsupported("ByteLevel after other stages with", "add_prefix_space");
      parts_.space_prefix = SpacePrefix::kUnlessSpace;
    }
    if (!regex.value_or(true)) return {};
    return parts_.pre_tokenizer.add_pattern(patterns::kGpt2);
  }

  Status digits(Json object) {
    FREEHOLD_ASSIGN(const std::optional<bool> each_alone, flag_member(object, "individual_digits"));
    return parts_.pre_tokenizer.add_pattern(each_alone.value_or(false) ? patterns::kEachNumber
                                                                       : patterns::kNumbers);
  }

  Status metaspace(Json object) {
    FREEHOLD_ASSIGN(const std::string_view replacement, required_text(object, "replacement"));
    FREEHOLD_ASSIGN(const std::optional<bool> split, flag_member(object, "split"));
    FREEHOLD_ASSIGN(const std::optional<bool> old_prefix, flag_member(object, "add_prefix_space"));
    FREEHOLD_ASSIGN(const std::optional<std::string_view> scheme,
                    text_member(object, "prepend_scheme"));
    if (replacement != kMetaspace) return unsupported("Metaspace replacement", replacement);
    if (stages_ > 0) return unsupported("pre-tokenizer after other stages", "Metaspace");
    plan_.metaspace = true;
    const std::string_view prefix = scheme.value_or(old_prefix.value_or(true) ? "always" : "never");
    if (prefix == "always") {
      parts_.space_prefix = SpacePrefix::kUnlessSpace;
    } else if (prefix == "first") {
      parts_.space_prefix = SpacePrefix::kFirstUnlessSpace;
    } else if (prefix != "never") {
      return unsupported("Metaspace prepend_scheme", prefix);
    }
    if (split.value_or(true)) parts_.pre_tokenizer.add(scan_space_led_words);
    return {};
  }

  Tokenizer::Parts& parts_;
  HuggingFacePlan plan_;
  bool decodes_bytes_ = false;
  int stages_ = 0;
};

}  // namespace

Result<HuggingFacePlan> read_pipeline(Json root, Tokenizer::Parts& parts) {
  PipelineReader reader(parts);
  if (const auto normalizer = member(root, "normalizer")) {
    FREEHOLD_TRY(reader.normalizer(*normalizer, 0));
  }
  if (const auto pre_tokenizer = member(root, "pre_tokenizer")) {
    FREEHOLD_TRY(reader.pre_tokenizer(*pre_tokenizer, 0));
  }
  const auto decoder = member(root, "decoder");
  if (decoder) FREEHOLD_TRY(reader.decoder(*decoder, 0));
  return reader.finish(decoder.has_value());
}

}  // namespace freehold::tokenizer
