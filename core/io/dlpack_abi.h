// The structs of dlpack.h, version 1: https://dmlc.github.io/dlpack/latest/c_api.html. Their layout is fixed for major
// version 1.
#pragma once
#include <cstddef>
#include <cstdint>

extern "C" {

struct DLPackVersion {
  uint32_t major, minor;
};
struct DLDevice {
  int32_t device_type, device_id;
};
struct DLDataType {
  uint8_t code, bits;
  uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
struct DLManagedTensorVersioned {
  DLPackVersion version;
  void* manager_ctx;
  void (*deleter)(DLManagedTensorVersioned* self);
  uint64_t flags;
  DLTensor dl_tensor;
};

}  // extern "C"

static_assert(sizeof(DLTensor) == 48 && sizeof(DLManagedTensor) == 64 && sizeof(DLManagedTensorVersioned) == 80 &&
              offsetof(DLManagedTensorVersioned, dl_tensor) == 32 && offsetof(DLTensor, byte_offset) == 40);

namespace jot::detail {

inline constexpr uint64_t kDlpackReadOnly = 1, kDlpackIsCopied = 2;
enum DlpackDevice : int32_t { kDlpackCpu = 1, kDlpackCudaHost = 3, kDlpackRocmHost = 11 };
enum DlpackCode : uint8_t {
  kDlpackInt,
  kDlpackUInt,
  kDlpackFloat,
  kDlpackHandle,
  kDlpackBfloat,
  kDlpackComplex,
  kDlpackBool
};

}  // namespace jot::detail
