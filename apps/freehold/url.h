// http and https addresses, as much of them as downloading needs (RFC 3986, absolute ones and
// references to them). Refuses user names, passwords and control characters.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace freehold::app {

struct Url {
  bool tls = true;
  std::string host;
  std::string port;
  std::string target;  // path and query, begins with '/'

  std::string text() const;
  // Whether both are the same server: credentials may follow a redirection then.
  bool same_server(const Url& other) const;
};

base::Result<Url> parse_url(std::string_view text);
// What `reference` (of a Location header) means on the page `from`.
base::Result<Url> resolve_url(const Url& from, std::string_view reference);

}  // namespace freehold::app
