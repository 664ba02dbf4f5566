#include "kernels/panel.h"

#include <array>
#include <cstring>

namespace freehold::kernels {
namespace {

using quant::Type;

// Scales first, then the words of codes; offsets are those of the GGUF block formats.
constexpr std::array<PanelField, 1> kFloat32 = {{{0, 4, 1}}};
constexpr std::array<PanelField, 1> kFloat16 = {{{0, 2, 1}}};
constexpr std::array<PanelField, 2> kQ4_0 = {{{0, 2, 1}, {2, 4, 4}}};
constexpr std::array<PanelField, 3> kQ4_1 = {{{0, 2, 1}, {2, 2, 1}, {4, 4, 4}}};
constexpr std::array<PanelField, 3> kQ5_0 = {{{0, 2, 1}, {2, 4, 1}, {6, 4, 4}}};
constexpr std::array<PanelField, 4> kQ5_1 = {{{0, 2, 1}, {2, 2, 1}, {4, 4, 1}, {8, 4, 4}}};
constexpr std::array<PanelField, 2> kQ8_0 = {{{0, 2, 1}, {2, 4, 8}}};
constexpr std::array<PanelField, 4> kQ2_K = {{{80, 2, 1}, {82, 2, 1}, {0, 4, 4}, {16, 4, 16}}};
constexpr std::array<PanelField, 4> kQ3_K = {{{108, 2, 1}, {96, 4, 3}, {0, 4, 8}, {32, 4, 16}}};
constexpr std::array<PanelField, 4> kQ4_K = {{{0, 2, 1}, {2, 2, 1}, {4, 4, 3}, {16, 4, 32}}};
constexpr std::array<PanelField, 5> kQ5_K = {
    {{0, 2, 1}, {2, 2, 1}, {4, 4, 3}, {16, 4, 8}, {48, 4, 32}}};
constexpr std::array<PanelField, 4> kQ6_K = {{{208, 2, 1}, {192, 4, 4}, {0, 4, 32}, {128, 4, 16}}};
constexpr std::array<PanelField, 4> kIQ4_XS = {{{0, 2, 1}, {2, 2, 1}, {4, 4, 1}, {8, 4, 32}}};
constexpr std::array<PanelField, 2> kMXFP4 = {{{1, 4, 4}, {0, 1, 1}}};
constexpr std::array<PanelField, 2> kFp8 = {{{0, 4, 1}, {4, 1, 128}}};

constexpr std::array<PanelFormat, 17> kFormats = {{
    {Type::kF32, 1, 4, kFloat32},
    {Type::kF16, 1, 2, kFloat16},
    {Type::kBF16, 1, 2, kFloat16},
    {Type::kQ4_0, 32, 18, kQ4_0},
    {Type::kQ4_1, 32, 20, kQ4_1},
    {Type::kQ5_0, 32, 22, kQ5_0},
    {Type::kQ5_1, 32, 24, kQ5_1},
    {Type::kQ8_0, 32, 34, kQ8_0},
    {Type::kIQ4_NL, 32, 18, kQ4_0},
    {Type::kMXFP4, 32, 17, kMXFP4},
    {Type::kQ2_K, 256, 84, kQ2_K},
    {Type::kQ3_K, 256, 110, kQ3_K},
    {Type::kQ4_K, 256, 144, kQ4_K},
    {Type::kQ5_K, 256, 176, kQ5_K},
    {Type::kQ6_K, 256, 210, kQ6_K},
    {Type::kIQ4_XS, 256, 136, kIQ4_XS},
    {Type::kFp8, 128, 132, kFp8},
}};

template <size_t kWidth>
void interleave(const std::byte* native, size_t native_stride, size_t count, size_t n_rows,
                std::byte* out) {
  for (size_t i = 0; i < count; ++i) {
    for (size_t row = 0; row < n_rows; ++row) {
      std::memcpy(out + (i * kPanelRows + row) * kWidth, native + row * native_stride + i * kWidth,
                  kWidth);
    }
  }
}

}  // namespace

const PanelFormat* panel_format(Type type) {
  for (const PanelFormat& format : kFormats) {
    if (format.type == type) return &format;
  }
  return nullptr;
}

size_t panel_bytes(const PanelFormat& format, size_t k) {
  return k / format.block_elements * format.block_bytes * kPanelRows;
}

void pack_panel(const PanelFormat& format, const std::byte* rows, size_t n_rows, size_t k,
                std::byte* panel) {
  const size_t n_blocks = k / format.block_elements;
  const size_t row_bytes = n_blocks * format.block_bytes;
  if (n_rows < kPanelRows) std::memset(panel, 0, panel_bytes(format, k));
  for (size_t block = 0; block < n_blocks; ++block) {
    const std::byte* native = rows + block * format.block_bytes;
    for (const PanelField& field : format.fields) {
      const std::byte* from = native + field.offset;
      if (field.width == 4) interleave<4>(from, row_bytes, field.count, n_rows, panel);
      if (field.width == 2) interleave<2>(from, row_bytes, field.count, n_rows, panel);
      if (field.width == 1) interleave<1>(from, row_bytes, field.count, n_rows, panel);
      panel += kPanelRows * field.width * field.count;
    }
  }
}

void unpack_block(const PanelFormat& format, const std::byte* panel_block, size_t row,
                  std::byte* native) {
  for (const PanelField& field : format.fields) {
    for (size_t i = 0; i < field.count; ++i) {
      std::memcpy(native + field.offset + i * field.width,
                  panel_block + (i * kPanelRows + row) * field.width, field.width);
    }
    panel_block += kPanelRows * field.width * field.count;
  }
}

}  // namespace freehold::kernels
