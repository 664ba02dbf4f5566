#include "sampling_defaults.h"

#include <fmt/core.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "gguf/gguf.h"
#include "json_file.h"

namespace freehold::app {
namespace {

using base::Result;
using base::Status;

// Mild settings that suit most instruction-tuned models.
Sampling our_own() {
  Sampling sampling;
  sampling.temperature = 0.7F;
  sampling.top_p = 0.95F;
  sampling.min_p = 0.05F;
  return sampling;
}

// Looks settings up by name and remembers whether there was any.
class Settings {
 public:
  using Find = std::function<Result<std::optional<double>>(std::string_view name)>;
  explicit Settings(Find find) : find_(std::move(find)) {}

  Status read(std::string_view name, float& into) {
    FREEHOLD_ASSIGN(const auto value, find_(name));
    if (value) into = static_cast<float>(*value);
    any_ = any_ || value.has_value();
    return {};
  }
  Status read(std::string_view name, uint32_t& into) {
    FREEHOLD_ASSIGN(const auto value, find_(name));
    // Negative and absurd ones mean "off" in the wild.
    if (value) into = *value > 0 && *value < 1e6 ? static_cast<uint32_t>(*value) : 0;
    any_ = any_ || value.has_value();
    return {};
  }
  bool any() const { return any_; }

 private:
  Find find_;
  bool any_ = false;
};

Result<SamplingDefaults> from_gguf(const std::filesystem::path& model) {
  FREEHOLD_ASSIGN(const auto directory, gguf::Directory::open(model));
  const auto& metadata = directory.metadata();
  Settings settings([&](std::string_view name) {
    return metadata.number("general.sampling." + std::string(name));
  });
  SamplingDefaults defaults{our_own(), "Freehold's own"};
  FREEHOLD_TRY(settings.read("temp", defaults.sampling.temperature));
  FREEHOLD_TRY(settings.read("top_k", defaults.sampling.top_k));
  FREEHOLD_TRY(settings.read("top_p", defaults.sampling.top_p));
  FREEHOLD_TRY(settings.read("min_p", defaults.sampling.min_p));
  FREEHOLD_TRY(settings.read("penalty_repeat", defaults.sampling.repetition_penalty));
  FREEHOLD_TRY(settings.read("penalty_last_n", defaults.sampling.penalty_window));
  if (settings.any()) defaults.origin = "the model file's";
  return defaults;
}

Result<SamplingDefaults> from_huggingface(const std::filesystem::path& folder) {
  SamplingDefaults defaults{our_own(), "Freehold's own"};
  const auto path = folder / "generation_config.json";
  if (!std::filesystem::exists(path)) return defaults;
  FREEHOLD_ASSIGN(const Json file, read_json(path));
  Settings settings([&](std::string_view name) -> Result<std::optional<double>> {
    const auto at = file.find(name);
    if (!file.is_object() || at == file.end() || at->is_null()) return std::nullopt;
    if (at->is_number()) return at->get<double>();
    return base::fail(base::ErrorCode::kBadFormat,
                      path.string() + ": `" + std::string(name) + "` is not a number");
  });
  FREEHOLD_TRY(settings.read("temperature", defaults.sampling.temperature));
  FREEHOLD_TRY(settings.read("top_k", defaults.sampling.top_k));
  FREEHOLD_TRY(settings.read("top_p", defaults.sampling.top_p));
  FREEHOLD_TRY(settings.read("min_p", defaults.sampling.min_p));
  FREEHOLD_TRY(settings.read("repetition_penalty", defaults.sampling.repetition_penalty));
  if (settings.any()) defaults.origin = "generation_config.json's";
  return defaults;
}

}  // namespace

Result<SamplingDefaults> sampling_defaults(const std::filesystem::path& model) {
  return std::filesystem::is_directory(model) ? from_huggingface(model) : from_gguf(model);
}

std::string describe(const Sampling& sampling) {
  if (sampling.temperature == 0) return "greedy";
  std::string text = fmt::format("temperature {:g}", sampling.temperature);
  if (sampling.top_k > 0) text += fmt::format(", top-k {}", sampling.top_k);
  if (sampling.top_p < 1) text += fmt::format(", top-p {:g}", sampling.top_p);
  if (sampling.min_p > 0) text += fmt::format(", min-p {:g}", sampling.min_p);
  if (sampling.repetition_penalty != 1) {
    text += fmt::format(", repetition penalty {:g}", sampling.repetition_penalty);
  }
  return text + fmt::format(", seed {}", sampling.seed);
}

}  // namespace freehold::app
