// Owns the wire format of HTTP/1.1. Header values of answers are our own, except what the handler
// sets; line breaks in them are dropped.
#include "server/http_message.h"

#include <fmt/format.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>
#include <boost/beast/http/string_body.hpp>

namespace freehold::server {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

std::string text(beast::string_view value) { return {value.data(), value.size()}; }

}  // namespace

struct RequestReader::Parser {
  http::request_parser<http::string_body> http;
  State state = State::kMore;
  unsigned status = 400;
};

RequestReader::RequestReader(uint32_t header_bytes, uint64_t body_bytes)
    : parser_(std::make_unique<Parser>()) {
  parser_->http.header_limit(header_bytes);
  parser_->http.body_limit(body_bytes);
}

RequestReader::~RequestReader() = default;

RequestReader::State RequestReader::state() const { return parser_->state; }
unsigned RequestReader::bad_status() const { return parser_->status; }
bool RequestReader::keep_alive() const { return parser_->http.keep_alive(); }
bool RequestReader::http_1_1() const { return parser_->http.get().version() >= 11; }
bool RequestReader::has_body() const { return !parser_->http.is_done(); }
std::string RequestReader::take_body() { return std::move(parser_->http.get().body()); }

bool RequestReader::expects_continue() const {
  return beast::iequals(parser_->http.get()[http::field::expect], "100-continue");
}

size_t RequestReader::feed(std::string_view bytes) {
  Parser& parser = *parser_;
  const bool had_header = parser.http.is_header_done();
  // The header alone first, so that a request can be refused before its body is read.
  parser.http.eager(had_header);
  size_t used = 0;
  while (used < bytes.size() || (had_header && parser.http.is_done())) {
    if (parser.http.is_done()) break;
    beast::error_code error;
    used += parser.http.put(boost::asio::buffer(bytes.data() + used, bytes.size() - used), error);
    if (error == http::error::need_more) break;
    if (error) {
      const bool long_header =
          error == http::error::header_limit || error == http::error::buffer_overflow;
      parser.status = long_header ? 431 : error == http::error::body_limit ? 413 : 400;
      parser.state = State::kBad;
      return used;
    }
    if (!had_header && parser.http.is_header_done()) break;
  }
  if (!had_header && parser.http.is_header_done()) {
    parser.state = State::kHeader;
  } else if (parser.http.is_done()) {
    parser.state = State::kDone;
  }
  return used;
}

HttpRequest RequestReader::request() const {
  const auto& message = parser_->http.get();
  HttpRequest request;
  request.method = text(message.method_string());
  const std::string target = text(message.target());
  request.path = target.substr(0, target.find('?'));
  if (request.path.size() > 1 && request.path.back() == '/') request.path.pop_back();
  request.authorization = text(message[http::field::authorization]);
  request.api_key = text(message["x-api-key"]);
  request.host = text(message[http::field::host]);
  request.origin = text(message[http::field::origin]);
  return request;
}

std::string_view reason_phrase(unsigned status) {
  if (status == 529) return "Overloaded";
  const auto phrase = http::obsolete_reason(static_cast<http::status>(status));
  return {phrase.data(), phrase.size()};
}

std::string response_header(const Reply& reply, const HeaderOptions& options) {
  std::string out = fmt::format("HTTP/1.1 {} {}\r\nServer: freehold\r\nContent-Type: {}\r\n",
                                reply.status, reason_phrase(reply.status), reply.content_type);
  out += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (!options.request_id.empty()) out += fmt::format("X-Request-Id: {}\r\n", options.request_id);
  for (const auto& [name, value] : reply.headers) {
    std::string clean = value;
    std::erase_if(clean, [](char c) { return c == '\r' || c == '\n'; });
    out += fmt::format("{}: {}\r\n", name, clean);
  }
  if (options.body_bytes != nullptr) {
    out += fmt::format("Content-Length: {}\r\n", *options.body_bytes);
  } else if (options.http_1_1) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  const bool keep = options.keep_alive && (options.body_bytes != nullptr || options.http_1_1);
  out += keep ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n";
  return out;
}

std::string chunk(std::string_view bytes) {
  return fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace freehold::server
