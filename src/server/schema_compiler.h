// The compiler from JSON Schema to grammar; see json_schema.h for what it does and refuses.
#pragma once

#include <map>
#include <string>

#include "server/json_schema.h"
#include "server/schema_merge.h"

namespace freehold::server {

class SchemaCompiler {
 public:
  using Json = nlohmann::ordered_json;
  using Expr = GrammarBuilder::Expr;

  SchemaCompiler(const Json& root, GrammarBuilder& builder, JsonGrammar& json)
      : root_(root), b_(builder), json_(json) {}

  base::Result<Expr> compile(const Json& schema, uint32_t depth = 0);

 private:
  base::Result<const Json*> resolve(const std::string& reference) const;
  base::Result<Expr> compile_reference(const Json& schema, uint32_t depth);
  base::Result<Expr> compile_branches(const Json& schema, const std::string& keyword,
                                      uint32_t depth);
  base::Result<Expr> compile_all_of(const Json& schema, uint32_t depth);
  base::Result<Expr> compile_enum(const Json& schema);
  base::Result<Expr> compile_type(const std::string& type, const Json& schema, uint32_t depth);
  base::Result<Expr> compile_string(const Json& schema);
  base::Result<Expr> compile_number(const Json& schema, bool whole);
  base::Result<Expr> compile_array(const Json& schema, uint32_t depth);
  base::Result<Expr> compile_object(const Json& schema, uint32_t depth);
  // What stands between an object's braces.
  base::Result<Expr> compile_members(const Json& schema, uint32_t depth);
  // A string that is none of the names.
  Expr other_name(std::vector<std::string> names);
  Expr multiples(int64_t of);
  // Whether no value satisfies both schemas, as far as can be told.
  bool disjoint(const Json& a, const Json& b, uint32_t depth) const;

  const Json& root_;
  GrammarBuilder& b_;
  JsonGrammar& json_;
  std::map<std::string, GrammarBuilder::Rule> references_;
  uint32_t n_schemas_ = 0;
};

// A whole number within [least, most], or `otherwise` when absent. Errors: kBadFormat.
base::Result<uint64_t> schema_count(const nlohmann::ordered_json& schema, const char* keyword,
                                    uint64_t most, uint64_t otherwise);

}  // namespace freehold::server
