// Bytes over TCP, or over TLS over TCP, behind one interface; deadlines are the tcp_stream's.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <memory>
#include <utility>

namespace freehold::server {

namespace asio = boost::asio;
namespace beast = boost::beast;

class Channel {
 public:
  virtual ~Channel() = default;
  virtual beast::tcp_stream& tcp() = 0;
  // TLS' beginning and end; nothing over plain TCP.
  virtual asio::awaitable<bool> open() = 0;
  virtual asio::awaitable<void> close() = 0;
  virtual asio::awaitable<std::pair<beast::error_code, size_t>> read_some(
      asio::mutable_buffer into) = 0;
  // All of it.
  virtual asio::awaitable<beast::error_code> write(asio::const_buffer bytes) = 0;
  // Whether bytes wait outside the kernel, so that a readable socket says too little.
  virtual bool may_hold_bytes() const = 0;
};

std::shared_ptr<Channel> plain_channel(asio::ip::tcp::socket socket);
// `context` must outlive it.
std::shared_ptr<Channel> tls_channel(asio::ip::tcp::socket socket, asio::ssl::context& context);

}  // namespace freehold::server
