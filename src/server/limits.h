// Every limit of the server in one place; the configuration file names them alike. Sizes in bytes
// where the name says so, times in seconds.
#pragma once

#include <cstdint>

namespace freehold::server {

struct Limits {
  uint64_t body_bytes = 8U << 20U;
  uint32_t header_bytes = 16U << 10U;
  uint32_t json_depth = 64;
  uint32_t connections = 12'000;
  uint32_t requests = 256;  // generating or waiting, all keys together
  uint32_t choices = 16;    // `n`
  uint32_t top_logprobs = 20;
  uint32_t stop_strings = 16;
  uint32_t stop_bytes = 256;   // each
  uint32_t logit_bias = 1024;  // entries
  uint32_t tools = 128;
  uint32_t messages = 4096;
  uint32_t embeddings = 256;  // inputs of one request
  uint32_t schema_bytes = 256U << 10U;
  uint32_t queue_s = 600;       // from arrival to the first token
  uint32_t slow_reader_s = 10;  // a write that doesn't move ends the stream
  uint32_t idle_s = 300;        // between requests of a connection
  uint32_t header_s = 10;       // from a request's first byte to the end of its header
  uint32_t body_s = 60;
  uint32_t keep_alive_s = 10;  // silence before a sign of life is sent
  uint32_t drain_s = 30;       // what running requests get after SIGTERM
  uint32_t watchdog_s = 60;    // no step for so long while requests run: unhealthy
};

}  // namespace freehold::server
