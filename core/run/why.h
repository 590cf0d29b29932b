// Why a function is recorded again: two keys of jit, part by part.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/cache/seen.h"

namespace jot::detail {

// Tags of the words of a key (core/run/jit.cpp): the low byte of a word that starts a node. No two nodes read alike.
enum KeyTag : uint64_t { kTensor, kNumber, kText, kOther, kList, kMap, kAbsent, kPresent, kOverlap, kStrides, kHost };

// A part of a key, as people know it.
struct KeyPart {
  KeyTag kind;
  std::string name, value;
  friend bool operator==(const KeyPart&, const KeyPart&) = default;
};

// name: of a tensor leaf of the arguments.
std::vector<KeyPart> parts_of(std::span<const uint64_t> words, const std::function<std::string(size_t)>& name);

std::vector<Change> changes_of(std::span<const KeyPart> before, std::span<const KeyPart> now);

}  // namespace jot::detail
