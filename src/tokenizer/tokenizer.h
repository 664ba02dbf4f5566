// Bytes to token ids and back, as the model's own files say: GGUF metadata, or a Hugging Face
// folder's tokenizer.json. Owns the vocabulary and everything an encoding needs; does not keep the
// file. Refuses by name what it does not do: model kinds, pre-tokenizers, normalisers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "gguf/gguf.h"

namespace freehold::tokenizer {

using TokenId = int32_t;

struct EncodeOptions {
  // Unset: as the model's file says, or its kind's default. A BOS that the text itself begins with
  // (a chat template writes it) is not doubled.
  std::optional<bool> add_bos;
  std::optional<bool> add_eos;
  // Whether the text of a control token becomes that token. Only for text that nobody outside
  // wrote. User-defined tokens (`<think>` in some files) are recognised either way.
  bool parse_special = false;
};

struct DecodeOptions {
  bool special = false;  // control tokens as their text; otherwise they give nothing
  // Whether the ids begin a text: then the space that encoding put before it is dropped
  // (SentencePiece vocabularies only).
  bool from_start = true;
};

// A part of a prompt. Trusted text is the template's markup; the rest came from outside.
struct Segment {
  std::string_view text;
  bool trusted = false;
};

// Copies share one immutable vocabulary. Every const function may be called from many threads.
class Tokenizer {
 public:
  // Texts longer than this are refused (positions are 32 bits wide inside).
  static constexpr size_t kMaxTextBytes = size_t{1} << 30;

  // Errors: kBadFormat (a key's type, wrong lengths, ids out of range, merges naming unknown
  // tokens), kUnsupported (model or pre-tokenizer, by name; `tokenizer.ggml.pre` missing),
  // kLimitExceeded.
  static base::Result<Tokenizer> from_gguf(const gguf::Metadata& metadata);
  // Reads tokenizer.json and, where they exist, tokenizer_config.json, generation_config.json,
  // chat_template.jinja and additional_chat_templates/*.jinja. Errors as above, and kNotFound, kIo.
  static base::Result<Tokenizer> from_huggingface(const std::filesystem::path& folder);
  // A tokenizer.json alone, from memory: no BOS of its own, no chat template.
  static base::Result<Tokenizer> from_json(std::string_view tokenizer_json);
  // A GGUF file or a Hugging Face folder.
  static base::Result<Tokenizer> open(const std::filesystem::path& model);

  // Bytes that are not UTF-8 are each read as U+FFFD. Errors: kLimitExceeded.
  base::Result<std::vector<TokenId>> encode(std::string_view text,
                                            const EncodeOptions& options = {}) const;
  // The segments as one text, in which a control token's text becomes that token only where all of
  // it is trusted. In untrusted text a user-defined token is recognised only if it does not look
  // like markup (`<...>`, `[...]`). Otherwise the borders change nothing.
  // `options.parse_special` is not looked at. Errors: kLimitExceeded.
  base::Result<std::vector<TokenId>> encode_segments(std::span<const Segment> segments,
                                                     const EncodeOptions& options = {}) const;

  // The bytes of a token, perhaps a part of a code point; empty for an id outside the vocabulary
  // and, unless `special`, for control and unknown tokens. Lives as long as the vocabulary.
  std::string_view piece(TokenId id, bool special = false) const;
  // All pieces, joined; not necessarily UTF-8. For streams of text see TextStream.
  std::string decode(std::span<const TokenId> ids, const DecodeOptions& options = {}) const;

  int32_t vocabulary_size() const;
  // The token whose piece is exactly `text` (control tokens: its text).
  std::optional<TokenId> find(std::string_view text) const;
  bool is_control(TokenId id) const;
  // Normal, user-defined and byte tokens: what generation may show as text.
  bool is_text(TokenId id) const;

  std::optional<TokenId> bos() const;
  std::optional<TokenId> eos() const;
  std::optional<TokenId> padding() const;
  bool adds_bos() const;
  bool adds_eos() const;
  // Ascending. `<|end|>` is not among them where a model uses it between channels.
  std::span<const TokenId> end_of_generation_ids() const;
  bool is_end_of_generation(TokenId id) const;

  // The Jinja source of the chat template: the default one, or a named variant ("tool_use").
  std::optional<std::string_view> chat_template(std::string_view name = "default") const;
  const std::map<std::string, std::string, std::less<>>& chat_templates() const;

  // What the file says it is: "byte-level BPE (qwen2)", for people.
  std::string description() const;

  struct Parts;  // of the implementation

 private:
  explicit Tokenizer(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}

  std::shared_ptr<const Parts> parts_;
};

}  // namespace freehold::tokenizer
