// Names and numbers of split files. Refuses parts that were renamed, and files cut by bytes.
#include "gguf/split.h"

#include <charconv>
#include <cstdio>
#include <optional>

#include "gguf/limits.h"
#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr size_t kDigits = 5;

struct SplitName {
  std::string prefix;
  uint64_t number;  // from 1
  uint64_t count;
};

std::optional<uint64_t> digits(std::string_view text) {
  uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

// PREFIX-00001-of-00003.gguf
std::optional<SplitName> parse_name(const std::string& name) {
  constexpr std::string_view kOf = "-of-";
  constexpr std::string_view kSuffix = ".gguf";
  constexpr size_t kTail = 1 + kDigits + kOf.size() + kDigits + kSuffix.size();
  if (name.size() < kTail || !name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view tail = std::string_view(name).substr(name.size() - kTail);
  const auto number = digits(tail.substr(1, kDigits));
  const auto count = digits(tail.substr(1 + kDigits + kOf.size(), kDigits));
  if (tail[0] != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf || !number || !count) {
    return std::nullopt;
  }
  return SplitName{name.substr(0, name.size() - kTail), *number, *count};
}

std::string make_name(const SplitName& name) {
  char tail[64];
  std::snprintf(tail, sizeof(tail), "-%05llu-of-%05llu.gguf",
                static_cast<unsigned long long>(name.number),
                static_cast<unsigned long long>(name.count));
  return name.prefix + tail;
}

std::unexpected<base::Error> contradiction(std::string message) {
  return base::fail(ErrorCode::kBadFormat, std::move(message));
}

}  // namespace

Result<SplitPlace> split_place(const std::filesystem::path& path, const Metadata& metadata) {
  FREEHOLD_ASSIGN(const auto stated_count, metadata.unsigned_integer("split.count"));
  const uint64_t count = stated_count.value_or(0);
  if (count <= 1) return SplitPlace{0, {path}};
  if (count > kMaxParts) {
    return base::fail(ErrorCode::kLimitExceeded, "key `split.count`: " + std::to_string(count) +
                                                     " parts exceed the limit of " +
                                                     std::to_string(kMaxParts));
  }
  FREEHOLD_ASSIGN(const auto number, metadata.unsigned_integer("split.no"));
  if (!number || *number >= count) {
    return contradiction("key `split.no` is not a part's number below `split.count`");
  }
  auto name = parse_name(path.filename().string());
  if (!name || name->count != count || name->number != *number + 1) {
    return contradiction("part " + std::to_string(*number + 1) + " of " + std::to_string(count) +
                         " has to be named like model-00001-of-00002.gguf");
  }
  SplitPlace place{*number, {}};
  for (name->number = 1; name->number <= count; ++name->number) {
    place.paths.push_back(path.parent_path() / make_name(*name));
  }
  return place;
}

Status check_part(const Metadata& metadata, const SplitPlace& place, uint64_t number) {
  if (place.paths.size() == 1) return {};
  FREEHOLD_ASSIGN(const auto stated_count, metadata.unsigned_integer("split.count"));
  FREEHOLD_ASSIGN(const auto stated_number, metadata.unsigned_integer("split.no"));
  if (stated_count != place.paths.size() || stated_number != number) {
    return contradiction("keys `split.no` and `split.count` are not those of part " +
                         std::to_string(number + 1) + " of " + std::to_string(place.paths.size()));
  }
  return {};
}

Status check_not_cut_by_bytes(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  const size_t at = name.rfind(".part");
  if (at == std::string::npos) return {};
  const std::string tail = name.substr(at + 5);
  const size_t of = tail.find("of");
  if (of == std::string::npos || !digits(tail.substr(0, of)) || !digits(tail.substr(of + 2))) {
    return {};
  }
  return base::fail(ErrorCode::kUnsupported,
                    path.string() +
                        " is a piece of a file cut by bytes; join the pieces in order "
                        "with cat first");
}

}  // namespace freehold::gguf
