// For tests of parsers: what a hostile file is made of and how to see that a parser withstood it.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <span>

#include "heap_meter.h"

namespace freehold::gguf {

// A copy of some bytes whose end touches a page that may not be read: one byte too far is a crash,
// in every build.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::span<const std::byte> bytes) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t body = (bytes.size() + page - 1) / page * page;
    mapped_ = body + page;
    base_ = static_cast<std::byte*>(
        ::mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ::mprotect(base_ + body, page, PROT_NONE);
    start_ = base_ + body - bytes.size();
    if (!bytes.empty()) std::memcpy(start_, bytes.data(), bytes.size());
    size_ = bytes.size();
  }
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes() { ::munmap(base_, mapped_); }

  std::span<std::byte> bytes() { return {start_, size_}; }
  // The first `count` bytes, moved so that they end at the guard.
  std::span<const std::byte> shortened(size_t count) {
    std::memmove(start_ + size_ - count, start_, count);
    start_ += size_ - count;
    size_ = count;
    return {start_, size_};
  }

 private:
  std::byte* base_;
  std::byte* start_;
  size_t size_;
  size_t mapped_;
};

// What a number in a file may be set to by someone who means ill; `exact` is what it should be.
constexpr std::array<uint64_t, 12> boundary_values(uint64_t exact) {
  constexpr uint64_t one = 1;
  return {0,
          1,
          ~uint64_t{0},
          (one << 31) - 1,
          one << 31,
          (one << 32) - 1,
          one << 32,
          (one << 63) - 1,
          one << 63,
          one << 48,
          exact,
          exact + 1};
}

// Around one reading of one hostile file: what it took. With FREEHOLD_TEST_TIMES=1 the program
// prints at its end the longest processor time and the highest peak of every test.
class Toll {
 public:
  Toll() : start_(std::clock()) { HeapMeter::reset(); }
  Toll(const Toll&) = delete;
  Toll& operator=(const Toll&) = delete;
  ~Toll();

 private:
  std::clock_t start_;
};

}  // namespace freehold::gguf
