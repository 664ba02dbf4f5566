// Errors as values. A function that can fail on bytes from outside returns Result<T>; assertions
// are for our own mistakes only and no byte from a file or a socket may reach one.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace freehold::base {

// The closed set of reasons. A program may switch on it; a person reads the message.
enum class ErrorCode {
  kInvalidArgument,  // the caller asked for something that makes no sense
  kNotFound,         // the named thing does not exist
  kBadFormat,        // bytes from outside break their format's rules
  kUnsupported,      // well formed, but not something we do
  kLimitExceeded,    // a stated limit on size, depth, steps or time
  kOutOfMemory,      // the memory plan does not fit
  kIo,               // the operating system refused
  kCancelled,        // stopped on request
};

std::string_view name(ErrorCode code);

struct Error {
  ErrorCode code;
  // Names the thing, the value and the remedy, in one sentence without a trailing full stop.
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(ErrorCode code, std::string message) {
  return std::unexpected(Error{code, std::move(message)});
}

// Adds context in front of an error on its way up: "model.gguf: key `x`: …".
inline std::unexpected<Error> in_context(std::string_view where, Error error) {
  error.message = std::string(where) + ": " + error.message;
  return std::unexpected(std::move(error));
}

}  // namespace freehold::base

// Runs `expr`, which gives a Result; on failure returns its error from the enclosing function.
#define FREEHOLD_TRY(expr)                                        \
  do {                                                            \
    auto freehold_status = (expr);                                \
    if (!freehold_status) {                                       \
      return std::unexpected(std::move(freehold_status.error())); \
    }                                                             \
  } while (false)

#define FREEHOLD_CONCAT_INNER(a, b) a##b
#define FREEHOLD_CONCAT(a, b) FREEHOLD_CONCAT_INNER(a, b)
#define FREEHOLD_ASSIGN_INNER(temp, decl, expr)      \
  auto temp = (expr);                                \
  if (!temp) {                                       \
    return std::unexpected(std::move(temp.error())); \
  }                                                  \
  decl = std::move(*temp)

// FREEHOLD_ASSIGN(auto x, f()): declares x from a Result, or returns its error.
#define FREEHOLD_ASSIGN(decl, expr) \
  FREEHOLD_ASSIGN_INNER(FREEHOLD_CONCAT(freehold_result_, __LINE__), decl, expr)
