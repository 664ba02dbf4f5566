// Owns the joining of engine, tokenizer and template into a model that answers.
#include "server/loaded_model.h"

#include <openssl/evp.h>

#include <array>
#include <chrono>
#include <fstream>
#include <future>
#include <stop_token>

#include "base/file.h"

namespace freehold::server {
namespace {

constexpr uint64_t kTemplateBytes = 1U << 20U;
constexpr size_t kDigestBytes = size_t{4} << 20U;

// The markers of fill-in-the-middle, in the order prefix, suffix, middle.
struct FillMarkers {
  const char* prefix;
  const char* suffix;
  const char* middle;
};
constexpr FillMarkers kFillMarkers[] = {
    {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"},
    {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"},
    {"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>"},
    {"<PRE>", "<SUF>", "<MID>"},
};

// Tells one file from another at once: its size and its beginning, where a GGUF file has all its
// metadata. Not a proof of every weight.
std::string fingerprint_of(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "config.json" : path;
  std::error_code error;
  std::string bytes = std::to_string(std::filesystem::file_size(file, error)) + ":";
  std::ifstream in(file, std::ios::binary);
  const size_t head = bytes.size();
  bytes.resize(head + kDigestBytes);
  in.read(bytes.data() + head, static_cast<std::streamsize>(kDigestBytes));
  bytes.resize(head + static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    return "fp_unknown";
  }
  std::string text = "fp_";
  for (size_t i = 0; i < 8; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4U];
    text += "0123456789abcdef"[digest[i] & 15U];
  }
  return text;
}

}  // namespace

base::Result<std::unique_ptr<LoadedModel>> LoadedModel::open_text(const LoadOptions& options) {
  FREEHOLD_ASSIGN(auto tokenizer, tokenizer::Tokenizer::open(options.path));
  std::unique_ptr<LoadedModel> model(new LoadedModel(std::move(tokenizer)));
  FREEHOLD_TRY(model->take_template(options.template_file));
  model->fingerprint_ = fingerprint_of(options.path);
  return model;
}

// Text and weights are opened side by side; without the text nobody wants the weights.
base::Result<std::unique_ptr<LoadedModel>> LoadedModel::load(const LoadOptions& options) {
  std::stop_source stop;
  const std::stop_callback forward(options.engine.stop, [&stop] { stop.request_stop(); });
  auto text = std::async(std::launch::async, [&] {
    auto opened = open_text(options);
    if (!opened) stop.request_stop();
    return opened;
  });
  EngineOptions how = options.engine;
  how.stop = stop.get_token();
  auto engine = Engine::load(options.path, how);
  auto model = text.get();
  if (!model) return base::in_context(options.path.string(), model.error());
  if (!engine) return std::unexpected(engine.error());
  (*model)->engine_ = std::move(*engine);
  (*model)->created_s_ = std::chrono::duration_cast<std::chrono::seconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  return model;
}

base::Status LoadedModel::take_template(const std::filesystem::path& file) {
  const auto has_token = [this](std::string_view text) {
    return tokenizer_.find(text).has_value();
  };
  std::string source(tokenizer_.chat_template().value_or(""));
  if (!file.empty()) {
    FREEHOLD_ASSIGN(source, base::read_file(file, kTemplateBytes));
  }
  if (!source.empty()) {
    FREEHOLD_ASSIGN(template_, chat::Template::parse(source));
  } else if (auto fallback = chat::fallback_template(has_token)) {
    template_ = std::move(*fallback);
  }
  const std::string_view text = template_ ? template_->source() : "";
  format_ = chat::detect_format(text, has_token);
  thinking_ = chat::thinking_control(format_, text);
  return {};
}

base::Result<Model::Prompt> LoadedModel::chat_prompt(const Json& request, chat::Thinking thinking) {
  if (!template_) {
    return base::fail(base::ErrorCode::kUnsupported,
                      "this model has no chat template; use /v1/completions");
  }
  const auto text_of = [this](std::optional<TokenId> id) {
    return id ? std::string(tokenizer_.piece(*id, true)) : "";
  };
  chat::PromptOptions options;
  options.thinking = thinking;
  options.bos_token = text_of(tokenizer_.bos());
  options.eos_token = text_of(tokenizer_.eos());
  FREEHOLD_ASSIGN(const chat::Prompt prompt,
                  chat::build_prompt(*template_, thinking_, request, options));
  std::vector<tokenizer::Segment> segments;
  for (const auto& segment : prompt.segments) segments.push_back({segment.text, segment.trusted});
  FREEHOLD_ASSIGN(std::vector<TokenId> ids, tokenizer_.encode_segments(segments));
  return Prompt{std::move(ids), prompt.tail};
}

base::Result<std::vector<TokenId>> LoadedModel::encode(std::string_view text, bool add_bos,
                                                       bool special) const {
  tokenizer::EncodeOptions options;
  options.parse_special = special;
  if (!add_bos) options.add_bos = false;
  options.add_eos = false;
  return tokenizer_.encode(text, options);
}

base::Result<std::vector<TokenId>> LoadedModel::fill_prompt(std::string_view prefix,
                                                            std::string_view suffix) const {
  for (const auto& markers : kFillMarkers) {
    if (!tokenizer_.find(markers.prefix) || !tokenizer_.find(markers.suffix) ||
        !tokenizer_.find(markers.middle)) {
      continue;
    }
    const tokenizer::Segment segments[] = {{markers.prefix, true},
                                           {prefix, false},
                                           {markers.suffix, true},
                                           {suffix, false},
                                           {markers.middle, true}};
    return tokenizer_.encode_segments(segments);
  }
  return base::fail(base::ErrorCode::kUnsupported,
                    "this model has no tokens for filling in the middle; leave out `suffix`");
}

}  // namespace freehold::server
