// Checks a safetensors file before anyone sees a tensor of it. The header's schema is fixed, so it
// is read as a stream of events: nothing can be nested deeper than the schema, and nothing is kept
// but names and numbers. Refuses holes and overlaps between tensors, members it does not know, and
// dtypes of less than a byte.
#include "gguf/safetensors.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/checked.h"
#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t kMaxHeaderBytes = 8u << 20;
constexpr size_t kMaxFileTensors = 65536;
constexpr size_t kMaxShapeDims = 8;

struct DtypeInfo {
  std::string_view name;
  uint64_t bytes;
};

constexpr std::array<DtypeInfo, 16> kDtypes = {{{"BOOL", 1},
                                                {"U8", 1},
                                                {"I8", 1},
                                                {"I16", 2},
                                                {"U16", 2},
                                                {"F16", 2},
                                                {"BF16", 2},
                                                {"I32", 4},
                                                {"U32", 4},
                                                {"F32", 4},
                                                {"I64", 8},
                                                {"U64", 8},
                                                {"F64", 8},
                                                {"F8_E4M3", 1},
                                                {"F8_E5M2", 1},
                                                {"F8_E8M0", 1}}};

std::optional<Dtype> dtype_from_name(std::string_view wanted) {
  for (size_t i = 0; i < kDtypes.size(); ++i) {
    if (kDtypes[i].name == wanted) return static_cast<Dtype>(i);
  }
  return std::nullopt;
}

// A tensor as the header states it.
struct Entry {
  std::string name;
  std::optional<Dtype> dtype;
  std::vector<uint64_t> shape;
  std::vector<uint64_t> offsets;
  bool has_shape = false;
  bool has_offsets = false;
};

// Takes the events of nlohmann's parser; false stops it with `error`.
class HeaderEvents {
 public:
  bool null() { return unexpected_value("null"); }
  bool boolean(bool) { return unexpected_value("a truth value"); }
  bool number_integer(int64_t) { return unexpected_value("a negative number"); }
  bool number_float(double, const std::string&) { return unexpected_value("a fraction"); }
  bool binary(std::vector<uint8_t>&) { return unexpected_value("bytes"); }

  bool number_unsigned(uint64_t value) {
    if (place_ == Place::kShape) {
      entry_.shape.push_back(value);
      return entry_.shape.size() <= kMaxShapeDims || refuse("has more than 8 dimensions");
    }
    if (place_ == Place::kOffsets) {
      entry_.offsets.push_back(value);
      return entry_.offsets.size() <= 2 || refuse("has more than two data_offsets");
    }
    return unexpected_value("a number");
  }

  bool string(const std::string& value) {
    if (place_ == Place::kMetadata) return true;
    if (place_ != Place::kDtype) return unexpected_value("a string");
    entry_.dtype = dtype_from_name(value);
    place_ = Place::kEntry;
    if (entry_.dtype) return true;
    error_.code = ErrorCode::kUnsupported;
    return refuse("has dtype " + shown(value) + ", which is not read");
  }

  bool start_object(size_t) {
    switch (place_) {
      case Place::kStart:
        place_ = Place::kRoot;
        return true;
      case Place::kMetadataValue:
        place_ = Place::kMetadata;
        return true;
      case Place::kEntryValue:
        place_ = Place::kEntry;
        return true;
      default:
        return unexpected_value("an object");
    }
  }

  bool key(std::string& name) {
    switch (place_) {
      case Place::kRoot:
        return begin_entry(name);
      case Place::kEntry:
        return member(name);
      default:
        return true;  // inside __metadata__, whose values are nobody's business
    }
  }

  bool end_object() {
    if (place_ == Place::kMetadata || place_ == Place::kRoot) {
      place_ = place_ == Place::kMetadata ? Place::kRoot : Place::kEnd;
      return true;
    }
    if (!entry_.dtype || !entry_.has_shape || entry_.offsets.size() != 2) {
      return refuse("lacks dtype, shape or data_offsets");
    }
    entries_.push_back(std::move(entry_));
    place_ = Place::kRoot;
    return entries_.size() <= kMaxFileTensors || too_many();
  }

  bool start_array(size_t) {
    if (place_ == Place::kShapeValue) {
      place_ = Place::kShape;
    } else if (place_ == Place::kOffsetsValue) {
      place_ = Place::kOffsets;
    } else {
      return unexpected_value("an array");
    }
    return true;
  }

  bool end_array() {
    place_ = Place::kEntry;
    return true;
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::json::exception&) {
    error_.message = "header is not JSON at byte " + std::to_string(position);
    return false;
  }

  base::Error& error() { return error_; }
  std::vector<Entry>& entries() { return entries_; }

 private:
  enum class Place {
    kStart,
    kRoot,
    kMetadataValue,  // `Value`: after the key, before what belongs to it
    kMetadata,
    kEntryValue,
    kEntry,
    kDtype,
    kShapeValue,
    kShape,
    kOffsetsValue,
    kOffsets,
    kEnd,
  };

  bool begin_entry(std::string& name) {
    if (name == "__metadata__") {
      place_ = Place::kMetadataValue;
      return !std::exchange(has_metadata_, true) || refuse("occurs twice");
    }
    if (name.empty()) return refuse("names a tensor with nothing");
    entry_ = Entry();
    entry_.name = std::move(name);
    place_ = Place::kEntryValue;
    return true;
  }

  bool member(std::string_view name) {
    if (name == "dtype" && !entry_.dtype) {
      place_ = Place::kDtype;
    } else if (name == "shape" && !std::exchange(entry_.has_shape, true)) {
      place_ = Place::kShapeValue;
    } else if (name == "data_offsets" && !std::exchange(entry_.has_offsets, true)) {
      place_ = Place::kOffsetsValue;
    } else {
      return refuse("has member " + shown(name) + ", unknown or for the second time");
    }
    return true;
  }

  bool too_many() {
    error_ = {ErrorCode::kLimitExceeded,
              "more than " + std::to_string(kMaxFileTensors) + " tensors"};
    return false;
  }

  bool unexpected_value(std::string_view kind) {
    return refuse("has " + std::string(kind) + " in the wrong place");
  }

  bool refuse(const std::string& what) {
    error_.message =
        (entry_.name.empty() ? "the header " : "tensor " + shown(entry_.name) + " ") + what;
    return false;
  }

  Place place_ = Place::kStart;
  Entry entry_;
  std::vector<Entry> entries_;
  bool has_metadata_ = false;
  base::Error error_{ErrorCode::kBadFormat, "header is not JSON"};
};

std::unexpected<base::Error> bad(const std::string& name, const std::string& what) {
  return base::fail(ErrorCode::kBadFormat, "tensor " + shown(name) + " " + what);
}

// Bytes by dtype and shape. Dimensions of zero do not hide others that wrap.
std::optional<uint64_t> stated_bytes(const Entry& entry) {
  std::optional<uint64_t> product = bytes_each(*entry.dtype);
  bool empty = false;
  for (const uint64_t dim : entry.shape) {
    empty = empty || dim == 0;
    if (product) product = base::checked_mul<uint64_t>(*product, std::max<uint64_t>(dim, 1));
  }
  return empty && product ? 0 : product;
}

Result<SafeTensor> check(Entry& entry, std::span<const std::byte> buffer) {
  const uint64_t begin = entry.offsets[0];
  const uint64_t end = entry.offsets[1];
  if (begin > end || end > buffer.size()) {
    return bad(entry.name, "has data_offsets outside the file");
  }
  if (stated_bytes(entry) != end - begin) {
    return bad(entry.name, "has " + std::to_string(end - begin) +
                               " bytes, which is not what dtype and shape say");
  }
  return SafeTensor{std::move(entry.name), *entry.dtype, std::move(entry.shape),
                    buffer.subspan(begin, end - begin)};
}

// That the tensors, sorted by place, cover the buffer without holes or overlaps.
Status check_cover(const std::vector<SafeTensor>& tensors, std::span<const std::byte> buffer) {
  const std::byte* expected = buffer.data();
  for (const SafeTensor& tensor : tensors) {
    if (tensor.data.data() != expected) {
      return bad(tensor.name, "overlaps another or leaves a hole before it");
    }
    expected += tensor.data.size();
  }
  if (expected == buffer.data() + buffer.size()) return {};
  return base::fail(ErrorCode::kBadFormat, "bytes after the last tensor");
}

Status check_names(const std::vector<SafeTensor>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const SafeTensor& tensor : tensors) names.push_back(tensor.name);
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice == names.end()) return {};
  return bad(std::string(*twice), "occurs twice");
}

}  // namespace

std::string_view name(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].name; }
uint64_t bytes_each(Dtype dtype) { return kDtypes[static_cast<size_t>(dtype)].bytes; }

Result<std::vector<SafeTensor>> parse_safetensors(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  FREEHOLD_ASSIGN(const uint64_t length, reader.read<uint64_t>("header length"));
  if (length > reader.remaining()) return reader.ended("header");
  if (length > kMaxHeaderBytes) {
    return base::fail(ErrorCode::kLimitExceeded,
                      "header of " + std::to_string(length) + " bytes exceeds the limit of 8 MiB");
  }
  const std::string_view header = *reader.take_text(length);
  if (!header.starts_with('{')) {
    return base::fail(ErrorCode::kBadFormat, "not a safetensors file: no JSON header");
  }
  HeaderEvents events;
  if (!nlohmann::json::sax_parse(header.begin(), header.end(), &events)) {
    return std::unexpected(std::move(events.error()));
  }
  const std::span<const std::byte> buffer = bytes.subspan(reader.position());
  std::vector<SafeTensor> tensors;
  tensors.reserve(events.entries().size());
  for (Entry& entry : events.entries()) {
    FREEHOLD_ASSIGN(SafeTensor tensor, check(entry, buffer));
    tensors.push_back(std::move(tensor));
  }
  std::ranges::sort(tensors, {}, [](const SafeTensor& tensor) {
    return std::tuple(tensor.data.data(), tensor.data.size(), std::string_view(tensor.name));
  });
  FREEHOLD_TRY(check_cover(tensors, buffer));
  FREEHOLD_TRY(check_names(tensors));
  return tensors;
}

}  // namespace freehold::gguf
