// What the test in Python calls by ctypes: tensors as opaque pointers, managed tensors as those of their capsules.
#include <cstring>
#include <string>

#include "jot/dlpack.h"
#include "jot/jot.h"

using jot::Tensor;

namespace {

thread_local std::string text;  // of the last call: a result or an error

template <class F>
auto guarded(F f) -> decltype(f()) {
  try {
    text.clear();
    return f();
  } catch (const std::exception& e) {
    text = e.what();
    return {};
  }
}

}  // namespace

extern "C" {

const char* bridge_text() { return text.c_str(); }

Tensor* bridge_from(void* managed, int versioned) {
  return guarded([&] {
    return new Tensor(versioned ? jot::from_dlpack(static_cast<DLManagedTensorVersioned*>(managed))
                                : jot::from_dlpack(static_cast<DLManagedTensor*>(managed)));
  });
}
void* bridge_to(const Tensor* t, int versioned, int read_only) {
  return guarded([&]() -> void* {
    if (versioned) return jot::to_dlpack(*t, {.read_only = read_only != 0});
    return jot::to_dlpack_unversioned(*t);
  });
}
// arange(n).to(dtype) of this shape.
Tensor* bridge_numbers(int dtype, const int64_t* extents, int rank) {
  return guarded([&] {
    const jot::Shape shape(std::span<const int64_t>(extents, static_cast<size_t>(rank)));
    const auto d = static_cast<jot::DType>(dtype);
    return new Tensor(
        (d == jot::boolean ? jot::arange(shape.numel()) % 2 : jot::arange(shape.numel())).to(d).reshape(shape).eval());
  });
}
Tensor* bridge_transposed(const Tensor* t) {
  return guarded([&] { return new Tensor(t->t()); });
}
void bridge_add(const Tensor* t, double x) {
  guarded([&] { return &t->add_(x); });
}
double bridge_sum(const Tensor* t) {
  return guarded([&] { return jot::jit([](const Tensor& x) { return x.to(jot::f64).sum(); })(*t).item<double>(); });
}
int bridge_dtype(const Tensor* t) { return static_cast<int>(t->dtype()); }
void bridge_drop(Tensor* t) { delete t; }
// A capsule that nobody took.
void bridge_delete(void* managed, int versioned) {
  Tensor* t = bridge_from(managed, versioned);
  delete t;
}

}  // extern "C"
