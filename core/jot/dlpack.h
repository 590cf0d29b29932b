// Tensors of other libraries without copies, by DLPack (https://dmlc.github.io/dlpack): numpy, torch, JAX and others
// give and take them. The structs are those of dlpack.h, of any version, which a program includes where it looks into
// them.
#pragma once
#include "jot/tensor.h"

struct DLManagedTensor;           // before version 1
struct DLManagedTensorVersioned;  // from version 1 on

namespace jot {

// What lies in other memory than the processor's, has a dtype or strides that jot has not, or is damaged: what(): what
// was found, what is taken, the remedy.
class DlpackError : public Error {
  using Error::Error;
};

// read_only: what takes the tensor is told not to write (numpy then refuses to). The elements are those of now: writes
// to the tensor by jot go elsewhere from then on.
struct ToDlpackOptions {
  bool read_only = false;
};

// The tensor's elements, evaluated, as dlpack.h's struct: whoever gets it calls its deleter once, on any thread. Views
// have strides, nothing is copied. Memory is shared both ways, so from now on this tensor is live, as borrowed memory
// is: what reads it is evaluated at once. It lives as long as either side uses it. Of memory that was borrowed from a
// pointer to const, and of views whose elements are one in memory, the struct is read-only; the one without a version
// cannot say so: DlpackError. TraceError inside a transform.
DLManagedTensorVersioned* to_dlpack(const Tensor& t, const ToDlpackOptions& options = {}, Location at = JOT_HERE);
DLManagedTensor* to_dlpack_unversioned(const Tensor& t, Location at = JOT_HERE);

// The tensor over the memory of a managed one, which it owns from now on: the deleter is called when the last tensor
// that shares the memory goes. Live, as borrowed memory is; a write to it reaches the memory at once, or, where that is
// read-only, does not. Where this throws a DlpackError, the struct remains the caller's.
Tensor from_dlpack(DLManagedTensorVersioned* managed, Location at = JOT_HERE);
Tensor from_dlpack(DLManagedTensor* managed, Location at = JOT_HERE);

}  // namespace jot
