#include "test_server.h"

#include <fmt/core.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

namespace freehold::app {

namespace asio = boost::asio;
using asio::ip::tcp;

TestServer::TestServer(Answer answer, const std::string& certificate, const std::string& key)
    : answer_(std::move(answer)),
      tls_(!key.empty()),
      acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
  if (tls_) {
    ssl_.use_certificate(asio::buffer(certificate), asio::ssl::context::pem);
    ssl_.use_private_key(asio::buffer(key), asio::ssl::context::pem);
  }
  thread_ = std::thread([this] { serve(); });
}

TestServer::~TestServer() {
  stopping_ = true;
  boost::system::error_code ignored;
  tcp::socket wake(context_);
  wake.connect(acceptor_.local_endpoint(), ignored);
  thread_.join();
}

std::string TestServer::url(const std::string& path) const {
  return fmt::format("{}://{}:{}{}", tls_ ? "https" : "http", tls_ ? "localhost" : "127.0.0.1",
                     acceptor_.local_endpoint().port(), path);
}

std::vector<std::string> TestServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void TestServer::serve() {
  while (true) {
    boost::system::error_code error;
    tcp::socket socket(context_);
    acceptor_.accept(socket, error);
    if (stopping_) return;
    if (error) continue;
    if (!tls_) {
      answer_one(socket);
      socket.shutdown(tcp::socket::shutdown_both, error);
      continue;
    }
    asio::ssl::stream<tcp::socket> stream(std::move(socket), ssl_);
    stream.handshake(asio::ssl::stream_base::server, error);
    if (error) continue;
    answer_one(stream);
    stream.shutdown(error);
  }
}

template <typename Stream>
void TestServer::answer_one(Stream& stream) {
  boost::system::error_code error;
  std::string request;
  asio::read_until(stream, asio::dynamic_buffer(request, 1 << 16), "\r\n\r\n", error);
  if (error) return;
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  asio::write(stream, asio::buffer(answer_(request)), error);
}

std::string ok(const std::string& body) {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
}

std::string header(const std::string& request, const std::string& name) {
  const size_t at = request.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 4;
  return request.substr(from, request.find("\r\n", from) - from);
}

}  // namespace freehold::app
