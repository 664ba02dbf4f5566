// A model from its file: the engine, and the tokenizer and template that the file brings.
#pragma once

#include <filesystem>
#include <optional>

#include "chat/template.h"
#include "server/model.h"
#include "tokenizer/tokenizer.h"

namespace freehold::server {

struct LoadOptions {
  std::filesystem::path path;           // GGUF (any part) or a Hugging Face folder
  std::filesystem::path template_file;  // instead of the model's own; "" for none
  EngineOptions engine;
};

class LoadedModel : public Model {
 public:
  // Errors: those of the tokenizer, the template and the engine, with the path in front.
  static base::Result<std::unique_ptr<LoadedModel>> load(const LoadOptions& options);

  Engine& engine() override { return *engine_; }
  int64_t created_s() const override { return created_s_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  base::Result<Prompt> chat_prompt(const Json& request, chat::Thinking thinking) override;
  base::Result<std::vector<TokenId>> encode(std::string_view text, bool add_bos,
                                            bool special) const override;
  base::Result<std::vector<TokenId>> fill_prompt(std::string_view prefix,
                                                 std::string_view suffix) const override;
  uint32_t vocabulary() const override {
    return static_cast<uint32_t>(tokenizer_.vocabulary_size());
  }
  std::string_view piece(TokenId id, bool special) const override {
    return tokenizer_.piece(id, special);
  }
  bool is_control(TokenId id) const override { return tokenizer_.is_control(id); }
  std::span<const TokenId> end_ids() const override { return tokenizer_.end_of_generation_ids(); }
  chat::Format format() const override { return format_; }
  const chat::ThinkingControl& thinking() const override { return thinking_; }

 private:
  explicit LoadedModel(tokenizer::Tokenizer tokenizer) : tokenizer_(std::move(tokenizer)) {}
  // All but the engine.
  static base::Result<std::unique_ptr<LoadedModel>> open_text(const LoadOptions& options);
  base::Status take_template(const std::filesystem::path& file);

  tokenizer::Tokenizer tokenizer_;
  std::optional<chat::Template> template_;
  chat::Format format_ = chat::Format::kGeneric;
  chat::ThinkingControl thinking_;
  int64_t created_s_ = 0;
  std::string fingerprint_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace freehold::server
