// Rows made on demand: each maker maps an output row to where its elements lie.
#include "gguf/hf_rows.h"

#include <algorithm>
#include <cstring>

namespace freehold::gguf {

using quant::Type;

namespace {

uint64_t bytes_of_row(const HfMatrix& matrix, Type type) {
  const quant::TypeInfo& info = quant::info(type);
  return matrix.columns / info.block_elements * info.block_bytes;
}

// Row i of the output is row source(i) of the matrix.
template <typename Source>
RowMaker mapped_rows(const HfMatrix& matrix, Type type, Source source) {
  return [matrix, type, source](uint64_t first, uint64_t count, std::byte* out) {
    const uint64_t each = bytes_of_row(matrix, type);
    for (uint64_t i = 0; i < count; ++i) write_row(matrix, type, source(first + i), out + i * each);
  };
}

// Where element or row `i` lies before halves become pairs.
uint64_t unpaired(uint64_t i, uint64_t head_rows) {
  const uint64_t inside = i % head_rows;
  return i - inside + inside % 2 * (head_rows / 2) + inside / 2;
}

}  // namespace

RowMaker converted_rows(const HfMatrix& matrix, Type type) {
  return mapped_rows(matrix, type, [](uint64_t row) { return row; });
}

RowMaker paired_rows(const HfMatrix& matrix, Type type, uint64_t head_rows) {
  return mapped_rows(matrix, type, [head_rows](uint64_t row) { return unpaired(row, head_rows); });
}

RowMaker paired_elements(const HfMatrix& vector, uint64_t head_rows) {
  return [vector, head_rows](uint64_t, uint64_t count, std::byte* out) {
    if (count == 0) return;
    for (uint64_t i = 0; i < vector.columns; ++i) {
      write_floats(vector, Type::kF32, 0, unpaired(i, head_rows), 1, out + 4 * i);
    }
  };
}

RowMaker stacked_rows(std::vector<HfMatrix> matrices, Type type) {
  return [matrices = std::move(matrices), type](uint64_t first, uint64_t count, std::byte* out) {
    const uint64_t each = bytes_of_row(matrices[0], type);
    for (uint64_t i = 0; i < count; ++i) {
      const HfMatrix& matrix = matrices[(first + i) / matrices[0].rows];
      write_row(matrix, type, (first + i) % matrix.rows, out + i * each);
    }
  };
}

RowMaker latent_keys(const HfMatrix& matrix, Type type, const LatentHeads& heads) {
  return [matrix, type, heads](uint64_t first, uint64_t count, std::byte* out) {
    const uint64_t width = quant::info(type).block_bytes;
    std::vector<std::byte> scratch;
    while (count > 0) {
      // As many rows as are of one head, which are columns of its keys.
      const uint64_t head = first / matrix.columns;
      const uint64_t column = first % matrix.columns;
      const uint64_t n = std::min(count, matrix.columns - column);
      scratch.resize(heads.n_keys * n * width);
      for (uint64_t key = 0; key < heads.n_keys; ++key) {
        const uint64_t row = head * (heads.n_keys + heads.n_values) + key;
        write_floats(matrix, type, row, column, n, scratch.data() + key * n * width);
      }
      transpose(scratch, {heads.n_keys, n, 0, n}, width, out);
      out += heads.n_keys * n * width;
      first += n;
      count -= n;
    }
  };
}

RowMaker latent_values(const HfMatrix& matrix, Type type, const LatentHeads& heads) {
  return mapped_rows(matrix, type, [heads](uint64_t row) {
    const uint64_t head = row / heads.n_values;
    return head * (heads.n_keys + heads.n_values) + heads.n_keys + row % heads.n_values;
  });
}

RowMaker unpacked_rows(const Mxfp4Rows& rows) {
  return [rows](uint64_t first, uint64_t count, std::byte* out) {
    for (uint64_t row = first; row < first + count; ++row) {
      const uint64_t from = (row * rows.n_parts + rows.part) * rows.row_blocks;
      repack_mxfp4(rows.blocks.subspan(from * 16, rows.row_blocks * 16),
                   rows.scales.subspan(from, rows.row_blocks), out);
      out += rows.row_blocks * 17;
    }
  };
}

RowMaker turned_rows(std::span<const std::byte> elements, uint64_t element_bytes,
                     const Columns& columns) {
  return [elements, element_bytes, columns](uint64_t first, uint64_t count, std::byte* out) {
    const uint64_t matrix_bytes = columns.n_rows * columns.row_elements * element_bytes;
    while (count > 0) {
      const uint64_t matrix = first / columns.n_columns;
      const uint64_t column = first % columns.n_columns;
      Columns some = columns;
      some.first += column * columns.step;
      some.n_columns = std::min(count, columns.n_columns - column);
      transpose(elements.subspan(matrix * matrix_bytes, matrix_bytes), some, element_bytes, out);
      out += some.n_columns * columns.n_rows * element_bytes;
      first += some.n_columns;
      count -= some.n_columns;
    }
  };
}

RowMaker alternate_elements(const HfMatrix& matrix, uint64_t part) {
  return [matrix, part](uint64_t first, uint64_t count, std::byte* out) {
    for (uint64_t row = first; row < first + count; ++row) {
      for (uint64_t i = part; i < matrix.columns; i += 2, out += 4) {
        write_floats(matrix, Type::kF32, row, i, 1, out);
      }
    }
  };
}

}  // namespace freehold::gguf
