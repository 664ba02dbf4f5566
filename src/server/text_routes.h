// Routes that make no answer of their own: embeddings, tokenize, detokenize, counting tokens.
#pragma once

#include "server/service.h"

namespace freehold::server {

// Signature of Route::handle.
Reply handle_embeddings(Service& service, const Caller& caller, const Route& route,
                        const std::string& path, const std::string& body);
Reply handle_tokenize(Service& service, const Caller& caller, const Route& route,
                      const std::string& path, const std::string& body);
Reply handle_detokenize(Service& service, const Caller& caller, const Route& route,
                        const std::string& path, const std::string& body);
Reply handle_count_tokens(Service& service, const Caller& caller, const Route& route,
                          const std::string& path, const std::string& body);

}  // namespace freehold::server
