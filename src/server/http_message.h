// HTTP/1.1 messages without sockets: requests from bytes, answers to bytes. The grammar is
// Boost.Beast's parser.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/exchange.h"

namespace freehold::server {

// One request, fed as its bytes arrive.
class RequestReader {
 public:
  enum class State { kMore, kHeader, kDone, kBad };

  RequestReader(uint32_t header_bytes, uint64_t body_bytes);
  ~RequestReader();

  // Takes bytes; gives how many were used. Stops once after the header (kHeader) and at the end;
  // after kHeader, call again for the body.
  size_t feed(std::string_view bytes);
  State state() const;
  // kBad: the status to answer with (400, 413, 431).
  unsigned bad_status() const;
  // From kHeader on.
  HttpRequest request() const;
  bool keep_alive() const;
  bool expects_continue() const;
  bool http_1_1() const;  // older clients can't read chunks
  bool has_body() const;
  // At kDone.
  std::string take_body();

 private:
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

// The header of an answer: with `body_bytes` its length, without it chunks (or, for an old client,
// everything until the connection ends).
struct HeaderOptions {
  bool keep_alive = true;
  bool http_1_1 = true;
  std::string_view request_id;
  const size_t* body_bytes = nullptr;
};
std::string response_header(const Reply& reply, const HeaderOptions& options);
std::string chunk(std::string_view bytes);  // "" is the last
std::string_view reason_phrase(unsigned status);

}  // namespace freehold::server
