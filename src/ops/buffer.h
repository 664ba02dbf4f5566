// Memory for activations: rows of floats, each row aligned to a cache line, kept from step to step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace freehold::ops {

// Uninitialised bytes aligned to 64; grows when asked for more, never shrinks.
class AlignedBytes {
 public:
  std::byte* reserve(size_t bytes) {
    if (bytes > size_) {
      size_ = (bytes + 63) / 64 * 64;
      data_.reset(static_cast<std::byte*>(std::aligned_alloc(64, size_)));
      if (data_ == nullptr) throw std::bad_alloc();
    }
    return data_.get();
  }
  std::byte* data() const { return data_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> data_;
  size_t size_ = 0;
};

// [n_rows][width] floats. Rows are `stride` apart: width rounded up to 32, so that a matrix product
// may write whole panels of 32 outputs.
class Rows {
 public:
  void resize(size_t n_rows, size_t width) {
    n_ = n_rows;
    width_ = width;
    stride_ = (width + 31) / 32 * 32;
    data_ = reinterpret_cast<float*>(storage_.reserve(n_ * stride_ * sizeof(float)));
  }
  size_t n() const { return n_; }
  size_t width() const { return width_; }
  size_t stride() const { return stride_; }
  float* row(size_t i) { return data_ + i * stride_; }
  const float* row(size_t i) const { return data_ + i * stride_; }

 private:
  AlignedBytes storage_;
  float* data_ = nullptr;
  size_t n_ = 0;
  size_t width_ = 0;
  size_t stride_ = 0;
};

}  // namespace freehold::ops
