// JSON Schema as a grammar whose every text satisfies the schema.
//
// Done: type, enum, const, properties, required, additionalProperties, items, prefixItems,
// minItems, maxItems, minLength, maxLength, pattern, format (date, time, date-time, duration,
// email, hostname, ipv4, ipv6, uuid), minimum, maximum, exclusiveMinimum, exclusiveMaximum,
// multipleOf (whole numbers), anyOf, oneOf where its branches can't both hold, allOf, $ref within
// the schema. Anything else that would restrict is refused by name. What is made is a part of what
// the schema allows: members come in the order of `properties`, and objects with `properties` get
// others only where additionalProperties says so.
#pragma once

#include <nlohmann/json.hpp>

#include "server/grammar.h"
#include "server/json_grammar.h"

namespace freehold::server {

// One schema of a builder. Errors: kUnsupported and kBadFormat naming the keyword, kLimitExceeded.
base::Result<GrammarBuilder::Expr> schema_expr(const nlohmann::ordered_json& schema,
                                               GrammarBuilder& builder, JsonGrammar& json);

// The whole grammar. Errors: those, and kInvalidArgument for a schema that nothing satisfies.
base::Result<Grammar> schema_grammar(const nlohmann::ordered_json& schema);

}  // namespace freehold::server
