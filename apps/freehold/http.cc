#include "http.h"

#include <fmt/core.h>
#include <openssl/err.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <charconv>
#include <exception>

#include "version.h"

namespace freehold::app {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr auto kWait = asio::as_tuple(asio::use_awaitable);
constexpr uint32_t kMaxHeaderBytes = 64 << 10;
constexpr size_t kPieceBytes = 256 << 10;

std::unexpected<base::Error> failure(const HttpGet& get, std::string_view doing,
                                     const boost::system::error_code& error) {
  std::string why = error == beast::error::timeout ? "nothing arrived in time" : error.message();
  if (error == http::error::partial_message || error == asio::ssl::error::stream_truncated) {
    why = "the connection broke off";
  }
  return fail(ErrorCode::kIo, fmt::format("{}: {}: {}", get.url.text(), doing, why));
}

template <typename Number>
std::optional<Number> leading_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

HttpHead read_head(const http::response<http::buffer_body>& answer,
                   const boost::optional<uint64_t>& length) {
  HttpHead head;
  head.status = static_cast<int>(answer.result_int());
  if (length) head.content_length = *length;
  head.location = answer[http::field::location];
  head.etag = answer[http::field::etag];
  std::string_view range = answer[http::field::content_range];
  if (range.starts_with("bytes ")) head.range_start = leading_number<uint64_t>(range.substr(6));
  return head;
}

// Sends the request and hands on the answer, over a connection that is ready.
template <typename Stream>
asio::awaitable<Result<HttpHead>> exchange(Stream& stream, const HttpGet& get) {
  auto& connection = beast::get_lowest_layer(stream);
  http::request<http::empty_body> request(http::verb::get, get.url.target, 11);
  const bool usual_port = get.url.port == (get.url.tls ? "443" : "80");
  request.set(http::field::host, usual_port ? get.url.host : get.url.host + ":" + get.url.port);
  request.set(http::field::user_agent, "freehold/" FREEHOLD_VERSION);
  request.set(http::field::connection, "close");
  for (const auto& [name, value] : get.headers) request.set(name, value);
  connection.expires_after(get.timeout);
  auto [sent, n_sent] = co_await http::async_write(stream, request, kWait);
  if (sent) co_return failure(get, "sending", sent);

  http::response_parser<http::buffer_body> parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(boost::none);  // bounded by on_body
  beast::flat_buffer buffer;
  connection.expires_after(get.timeout);
  auto [received, n_received] = co_await http::async_read_header(stream, buffer, parser, kWait);
  if (received) co_return failure(get, "waiting for an answer", received);
  const HttpHead head = read_head(parser.get(), parser.content_length());
  if (get.on_head) {
    if (Status status = get.on_head(head); !status) co_return std::unexpected(status.error());
  }
  std::vector<std::byte> piece(kPieceBytes);
  while (!parser.is_done()) {
    auto& body = parser.get().body();
    body.data = piece.data();
    body.size = piece.size();
    connection.expires_after(get.timeout);
    auto [error, n_read] = co_await http::async_read_some(stream, buffer, parser, kWait);
    const auto filled = std::span(piece).first(piece.size() - body.size);
    if (!filled.empty() && get.on_body) {
      if (Status status = get.on_body(filled); !status) co_return std::unexpected(status.error());
    }
    if (error && error != http::error::need_buffer) co_return failure(get, "receiving", error);
  }
  co_return head;
}

asio::awaitable<Result<HttpHead>> over_tls(beast::tcp_stream connection, const HttpGet& get) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  boost::system::error_code error;
  if (context.set_default_verify_paths(error)) {
    co_return failure(get, "reading the system's certificates", error);
  }
  if (context.set_verify_mode(asio::ssl::verify_peer, error)) {
    co_return failure(get, "asking for certificates", error);
  }
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  beast::ssl_stream<beast::tcp_stream> stream(std::move(connection), context);
  stream.set_verify_callback(asio::ssl::host_name_verification(get.url.host), error);
  if (error) co_return failure(get, "asking for the host's name", error);
  SSL_set_tlsext_host_name(stream.native_handle(), get.url.host.c_str());
  beast::get_lowest_layer(stream).expires_after(get.timeout);
  auto [shaken] = co_await stream.async_handshake(asio::ssl::stream_base::client, kWait);
  if (shaken) co_return failure(get, "agreeing on TLS", shaken);
  co_return co_await exchange(stream, get);
}

asio::awaitable<Result<HttpHead>> request(const HttpGet& get) {
  const auto executor = co_await asio::this_coro::executor;
  asio::ip::tcp::resolver resolver(executor);
  auto [unknown, addresses] = co_await resolver.async_resolve(get.url.host, get.url.port, kWait);
  if (unknown) co_return failure(get, "looking up the host", unknown);
  beast::tcp_stream stream(executor);
  stream.expires_after(get.timeout);
  auto [refused, endpoint] = co_await stream.async_connect(addresses, kWait);
  if (refused) co_return failure(get, "connecting", refused);
  if (get.url.tls) co_return co_await over_tls(std::move(stream), get);
  co_return co_await exchange(stream, get);
}

}  // namespace

Result<HttpHead> http_get(const HttpGet& get) {
  try {
    asio::io_context context(1);
    Result<HttpHead> result = fail(ErrorCode::kIo, get.url.text() + ": no answer");
    asio::co_spawn(context, request(get),
                   [&](const std::exception_ptr& error, Result<HttpHead> answer) {
                     if (error) std::rethrow_exception(error);
                     result = std::move(answer);
                   });
    context.run();
    return result;
  } catch (const std::exception& error) {
    return fail(ErrorCode::kIo, get.url.text() + ": " + error.what());
  }
}

}  // namespace freehold::app
