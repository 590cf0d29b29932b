#include "core/overlap.h"

#include <unordered_map>

#include "core/recorder.h"

namespace jot::detail {

MergedArguments::MergedArguments(Fn fn, std::span<const Tensor> args) : fn_(fn), originals_(args.begin(), args.end()) {
  std::unordered_map<const Storage*, int> users;
  for (const Tensor& t : args) ++users[t.impl()->storage];
  std::unordered_map<const Storage*, size_t> merged;
  for (size_t i = 0; i < args.size(); ++i) {
    const Storage* storage = args[i].impl()->storage;
    bool shared = users[storage] > 1;
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

}  // namespace jot::detail
