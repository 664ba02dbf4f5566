// Everything that `freehold serve` can be told, by a TOML file or by flags of the same names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "freehold/engine.h"
#include "server/http_server.h"
#include "server/limits.h"

namespace freehold::server {

struct ServedModel {
  std::string name;
  std::filesystem::path path;
  std::filesystem::path template_file = {};
  bool preload = false;  // at start, not on demand
};

struct ServeConfig {
  HttpOptions http;  // its limits are these below
  Limits limits;
  std::vector<ServedModel> models;
  EngineOptions engine;
  bool panel_files = true;            // the caller says where: EngineOptions::panel_folder
  uint64_t models_bytes = 0;          // memory for all models; 0: no limit
  std::filesystem::path ledger = {};  // "": the caller's default
};

// Reads a file into `config`; members that it doesn't name stay. Errors: kNotFound, kBadFormat
// with the line, kInvalidArgument naming a key that does not exist or a value out of range.
base::Status read_config(const std::filesystem::path& file, ServeConfig& config);

// Whether it makes sense as a whole: at least one model, files that exist, no name twice.
base::Status check_config(const ServeConfig& config);

bool is_loopback(const std::string& host);

}  // namespace freehold::server
