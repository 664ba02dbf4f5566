// For tests: a server on the loopback whose answers are written out by the test. One connection a
// request, on a thread of its own; stops when it is destroyed.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace freehold::app {

class TestServer {
 public:
  // Gives the raw answer to a raw request head (through its blank line); the connection is closed
  // after it.
  using Answer = std::function<std::string(const std::string& request)>;

  // With a certificate and key (PEM) it speaks TLS.
  explicit TestServer(Answer answer, const std::string& certificate = "",
                      const std::string& key = "");
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer();

  std::string url(const std::string& path) const;
  // The heads of all requests so far.
  std::vector<std::string> requests() const;

 private:
  void serve();
  template <typename Stream>
  void answer_one(Stream& stream);

  Answer answer_;
  bool tls_;
  boost::asio::io_context context_;
  boost::asio::ssl::context ssl_{boost::asio::ssl::context::tls_server};
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopping_ = false;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

// A 200 with this body and its length.
std::string ok(const std::string& body);
// The value of a request's header, empty when it has none.
std::string header(const std::string& request, const std::string& name);

}  // namespace freehold::app
