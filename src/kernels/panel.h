// Panels: 32 rows of a weight matrix with their native blocks interleaved word by word, so that a
// vector register holds the same four codes of many rows. A panel has exactly the bytes of its
// rows' blocks (rows beyond the matrix are zero blocks): values are never changed, and one panel
// serves one token and many.
//
// Layout of one block of a panel: the fields of the native block in the order of PanelFormat; each
// field item is stored for all 32 rows before the next item. Blocks follow each other along the
// inner dimension. F32, F16 and BF16 count as blocks of one weight.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "quant/type.h"

namespace freehold::kernels {

inline constexpr size_t kPanelRows = 32;

// `count` items of `width` bytes at `offset` in the native block.
struct PanelField {
  uint16_t offset;
  uint8_t width;
  uint8_t count;
};

struct PanelFormat {
  quant::Type type;
  uint32_t block_elements;
  uint32_t block_bytes;  // native; a panel's block is 32 times as long
  std::span<const PanelField> fields;
};

// Null for a type that can't be multiplied.
const PanelFormat* panel_format(quant::Type type);

// Bytes of one panel with rows of `k` weights; k must be a multiple of the block.
size_t panel_bytes(const PanelFormat& format, size_t k);

// Interleaves `n_rows` (1 to 32) native rows of `k` weights, contiguous at `rows`, into `panel`.
void pack_panel(const PanelFormat& format, const std::byte* rows, size_t n_rows, size_t k,
                std::byte* panel);

// Copies one native block of row `row` out of a panel's block.
void unpack_block(const PanelFormat& format, const std::byte* panel_block, size_t row,
                  std::byte* native);

}  // namespace freehold::kernels
