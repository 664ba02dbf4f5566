// Reads and checks one GGUF file: versions 2 and 3, little-endian. Refuses version 1 (32-bit
// counts), big-endian files, unknown tensor types, and tensors that are misaligned, overlap, or
// leave the file. Gaps between tensors and a missing padding at the end are allowed.
#include "gguf/part.h"

#include <algorithm>

#include "base/checked.h"
#include "gguf/limits.h"
#include "gguf/reader.h"
#include "gguf/shape.h"
#include "gguf/value.h"

namespace freehold::gguf {

using base::ErrorCode;
using base::Result;
using base::Status;

namespace {

struct Header {
  uint64_t n_tensors;
  uint64_t n_keys;
};

// A tensor whose place is known but not yet checked.
struct PlacedTensor {
  Tensor tensor;
  uint64_t offset;  // from the start of the data section
  uint64_t n_bytes;
};

std::unexpected<base::Error> bad_tensor(const std::string& name, const std::string& what) {
  return base::fail(ErrorCode::kBadFormat, "tensor " + shown(name) + " " + what);
}

Status check_version(uint32_t version) {
  if (version == 2 || version == 3) return {};
  if (version != 0 && (version & 0xffffu) == 0) {
    return base::fail(ErrorCode::kUnsupported, "the file is big-endian; convert it");
  }
  return base::fail(ErrorCode::kUnsupported,
                    "GGUF version " + std::to_string(version) + "; versions 2 and 3 are read");
}

Status check_count(std::string_view field, uint64_t count, uint64_t limit) {
  if (count <= limit) return {};
  return base::fail(ErrorCode::kLimitExceeded, std::string(field) + " " + std::to_string(count) +
                                                   " exceeds the limit of " +
                                                   std::to_string(limit));
}

Result<Header> read_header(Reader& reader) {
  const auto magic = reader.take_text(4);
  if (!magic || *magic != "GGUF") {
    return base::fail(ErrorCode::kBadFormat, "not a GGUF file: it does not begin with `GGUF`");
  }
  FREEHOLD_ASSIGN(const uint32_t version, reader.read<uint32_t>("version"));
  FREEHOLD_TRY(check_version(version));
  Header header{};
  FREEHOLD_ASSIGN(header.n_tensors, reader.read<uint64_t>("tensor_count"));
  FREEHOLD_ASSIGN(header.n_keys, reader.read<uint64_t>("kv_count"));
  FREEHOLD_TRY(check_count("tensor_count", header.n_tensors, kMaxTensors));
  FREEHOLD_TRY(check_count("kv_count", header.n_keys, kMaxKeys));
  return header;
}

Result<Metadata> read_metadata(Reader& reader, uint64_t n_keys) {
  Metadata metadata;
  ValueReader values(reader);
  for (uint64_t i = 0; i < n_keys; ++i) {
    FREEHOLD_ASSIGN(const std::string_view key,
                    reader.read_string("key " + std::to_string(i), kMaxKeyBytes));
    if (key.empty()) {
      return base::fail(ErrorCode::kBadFormat, "key " + std::to_string(i) + " is empty");
    }
    if (metadata.find(key) != nullptr) {
      return base::fail(ErrorCode::kBadFormat, "key " + shown(key) + " occurs twice");
    }
    auto value = values.next();
    if (!value) return base::in_context("key " + shown(key), std::move(value.error()));
    metadata.set(std::string(key), std::move(*value));
  }
  return metadata;
}

Result<uint64_t> alignment_of(const Metadata& metadata) {
  FREEHOLD_ASSIGN(const auto stated, metadata.unsigned_integer("general.alignment"));
  const uint64_t alignment = stated.value_or(32);
  if (!is_alignment(alignment)) {
    return base::fail(ErrorCode::kBadFormat,
                      "key `general.alignment`: " + std::to_string(alignment) +
                          " is not a power of two up to " + std::to_string(kMaxAlignment));
  }
  return alignment;
}

Result<PlacedTensor> read_tensor(Reader& reader) {
  PlacedTensor placed{};
  FREEHOLD_ASSIGN(const std::string_view name,
                  reader.read_string("tensor name", kMaxTensorNameBytes));
  if (name.empty()) return base::fail(ErrorCode::kBadFormat, "a tensor's name is empty");
  Tensor& tensor = placed.tensor;
  tensor.name = name;
  const std::string context = "tensor " + shown(name);
  FREEHOLD_ASSIGN(tensor.n_dims, reader.read<uint32_t>(context + " n_dims"));
  if (tensor.n_dims > kMaxDims) {
    return bad_tensor(tensor.name, "has " + std::to_string(tensor.n_dims) +
                                       " dimensions, more than the format's 4");
  }
  for (uint32_t i = 0; i < tensor.n_dims; ++i) {
    FREEHOLD_ASSIGN(tensor.shape[i], reader.read<uint64_t>(context + " dimension"));
  }
  FREEHOLD_ASSIGN(const uint32_t type_id, reader.read<uint32_t>(context + " type"));
  const auto type = quant::type_info(type_id);
  if (!type) {
    return base::fail(ErrorCode::kUnsupported,
                      context + " has type " + std::to_string(type_id) + ", which is not read");
  }
  tensor.type = type->type;
  FREEHOLD_ASSIGN(placed.offset, reader.read<uint64_t>(context + " offset"));
  auto n_bytes = data_bytes(tensor.type, tensor.shape);
  if (!n_bytes) return bad_tensor(tensor.name, n_bytes.error().message);
  placed.n_bytes = *n_bytes;
  return placed;
}

Status check_no_overlap(const std::vector<PlacedTensor>& placed) {
  std::vector<const PlacedTensor*> order;
  order.reserve(placed.size());
  for (const PlacedTensor& tensor : placed) {
    if (tensor.n_bytes > 0) order.push_back(&tensor);
  }
  std::ranges::sort(order, {}, &PlacedTensor::offset);
  for (size_t i = 1; i < order.size(); ++i) {
    // The sum was checked against the file's length.
    if (order[i - 1]->offset + order[i - 1]->n_bytes > order[i]->offset) {
      return bad_tensor(order[i]->tensor.name,
                        "overlaps tensor " + shown(order[i - 1]->tensor.name));
    }
  }
  return {};
}

// Gives each tensor its bytes. `header_end` is where the tensor infos end.
Status place(std::vector<PlacedTensor>& placed, std::span<const std::byte> bytes,
             uint64_t header_end, uint64_t alignment) {
  if (placed.empty()) return {};
  const auto start = base::checked_align_up(header_end, alignment);
  if (!start) return base::fail(ErrorCode::kBadFormat, "the data section's start does not fit");
  for (PlacedTensor& one : placed) {
    if (one.offset % alignment != 0) {
      return bad_tensor(one.tensor.name, "has offset " + std::to_string(one.offset) +
                                             ", not a multiple of the alignment " +
                                             std::to_string(alignment));
    }
    const auto begin = base::checked_add(*start, one.offset);
    if (!begin || !base::range_fits(*begin, one.n_bytes, bytes.size())) {
      return bad_tensor(one.tensor.name, "(" + std::to_string(one.n_bytes) + " bytes at offset " +
                                             std::to_string(one.offset) +
                                             ") runs past the end of the file (" +
                                             std::to_string(bytes.size()) + " bytes)");
    }
    one.tensor.data = bytes.subspan(*begin, one.n_bytes);
  }
  return check_no_overlap(placed);
}

}  // namespace

Result<Part> parse_part(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  FREEHOLD_ASSIGN(const Header header, read_header(reader));
  Part part;
  FREEHOLD_ASSIGN(part.metadata, read_metadata(reader, header.n_keys));
  FREEHOLD_ASSIGN(const uint64_t alignment, alignment_of(part.metadata));
  std::vector<PlacedTensor> placed;
  for (uint64_t i = 0; i < header.n_tensors; ++i) {
    auto tensor = read_tensor(reader);
    if (!tensor) {
      return base::in_context("tensor info " + std::to_string(i), std::move(tensor.error()));
    }
    placed.push_back(std::move(*tensor));
  }
  FREEHOLD_TRY(place(placed, bytes, reader.position(), alignment));
  part.tensors.reserve(placed.size());
  for (PlacedTensor& one : placed) part.tensors.push_back(std::move(one.tensor));
  return part;
}

}  // namespace freehold::gguf
