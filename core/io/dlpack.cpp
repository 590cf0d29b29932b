#include "jot/dlpack.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/io/dlpack_abi.h"
#include "core/record/evaluate.h"
#include "core/storage/borrowed.h"
#include "core/storage/views.h"
#include "jot/accessor.h"

namespace jot {

using namespace detail;

namespace {

// ---- types and places

struct Kind {
  DType dtype;
  uint8_t code, bits;
};
constexpr Kind kKinds[] = {{boolean, kDlpackBool, 8}, {u8, kDlpackUInt, 8},      {i32, kDlpackInt, 32},
                           {i64, kDlpackInt, 64},     {bf16, kDlpackBfloat, 16}, {f16, kDlpackFloat, 16},
                           {f32, kDlpackFloat, 32},   {f64, kDlpackFloat, 64}};

std::string type_name(const DLDataType& type) {
  constexpr std::string_view kCodes[] = {"int",
                                         "uint",
                                         "float",
                                         "handle",
                                         "bfloat",
                                         "complex",
                                         "bool",
                                         "float8_e3m4",
                                         "float8_e4m3",
                                         "float8_e4m3b11fnuz",
                                         "float8_e4m3fn",
                                         "float8_e4m3fnuz",
                                         "float8_e5m2",
                                         "float8_e5m2fnuz",
                                         "float8_e8m0fnu",
                                         "float6_e2m3fn",
                                         "float6_e3m2fn",
                                         "float4_e2m1fn"};
  if (type.code >= std::size(kCodes)) return "of type code " + std::to_string(type.code);
  const std::string_view name = kCodes[type.code];
  return std::string(name) + (name.find('_') == name.npos ? std::to_string(type.bits) : "");
}

DType dtype_from(const DLDataType& type, Location at) {
  if (type.lanes != 1)
    fail<DlpackError>("from_dlpack",
                      "the elements are vectors of " + std::to_string(type.lanes) + " lanes, of " + type_name(type) +
                          ": expected one lane; give the lanes a dim of their own",
                      at);
  for (const Kind& k : kKinds)
    if (k.code == type.code && k.bits == type.bits) return k.dtype;
  fail<DlpackError>("from_dlpack",
                    "the elements are " + type_name(type) +
                        ": expected bool8, uint8, int32, int64, bfloat16, float16, float32 or float64; convert them "
                        "before (numpy: x.astype(), torch: x.to())",
                    at);
}

void check_device(const DLDevice& device, Location at) {
  constexpr int32_t kHost[] = {kDlpackCpu, kDlpackCudaHost, kDlpackRocmHost};
  if (std::ranges::count(kHost, device.device_type)) return;
  constexpr std::string_view kNames[] = {
      "",     "cpu",       "cuda",    "cuda_host",    "opencl", "",       "",        "vulkan", "metal", "vpi",
      "rocm", "rocm_host", "ext_dev", "cuda_managed", "oneapi", "webgpu", "hexagon", "maia",   "trn"};
  const auto type = static_cast<size_t>(device.device_type);
  const std::string name = type < std::size(kNames) && !kNames[type].empty()
                               ? std::string(kNames[type])
                               : "of type " + std::to_string(device.device_type);
  fail<DlpackError>(
      "from_dlpack",
      "the elements are on device " + name + ":" + std::to_string(device.device_id) +
          ": expected memory of the processor (cpu, cuda_host, rocm_host); copy them there before (torch: x.cpu())",
      at);
}

// ---- in

template <class Managed>
Tensor taken(Managed* managed, bool read_only, Location at) {
  const DLTensor& t = managed->dl_tensor;
  check_device(t.device, at);
  const DType dtype = dtype_from(t.dtype, at);
  if (t.ndim < 0 || (t.ndim > 0 && !t.shape))
    fail<DlpackError>("from_dlpack", "the tensor has " + std::to_string(t.ndim) + " dims and no shape", at);
  const auto rank = static_cast<size_t>(t.ndim);
  const Shape shape(std::span<const int64_t>(t.shape, rank));
  check_shape("from_dlpack", "shape", shape, at);
  const Shape strides = t.strides ? Shape(std::span<const int64_t>(t.strides, rank)) : row_major(shape);
  std::byte* first = static_cast<std::byte*>(t.data) + t.byte_offset;
  if (shape.numel() > 0) {
    if (!t.data) fail<DlpackError>("from_dlpack", "the tensor is " + to_string(shape) + " and its data is null", at);
    if (reinterpret_cast<uintptr_t>(first) % static_cast<size_t>(size_of(dtype)) != 0)
      fail<DlpackError>("from_dlpack",
                        "the elements, " + std::string(to_string(dtype)) + ", do not lie at a multiple of " +
                            std::to_string(size_of(dtype)) +
                            " bytes: copy them before (numpy: numpy.require(x, requirements='A'))",
                        at);
  }
  constexpr auto release = [](void* context, void*) noexcept {
    auto* m = static_cast<Managed*>(context);
    if (m->deleter) m->deleter(m);
  };
  return borrowed({first, dtype, shape, strides, !read_only, release, managed}, "from_dlpack", at);
}

void check_managed(const void* managed, Location at) {
  if (!managed) fail<DlpackError>("from_dlpack", "the pointer to a managed tensor is null", at);
}

// ---- out

template <class Managed>
struct Export {
  Managed managed{};
  Buffer memory;
  std::vector<int64_t> dims;  // extents, then strides
};

template <class Managed>
Managed* given(const Tensor& t, const Layout& layout) {
  auto e = std::make_unique<Export<Managed>>();
  e->memory = t.impl()->storage->buffer;
  e->dims.assign(layout.shape.begin(), layout.shape.end());
  e->dims.insert(e->dims.end(), layout.strides.begin(), layout.strides.end());
  const Kind& kind = *std::ranges::find(kKinds, t.impl()->dtype(), &Kind::dtype);
  const size_t rank = layout.shape.size();
  e->managed.dl_tensor = {.data = layout.data,
                          .device = {kDlpackCpu, 0},
                          .ndim = static_cast<int32_t>(rank),
                          .dtype = {kind.code, kind.bits, 1},
                          .shape = e->dims.data(),
                          .strides = e->dims.data() + rank,
                          .byte_offset = 0};
  e->managed.manager_ctx = e.get();
  e->managed.deleter = [](Managed* self) { delete static_cast<Export<Managed>*>(self->manager_ctx); };
  return &e.release()->managed;
}

bool is_const(const Tensor& t) {
  const TensorImpl& x = *t.impl();
  return (!x.storage->writes_through && x.storage->buffer && !x.storage->buffer.owned()) || x.overlapping();
}

// What is pending would keep what it read, and writes go to a copy.
void finish_readers(const Tensor& t, const char* what, Location at) {
  impl_of(t, what, at);
  if (evaluate(t, what, at))
    fail<TraceError>(what, "a tensor of a running transform has no memory that outlives it: return it first", at);
  evaluate_pending();
}

// From now on the tensor's memory is written by others, too.
void make_live(Storage& s) {
  if (s.writes_through) return;
  auto kept = std::make_unique<Buffer>(s.buffer);
  constexpr auto release = [](void* context, void*) noexcept {
    std::unique_ptr<Buffer>(static_cast<Buffer*>(context)).reset();
  };
  s.buffer = Buffer::borrow(s.buffer.data(), s.buffer.size(), release, kept.get());
  static_cast<void>(kept.release());
  s.writes_through = true;
}

}  // namespace

Tensor from_dlpack(DLManagedTensorVersioned* managed, Location at) {
  check_managed(managed, at);
  if (managed->version.major != 1)
    fail<DlpackError>("from_dlpack",
                      "the managed tensor is of DLPack " + std::to_string(managed->version.major) + "." +
                          std::to_string(managed->version.minor) +
                          ": expected 1.x; ask its library for max_version=(1, 0)",
                      at);
  return taken(managed, (managed->flags & kDlpackReadOnly) != 0, at);
}
Tensor from_dlpack(DLManagedTensor* managed, Location at) {
  check_managed(managed, at);
  return taken(managed, false, at);
}

DLManagedTensorVersioned* to_dlpack(const Tensor& t, const ToDlpackOptions& options, Location at) {
  constexpr const char* what = "to_dlpack";
  finish_readers(t, what, at);
  const bool read_only = options.read_only || is_const(t);
  const Layout layout = layout_of(t, t.dtype(), {}, !read_only, what, at);
  if (!read_only) make_live(*t.impl()->storage);
  DLManagedTensorVersioned* managed = given<DLManagedTensorVersioned>(t, layout);
  managed->version = {1, 0};
  managed->flags = read_only ? kDlpackReadOnly : 0;
  return managed;
}

DLManagedTensor* to_dlpack_unversioned(const Tensor& t, Location at) {
  constexpr const char* what = "to_dlpack_unversioned";
  finish_readers(t, what, at);
  if (is_const(t))
    fail<DlpackError>(
        what,
        "the tensor's memory is not to be written (it was borrowed from a pointer to const, or an element "
        "stands at several places), which this struct cannot say: take to_dlpack, or clone() the tensor",
        at);
  const Layout layout = layout_of(t, t.dtype(), {}, true, what, at);
  make_live(*t.impl()->storage);
  return given<DLManagedTensor>(t, layout);
}

}  // namespace jot
