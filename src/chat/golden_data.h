// For tests: the golden templates, requests and expectations (tests/data/templates).
#pragma once

#include <zlib.h>

#include <nlohmann/json.hpp>
#include <string>

namespace freehold::chat {

inline std::string gunzip(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return {};
  std::string out;
  char buffer[1 << 16];
  for (int n = gzread(file, buffer, sizeof(buffer)); n > 0;
       n = gzread(file, buffer, sizeof(buffer))) {
    out.append(buffer, static_cast<size_t>(n));
  }
  gzclose(file);
  return out;
}

inline const nlohmann::ordered_json& golden() {
  static const nlohmann::ordered_json data =
      nlohmann::ordered_json::parse(gunzip(FREEHOLD_TEST_DATA "/templates/golden.json.gz"));
  return data;
}

}  // namespace freehold::chat
