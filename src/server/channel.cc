// Owns the two kinds of channel.
#include "server/channel.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

namespace freehold::server {
namespace {

using asio::awaitable;
constexpr auto kValue = asio::as_tuple(asio::use_awaitable);

template <typename Stream>
class StreamChannel : public Channel {
 public:
  template <typename... Arguments>
  explicit StreamChannel(Arguments&&... arguments)
      : stream_(std::forward<Arguments>(arguments)...) {}

  beast::tcp_stream& tcp() override { return beast::get_lowest_layer(stream_); }
  bool may_hold_bytes() const override { return !kPlain; }

  awaitable<bool> open() override {
    if constexpr (kPlain) {
      co_return true;
    } else {
      auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kValue);
      co_return !error;
    }
  }
  awaitable<void> close() override {
    if constexpr (kPlain) {
      beast::error_code ignored;
      stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    } else {
      tcp().expires_after(std::chrono::seconds(1));
      co_await stream_.async_shutdown(kValue);
    }
    co_return;
  }
  awaitable<std::pair<beast::error_code, size_t>> read_some(asio::mutable_buffer into) override {
    auto [error, n] = co_await stream_.async_read_some(into, kValue);
    co_return std::pair(error, n);
  }
  awaitable<beast::error_code> write(asio::const_buffer bytes) override {
    auto [error, n] = co_await asio::async_write(stream_, bytes, kValue);
    co_return error;
  }

 private:
  static constexpr bool kPlain = std::is_same_v<Stream, beast::tcp_stream>;
  Stream stream_;
};

}  // namespace

std::shared_ptr<Channel> plain_channel(asio::ip::tcp::socket socket) {
  return std::make_shared<StreamChannel<beast::tcp_stream>>(std::move(socket));
}

std::shared_ptr<Channel> tls_channel(asio::ip::tcp::socket socket, asio::ssl::context& context) {
  return std::make_shared<StreamChannel<beast::ssl_stream<beast::tcp_stream>>>(std::move(socket),
                                                                               context);
}

}  // namespace freehold::server
