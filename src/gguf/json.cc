// Builds a document from the events of nlohmann's parser, counting depth and memory as it goes.
// Refuses a member that occurs twice, as two readers of such a file could see two different models.
#include "gguf/json.h"

#include <vector>

#include "gguf/reader.h"

namespace freehold::gguf {

using base::ErrorCode;
using nlohmann::json;

namespace {

constexpr size_t kMaxDepth = 32;
constexpr size_t kMaxMemory = size_t{64} << 20;  // bytes
constexpr size_t kBytesPerValue = 96;            // of a node and its place in a container

// The member functions are those that nlohmann's parser calls; false stops it.
class Builder {
 public:
  explicit Builder(json& root) : root_(root) {}

  bool null() { return put(nullptr, 0); }
  bool boolean(bool value) { return put(value, 0); }
  bool number_integer(json::number_integer_t value) { return put(value, 0); }
  bool number_unsigned(json::number_unsigned_t value) { return put(value, 0); }
  bool number_float(json::number_float_t value, const std::string&) { return put(value, 0); }
  bool string(std::string& value) {
    const size_t n_bytes = value.size();
    return put(std::move(value), n_bytes);
  }
  bool binary(json::binary_t&) { return refuse(ErrorCode::kBadFormat, "binary value"); }

  bool start_object(size_t) { return open(json::object()); }
  bool key(std::string& name) {
    if (open_.back()->contains(name)) {
      return refuse(ErrorCode::kBadFormat, "member " + shown(name) + " occurs twice");
    }
    memory_ += name.size();
    key_ = std::move(name);
    return true;
  }
  bool end_object() { return close(); }
  bool start_array(size_t) { return open(json::array()); }
  bool end_array() { return close(); }

  bool parse_error(size_t position, const std::string&, const json::exception&) {
    return refuse(ErrorCode::kBadFormat, "not JSON at byte " + std::to_string(position));
  }

  base::Error error() && { return std::move(error_); }

 private:
  bool refuse(ErrorCode code, std::string message) {
    error_ = {code, std::move(message)};
    return false;
  }

  // The new value's place: the root, the end of an array, or a member.
  json* place(json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_array()) return &parent.emplace_back(std::move(value));
    return &(parent[key_] = std::move(value));
  }

  bool put(json value, size_t n_bytes) {
    memory_ += kBytesPerValue + n_bytes;
    if (memory_ > kMaxMemory) return refuse(ErrorCode::kLimitExceeded, "JSON of too many values");
    place(std::move(value));
    return true;
  }

  bool open(json container) {
    if (open_.size() == kMaxDepth) {
      return refuse(ErrorCode::kLimitExceeded, "JSON deeper than " + std::to_string(kMaxDepth));
    }
    memory_ += kBytesPerValue;
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  json& root_;
  std::vector<json*> open_;  // containers we are in; a parent does not grow while a child is open
  std::string key_;
  size_t memory_ = 0;
  base::Error error_{ErrorCode::kBadFormat, "not JSON"};
};

}  // namespace

base::Result<json> parse_json(std::string_view text) {
  json root;
  Builder builder(root);
  if (!json::sax_parse(text.begin(), text.end(), &builder)) {
    return std::unexpected(std::move(builder).error());
  }
  return root;
}

}  // namespace freehold::gguf
