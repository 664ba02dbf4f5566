// Makers of the rows that a GGUF tensor has and a Hugging Face folder does not: reordered, stacked,
// transposed or unpacked when they are read, so that nothing of a model's size is held. They view
// mapped files, which must outlive them. Shapes have been checked by the caller.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "gguf/gguf.h"
#include "gguf/hf_convert.h"
#include "gguf/hf_matrix.h"

namespace freehold::gguf {

// The rows as they are, in another type.
RowMaker converted_rows(const HfMatrix& matrix, quant::Type type);

// Rows reordered inside each head of head_rows from halves to pairs: row 2i+s is row
// s*head_rows/2 + i of the matrix.
RowMaker paired_rows(const HfMatrix& matrix, quant::Type type, uint64_t head_rows);
// The same of a vector's elements, as one row of F32.
RowMaker paired_elements(const HfMatrix& vector, uint64_t head_rows);

// The rows of one matrix after another's; all have the same shape.
RowMaker stacked_rows(std::vector<HfMatrix> matrices, quant::Type type);

// DeepSeek's kv_b_proj: for each head n_keys rows and then n_values rows. The keys of each head
// transposed (a row has n_keys elements of a plain float `type`), or the values.
struct LatentHeads {
  uint64_t n_keys;
  uint64_t n_values;
};
RowMaker latent_keys(const HfMatrix& matrix, quant::Type type, const LatentHeads& heads);
RowMaker latent_values(const HfMatrix& matrix, quant::Type type, const LatentHeads& heads);

// gpt-oss: every n_parts-th row from `part` on, of row_blocks MXFP4 blocks.
struct Mxfp4Rows {
  std::span<const std::byte> blocks;
  std::span<const std::byte> scales;
  uint64_t row_blocks;
  uint64_t n_parts;
  uint64_t part;
};
RowMaker unpacked_rows(const Mxfp4Rows& rows);

// Some columns of each of a stack of matrices, as rows; `elements` is the whole stack.
RowMaker turned_rows(std::span<const std::byte> elements, uint64_t element_bytes,
                     const Columns& columns);

// Elements part, part + 2, part + 4, … of each row, as F32.
RowMaker alternate_elements(const HfMatrix& matrix, uint64_t part);

}  // namespace freehold::gguf
