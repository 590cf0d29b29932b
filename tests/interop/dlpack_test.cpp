// DLPack in and out, without another library: the structs, ownership, who sees whose writes, what is refused.
#include <doctest/doctest.h>

#include <cstdlib>
#include <numeric>
#include <thread>

#include "core/io/dlpack_abi.h"
#include "jot/dlpack.h"
#include "jot/jot.h"

using namespace jot;
using detail::kDlpackReadOnly;
using doctest::Contains;

namespace {

// A managed tensor of another library: counts what is called.
struct Foreign {
  std::vector<double> elements = std::vector<double>(12);
  std::vector<int64_t> shape = {3, 4}, strides = {4, 1};
  int deleted = 0;
  DLManagedTensorVersioned managed{};

  Foreign() {
    std::iota(elements.begin(), elements.end(), 0.0);
    managed.version = {1, 1};
    managed.manager_ctx = this;
    managed.deleter = [](DLManagedTensorVersioned* self) { ++static_cast<Foreign*>(self->manager_ctx)->deleted; };
    managed.dl_tensor = {elements.data(), {1, 0}, 2, {2, 64, 1}, shape.data(), strides.data(), 0};
  }
  DLTensor& tensor() { return managed.dl_tensor; }
};

Tensor numbers() { return arange(12).to(f64).reshape({3, 4}); }

void drop(DLManagedTensorVersioned* m) { m->deleter(m); }

}  // namespace

TEST_CASE("dlpack in: the memory is shared, the deleter called once, by the last user") {
  Foreign f;
  {
    Tensor t = from_dlpack(&f.managed);
    CHECK(equal(t, numbers()));
    CHECK_EQ(t.data<double>(), f.elements.data());
    f.elements[0] = 100;
    CHECK_EQ(t[0][0].item<double>(), 100);
    Tensor sums = t.sum(0);
    f.elements[0] = 0;
    CHECK_EQ(sums[0].item<double>(), 112);  // what was read is kept
    t.add_(1);
    CHECK_EQ(f.elements[11], 12);
    Tensor row = t[1];
    t = Tensor();
    CHECK_EQ(f.deleted, 0);
    CHECK_EQ(row[0].item<double>(), 5);
    std::thread([moved = std::exchange(row, Tensor())] {}).join();
  }
  CHECK_EQ(f.deleted, 1);
}

TEST_CASE("dlpack in: strides, offsets, extents of 0 and 1, no dims, no strides") {
  Foreign f;
  f.shape = {4, 3};
  f.strides = {1, 4};
  CHECK(equal(from_dlpack(&f.managed), numbers().t()));
  f.shape = {2, 2};
  f.strides = {8, 2};
  f.tensor().byte_offset = 8;
  CHECK(equal(from_dlpack(&f.managed), tensor({{1, 3}, {9, 11}}, f64)));
  f.tensor().byte_offset = 0;
  f.shape = {1, 12};
  f.strides = {-77, 1};
  CHECK(equal(from_dlpack(&f.managed), numbers().reshape({1, 12})));
  f.shape = {3, 4};
  f.strides = {0, 1};
  CHECK(equal(from_dlpack(&f.managed), numbers()[0].expand({3, 4})));
  f.tensor().strides = nullptr;
  CHECK(equal(from_dlpack(&f.managed), numbers()));
  f.shape = {0, 4};
  f.tensor().data = nullptr;
  CHECK_EQ(from_dlpack(&f.managed).shape(), Shape{0, 4});
  f.tensor().data = f.elements.data();
  f.tensor().ndim = 0;
  f.tensor().shape = nullptr;
  CHECK_EQ(from_dlpack(&f.managed).item<double>(), 0);
  CHECK_EQ(f.deleted, 7);
}

TEST_CASE("dlpack in: read-only memory is not written; struct without a version; no deleter") {
  Foreign f;
  f.managed.flags = kDlpackReadOnly;
  Tensor t = from_dlpack(&f.managed);
  t.add_(1);
  CHECK_EQ(t[2][3].item<double>(), 12);
  CHECK_EQ(f.elements[11], 11);

  static int deleted = 0;
  DLManagedTensor plain{f.tensor(), nullptr, [](DLManagedTensor*) { ++deleted; }};
  { from_dlpack(&plain).mul_(0); }
  CHECK_EQ(deleted, 1);
  CHECK_EQ(f.elements, std::vector<double>(12));
  plain.deleter = nullptr;
  CHECK_EQ(from_dlpack(&plain).sum().item<double>(), 0);
}

TEST_CASE("dlpack in: what is refused, by name; the struct remains the caller's") {
  struct Row {
    void (*spoil)(Foreign&);
    const char* text;
  };
  const Row rows[] = {
      {[](Foreign& f) {
         f.tensor().device = {2, 1};
       },
       "the elements are on device cuda:1: expected memory of the processor"},
      {[](Foreign& f) {
         f.tensor().device = {99, 0};
       },
       "device of type 99:0"},
      {[](Foreign& f) {
         f.tensor().dtype = {0, 16, 1};
       },
       "the elements are int16: expected bool8, uint8, int32"},
      {[](Foreign& f) {
         f.tensor().dtype = {5, 128, 1};
       },
       "the elements are complex128"},
      {[](Foreign& f) {
         f.tensor().dtype = {12, 8, 1};
       },
       "the elements are float8_e5m2:"},
      {[](Foreign& f) {
         f.tensor().dtype = {77, 8, 1};
       },
       "the elements are of type code 77"},
      {[](Foreign& f) {
         f.tensor().dtype = {2, 64, 4};
       },
       "vectors of 4 lanes, of float64: expected one lane"},
      {[](Foreign& f) { f.tensor().byte_offset = 4; }, "do not lie at a multiple of 8 bytes"},
      {[](Foreign& f) { f.tensor().data = nullptr; }, "its data is null"},
      {[](Foreign& f) { f.tensor().shape = nullptr; }, "2 dims and no shape"},
      {[](Foreign& f) { f.tensor().ndim = -1; }, "-1 dims"},
      {[](Foreign& f) {
         f.managed.version = {2, 3};
       },
       "of DLPack 2.3: expected 1.x"},
      {[](Foreign& f) {
         f.strides = {-4, 1};
         f.tensor().strides = f.strides.data();
       },
       "stride -4 of dim 0 is negative"},
      {[](Foreign& f) {
         f.shape = {-3, 4};
         f.tensor().shape = f.shape.data();
       },
       "[from_dlpack] shape"},
  };
  for (const Row& row : rows) {
    Foreign f;
    row.spoil(f);
    CAPTURE(row.text);
    CHECK_THROWS_WITH_AS(from_dlpack(&f.managed), Contains(row.text), Error);
    CHECK_EQ(f.deleted, 0);
  }
  CHECK_THROWS_WITH_AS(from_dlpack(static_cast<DLManagedTensor*>(nullptr)), Contains("[from_dlpack] the pointer"),
                       DlpackError);
}

TEST_CASE("dlpack out: the struct of bases and views, of every dtype; memory outlives the tensor") {
  Tensor t = numbers() + 0;
  DLManagedTensorVersioned* m = to_dlpack(t);
  const DLTensor& d = m->dl_tensor;
  CHECK_EQ(m->version.major, 1);
  CHECK_EQ(m->flags, 0);
  CHECK_EQ(d.data, t.data<double>());
  CHECK_EQ(reinterpret_cast<uintptr_t>(d.data) % 8, 0);
  CHECK_EQ(d.device.device_type, 1);
  CHECK_EQ(d.ndim, 2);
  CHECK_EQ(std::vector<int64_t>(d.shape, d.shape + 2), std::vector<int64_t>{3, 4});
  CHECK_EQ(std::vector<int64_t>(d.strides, d.strides + 2), std::vector<int64_t>{4, 1});
  DLManagedTensorVersioned* v = to_dlpack(t.t().slice(0, 1, 4, 2));
  CHECK_EQ(v->dl_tensor.data, t.data<double>() + 1);
  CHECK_EQ(std::vector<int64_t>(v->dl_tensor.strides, v->dl_tensor.strides + 2), std::vector<int64_t>{2, 4});
  t = Tensor();
  drop(m);
  CHECK_EQ(static_cast<double*>(v->dl_tensor.data)[10], 11);
  drop(v);

  struct Type {
    DType dtype;
    int code, bits;
  };
  for (Type type : {Type{boolean, 6, 8}, Type{u8, 1, 8}, Type{i32, 0, 32}, Type{i64, 0, 64}, Type{bf16, 4, 16},
                    Type{f16, 2, 16}, Type{f32, 2, 32}, Type{f64, 2, 64}}) {
    DLManagedTensorVersioned* made = to_dlpack(ones({2}, type.dtype));
    CHECK_EQ(made->dl_tensor.dtype.code, type.code);
    CHECK_EQ(made->dl_tensor.dtype.bits, type.bits);
    CHECK_EQ(made->dl_tensor.dtype.lanes, 1);
    Tensor back = from_dlpack(made);
    CHECK_EQ(back.dtype(), type.dtype);
    CHECK(equal(back, ones({2}, type.dtype)));
  }
  Tensor scalar = from_dlpack(to_dlpack(tensor(2.5))), empty = from_dlpack(to_dlpack(zeros({0, 3})));
  CHECK_EQ(scalar.item<float>(), 2.5);
  CHECK_EQ(empty.shape(), Shape{0, 3});
}

TEST_CASE("dlpack out: writes are seen on both sides, pending operations keep what they saw") {
  Tensor t = numbers() + 0, before = t * 2;
  DLManagedTensorVersioned* m = to_dlpack(t);
  auto* elements = static_cast<double*>(m->dl_tensor.data);
  elements[0] = 50;
  CHECK_EQ(before[0][0].item<double>(), 0);
  CHECK_EQ((t + 1)[0][0].item<double>(), 51);
  Tensor after = t * 2;
  elements[0] = 60;
  CHECK_EQ(after[0][0].item<double>(), 100);
  t.add_(1);
  CHECK_EQ(elements[0], 61);
  t[2] = 0;
  CHECK_EQ(elements[11], 0);
  auto doubled = jit([](const Tensor& x) { return x * 2; });
  CHECK_EQ(doubled(t)[0][0].item<double>(), 122);
  elements[0] = 1;
  CHECK_EQ(doubled(t)[0][0].item<double>(), 2);
  jit([](const Tensor& x) {
    x.mul_(10);
    return x.sum();
  })(t);
  CHECK_EQ(elements[0], 10);
  DLManagedTensorVersioned* again = to_dlpack(t);
  CHECK_EQ(again->dl_tensor.data, elements);
  drop(again);
  drop(m);
  CHECK_EQ(t[0][0].item<double>(), 10);
}

TEST_CASE("dlpack out: read-only is what the tensor was; const and repeated memory is read-only") {
  Tensor t = numbers() + 0;
  DLManagedTensorVersioned* m = to_dlpack(t, {.read_only = true});
  CHECK_EQ(m->flags, kDlpackReadOnly);
  t.add_(1);
  CHECK_EQ(t[0][0].item<double>(), 1);
  CHECK_EQ(*static_cast<double*>(m->dl_tensor.data), 0);
  drop(m);

  const double fixed[] = {1, 2};
  Tensor constant = borrow(fixed, {2}, f64), repeated = ones({1, 2}, f64).expand({3, 2});
  for (const Tensor& x : {constant, repeated}) {
    m = to_dlpack(x);
    CHECK_EQ(m->flags, kDlpackReadOnly);
    drop(m);
    CHECK_THROWS_WITH_AS(to_dlpack_unversioned(x), Contains("is not to be written"), DlpackError);
  }
  DLManagedTensor* plain = to_dlpack_unversioned(t);
  CHECK_EQ(plain->dl_tensor.data, t.data<double>());
  plain->deleter(plain);
  grad([](const Tensor& x) {
    CHECK_THROWS_WITH_AS(to_dlpack(x * 2), Contains("[to_dlpack] a tensor of a running transform"), TraceError);
    return x.sum();
  })(t);
}
