#include "core/transforms/merged_arguments.h"

#include <algorithm>
#include <unordered_map>

#include "core/storage/overlap.h"
#include "core/storage/views.h"

namespace jot::detail {

MergedArguments::MergedArguments(Fn fn, std::span<const Tensor> args, std::span<const size_t> apart)
    : fn_(fn), originals_(args.begin(), args.end()) {
  std::vector<uint8_t> own(args.size(), 0);
  for (size_t i : apart) own[i] = 1;
  std::unordered_map<const Storage*, int> users;
  for (size_t i = 0; i < args.size(); ++i)
    if (!own[i]) ++users[args[i].impl()->storage];
  std::unordered_map<const Storage*, size_t> merged;
  for (size_t i = 0; i < args.size(); ++i) {
    const Storage* storage = args[i].impl()->storage;
    bool shared = !own[i] && users[storage] > 1;
    if (shared && merged.contains(storage)) {
      argument_of_.push_back(merged[storage]);
      continue;
    }
    if (shared) merged[storage] = arguments_.size();
    argument_of_.push_back(arguments_.size());
    sources_.push_back({i, shared});
    arguments_.push_back(shared ? base_tensor(args[i]) : args[i]);
  }
}

MergedArguments::MergedArguments(Fn fn, std::span<const Tensor> args, std::span<const std::optional<int64_t>> in_dims)
    : fn_(fn), originals_(args.begin(), args.end()) {
  auto same = [&](size_t i, size_t j) {
    const TensorImpl &x = *args[i].impl(), &y = *args[j].impl();
    return x.storage == y.storage && x.offset == y.offset && x.shape == y.shape && x.layout() == y.layout() &&
           in_dims[i] == in_dims[j];
  };
  std::unordered_multimap<const Storage*, size_t> firsts;
  for (size_t i = 0; i < args.size(); ++i) {
    auto [from, to] = firsts.equal_range(args[i].impl()->storage);
    auto found = std::find_if(from, to, [&](const auto& f) { return same(f.second, i); });
    if (found != to) {
      argument_of_.push_back(argument_of_[found->second]);
      continue;
    }
    firsts.emplace(args[i].impl()->storage, i);
    argument_of_.push_back(arguments_.size());
    sources_.push_back({i, false});
    arguments_.push_back(args[i]);
  }
}

namespace {

// The view of `base` that t is of its own base.
Tensor same_view(const Tensor& t, const Tensor& base) {
  std::vector<const TensorImpl*> chain;
  for (const TensorImpl* v = t.impl().get(); v->parent; v = v->parent.get()) chain.push_back(v);
  Tensor result = base;
  for (size_t i = chain.size(); i-- > 0;)
    result = view(result, *chain[i]->step, chain[i]->shape, chain[i]->offset, chain[i]->strides);
  return result;
}

}  // namespace

void MergedArguments::invoke(void* self, std::span<const Tensor> args, Outputs& out) {
  MergedArguments& m = *static_cast<MergedArguments*>(self);
  Leaves leaves;
  for (size_t i = 0; i < m.originals_.size(); ++i) {
    const Tensor& argument = args[m.argument_of_[i]];
    leaves.push_back(m.sources_[m.argument_of_[i]].base ? same_view(m.originals_[i], argument) : argument);
  }
  m.fn_.call(m.fn_.self, leaves, out);
}

std::string MergedArguments::path(const void* self, Role role, size_t leaf) {
  const auto& m = *static_cast<const MergedArguments*>(self);
  bool argument = role == Role::argument || role == Role::tangent;
  return m.fn_.path(m.fn_.self, role, argument ? m.sources_[leaf].original : leaf);
}

}  // namespace jot::detail
