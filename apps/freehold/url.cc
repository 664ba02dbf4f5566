#include "url.h"

#include <algorithm>

namespace freehold::app {
namespace {

using base::ErrorCode;
using base::Result;

constexpr size_t kMaxUrlBytes = 8192;

std::unexpected<base::Error> malformed(std::string_view text, std::string_view why) {
  return base::fail(ErrorCode::kInvalidArgument,
                    "'" + std::string(text.substr(0, 200)) + "': " + std::string(why));
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string Url::text() const {
  const bool usual = port == (tls ? "443" : "80");
  return std::string(tls ? "https://" : "http://") + host + (usual ? "" : ":" + port) + target;
}

bool Url::same_server(const Url& other) const {
  return tls == other.tls && host == other.host && port == other.port;
}

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return malformed(text, "longer than any address");
  if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c == '\x7f'; })) {
    return malformed(text, "an address has no blanks or control characters");
  }
  Url url;
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    url.tls = false;
    rest.remove_prefix(7);
  } else {
    return malformed(text, "expected https://…");
  }
  rest = rest.substr(0, rest.find('#'));
  const size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view server = rest.substr(0, end);
  url.target = end < rest.size() ? std::string(rest.substr(end)) : "/";
  if (url.target[0] == '?') url.target.insert(0, "/");
  if (server.find('@') != std::string_view::npos) return malformed(text, "holds a user name");
  url.port = url.tls ? "443" : "80";
  const size_t colon = server.rfind(':');
  if (colon != std::string_view::npos && !server.ends_with(']')) {
    url.port = server.substr(colon + 1);
    if (!is_port(url.port)) return malformed(text, "the port is not a number");
    server = server.substr(0, colon);
  }
  if (server.empty()) return malformed(text, "names no host");
  url.host = server;
  return url;
}

Result<Url> resolve_url(const Url& from, std::string_view reference) {
  if (reference.starts_with("http://") || reference.starts_with("https://")) {
    return parse_url(reference);
  }
  if (reference.starts_with("//")) {
    return parse_url((from.tls ? "https:" : "http:") + std::string(reference));
  }
  Url base = from;
  base.target.clear();
  if (reference.starts_with('/')) return parse_url(base.text() + std::string(reference));
  const std::string_view path = std::string_view(from.target).substr(0, from.target.find('?'));
  return parse_url(base.text() + std::string(path.substr(0, path.rfind('/') + 1)) +
                   std::string(reference));
}

}  // namespace freehold::app
