#include "core/run/why.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "ir/graph.h"

namespace jot::detail {

namespace {

// A number's bits: those of an integer, or of a double.
std::string number_text(uint64_t bits) {
  const auto whole = static_cast<int64_t>(bits);
  if (std::abs(whole) < int64_t{1} << 40) return std::to_string(whole);
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", std::bit_cast<double>(bits));
  return text;
}

class Parts {
 public:
  Parts(std::span<const uint64_t> words, const std::function<std::string(size_t)>& name) : words_(words), name_(name) {}

  std::vector<KeyPart> read() {
    at_ = 1;  // behind the signature
    while (at_ < words_.size()) node(words_[at_++]);
    return std::move(parts_);
  }

 private:
  std::string numbers(size_t n) {
    Shape shape;
    for (size_t i = 0; i < n && at_ < words_.size(); ++i) shape.push_back(static_cast<int64_t>(words_[at_++]));
    return to_string(shape);
  }

  void node(uint64_t word) {
    const auto tag = static_cast<KeyTag>(word & 0xff);
    const uint64_t rest = word >> 8;
    switch (tag) {
      case kTensor:
        return tensor(rest);
      case kStrides:
        return add(tag, "strides of " + last_name(), numbers(ranks_.empty() ? 0 : ranks_.back()));
      case kNumber:
        ++numbers_;
        return add(tag, "number " + std::to_string(numbers_), at_ < words_.size() ? number_text(words_[at_++]) : "");
      case kText:
        return add(tag, "text", text(rest));
      case kOther:
        return add(tag, "argument that is neither tensor nor number", "hash " + std::to_string(words_[at_++]));
      case kList:
      case kMap:
        return add(tag, tag == kList ? "length of a list" : "size of a map", std::to_string(rest));
      case kAbsent:
      case kPresent:
        return add(tag, "an optional argument", tag == kPresent ? "there" : "absent");
      case kOverlap: {
        const size_t tensor = rest & 0xffffff, rank = tensor < ranks_.size() ? ranks_[tensor] : 0;
        const std::string base = numbers(word >> 32), offset = numbers(1);
        return add(tag, "memory that " + name_(tensor) + " shares with another argument",
                   "of " + base + " from " + offset + " strides " + numbers(rank));
      }
      case kHost:
        return add(tag, "default dtype, strong zeros, NoGrad",
                   std::string(jot::to_string(static_cast<DType>(rest & 0xff))) + (rest >> 8 & 1 ? ", on" : ", off") +
                       (rest >> 9 & 1 ? ", on" : ", off"));
    }
  }

  void tensor(uint64_t rest) {
    const std::string name = name_(ranks_.size());
    const uint64_t dtype = rest & 0xff, rank = rest >> 8;
    ranks_.push_back(rank);
    if (dtype == 0) return add(kTensor, name, "undefined");
    const std::string shape = numbers(rank);
    add(kTensor, name, std::string(jot::to_string(static_cast<DType>(dtype - 1))) + shape);
  }

  std::string text(uint64_t size) {
    std::string out(size, '\0');
    for (size_t i = 0; i < size && at_ < words_.size(); i += 8, ++at_)
      std::memcpy(out.data() + i, &words_[at_], std::min<size_t>(8, size - i));
    return out;
  }
  std::string last_name() const { return ranks_.empty() ? "" : name_(ranks_.size() - 1); }
  void add(KeyTag kind, std::string name, std::string value) {
    parts_.push_back({kind, std::move(name), std::move(value)});
  }

  std::span<const uint64_t> words_;
  const std::function<std::string(size_t)>& name_;
  size_t at_ = 0, numbers_ = 0;
  std::vector<size_t> ranks_;  // of the tensors so far
  std::vector<KeyPart> parts_;
};

std::string_view remedy(KeyTag kind, const std::string& before, const std::string& now) {
  switch (kind) {
    case kTensor:
      return before.substr(0, before.find('[')) == now.substr(0, now.find('['))
                 ? "a recording is of one shape: pad to a common one, or vmap over pieces of one shape"
                 : "a recording is of one dtype: convert before the call, with to()";
    case kStrides:
      return "a recording is of one layout: pass contiguous tensors";
    case kNumber:
      return "a number is part of the key: pass tensor(v, f64) instead";
    case kText:
    case kOther:
      return "what is no tensor is part of the key: pass the same value, or a tensor";
    case kList:
    case kMap:
    case kAbsent:
    case kPresent:
      return "the structure of the arguments is part of the key: keep it, or pad";
    case kOverlap:
      return "which arguments share memory is part of the key: pass clones";
    case kHost:
      return "set it once, before the loop";
  }
  return "";
}

}  // namespace

std::vector<KeyPart> parts_of(std::span<const uint64_t> words, const std::function<std::string(size_t)>& name) {
  return Parts(words, name).read();
}

std::vector<Change> changes_of(std::span<const KeyPart> before, std::span<const KeyPart> now) {
  std::vector<Change> changes;
  size_t i = 0, j = 0;
  while (i < before.size() || j < now.size()) {
    const KeyPart* a = i < before.size() ? &before[i] : nullptr;
    const KeyPart* b = j < now.size() ? &now[j] : nullptr;
    if (a && b && a->kind == b->kind && a->name == b->name) {
      if (a->value != b->value)
        changes.push_back({b->name, a->value, b->value, std::string(remedy(b->kind, a->value, b->value))});
      ++i, ++j;
    } else if (a && (!b || a->kind == kStrides || a->kind == kOverlap)) {
      changes.push_back(
          {a->name, a->value, a->kind == kStrides ? "contiguous" : "absent", std::string(remedy(a->kind, "", ""))});
      ++i;
    } else if (b && (!a || b->kind == kStrides || b->kind == kOverlap)) {
      changes.push_back(
          {b->name, b->kind == kStrides ? "contiguous" : "absent", b->value, std::string(remedy(b->kind, "", ""))});
      ++j;
    } else {  // another structure from here on
      changes.push_back({"structure of the arguments", a->name + ": " + a->value, b->name + ": " + b->value,
                         std::string(remedy(kList, "", ""))});
      break;
    }
  }
  return changes;
}

}  // namespace jot::detail
